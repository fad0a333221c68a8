"""Along which lines a comparison moves what it compares, for the work that it may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symbackprop.checking.differences import ENOUGH
from symbackprop.checking.directions import uphill
from symbackprop.checking.subject import Array, Sample

# Numbers read in all runs of all comparisons at one point, where one difference a line is enough.
WORK = 4_000_000_000
# What a call reads for no array, and how often it reads and writes what a layer gives.
OVERHEAD, PASSES = 10_000, 10
# Up to so many numbers in all, every one is moved by itself.
EVERY_ENTRY = 1000
# Of a larger tensor: so many of the largest and as many random entries, beside directions.
ENTRIES, DIRECTIONS = 8, 3
TOGETHER = "all parameters together"

Move = Mapping[str, Array]  # the direction in which each array moves; those not named stay


@dataclass(frozen=True)
class Effort:
    """How thorough one comparison may be.

    Attributes:
        work: how many numbers it may read.
        seed: of entries and directions: another one where the same gradient is compared again.
    """

    work: int
    seed: int

    def moves(
        self, arrays: Mapping[str, Array], gradient: Mapping[str, Array], sample: Sample
    ) -> dict[str, list[Move]]:
        """Return the moves to compare along, by tensor: as many as the work allows.

        Args:
            arrays: the point.
            gradient: the derived one.
            sample: what a run reads.
        """
        rng = np.random.default_rng(self.seed)
        real = {name: value for name, value in arrays.items() if value.dtype.kind == "f"}
        count = sum(value.size for value in real.values())
        lines = self.work // _reads(real, sample)
        if count <= EVERY_ENTRY and count <= lines:
            return {k: [_entry(k, v, place) for place in range(v.size)] for k, v in real.items()}
        if len(real) * (2 * ENTRIES + DIRECTIONS) <= lines:
            return {k: _sampled(k, v, gradient, rng) for k, v in real.items()}
        directions = min(DIRECTIONS, lines // len(real))
        if directions:
            return {k: _directions({k: v}, gradient, directions, rng) for k, v in real.items()}
        inputs = {k: v for k, v in real.items() if k == "x" or k.startswith("x.")}
        params = {k: v for k, v in real.items() if k not in inputs}
        groups = {TOGETHER: params, **{name: {name: value} for name, value in inputs.items()}}
        return {k: _directions(v, gradient, DIRECTIONS, rng) for k, v in groups.items()}

    def refines(
        self, moves: Mapping[str, Sequence[Move]], arrays: Mapping[str, Array], sample: Sample
    ) -> bool:
        """Whether the work allows more than one difference along each line."""
        real = {name: value for name, value in arrays.items() if value.dtype.kind == "f"}
        return ENOUGH * sum(map(len, moves.values())) * _reads(real, sample) <= self.work


def _reads(arrays: Mapping[str, Array], sample: Sample) -> int:
    """Return how many numbers one difference reads."""
    return 2 * (sample.read + PASSES * sample.kept + OVERHEAD * (len(arrays) + sample.arrays))


def _sampled(
    name: str, value: Array, gradient: Mapping[str, Array], rng: np.random.Generator
) -> list[Move]:
    if value.size <= 2 * ENTRIES:
        return [_entry(name, value, place) for place in range(value.size)]
    largest = np.argsort(-np.abs(gradient.get(name, value)), axis=None, kind="stable")[:ENTRIES]
    drawn = rng.integers(0, value.size, ENTRIES)
    places = sorted({int(place) for place in (*largest, *drawn) if place < value.size})
    entries = [_entry(name, value, place) for place in places]
    return [*entries, *_directions({name: value}, gradient, DIRECTIONS, rng)]


def _entry(name: str, value: Array, place: int) -> Move:
    direction = np.zeros(value.shape)
    direction.flat[place] = max(1.0, abs(float(value.flat[place])))
    return {name: direction}


def _directions(
    arrays: Mapping[str, Array],
    gradient: Mapping[str, Array],
    count: int,
    rng: np.random.Generator,
) -> list[Move]:
    return [uphill(arrays, gradient, rng) for _ in range(count)]
