"""NumPy's functions that pick elements by arrays of places, and windows of arrays."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from symbackprop.auditing.code.faults import Unknown
from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.arrays import shape_of
from symbackprop.auditing.code.interpreter.elementwise import SCALARS, mapped
from symbackprop.auditing.code.interpreter.joining import concatenate
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, nodes, plain
from symbackprop.auditing.code.interpreter.reductions import largest, smallest
from symbackprop.auditing.code.interpreter.registry import library
from symbackprop.auditing.code.interpreter.values import Array, Native


def _places(machine: Machine, indices: Any) -> Array:
    found = as_array(machine, indices)
    if found.dtype == object:
        raise machine.misused(found, "label", "places that are real numbers")
    return found


@library("numpy.take_along_axis")
def _take(machine: Machine, x: Any, indices: Any, axis: Any = -1) -> Any:
    places = _places(machine, indices)
    machine.spend(places.size)
    return np.take_along_axis(as_array(machine, x), places, axis)


@library("numpy.put_along_axis")
def _put(machine: Machine, x: Any, indices: Any, values: Any, axis: Any) -> None:
    target = as_array(machine, x)
    new = as_array(machine, values)
    real = target.dtype == object
    np.put_along_axis(target, _places(machine, indices), nodes(machine, new) if real else new, axis)


@library("numpy.ix_")
def _crossed(machine: Machine, *indices: Any) -> Any:
    return np.ix_(*(_places(machine, i) for i in indices))


@library("numpy.ndindex")
def _indices(machine: Machine, *shape: Any) -> Any:
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
    extents = shape_of(machine, tuple(given))
    machine.spend(int(np.prod(extents, dtype=int)))
    return list(np.ndindex(*extents))


@library("numpy.ndenumerate")
def _numbered(machine: Machine, x: Any) -> Any:
    source = as_array(machine, x)
    machine.spend(source.size)
    return [(place, plain(source[place])) for place in np.ndindex(*source.shape)]


@library("numpy.broadcast_arrays")
def _broadcast(machine: Machine, *arrays: Any) -> Any:
    sources = [as_array(machine, a) for a in arrays]
    shape = operators.broadcast(machine, *(s.shape for s in sources))
    machine.spend(len(sources) * int(np.prod(shape, dtype=int)))
    return [np.broadcast_to(s, shape) for s in sources]


@library("numpy.lib.stride_tricks.sliding_window_view")
def _windows(machine: Machine, x: Any, window_shape: Any, axis: Any = None) -> Any:
    given = window_shape if isinstance(window_shape, tuple | list) else (window_shape,)
    extents = shape_of(machine, tuple(given))
    view = np.lib.stride_tricks.sliding_window_view(as_array(machine, x), extents, axis)
    machine.spend(view.size)
    return view


@library("numpy.dstack")
def _dstack(machine: Machine, values: Any) -> Any:
    return concatenate(machine, [np.atleast_3d(as_array(machine, v)) for v in values], 2)


@library("numpy.cumprod")
def _cumprod(machine: Machine, x: Any, axis: Any = None) -> Any:
    return np.cumprod(as_array(machine, x), axis=axis)


@library("numpy.ptp")
def _range(machine: Machine, x: Any, axis: Any = None) -> Any:
    high, low = largest(machine, x, axis), smallest(machine, x, axis)
    return operators.binary(machine, "sub", operator.sub, high, low, False)


@library("numpy.hypot")
def _hypot(machine: Machine, a: Any, b: Any) -> Any:
    one, other = (mapped(machine, SCALARS["square"], side) for side in (a, b))
    total = operators.binary(machine, "add", operator.add, one, other, False)
    return mapped(machine, SCALARS["sqrt"], total)


@library("numpy.correlate")
def _correlate(machine: Machine, x: Any, kernel: Any, mode: Any = "valid") -> Any:
    a, k = nodes(machine, as_array(machine, x)), nodes(machine, as_array(machine, kernel))
    if a.ndim != 1 or k.ndim != 1 or not a.size or not k.size:
        raise machine.misused(a, "rank 1", "a correlation of what is no vector")
    if k.size > a.size:
        raise Unknown("a correlation with a longer kernel", machine.here[1])
    edge = {"valid": 0, "full": k.size - 1}.get(str(mode), k.size // 2)
    machine.spend(a.size * k.size)
    zeros = np.full(edge, machine.number(0), dtype=object)
    padded = np.concatenate([zeros, a, zeros])
    count = a.size if mode == "same" else a.size + 2 * edge - k.size + 1
    return np.array([padded[i : i + k.size].dot(k) for i in range(count)], dtype=object)


@library("numpy.convolve")
def _convolve(machine: Machine, x: Any, kernel: Any, mode: Any = "full") -> Any:
    if mode == "same":
        raise Unknown("a convolution of the same length", machine.here[1])
    return _correlate(machine, x, as_array(machine, kernel)[::-1], mode)


@library("numpy.vectorize")
def _vectorized(machine: Machine, function: Any, **options: Any) -> Any:
    """A function of numbers as one of arrays."""
    return Native(
        "vectorized",
        lambda machine, x: mapped(machine, lambda m, u: m.node(m.call(function, [u], {})), x),
    )
