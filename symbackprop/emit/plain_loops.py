"""Loops of the plain path: forward and backward over equal layers.

A loop fetches the layer's parameters (and, backward, what forward kept), computes in local
names and keeps its results under the layer's keys. What one layer hands to the next, a or dz,
stays in its local name from turn to turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from symbackprop.emit.body import Body
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
from symbackprop.lowering.runs import EqualLayers, numbered

_RESERVED = frozenset(
    {"k", "n", "x", "dtype", "params", "cache", "grads", "d_output", "np", "math"}
)


@dataclass(frozen=True)
class Kept:
    """What a function keeps of every layer, and what it reads of it.

    Attributes:
        where: ``cache`` or ``grads``.
        entries: the name that holds what is kept under a key.
        parameters: names of all parameters.
        cached: names of what forward kept.
    """

    where: str
    entries: dict[str, str]
    parameters: frozenset[str]
    cached: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Loop:
    """A run of layers as a loop.

    Attributes:
        layers: in the order in which they are computed.
        segment: of the first of them, with the statement that keeps its results.
        fetched: names read at the start of a turn: relative name to source.
        carried: names that one turn leaves for the next.
    """

    layers: range
    segment: Segment
    names: Names
    fetched: dict[Relative, str]
    carried: tuple[Relative, ...]

    @property
    def passed(self) -> frozenset[Relative]:
        """The carried names, as the turn sees them that computes them."""
        return frozenset(_own_name(name) for name in self.carried)


def _own_name(name: Relative) -> Relative:
    return name._replace(offset=0)


def plain_loops(
    segments: Sequence[Segment], names: Names, equal: EqualLayers, kept: Kept
) -> dict[int, Loop]:
    """Return a loop for every run, by each of its layers."""
    keeping = _keeping(segments, kept)
    first = {segment.layer: segment for segment in reversed(keeping)}
    order = [segment.layer for segment in segments]
    loops: dict[int, Loop] = {}
    for run in repeated(equal, [keeping], names):
        descending = order.index(run[0]) > order.index(run[-1])
        layers = run[::-1] if descending else run
        loop = _loop(layers, first[layers[0]], names, kept)
        if loop is not None:
            loops |= dict.fromkeys(run, loop)
    return loops


def in_loops(loops: dict[int, Loop], layer: int | str) -> bool:
    """Whether a loop computes the layer, or what is kept under the key."""
    if isinstance(layer, str):
        parts = numbered(layer)
        layer = parts.layer if parts else 0
    return layer in loops


def _keeping(segments: Sequence[Segment], kept: Kept) -> list[Segment]:
    """Return the segments, each with a statement that keeps its results."""
    own: dict[int, list[str]] = {}
    for key, name in kept.entries.items():
        parts = numbered(key)
        if parts is not None:
            own.setdefault(parts.layer, []).append(f'"{key}": {name}')
    found = []
    for segment in segments:
        pairs = ", ".join(own.get(segment.layer, []))
        piece = Piece((f"{kept.where} |= {{{pairs}}}",))
        found.append(replace(segment, pieces=(*segment.pieces, piece)))
    return found


def _loop(layers: range, segment: Segment, names: Names, kept: Kept) -> Loop | None:
    """Return the loop, or None where a turn would read what no turn or fetch provides."""
    assigned = _assigned(segment, names)
    fetched: dict[Relative, str] = {}
    carried: list[Relative] = []
    for name in names.read(segment.lines, segment.layer):
        full = name.at(segment.layer)
        if full in kept.parameters:
            fetched[name] = f"params[{name.key}]"
        elif _own_name(name) in assigned:
            if name.offset:
                carried.append(name)
        elif full in kept.cached:
            fetched[name] = f"cache[{name.key}]"
        else:
            return None
    lines = segment.lines
    for name in carried:
        after = lines[assigned[_own_name(name)] + 1 :]
        if name in names.read(after, segment.layer):
            return None
    return Loop(layers, segment, names, fetched, tuple(carried))


def _assigned(segment: Segment, names: Names) -> dict[Relative, int]:
    """Return the names of the layer's own that it assigns, and in which statement."""
    found: dict[Relative, int] = {}
    for place, line in enumerate(segment.lines):
        match = re.match(r"(\w+) = ", line)
        name = names.relative(match[1], segment.layer) if match else None
        if name is not None and not name.offset:
            found.setdefault(name, place)
    return found


def write_segments(
    body: Body, segments: Sequence[Segment], loops: dict[int, Loop], wanted: Iterable[str]
) -> None:
    """Write all layers, equal ones as loops.

    Args:
        body: of the function.
        segments: all layers in order.
        loops: by layer.
        wanted: names that statements after these read.
    """
    alone = [line for s in segments if s.layer not in loops for line in s.lines]
    read = {*tokens(alone), *wanted}
    before: Loop | None = None
    for segment in segments:
        loop = loops.get(segment.layer)
        if loop is None:
            body.pieces(segment.pieces)
        elif loop is not before:
            _write(body, loop, before, read)
        before = loop


def _write(body: Body, loop: Loop, before: Loop | None, read: set[str]) -> None:
    first, last = loop.layers[0], loop.layers[-1]
    taken = {*_RESERVED, *read, *tokens(loop.segment.lines)}
    inside = _names_inside(loop, taken)
    known = before.passed if before else frozenset()
    handed = [name for name in loop.carried if _own_name(name) not in known]
    ties = [f"{inside[name]} = {name.at(first)}" for name in handed]
    step = ", -1" if last < first else ""
    header = f"for k in range({first}, {last - 1 if step else last + 1}{step}):"
    low, high = sorted((first, last))
    body.add([*ties, header], remark=f"layers {low} to {high}")
    turn = Body(depth=body.depth + 1)
    turn.add(f"{inside[name]} = {source}" for name, source in loop.fetched.items())
    turn.pieces(looped(loop.segment, loop.names, inside, last))
    body.append(turn)
    own = _assigned(loop.segment, loop.names)
    body.add(f"{name.at(last)} = {inside[name]}" for name in own if name.at(last) in read)


def _names_inside(loop: Loop, taken: set[str]) -> dict[Relative, str]:
    """Return the local names; what is carried keeps its name from turn to turn."""
    carried = set(loop.carried)
    every = loop.names.read(loop.segment.lines, loop.segment.layer)
    local = local_names([name for name in every if name not in carried], taken)
    return local | {name: local[_own_name(name)] for name in loop.carried}
