"""Every line of a document is true: read back from its LaTeX and compared in numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from latex_reader import MP
from local_partials import LocalPartials
from round_trip import DIGITS, TOLERANCE, difference, extents, random_point, vocabulary

from symbackprop.api import derive
from symbackprop.equations import Adjoint
from symbackprop.reference import accumulate, evaluate
from symbackprop.render import computed
from symbackprop.render.context import Context
from symbackprop.render.document import Display, Paragraph
from symbackprop.render.latex import latex
from symbackprop.render.notation import Choice
from symbackprop.render.outline import outline
from symbackprop.scalar import apply, number

SIZES = {"n_0": 2, "n_1": 3, "n_2": 2}
# Differences of 60 digits, where a line holds the partial of one value by another.
LOCAL = re.compile(r"frac\{\\partial (?!L\})|\)_\{")
BY_DIFFERENCES = MP.mpf(10) ** -30


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

    def values(self, point):
        """Return the point, targets adding up to 1 where a step assumes that they do."""
        name = self.loss.head.target.name
        if not any(step.rule == "assumption" for step in self.loss.collapse):
            return point.arrays
        target = np.vectorize(MP.mpf, otypes=[object])(point.arrays[name])
        return {**point.arrays, name: target / target.sum(axis=-1, keepdims=True)}

    def known(self, *, batch: bool):
        """Return what printed names stand for: of one sample, or of the whole batch."""
        head, sizes = self.loss.head, SIZES | {"N": 2 if batch else 1}
        point = random_point(self.given, sizes, signed=False, seed=3)
        known = evaluate([*self.equations.values()], self.values(point), sizes, DIGITS)
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
        found = vocabulary(setting, values, sizes)
        if not batch:
            equations = [(v, e) for v, e in self.equations.items() if v.name in known]
            found.partials = LocalPartials(equations, known, setting, sizes, kept)
        return found

    def in_code(self, *, loss: bool):
        """Return what the names stand for by the equations that the code computes."""
        head, sizes = self.loss.head, SIZES | {"N": 1}
        (derivation, *_) = self.derivation.heads
        point = random_point(self.given, sizes, signed=False, seed=3)
        forward = evaluate([*self.equations.values()], self.values(point), sizes, DIGITS)
        own = {e.target.variable.name for e in derivation.equations}
        given = {name: array for name, array in forward.items() if name not in own}
        known = evaluate(derivation.equations, given, sizes, DIGITS)
        seeds = {head.cost.name: np.ones((), dtype=object)}
        bars = accumulate(derivation.adjoints, known, seeds, sizes, DIGITS)
        setting = computed.head_setting(self.context, head, derivation, derivation.adjoints)
        found = self.known(batch=False)
        layers = self.derivation.layers.equations
        inner = evaluate(layers, point.arrays, sizes, DIGITS)
        made = {e.target.variable: inner[e.target.variable.name] for e in layers}
        found.arrays |= vocabulary(setting, made, sizes).arrays
        if not loss:
            return found
        shown = [e.target.variable for e in derivation.equations if e.target.variable != head.cost]
        inside = vocabulary(setting, {v: known[v.name] for v in shown}, sizes)
        found.arrays |= inside.arrays
        for variable in shown:
            if variable.name in bars:
                (name,) = vocabulary(setting, {variable: known[variable.name]}, sizes).arrays
                base, _, label = name.partition("^")
                bar = vocabulary(setting, {variable: bars[variable.name]}, sizes).arrays[name]
                found.arrays[rf"\bar{{{base}}}" + (f"^{label}" if label else "")] = bar
                if variable.made:
                    found.arrays[f"∂{name}"] = bar
        return found


def lines(document):
    """Both sides of every line that numbers can be put in, and what its names stand for."""
    found = []
    for section in document.sections:
        if section.anchor.startswith("matrix"):
            continue
        kind = {"batch": "batch", "computed": "layers"}.get(section.anchor, "sample")
        for block in section.blocks:
            if section.anchor == "computed" and isinstance(block, Paragraph):
                kind = "code" if str(block.content[0]).startswith("The loss of one") else kind
            if isinstance(block, Display):
                found += readable(block, kind)
    return found


def readable(display, kind):
    left = None
    for line in display.lines:
        left = left if line.left is None else line.left
        last = line.rule == "stable form" and line.left is None
        sides = latex(left), latex(line.right)
        if line.relation == "=":
            yield "code" if last else kind, *sides


def differences(truth: Truth, document) -> dict[str, object]:
    """How far the sides of each line are apart, by what is allowed."""
    known = {kind: truth.known(batch=kind == "batch") for kind in ("sample", "batch")}
    known |= {"code": truth.in_code(loss=True), "layers": truth.in_code(loss=False)}
    found = {}
    for kind, left, right in lines(document):
        worst, places = difference(left, right, known[kind])
        assert places, left
        local = LOCAL.search(left + right)
        line = f"{left} = {right}"
        worst = worst / BY_DIFFERENCES if local else worst / TOLERANCE
        found[line] = max(worst, found.get(line, worst))
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
    ("2-3:sigmoid-4", "log_cosh"),
    ("2-3", "binary_cross_entropy_with_logits"),
]


@pytest.mark.parametrize(("source", "loss"), CASES, ids=["-".join(case[1:]) for case in CASES])
def test_every_line_is_true(source: str, loss: str) -> None:
    truth = Truth(source, loss)
    found = differences(truth, outline(truth.derivation))
    assert len(found) > 15
    wrong = [line for line, worst in found.items() if not worst < 1]
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
    assert [line for line, worst in found.items() if not worst < 1] == []


TWICE = """
spec = 1
[network]
input = [2]
loss = "mean_squared_error"
[[define]]
kind = "activation"
name = "gated"
equations = ["a[i] = z[i] * sigmoid(1.702 * z[i])"]
[[define]]
kind = "activation"
name = "centred"
equations = ["a[i] = z[i] - total(j, z[j])"]
[[define]]
kind = "activation"
name = "shares"
equations = ["a[i] = exp(z[i]) / total(j, exp(z[j]))"]
[[define]]
kind = "layer"
name = "gate"
input = ["channels"]
equations = ["z[i] = x[i] * sigmoid(total(w, x[w])) + x[0] ** 2"]
[[layer]]
type = "dense"
units = 3
activation = "gated"
[[layer]]
type = "gate"
activation = "centred"
[[layer]]
type = "dense"
units = 2
activation = "shares"
"""


def test_a_value_read_twice_has_one_partial(tmp_path: Path) -> None:
    """Its reads are added up, with deltas where they are of different places."""
    path = tmp_path / "net.toml"
    path.write_text(TWICE, encoding="utf-8")
    truth = Truth(str(path), None)
    document = outline(truth.derivation)
    found = differences(truth, document)
    assert [line for line, worst in found.items() if not worst < 1] == []
    lefts = [
        latex(line.left)
        for display in document.displays()
        for line in display.lines
        if line.left is not None and line.rule == "local partial"
    ]
    local = [left for left in lefts if LOCAL.search(left)]
    assert len(local) == len(set(local)) == 10


@pytest.mark.parametrize("fault", ["coefficient", "occurrence"])
def test_a_fault_in_a_partial_is_seen(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(TWICE, encoding="utf-8")
    truth = Truth(str(path), None)
    textbook = truth.derivation.textbook
    place, total = next((k, t) for k, t in enumerate(textbook.totals) if len(t.shares) == 2)
    first, *rest = total.shares
    double = apply("multiply", number(2), first.partial.coefficient)
    wrong = replace(first, partial=replace(first.partial, coefficient=double))
    shares = (wrong, *rest) if fault == "coefficient" else tuple(rest)
    totals = list(textbook.totals)
    totals[place] = replace(total, shares=shares)
    planted = replace(textbook, totals=tuple(totals))
    found = differences(truth, outline(replace(truth.derivation, textbook=planted)))
    assert any(LOCAL.search(line) and not worst < 1 for line, worst in found.items())


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
    wrong = [line for line, worst in found.items() if not worst < 1]
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
    assert any(not worst < 1 for worst in found.values())
