"""Loops of the plain path: forward and backward over equal layers, or turns of a block.

A loop fetches the unit's parameters (and, backward, what forward kept), computes in local
names and keeps its results under the unit's keys. What one unit hands to the next, a or dz,
stays in its local name from turn to turn.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symbackprop.emit.body import Body
from symbackprop.emit.modes import branched
from symbackprop.emit.runs import (
    Names,
    Piece,
    Relative,
    Segment,
    local_names,
    looped,
    repeated,
    tokens,
)
from symbackprop.lowering.runs import EqualUnits, Run, Unit, infix

_RESERVED = frozenset(
    {"k", "n", "x", "dtype", "params", "cache", "grads", "d_output", "np", "math"}
    | {"state", "training", "rng"}
)


@dataclass(frozen=True)
class Kept:
    """What a function keeps of every unit, and what it reads of it.

    Attributes:
        where: ``cache`` or ``grads``.
        entries: the name that holds what is kept under a key.
        parameters: names of all parameters.
        cached: names of what forward kept.
        own: further entries of each mode.
        own_cached: further names of what forward kept in each mode.
    """

    where: str
    entries: Mapping[str, str]
    parameters: frozenset[str]
    cached: frozenset[str] = frozenset()
    own: Sequence[Mapping[str, str]] = ()
    own_cached: Sequence[Collection[str]] = ()


@dataclass(frozen=True)
class Loop:
    """A run of units as a loop.

    Attributes:
        numbers: of the units, in the order in which they are computed.
        run: the units.
        segment: of the first of them, with the statement that keeps its results.
        names: tells the units' names.
        fetched: names read at the start of a turn: relative name to source.
        own_fetched: those that forward kept in one mode only.
        carried: names that one turn leaves for the next, by that in which the turn before
            computes them.
    """

    numbers: range
    run: Run
    segment: Segment
    names: Names
    fetched: Mapping[Relative, str]
    own_fetched: Sequence[Mapping[Relative, str]] = ()
    carried: Mapping[Relative, Relative] = field(default_factory=dict)

    @property
    def passed(self) -> frozenset[Relative]:
        """The carried names, as the turn sees them that computes them."""
        return frozenset(self.carried)

    @property
    def handed(self) -> list[str]:
        """What the first turn is handed, as statements before it name it."""
        return [self.names.at(name, self.numbers[0]) for name in self.carried.values()]


def plain_loops(
    segments: Sequence[Segment], names: Names, equal: EqualUnits, kept: Kept
) -> dict[Unit, Loop]:
    """Return a loop for every run, by each of its units."""
    keeping = _keeping(segments, equal, kept)
    found = {segment.unit: segment for segment in reversed(keeping)}
    order = [segment.unit for segment in segments]
    loops: dict[Unit, Loop] = {}
    for run in repeated(equal, [keeping], names):
        descending = order.index(run.units[0]) > order.index(run.units[-1])
        numbers = run.numbers[::-1] if descending else run.numbers
        first = found[Unit(run.block, numbers[0])]
        loop = _loop(run, numbers, first, names, kept)
        if loop is not None:
            loops |= dict.fromkeys(run.units, loop)
    return loops


def in_loops(loops: Mapping[Unit, Loop], equal: EqualUnits, key: str) -> bool:
    """Whether a loop computes what is kept under the key."""
    parts = equal.numbered(key)
    return parts is not None and parts.unit in loops


def _keeping(segments: Sequence[Segment], equal: EqualUnits, kept: Kept) -> list[Segment]:
    """Return the segments, each with statements that keep its results."""
    common = _by_unit(equal, kept.entries)
    own = [_by_unit(equal, entries) for entries in kept.own]
    last = {segment.unit: place for place, segment in enumerate(segments)}
    found = []
    for place, segment in enumerate(segments):
        ends = [Piece((f"{kept.where} |= {{{', '.join(common.get(segment.unit, []))}}}",))]
        every = [entries.get(segment.unit, []) for entries in own]
        lines = [[f"{kept.where} |= {{{', '.join(pairs)}}}"] if pairs else [] for pairs in every]
        ends += [Piece(tuple(branched(lines)))] if any(lines) else []
        pieces = (*segment.pieces, *(ends if last[segment.unit] == place else []))
        found.append(replace(segment, pieces=pieces))
    return found


def _by_unit(equal: EqualUnits, entries: Mapping[str, str]) -> dict[Unit, list[str]]:
    found: dict[Unit, list[str]] = {}
    for key, name in entries.items():
        parts = equal.numbered(key)
        if parts is not None:
            found.setdefault(parts.unit, []).append(f'"{key}": {name}')
    return found


def _loop(run: Run, numbers: range, segment: Segment, names: Names, kept: Kept) -> Loop | None:
    """Return the loop, or None where a turn would read what no turn or fetch provides."""
    unit, direction = segment.unit, numbers.step
    assigned = _assigned(segment, names)
    fetched: dict[Relative, str] = {}
    own_fetched: list[dict[Relative, str]] = [{} for _ in kept.own_cached]
    carried: dict[Relative, Relative] = {}
    for name in names.read(segment.lines, unit):
        full = names.at(name, unit.number)
        before = name._replace(offset=name.offset + direction)
        if full in kept.parameters:
            fetched[name] = f"params[{name.key}]"
        elif any(full in cached for cached in kept.own_cached):
            key = _key(name, run, numbers, names)
            for own, cached in zip(own_fetched, kept.own_cached, strict=True):
                own.update({name: f"cache[{key}]"} if full in cached else {})
        elif name in assigned:
            pass
        elif before in assigned:
            carried[before] = name
        elif full in kept.cached:
            fetched[name] = f"cache[{_key(name, run, numbers, names)}]"
        else:
            return None
    lines = segment.lines
    for before, name in carried.items():
        if name in names.read(lines[assigned[before] + 1 :], unit):
            return None
    return Loop(numbers, run, segment, names, fetched, own_fetched, carried)


def _key(name: Relative, run: Run, numbers: range, names: Names) -> str:
    """Return the key of a name; that of what flows into a block is another in the first turn."""
    first = min(numbers)
    entering = names.at(name, first)
    regular = f"{name.symbol}{infix(run.block)}{first + name.offset}{name.suffix}"
    return name.key if entering == regular else f'"{entering}" if k == {first} else {name.key}'


def _assigned(segment: Segment, names: Names) -> dict[Relative, int]:
    """Return the names that the unit assigns, and in which statement."""
    found: dict[Relative, int] = {}
    for place, line in enumerate(segment.lines):
        match = re.match(r"(\w+) = ", line)
        name = names.relative(match[1], segment.unit) if match else None
        if name is not None:
            found.setdefault(name, place)
    return found


def write_segments(
    body: Body, segments: Sequence[Segment], loops: Mapping[Unit, Loop], wanted: Iterable[str]
) -> None:
    """Write all units, equal ones as loops.

    Args:
        body: of the function.
        segments: all units in order.
        loops: by unit.
        wanted: names that statements after these read.
    """
    alone = [line for s in segments if s.unit not in loops for line in s.lines]
    read = {*tokens(alone), *wanted}
    of_blocks = {id(loop): loop for loop in loops.values() if loop.run.block}
    read |= {name for loop in of_blocks.values() for name in loop.handed}
    before: Loop | None = None
    for segment in segments:
        loop = loops.get(segment.unit)
        if loop is None:
            body.pieces(segment.pieces)
        elif loop is not before:
            _write(body, loop, before, read)
        before = loop


def _write(body: Body, loop: Loop, before: Loop | None, read: set[str]) -> None:
    numbers, names = loop.numbers, loop.names
    first, last = numbers[0], numbers[-1]
    taken = {*_RESERVED, *read, *tokens(loop.segment.lines)}
    inside = _names_inside(loop, taken)
    known = before.passed if before else frozenset()
    handed = [name for own, name in loop.carried.items() if own not in known]
    ties = [f"{inside[name]} = {names.at(name, first)}" for name in handed]
    step = ", -1" if last < first else ""
    header = f"for k in range({first}, {last - 1 if step else last + 1}{step}):"
    body.add([*ties, header], remark=loop_remark(loop.run))
    turn = Body(depth=body.depth + 1)
    turn.add(f"{inside[name]} = {source}" for name, source in loop.fetched.items())
    modes = [[f"{inside[name]} = {s}" for name, s in mode.items()] for mode in loop.own_fetched]
    turn.add(branched(modes))
    turn.pieces(looped(loop.segment, names, inside, last))
    body.append(turn)
    own = _assigned(loop.segment, names)
    left = {name: names.at(name, last) for name in own}
    body.add(f"{text} = {inside[name]}" for name, text in left.items() if text in read)


def loop_remark(run: Run) -> str:
    """Return what a loop runs over, as its comment says it."""
    what = f"turns of {run.block}, " if run.block else "layers "
    return f"{what}{run.numbers[0]} to {run.numbers[-1]}"


def _names_inside(loop: Loop, taken: set[str]) -> dict[Relative, str]:
    """Return the local names; what is carried keeps its name from turn to turn."""
    every = loop.names.read(loop.segment.lines, loop.segment.unit)
    pairs = {*loop.carried.items(), *((b, a) for a, b in loop.carried.items())}
    merged = {a: b for a, b in pairs if a.offset}  # of the two, the one of its own unit names
    local = local_names([name for name in every if name not in merged], taken)
    return local | {name: local[other] for name, other in merged.items()}
