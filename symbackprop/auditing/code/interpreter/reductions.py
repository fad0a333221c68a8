"""NumPy's reductions, products of arrays, searches, and random numbers."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from symbackprop.auditing.code.faults import Mismatch, Unknown
from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.arrays import axis_of, filled
from symbackprop.auditing.code.interpreter.elementwise import SCALARS, mapped, stored, truths
from symbackprop.auditing.code.interpreter.indexing import converted
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, count, nodes, plain
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS, Call, library


def _reduced(machine: Machine, function: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    source = as_array(machine, x)
    machine.spend(source.size)
    place = axis_of(machine, source, axis)
    if source.dtype == bool:
        source = source.astype(int)
    if not source.size and source.dtype == object:
        return (
            machine.number(0)
            if place is None
            else filled(machine, np.zeros(source.shape).sum(axis=place).shape, 0)
        )
    if source.ndim == 0:
        return plain(source[()])
    found = function.reduce(source, axis=place, keepdims=bool(keepdims))
    return plain(found)


@library("numpy.sum", "numpy.nansum", "numpy.add.reduce")
def total(
    machine: Machine,
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = 0,
) -> Any:
    """Return the sum over axes."""
    return stored(machine, _reduced(machine, np.add, x, axis, keepdims), out)


@library("numpy.prod", "math.prod")
def _product(machine: Machine, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return _reduced(machine, np.multiply, x, axis, keepdims)


def _extreme(function: Any) -> Call:
    """The largest or the smallest element over axes."""

    def call(
        machine: Machine, x: Any, axis: Any = None, out: Any = None, keepdims: Any = False
    ) -> Any:
        return stored(machine, _reduced(machine, function, x, axis, keepdims), out)

    return call


largest = library("numpy.max", "numpy.amax", "numpy.nanmax")(_extreme(np.maximum))
smallest = library("numpy.min", "numpy.amin", "numpy.nanmin")(_extreme(np.minimum))


def reduced_count(machine: Machine, x: Any, axis: Any) -> int:
    """Return how many elements are reduced to one."""
    source = as_array(machine, x)
    place = axis_of(machine, source, axis)
    if place is None:
        return int(source.size)
    places = place if isinstance(place, tuple) else (place,)
    return count([source.shape[p] for p in places])


def over(machine: Machine, x: Any, divisor: Any) -> Any:
    """Return x / divisor."""
    return operators.binary(machine, "truediv", operator.truediv, x, divisor, False)


@library("numpy.mean", "numpy.nanmean")
def mean(
    machine: Machine,
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
) -> Any:
    """Return the mean over axes."""
    size = reduced_count(machine, x, axis)
    if not size:
        raise Unknown("a mean of nothing", machine.here[1])
    return stored(machine, over(machine, total(machine, x, axis, keepdims=keepdims), size), out)


@library("numpy.average")
def _average(machine: Machine, x: Any, axis: Any = None, weights: Any = None) -> Any:
    if weights is None:
        return mean(machine, x, axis)
    weighted = operators.binary(machine, "mul", operator.mul, as_array(machine, x), weights, False)
    return over(machine, total(machine, weighted, axis), total(machine, weights))


@library("numpy.var")
def var(
    machine: Machine,
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
) -> Any:
    """Return the variance over axes."""
    source = as_array(machine, x)
    centre = mean(machine, source, axis, keepdims=True)
    apart = operators.binary(machine, "sub", operator.sub, source, centre, False)
    squares = operators.binary(machine, "mul", operator.mul, apart, apart, False)
    size = reduced_count(machine, x, axis) - machine.integer(ddof)
    return over(machine, total(machine, squares, axis, keepdims=keepdims), size)


@library("numpy.std")
def std(
    machine: Machine,
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
) -> Any:
    """Return the standard deviation over axes."""
    found = var(machine, x, axis, ddof=ddof, keepdims=keepdims)
    return FUNCTIONS["numpy.sqrt"](machine, found)


def _searched(machine: Machine, function: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    source = as_array(machine, x)
    machine.spend(source.size)
    if source.dtype == bool:
        source = source.astype(int)
    found = function(source, axis=axis_of(machine, source, axis))
    if keepdims and axis is not None:
        found = np.expand_dims(found, axis)
    return plain(found)


def _place_of(function: Any) -> Call:
    """Where the largest or the smallest element is."""
    return lambda machine, x, axis=None, keepdims=False: _searched(
        machine, function, x, axis, keepdims
    )


argmax = library("numpy.argmax", "numpy.nanargmax")(_place_of(np.argmax))
argmin = library("numpy.argmin", "numpy.nanargmin")(_place_of(np.argmin))


@library("numpy.argsort")
def _argsort(machine: Machine, x: Any, axis: Any = -1) -> Any:
    return np.argsort(as_array(machine, x), axis=axis)


@library("numpy.sort")
def _sort(machine: Machine, x: Any, axis: Any = -1) -> Any:
    return np.sort(as_array(machine, x), axis=axis)


@library("numpy.cumsum")
def _cumsum(machine: Machine, x: Any, axis: Any = None) -> Any:
    return np.cumsum(as_array(machine, x), axis=axis)


@library("numpy.any")
def _any(machine: Machine, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return plain(np.any(truths(machine, x), axis=axis, keepdims=bool(keepdims)))


@library("numpy.all", "numpy.alltrue")
def _all(machine: Machine, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return plain(np.all(truths(machine, x), axis=axis, keepdims=bool(keepdims)))


@library("numpy.count_nonzero")
def _count_nonzero(machine: Machine, x: Any, axis: Any = None) -> Any:
    return plain(np.count_nonzero(truths(machine, x), axis=axis))


@library("numpy.nonzero")
def _nonzero(machine: Machine, x: Any) -> Any:
    return tuple(np.nonzero(truths(machine, x)))


@library("numpy.flatnonzero")
def _flat_nonzero(machine: Machine, x: Any) -> Any:
    return np.flatnonzero(truths(machine, x))


@library("numpy.argwhere")
def _argwhere(machine: Machine, x: Any) -> Any:
    return np.argwhere(truths(machine, x))


@library("numpy.unique")
def _unique(machine: Machine, x: Any) -> Any:
    source = as_array(machine, x)
    if source.dtype == object:
        raise machine.misused(source, "label", "unique of real numbers")
    return np.unique(source)


@library("numpy.bincount")
def _bincount(machine: Machine, x: Any, weights: Any = None, minlength: Any = 0) -> Any:
    source = as_array(machine, x)
    if source.dtype == object:
        raise machine.misused(source, "label", "bincount of real numbers")
    size = max(int(source.max(initial=-1)) + 1, machine.integer(minlength))
    machine.spend(size)
    made = filled(machine, (size,), 0)
    for place, index in enumerate(source):
        made[index] = made[index] + (1 if weights is None else weights[place])
    return made


@library("numpy.dot", "numpy.inner")
def dot(machine: Machine, a: Any, b: Any, out: Any = None) -> Any:
    """Return the product of two arrays, as ``np.dot``."""
    return stored(machine, operators.dot(machine, a, b), out)


@library("numpy.matmul", "numpy.linalg.matmul")
def _matmul(machine: Machine, a: Any, b: Any, out: Any = None) -> Any:
    return stored(
        machine, operators.matmul(machine, as_array(machine, a), as_array(machine, b)), out
    )


@library("numpy.vdot")
def _vdot(machine: Machine, a: Any, b: Any) -> Any:
    return operators.dot(machine, as_array(machine, a).ravel(), as_array(machine, b).ravel())


@library("numpy.copysign")
def _copysign(machine: Machine, a: Any, b: Any, out: Any = None) -> Any:
    sizes, signs = mapped(machine, SCALARS["abs"], a), mapped(machine, SCALARS["sign"], b)
    product = operators.binary(machine, "mul", operator.mul, sizes, signs, False)
    return stored(machine, product, out)


@library("numpy.vecdot")
def _vecdot(machine: Machine, a: Any, b: Any, axis: Any = -1) -> Any:
    product = operators.binary(machine, "mul", operator.mul, a, b, False)
    return FUNCTIONS["numpy.sum"](machine, product, axis=axis)


@library("numpy.inner")
def _inner(machine: Machine, a: Any, b: Any) -> Any:
    right = as_array(machine, b)
    return operators.dot(machine, a, right.swapaxes(-1, -2) if right.ndim > 1 else right)


@library("numpy.outer")
def _outer(machine: Machine, a: Any, b: Any) -> Any:
    left, right = as_array(machine, a).reshape(-1, 1), as_array(machine, b).reshape(1, -1)
    return operators.arrays(machine, "mul", operator.mul, left, right)


@library("numpy.einsum")
def einsum(machine: Machine, formula: Any, *operands: Any, optimize: Any = False) -> Any:
    """Return a sum of products by Einstein's convention."""
    parts = [nodes(machine, as_array(machine, o)) for o in operands]
    extents: dict[str, int] = {}
    letters = str(formula).replace(" ", "").split("->")[0].split(",")
    if len(letters) != len(parts) or "." in str(formula):
        raise Unknown(f"einsum {formula!r}", machine.here[1])
    for names, part in zip(letters, parts, strict=True):
        if len(names) != part.ndim:
            message = f"einsum: {names!r} for shape {part.shape}"
            raise machine.misused(part, f"rank {len(names)}", message)
        for name, extent in zip(names, part.shape, strict=True):
            if extents.setdefault(name, extent) != extent:
                raise Mismatch(f"einsum: {name!r}", extents[name], extent, machine.here[1])
    machine.spend(count(list(extents.values())), False)
    return plain(np.einsum(formula, *parts, optimize=False))


@library("numpy.tensordot")
def _tensordot(machine: Machine, a: Any, b: Any, axes: Any = 2) -> Any:
    left, right = nodes(machine, as_array(machine, a)), nodes(machine, as_array(machine, b))
    machine.spend(left.size * max(1, right.size // max(right.shape, default=1)), False)
    return plain(np.tensordot(left, right, axes))


@library("numpy.kron")
def _kron(machine: Machine, a: Any, b: Any) -> Any:
    left, right = nodes(machine, as_array(machine, a)), nodes(machine, as_array(machine, b))
    machine.spend(left.size * right.size)
    return np.kron(left, right)


@library("numpy.trace")
def _trace(machine: Machine, x: Any) -> Any:
    return total(machine, np.diagonal(as_array(machine, x)))


@library("numpy.linalg.norm")
def norm(machine: Machine, x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the norm: Euclidean, of first order, or the largest."""
    source = as_array(machine, x)
    if ord == 1 and (axis is not None or source.ndim == 1):
        return total(machine, FUNCTIONS["numpy.abs"](machine, source), axis, keepdims=keepdims)
    if ord not in (None, 2, "fro") or (ord == 2 and axis is None and source.ndim != 1):
        raise Unknown(f"a norm of order {ord!r}", machine.here[1])
    squares = operators.arrays(machine, "mul", operator.mul, source, source)
    return FUNCTIONS["numpy.sqrt"](machine, total(machine, squares, axis, keepdims=keepdims))


@library("numpy.linalg.qr")
def _qr(machine: Machine, x: Any) -> Any:
    rows, columns = as_array(machine, x).shape
    small = min(rows, columns)
    return machine.random("normal", (rows, small)), machine.random("normal", (small, columns))


@library("numpy.add.at", "numpy.subtract.at")
def _add_at(machine: Machine, x: Any, indices: Any, values: Any) -> None:
    target = as_array(machine, x)
    places = np.empty(target.shape, dtype=int)
    places.reshape(-1)[:] = np.arange(target.size)
    chosen = np.asarray(places[converted(machine, indices)])
    machine.spend(chosen.size)
    new = np.broadcast_to(nodes(machine, as_array(machine, values)), chosen.shape)
    flat = target.reshape(-1)
    if not np.shares_memory(flat, target):
        raise Unknown("add.at on an array that is not contiguous", machine.here[1])
    for place, value in zip(chosen.ravel(), new.ravel(), strict=True):
        flat[place] = flat[place] + value


FUNCTIONS["numpy.linalg.multi_dot"] = lambda machine, parts: _product_of(machine, list(parts))


def _product_of(machine: Machine, parts: list[Any]) -> Any:
    result = parts[0]
    for part in parts[1:]:
        result = operators.dot(machine, result, part)
    return result
