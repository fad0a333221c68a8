"""A derivation in Python: its records, which display themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from symbackprop import equations as records
from symbackprop.calculus import NetworkDerivation
from symbackprop.emit import Emitted
from symbackprop.render.context import Choice, Context
from symbackprop.render.document import Document
from symbackprop.render.latex import latex
from symbackprop.render.outline import outline
from symbackprop.render.setting import Setting
from symbackprop.render.typeset import Math, Operator, Words, row

_RELATION = Operator("=", "relation")
_TURNS = Operator("→", "relation")


@dataclass(frozen=True)
class Equation:
    """An equation, or the total derivative of a variable, that displays as a formula.

    ``record`` is what it shows: an ``equations.Equation`` or an ``equations.Adjoint``.
    """

    record: records.Equation | records.Adjoint
    formula: Math

    def _repr_latex_(self) -> str:
        return f"$${latex(self.formula)}$$"


@dataclass(frozen=True)
class Step:
    """One application of a rule, which displays as what it turns into what.

    ``record`` is the ``equations.Step``.
    """

    record: records.Step
    formula: Math

    @property
    def rule(self) -> str:
        """The name of the rule."""
        return self.record.rule

    def _repr_latex_(self) -> str:
        return f"$${latex(self.formula)}$$"


@dataclass(frozen=True)
class Derivation(NetworkDerivation):
    """Everything derived of a network; displays as its total derivatives."""

    source: str = ""

    @property
    def equations(self) -> tuple[Equation, ...]:
        """The equations of the layers and of the loss, in topological order."""
        found = [(self._setting(), e) for e in self.layers.equations]
        for head, derivation in zip(self.network.heads, self.heads, strict=True):
            setting = self._context().setting(head=head, samples=True, equations=head.equations)
            found += [(setting, e) for e in derivation.equations]
        return tuple(
            Equation(e, _equality(*setting.equation(e)))
            for setting, e in found
            if e.target.variable not in setting.inner
        )

    @property
    def gradients(self) -> tuple[Equation, ...]:
        """The total derivatives between named variables, from the last layer to the first."""
        setting = self._setting()
        adjoints = [total.adjoint for total in self.textbook.totals]
        return tuple(
            Equation(adjoint, _equality(left, right))
            for adjoint in adjoints
            for left, right in setting.adjoint(adjoint)
        )

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every application of a rule to a layer, in the order derived."""
        setting = self._setting()
        return tuple(Step(step, _step(setting, step)) for step in self.layers.steps)

    def document(self, choice: Choice | None = None, emitted: Emitted | None = None) -> Document:
        """Return the derivation as a document; see ``render.outline``."""
        return outline(self, choice, emitted, self.source)

    def _repr_latex_(self) -> str:
        lines = r" \\ ".join(latex(gradient.formula) for gradient in self.gradients)
        return rf"$$\begin{{gathered}} {lines} \end{{gathered}}$$"

    def _context(self) -> Context:
        return Context(self, Choice(), None)

    def _setting(self) -> Setting:
        return self._context().setting(samples=True)


def _equality(left: Math, right: Math) -> Math:
    return row(left, _RELATION, right)


def _step(setting: Setting, step: records.Step) -> Math:
    """Return what stood before, what comes after, and the rule."""
    before, after = (_listed(setting, side) for side in (step.before, step.after))
    rule = Words(f" ({step.rule})")
    return row(*before, _TURNS, *after, rule) if after else row(*before, rule)


def _listed(setting: Setting, side: Iterable[object]) -> list[Math]:
    pieces: list[Math] = []
    for record in side:
        pieces += [Operator(";", "punctuation")] if pieces else []
        pieces.append(_record(setting, record))
    return pieces


def _record(setting: Setting, record: object) -> Math:
    if isinstance(record, records.Equation):
        return _equality(*setting.equation(record))
    if isinstance(record, records.Adjoint):
        return row(*(_equality(*pair) for pair in setting.adjoint(record)))
    if isinstance(record, records.Term):
        variable = record.target.variable
        primal = records.Variable(variable.symbol, variable.owner, variable.axes)
        return _record(setting, records.Adjoint(primal, (record,)))
    if isinstance(record, records.Factor):
        return setting.factor(record, {})
    assert isinstance(record, records.Access)
    indices = [i for place in record.indices for i in records.indices_of(place)]
    return setting.access(record, setting.names(indices))
