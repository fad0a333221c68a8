"""Local partials: what a consumer's value changes by with each value that it reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from symbackprop.calculus.closed import merged
from symbackprop.calculus.occurrences import is_one_read, whole
from symbackprop.calculus.totals import Share, Total
from symbackprop.equations import Access, Index, Variable, indices_of
from symbackprop.render import scalars
from symbackprop.render.context import Context
from symbackprop.render.document import Inlines, Line
from symbackprop.render.plain import plain
from symbackprop.render.setting import Setting
from symbackprop.render.symbols import Names
from symbackprop.render.typeset import Fenced, Math, Script, listed

LOCAL_PARTIAL = "local partial"
OWN_VALUE = "in terms of its own value"
_ELSEWHERE = "the other entries are 0"
_INSIDE = "where that place is not outside"


def partials(context: Context, setting: Setting, totals: Sequence[Total]) -> Iterator[Line]:
    """Yield the partial of each consumer with respect to the places that it reads."""
    for total in totals:
        for group in by_consumer(total.shares):
            yield from _lines(context, setting, total, group)


def by_consumer(shares: Sequence[Share]) -> list[tuple[Share, ...]]:
    """Return the shares of each consumer, as one that reads places in several ways has more."""
    found: dict[Variable, list[Share]] = {}
    for share in shares:
        found.setdefault(share.equation.target.variable, []).append(share)
    return [tuple(group) for group in found.values()]


def as_wholes(shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """Return the shares whose sum is the consumer's partial, at any place if it takes several."""
    return shares if len(shares) == 1 and is_one_read(shares[0]) else whole(shares)


def _lines(
    context: Context, setting: Setting, total: Total, group: tuple[Share, ...]
) -> Iterator[Line]:
    shares = as_wholes(group)
    first = shares[0]
    names = scope(setting, first)
    left = partial_symbol(context, setting, total, first, names)
    held = (*first.equation.free, *places(first.access))
    condition = ranges(setting, held, names)
    right = whole_partial(setting, shares, names)
    reason = _held(context, setting, total, first, names)
    clauses = [_INSIDE] if first.access.fill else []
    if shares == group and not covers(first.access):
        clauses.append(_ELSEWHERE)
    for clause in clauses:
        reason = (*reason, *(("; ",) if reason else ()), clause)
    yield Line(left, right, condition=condition, rule=LOCAL_PARTIAL, reason=reason)
    closed = context.textbook.closed.get(first)
    if closed is not None:
        yield Line(None, whole_partial(setting, (closed,), names), rule=OWN_VALUE)


def covers(access: Access) -> bool:
    """Whether the places read are all that the variable has, each once."""
    axes = (axis.extent for axis in access.variable.axes)
    places = zip(access.indices, axes, strict=True)
    pairs = [(p, e) for p, e in places if e != 1 or access.fill]
    bare = all(isinstance(place, Index) and place.extent == extent for place, extent in pairs)
    return bare and len({place for place, _ in pairs}) == len(pairs)


def whole_partial(setting: Setting, shares: Sequence[Share], names: Names) -> Math:
    """Return the partial itself, summed over what neither consumer nor place holds."""
    terms = [_partial(setting, share, dict(names)) for share in shares]
    return scalars.enclosed(scalars.added(terms))


def _partial(setting: Setting, share: Share, names: Names) -> Math:
    summed = [index for index in share.summed if index not in share.equation.free]
    body = setting.factor(merged(share.partial), names)
    return setting.total(summed, body, names)


def scope(setting: Setting, share: Share) -> Names:
    """Return letters for the indices of a share, those of the consumer's equation first."""
    names: Names = {}
    setting.equation(share.equation, names)
    place = Access(share.access.variable, share.access.indices)
    free = [i for i in places(share.access) if i not in names]
    return {**names, **setting.names(free, tuple(names.values()))} if place.indices else names


def places(access: Access) -> tuple[Index, ...]:
    """Return the indices that an access holds."""
    return tuple(index for place in access.indices for index in indices_of(place))


def ranges(setting: Setting, indices: Collection[Index], names: Names) -> Math | None:
    """Return what those of the named indices run over, in the order of the alphabet."""
    held = setting.running(i for i in names if i in indices)
    shown = sorted(held, key=lambda index: plain(names[index]))
    return setting.ranges(shown, names) if shown else None


def partial_symbol(
    context: Context, setting: Setting, total: Total, share: Share, names: Names
) -> Math:
    """Return ∂u/∂v of a share.

    Where v feeds u by other values as well, these stand below it: they are held constant.
    """
    above = setting.access(share.equation.target, names)
    symbol = setting.derivative(above, setting.access(share.access, names))
    others = context.held(total, share.equation.target.variable)
    if not others:
        return symbol
    below = (setting.access(other, names) for other in others)
    return Script(Fenced("(", symbol, ")"), listed(*below))


def _held(context: Context, setting: Setting, total: Total, share: Share, names: Names) -> Inlines:
    """Return what a partial holds constant, where that has to be told."""
    others = context.held(total, share.equation.target.variable)
    joined = [piece for other in others for piece in (" and ", setting.access(other, names))]
    return (*joined[1:], " held constant") if others else ()


def is_cost(setting: Setting, share: Share) -> bool:
    """Whether the consumer is the cost itself, whose adjoint is 1."""
    return share.equation.target.variable == setting.cost
