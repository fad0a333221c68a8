"""Layers of a package: read across its files, kept histories, steps that are undone one by one."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from symbackprop.auditing.code.entry import audit_code
from symbackprop.auditing.code.project import reader_beside

NORM = """
from . import starts
from .starts import *
from ..functions import Squash
import kit.functions.plain as plain

class Layer:
    def __init__(self, rows, units):
        self.act = Squash()
        self.W, self.b = weights((rows, units)), starts.zeros(units)

    def forward(self, x):
        self.x, self.z = x, x @ self.W + self.b
        return plain.double(self.act(self.z))

    def backward(self, dout):
        dz = $dout * self.act.slope(self.z)
        self.dW, self.db = self.x.T @ dz, dz.sum(axis=0)
        return dz @ self.W.T
"""
FILES = {
    "kit/__init__.py": "from . import functions, layers\n",
    "kit/functions/__init__.py": "from .plain import *\n",
    "kit/functions/plain.py": """
        import numpy as np
        def double(a):
            return 2 * a
        class Squash:
            def __call__(self, z):
                return np.tanh(z)
            def slope(self, z):
                return 1 - np.tanh(z) ** 2
        """,
    "kit/layers/__init__.py": "from .layer import Layer\n",
    "kit/layers/starts.py": """
        import numpy as np
        def weights(shape):
            return np.random.randn(*shape)
        def zeros(n):
            return np.zeros(n)
        """,
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path / "kit" / "layers" / "layer.py"


@pytest.mark.parametrize(("factor", "verdict"), [("2 * ", "proved"), ("", "refuted")])
def test_a_package_is_read_across_its_files(package: Path, factor: str, verdict: str) -> None:
    text = NORM.replace("$", factor)
    found = audit_code(text, str(package), reader=reader_beside(package))
    assert {f.wrt: f.verdict for f in found} == dict.fromkeys(("x", "self.W", "self.b"), verdict)


def test_no_import_leads_out_of_what_may_be_read(package: Path) -> None:
    """Nor does a link: what cannot be read is not known, and nothing is refuted for it."""
    secret = package.parents[1] / "functions" / "plain.py"
    elsewhere = package.parents[2] / "far.txt"
    elsewhere.write_text(secret.read_text())
    secret.unlink()
    found = audit_code(NORM.replace("$", ""), str(package), reader=reader_beside(package))
    assert [f.verdict for f in found] == ["undecided"]
    assert "Squash is not known" in str(found[0].reason)


def verdicts(text: str) -> dict[str, str]:
    found = audit_code("import numpy as np\n" + textwrap.dedent(text), "layers.py")
    return {f"{f.claim} {f.wrt}": f.verdict for f in found}


KEPT = """
class Dense:
    def __init__(self, rows, columns):
        self.W = np.random.randn(rows, columns)
        self.xs = []

    def forward(self, x):
        self.xs.append(x)
        return x @ self.W

    def backward(self, dout):
        given = []
        for d, x in zip([dout], self.xs):
            self.dW = $ @ d
            given.append(d @ self.W.T)
        return given[0]
"""


@pytest.mark.parametrize(("left", "verdict"), [("x.T", "proved"), ("-x.T", "refuted")])
def test_a_history_that_no_step_reads(left: str, verdict: str) -> None:
    found = verdicts(KEPT.replace("$", left))
    assert found == {"Dense.backward x": "proved", "Dense.backward self.W": verdict}


CELL = """
class Cell:
    def __init__(self, width, units):
        self.U = np.random.randn(width, units)
        self.V = np.random.randn(units, units)
        self.dU, self.dV = np.zeros_like(self.U), np.zeros_like(self.V)
        self.dlater = 0
        self.xs, self.hs = [], [np.zeros((3, units))]

    def forward(self, x):
        self.xs.append(x)
        self.hs.append(np.tanh(x @ self.U + self.hs[-1] @ self.V))
        return self.hs[-1]

    def backward(self, dout):
        h, x = self.hs.pop(), self.xs.pop()
        dz = (dout + self.dlater) * (1 - h ** 2)
        self.dU += x.T @ dz
        self.dV += self.hs[-1].T @ dz
        self.dlater = $
        return dz @ self.U.T
"""


def test_a_cell_goes_back_a_step_at_each_call() -> None:
    names = ("Cell.backward self.U", "Cell.backward self.V")
    assert verdicts(CELL.replace("$", "dz @ self.V.T")) == dict.fromkeys(names, "proved")
    assert verdicts(CELL.replace("$", "dz @ self.V")) == dict.fromkeys(names, "refuted")


def test_what_a_parameter_is_taken_for_accuses_nobody() -> None:
    """A list of layers, a layer's kind and an activation's derivative are not seen in the file."""
    found = verdicts(
        """
        def decay(layers, rate=0.1):
            total = 0.0
            for layer in layers:
                if hasattr(layer, 'W'):
                    total += 0.5 * rate * np.sum(layer.W ** 2)
            return total

        def decay_grad(layers, grads, rate=0.1):
            for layer, grad in zip(layers, grads):
                if hasattr(layer, 'W'):
                    grad[0] += rate * layer.W
            return grads

        class Squares:
            def loss(y, p):
                return 0.5 * np.sum((p - y) ** 2)

            def grad(y, p, z, act_fn):
                return (p - y) * act_fn.grad(z)

        class Plain:
            pass

        def norm(layer):
            return 0.0 if isinstance(layer, Plain) else np.sum(layer ** 2)

        def norm_grad(layer):
            return layer if isinstance(layer, Plain) else 2 * layer
        """
    )
    assert "refuted" not in found.values()


@pytest.mark.parametrize(("count", "verdict"), [("count", "proved"), ("len(x[0])", "refuted")])
def test_rows_counted_by_their_labels(count: str, verdict: str) -> None:
    text = """
    def softmax_loss(x, y):
        count = y.shape[0]
        p = np.exp(x - x.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        loss = np.sum(-np.log(p[range(count), y])) / count
        dx = p.copy()
        dx[range(count), y] -= 1
        return loss, dx / $
    """
    assert verdicts(text.replace("$", count)) == {"softmax_loss x": verdict}


def test_a_kept_gradient_is_no_variable() -> None:
    text = """
    class Table:
        def __init__(self, words, width):
            self.parameters = {'W': np.random.randn(words, width)}
            self.gradients = {'W': np.zeros((words, width))}

        def forward(self, x):
            self.x = x
            return x @ self.parameters['W']

        def backward(self, dout):
            dW = self.x.T @ dout
            self.gradients['W'] += dW
            return dW
    """
    assert verdicts(text) == {"Table.backward self.parameters['W']": "proved"}


ROUNDED = """
def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))

def gelu_grad(x):
    t = np.tanh(0.79788456 * (x + 0.044715 * x ** 3))
    return 0.5 * (1 + t) + ($ * x ** 3 + 0.39894228 * x) * (1 - t ** 2)
"""


@pytest.mark.parametrize(
    ("constant", "verdict"), [("0.0535161", "convention"), ("0.0536", "refuted")]
)
def test_constants_with_few_digits(constant: str, verdict: str) -> None:
    text = "import numpy as np\n" + ROUNDED.replace("$", constant)
    (found,) = audit_code(text, "layers.py")
    assert found.verdict == verdict
    assert verdict == "refuted" or "rounded constants, 0.79788456" in str(found.convention)
