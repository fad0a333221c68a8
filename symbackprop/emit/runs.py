"""Equal layers, or turns of a block, as one loop: which segments of source say the same.

A segment is what one unit contributes to a function: a layer, or a turn of a block. Two units'
segments say the same if they are equal once every name of a unit's is written relative to that
unit: ``a4`` is symbol a at offset -1 for layer 5. A loop over such units has the segment once,
with a local name in place of each relative one; what it computes is by construction what the
units one by one compute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from symbackprop.lowering.program import unused
from symbackprop.lowering.runs import EqualUnits, Run, Unit, consecutive, fewest_units, infix
from symbackprop.network import Network

_NAME = re.compile(r'params\["(\w+)"\]|"(\w+)"(?=: )|(?<=state\[)"(\w+)"|(?<![\w."])([A-Za-z_]\w*)')
_NONE = Unit("", 0)
_WORDS = {-1: "_below", 0: "", 1: "_above"}


class Relative(NamedTuple):
    """A unit's name as seen from a unit: ``a4_and_1`` from layer 5 is (a, -1, _and_1)."""

    symbol: str
    offset: int
    suffix: str
    block: str = ""

    @property
    def local(self) -> str:
        """The name inside a loop over units: ``a_below_and_1``."""
        return f"{self.symbol}{_WORDS[self.offset]}{self.suffix}"

    @property
    def key(self) -> str:
        """An f-string of the name inside a loop over k."""
        shift = f" {'+' if self.offset > 0 else '-'} 1" if self.offset else ""
        return f'f"{self.symbol}{infix(self.block)}{{k{shift}}}{self.suffix}"'


@dataclass(frozen=True)
class Piece:
    """Statements under one comment, and the name of the variable that they compute.

    ``depth`` says how many branches and loops they stand in.
    """

    lines: tuple[str, ...]
    variable: str = ""
    remark: str = ""
    depth: int = 0

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that may hold names."""
        return (*self.lines, self.variable, self.remark)


@dataclass(frozen=True)
class Segment:
    """What one unit contributes to a function; layer 0 is none of them."""

    unit: Unit
    pieces: tuple[Piece, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All statements."""
        return tuple(line for piece in self.pieces for line in piece.lines)


class Names:
    """Tells a unit's names from all others.

    Attributes:
        known: names of arrays and numbers; views of them carry a suffix.
        equal: the units.
    """

    def __init__(self, known: Iterable[str], equal: EqualUnits) -> None:
        self.known = frozenset(known)
        self.equal = equal

    def relative(self, name: str, unit: Unit) -> Relative | None:
        """Return the name relative to the unit, or None where it is not of a neighbour's."""
        parts = self.equal.numbered(name)
        if parts is None or parts.unit.block != unit.block:
            return self._entering(name, unit)
        offset = parts.unit.number - unit.number
        if abs(offset) > 1 or not self._is_known(name, parts.stem):
            return self._entering(name, unit)
        return Relative(parts.symbol, offset, parts.suffix, unit.block)

    def at(self, name: Relative, number: int) -> str:
        """Return the name as unit ``number`` writes it."""
        place = number + name.offset
        run = self.equal.run(Unit(name.block, place + 1))
        if run and run.entering and run.numbers[0] == place + 1:
            owner, last = run.entering
            if name.suffix.startswith(last):
                return f"{name.symbol}{owner}{name.suffix.removeprefix(last)}"
        return f"{name.symbol}{infix(name.block)}{place}{name.suffix}"

    def _entering(self, name: str, unit: Unit) -> Relative | None:
        """Return the name of what flows into the first turn as that of a turn before it."""
        run = self.equal.run(unit)
        if run is None or run.entering is None or unit.number != run.numbers[0]:
            return None
        owner, last = run.entering
        symbol = r"[A-Za-z]+" if owner.isdigit() else r"\w+?"
        match = re.fullmatch(rf"({symbol}){owner}((?:_\w+)?)", name)
        if match is None or not self._is_known(name, f"{match[1]}{owner}"):
            return None
        return Relative(match[1], -1, f"{last}{match[2]}", unit.block)

    def _is_known(self, name: str, stem: str) -> bool:
        """Whether the name, or what it is a view of, is known."""
        while name not in self.known:
            if len(name) <= len(stem):
                return False
            name = name.rpartition("_")[0]
        return True

    def replaced(self, text: str, unit: Unit, new: Callable[[Relative], str]) -> str:
        """Return the text with every name of a unit's written anew."""

        def substitute(match: re.Match[str]) -> str:
            found = self.relative(next(filter(None, match.groups())), unit)
            if found is None:
                return match.group()
            return found.key if match[2] or match[3] else new(found)

        return _NAME.sub(substitute, text)

    def read(self, lines: Iterable[str], unit: Unit) -> dict[Relative, None]:
        """Return a unit's names in the lines, by first appearance."""
        found: dict[Relative, None] = {}
        for line in lines:
            self.replaced(line, unit, lambda name: found.setdefault(name) or "")
        return found

    def says(self, segment: Segment) -> tuple[tuple[str, ...], ...]:
        """Return what the segment says, whichever unit says it."""
        return tuple(
            tuple(self.replaced(t, segment.unit, _marked) for t in piece.texts)
            for piece in segment.pieces
        )


def tokens(lines: Iterable[str]) -> dict[str, None]:
    """Return the names in the lines, in order of first appearance, attributes left out."""
    found: dict[str, None] = {}
    for line in lines:
        found |= dict.fromkeys(re.findall(r"(?<![\w.\"])[A-Za-z_]\w*", line))
    return found


def _marked(name: Relative) -> str:
    return f"{name.symbol}<{name.offset}>{name.suffix}"


def variable_names(network: Network) -> set[str]:
    """Return the names of all variables of layers, and of their adjoints, as comments show them."""
    found = set()
    for layer in network.layers:
        targets = [e.target.variable for e in layer.all_equations]
        for variable in (*targets, *layer.given):
            shown = replace(variable, symbol=variable.symbol.lstrip("_"))
            found |= {v.name for v in (variable, variable.bar(), shown, shown.bar())}
    return found


def repeated(
    equal: EqualUnits,
    functions: Sequence[Sequence[Segment]],
    names: Names,
) -> list[Run]:
    """Return the runs of equal units whose segments say the same.

    Args:
        equal: units of equal kind and sizes.
        functions: segments in order, function by function.
        names: what belongs to units.
    """
    said: dict[Unit, dict[int, object]] = {}
    for number, segments in enumerate(functions):
        places = {segment.unit: place for place, segment in enumerate(segments)}
        backward = {u for run in equal.runs if _falls(run, places) for u in run.units}
        for place, segment in enumerate(segments):
            unit = segment.unit
            if equal.run(unit) is not None:
                own = said.setdefault(unit, {})
                turn = -unit.number if unit in backward else unit.number
                own[number] = object() if number in own else (place - turn, names.says(segment))
    found = []
    for run in equal.runs:
        keys = [(u.number, tuple(said.get(u, {}).items()) or None) for u in run.units]
        for numbers in consecutive(keys, fewest_units(run.block, equal.shortest)):
            found.append(replace(run, numbers=numbers))
    return found


def _falls(run: Run, places: Mapping[Unit, int]) -> bool:
    """Whether a function computes the last unit of the run first."""
    return places.get(run.units[0], 0) > places.get(run.units[-1], 0)


def whole_turns(units: Sequence[Unit]) -> list[int]:
    """Return the places of statements in order: no unit's come before the turn that they are in.

    Args:
        units: of the statements.
    """
    ends: dict[Unit, list[int]] = {}
    for place, unit in enumerate(units):
        ends.setdefault(unit, []).append(place)
    order = list(range(len(units)))
    for unit, places in ends.items():
        inside = range(places[0], places[-1] + 1)
        if unit.block and all(units[place] in (unit, _NONE) for place in inside):
            order[inside.start : inside.stop] = sorted(inside, key=lambda p: units[p] == unit)
    return order


def local_names(wanted: Iterable[Relative], taken: Collection[str]) -> dict[Relative, str]:
    """Return a name for each inside the loop, none of them taken."""
    found: dict[Relative, str] = {}
    for name in wanted:
        found[name] = unused(name.local, {*taken, *found.values()})
    return found


def looped(
    segment: Segment, names: Names, local: Mapping[Relative, str], last: int
) -> tuple[Piece, ...]:
    """Return the segment with local names; it computes the variables of all units up to last."""
    unit = segment.unit
    pieces = []
    for piece in segment.pieces:
        lines = tuple(names.replaced(line, unit, local.__getitem__) for line in piece.lines)
        remark = names.replaced(piece.remark, unit, lambda name: name.local)
        variable = _through(piece.variable, names, unit, last)
        pieces.append(Piece(lines, variable, remark, piece.depth))
    return tuple(pieces)


def _through(variable: str, names: Names, first: Unit, last: int) -> str:
    """Return the names that a variable has from the first unit to the last."""
    name = names.relative(variable, first)
    if name is None:
        return variable
    return " to ".join(names.at(name, number) for number in sorted((first.number, last)))
