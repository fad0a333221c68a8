"""NumPy's functions that make arrays, and those that arrange their elements anew."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.faults import Mismatch, Raised
from symbackprop.auditing.code.interpreter.elementwise import cast
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, count, plain
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS, Call, dtype_kind, library
from symbackprop.auditing.code.interpreter.values import Array, Tensor


def shape_of(machine: Machine, shape: Any) -> tuple[int, ...]:
    """Return a shape that was given as a number, a sequence or an array."""
    if isinstance(shape, Tensor):
        shape = shape.array
    if isinstance(shape, list | tuple | np.ndarray):
        return tuple(machine.integer(extent, "an extent") for extent in shape)
    return (machine.integer(shape, "an extent"),)


def filled(machine: Machine, shape: Any, value: Any, dtype: Any = None) -> Array:
    """Return an array that holds one value everywhere."""
    extents = shape_of(machine, shape)
    if any(extent < 0 for extent in extents):
        raise Raised("ValueError", "negative dimensions are not allowed", machine.here[1])
    machine.spend(count(extents))
    kind = dtype_kind(machine, dtype)
    if kind != "real":
        return np.full(extents, int(machine.integer(value)), dtype=int if kind == "int" else bool)
    made = np.empty(extents, dtype=object)
    made[...] = machine.node(value)
    return made


@library("numpy.zeros", "numpy.empty")
def _zeros(machine: Machine, shape: Any, dtype: Any = None, order: Any = None) -> Any:
    return filled(machine, shape, 0, dtype)


@library("numpy.ones")
def _ones(machine: Machine, shape: Any, dtype: Any = None, order: Any = None) -> Any:
    return filled(machine, shape, 1, dtype)


@library("numpy.full")
def _full(machine: Machine, shape: Any, value: Any, dtype: Any = None) -> Any:
    return filled(machine, shape, value, dtype)


def _like(machine: Machine, x: Any, value: Any, dtype: Any) -> Array:
    array = as_array(machine, x)
    if dtype is None and array.dtype != object:
        return np.full(array.shape, int(machine.integer(value)), dtype=array.dtype)
    return filled(machine, array.shape, value, dtype)


@library("numpy.zeros_like", "numpy.empty_like")
def _zeros_like(machine: Machine, x: Any, dtype: Any = None) -> Any:
    return _like(machine, x, 0, dtype)


@library("numpy.ones_like")
def _ones_like(machine: Machine, x: Any, dtype: Any = None) -> Any:
    return _like(machine, x, 1, dtype)


@library("numpy.full_like")
def _full_like(machine: Machine, x: Any, value: Any, dtype: Any = None) -> Any:
    return _like(machine, x, value, dtype)


@library("numpy.eye", "numpy.identity")
def _eye(machine: Machine, n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    rows = machine.integer(n, "an extent")
    columns = rows if m is None else machine.integer(m, "an extent")
    machine.spend(rows * columns)
    return cast(machine, np.eye(rows, columns, machine.integer(k), dtype=int), dtype)


@library("numpy.arange")
def arange(machine: Machine, start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """Return a range as an array; of integers alone."""
    if stop is None:
        start, stop = 0, start
    first, last, by = (machine.integer(v, "a bound of a range") for v in (start, stop, step))
    if by == 0:
        raise Raised("ZeroDivisionError", "a step of zero", machine.here[1])
    machine.spend(max(0, (last - first) // by + 1))
    found = np.arange(first, last, by)
    return found if dtype is None else cast(machine, found, dtype)


@library("numpy.linspace")
def _linspace(machine: Machine, start: Any, stop: Any, num: Any = 50) -> Any:
    first, last, steps = machine.node(start), machine.node(stop), machine.integer(num)
    machine.spend(steps)
    made = np.empty((steps,), dtype=object)
    for index in range(steps):
        made[index] = first + (last - first) * Fraction(index, max(steps - 1, 1))
    return made


@library("numpy.array", "numpy.asarray", "numpy.asanyarray", "numpy.copy", "numpy.matrix")
def array(machine: Machine, x: Any, dtype: Any = None, copy: Any = True, ndmin: Any = 0) -> Any:
    """Return a value as an array of its own."""
    made = as_array(machine, x)
    return made.copy() if dtype is None else cast(machine, made, dtype)


FUNCTIONS["numpy.asarray"] = lambda machine, x, dtype=None: (
    as_array(machine, x)
    if dtype is None or as_array(machine, x).dtype == object
    else cast(machine, x, dtype)
)


def axis_of(machine: Machine, x: Array, axis: Any) -> Any:
    """Return an axis, or several, that the array has.

    Raises:
        Misused: If an input has not so many.
    """
    if axis is None:
        return None
    if isinstance(axis, tuple | list):
        return tuple(axis_of(machine, x, a) for a in axis)
    place = machine.integer(axis, "an axis")
    if not -x.ndim <= place < x.ndim:
        message = f"axis {place} is out of bounds for an array of dimension {x.ndim}"
        raise machine.misused(x, "rank", message)
    return place


@library("numpy.reshape")
def reshape(machine: Machine, x: Any, *shape: Any, newshape: Any = None, order: Any = "C") -> Any:
    """Return an array with the same elements and another shape."""
    source = as_array(machine, x)
    given = newshape if newshape is not None else shape[0] if len(shape) == 1 else shape
    extents = shape_of(machine, given)
    known = count([e for e in extents if e != -1])
    total = source.size
    fits = known == total if -1 not in extents else known and total % known == 0
    if not fits:
        message = f"cannot reshape array of size {total} into shape {extents}"
        raise Mismatch(message, total, known, machine.here[1])
    return source.reshape(extents, order=str(order))


@library("numpy.transpose")
def transpose(machine: Machine, x: Any, *axes: Any) -> Any:
    """Return an array with its axes in another order."""
    source = as_array(machine, x)
    if not axes or axes[0] is None:
        return source.transpose()
    given = axes[0] if isinstance(axes[0], tuple | list) else axes
    if len(given) != source.ndim:
        message = f"{len(given)} axes for an array of shape {source.shape}"
        raise machine.misused(source, f"rank {len(given)}", message)
    return source.transpose(tuple(axis_of(machine, source, a) for a in given))


@library("numpy.squeeze")
def _squeeze(machine: Machine, x: Any, axis: Any = None) -> Any:
    source = as_array(machine, x)
    found = np.squeeze(source, axis_of(machine, source, axis))
    return found if found.shape else plain(found[()])


@library("numpy.expand_dims")
def _expand(machine: Machine, x: Any, axis: Any) -> Any:
    source = as_array(machine, x)
    return np.expand_dims(source, machine.integer(axis))


@library("numpy.ravel")
def ravel(machine: Machine, x: Any, order: Any = "C") -> Any:
    """Return the elements in one axis."""
    return as_array(machine, x).ravel()


@library("numpy.swapaxes")
def _swapaxes(machine: Machine, x: Any, a: Any, b: Any) -> Any:
    source = as_array(machine, x)
    return source.swapaxes(axis_of(machine, source, a), axis_of(machine, source, b))


@library("numpy.moveaxis")
def _moveaxis(machine: Machine, x: Any, source: Any, destination: Any) -> Any:
    return np.moveaxis(as_array(machine, x), source, destination)


@library("numpy.rollaxis")
def _rollaxis(machine: Machine, x: Any, axis: Any, start: Any = 0) -> Any:
    return np.rollaxis(as_array(machine, x), machine.integer(axis), machine.integer(start))


@library("numpy.broadcast_to")
def _broadcast_to(machine: Machine, x: Any, shape: Any) -> Any:
    extents = shape_of(machine, shape)
    machine.spend(count(extents))
    return np.broadcast_to(as_array(machine, x), extents).copy()


@library("numpy.flip")
def _flip(machine: Machine, x: Any, axis: Any = None) -> Any:
    source = as_array(machine, x)
    return np.flip(source, axis_of(machine, source, axis))


FUNCTIONS["numpy.flipud"] = lambda machine, x: np.flip(as_array(machine, x), 0)
FUNCTIONS["numpy.fliplr"] = lambda machine, x: np.flip(as_array(machine, x), 1)


@library("numpy.rot90")
def _rot90(machine: Machine, x: Any, k: Any = 1, axes: Any = (0, 1)) -> Any:
    return np.rot90(as_array(machine, x), machine.integer(k), tuple(axes))


@library("numpy.roll")
def _roll(machine: Machine, x: Any, shift: Any, axis: Any = None) -> Any:
    source = as_array(machine, x)
    return np.roll(source, machine.integer(shift), axis_of(machine, source, axis))


@library("numpy.take")
def _take(machine: Machine, x: Any, indices: Any, axis: Any = None) -> Any:
    source, places = as_array(machine, x), as_array(machine, indices)
    if places.dtype == object:
        raise machine.misused(places, "label", "real numbers as indices")
    machine.spend(source.size * max(places.size, 1))
    return plain(np.take(source, places, axis_of(machine, source, axis)))


@library("numpy.diag", "numpy.diagonal")
def _diag(machine: Machine, x: Any, k: Any = 0) -> Any:
    source = as_array(machine, x)
    if source.ndim != 1:
        return np.diagonal(source, machine.integer(k)).copy()
    machine.spend(source.size**2)
    made = filled(machine, (source.size, source.size), 0)
    for index in range(source.size):
        made[index, index] = machine.node(source[index])
    return made


FUNCTIONS["numpy.diagflat"] = lambda machine, x: _diag(machine, as_array(machine, x).ravel())


def _triangle(machine: Machine, x: Any, k: Any, lower: bool) -> Any:
    source = as_array(machine, x)
    rows, columns = source.shape[-2:]
    mask = np.tri(rows, columns, machine.integer(k) - (not lower), dtype=bool)
    nothing: Any = machine.number(0) if source.dtype == object else 0
    return np.where(mask == lower, source, nothing)


FUNCTIONS["numpy.tril"] = lambda machine, x, k=0: _triangle(machine, x, k, True)
FUNCTIONS["numpy.triu"] = lambda machine, x, k=0: _triangle(machine, x, k, False)


def _raised(function: Callable[..., Any]) -> Call:
    """A function that gives arrays axes; a list of them, where it is given several."""

    def run(machine: Machine, x: Any, *others: Any) -> Any:
        found = [function(as_array(machine, value)) for value in (x, *others)]
        return found if others else found[0]

    return run


FUNCTIONS["numpy.atleast_1d"] = _raised(np.atleast_1d)
FUNCTIONS["numpy.atleast_2d"] = _raised(np.atleast_2d)


@library("numpy.shape")
def _shape(machine: Machine, x: Any) -> Any:
    return as_array(machine, x).shape


@library("numpy.size")
def _size(machine: Machine, x: Any, axis: Any = None) -> Any:
    source = as_array(machine, x)
    return source.size if axis is None else source.shape[axis_of(machine, source, axis)]


@library("numpy.ndim")
def _ndim(machine: Machine, x: Any) -> Any:
    return as_array(machine, x).ndim


@library("numpy.meshgrid")
def _meshgrid(machine: Machine, *values: Any, indexing: Any = "xy") -> Any:
    parts = [as_array(machine, v) for v in values]
    machine.spend(count([p.size for p in parts]) * len(parts))
    return [np.array(g) for g in np.meshgrid(*parts, indexing=indexing)]


@library("numpy.isscalar")
def _isscalar(machine: Machine, x: Any) -> bool:
    return isinstance(x, Node | int)


@library("numpy.unravel_index")
def _unravel(machine: Machine, index: Any, shape: Any) -> Any:
    found = np.unravel_index(machine.integer(index), shape_of(machine, shape))
    return tuple(int(i) for i in found)


@library("numpy.indices")
def _indices(machine: Machine, shape: Any) -> Any:
    extents = shape_of(machine, shape)
    machine.spend(count(extents) * len(extents))
    return np.indices(extents)


@library("numpy.array_equal")
def _array_equal(machine: Machine, a: Any, b: Any) -> Any:
    left, right = as_array(machine, a), as_array(machine, b)
    return left.shape == right.shape and bool(np.all(left == right))
