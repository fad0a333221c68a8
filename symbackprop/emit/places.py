"""Pieces of flat memory as source: one array, or those of a run of equal layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from symbackprop.sizes import Whole, factor_text, is_certain, times


@dataclass(frozen=True)
class Place:
    """A piece of flat memory that is seen as an array.

    Attributes:
        memory: the flat array.
        start: where it starts, and ``size``, how far it goes; both for one sample where it is
            ``batched``.
        shape: extents as source; ``n`` is the batch.
        label: the name that holds the start, where extents with names move it.
    """

    memory: str
    start: Whole
    size: Whole
    shape: tuple[str, ...]
    batched: bool
    label: str = ""

    @property
    def source(self) -> str:
        """The expression of the array."""
        if self.label:
            return f"piece({self.memory}, {self.label}, {', '.join(self.shape)})"
        shape = self.reshaped(*self.shape) if len(self.shape) > 1 else ""
        return f"{self.piece(self.start, self.size)}{shape}"

    def piece(self, start: Whole, size: Whole) -> str:
        """Return the expression of a flat piece of the same memory."""
        if self.label:
            return f"piece({self.memory}, {self.elements(start)}, {self.elements(size)})"
        stop = start + size
        if not self.batched:
            return f"{self.memory}[{start}:{stop}]"
        ends = [_times_n(start) if start != 0 else "", _times_n(stop)]
        space = " " if any(" " in text for text in ends) else ""
        return f"{self.memory}[{f'{space}:{space}'.join(ends).lstrip()}]"

    def elements(self, count: Whole) -> str:
        """Return how many elements so many are, of all samples where it is batched."""
        return _times_n(count) if self.batched and count != 0 else str(count)

    def reshaped(self, *shape: str) -> str:
        """Return the call that gives it a shape."""
        return f".reshape({', '.join(shape)})"


def _times_n(count: Whole) -> str:
    return "n" if count == 1 else times(count, "n")


def places_of_run(places: Sequence[Place], layers: range) -> str | None:
    """Return an expression of all the arrays of a run by layer, or of the one that all share.

    Returns:
        A dict by layer; the array itself where all layers use the same one; None where the
        places follow no rule.
    """
    first = places[0]
    steps = {after.start - before.start for before, after in pairwise(places)}
    if steps == {0}:
        return first.source
    if len(steps) > 1:
        return _in_turn(places, layers)
    step = steps.pop()
    if not is_certain(lambda: step >= first.size):
        return None
    if first.batched:
        return _side_by_side(first, step, layers)
    start = first.start - step * layers[0]
    ends = f"{_linear(step, start)} : {_linear(step, start + first.size)}"
    return by_layer(f"{first.memory}[{ends}]{first.reshaped(*first.shape)}", layers)


def _side_by_side(first: Place, step: Whole, layers: range) -> str | None:
    """Return an expression of arrays that lie one after the other, gaps between them or none."""
    count = len(layers)
    every = first.piece(first.start, count * step)
    if step == first.size:
        every += first.reshaped(str(count), *first.shape)
    elif len(first.shape) == 2 and first.shape[1] == "n":
        every += f"{first.reshaped(str(count), str(step), 'n')}[:, :{first.size}]"
    else:
        return None
    return f"dict(enumerate({every}, {layers[0]}))"


def _in_turn(places: Sequence[Place], layers: range) -> str | None:
    """Return an expression of arrays that layers use turn by turn."""
    starts = sorted({place.start for place in places})
    turns, size, lowest = len(starts), places[0].size, starts[0]
    if starts != [lowest + turn * size for turn in range(turns)]:
        return None
    shift = (starts.index(places[0].start) - layers[0]) % turns
    for layer, place in zip(layers, places, strict=True):
        if place.start != lowest + (layer + shift) % turns * size:
            return None
    every = places[0].piece(lowest, turns * size)
    turn = f"[(k + {shift}) % {turns}]" if shift else f"[k % {turns}]"
    return by_layer(f"{every}{places[0].reshaped(str(turns), *places[0].shape)}{turn}", layers)


def by_layer(expression: str, layers: range) -> str:
    """Return a dict with the expression, in k, for every layer."""
    return f"{{k: {expression} for k in range({layers.start}, {layers.stop})}}"


def _linear(step: Whole, start: Whole) -> str:
    if isinstance(start, int):
        shift = f" {'+' if start > 0 else '-'} {abs(start)}" if start else ""
    else:
        shift = f" + {start}".replace("+ -", "- ")
    return f"{factor_text(step)} * k{shift}"
