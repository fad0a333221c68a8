"""Lines of documents read back from their LaTeX and compared in numbers."""

from __future__ import annotations

import re

import numpy as np
from latex_reader import MP
from local_partials import LocalPartials
from round_trip import DIGITS, TOLERANCE, difference, extents, random_point, vocabulary

from symbackprop.equations import Adjoint
from symbackprop.reference import accumulate, evaluate
from symbackprop.render import computed
from symbackprop.render.context import Context
from symbackprop.render.document import Display, Paragraph
from symbackprop.render.latex import latex
from symbackprop.render.notation import Choice
from symbackprop.render.plain import text

SIZES = {"n_0": 2, "n_1": 3, "n_2": 2}
# Differences of 60 digits, where a line holds the partial of one value by another.
LOCAL = re.compile(r"frac\{\\partial (?!L\})|\)_\{")
BY_DIFFERENCES = MP.mpf(10) ** -30

OUTSIDE = ("as 0 outside", "outside its extents")  # what a document says of reads outside


class Truth:
    """A derivation with one form of its target."""

    def __init__(self, derivation) -> None:
        self.derivation = derivation
        network = derivation.network
        (self.loss, *_) = self.derivation.textbook.losses
        head = self.loss.head
        layers = [e for layer in network.layers for e in (*layer.equations, *layer.activation)]
        equations = [*layers, *self.loss.equations, *head.equations]
        self.equations = {e.target.variable: e for e in reversed(equations)}
        places = [e for e in derivation.layers.equations if e.reduction in ("argmax", "argmin")]
        self.equations |= {e.target.variable: e for e in places}
        given = [variable for layer in network.layers for variable in layer.given]
        self.given = [*network.inputs, *given, head.target, *network.constants]
        self.held = [v for v, e in self.equations.items() if e.held]
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
        together = self.context.mixes_samples
        head, sizes = self.loss.head, SIZES | {"N": 2 if batch or together else 1}
        point = random_point(self.given, sizes, signed=False, seed=3)
        known = evaluate([*self.equations.values()], self.values(point), sizes, DIGITS)
        totals = [*self.derivation.textbook.totals, *self.loss.totals]
        adjoints = [total.adjoint for total in totals]
        seeds = {head.sample.name: np.ones(extents(head.sample, sizes), dtype=object)}
        if batch or together:
            terms = tuple(share.partial for share in self.loss.batch.shares)
            seeds = accumulate([Adjoint(head.sample, terms)], known, {}, sizes, DIGITS)
        bars = accumulate(adjoints, known, seeds, sizes, DIGITS)
        bars |= {v.name: 0 * np.ones(extents(v, sizes), dtype=object) for v in self.held}
        setting = self.context.setting(head=head, samples=batch, equations=self.loss.equations)
        kept = (head.sample, head.cost) if batch or together else (head.sample,)
        shown = [v for v in self.equations if not v.made or v.integer]
        named = [v for v in (*shown, *self.given) if v != head.cost]
        shown = dict.fromkeys([*named, *kept])
        values = {v: known[v.name] for v in shown}
        values |= {v.bar(): bars[v.name] for v in shown if v.name in bars}
        if batch or together:
            values[head.sample.bar()] = seeds[head.sample.name]
        found = vocabulary(setting, values, sizes)
        if not batch:
            equations = [(v, e) for v, e in self.equations.items() if v.name in known]
            found.partials = LocalPartials(equations, known, setting, sizes, kept)
        return found

    def evaluation(self):
        """Return what names stand for outside training."""
        network, sizes = self.derivation.network, SIZES | {"N": 2}
        layers = network.evaluated().layers
        equations = [e for layer in layers for e in (*layer.equations, *layer.activation)]
        point = random_point(self.given, sizes, signed=False, seed=3)
        known = evaluate(equations, point.arrays, sizes, DIGITS)
        setting = self.context.setting(samples=self.context.mixes_samples)
        named = [e.target.variable for e in equations if not e.target.variable.made]
        values = {v: known[v.name] for v in (*named, *self.given) if v.name in known}
        return vocabulary(setting, values, sizes)

    def in_code(self, *, loss: bool):
        """Return what the names stand for by the equations that the code computes."""
        together = self.context.mixes_samples
        head, sizes = self.loss.head, SIZES | {"N": 2 if together else 1}
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
        kinds = {"batch": "batch", "computed": "layers", "evaluation": "evaluation"}
        kind = kinds.get(section.anchor, "sample")
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
            limits = "" if line.condition is None else latex(line.condition)
            yield "code" if last else kind, *sides, limits


def differences(truth: Truth, document) -> dict[str, object]:
    """How far the sides of each line are apart, by what is allowed."""
    known = {kind: truth.known(batch=kind == "batch") for kind in ("sample", "batch")}
    known |= {"code": truth.in_code(loss=True), "layers": truth.in_code(loss=False)}
    if truth.derivation.network.varies:
        known["evaluation"] = truth.evaluation()
    for words in known.values():
        words.outside = any(clause in text(document) for clause in OUTSIDE)
    found = {}
    for kind, left, right, limits in lines(document):
        worst, places = difference(left, right, known[kind], limits)
        assert places, left
        local = LOCAL.search(left + right)
        line = f"{left} = {right}"
        worst = worst / BY_DIFFERENCES if local else worst / TOLERANCE
        found[line] = max(worst, found.get(line, worst))
    return found
