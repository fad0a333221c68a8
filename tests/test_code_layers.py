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
}


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
