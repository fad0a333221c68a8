"""Where the arrays of a step lie: one allocation of each kind, shared by lifetime.

Arrays of a run of equal units are placed as one: one after the other where all of them are
alive together, else turn by turn in as few places as their lives allow. A loop over the units
then finds each by arithmetic.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from symbackprop.lowering.program import Buffer, Kind
from symbackprop.lowering.runs import EqualUnits
from symbackprop.sizes import MODERATE, Whole, at, at_least_both, is_certain


@dataclass(frozen=True)
class Tenant:
    """An array and the statements, first and last, between which it is alive."""

    buffer: Buffer
    start: int
    end: int


@dataclass(frozen=True)
class _Taken:
    offset: Whole
    stop: Whole
    start: int
    end: int
    ones: bool

    @property
    def order(self) -> tuple[int, ...]:
        """By which places are sorted, as they lie where extents with names are moderate."""
        return at(self.offset, MODERATE), at(self.stop, MODERATE), self.start, self.end, self.ones


def lay_out(tenants: Sequence[Tenant], equal: EqualUnits) -> tuple[Buffer, ...]:
    """Give every array the lowest place that is free for its whole life.

    Args:
        tenants: arrays without an offset yet.
        equal: runs of units whose arrays of the same name belong together.
    """
    placed: dict[tuple[Kind, bool], list[_Taken]] = {}
    buffers = []
    for group in _groups(tenants, equal):
        first = group[0].buffer
        slots = _slots(group)
        size = first.per_sample
        taken = placed.setdefault((first.kind, first.batched), [])
        start, end = min(t.start for t in group), max(t.end for t in group)
        offset = _lowest(taken, _Taken(0, slots * size, start, end, first.ones))
        place = _Taken(offset, offset + slots * size, start, end, first.ones)
        insort(taken, place, key=lambda other: other.order)
        for k, tenant in enumerate(group):
            buffers.append(replace(tenant.buffer, offset=offset + k % slots * size))
    return tuple(buffers)


def _groups(tenants: Sequence[Tenant], equal: EqualUnits) -> list[list[Tenant]]:
    """Return arrays that are placed together; a run's in the order of its units."""
    groups: dict[Hashable, list[Tenant]] = {}
    numbers: dict[str, int] = {}
    for tenant in sorted(tenants, key=lambda t: (not t.buffer.ones, t.start)):
        buffer = tenant.buffer
        parts = equal.numbered(buffer.name)
        run = equal.run(parts.unit) if parts else None
        numbers[buffer.name] = parts.unit.number if parts else 0
        key: Hashable = buffer.name, buffer.section
        if parts and run and not buffer.section:
            key = (parts.symbol, parts.suffix, run, buffer.shape, buffer.kind, buffer.ones)
        groups.setdefault(key, []).append(tenant)
    return [sorted(g, key=lambda t: numbers[t.buffer.name]) for g in groups.values()]


def _slots(group: Sequence[Tenant]) -> int:
    """Return how many places arrays need that take turns, layer by layer."""
    ordered = sorted(group, key=lambda tenant: tenant.start)
    slots = last = 0
    for k, tenant in enumerate(ordered):
        while last < len(ordered) and ordered[last].start <= tenant.end:
            last += 1
        slots = max(slots, last - k)
    return slots


def _lowest(taken: Sequence[_Taken], wanted: _Taken) -> Whole:
    offset: Whole = 0
    others = [other for other in taken if not _may_share(other, wanted)]
    while True:
        before = offset
        for other in others:
            if not _are_apart(offset, wanted.stop, other):
                offset = at_least_both(offset, other.stop)
        if offset == before:
            return offset


def _may_share(other: _Taken, wanted: _Taken) -> bool:
    apart = other.end < wanted.start or wanted.end < other.start
    return not (other.ones or wanted.ones) and apart


def _are_apart(offset: Whole, size: Whole, other: _Taken) -> bool:
    """Whether memory from the offset ends before the other's begins, or begins after its end."""
    ends_before = is_certain(lambda: offset + size <= other.offset)
    return ends_before or is_certain(lambda: offset >= other.stop)
