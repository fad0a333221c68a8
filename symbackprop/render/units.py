"""The derivation of each unit: a section for each layer, and for what runs forward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from symbackprop.calculus.textbook import Jacobian
from symbackprop.calculus.totals import Total
from symbackprop.equations import Access, Adjoint, Equation, Fill, Variable
from symbackprop.render import losses
from symbackprop.render.context import Context
from symbackprop.render.document import (
    Block,
    Inlines,
    Line,
    Link,
    Paragraph,
    Section,
)
from symbackprop.render.groups import Group, lowered
from symbackprop.render.partials import OWN_VALUE, partials, places, ranges
from symbackprop.render.setting import Setting
from symbackprop.render.shares import (
    CHAIN_RULE,
    adjoint_line,
    equation_display,
    equation_line,
    invariance_blocks,
    partials_display,
    place_words,
    placed_display,
    total_display,
)

_FILLS: Mapping[Fill, str] = {
    "zero": "0 outside its extents",
    "-inf": "−∞ outside its extents, so that no maximum stands there",
    "inf": "+∞ outside its extents, so that no minimum stands there",
}


def forward(context: Context) -> Section:
    """Return the equations of every layer."""
    blocks: list[Block] = [Paragraph(("What every unit computes, layer by layer.",))]
    for group in context.groups:
        setting = context.setting(group)
        opening: Inlines = (*group.title, ":")
        if group.range is not None:
            opening = (*group.title, ", ", group.range, *_below(setting, group), ":")
        blocks.append(Paragraph(opening))
        equations = (*group.shown.equations, *group.shown.activation)
        for equation in equations:
            if not equation.target.variable.made:
                blocks.append(equation_display(context, setting, equation))
        blocks += _outside(setting, equations)
    return Section(("Forward",), "forward", tuple(blocks))


def _outside(setting: Setting, equations: Iterable[Equation]) -> Iterator[Block]:
    """Yield what reads outside of what is read give, where there can be any."""
    operands = (operand for equation in equations for operand in equation.operands)
    reads = (operand for operand in operands if isinstance(operand, Access))
    filled = {(read.variable, read.fill) for read in reads if read.fill is not None}
    for variable, fill in sorted(filled, key=lambda pair: (pair[0].name, pair[1])):
        words = f" counts as {_FILLS[fill]}."
        yield Paragraph((setting.variable(variable), words))


def _below(setting: Setting, group: Group) -> Inlines:
    """Return what the first layer of a group reads, where it bears another name."""
    if group.layers[0].position > 1:
        return ()
    return (", the input standing for ", setting.variable(Variable("a", "0")))


def layer(context: Context, group: Group) -> Section | None:
    """Return what is derived of one layer, from the adjoint of its output to that of its input."""
    totals = [t for v in context.derived(group) if (t := context.total(v)) is not None]
    if not totals:
        return None
    setting = context.setting(group)
    blocks: list[Block] = [Paragraph(_known(context, group, setting))]
    local = (*_positions(context, setting, totals), *partials(context, setting, totals))
    blocks += partials_display(context, setting, local, totals)
    proved = context.textbook.invariances
    held = {v: proved[v] for v in group.variables if v in proved}
    blocks += invariance_blocks(context, setting, held)
    jacobian = context.textbook.jacobians.get(group.shown.preactivation or Variable(""))
    for total in totals:
        blocks.append(total_display(context, setting, total))
        if total.variable == group.shown.preactivation:
            blocks += [] if jacobian is None else _jacobian(context, setting, jacobian)
            blocks += losses.collapse(context, total.variable)
    anchor = context.anchor("backward", f"layer-{group.shown.owner}")
    return Section(group.title, anchor, tuple(blocks), level=2)


def _positions(context: Context, setting: Setting, totals: Iterable[Total]) -> Iterator[Line]:
    """Yield the equations of the positions that partials read: of what is largest, or smallest."""
    factors = (f for total in totals for share in total.shares for f in share.partial.factors)
    operands = [operand for factor in factors for operand in factor.operands]
    read = {operand.variable for operand in operands if isinstance(operand, Access)}
    for equation in context.derivation.layers.equations:
        variable = equation.target.variable
        if variable.made and variable.integer and variable in read:
            yield equation_line(setting, equation, reason=(place_words(equation),))


def _known(context: Context, group: Group, setting: Setting) -> Inlines:
    """Return where the adjoint of the layer's output comes from."""
    output = group.shown.output
    known = setting.variable(output.bar())
    source = context.anchor("backward", output.name)
    if group is context.groups[-1]:
        if context.network.heads:
            return (Link(known, source), " is known from the loss.")
        return (known, " is given: the derivative of a cost with respect to the output.")
    # Of equal layers one is shown, which may not be the one above.
    above = context.derived_in(output)
    opening: Inlines = (Link(known, source) if above else known, " is known from the layer above")
    if above is not None and above is not context.groups[context.groups.index(group) + 1]:
        opening = (Link(known, source), " is known: it was derived with ", *lowered(above.title))
    down = () if group.range is None else (", layer after layer, for ", group.range)
    return (*opening, *down, ".")


def _jacobian(context: Context, setting: Setting, jacobian: Jacobian) -> list[Block]:
    names = setting.names(places(jacobian.output))
    more = [index for index in places(jacobian.place) if index not in names]
    names |= setting.names(more, tuple(names.values()))
    above = setting.access(jacobian.output, names)
    left = setting.derivative(above, setting.access(jacobian.place, names))
    condition = ranges(setting, names, names)
    entry = setting.factor(jacobian.entry, names)
    line = Line(left, entry, condition=condition, rule=OWN_VALUE)
    terms = sorted(jacobian.total.adjoint.terms, key=lambda term: len(term.space))
    adjoint = Adjoint(jacobian.total.variable, tuple(terms))
    whole = adjoint_line(setting, adjoint, rule=CHAIN_RULE)
    words = ("Seen through all that stands between, every unit feeds every other one:",)
    bar = jacobian.total.variable.bar()
    shown = [placed_display(context, setting, [each], bar) for each in (line, whole)]
    return [Paragraph(words), *shown]
