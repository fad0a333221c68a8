"""What the code computes: stable forms, and the loss taken together with the last activation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from symbackprop.equations import Access, Adjoint, Derivation, Equation, Factor, Term, Variable
from symbackprop.network import Head
from symbackprop.render.context import Context
from symbackprop.render.document import Block, Display, Inlines, Line, Paragraph, Section
from symbackprop.render.setting import Setting
from symbackprop.render.shares import adjoint_line, equation_line
from symbackprop.scalar import ONE, Apply, Expression, Slot, apply, walk

_STABLE = "stable form"
_FUNCTIONS = {
    "log1p": "log1p u is log(1 + u)",
    "expm1": "expm1 u is exp(u) − 1",
    "copysign": "copysign(u, v) is |u| with the sign of v",
}
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
    words = "The same functions by identities that neither overflow nor cancel"
    words += "; with the loss, the last activation is taken in." if context.network.heads else "."
    opening = Paragraph((" ".join([words, *_explained(context)]),))
    return [Section(("What the code computes",), "computed", (opening, *blocks))]


def _explained(context: Context) -> list[str]:
    """Return what the functions are that only code has names for."""
    derivations = (context.derivation.layers, *context.derivation.heads)
    applied = {
        node.function
        for derivation in derivations
        for function in _functions(derivation)
        for node in walk(function)
        if isinstance(node, Apply)
    }
    found = [words for name, words in _FUNCTIONS.items() if name in applied]
    return [f"{'; '.join(found)}."] if found else []


def _functions(derivation: Derivation) -> Iterator[Expression]:
    yield from (equation.function for equation in derivation.equations)
    terms = (term for adjoint in derivation.adjoints for term in adjoint.terms)
    yield from (factor.function for term in terms for factor in term.factors)


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
            yield adjoint_line(setting, adjoint, rule=_STABLE, reason=(_REASONS[_STABLE],))


def _rewritten(
    setting: Setting, rule: str, before: Equation, after: tuple[object, ...]
) -> Iterator[Line]:
    if rule not in _REASONS:
        return
    yield equation_line(setting, before)
    for equation in after:
        if isinstance(equation, Equation) and equation.target == before.target:
            reason: Inlines = (_REASONS[rule],)
            yield Line(None, setting.equation(equation)[1], rule=rule, reason=reason)


def _head(context: Context, head: Head, derivation: Derivation) -> list[Block]:
    """Return the loss as it is computed, and the adjoints of one sample."""
    batch = {e.target.variable for e in head.equations[_sample_place(head) + 1 :]}
    setting = context.setting(head=head, equations=derivation.equations)
    inner = setting.inner
    lines = [
        equation_line(setting, equation)
        for equation in derivation.equations
        if equation.target.variable not in batch | inner.keys()
    ]
    above = [a for a in derivation.adjoints if a.variable not in batch | {head.sample}]
    known: dict[Variable, Expression] = {head.sample.bar(): ONE}
    for adjoint in above:
        found = _of_one_sample(adjoint, known)
        number = _constant(found)
        if number is not None and adjoint.variable.made:
            known[adjoint.variable.bar()] = number
        else:
            lines.append(adjoint_line(setting, found))
    form = "targets of the output's own shape" if head.form == "values" else "class indices"
    return [Paragraph((f"The loss of one sample, for {form}:",)), Display(tuple(lines))]


def _sample_place(head: Head) -> int:
    targets = [equation.target.variable for equation in head.equations]
    return targets.index(head.sample)


def _of_one_sample(adjoint: Adjoint, known: Mapping[Variable, Expression]) -> Adjoint:
    """Return the adjoint with adjoints that are numbers put in: the cost's own is 1."""
    return replace(adjoint, terms=tuple(_with(term, known) for term in adjoint.terms))


def _with(term: Term, known: Mapping[Variable, Expression]) -> Term:
    read = (_read(factor) for factor in term.factors)
    numbers = [None if variable is None else known.get(variable) for variable in read]
    kept = tuple(f for f, number in zip(term.factors, numbers, strict=True) if number is None)
    found = (number for number in numbers if number is not None)
    return replace(term, coefficient=apply("multiply", *found, term.coefficient), factors=kept)


def _read(factor: Factor) -> Variable | None:
    """Return the variable that a factor is one read of, and nothing else."""
    (*_, operand) = factor.operands or (None,)
    alone = factor.function == Slot(0) and len(factor.operands) == 1
    return operand.variable if alone and isinstance(operand, Access) else None


def _constant(adjoint: Adjoint) -> Expression | None:
    """Return what an adjoint of one term without factors is at every place it reaches."""
    if len(adjoint.terms) != 1:
        return None
    (term,) = adjoint.terms
    everywhere = term.target.indices == term.space and not term.excluding
    return term.coefficient if everywhere and not term.factors else None
