"""Equal layers as one loop: which segments of source say the same, and how a loop says it.

A segment is what one layer contributes to a function. Two layers' segments say the same if they
are equal once every name of a layer's is written relative to that layer: ``a4`` is symbol a at
offset -1 for layer 5. A loop over such layers has the segment once, with a local name in place
of each relative one; what it computes is by construction what the layers one by one compute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from symbackprop.lowering.program import unused
from symbackprop.lowering.runs import EqualLayers, consecutive, numbered
from symbackprop.network import Network

_NAME = re.compile(r'params\["(\w+)"\]|"(\w+)"(?=: )|(?<![\w."])([A-Za-z_]\w*)')
_WORDS = {-1: "_below", 0: "", 1: "_above"}


class Relative(NamedTuple):
    """A layer's name as seen from a layer: ``a4_and_1`` from layer 5 is (a, -1, _and_1)."""

    symbol: str
    offset: int
    suffix: str

    def at(self, layer: int) -> str:
        """Return the name as layer ``layer`` writes it."""
        return f"{self.symbol}{layer + self.offset}{self.suffix}"

    @property
    def local(self) -> str:
        """The name inside a loop over layers: ``a_below_and_1``."""
        return f"{self.symbol}{_WORDS[self.offset]}{self.suffix}"

    @property
    def key(self) -> str:
        """An f-string of the name inside a loop over k."""
        shift = f" {'+' if self.offset > 0 else '-'} 1" if self.offset else ""
        return f'f"{self.symbol}{{k{shift}}}{self.suffix}"'


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
    """What one layer contributes to a function; layer 0 is none of them."""

    layer: int
    pieces: tuple[Piece, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All statements."""
        return tuple(line for piece in self.pieces for line in piece.lines)


class Names:
    """Tells a layer's names from all others.

    Attributes:
        known: names of arrays and numbers; views of them carry a suffix.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self.known = frozenset(known)

    def relative(self, name: str, layer: int) -> Relative | None:
        """Return the name relative to the layer, or None where it is not of a neighbour's."""
        parts = numbered(name)
        if parts is None or abs(parts.layer - layer) > 1:
            return None
        if name not in self.known and parts.stem not in self.known:
            return None
        return Relative(parts.symbol, parts.layer - layer, parts.suffix)

    def replaced(self, text: str, layer: int, new: Callable[[Relative], str]) -> str:
        """Return the text with every name of a layer's written anew."""

        def substitute(match: re.Match[str]) -> str:
            found = self.relative(next(filter(None, match.groups())), layer)
            if found is None:
                return match.group()
            return found.key if match[2] else new(found)

        return _NAME.sub(substitute, text)

    def read(self, lines: Iterable[str], layer: int) -> dict[Relative, None]:
        """Return a layer's names in the lines, by first appearance."""
        found: dict[Relative, None] = {}
        for line in lines:
            self.replaced(line, layer, lambda name: found.setdefault(name) or "")
        return found

    def says(self, segment: Segment) -> tuple[tuple[str, ...], ...]:
        """Return what the segment says, whichever layer says it."""
        return tuple(
            tuple(self.replaced(t, segment.layer, _marked) for t in piece.texts)
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
    """Return the names of all variables of layers, and of their adjoints."""
    found = set()
    for layer in network.layers:
        targets = [e.target.variable for e in layer.all_equations]
        for variable in (*targets, *layer.given):
            found |= {variable.name, variable.bar().name}
    return found


def repeated(
    equal: EqualLayers,
    functions: Sequence[Sequence[Segment]],
    names: Names,
) -> list[range]:
    """Return the runs of equal layers whose segments say the same.

    Args:
        equal: layers of equal kind and sizes.
        functions: segments in order, function by function.
        names: what belongs to layers.
    """
    said: dict[int, dict[int, object]] = {}
    for number, segments in enumerate(functions):
        layers = [segment.layer for segment in segments if segment.layer]
        direction = 1 if layers and layers[0] <= layers[-1] else -1
        for place, segment in enumerate(segments):
            own = said.setdefault(segment.layer, {})
            twice = number in own
            said_here = (place - direction * segment.layer, names.says(segment))
            own[number] = object() if twice else said_here
    found = []
    for run in equal.runs:
        keys = [(layer, tuple(said.get(layer, {}).items()) or None) for layer in run]
        found += consecutive(keys, equal.shortest)
    return found


def local_names(wanted: Iterable[Relative], taken: Collection[str]) -> dict[Relative, str]:
    """Return a name for each inside the loop, none of them taken."""
    found: dict[Relative, str] = {}
    for name in wanted:
        found[name] = unused(name.local, {*taken, *found.values()})
    return found


def looped(
    segment: Segment, names: Names, local: Mapping[Relative, str], last: int
) -> tuple[Piece, ...]:
    """Return the segment with local names; it computes the variables of all layers up to last."""
    layer = segment.layer
    pieces = []
    for piece in segment.pieces:
        lines = tuple(names.replaced(line, layer, local.__getitem__) for line in piece.lines)
        remark = names.replaced(piece.remark, layer, lambda name: name.local)
        variable = _through(piece.variable, layer, last)
        pieces.append(Piece(lines, variable, remark, piece.depth))
    return tuple(pieces)


def _through(variable: str, first: int, last: int) -> str:
    parts = numbered(variable)
    if parts is None:
        return variable
    ends = [parts._replace(layer=parts.layer + k - first).name for k in sorted((first, last))]
    return " to ".join(ends)
