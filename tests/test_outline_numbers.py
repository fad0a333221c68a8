"""Every line of a document is true: read back from its LaTeX and compared in numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from round_trip import DIGITS, TOLERANCE, difference, extents, random_point, vocabulary

from symbackprop.api import derive
from symbackprop.equations import Adjoint
from symbackprop.reference import accumulate, evaluate
from symbackprop.render.context import Choice, Context
from symbackprop.render.document import Display
from symbackprop.render.latex import latex
from symbackprop.render.outline import outline
from symbackprop.scalar import apply, number

SIZES = {"n_0": 2, "n_1": 3, "n_2": 2}
# A derivative of anything but the cost is a symbol that only its own line defines.
LOCAL = re.compile(r"frac\{\\partial (?!L\})")


class Truth:
    """A derivation with one form of its target."""

    def __init__(self, source: str, loss: str | None) -> None:
        self.derivation = derive(source, loss=loss)
        network = self.derivation.network
        (self.loss, *_) = self.derivation.textbook.losses
        head = self.loss.head
        layers = [e for layer in network.layers for e in (*layer.equations, *layer.activation)]
        equations = [*layers, *self.loss.equations, *head.equations]
        self.equations = {e.target.variable: e for e in reversed(equations)}
        learned = [array.variable for array in network.parameters]
        self.given = [network.input, *learned, head.target, *network.constants]
        self.context = Context(self.derivation, Choice(), None)

    def known(self, *, batch: bool):
        """Return what printed names stand for: of one sample, or of the whole batch."""
        head, sizes = self.loss.head, SIZES | {"N": 2 if batch else 1}
        point = random_point(self.given, sizes, signed=False, seed=3)
        known = evaluate([*self.equations.values()], point.arrays, sizes, DIGITS)
        totals = [*self.derivation.textbook.totals, *self.loss.totals]
        adjoints = [total.adjoint for total in totals]
        seeds = {head.sample.name: np.ones(extents(head.sample, sizes), dtype=object)}
        if batch:
            terms = tuple(share.partial for share in self.loss.batch.shares)
            seeds = accumulate([Adjoint(head.sample, terms)], known, {}, sizes, DIGITS)
        bars = accumulate(adjoints, known, seeds, sizes, DIGITS)
        setting = self.context.setting(head=head, samples=batch, equations=self.loss.equations)
        kept = (head.sample, head.cost) if batch else (head.sample,)
        named = [v for v in (*self.equations, *self.given) if v != head.cost and not v.made]
        shown = dict.fromkeys([*named, *kept])
        values = {v: known[v.name] for v in shown}
        values |= {v.bar(): bars[v.name] for v in shown if v.name in bars}
        if batch:
            values[head.sample.bar()] = seeds[head.sample.name]
        return vocabulary(setting, values, sizes)


def lines(document):
    """Both sides of every line that numbers can be put in, and whether it is of the batch."""
    found = []
    for section in document.sections:
        if section.anchor.startswith(("matrix", "computed")):
            continue
        for block in section.blocks:
            if isinstance(block, Display):
                found += [(section.anchor == "batch", *sides) for sides in readable(block)]
    return found


def readable(display):
    left = None
    for line in display.lines:
        left = left if line.left is None else line.left
        sides = latex(left), latex(line.right)
        if line.relation == "=" and line.rule != "assumption" and not LOCAL.search("".join(sides)):
            yield sides


def differences(truth: Truth, document) -> dict[str, object]:
    known = {batch: truth.known(batch=batch) for batch in (False, True)}
    found = {}
    for batch, left, right in lines(document):
        worst, places = difference(left, right, known[batch])
        assert places, left
        found[f"{left} = {right}"] = worst
    return found


CASES = [
    ("n_0-n_1:f_1-n_2:f_2", "squared_error"),
    ("2-4:relu-3:relu-1:sigmoid", "binary_cross_entropy"),
    ("2-3:prelu-2:tanh-4", "gaussian_nll"),
    ("2-3:softmax-4:log_softmax", "kl_divergence"),
    ("2-3:gelu-2:softmax", "squared_error"),
    ("3-3-3:silu", "huber"),
    ("2-3:elu-4", "focal"),
    ("2-3:softplus-4", "cosine_similarity"),
]


@pytest.mark.parametrize(("source", "loss"), CASES, ids=["-".join(case[1:]) for case in CASES])
def test_every_line_is_true(source: str, loss: str) -> None:
    truth = Truth(source, loss)
    found = differences(truth, outline(truth.derivation))
    assert len(found) > 15
    wrong = [line for line, worst in found.items() if not worst < TOLERANCE]
    assert wrong == []


STRIDED = """
spec = 1
[network]
input = [2, 6, 4]
loss = "mean_squared_error"
[[define]]
kind = "layer"
name = "strided"
input = ["channels", "height", "width"]
sizes = ["units"]
parameters = { W = ["units", "channels", "2", "3"], b = ["units"] }
equations = [
  "z[o, h, w] = total(c, k, l, W[o, c, k, l] * x[c, 2*h + k, w + l]) + b[o]",
]
output = ["units", "3", "2"]
[[define]]
kind = "layer"
name = "gate"
input = ["channels", "height", "width"]
equations = ["z[c, h] = x[c, h, 0] * sigmoid(total(w, x[c, h, w])) + x[0, h, 1] ** 2"]
[[layer]]
type = "strided"
units = 3
activation = "tanh"
[[layer]]
type = "gate"
"""


def test_layers_that_read_some_places_only(tmp_path: Path) -> None:
    """Strides, windows and constants: their totals hold deltas."""
    path = tmp_path / "net.toml"
    path.write_text(STRIDED, encoding="utf-8")
    truth = Truth(str(path), None)
    found = differences(truth, outline(truth.derivation))
    assert sum(r"\delta" in line for line in found) >= 2
    assert [line for line, worst in found.items() if not worst < TOLERANCE] == []


def test_penalties_are_in_the_gradients(tmp_path: Path) -> None:
    """Which are then no longer those of the loss alone."""
    path = tmp_path / "net.toml"
    path.write_text(
        'spec = 1\n[network]\ninput = [2]\nloss = "mean_squared_error"\nl2 = 0.5\n'
        '[[layer]]\ntype = "dense"\nunits = 3\n',
        encoding="utf-8",
    )
    truth = Truth(str(path), None)
    found = differences(truth, outline(truth.derivation))
    wrong = [line for line, worst in found.items() if not worst < TOLERANCE]
    assert len(wrong) == 2
    assert wrong[0].startswith("L = ")
    assert r"\frac{\partial L}{\partial w_{ij}^{(1)}} =" in wrong[1]


@pytest.mark.parametrize("fault", ["coefficient", "share", "closed"])
def test_a_planted_fault_is_seen(fault: str) -> None:
    truth = Truth("2-3:tanh-4:sigmoid", "binary_cross_entropy")
    textbook = truth.derivation.textbook
    target = textbook.totals[2]
    share = target.shares[0]
    if fault == "closed":
        first = next(iter(textbook.closed))
        wrong = replace(textbook.closed[first], partial=first.partial)
        partial = replace(wrong.partial, coefficient=number(2))
        planted = replace(
            textbook, closed=textbook.closed | {first: replace(wrong, partial=partial)}
        )
    else:
        double = apply("multiply", number(2), share.partial.coefficient)
        partial = replace(share.partial, coefficient=double)
        shares = (replace(share, partial=partial),) if fault == "coefficient" else (share, share)
        totals = (*textbook.totals[:2], replace(target, shares=shares), *textbook.totals[3:])
        planted = replace(textbook, totals=totals)
    found = differences(truth, outline(replace(truth.derivation, textbook=planted)))
    assert any(not worst < TOLERANCE for worst in found.values())
