"""What a derivative takes for granted: which loss, what is summed, which upstream gradient."""

from __future__ import annotations

import textwrap

import pytest

from symbackprop.auditing.code.entry import audit_code
from symbackprop.auditing.finding import Finding


def audited(text: str) -> list[Finding]:
    return audit_code("import numpy as np\n" + textwrap.dedent(text), "layers.py")


def verdicts(text: str) -> dict[str, str]:
    return {f"{f.claim} {f.wrt}": f.verdict for f in audited(text)}


CLASSIFIER = """
class Head:
    def __init__(self, width, classes):
        self.w = np.random.randn(width, classes)

    def forward(self, x):
        self.x = x
        e = np.exp(x @ self.w)
        self.p = e / e.sum()
        return self.p

    def backward(self, upstream):
        for k, u in enumerate(upstream):
            if u == 0:
                continue
            dz = {slope}
            dz[k] = u * self.p[k] * (1 - self.p[k])
            dw = np.outer(self.x, dz)
            return self.w @ dz, dw
"""


@pytest.mark.parametrize(
    ("slope", "verdict"),
    [("-u * self.p[k] * self.p", "convention"), ("u * self.p[k] * self.p", "refuted")],
)
def test_a_derivative_that_reads_the_first_entry_that_is_not_zero(slope: str, verdict: str) -> None:
    found = audited(CLASSIFIER.format(slope=slope))
    assert [f.verdict for f in found] == [verdict] * 2
    words = "each row of the upstream gradient has one entry that is not 0"
    assert {f.convention for f in found} == {words if verdict == "convention" else None}


CHARACTERS = """
def run(w, b, inputs, targets):
    probs, loss = {{}}, 0.0
    for t in range(len(inputs)):
        e = np.exp(w[:, inputs[t]] + b)
        probs[t] = e / e.sum()
        loss -= np.log(probs[t][targets[t]])
    loss /= {count}
    dw, db = np.zeros_like(w), np.zeros_like(b)
    for t in range(len(inputs)):
        d = probs[t].copy()
        d[targets[t]] -= 1
        dw[:, inputs[t]] += d
        db += d{only}
    return loss, dw, db
"""


@pytest.mark.parametrize(
    ("count", "only", "verdicts"),
    [
        ("len(inputs)", "", ["convention", "convention"]),
        ("len(inputs) ** 2", "", ["refuted", "refuted"]),
        ("len(inputs)", " / len(inputs)", ["refuted", "proved"]),
    ],
)
def test_a_mean_over_steps_may_be_a_sum(count: str, only: str, verdicts: list[str]) -> None:
    found = audited(CHARACTERS.format(count=count, only=only))
    assert [f.verdict for f in found] == verdicts


ELEMENTS = """
class Entropy:
    def loss(self, y, p):
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return -y * np.log(p) - (1 - y) * np.log(1 - p)

    def gradient(self, y, p):
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return {slope}


class Squares:
    def loss(self, y, y_pred):
        return 0.5 * np.power(y - y_pred, 2)

    def gradient(self, y, y_pred):
        return {residual}
"""


@pytest.mark.parametrize(
    ("slope", "residual", "verdict"),
    [
        ("-(y / p) + (1 - y) / (1 - p)", "-(y - y_pred)", "proved"),
        ("-(y / p) + (1 - y) / p", "y - y_pred", "refuted"),
    ],
)
def test_a_loss_of_each_element(slope: str, residual: str, verdict: str) -> None:
    text = ELEMENTS.format(slope=slope, residual=residual)
    assert verdicts(text) == {
        "Entropy.gradient p": verdict,
        "Squares.gradient y_pred": verdict,
    }


ROWS = """
class Softmax:
    def forward(self, x):
        self.x = x
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, upstream):
        found = []
        for row, x in zip(*np.atleast_2d(upstream, self.x)):
            y = self.forward(x.reshape(1, -1)).reshape(-1, 1)
            found.append(row @ (np.diagflat(y) {sign} y @ y.T))
        return np.array(found)
"""


def test_several_arrays_are_given_axes_at_once() -> None:
    assert verdicts(ROWS.format(sign="-")) == {"Softmax.backward x": "proved"}
    assert verdicts(ROWS.format(sign="+")) == {"Softmax.backward x": "refuted"}
