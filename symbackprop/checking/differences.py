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
_EPSILON = float(np.finfo(np.float64).eps)


class Slope:
    """The derivative of ``sum(weights * line(t))`` at 0, from central differences.

    Each refinement adds a difference at a smaller step, and its extrapolations with those
    before it. Kept is the number that agrees best with the two it was made from: a kink
    within their steps sets them apart (Ridders 1982, Accurate computation of F'(x) and
    F'(x) F''(x)). Second differences must agree likewise, since a kink can lie just where
    its traces in the first ones cancel.

    Attributes:
        value: the derivative.
        spread: how far it is from the two numbers it was extrapolated from, at most.
        rounding: what it may be off by in float64.
        best: the last of the steps that it is from, by number.
    """

    def __init__(self, line: Line, weights: Array, start: float) -> None:
        self.value, self.spread, self.rounding, self.best = np.nan, np.inf, 0.0, 0
        self._line, self._weights, self._start = line, weights, start
        self._slopes: list[float] = []  # extrapolations that end at the last step
        self._curvatures: list[float] = []

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
        above, below = self._weights * self._line(step), self._weights * self._line(-step)
        rounding = _EPSILON * float(np.abs(above).sum() + np.abs(below).sum()) / step
        slope = float((above - below).sum()) / (2 * step)
        curvature = (float(above.sum()) + float(below.sum()) - 2 * self._start) / step**2
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


def slopes(lines: Sequence[Line], weights: Array, *, scale: float = 0.0, first: int = 0) -> Slopes:
    """Return the derivatives along lines from one point, each refined until resolved.

    Args:
        lines: at least one.
        weights: of the outputs, whose weighted sum is differentiated.
        scale: the derivative below which all count as 0.
        first: of ``STEPS``. Where kinks are many, the first line finds no use for coarse steps,
            and those after it do without.
    """
    start = float((weights * lines[0](0.0)).sum())
    found: list[Slope] = []
    for line in lines:
        slope = Slope(line, weights, start)
        slope.resolve(first, scale)
        if slope.spread < np.inf:
            scale = max(scale, abs(slope.value))
        found.append(slope)
        first = max(0, slope.best - ENOUGH + 1)
    return Slopes(
        np.array([s.value for s in found]),
        np.array([s.spread for s in found]),
        np.array([s.rounding for s in found]),
        first,
    )
