"""A derivation in Python: its records, which display themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from symbackprop import equations as records
from symbackprop.calculus import NetworkDerivation
from symbackprop.calculus.textbook import Loss
from symbackprop.emit import Emitted
from symbackprop.render.batch import over_batch
from symbackprop.render.context import Context, seeded
from symbackprop.render.document import Document
from symbackprop.render.latex import latex
from symbackprop.render.notation import Choice, Notation
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
    """Everything derived of a network; displays as its equations and total derivatives."""

    source: str = ""
    notation: Notation = field(default_factory=Notation)

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
        """The total derivatives between named variables, from the loss to the input."""
        found = [pair for loss in self.textbook.losses for pair in self._of_loss(loss)]
        found += [(self._setting(), total.adjoint) for total in self.textbook.totals]
        return tuple(
            Equation(adjoint, _equality(left, right))
            for setting, adjoint in found
            for left, right in setting.adjoint(adjoint)
        )

    def _of_loss(self, loss: Loss) -> Iterator[tuple[Setting, records.Adjoint]]:
        """Yield the derivative by one sample's cost, by the output and, if short, by z."""
        sample, setting = loss.head.sample, self._loss_setting(loss)
        terms = tuple(share.partial for share in loss.batch.shares)
        yield setting, records.Adjoint(sample, terms)
        for total in loss.totals:
            yield setting, total.adjoint
        if loss.collapsed is not None:
            yield setting, seeded(loss.collapsed, sample)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every application of a rule to a layer, in the order derived."""
        setting = self._setting()
        return tuple(Step(step, _step(setting, step)) for step in self.layers.steps)

    def document(self, choice: Choice | None = None, emitted: Emitted | None = None) -> Document:
        """Return the derivation as a document; see ``render.outline``."""
        return outline(self, choice or Choice(self.notation), emitted, self.source)

    def _repr_latex_(self) -> str:
        formulas = [*self._written(), *(gradient.formula for gradient in self.gradients)]
        lines = r" \\ ".join(dict.fromkeys(map(latex, formulas)))
        return rf"$$\begin{{gathered}} {lines} \end{{gathered}}$$"

    def _written(self) -> Iterator[Math]:
        """Yield the equations of the layers and of the loss as they were written."""
        parts = [(self._setting(), tuple(self._context().equations))]
        for loss in self.textbook.losses:
            parts.append((self._loss_setting(loss), (*loss.equations, *over_batch(loss.head))))
        for setting, equations in parts:
            for equation in equations:
                if equation.target.variable not in setting.inner:
                    yield _equality(*setting.equation(equation))

    def _context(self) -> Context:
        return Context(self, Choice(self.notation), None)

    def _loss_setting(self, loss: Loss) -> Setting:
        equations = (*loss.equations, *over_batch(loss.head))
        return self._context().setting(head=loss.head, samples=True, equations=equations)

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
