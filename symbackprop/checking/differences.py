"""Numeric derivatives of a black box along lines, with an estimate of their own error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Line = Callable[[float], Array]  # the outputs at a distance from the point

# From coarse, where rounding is smallest, to fine, which kinks and poles close by may need.
RATIO = 4
STEPS = tuple(2.0**-7 / RATIO**power for power in range(8))
# Steps are refined until a slope's own error is within this part of the largest of its tensor.
RESOLUTION = 1e-8
# So many steps are enough where there is no kink: three, and one to spare.
ENOUGH = 4
# A difference within this part of the largest slope that its tensor should have is enough: at
# whatever step, it agrees so well for no other reason than that both are right.
AGREED = 3e-7
# Tried first are steps, within limits, that change the outputs by such parts of themselves.
CHANGES, NEAREST, FARTHEST = (2.0**-23, 2.0**-26), 2.0**-26, 2.0**-8
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Expected:
    """What a slope should be, and the largest slope of its tensor; nothing by default."""

    value: float = np.nan
    scale: float = 0.0


class Slope:
    """The derivative of ``sum(weights * line(t))`` at 0, from central differences.

    Each refinement adds a difference at a smaller step, and its extrapolations with those
    before it. Kept is the number that agrees best with the two it was made from: a kink
    within their steps sets them apart (Ridders 1982, Accurate computation of F'(x) and
    F'(x) F''(x)). Second differences must agree likewise, since a kink can lie just where
    its traces in the first ones cancel.

    Attributes:
        value: the derivative.
        spread: how far it is from the two numbers it was extrapolated from, at most; 0 where it
            is what was expected.
        rounding: what it may be off by in float64.
        best: the last of the steps that it is from, by number.
    """

    def __init__(self, line: Line, weights: Array, start: Array, expected: Expected) -> None:
        self.value, self.spread, self.rounding, self.best = np.nan, np.inf, 0.0, 0
        self._line, self._weights, self._start, self._expected = line, weights, start, expected
        self._slopes: list[float] = []  # extrapolations that end at the last step
        self._curvatures: list[float] = []

    def agrees(self) -> bool:
        """Whether a difference is what is expected: it is enough."""
        whole = float(np.abs(self._start).sum())
        for change in CHANGES:
            part = change * whole
            step = float(
                np.clip(part / (max(part, self._expected.scale) or 1.0), NEAREST, FARTHEST)
            )
            self._difference(step)
            if self.spread == 0:
                return True
        return False

    def _difference(self, step: float) -> tuple[float, float, float]:
        """Return slope and curvature from a step to either side, and what rounding does to it."""
        above, below = self._weights * self._line(step), self._weights * self._line(-step)
        rounding = _EPSILON * float(np.abs(above).sum() + np.abs(below).sum()) / step
        slope = float((above - below).sum()) / (2 * step)
        both, middle = float(above.sum()) + float(below.sum()), float(self._start.sum())
        within = AGREED * self._expected.scale
        if abs(slope - self._expected.value) <= within:
            self.value, self.spread, self.rounding = slope, 0.0, min(rounding, within)
        return slope, (both - 2 * middle) / step**2, rounding

    def resolve(self, first: int, scale: float) -> None:
        """Refine from the first step on, until the spread is small beside the scale.

        A spread ten times larger is small enough once a step does not better it: from there
        on, rounding grows.
        """
        for number in range(first, len(STEPS)):
            spread = self.spread
            self.refine(STEPS[number])
            better = self.spread < spread
            if better:
                self.best = number
            wanted = RESOLUTION * max(scale, abs(self.value)) * (1 if better else 10)
            if self.spread <= wanted + self.rounding:
                return

    def refine(self, step: float) -> None:
        """Take the next step, ``RATIO`` times smaller than the last one."""
        slope, curvature, rounding = self._difference(step)
        slopes, apart = _extrapolated(slope, self._slopes)
        curvatures, curved_apart = _extrapolated(curvature, self._curvatures)
        for value, gap, curved in zip(slopes[1:], apart, curved_apart, strict=True):
            # A kink of the curvature makes half this difference to the slope.
            spread = float(np.maximum(gap, curved * step / 2))  # NaN if either is
            if spread < self.spread:
                self.value, self.spread, self.rounding = value, spread, rounding
        self._slopes, self._curvatures = slopes, curvatures


def _extrapolated(value: float, last: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return extrapolations of rising order to step 0, and how far each is from its sources."""
    row, apart = [value], []
    for order, coarse in enumerate(last, start=1):
        better = row[-1] + (row[-1] - coarse) / (RATIO ** (2 * order) - 1)
        apart.append(max(abs(better - row[-1]), abs(better - coarse)))
        row.append(better)
    return row, apart


@dataclass(frozen=True)
class Slopes:
    """Derivatives along lines that belong together.

    Attributes:
        values: the derivatives.
        spreads: how far each is from what it was extrapolated from.
        rounding: what each may be off by in float64.
        first: the step of ``STEPS`` that a further line may begin with.
    """

    values: Array
    spreads: Array
    rounding: Array
    first: int

    @property
    def largest(self) -> float:
        """The largest derivative, disregarding signs."""
        return float(np.abs(self.values).max(initial=0.0))

    def within(self, error: float) -> bool:
        """Whether each is known up to this error and rounding: no kink was in its steps."""
        return bool(np.all(self.spreads <= error + self.rounding))


def slopes(
    lines: Sequence[Line],
    weights: Array,
    expected: Sequence[float] | Array = (),
    *,
    start: Array | None = None,
    scale: float = 0.0,
    first: int = 0,
) -> Slopes:
    """Return the derivatives along lines from one point, each refined until resolved.

    Args:
        lines: at least one.
        weights: of the outputs, whose weighted sum is differentiated.
        expected: what the derivatives should be; those that are so need no refinement.
        start: the outputs at the point, where known.
        scale: the derivative below which all count as 0.
        first: of ``STEPS``. Where kinks are many, the first line finds no use for coarse steps,
            and those after it do without.
    """
    largest = float(np.abs(expected).max(initial=0.0))
    wanted = [Expected(float(value), largest) for value in expected] or [Expected()] * len(lines)
    weighted = weights * (lines[0](0.0) if start is None else start)
    found: list[Slope] = []
    for line, one in zip(lines, wanted, strict=True):
        slope = Slope(line, weights, weighted, one)
        if not (len(expected) and slope.agrees()):
            slope.resolve(first, scale)
            first = max(0, slope.best - ENOUGH + 1)
        if slope.spread < np.inf:
            scale = max(scale, abs(slope.value))
        found.append(slope)
    return Slopes(
        np.array([s.value for s in found]),
        np.array([s.spread for s in found]),
        np.array([s.rounding for s in found]),
        first,
    )
