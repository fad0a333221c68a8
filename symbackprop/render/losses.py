"""The loss: its equations, its derivative, and how it collapses with the last activation."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from symbackprop.calculus.textbook import Loss
from symbackprop.calculus.totals import Total
from symbackprop.equations import Equation, Variable
from symbackprop.render.batch import of_batch
from symbackprop.render.computed import code_line
from symbackprop.render.context import Context
from symbackprop.render.document import Block, Display, Inlines, Line, Link, Paragraph, Section
from symbackprop.render.partials import LOCAL_PARTIAL, partials
from symbackprop.render.setting import Setting
from symbackprop.render.shares import (
    FORMS,
    absorbed,
    equation_display,
    invariance_blocks,
    partials_display,
    placed_display,
    step_lines,
    total_display,
    written_out,
)


def cost(context: Context) -> Section:
    """Return the cost of one sample, for each form of the target."""
    blocks: list[Block] = []
    for loss in context.textbook.losses:
        setting = context.setting(head=loss.head, equations=loss.equations)
        if len(context.textbook.losses) > 1:
            blocks.append(Paragraph((f"{FORMS[loss.head.form]}:",)))
        made = _seen_through(loss)
        for equation in loss.equations:
            if equation not in made:
                display = equation_display(context, setting, equation)
                blocks.append(_apart(context, loss, display, equation.target.variable))
    forms = {loss.head.form for loss in context.textbook.losses}
    if "indices" in forms and context.setting().notation.first == "1":
        blocks.append(Paragraph(("Classes are counted from 1 here, from 0 in the code.",)))
    if context.has_code and any(loss.bounded for loss in context.textbook.losses):
        blocks.append(Paragraph(("The code bounds every logarithm from below at −100.",)))
    return Section(("The loss of one sample",), "loss", tuple(blocks))


def _apart(context: Context, loss: Loss, display: Display, variable: Variable) -> Display:
    """Return a variable's display; of a second form of the target, with an anchor of its own."""
    first = context.textbook.losses[0]
    met = {e.target.variable.name for e in first.equations}
    met |= {total.variable.name for total in first.totals}
    if loss is first or variable.name not in met:
        return display
    return replace(display, anchor=f"{display.anchor}-{loss.head.form}")


def _seen_through(loss: Loss) -> list[Equation]:
    sample = loss.head.sample
    return [e for e in loss.equations if e.target.variable.made and e.target.variable != sample]


def backward(context: Context) -> list[Section]:
    """Return what is derived of the loss, a section for each form of the target."""
    several = len(context.textbook.losses) > 1
    return [
        Section(
            (f"The loss: {FORMS[loss.head.form][0].lower()}{FORMS[loss.head.form][1:]}",)
            if several
            else ("The loss",),
            context.anchor("backward", f"loss-{loss.head.form}"),
            tuple(_derivative(context, loss)),
            level=2,
        )
        for loss in context.textbook.losses
    ]


def _derivative(context: Context, loss: Loss) -> list[Block]:
    setting = context.setting(head=loss.head, equations=loss.equations)
    together = context.mixes_samples
    alone = [t for t in loss.totals if _feeds_cost_alone(loss, t) and not together]
    others = [total for total in loss.totals if total not in alone]
    local = tuple(partials(context, setting, others))
    blocks: list[Block] = [of_batch(context, loss)] if together else []
    blocks += partials_display(context, setting, local, others)
    if loss is context.textbook.losses[0]:
        shown = partial(context.of_cost, loss)
        blocks += invariance_blocks(context, setting, loss.invariances, shown)
    for total in loss.totals:
        if total in alone:
            display = _of_cost(context, setting, total)
        else:
            display = total_display(context, setting, total)
        blocks.append(_apart(context, loss, display, total.variable))
    if context.network.layers[-1].preactivation is None:
        blocks += collapse(context, context.network.output, loss)
    return blocks


def _of_cost(context: Context, setting: Setting, total: Total) -> Display:
    """Return the partial of the cost, which is the whole derivative."""
    if len(total.shares) == 1:
        lines = tuple(partials(context, setting, [total]))
    else:
        lines = (written_out(context, setting, total, LOCAL_PARTIAL),)
    bar = total.variable.bar()
    anchor = context.anchor("backward", total.variable.name)
    return Display(lines, anchor, context.code(bar), absorbed(context, setting, bar))


def _feeds_cost_alone(loss: Loss, total: Total) -> bool:
    """Whether the partial of the cost is the whole derivative."""
    return {s.equation.target.variable for s in total.shares} == {loss.head.sample}


def collapse(context: Context, variable: Variable, only: Loss | None = None) -> list[Block]:
    """Return how loss and last activation come together, if they do.

    Args:
        context: of the document.
        variable: what the last activation acts on; nothing comes of another variable.
        only: the loss; by default every one.
    """
    blocks: list[Block] = []
    for loss in context.textbook.losses if only is None else (only,):
        if loss.collapsed is None or loss.collapsed.variable != variable:
            continue
        setting = context.setting(head=loss.head, equations=loss.equations)
        form = FORMS[loss.head.form].lower()
        several = f", for {form}" if len(context.textbook.losses) > 1 and only is None else ""
        words = "Seen through all that stands between" if only else "Together with the loss"
        blocks.append(Paragraph((f"{words} this is simpler{several}:",)))
        lines = _lines(context, setting, loss)
        lines += _in_code(context, loss, variable)
        display = placed_display(context, setting, lines, variable.bar())
        aware = {place.function for place in context.code(loss.head.cost)}
        known = tuple(place for place in display.code if place.function in aware)
        blocks.append(replace(display, code=known))
    return blocks


def _in_code(context: Context, loss: Loss, variable: Variable) -> list[Line]:
    """Return the last step: the form that the code computes, where its section is there."""
    line = None if context.choice.wrt else code_line(context, loss.head, variable)
    if line is None:
        return []
    reason: Inlines = ("as the code ", Link("computes it", "computed"))
    return [replace(line, left=None, condition=None, rule="stable form", reason=reason)]


def _lines(context: Context, setting: Setting, loss: Loss) -> list[Line]:
    return step_lines(setting, loss.collapse, partial(context.of_cost, loss))
