"""What layers compute otherwise outside training, and which statistics training renews."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from symbackprop.equations import Equation
from symbackprop.render.context import Context
from symbackprop.render.document import Block, Display, Paragraph, Section
from symbackprop.render.groups import Group
from symbackprop.render.shares import equation_line, placed_display


def evaluation(context: Context) -> list[Section]:
    """Return a section where training and evaluation differ, otherwise none."""
    groups = [group for group in context.groups if group.shown.evaluation is not None]
    if not groups:
        return []
    blocks: list[Block] = [
        Paragraph(("All other sections are of training; here is what evaluation does instead.",))
    ]
    for group in groups:
        blocks += _layer(context, group)
    return [Section(("Training and evaluation",), "evaluation", tuple(blocks))]


def _layer(context: Context, group: Group) -> Iterator[Block]:
    layer = group.shown
    if layer.updates:
        words = (*group.title, ": a step of training replaces each running statistic by")
        yield Paragraph((*words, " a new one:"))
        yield _display(context, group, _renewals(group), layer.updates, "←")
    instead = [e for e in layer.evaluation or () if not e.target.variable.made]
    yield Paragraph((*group.title, ": outside training,"))
    yield _display(context, group, instead, layer.evaluation or (), "=")


def _renewals(group: Group) -> Iterator[Equation]:
    """Yield the equations of new statistics, each under the name of the old one."""
    statistics = {s.updated: s.variable for s in group.shown.state}
    for equation in group.shown.updates:
        old = statistics.get(equation.target.variable)
        if old is not None:
            yield replace(equation, target=replace(equation.target, variable=old))


def _display(
    context: Context,
    group: Group,
    shown: Iterable[Equation],
    equations: tuple[Equation, ...],
    relation: str,
) -> Display:
    setting = context.setting(group, equations=equations)
    lines = (equation_line(setting, equation) for equation in shown)
    relations = [replace(line, relation=relation) for line in lines]
    return placed_display(context, setting, relations, group.shown.output)
