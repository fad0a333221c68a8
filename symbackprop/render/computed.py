"""What the code computes: stable forms, and the loss taken together with the last activation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symbackprop.equations import Access, Adjoint, Derivation, Equation, Factor, Term, Variable
from symbackprop.network import Head
from symbackprop.render.context import Context
from symbackprop.render.document import Block, Display, Inlines, Line, Paragraph, Section
from symbackprop.render.setting import Setting
from symbackprop.scalar import Slot

_STABLE = "stable form"
_REASONS = {
    "compose": "the loss looks through the activation",
    "floor": "a logarithm is bounded from below",
    "exclude": "a total less one of its summands is the total over the others",
    _STABLE: "neither overflows nor loses digits",
}


def computed(context: Context) -> list[Section]:
    """Return the forms in which code computes what the document derives, where they differ."""
    blocks: list[Block] = []
    for group in context.groups:
        setting = context.setting(group)
        lines = [*_forms(setting, context.derivation.layers, group.variables)]
        if lines:
            blocks += [Paragraph((*group.title, ":")), Display(tuple(lines))]
    for head, derivation in zip(context.network.heads, context.derivation.heads, strict=True):
        blocks += _head(context, head, derivation)
    if not blocks:
        return []
    words = (
        "The same functions by identities that neither overflow nor cancel; with every loss, the "
        "last activation is taken in.",
    )
    return [Section(("What the code computes",), "computed", (Paragraph(words), *blocks))]


def _forms(
    setting: Setting, derivation: Derivation, variables: tuple[Variable, ...]
) -> Iterator[Line]:
    """Yield the equations and the adjoints of variables that have a stable form of their own."""
    stable = {after for step in derivation.steps if step.rule == _STABLE for after in step.after}
    for step in derivation.steps:
        before = step.before[0] if step.before else None
        if isinstance(before, Equation) and before.target.variable in variables:
            yield from _rewritten(setting, step.rule, before, step.after)
    for adjoint in derivation.adjoints:
        factors = {factor for term in adjoint.terms for factor in term.factors}
        if adjoint.variable in variables and factors & stable:
            ((left, right),) = setting.adjoint(adjoint)
            yield Line(left, right, rule=_STABLE, reason=(_REASONS[_STABLE],))


def _rewritten(
    setting: Setting, rule: str, before: Equation, after: tuple[object, ...]
) -> Iterator[Line]:
    if rule not in _REASONS:
        return
    left, right = setting.equation(before)
    yield Line(left, right)
    for equation in after:
        if isinstance(equation, Equation) and equation.target == before.target:
            reason: Inlines = (_REASONS[rule],)
            yield Line(None, setting.equation(equation)[1], rule=rule, reason=reason)


def _head(context: Context, head: Head, derivation: Derivation) -> list[Block]:
    """Return the loss as it is computed, and the adjoints of one sample."""
    batch = {e.target.variable for e in head.equations[_sample_place(head) + 1 :]}
    setting = context.setting(head=head, equations=derivation.equations)
    inner = setting.inner
    lines: list[Line] = []
    for equation in derivation.equations:
        if equation.target.variable not in batch | inner.keys():
            left, right = setting.equation(equation)
            lines.append(Line(left, right))
    for adjoint in derivation.adjoints:
        if adjoint.variable not in batch and adjoint.variable != head.sample:
            ((left, right),) = setting.adjoint(_of_one_sample(adjoint, head.sample))
            lines.append(Line(left, right))
    form = "targets of the output's own shape" if head.form == "values" else "class indices"
    return [Paragraph((f"The loss of one sample, for {form}:",)), Display(tuple(lines))]


def _sample_place(head: Head) -> int:
    targets = [equation.target.variable for equation in head.equations]
    return targets.index(head.sample)


def _of_one_sample(adjoint: Adjoint, cost: Variable) -> Adjoint:
    """Return the adjoint without the cost's own adjoint, which is 1."""
    terms = tuple(_without(term, cost.bar()) for term in adjoint.terms)
    return replace(adjoint, terms=terms)


def _without(term: Term, seed: Variable) -> Term:
    return replace(term, factors=tuple(f for f in term.factors if not _is(f, seed)))


def _is(factor: Factor, variable: Variable) -> bool:
    (*_, operand) = factor.operands or (None,)
    read = isinstance(operand, Access) and operand.variable == variable
    return read and factor.function == Slot(0) and len(factor.operands) == 1
