"""Verdicts on hand-written gradients: every idiom right and wrong, in words of our own."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from symbackprop.auditing.code.entry import Naming, audit_code
from symbackprop.auditing.finding import Finding
from symbackprop.errors import SymbackpropError


def audited(text: str, *pairs: str, path: str = "layers.py", **naming: object) -> list[Finding]:
    source = "import numpy as np\n" + textwrap.dedent(text)
    return audit_code(source, path, Naming(tuple(pairs), **naming))  # type: ignore[arg-type]


def verdicts(findings: list[Finding]) -> dict[str, str]:
    return {str(f.wrt): f.verdict for f in findings}


ACTIVATIONS = """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def softplus(z):
    return np.log1p(np.exp(z))

def tanh(z):
    return np.tanh(z)

def relu(z):
    return np.maximum(0, z)

def leaky(z, slope=0.01):
    return np.where(z > 0, z, slope * z)

def gelu(z):
    return 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z ** 3)))

def mse(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2)

def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)
"""

RIGHT = [
    ("sigmoid", "def sigmoid_prime(z):\n    s = sigmoid(z)\n    return s * (1 - s)", "proved"),
    ("sigmoid", "def dsigmoid(z):\n    return np.exp(-z) / (1 + np.exp(-z)) ** 2", "proved"),
    (
        "sigmoid",
        "def sigmoid_backward(dout, z):\n    s = sigmoid(z)\n    return dout * s * (1 - s)",
        "proved",
    ),
    ("sigmoid", "def d_sigmoid(a):\n    return a * (1 - a)", "convention"),
    ("softplus", "def softplus_grad(z):\n    return sigmoid(z)", "proved"),
    ("tanh", "def tanh_derivative(x):\n    return 1 - np.tanh(x) ** 2", "proved"),
    ("relu", "def relu_prime(z):\n    return (z > 0).astype(float)", "proved"),
    (
        "relu",
        "def relu_grad(z):\n    g = np.zeros_like(z)\n    g[z >= 0] = 1\n    return g",
        "proved",
    ),
    (
        "relu",
        "def relu_backward(dA, z):\n    dZ = np.array(dA, copy=True)\n    dZ[z <= 0] = 0\n"
        "    return dZ",
        "proved",
    ),
    ("leaky", "def leaky_grad(z, slope=0.01):\n    return np.where(z > 0, 1, slope)", "proved"),
    (
        "gelu",
        "def gelu_grad(z):\n    k = np.sqrt(2 / np.pi)\n"
        "    t = np.tanh(k * (z + 0.044715 * z ** 3))\n"
        "    return 0.5 * (1 + t) + 0.5 * z * (1 - t ** 2) * k * (1 + 3 * 0.044715 * z ** 2)",
        "proved",
    ),
    (
        "mse",
        "def mse_prime(y_true, y_pred):\n    return 2 * (y_pred - y_true) / y_true.size",
        "proved",
    ),
    ("mse", "def mse_grad(y_true, y_pred):\n    return y_pred - y_true", "convention"),
    (
        "softmax",
        "def softmax_backward(dout, z):\n    p = softmax(z)\n"
        "    return p * (dout - np.sum(dout * p, axis=1, keepdims=True))",
        "proved",
    ),
]

WRONG = [
    ("sigmoid", "def sigmoid_prime(z):\n    s = sigmoid(z)\n    return 2 * s * (1 - s)", "factor"),
    ("sigmoid", "def sigmoid_prime(z):\n    s = sigmoid(z)\n    return -s * (1 - s)", "sign"),
    ("sigmoid", "def sigmoid_prime(z):\n    s = sigmoid(z)\n    return s * (1 + s)", "sign"),
    ("tanh", "def tanh_prime(z):\n    return 1 - np.tanh(z)", "missing_factor"),
    ("relu", "def relu_prime(z):\n    return (z < 0) * 1.0", "branch"),
    ("leaky", "def leaky_grad(z, slope=0.01):\n    return np.where(z > 0, 1, 0)", "constant"),
    ("gelu", "def gelu_grad(z):\n    return 0.5 * (1 + np.tanh(z))", None),
    (
        "mse",
        "def mse_prime(y_true, y_pred):\n    return 2 * (y_true - y_pred) / y_true.size",
        "sign",
    ),
    (
        "softmax",
        "def softmax_backward(dout, z):\n    p = softmax(z)\n    return dout * p * (1 - p)",
        "diagonal_only",
    ),
    (
        "softmax",
        "def softmax_backward(dout, z):\n    p = softmax(z)\n"
        "    return p * (dout - np.sum(dout * p, axis=0, keepdims=True))",
        "reduction",
    ),
    ("tanh", "def tanh_backward(dout, z):\n    return dout(1 - np.tanh(z) ** 2)", "raises"),
]


@pytest.mark.parametrize(("function", "derivative", "verdict"), RIGHT)
def test_right_functions_are_found_and_pass(function: str, derivative: str, verdict: str) -> None:
    name = derivative.split("(", maxsplit=1)[0].removeprefix("def ")
    found = [f for f in audited(ACTIVATIONS + derivative) if f.claim == name]
    assert [f.verdict for f in found] == [verdict], found
    assert found[0].function == function


@pytest.mark.parametrize(("function", "derivative", "kind"), WRONG)
def test_wrong_functions_are_refuted(function: str, derivative: str, kind: str | None) -> None:
    name = derivative.split("(", maxsplit=1)[0].removeprefix("def ")
    found = [f for f in audited(ACTIVATIONS + derivative) if f.claim == name]
    assert [f.verdict for f in found] == ["refuted"], found
    assert found[0].counterexample
    assert found[0].diagnosis is not None
    if kind is not None:
        assert found[0].diagnosis.kind == kind


DENSE = """
class Dense:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out) * 0.1
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = {dW}
        self.db = {db}
        return {dx}
"""
RIGHT_DENSE = {"dW": "self.x.T @ dout", "db": "dout.sum(axis=0)", "dx": "dout @ self.W.T"}
WRONG_DENSE = [
    ("dW", "self.x.T @ dout / 2", "self.W"),
    ("dW", "-self.x.T @ dout", "self.W"),
    ("db", "dout.mean(axis=0)", "self.b"),
    ("db", "dout[0]", "self.b"),
    ("dx", "2 * dout @ self.W.T", "x"),
    ("dx", "np.abs(dout) @ self.W.T", "x"),
]


def test_a_layer_is_proved_by_each_gradient() -> None:
    found = verdicts(audited(DENSE.format(**RIGHT_DENSE)))
    assert found == {"x": "proved", "self.W": "proved", "self.b": "proved"}


@pytest.mark.parametrize(("part", "text", "variable"), WRONG_DENSE)
def test_one_wrong_gradient_is_refuted_alone(part: str, text: str, variable: str) -> None:
    found = verdicts(audited(DENSE.format(**RIGHT_DENSE | {part: text})))
    assert found[variable] == "refuted"
    assert {v for k, v in found.items() if k != variable} == {"proved"}


UPDATES = """
class Linear:
    def __init__(self, inputs, outputs):
        self.weights = np.random.randn(outputs, inputs)
        self.bias = np.random.randn(outputs, 1)

    def forward(self, x):
        self.x = x
        return np.dot(self.weights, x) + self.bias

    def backward(self, grad, learning_rate):
        result = np.dot(self.weights.T, grad)
        self.weights -= learning_rate * np.dot(grad, self.x.T)
        self.bias -= learning_rate * {bias}
        return result
"""


def test_gradients_are_seen_in_updates() -> None:
    right = UPDATES.format(bias="np.sum(grad, axis=1, keepdims=True)")
    assert set(verdicts(audited(right)).values()) == {"proved"}
    wrong = UPDATES.format(bias="np.mean(grad, axis=1, keepdims=True)")
    assert verdicts(audited(wrong))["self.bias"] == "refuted"


LOSS = """
def logistic_loss(w, X, y):
    p = 1 / (1 + np.exp(-X.dot(w)))
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    grad = X.T.dot(p - y){scale}
    return loss, grad
"""


def test_a_function_may_return_its_loss_and_gradient() -> None:
    assert [f.verdict for f in audited(LOSS.format(scale=" / len(y)"))] == ["proved"]
    found = audited(LOSS.format(scale=""))
    assert [f.verdict for f in found] == ["convention"]
    assert "batch" in str(found[0].convention)


def test_labels_may_be_class_indices() -> None:
    text = """
    def svm_loss(x, y):
        N = x.shape[0]
        margins = np.maximum(0, x - x[np.arange(N), y][:, np.newaxis] + 1.0)
        margins[np.arange(N), y] = 0
        loss = np.sum(margins) / N
        dx = (margins > 0) * 1.0
        dx[np.arange(N), y] -= np.sum(margins > 0, axis=1)
        return loss, dx / N
    """
    assert [f.verdict for f in audited(text, "svm_loss@x")] == ["proved"]


TORCH = """
import torch

class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        s = torch.sigmoid(x)
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx, grad_output):
        x, s = ctx.saved_tensors
        return grad_output * (s + x * s * {last})
"""


@pytest.mark.parametrize(("last", "verdict"), [("(1 - s)", "proved"), ("s", "refuted")])
def test_autograd_functions(last: str, verdict: str) -> None:
    found = audit_code(TORCH.format(last=last), "swish.py")
    assert [f.verdict for f in found] == [verdict]


FLAG = """
def elu(z, derivative=False):
    e = np.exp(z)
    if derivative:
        return np.where(z > 0, 1, e{wrong})
    return np.where(z > 0, z, e - 1)
"""


def test_a_flag_may_ask_for_the_derivative() -> None:
    assert [f.verdict for f in audited(FLAG.format(wrong=""))] == ["proved"]
    found = audited(FLAG.format(wrong=" - 1"))
    assert [(f.verdict, f.claim) for f in found] == [("refuted", "elu(derivative=True)")]


TUTORIAL = """
epsilon = np.finfo(float).eps

def sigmoid(z):
    return 1 / (1 + np.exp(-z.clip(-500, 500)))

def dsigmoid(z):
    s = sigmoid(z)
    return 2 * s * (1 - s)

def relu(z):
    return np.maximum(0, z)

def drelu(z):
    return (z > 0).astype(float)

def cross_entropy(y, yhat):
    total = y.T @ np.log(yhat.clip(epsilon)) + (1 - y.T) @ np.log((1 - yhat).clip(epsilon))
    return -total / y.shape[1]

def d_cross_entropy(y, yhat):
    return -np.divide(y, yhat.clip(epsilon)) + np.divide(1 - y, (1 - yhat).clip(epsilon))

class mlp:
    def __init__(self, layersizes, activations, derivatives, lossderiv):
        self.layersizes = tuple(layersizes)
        self.activations = tuple(activations)
        self.derivatives = tuple(derivatives)
        self.lossderiv = lossderiv
        count = len(self.layersizes)
        self.z = [None] * count
        self.W = [None] * count
        self.b = [None] * count
        self.a = [None] * count
        self.dz = [None] * count
        self.dW = [None] * count
        self.db = [None] * count
        self.da = [None] * count

    def initialize(self, seed=42):
        np.random.seed(seed)
        for l, (n, m) in enumerate(zip(self.layersizes, self.layersizes[1:]), 1):
            self.W[l] = np.random.randn(n, m) * 0.1
            self.b[l] = np.random.randn(1, m) * 0.1

    def forward(self, x):
        self.a[0] = x
        for l, func in enumerate(self.activations, 1):
            self.z[l] = (self.a[l - 1] @ self.W[l]) + self.b[l]
            self.a[l] = func(self.z[l])
        return self.a[-1]

    def backward(self, y, yhat):
        assert y.shape[1] == self.layersizes[-1]
        assert y.shape == yhat.shape
        self.da[-1] = self.lossderiv(y, yhat)
        for l, func in reversed(list(enumerate(self.derivatives, 1))):
            self.dz[l] = self.da[l] * func(self.z[l])
            self.dW[l] = self.a[l - 1].T @ self.dz[l]
            self.db[l] = np.mean(self.dz[l], axis=0, keepdims=True)
            self.da[l - 1] = self.dz[l] @ self.W[l].T

model = mlp([2, 4, 3, 1], [relu, relu, sigmoid], [drelu, drelu, dsigmoid], d_cross_entropy)
model.initialize()
"""


def test_the_functions_of_the_tutorial() -> None:
    found = {f.claim: f for f in audited(TUTORIAL) if "." not in f.claim}
    assert found["dsigmoid"].verdict == "refuted"
    assert found["dsigmoid"].diagnosis is not None
    assert found["dsigmoid"].diagnosis.factor == 2
    assert found["drelu"].verdict == "proved"
    assert found["d_cross_entropy"].verdict == "proved"


def test_the_class_of_the_tutorial_with_its_callees_taken_as_right() -> None:
    found = {f.wrt: f for f in audited(TUTORIAL) if f.claim == "mlp.backward"}
    assert {name: f.verdict for name, f in found.items()} == {
        "self.W": "proved",
        "self.b": "refuted",
    }
    wrong = found["self.b"].diagnosis
    assert wrong is not None
    assert wrong.kind == "reduction"
    assert "dsigmoid" in str(found["self.W"].reason)


def test_pairs_are_named_and_silenced_in_comments() -> None:
    text = """
    def bend(z):
        return z ** 2

    # symbackprop: derivative of bend wrt z
    def slope_of_it(z):
        return 3 * z

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    # symbackprop: ignore
    def sigmoid_prime(z):
        return 0 * z
    """
    found = audited(text)
    assert [(f.claim, f.wrt, f.verdict) for f in found] == [("slope_of_it", "z", "refuted")]


@pytest.mark.parametrize(
    ("wrong", "derived", "marked"),
    [
        ("s * (1 + s)", "return s * (1 - s)", "return s * (1 [-+-]{+-+} s)"),
        ("s * (1 - s) * 2", "return s * (1 - s)", "return s * (1 - s)[- * 2-]"),
    ],
)
def test_the_right_line_is_given_in_the_names_of_the_file(
    wrong: str, derived: str, marked: str
) -> None:
    text = f"\ndef sigmoid_prime(z):\n    s = sigmoid(z)\n    return {wrong}\n"
    (found,) = (f for f in audited(ACTIVATIONS + text) if f.claim == "sigmoid_prime")
    assert (found.derived, found.marked) == (derived, marked)
    assert found.counterexample is not None
    assert {"element", "claimed", "derived"} < set(found.counterexample)


def test_what_no_edit_mends_is_derived_in_the_names_of_the_file() -> None:
    text = (
        "def f(x, k):\n    return np.sin(x) * k\n\ndef f_prime(x, k):\n    return np.exp(x) + k\n"
    )
    (found,) = (f for f in audited("import numpy as np\n" + text) if f.wrt == "x")
    element = str((found.counterexample or {})["element"])
    assert found.derived is not None
    assert found.derived.startswith(f"{element}: ")
    assert f"np.cos({element})" in found.derived


def test_a_patch_undoes_the_mistake() -> None:
    wrong = "\ndef sigmoid_prime(z):\n    s = sigmoid(z)\n    return s * (1 + s)\n"
    (found,) = (f for f in audited(ACTIVATIONS + wrong) if f.claim == "sigmoid_prime")
    assert found.patch is not None
    lines = [line for line in found.patch.splitlines() if line[:1] in "+-"]
    assert lines[2:] == ["-    return s * (1 + s)", "+    return s * (1 - s)"]


def test_findings_say_where_they_stand() -> None:
    text = ACTIVATIONS + "\ndef sigmoid_prime(z):\n    return 2 * sigmoid(z) * (1 - sigmoid(z))\n"
    (found,) = (f for f in audited(text) if f.claim == "sigmoid_prime")
    line = ("import numpy as np\n" + text).splitlines().index("def sigmoid_prime(z):") + 1
    assert (found.path, found.line, found.column) == ("layers.py", line, 1)


def test_a_pair_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SymbackpropError, match="nothing"):
        audited(ACTIVATIONS, "nothing:sigmoid")


def test_what_is_not_understood_is_undecided_with_its_line() -> None:
    text = """
    def f(x):
        return np.fft.fft(x)

    def f_prime(x):
        return x
    """
    (found,) = audited(text, "f:f_prime@x")
    assert found.verdict == "undecided"
    assert "fft" in str(found.reason)
    assert "line 4" in str(found.reason)


def test_nothing_of_a_file_is_run(tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.write_text("here")
    text = f"""
    import os, shutil
    os.remove({str(target)!r})
    shutil.rmtree({str(tmp_path)!r})

    def f(x):
        os.remove({str(target)!r})
        return x

    def f_prime(x):
        return 1
    """
    (found,) = audited(text)
    assert found.verdict == "undecided"
    assert target.read_text() == "here"


@pytest.mark.parametrize("text", ["def f(:", "\x00", "(" * 5000, "é = 1\nprint 'x'", "if x:\n"])
def test_text_that_is_no_python_gives_no_finding(text: str) -> None:
    assert audit_code(text, "broken.py") == []


def test_notebooks_and_fences_are_read() -> None:
    cell = (
        '["import numpy as np\\n", "%matplotlib inline\\n", "def f(x):\\n", "    return x ** 2\\n"]'
    )
    other = '["def f_prime(x):\\n", "    return 3 * x\\n"]'
    notebook = (
        '{"cells": [{"cell_type": "markdown", "source": "text"},'
        f' {{"cell_type": "code", "source": {cell}}}, {{"cell_type": "code", "source": {other}}}]}}'
    )
    (found,) = audit_code(notebook, "notes.ipynb")
    assert (found.verdict, found.cell, found.line) == ("refuted", 2, 1)
    fenced = (
        "Text\n\n```python\ndef f(x):\n    return x ** 2\n\ndef df(x):\n    return 2 * x\n```\n"
    )
    (found,) = audit_code(fenced, "notes.md")
    assert (found.verdict, found.line) == ("proved", 7)
