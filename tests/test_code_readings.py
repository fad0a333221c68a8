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
