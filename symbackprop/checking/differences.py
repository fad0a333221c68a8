"""Numeric derivatives of a black box along lines, with an estimate of their own error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Line = Callable[[float], Array]  # the outputs at a distance from the point

# From coarse, where rounding is smallest, to fine, which kinks and poles close by may need.
STEPS = tuple(2.0**-power for power in (7, 10, 13, 16, 19))
# A difference is used if its own error is within this part of the largest of its tensor.
RESOLUTION = 1e-8
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Slope:
    """A derivative: ``spread`` is how far two orders of extrapolation differ."""

    value: float
    spread: float
    rounding: float


def slope(line: Line, weights: Array, step: float) -> Slope:
    """Return the derivative of ``sum(weights * line(t))`` at 0.

    Central differences at three distances, extrapolated to an error of order step**6
    (Richardson). Where the line has a kink within the step, the orders disagree.
    """

    def central(length: float) -> tuple[float, float]:
        above, below = weights * line(length), weights * line(-length)
        noise = _EPSILON * float(np.abs(above).sum() + np.abs(below).sum()) / length
        return float((above - below).sum()) / (2 * length), noise

    (coarse, _), (middle, _), (fine, noise) = (central(step / part) for part in (1, 2, 4))
    lower, higher = (4 * middle - coarse) / 3, (4 * fine - middle) / 3
    best = (16 * higher - lower) / 15
    return Slope(best, abs(best - higher), noise)


@dataclass(frozen=True)
class Slopes:
    """Derivatives along lines that belong together.

    ``rounding`` is what each may be off by in float64; ``resolved`` is false where some line
    met a kink at every step that was tried.
    """

    values: Array
    rounding: Array
    resolved: bool

    @property
    def largest(self) -> float:
        """The largest derivative, disregarding signs."""
        return float(np.abs(self.values).max(initial=0.0))


def slopes(lines: Sequence[Line], weights: Array, unit: float = 1.0) -> Slopes:
    """Return the derivatives along the lines, each at the first step that resolves it."""
    found = [slope(line, weights, STEPS[0] * unit) for line in lines]
    for step in STEPS[1:]:
        for k in _unresolved(found):
            again = slope(lines[k], weights, step * unit)
            if not found[k].spread <= again.spread:
                found[k] = again
    return Slopes(
        np.array([s.value for s in found]),
        np.array([s.rounding for s in found]),
        not _unresolved(found),
    )


def _unresolved(found: Sequence[Slope]) -> list[int]:
    values = np.abs([s.value for s in found])
    largest = float(values[np.isfinite(values)].max(initial=0.0))
    return [k for k, s in enumerate(found) if not s.spread <= RESOLUTION * largest + s.rounding]
