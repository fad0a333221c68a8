"""By which other values one value feeds another, step by step where values feed themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from symbackprop.calculus.graph import Edge, downstream, recurrences
from symbackprop.calculus.totals import Share, Total
from symbackprop.equations import (
    Access,
    Affine,
    Index,
    IndexExpression,
    Variable,
    indices_of,
)


class Ways:
    """Finds what has to be held for a partial derivative to be that of one equation.

    Args:
        totals: all total derivatives; their shares are the ways.
    """

    def __init__(self, totals: Iterable[Total]) -> None:
        self._shares: dict[Variable, list[Share]] = defaultdict(list)
        for total in totals:
            self._shares[total.variable] += total.shares
        shares = [share for found in self._shares.values() for share in found]
        edges = recurrences(list(map(_edge, shares)))
        cyclic = [share for share in shares if _edge(share) in edges]
        self._axes = _step_axes(cyclic)

    def held(self, variable: Variable, consumer: Variable) -> list[Access]:
        """Return what else changes a consumer of a variable when this changes.

        These are other consumers on the way. Where a consumer feeds itself, it is what that reads
        of the step before; a read of its own has the place of the step as its only index.
        """
        own = self._shares.get(variable, [])
        direct = {self._steps(share) for share in own if _consumer(share) == consumer}
        most = max((steps for steps in direct if steps is not None), default=0)
        found: dict[Access, None] = {}
        for share in own:
            start = _consumer(share)
            if start == variable:
                continue
            ways = self._arrivals(share, consumer, most)
            if any(None in (*direct, steps) or steps in direct for steps in ways):
                again = start == consumer
                held = self._before(variable, consumer) if again else [Access(start, ())]
                found |= dict.fromkeys(held)
        return list(found)

    def _arrivals(self, start: Share, end: Variable, most: int) -> Iterator[int | None]:
        """Yield how many steps later ways from a consumer reach the end, at most; None for any.

        No way leads through the variable that the consumer reads: its places are all held.
        """
        first = (_consumer(start), self._steps(start))
        seen, waiting = {first}, [first]
        while waiting:
            variable, steps = waiting.pop()
            for share in self._shares.get(variable, ()):
                more = self._steps(share)
                there = None if steps is None or more is None else steps + more
                reached = (_consumer(share), there)
                if reached[0] == end:
                    yield there
                near = there is None or there <= most
                if near and reached not in seen and reached[0] != start.access.variable:
                    seen.add(reached)
                    waiting.append(reached)

    def _steps(self, share: Share) -> int | None:
        """Return how many steps after what is read the consumer is; None where it may be any."""
        axis = self._axes.get(_consumer(share))
        if axis is None:
            return None
        step = share.equation.target.indices[axis]
        for place in share.access.indices:
            if place == step:
                return 0
            if isinstance(place, Affine) and place.terms == ((1, step),):
                return -place.offset if isinstance(place.offset, int) else None
        return None

    def _before(self, variable: Variable, consumer: Variable) -> Iterator[Access]:
        """Yield what a consumer reads that it feeds, by ways that leave a variable out."""
        shares = [s for found in self._shares.values() for s in found]
        edges = [_edge(s) for s in shares if variable not in _edge(s)]
        fed = downstream(edges, [consumer])
        for share in shares:
            source = share.access.variable
            if _consumer(share) != consumer or source not in fed or source == variable:
                continue
            at = slice(self._axes[source], self._axes[source] + 1)
            if source == consumer:
                step = replace(source, axes=source.axes[at])
                yield Access(step, share.access.indices[at])
            else:
                yield Access(source, ())


def _consumer(share: Share) -> Variable:
    return share.equation.target.variable


def _edge(share: Share) -> Edge:
    return share.access.variable, _consumer(share)


def _step_axes(cyclic: Sequence[Share]) -> dict[Variable, int]:
    """Return which axis of each variable that feeds itself runs over steps."""
    found: dict[Variable, int] = {}
    for share in cyclic:
        for axis, place in enumerate(share.access.indices):
            if _is_shift(place, share.access.variable.axes[axis]):
                found[share.access.variable] = axis
    waiting = list(found)
    while waiting:
        variable = waiting.pop()
        for share in cyclic:
            read, made = share.access, share.equation.target
            if read.variable != variable or made.variable in found:
                continue
            held = indices_of(read.indices[found[variable]])
            axes = [made.indices.index(index) for index in held if index in made.indices]
            if axes:
                found[made.variable] = axes[0]
                waiting.append(made.variable)
    return found


def _is_shift(place: IndexExpression, axis: Index) -> bool:
    """Whether a place is another step along an axis."""
    if not isinstance(place, Affine) or len(place.terms) != 1:
        return False
    ((coefficient, index),) = place.terms
    return coefficient == 1 and index.extent == axis.extent
