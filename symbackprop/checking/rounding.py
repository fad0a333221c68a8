"""How far rounding alone may move a module's results: as far as it does when its arguments move.

A gradient that is 0 but for rounding, as a bias's before a normalisation, is no larger than the
rounding of the terms that cancel. How large that is, only the module shows: its parameters and
inputs are moved to neighbouring numbers, which rounds every intermediate result anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from symbackprop.checking.subject import Array, Inputs, Sample

NUDGES = 2
# A result may be off by so many times what a nudge does, and by so many roundings of the largest
# number of all in any case.
TIMES, LEAST = 16, 4
# A nudge that does more than so many roundings of the largest number met a kink, or a pole.
MOST = 2.0**16
# Where the largest number is no larger than this, all are rounding: of terms that are about 1.
ZERO = 1e-12

Call = Callable[[Mapping[str, Array], Sample], Mapping[str, Array]]


def rounding(call: Call, params: Mapping[str, Array], sample: Sample) -> dict[str, float]:
    """Return by name what each of the results may be off by.

    Args:
        call: results by name; what they are summed from is no larger than the largest of them.
        params: at which point, in the dtype that is calculated in.
        sample: a batch.
    """
    first = call(params, sample)
    unit = _unit(first, sample.cotangent.dtype)
    near = dict.fromkeys(first, LEAST * unit)
    for seed in range(NUDGES):
        rng = np.random.default_rng(seed)
        x: Inputs
        if isinstance(sample.x, dict):
            x = {name: _nudged(array, rng) for name, array in sample.x.items()}
        else:
            x = _nudged(sample.x, rng)
        moved = replace(sample, x=x, cotangent=_nudged(sample.cotangent, rng))
        results = call({name: _nudged(array, rng) for name, array in params.items()}, moved)
        for name, value in first.items():
            gap = largest(np.subtract(results[name], value))
            near[name] = max(near[name], TIMES * min(gap, MOST * unit))
    return near


def units(arrays: Mapping[str, Array]) -> dict[str, float]:
    """Return by name what the rounding of float64 may do to arrays with so large numbers."""
    return dict.fromkeys(arrays, LEAST * _unit(arrays, np.dtype(np.float64)))


def flat(results: Mapping[str, Any]) -> dict[str, Array]:
    """Return copies by name; those of a dict of arrays as its name and theirs."""
    found: dict[str, Array] = {}
    for name, value in results.items():
        inner = value if isinstance(value, dict) else {"": value}
        found |= {f"{name}.{k}" if k else name: np.array(array) for k, array in inner.items()}
    return found


def largest(array: Array) -> float:
    """Return the largest number, disregarding signs; NaN is larger than all."""
    return float(np.abs(np.asarray(array, np.float64)).max(initial=0.0))


def _unit(arrays: Mapping[str, Array], kind: np.dtype[Any]) -> float:
    """Return a rounding of the largest number."""
    top = max(map(largest, arrays.values()), default=0.0)
    return float(np.finfo(kind).eps) * (top if not top <= ZERO else 1.0)


def _nudged(array: Array, rng: np.random.Generator) -> Array:
    """Return the array with every number moved to its neighbour above or below, or not at all."""
    if array.dtype.kind != "f":
        return array
    way = rng.choice([-np.inf, 0.0, np.inf], array.shape).astype(array.dtype)
    return np.where(way == 0, array, np.nextafter(array, way))
