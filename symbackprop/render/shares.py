"""One total derivative as a display: local partials, chain rule, and the sum over consumers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from symbackprop.calculus.closed import merged
from symbackprop.calculus.derive import contract
from symbackprop.calculus.gather import Gathered, gathered
from symbackprop.calculus.occurrences import whole
from symbackprop.calculus.totals import Share, Total, aligned
from symbackprop.equations import (
    Access,
    Adjoint,
    Equation,
    Index,
    Step,
    Term,
    Variable,
)
from symbackprop.render import scalars
from symbackprop.render.context import Context
from symbackprop.render.document import (
    Block,
    Display,
    Inlines,
    Line,
    Link,
    Paragraph,
)
from symbackprop.render.partials import (
    LOCAL_PARTIAL,
    OWN_VALUE,
    as_wholes,
    by_consumer,
    covers,
    is_cost,
    partial_symbol,
    places,
    ranges,
    scope,
)
from symbackprop.render.setting import Setting
from symbackprop.render.symbols import Names
from symbackprop.render.typeset import Math, Numeral, Words
from symbackprop.scalar import ONE

CHAIN_RULE = "chain rule"
TOTAL_DERIVATIVE = "total derivative"
SUBSTITUTION = "substitution"
_INVARIANT = " may be held constant, for if it were free nothing would change with it:"
SOLVED = "indices solved for"
FORMS = {"values": "Targets of the output's own shape", "indices": "Targets as class indices"}


def equation_display(context: Context, setting: Setting, equation: Equation) -> Display:
    """Return one equation with the ranges of its free indices."""
    variable = equation.target.variable
    reason = _why_held(context, variable) if equation.held else ()
    line = equation_line(setting, equation, reason=reason)
    anchor = context.anchor("forward", variable.name)
    return Display((line,), anchor, context.code(variable), absorbed(context, setting, variable))


def _why_held(context: Context, variable: Variable) -> Inlines:
    found = [own.invariances for own in context.textbook.losses]
    proved = any(variable in own for own in (context.textbook.invariances, *found))
    if not proved:
        return ("held constant: what it adds to derivatives is left out",)
    if context.choice.form == "matrix":
        return ("held constant: its derivative adds nothing",)
    anchor = context.anchor("backward", variable.name)
    return ("held constant: ", Link("its derivative is 0", anchor))


def invariance_blocks(
    context: Context,
    setting: Setting,
    found: Mapping[Variable, Sequence[Step]],
    shown: Callable[[Adjoint], Adjoint] = lambda adjoint: adjoint,
) -> Iterator[Block]:
    """Yield why values may be held constant: their derivatives, if they were free, are 0."""
    for variable, steps in found.items():
        yield Paragraph((setting.variable(variable), _INVARIANT))
        lines = tuple(step_lines(setting, steps, shown))
        link = Link(setting.variable(variable), context.anchor("forward", variable.name))
        anchor = context.anchor("backward", variable.name)
        yield Display(lines, anchor, absorbed=link if context.has_code else None)


def equation_line(setting: Setting, equation: Equation, *, reason: Inlines = ()) -> Line:
    """Return an equation with the ranges of its free indices."""
    names: Names = {}
    left, right = setting.equation(equation, names)
    condition = ranges(setting, (*equation.free, *_unlimited(equation)), names)
    return Line(left, right, condition=condition, reason=reason)


def _unlimited(equation: Equation) -> list[Index]:
    """Return the indices of a maximum whose range neither a sign nor an axis tells."""
    if equation.reduction in (None, "total", "product"):
        return []
    reads = (operand for operand in equation.operands if isinstance(operand, Access))
    bare = {place for read in reads for place in read.indices if isinstance(place, Index)}
    return [index for index in equation.reduced if index not in bare]


def adjoint_line(
    setting: Setting, adjoint: Adjoint, *, rule: str = "", reason: Inlines = ()
) -> Line:
    """Return a total derivative with the ranges of its variable's indices."""
    names: Names = {}
    ((left, right),) = setting.adjoint(adjoint, names)
    condition = ranges(setting, adjoint.variable.axes, names)
    return Line(left, right, condition=condition, rule=rule, reason=reason)


def step_lines(
    setting: Setting, steps: Iterable[Step], shown: Callable[[Adjoint], Adjoint]
) -> list[Line]:
    """Return a line for each step from Adjoint to Adjoint, which ``shown`` is applied to first."""
    lines: list[Line] = []
    for step in steps:
        (adjoint,) = step.after
        assert isinstance(adjoint, Adjoint)
        reason: Inlines = (step.reason,) if step.reason else ()
        line = adjoint_line(setting, shown(adjoint), rule=step.rule, reason=reason)
        lines.append(_continued(line) if lines else line)
    return lines


def absorbed(context: Context, setting: Setting, variable: Variable) -> Link | None:
    """Return what is computed in its place where no line of the module computes a variable."""
    found = context.absorbing(variable)
    if found is None:
        return None
    primal = replace(found, adjoint=False)
    direction: Literal["forward", "backward"] = "backward" if found.adjoint else "forward"
    return Link(setting.variable(found), context.anchor(direction, primal.name))


def place_words(equation: Equation) -> str:
    """Return what an argmax or argmin is."""
    largest = "largest" if equation.reduction == "argmax" else "smallest"
    if len([index for index in equation.reduced if index.extent != 1]) < 2:
        return f"the place of the first of the {largest}"
    return f"the position of the first of the {largest}, counted from 0, row by row"


def placed_display(
    context: Context, setting: Setting, lines: Iterable[Line], variable: Variable
) -> Display:
    """Return lines without an anchor, with the code of a variable or of what absorbed it."""
    code = context.code(variable)
    return Display(tuple(lines), "", code, absorbed(context, setting, variable))


def partials_display(
    context: Context, setting: Setting, lines: Iterable[Line], totals: Sequence[Total]
) -> list[Block]:
    """Return local partials, which are computed within the total derivatives that they are in."""
    bars = [total.variable.bar() for total in totals]
    found = next((bar for bar in bars if context.code(bar)), bars[0] if bars else None)
    shown = tuple(lines)
    if not shown or found is None:
        return []
    if not context.code(found):
        return [Display(shown, absorbed=absorbed(context, setting, found))]
    anchor = context.anchor("backward", replace(found, adjoint=False).name)
    return [Display(shown, absorbed=Link(setting.variable(found), anchor))]


def total_display(context: Context, setting: Setting, total: Total) -> Display:
    """Return a total derivative: the chain rule with its factors, then with these put in.

    Where a consumer reads some places only, the sum has deltas.
    """
    if not total.shares:
        lines: Iterable[Line] = _nothing(setting, total)
    elif not all(covers(share.access) for share in total.shares):
        lines = _by_place(context, setting, total)
    elif len(total.shares) == 1:
        lines = _single(context, setting, total)
    else:
        lines = _several(context, setting, total)
    return Display(
        tuple(lines),
        context.anchor("backward", total.variable.name),
        context.code(total.variable.bar()),
        absorbed(context, setting, total.variable.bar()),
    )


def written_out(context: Context, setting: Setting, total: Total, rule: str) -> Line:
    """Return a total derivative in one line, with deltas for what reads some places only."""
    return adjoint_line(setting, _written(context, setting, total), rule=rule)


def _written(context: Context, setting: Setting, total: Total) -> Adjoint:
    """Return a total derivative as the sum of its terms, famous forms put in."""
    closed = (context.textbook.closed.get(share, share) for share in total.shares)
    return Adjoint(total.variable, tuple(contract(_term(setting, share)) for share in closed))


def _by_place(context: Context, setting: Setting, total: Total) -> Iterator[Line]:
    """Yield the sum over consumers that read some places: at any place, with deltas, without."""
    groups = by_consumer(total.shares)
    own = [aligned(whole(group)[0]) for group in groups]
    yield _over_consumers(context, setting, total, own, those=True)
    written = _written(context, setting, total)
    yield _continued(adjoint_line(setting, written, rule=LOCAL_PARTIAL))
    found = [gathered(term) or term for term in written.terms]
    moved = [form for form in found if isinstance(form, Gathered)]
    if moved and not any(map(_has_delta, found)):
        terms = tuple(form.term if isinstance(form, Gathered) else form for form in found)
        symbols = dict.fromkeys(setting.variable(a.variable) for g in moved for a in g.outside)
        outside = [piece for symbol in symbols for piece in (" and ", symbol)][1:]
        reason: Inlines = ("each δ leaves one summand",)
        if symbols:
            counts = " count" if len(symbols) > 1 else " counts"
            reason = (*reason, "; ", *outside, counts, " as 0 outside")
        line = adjoint_line(setting, Adjoint(total.variable, terms), rule=SOLVED, reason=reason)
        yield _continued(line)


def _continued(line: Line) -> Line:
    return replace(line, left=None, condition=None)


def _has_delta(found: Gathered | Term) -> bool:
    return isinstance(found, Term) and not covers(found.target)


def _seeded(setting: Setting, share: Share, symbol: Math, names: Names) -> Math:
    """Return ∂L/∂u times what is given; of the cost itself, just that."""
    if is_cost(setting, share):
        return symbol
    return scalars.product([setting.access(share.seed, names), symbol])


def _term(setting: Setting, share: Share) -> Term:
    """Return the share's term, without the adjoint of the cost itself, which is 1."""
    return share.partial if is_cost(setting, share) else share.term


def _nothing(setting: Setting, total: Total) -> Iterator[Line]:
    names = setting.names(total.variable.axes)
    target = Access(total.variable.bar(), total.variable.axes)
    reason = "it feeds nothing that the cost has a derivative by"
    condition = ranges(setting, total.variable.axes, names)
    left = setting.access(target, names)
    yield Line(left, Numeral("0"), condition=condition, rule=TOTAL_DERIVATIVE, reason=(reason,))


def _single(context: Context, setting: Setting, total: Total) -> Iterator[Line]:
    (share,) = total.shares
    names = scope(setting, share)
    target = Access(share.access.variable.bar(), share.access.indices)
    left = setting.access(target, names)
    condition = ranges(setting, places(share.access), names)
    symbol = partial_symbol(context, setting, total, share, names)
    seeded = _seeded(setting, share, symbol, names)
    yield Line(
        left,
        setting.total(_shared(share), seeded, names),
        condition=condition,
        rule=TOTAL_DERIVATIVE if names.keys() & _shared(share) else CHAIN_RULE,
        reason=_feeds(setting, [(share, names)]),
    )
    closed = context.textbook.closed.get(share, share)
    rule = LOCAL_PARTIAL if closed is share else OWN_VALUE
    yield Line(None, setting.term(_term(setting, closed), names), rule=rule)
    collapsed = [*_collapsed(context, setting, closed, names, left)]
    yield from collapsed
    direct = None if collapsed else context.direct(share)
    if direct is not None:
        between = setting.variable(share.seed.variable)
        letters = _letters_of(setting, direct, share.access, names)
        right = setting.term(direct.term, letters)
        yield Line(None, right, rule=SUBSTITUTION, reason=(between, " put in"))


def _collapsed(
    context: Context, setting: Setting, share: Share, names: Names, left: Math
) -> Iterator[Line]:
    """Yield what the line is with the consumer's adjoint together with the loss, if it is short.

    Of several forms of the target each has its own, with ``left`` and a condition.
    """
    consumer = share.equation.target.variable
    losses = context.textbook.losses
    for loss in losses:
        adjoint = loss.collapsed
        if adjoint is None or adjoint.variable != consumer:
            continue
        axes = zip(consumer.axes, share.seed.indices, strict=True)
        letters = {a: names[i] for a, i in axes if isinstance(i, Index) and i in names}
        own = context.setting(head=loss.head, equations=loss.equations)
        ((_, known),) = own.adjoint(context.of_cost(loss, adjoint), {**names, **letters})
        partial = merged(share.partial)
        if partial.function != ONE:
            known = scalars.product([known, setting.factor(partial, names)])
        right = setting.total(_shared(share), known, names)
        reason: Inlines = (setting.variable(share.seed.variable), " put in")
        line = Line(None, scalars.enclosed(right), rule=SUBSTITUTION, reason=reason)
        if len(losses) > 1:  # each form holds for its own targets: they are not equal
            line = replace(line, left=left, condition=Words(f"for {FORMS[loss.head.form].lower()}"))
        yield line


def _letters_of(setting: Setting, share: Share, access: Access, names: Names) -> Names:
    """Return letters for a share's indices: at its place those that the same place has."""
    pairs = zip(share.access.indices, access.indices, strict=True)
    letters = {
        own: names[place]
        for own, place in pairs
        if isinstance(own, Index) and isinstance(place, Index) and place in names
    }
    return _with(setting, share, letters)


def _shared(share: Share) -> tuple[Index, ...]:
    """Return the consumer's indices that the place read does not hold: the chain rule's sum."""
    return tuple(i for i in share.summed if i in share.equation.free and i.extent != 1)


def _feeds(
    setting: Setting, shares: Sequence[tuple[Share, Names]], which: str = "every "
) -> Inlines:
    """Return which units a value feeds; each share comes with the letters of its indices."""
    (first, own), *_ = shares
    place = setting.access(first.access, own)
    words: list[Inlines] = []
    for share, names in shares:
        unit = setting.access(share.equation.target, names)
        words.append((which, unit) if names.keys() & _shared(share) else (unit,))
    alone = len(shares) == 1 and not own.keys() & _shared(first)
    joined = [piece for word in words for piece in (" and ", *word)][1:]
    that = (" that read it",) if any(word[0] == "those " for word in words) else ()
    return (place, " feeds ", *joined, *((" alone",) if alone else that))


def _several(context: Context, setting: Setting, total: Total) -> Iterator[Line]:
    """Yield the sum over all consumers of a variable, in the variable's own indices."""
    own = [aligned(as_wholes(group)[0]) for group in by_consumer(total.shares)]
    yield _over_consumers(context, setting, total, own)
    names = _place_names(setting, total.variable)
    closed = [context.textbook.closed.get(share, share) for share in total.shares]
    terms = [
        setting.term(_term(setting, share), _with(setting, share, names))
        for share in map(aligned, closed)
    ]
    yield Line(None, scalars.added(terms), rule=LOCAL_PARTIAL)


def _over_consumers(
    context: Context, setting: Setting, total: Total, own: Sequence[Share], *, those: bool = False
) -> Line:
    """Return the chain rule as a sum over all consumers, a share for each.

    Args:
        context: of the document.
        setting: of the formulas.
        total: the derivative.
        own: the consumers' partials at any place of the variable.
        those: whether a place feeds some units of a consumer, not every one.
    """
    names = _place_names(setting, total.variable)
    products = []
    told = [(share, _with(setting, share, names)) for share in own]
    for share, letters in told:
        symbol = partial_symbol(context, setting, total, share, letters)
        seeded = _seeded(setting, share, symbol, letters)
        products.append(setting.total(_shared(share), seeded, letters))
    target = Access(total.variable.bar(), total.variable.axes)
    return Line(
        setting.access(target, names),
        scalars.added(products),
        condition=ranges(setting, total.variable.axes, names),
        rule=TOTAL_DERIVATIVE,
        reason=_feeds(setting, told, "those " if those else "every "),
    )


def _place_names(setting: Setting, variable: Variable) -> Names:
    """Return letters for the axes of a variable, in the order in which its indices print."""
    names: Names = {}
    setting.adjoint(Adjoint(variable, ()), names)
    return names


def _with(setting: Setting, share: Share, names: Names) -> Names:
    """Return the names with those of a share's further indices."""
    more = [index for index in share.partial.space if index not in names]
    return {**names, **setting.names(more, tuple(names.values()))}
