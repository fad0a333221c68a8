"""Directions along which many numbers move at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from symbackprop.checking.subject import Array

# All numbers move the way in which the derived gradient rises: the slope is then as steep as the
# gradient is large, which no rounding hides. Each moves by another part of this, lest errors that
# have the same size cancel.
LEAST, MOST = 0.5, 1.5


def uphill(
    arrays: Mapping[str, Array], gradient: Mapping[str, Array], rng: np.random.Generator
) -> dict[str, Array]:
    """Return a random direction uphill, of a length of about 1, in which every array moves as far.

    Args:
        arrays: what moves.
        gradient: the derived one, which may be missing or of another shape.
        rng: decides how far each number moves.
    """
    length = np.sqrt(sum(value.size for value in arrays.values()))
    return {name: _steps(gradient.get(name), value, rng) / length for name, value in arrays.items()}


def along(move: Mapping[str, Array], gradient: Mapping[str, Array]) -> float:
    """Return the derived slope; NaN where a gradient is missing or has another shape."""
    if any(k not in gradient or np.shape(gradient[k]) != v.shape for k, v in move.items()):
        return np.nan
    return float(sum(np.vdot(gradient[k], v) for k, v in move.items()))


def _steps(gradient: Array | None, start: Array, rng: np.random.Generator) -> Array:
    far = rng.uniform(LEAST, MOST, start.shape)
    side = np.where(rng.random(start.shape) < 0.5, -far, far)  # where nothing says what is up
    if gradient is None or np.shape(gradient) != start.shape:
        return side
    return np.where(gradient, np.copysign(far, gradient), side)
