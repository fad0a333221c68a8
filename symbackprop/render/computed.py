"""What the code computes: stable forms, and the loss taken together with the last activation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from symbackprop.calculus.totals import with_put_in
from symbackprop.equations import (
    Access,
    Adjoint,
    Derivation,
    Equation,
    Factor,
    Step,
    Term,
    Variable,
)
from symbackprop.network import Head
from symbackprop.render.context import Context
from symbackprop.render.document import Block, Inline, Line, Paragraph, Section
from symbackprop.render.groups import Group
from symbackprop.render.setting import Setting
from symbackprop.render.shares import adjoint_line, equation_line, place_words, placed_display
from symbackprop.render.typeset import Math
from symbackprop.scalar import ONE, Apply, Expression, Slot, apply, walk

_STABLE = "stable form"
_FUNCTIONS = {
    "log1p": "log1p u is log(1 + u)",
    "expm1": "expm1 u is exp(u) − 1",
    "copysign": "copysign(u, v) is |u| with the sign of v",
}
_REASONS = {
    "shift": "exponentials are shifted by the largest exponent, which cancels",
    "compose": "the loss looks through the activation",
    "floor": "a logarithm is bounded from below",
    "exclude": "a total less one of its summands is the total over the others",
    _STABLE: "neither overflows nor loses digits",
}
_COMBINE = "combine"
_RECONNECTING = ("compose", "floor", "exclude")
_BARRED = (
    "A bar marks the derivative of the loss, by these equations, with respect to a value that "
    "they define; by the equations as first written it may be another."
)


def computed(context: Context) -> list[Section]:
    """Return the forms in which code computes what the document derives, where they differ."""
    blocks: list[Block] = []
    for group in context.groups:
        setting = context.setting(group)
        lines = [*_forms(context, setting, group)]
        if lines:
            blocks.append(Paragraph((*group.title, ":")))
            blocks.append(placed_display(context, setting, lines, group.shown.output))
            shown = {line.left for line in lines}
            blocks += _meanings(setting, context.derivation.layers.equations, shown)
    for head, derivation in zip(context.network.heads, context.derivation.heads, strict=True):
        blocks += _head(context, head, derivation)
    if not blocks:
        return []
    words = "The same functions by identities that neither overflow nor cancel"
    words += "; with the loss, the last activation is taken in." if context.network.heads else "."
    opening = Paragraph((" ".join([words, *_explained(context)]),))
    return [Section(("What the code computes",), "computed", (opening, *blocks))]


def _meanings(
    setting: Setting, equations: Iterable[Equation], shown: Collection[Math | None]
) -> list[Block]:
    """Return what the names are that the calculus made, of those that lines define."""
    pieces: list[Inline] = []
    for equation in equations:
        variable = equation.target.variable
        if not variable.made or variable == setting.cost:
            continue
        if equation_line(setting, equation).left in shown:
            pieces += ["; ", setting.variable(variable), f" is {_meaning(equation)}"]
    return [Paragraph((*pieces[1:], "."))] if pieces else []


def _meaning(equation: Equation) -> str:
    if equation.reduction in ("argmax", "argmin"):
        return place_words(equation)
    if equation.excluding:
        return "a total without one of its summands"
    return "a total" if equation.reduction == "total" else "a part that several lines share"


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


def _forms(context: Context, setting: Setting, group: Group) -> Iterator[Line]:
    """Yield the equations and the adjoints of a layer that have a form of their own in code."""
    derivation, own = context.derivation.layers, group.variables
    authored = {equation.target.variable: equation for equation in context.equations}
    found = (after for step in derivation.steps if step.rule == _STABLE for after in step.after)
    stable = {after.function for after in found if isinstance(after, Factor)}
    for equation in derivation.equations:
        variable = equation.target.variable
        made = variable not in authored and variable.owner == group.shown.owner
        rules = _equation_rules(setting, derivation, equation) if made or variable in own else []
        if rules and made:
            yield _named(equation_line(setting, equation), rules)
        elif rules and equation != authored[variable]:
            yield equation_line(setting, authored[variable])
            line = equation_line(setting, equation)
            yield _named(replace(line, left=None, condition=None), rules)
    inner = {a.variable: a for a in derivation.adjoints if a.variable in setting.inner}
    for written in derivation.adjoints:
        adjoint = with_put_in(written, inner)
        functions = {factor.function for term in adjoint.terms for factor in term.factors}
        if adjoint.variable in own and functions & stable:
            yield adjoint_line(setting, adjoint, rule=_STABLE, reason=(_REASONS[_STABLE],))


def _head(context: Context, head: Head, derivation: Derivation) -> list[Block]:
    """Return the loss as it is computed, and the adjoints of one sample."""
    batch = {e.target.variable for e in head.equations[_sample_place(head) + 1 :]}
    adjoints = _of_samples(head, derivation, batch, together=context.mixes_samples)
    setting = head_setting(context, head, derivation, adjoints)
    lines = [
        _named(equation_line(setting, equation), _equation_rules(setting, derivation, equation))
        for equation in derivation.equations
        if equation.target.variable not in batch | setting.inner.keys()
    ]
    for adjoint in adjoints:
        rules = _adjoint_rules(derivation, adjoint)
        lines.append(_named(adjoint_line(setting, adjoint), rules))
    form = "targets of the output's own shape" if head.form == "values" else "class indices"
    blocks: list[Block] = [Paragraph((f"The loss of one sample, for {form}:",))]
    blocks.append(placed_display(context, setting, lines, head.sample))
    blocks += _meanings(setting, derivation.equations, {line.left for line in lines})
    shown = {adjoint.variable for adjoint in adjoints}
    barred = any(variable in setting.barred for variable in shown)
    return [*blocks, Paragraph((_BARRED,))] if barred else blocks


def head_setting(
    context: Context, head: Head, derivation: Derivation, adjoints: Sequence[Adjoint]
) -> Setting:
    """Return the setting of the head's equations.

    Where a rule changed what reads what, what the head defines has a bar for its adjoint.
    """
    setting = context.setting(head=head, equations=derivation.equations)
    shown = {adjoint.variable for adjoint in adjoints}
    inner = {v: e for v, e in setting.inner.items() if v not in shown}
    changed = any(step.rule in _RECONNECTING for step in derivation.steps)
    barred = {e.target.variable for e in derivation.equations} if changed else ()
    return replace(setting, inner=inner, barred=frozenset(barred))


def code_line(context: Context, head: Head, variable: Variable) -> Line | None:
    """Return the adjoint of one sample's cost as code computes it, if this has it."""
    derivation = context.derivation.heads[context.network.heads.index(head)]
    batch = {e.target.variable for e in head.equations[_sample_place(head) + 1 :]}
    adjoints = _of_samples(head, derivation, batch, together=context.mixes_samples)
    setting = head_setting(context, head, derivation, adjoints)
    lines = (adjoint_line(setting, found) for found in adjoints if found.variable == variable)
    return next(lines, None)


def _of_samples(
    head: Head, derivation: Derivation, batch: Collection[Variable], *, together: bool
) -> list[Adjoint]:
    """Return the adjoints of one sample, those that are numbers put in.

    The adjoint of its cost is 1, but where samples are taken together.
    """
    known: dict[Variable, Expression] = {} if together else {head.sample.bar(): ONE}
    kept: list[Adjoint] = []
    for adjoint in derivation.adjoints:
        if adjoint.variable in (*batch, head.sample):
            continue
        found = _of_one_sample(adjoint, known)
        number = _constant(found)
        if number is not None and adjoint.variable.made:
            known[adjoint.variable.bar()] = number
        else:
            kept.append(found)
    return kept


def _equation_rules(setting: Setting, derivation: Derivation, equation: Equation) -> list[Step]:
    """Return the steps that rewrote or made an equation, or those that stand inside it."""
    shown, waiting = set[Variable](), [equation]
    while waiting:
        current = waiting.pop()
        shown.add(current.target.variable)
        read = (o.variable for o in current.operands if isinstance(o, Access))
        waiting += [setting.inner[variable] for variable in read if variable in setting.inner]
    return [
        step
        for step in derivation.steps
        if step.rule in _REASONS
        for record in dict.fromkeys((*step.before[:1], *step.after))
        if isinstance(record, Equation) and record.target.variable in shown
    ]


def _adjoint_rules(derivation: Derivation, adjoint: Adjoint) -> Iterator[Step]:
    factors = {factor for term in adjoint.terms for factor in term.factors}
    bar = adjoint.variable.bar()
    for step in derivation.steps:
        combined = any(isinstance(r, Term) and r.target.variable == bar for r in step.before)
        stable = step.rule == _STABLE and any(after in factors for after in step.after)
        if stable or (step.rule == _COMBINE and combined):
            yield step


def _named(line: Line, steps: Iterable[Step]) -> Line:
    found = list(steps)
    rules = list(dict.fromkeys(step.rule for step in found))
    reasons = dict.fromkeys(step.reason or _REASONS[step.rule] for step in found)
    return replace(line, rule=", ".join(rules), reason=("; ".join(reasons),) if reasons else ())


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
