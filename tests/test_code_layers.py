"""Layers that keep what they compute and learn in their objects, as handmade libraries do."""

from __future__ import annotations

import textwrap

import pytest

from symbackprop.auditing.code.entry import Naming, audit_code

PASSES = {"proved", "agrees", "convention"}


def verdicts(text: str) -> dict[str, str]:
    found = audit_code("import numpy as np\n" + textwrap.dedent(text), "layers.py")
    return {f"{f.claim} {f.wrt}": f.verdict for f in found}


# Each text with `$`, what stands there when it is right, when it is wrong, and the gradient that
# is then refuted; those beside it stay as they are.
STYLES = {
    "output and gradients in attributes": (
        """
        class Affine:
            def __init__(self, shape_in, n_out):
                self.params = start(shape_in[0], n_out)
                self.Z = np.zeros((self.params['W'].shape[0], shape_in[1]))

            def forward(self, A_prev):
                self.A_prev = A_prev
                self.Z = self.params['W'].dot(A_prev) + self.params['b']

            def backward(self, upstream_grad):
                self.dW = upstream_grad.dot(self.A_prev.T)
                self.db = upstream_grad.sum(axis=1, keepdims=True)
                self.dA_prev = self.params['W'].T.dot($)

        def start(n_in, n_out):
            return {'W': np.random.randn(n_out, n_in) * 0.01, 'b': np.zeros((n_out, 1))}
        """,
        "upstream_grad",
        "2 * upstream_grad",
        "Affine.backward A_prev",
    ),
    "an activation with room for its output": (
        """
        class Squash:
            def __init__(self, shape):
                self.A = np.zeros(shape)

            def forward(self, Z):
                self.A = 1 / (1 + np.exp(-Z))

            def backward(self, upstream_grad):
                self.dZ = upstream_grad * self.A$
        """,
        " * (1 - self.A)",
        "",
        "Squash.backward Z",
    ),
    "windows that must divide the image": (
        """
        def patches(x_shape, size, stride):
            n, h, w = x_shape
            rows, columns = (h - size) / stride + 1, (w - size) / stride + 1
            if not rows.is_integer() or not columns.is_integer():
                raise Exception()
            rows, columns = int(rows), int(columns)
            i = np.repeat(np.arange(size), size).reshape(-1, 1)
            i = i + stride * np.repeat(np.arange(rows), columns)
            j = np.tile(np.arange(size), size).reshape(-1, 1)
            return i, j + stride * np.tile(np.arange(columns), rows), rows, columns

        def pool_forward(x, size=2, stride=2):
            i, j, rows, columns = patches(x.shape, size, stride)
            cut = x[:, i, j]
            return np.mean(cut, axis=1).reshape(-1, rows, columns), (x.shape, size, stride)

        def pool_backward(dout, cache):
            shape, size, stride = cache
            i, j, rows, columns = patches(shape, size, stride)
            dx = np.zeros(shape)
            part = dout.reshape(shape[0], 1, -1) / $
            np.add.at(dx, (slice(None), i, j), np.repeat(part, size * size, axis=1))
            return dx
        """,
        "(size * size)",
        "size",
        "pool_backward x",
    ),
    "a bias in a column beside windows": (
        """
        def conv_forward(x, w, b):
            n, length = x.shape
            filters, width = w.shape
            out = length - width + 1
            i = np.arange(width).reshape(-1, 1) + np.arange(out)
            cut = x[:, i].transpose(1, 2, 0).reshape(width, -1)
            return (w @ cut + b).reshape(filters, out, n).transpose(2, 0, 1), (x, w, cut, i)

        def conv_backward(dout, cache):
            x, w, cut, i = cache
            flat = dout.transpose(1, 2, 0).reshape(w.shape[0], -1)
            dx = np.zeros_like(x)
            part = (w.T @ flat).reshape(*i.shape, len(x)).transpose(2, 0, 1)
            np.add.at(dx, (slice(None), i), part)
            return dx, $, flat.sum(axis=1, keepdims=True)
        """,
        "flat @ cut.T",
        "flat @ cut.T / len(x)",
        "conv_backward w",
    ),
    "weights made once the shape is known": (
        """
        class Layer:
            def _setup(self, input_shape, rng):
                pass

        class Linear(Layer):
            def __init__(self, n_out, scale):
                self.n_out, self.scale = n_out, scale

            def _setup(self, input_shape, rng):
                self.W = rng.normal(size=(input_shape[1], self.n_out), scale=self.scale)
                self.b = np.zeros(self.n_out)

            def fprop(self, input):
                self.last = input
                return np.dot(input, self.W) + self.b

            def bprop(self, output_grad):
                self.dW = np.dot(self.last.T, output_grad)
                self.db = $(output_grad, axis=0)
                return np.dot(output_grad, self.W.T)
        """,
        "np.sum",
        "np.max",
        "Linear.bprop self.b",
    ),
    "an optimizer is given the gradients": (
        """
        import copy

        class Layer:
            def set_input_shape(self, shape):
                self.input_shape = shape

        class Dense(Layer):
            def __init__(self, units, input_shape=None):
                self.seen, self.input_shape, self.units = None, input_shape, units
                self.trainable = True
                self.W = None
                self.w0 = None

            def initialize(self, optimizer):
                limit = 1 / np.sqrt(self.input_shape[0])
                self.W = np.random.uniform(-limit, limit, (self.input_shape[0], self.units))
                self.w0 = np.zeros((1, self.units))
                self.W_opt, self.w0_opt = copy.copy(optimizer), copy.copy(optimizer)

            def forward_pass(self, X, training=True):
                self.seen = X
                return X.dot(self.W) + self.w0

            def backward_pass(self, accum_grad):
                W = self.W
                if self.trainable:
                    grad_w = self.seen.T.dot(accum_grad)
                    grad_w0 = np.sum(accum_grad, axis=0, keepdims=True)
                    self.W = self.W_opt.update(self.W, grad_w)
                    self.w0 = self.w0_opt.update(self.w0, grad_w0)
                return accum_grad.dot($.T)
        """,
        "W",
        "self.W",
        "Dense.backward_pass X",
    ),
    "running averages beside the cache": (
        """
        def norm_forward(x, gamma, beta, cache, momentum=0.9, train=True):
            running_mean, running_var = cache
            mu, var = x.mean(axis=0), x.var(axis=0)
            x_hat = (x - mu) / np.sqrt(var + 1e-8)
            cache = (x, x_hat, mu, var, gamma)
            running_mean = momentum * running_mean + (1 - momentum) * mu
            running_var = momentum * running_var + (1 - momentum) * var
            return gamma * x_hat + beta, cache, running_mean, running_var

        def norm_backward(dout, cache):
            x, x_hat, mu, var, gamma = cache
            d_hat, inverse = dout * gamma, 1 / np.sqrt(var + 1e-8)
            dvar = np.sum(d_hat * (x - mu), axis=0) * -0.5 * inverse ** 3
            dmu = np.sum(-d_hat * inverse, axis=0)
            dx = d_hat * inverse + $dvar * (x - mu) / len(x) + dmu / len(x)
            return dx, np.sum(dout * x_hat, axis=0), np.sum(dout, axis=0)
        """,
        "2 * ",
        "",
        "norm_backward x",
    ),
    "extents that the constructor takes apart": (
        """
        class Pool:
            def __init__(self, x_dim, size, stride):
                self.channels, self.rows, self.columns = x_dim
                self.size, self.stride = size, stride
                out_rows = (self.rows - size) / stride + 1
                out_columns = (self.columns - size) / stride + 1
                if not out_rows.is_integer() or not out_columns.is_integer():
                    raise Exception("these windows do not fit")
                self.out = int(out_rows), int(out_columns)

            def windows(self):
                for i in range(self.out[0]):
                    for j in range(self.out[1]):
                        top, left = i * self.stride, j * self.stride
                        rows, columns = slice(top, top + self.size), slice(left, left + self.size)
                        yield i, j, (slice(None), slice(None), rows, columns)

            def forward(self, x):
                samples, channels, rows, columns = x.shape
                out = np.zeros((samples, channels) + self.out)
                for i, j, part in self.windows():
                    out[:, :, i, j] = x[part].mean(axis=(2, 3))
                return out

            def backward(self, dout):
                dx = np.zeros((len(dout), self.channels, self.rows, self.columns))
                for i, j, part in self.windows():
                    dx[part] $ dout[:, :, i, j][:, :, None, None] / self.size ** 2
                return dx
        """,
        "+=",
        "=",
        "Pool.backward x",
    ),
    "an activation out of a table": (
        """
        class Tanh:
            def __call__(self, x):
                return 2 / (1 + np.exp(-2 * x)) - 1

            def gradient(self, x):
                return 1 - np.power(self(x), 2)

        class Cube:
            def __call__(self, x):
                return x ** 3

            def gradient(self, x):
                return 3 * x ** 2

        table = {'cube': Cube, 'tanh': Tanh}

        class Activation:
            def __init__(self, name):
                self.name = name
                self.func = table[name]()

            def forward_pass(self, X, training=True):
                self.seen = X
                return self.func(X)

            def backward_pass(self, accum_grad):
                return accum_grad * self.func.gradient(self.seen)$
        """,
        "",
        " ** 2",
        "Activation.backward_pass X",
    ),
    "widths of a border by their name": (
        """
        def border(x):
            return np.pad(array=x, pad_width=((0, 0), (1, 2)), mode="constant") ** 2

        def border_backward(dout, x):
            return 2 * x * dout[:, $]
        """,
        "1:-2",
        "2:-1",
        "border_backward x",
    ),
}


SINGLE = """
from scipy import signal

class Kernels:
    def __init__(self, input_shape, size, depth):
        channels, height, width = input_shape
        self.depth, self.channels, self.input_shape = depth, channels, input_shape
        self.kernels = np.random.randn(depth, channels, size, size)
        self.biases = np.random.randn(depth, height - size + 1, width - size + 1)

    def forward(self, image):
        self.image = image
        self.output = np.copy(self.biases)
        for i in range(self.depth):
            for j in range(self.channels):
                self.output[i] += signal.correlate2d(image[j], self.kernels[i, j], "valid")
        return self.output

    def backward(self, output_gradient, learning_rate):
        found = np.zeros(self.kernels.shape)
        given = np.zeros(self.input_shape)
        for i in range(self.depth):
            for j in range(self.channels):
                grad = output_gradient[i]
                found[i, j] = signal.correlate2d(self.image[j], grad, "valid")
                given[j] += signal.convolve2d(grad, self.kernels[i, j], "full")
        self.kernels -= learning_rate * found
        self.biases -= learning_rate * output_gradient
        return given
"""


def test_one_image_is_not_taken_for_several() -> None:
    found = verdicts(SINGLE)
    assert found
    assert set(found.values()) <= PASSES, found


@pytest.mark.parametrize("name", STYLES)
def test_what_is_right_passes_and_what_is_wrong_does_not(name: str) -> None:
    text, right, wrong, gradient = STYLES[name]
    found = verdicts(text.replace("$", right))
    assert gradient in found
    assert set(found.values()) <= PASSES, found
    mistaken = verdicts(text.replace("$", wrong))
    assert mistaken.pop(gradient) == "refuted"
    assert set(mistaken.values()) <= PASSES, mistaken


def test_what_is_declared_alone_is_no_pair_and_what_is_raised_is_said() -> None:
    text = """
    class Layer:
        def forward_pass(self, x):
            raise NotImplementedError()
        def backward_pass(self, grad):
            raise NotImplementedError()

    class Gate(Layer):
        def forward_pass(self, x):
            raise NotImplementedError()
        def backward_pass(self, grad):
            return grad
    """
    assert verdicts(text) == {}
    pair = Naming(pairs=("Gate.forward_pass:Gate.backward_pass",))
    (found,) = audit_code(textwrap.dedent(text), "layers.py", pair)
    assert found.verdict == "undecided"
    assert found.reason == "it raises NotImplementedError (line 10)"
