"""Readings of code that looks wrong and is right, and of code that is refuted for good reason."""

from __future__ import annotations

import textwrap

import pytest

from symbackprop.auditing.code.entry import audit_code
from symbackprop.auditing.finding import Finding


def audited(text: str) -> list[Finding]:
    return audit_code("import numpy as np\n" + textwrap.dedent(text), "layers.py")


def verdicts(text: str) -> dict[str, str]:
    return {f"{f.claim} {f.wrt}": f.verdict for f in audited(text)}


FLATTEN = """
class Flatten:
    def __init__(self):
        self._shape = ()

    def forward_pass(self, a, training: bool):
        self._shape = a.shape
        return np.ravel(a).reshape(a.shape[0], -1)

    def backward_pass(self, da):
        return {result}
"""


def test_a_remembered_shape_is_no_history() -> None:
    assert verdicts(FLATTEN.format(result="da.reshape(self._shape)")) == {
        "Flatten.backward_pass a": "proved"
    }
    assert verdicts(FLATTEN.format(result="-da.reshape(self._shape)")) == {
        "Flatten.backward_pass a": "refuted"
    }


WRAPPER = """
class Pointwise:
    def __init__(self, activation, activation_prime):
        self.activation = activation
        self.activation_prime = activation_prime

    def forward(self, x):
        self.x = x
        return self.activation(x)

    def backward(self, grad):
        return {result}
"""


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        ("grad * self.activation_prime(self.x)", "proved"),
        ("self.activation_prime(self.x)", "refuted"),
        ("grad * self.activation(self.x)", "refuted"),
    ],
)
def test_a_function_that_nobody_defines_comes_with_its_derivative(
    result: str, verdict: str
) -> None:
    assert verdicts(WRAPPER.format(result=result)) == {"Pointwise.backward x": verdict}


OUTPUT = """
def squash(x):
    return np.tanh(x)

def squash_prime(x):
    return 1 - x ** 2

def step(v, w):
    o = squash(v)
    return w * squash_prime({passed})
"""


@pytest.mark.parametrize(("passed", "verdict"), [("o", "convention"), ("v", "refuted")])
def test_call_sites_tell_whether_a_derivative_reads_the_output(passed: str, verdict: str) -> None:
    assert verdicts(OUTPUT.format(passed=passed)) == {"squash_prime x": verdict}


SOFTMAX = """
class Softmax:
    def forward(self, z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p

    def backward(self, grad):
        return {result}
"""


def test_a_softmax_that_passes_its_gradient_on_is_not_accused() -> None:
    assert verdicts(SOFTMAX.format(result="grad")) == {"Softmax.backward z": "undecided"}
    assert verdicts(SOFTMAX.format(result="2 * grad")) == {"Softmax.backward z": "refuted"}
    assert verdicts(
        "def f(x):\n    return np.tanh(x)\ndef f_backward(grad, x):\n    return grad"
    ) == {"f_backward x": "refuted"}


SHARED = """
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x.dot(self.W) + self.b

    def backward(self, dout):
        self.dW = self.x.T.dot(dout)
        self.db = dout.sum(axis=0)
        return dout.dot(self.W.T)

class Net:
    def __init__(self, n_in, n_hidden, n_out):
        self.params = {{}}
        self.params['W1'] = np.random.randn(n_in, n_hidden)
        self.params['b1'] = np.zeros(n_hidden)
        self.params['W2'] = np.random.randn(n_hidden, n_out)
        self.params['b2'] = np.zeros(n_out)
        self.first = Affine(self.params['W1'], self.params['b1'])
        self.second = Affine(self.params['W2'], self.params['b2'])

    def loss(self, x, t):
        self.difference = self.second.forward(np.tanh(self.first.forward(x))) - t
        return np.sum(self.difference ** 2) / 2

    def gradient(self, x, t):
        self.loss(x, t)
        h = np.tanh(self.first.forward(x))
        self.first.backward(self.second.backward(self.difference) * (1 - h ** 2))
        grads = {{}}
        grads['W1'], grads['b1'] = self.first.dW, self.first.db
        grads['W2'], grads['b2'] = self.second.{second}, self.second.db
        return grads
"""


def test_what_two_objects_share_stays_one() -> None:
    found = verdicts(SHARED.format(second="dW"))
    names = ("W1", "b1", "W2", "b2")
    assert {found[f"Net.gradient self.params['{n}']"] for n in names} == {"proved"}
    wrong = verdicts(SHARED.format(second="dW * 3"))
    assert wrong["Net.gradient self.params['W2']"] == "refuted"
    assert wrong["Net.gradient self.params['W1']"] == "proved"


COLUMNS = """
class Classifier:
    def __init__(self, n_in, n_classes):
        self.W = np.random.randn(n_classes, n_in)
        self.b = np.zeros((n_classes, 1))

    def forward(self, X):
        self.X = X
        z = self.W @ X + self.b
        e = np.exp(z - np.max(z, axis=0, keepdims=True))
        self.p = e / np.sum(e, axis=0, keepdims=True)
        return self.p

    def backward(self, y_true, lr):
        delta = {delta}
        self.W -= lr * delta @ self.X.T
        self.b -= lr * np.sum(delta, axis=1, keepdims=True)
"""


def test_classes_may_stand_along_the_first_axis() -> None:
    found = set(verdicts(COLUMNS.format(delta="(self.p - y_true) / y_true.shape[1]")).values())
    assert found == {"convention"}


def test_nothing_is_refuted_under_a_loss_that_was_guessed() -> None:
    found = audited(COLUMNS.format(delta="self.p * np.exp(y_true)"))
    assert {f.verdict for f in found} == {"undecided"}
    assert all("loss" in str(f.reason) for f in found)


def test_a_mean_and_a_stabilising_constant_together() -> None:
    text = """
    def forward(X, w):
        return 1 / (1 + np.exp(-np.dot(w, X)))

    def backward(p, Y, X, w, eps=1e-12):
        m = Y.shape[1]
        da = -(Y / (p + eps) - (1 - Y) / (1 - p + eps))
        dw = np.dot(da * p * (1 - p), X.T) / m
        return dw
    """
    (found,) = [f for f in audited(text) if f.wrt == "w"]
    assert found.verdict == "convention"
    assert "go to 0" in str(found.convention)
    assert "shape[1]" in str(found.convention)


AT_ONE_SIZE = """
def total(x):
    return np.sum(x ** 2) / x.shape[0]

def total_grad(x):
    return 2 * x / {count}
"""


@pytest.mark.parametrize("count", ["3", "5", "7"])
def test_what_holds_for_one_size_alone_is_refuted(count: str) -> None:
    assert verdicts(AT_ONE_SIZE.format(count=count)) == {"total_grad x": "refuted"}
    assert verdicts(AT_ONE_SIZE.format(count="len(x)")) == {"total_grad x": "proved"}


FIXED = """
def total(x):
    return np.sum(x.reshape(3, 5) ** 2)

def total_grad(x):
    return 3 * x.reshape(3, 5)
"""


def test_a_refutation_needs_a_second_set_of_sizes() -> None:
    (found,) = audited(FIXED)
    assert found.verdict == "undecided"
    assert "other sizes" in str(found.reason)


GAN = """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

class Critic:
    def __init__(self, n, h):
        self.W0 = np.random.randn(n, h)
        self.b0 = np.zeros((1, h))
        self.W1 = np.random.randn(h, 1)

    def forward_critic(self, x):
        self.a0 = np.tanh(x @ self.W0 + self.b0)
        z = self.a0 @ self.W1
        return z, sigmoid(z)

    def {loss}(self, x, y):
        _, a = self.forward_critic(x)
        return np.mean(-y * np.log(a) - (1 - y) * np.log(1 - a))

    def {backward}(self, x, y):
        _, a = self.forward_critic(x)
        dz = (a - y) / len(x)
        d0 = dz @ self.W1.T * {inner}
        dW0, db0 = x.T @ d0, d0.sum(axis=0, keepdims=True)
        dW1 = self.a0.T @ dz
        return dW0, db0, dW1
"""
INNER = "(1 - self.a0 ** 2)"


@pytest.mark.parametrize(
    ("loss", "backward", "verdict"),
    [
        ("critic_loss", "critic_loss_backward", "proved"),
        ("objective", "critic_backward", "convention"),
    ],
)
def test_a_loss_is_told_from_the_network_that_it_is_of(
    loss: str, backward: str, verdict: str
) -> None:
    """Also where the network gives its pre-activations first, and the loss is not named."""
    found = verdicts(GAN.format(loss=loss, backward=backward, inner=INNER))
    assert found == {f"Critic.{backward} self.{n}": verdict for n in ("W0", "b0", "W1")}
    wrong = verdicts(GAN.format(loss=loss, backward=backward, inner="self.a0"))
    assert wrong[f"Critic.{backward} self.W0"] == "refuted"


FITTED = """
class Line:
    def __init__(self, n):
        self.w = np.random.randn(n)
        self.b = 0.0

    def loss(self, X, y):
        r = X.dot(self.w) + self.b - y
        return 0.5 * np.mean(r ** 2) + 0.1 * np.sum(self.w ** 2)

    def gradients(self, X, y):
        r = X.dot(self.w) + self.b - y
        dw = X.T.dot(r) / len(y) + {rate} * self.w
        db = r.mean()
        return dw, db
"""


def test_a_bias_that_starts_at_zero_is_free_and_no_single_sample_decides() -> None:
    right = verdicts(FITTED.format(rate=0.2))
    assert right == {"Line.gradients self.w": "proved", "Line.gradients self.b": "proved"}
    assert verdicts(FITTED.format(rate=0.1))["Line.gradients self.w"] == "refuted"


ALTERNATIVE = """
def scale_forward(x, g):
    return np.tanh(x) * g, (x, g)

def scale_backward_alt(dout, cache):
    x, g = cache
    return dout * g * (1 - np.tanh(x) ** {power}), (dout * np.tanh(x)).sum(axis=0)
"""


def test_another_backward_of_a_function_is_one_of_its_pairs() -> None:
    assert set(verdicts(ALTERNATIVE.format(power=2)).values()) == {"proved"}
    assert verdicts(ALTERNATIVE.format(power=3))["scale_backward_alt x"] == "refuted"


UNROLLED = """
class Net:
    def __init__(self, n, h):
        self.W = np.random.randn(n, h)
        self.U = np.random.randn(h, h)

    def loss(self, X, y, h0):
        hs = {{-1: h0}}
        for t in range(X.shape[1]):
            hs[t] = np.tanh(X[:, t] @ self.W + hs[t - 1] @ self.U)
        last = X.shape[1] - 1
        loss = np.sum((hs[last] - y) ** 2)
        grads = {{'W': np.zeros_like(self.W), 'U': np.zeros_like(self.U)}}
        dh = 2 * (hs[last] - y)
        for t in reversed(range(X.shape[1])):
            dz = dh * (1 - hs[t] ** 2)
            grads['W'] += X[:, t].T @ dz
            grads['U'] += hs[{step}].T @ dz
            dh = dz @ self.U.T
        return loss, grads
"""


def test_a_first_state_that_may_be_a_vector_has_samples() -> None:
    """Taken for a vector it runs, by broadcasting, and the gradient differs."""
    found = verdicts(UNROLLED.format(step="t - 1"))
    assert found == {"Net.loss self.W": "proved", "Net.loss self.U": "proved"}
    assert verdicts(UNROLLED.format(step="t"))["Net.loss self.U"] == "refuted"
