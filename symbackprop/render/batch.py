"""A batch of samples: what it costs, the gradients of the parameters over it, a step of descent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from symbackprop.calculus.derive import contract
from symbackprop.calculus.textbook import Loss
from symbackprop.calculus.totals import Total
from symbackprop.equations import Access, Adjoint, Equation, Variable
from symbackprop.network import Head
from symbackprop.render import scalars
from symbackprop.render.context import Context
from symbackprop.render.document import Block, Display, Inlines, Line, Paragraph, Section
from symbackprop.render.groups import Group
from symbackprop.render.partials import LOCAL_PARTIAL, ranges
from symbackprop.render.shares import (
    FORMS,
    TOTAL_DERIVATIVE,
    adjoint_line,
    equation_line,
    placed_display,
)
from symbackprop.render.symbols import Names
from symbackprop.render.typeset import TIMES, Large, Math, Operator, Symbol, row

_UPDATED = Variable("w")  # as the equations of a step of descent call any parameter
_RATE = Symbol("η")
_PENALIZED = "With what the penalties add, the gradients of the parameters are"
_LEARNED = "A parameter feeds every sample, so its gradient is a sum over the batch."


def batch(context: Context) -> Section | None:
    """Return what a batch costs and the gradients over it; None where no parameter has one."""
    learned = [*_learned(context)]
    if not learned:
        return None
    together = context.mixes_samples
    code = tuple(line for _, total in learned for line in context.code(total.variable.bar()))
    gradients = Display(tuple(_gradients(context, learned)), "", code)
    blocks: list[Block] = []
    if context.textbook.losses and not together:
        blocks += _cost(context)
    if not together:
        blocks += [Paragraph((_LEARNED,)), gradients]
    elif context.textbook.penalties:
        blocks += [Paragraph((_PENALIZED,)), gradients]
    if context.network.heads:
        words: Inlines = ("A step of gradient descent at the rate ", _RATE)
        blocks.append(Paragraph((*words, " then sets every parameter to")))
        step = context.code(_UPDATED)
        blocks.append(Display(tuple(_updates(context, learned)), "", step))
    title = "A step of training" if together else "A batch of samples"
    return Section((title,), "batch", tuple(blocks)) if blocks else None


def over_batch(head: Head) -> tuple[Equation, ...]:
    """Return the equations from the costs of the samples to that of the batch."""
    targets = [e.target.variable for e in head.equations]
    return head.equations[targets.index(head.sample) + 1 :]


def _learned(context: Context) -> Iterator[tuple[Group, Total]]:
    for group in context.groups:
        for array in group.shown.parameters:
            total = context.total(array.variable)
            if total is not None:
                yield group, total


def _cost(context: Context) -> list[Block]:
    losses = context.textbook.losses
    head = losses[0].head
    setting = context.setting(head=head, samples=True, equations=head.equations)
    names = setting.names(head.sample.axes)
    sample, slope = (
        setting.access(Access(variable, variable.axes), names)
        for variable in (head.sample, head.sample.bar())
    )
    opening: Inlines = ("So far one sample. From here on ", sample, " is the cost of sample ")
    opening = (*opening, *names.values(), ", and ", setting.variable(head.cost))
    opening = (*opening, " that of a batch of ", Symbol("N"), " samples:")
    blocks: list[Block] = [Paragraph(opening)]
    found = {loss.head.form: of_batch(context, loss) for loss in losses}
    alike = len(set(found.values())) == 1
    for form, display in [*found.items()][: 1 if alike else None]:
        blocks += [] if alike else [Paragraph((f"{FORMS[form]}:",))]
        blocks.append(display)
    words: Inlines = ("Every derivative of one sample's cost gets the factor ", slope, ".")
    return [*blocks, Paragraph(words)]


def of_batch(context: Context, loss: Loss) -> Display:
    """Return the cost of a batch, and its derivative with respect to that of one sample."""
    head = loss.head
    setting = context.setting(head=head, samples=True, equations=head.equations)
    *above, last = (e for e in over_batch(head) if e.target.variable not in setting.inner)
    lines = [equation_line(setting, e) for e in above]
    lines.append(_with_penalties(context, equation_line(setting, last)))
    terms = tuple(share.partial for share in loss.batch.shares)
    lines.append(adjoint_line(setting, Adjoint(head.sample, terms), rule=LOCAL_PARTIAL))
    return placed_display(context, setting, lines, head.cost)


def _with_penalties(context: Context, line: Line) -> Line:
    """Return the batch's cost with the penalties of all layers added."""
    terms: list[Math] = []
    for group in context.groups:
        setting = context.setting(group, samples=True)
        own = {array.variable for array in group.shown.parameters}
        for penalty in context.textbook.penalties:
            if penalty.variable in own:
                (share,) = penalty.shares
                names: Names = {}
                setting.adjoint(Adjoint(penalty.variable, ()), names)
                terms.append(_over_layers(group, setting.equation(share.equation, names)[1]))
    if not terms:
        return line
    words = ("a penalty for each matrix of weights is added",)
    return replace(line, right=scalars.added([line.right, *terms]), reason=words)


def _over_layers(group: Group, term: Math) -> Math:
    """Return a term for each layer of a group, added up."""
    if group.limits is None:
        return term
    below, above = group.limits
    return row(Large("Σ", below, above), scalars.enclosed(term, scalars.REDUCED))


def _gradients(context: Context, learned: Iterable[tuple[Group, Total]]) -> Iterator[Line]:
    penalties = context.textbook.penalties
    for group, total in learned:
        added = [p for p in penalties if p.variable == total.variable]
        terms = tuple(contract(share.partial) for p in added for share in p.shares)
        adjoint = replace(total.adjoint, terms=(*total.adjoint.terms, *terms))
        setting = context.setting(group, samples=True)
        yield _for_layers(group, adjoint_line(setting, adjoint, rule=TOTAL_DERIVATIVE))


def _updates(context: Context, learned: Iterable[tuple[Group, Total]]) -> Iterator[Line]:
    for group, total in learned:
        setting = context.setting(group, samples=True)
        names: Names = {}
        ((slope, _),) = setting.adjoint(total.adjoint, names)
        axes = total.variable.axes
        value = setting.access(Access(total.variable, axes), names)
        step = row(value, Operator("−"), _RATE, Operator(TIMES, "plain"), slope)
        line = Line(value, step, relation="←", condition=ranges(setting, axes, names))
        yield _for_layers(group, line)


def _for_layers(group: Group, line: Line) -> Line:
    """Return the line with the layers that it stands for among its ranges."""
    if group.range is None:
        return line
    pieces = [line.condition, Operator(";", "punctuation")] if line.condition else []
    return replace(line, condition=row(*pieces, group.range))
