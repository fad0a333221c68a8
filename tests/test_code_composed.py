"""The composed check: a factor that sits elsewhere than in a textbook is right in the whole."""

from __future__ import annotations

import textwrap

import pytest

from symbackprop.auditing.code.entry import Naming, audit_code
from symbackprop.auditing.finding import Finding


def audited(text: str, *pairs: str) -> dict[str, Finding]:
    found = audit_code("import numpy as np\n" + textwrap.dedent(text), "net.py", Naming(pairs))
    return {f"{f.claim} {f.wrt}": f for f in found}


def verdicts(text: str, *pairs: str) -> dict[str, str]:
    return {name: f.verdict for name, f in audited(text, *pairs).items()}


# Square loss: the 2 of its derivative is put into the sigmoid's.
STEP = """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def sigmoid_prime(z):
    s = sigmoid(z)
    return {slope} * s * (1 - s)

def error(p, y):
    return np.sum((p - y) ** 2)

def error_prime(p, y):
    return {residual}

def train_step(w, b, x, y, rate):
    z = x @ w + b
    p = sigmoid(z)
    loss = error(p, y)
    dz = error_prime(p, y) * sigmoid_prime(z)
    w -= rate * x.T @ dz
    b -= rate * dz.sum(axis=0)
    return loss
"""


@pytest.mark.parametrize(
    ("slope", "residual", "verdict"),
    [
        ("2", "p - y", "convention"),
        ("2", "2 * (p - y)", "refuted"),
        ("-2", "y - p", "refuted"),
    ],
)
def test_a_constant_in_the_other_derivative(slope: str, residual: str, verdict: str) -> None:
    found = audited(STEP.format(slope=slope, residual=residual))
    prime = found["sigmoid_prime z"]
    assert prime.verdict == verdict
    if verdict == "convention":
        assert prime.convention == (
            "a factor of 2 is made up for in error_prime (line 13):"
            " train_step (line 16) is right end to end"
        )


def test_only_what_the_whole_reads_is_acquitted() -> None:
    apart = STEP.format(slope="2", residual="p - y").replace("* sigmoid_prime(z)", "* p * (1 - p)")
    assert verdicts(apart)["sigmoid_prime z"] == "refuted"


# Layers that keep their gradients: the 2 / m of the loss is put into those of the weights.
LAYERS = """
class Dense:
    def __init__(self, n, m):
        self.W = np.random.randn(n, m) * 0.1
        self.b = np.zeros((1, m))

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        m = self.x.shape[0]
        self.dW = self.x.T @ dout * {weights}
        self.db = dout.sum(axis=0, keepdims=True) * {biases}
        return dout @ self.W.T

class Tanh:
    def forward(self, z):
        self.a = np.tanh(z)
        return self.a

    def backward(self, dout):
        return dout * (1 - self.a ** 2)

class Squares:
    def forward(self, p, y):
        self.p, self.y = p, y
        return np.sum((p - y) ** 2) / p.shape[0]

    def backward(self):
        return {residual}

class Network:
    def __init__(self, n, h, m):
        self.layers = [Dense(n, h), Tanh(), Dense(h, m)]
        self.cost = Squares()

    def train(self, x, y, rate, epochs):
        for _ in range(epochs):
            a = x
            for layer in self.layers:
                a = layer.forward(a)
            loss = self.cost.forward(a, y)
            d = self.cost.backward()
            for layer in reversed(self.layers):
                d = layer.backward(d)
            for layer in self.layers:
                if isinstance(layer, Dense):
                    layer.W -= rate * layer.dW{step}
                    layer.b -= rate * layer.db{step}
"""


@pytest.mark.parametrize(
    ("weights", "biases", "residual", "step", "verdict"),
    [
        ("2 / m", "2 / m", "self.p - self.y", "", "convention"),
        ("2", "2", "self.p - self.y", " / len(x)", "convention"),
        ("2 / m", "2 / m", "2 * (self.p - self.y)", "", "refuted"),
    ],
)
def test_a_mean_in_the_gradients_of_the_weights(
    weights: str, biases: str, residual: str, step: str, verdict: str
) -> None:
    text = LAYERS.format(weights=weights, biases=biases, residual=residual, step=step)
    found = verdicts(text)
    assert found["Dense.backward self.W"] == verdict
    assert found["Dense.backward self.b"] == verdict
    assert found["Dense.backward x"] == "proved"


def test_one_gradient_alone_with_the_factor_stays_refuted() -> None:
    text = LAYERS.format(weights="2 / m", biases="2", residual="self.p - self.y", step="")
    found = verdicts(text)
    assert (found["Dense.backward self.W"], found["Dense.backward self.b"]) == ("refuted",) * 2


# The factor is undone in the update.
UPDATE = """
class Layer:
    def __init__(self, n, m):
        self.w = np.random.randn(n, m)

    def forward(self, x):
        self.x = x
        self.out = np.tanh(x @ self.w)
        return self.out

    def backward(self, grad):
        grad = grad * (1 - self.out ** 2)
        self.dw = 3 * self.x.T @ grad
        return grad @ self.w.T

    def update(self, rate):
        self.w -= rate * self.dw{undone}

def cost(p, y):
    return 0.5 * np.sum((p - y) ** 2)

def cost_derivative(p, y):
    return p - y

class Net:
    def __init__(self, n, h, m):
        self.first = Layer(n, h)
        self.second = Layer(h, m)

    def fit(self, x, y, rate):
        p = self.second.forward(self.first.forward(x))
        loss = cost(p, y)
        grad = self.second.backward(cost_derivative(p, y))
        self.first.backward(grad)
        self.first.update(rate)
        self.second.update(rate)
        return loss
"""


@pytest.mark.parametrize(("undone", "verdict"), [(" / 3", "convention"), ("", "refuted")])
def test_a_factor_that_the_update_takes_out(undone: str, verdict: str) -> None:
    found = audited(UPDATE.format(undone=undone))
    assert found["Layer.backward self.w"].verdict == verdict
    assert found["Layer.backward x"].verdict == "proved"
    if verdict == "convention":
        words = "a factor of 3 is made up for within Net.fit (line 31), which is right end to end"
        assert found["Layer.backward self.w"].convention == words


# Functions that give several gradients, and the loss with them.
FUNCTIONS = """
def affine(x, w, b):
    return x @ w + b

def affine_backward(dout, x, w):
    dx = dout @ w.T
    dw = {factor} * x.T @ dout
    db = {factor} * dout.sum(axis=0)
    return dx, dw, db

def half_squares(p, y):
    return np.sum((p - y) ** 2) / (2 * p.shape[0])

def half_squares_backward(p, y):
    return {residual}

def loss_and_gradients(x, y, w, b):
    p = affine(x, w, b)
    loss = half_squares(p, y)
    dx, dw, db = affine_backward(half_squares_backward(p, y), x, w)
    return loss, dw, db
"""


@pytest.mark.parametrize(
    ("factor", "residual", "verdict"),
    [("2", "(p - y) / (2 * len(p))", "convention"), ("2", "(p - y) / len(p)", "refuted")],
)
def test_functions_with_several_gradients(factor: str, residual: str, verdict: str) -> None:
    found = verdicts(FUNCTIONS.format(factor=factor, residual=residual))
    assert found["affine_backward x"] == "proved"
    assert found["affine_backward w"] == found["affine_backward b"] == verdict
    # A callee that is taken for what is derived hides no mistake of the whole, and makes none.
    if verdict == "convention":
        assert found["loss_and_gradients w"] == found["loss_and_gradients b"] == "proved"


def test_gradients_of_objects_are_told_apart() -> None:
    text = UPDATE.format(undone="").replace("3 * self.x.T", "self.x.T")
    assert verdicts(text, "Net.fit") == {
        "Net.fit self.first.w": "proved",
        "Net.fit self.second.w": "proved",
    }
    assert verdicts(
        text.replace("first.backward(grad)", "first.backward(5 * grad)"), "Net.fit"
    ) == {
        "Net.fit self.first.w": "refuted",
        "Net.fit self.second.w": "proved",
    }
