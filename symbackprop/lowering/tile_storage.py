"""Tiles of one place each: written where they lie side by side, they need no copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import NamedTuple

from symbackprop.lowering.homes import Entry, Home, Key, Planned, kind_of, shape_of
from symbackprop.lowering.training import TrainingValues, inputs_of
from symbackprop.lowering.values import Value

# What writes its result through any view.
_WRITTEN_THROUGH = frozenset({"add", "subtract", "multiply", "divide", "negative"})


class _Piece(NamedTuple):
    """The tile that a value is part of, and where: the axis in memory and the place along it."""

    tile: Value
    axis: int
    place: int


class Tiles:
    """Plans the arrays of tiles whose parts are computed in them.

    Attributes:
        pieces: by the number of a part.
        whole: numbers of the tiles.
        spread: numbers of the parts with an axis of their own, which need no statement.
    """

    def __init__(
        self, order: Sequence[Entry], training: TrainingValues, outputs: Collection[int]
    ) -> None:
        self.layout, self.variables = training.layout, training.variables
        self.pieces: dict[int, _Piece] = {}
        self.whole: set[int] = set()
        self.spread: set[int] = set()
        made = {(entry.section, entry.value.number) for entry in order if not entry.loop}
        readers = Counter([*outputs, *(value.number for value in inputs_of(training.last))])
        for entry in order:
            operands = {held.number for o in entry.value.operands for held in self._shown(o)}
            readers.update(operands)
        for section, value, loop in order:
            parts = self._parts(value) if value.operation == "tile" and not loop else []
            alone = all(readers[v.number] == 1 for pair in parts for v in pair)
            if parts and alone and all((section, inner.number) in made for _, inner in parts):
                self._enter(value, parts)

    def plan(
        self,
        made: tuple[str, Value],
        position: int,
        homes: MutableMapping[Key, Home],
        last_use: Mapping[Key, int],
    ) -> Planned | None:
        """Enter the array of a part, and that of its tile with the first of them.

        Args:
            made: a section and a value of it.
            position: of the value in the step.
            homes: all arrays.
            last_use: the position where each is read last.

        Returns:
            The statement, of a tile one that has nothing left to do; None for all other values.
        """
        section, value = made
        if value.number in self.whole:
            return Planned(section, value, "tiled")
        piece = self.pieces.get(value.number)
        if piece is None:
            return None
        key = (section, piece.tile.number)
        if key not in homes:
            end = last_use.get(key, position)
            own = [self.variables[n] for n in [piece.tile.number] if n in self.variables]
            homes[key] = Home(shape_of(self.layout, piece.tile), "float", position, end, own)
        base, shape = homes[key], shape_of(self.layout, value)
        homes[section, value.number] = Home(
            shape, "float", position, base.end, base=base, axis=piece.axis, part=str(piece.place)
        )
        return Planned(section, value, value.operation)

    def _shown(self, value: Value) -> list[Value]:
        return [value, *self.layout.through_views(value)]

    def _parts(self, tile: Value) -> list[tuple[Value, Value]]:
        """Return each part, with an axis of its own and without; nothing where it is not so."""
        axis = tile.rank - 1
        if tile.axes[axis].extent != len(tile.operands):
            return []  # not one place each
        order = [dimension for dimension in self.layout.order(tile) if dimension != axis]
        found = []
        for spread, subscript in zip(tile.operands, tile.subscripts, strict=True):
            if spread.operation != "broadcast" or kind_of(tile) != "float":
                return []
            (inner,), (places,) = spread.operands, spread.subscripts
            lies = [subscript[places[k]] for k in self.layout.order(inner)]
            if lies != order or inner.operation not in _WRITTEN_THROUGH:
                return []
            found.append((spread, inner))
        return found

    def _enter(self, tile: Value, parts: Sequence[tuple[Value, Value]]) -> None:
        axis = self.layout.order(tile).index(tile.rank - 1)
        self.whole.add(tile.number)
        for place, (spread, inner) in enumerate(parts):
            self.spread.add(spread.number)
            self.pieces[inner.number] = _Piece(tile, axis, place)
