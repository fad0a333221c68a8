"""NumPy's functions that join, repeat, pad and part arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from symbackprop.auditing.code.faults import Mismatch, Raised, Unknown
from symbackprop.auditing.code.interpreter.arrays import axis_of, filled, shape_of
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, count, nodes
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS, library
from symbackprop.auditing.code.interpreter.values import Array


def _parts(machine: Machine, values: Any) -> list[Array]:
    parts = [as_array(machine, v) for v in values]
    machine.spend(sum(p.size for p in parts))
    real = any(p.dtype == object for p in parts)
    return [nodes(machine, p) if real else p for p in parts]


@library("numpy.concatenate")
def concatenate(machine: Machine, values: Any, axis: Any = 0) -> Any:
    """Return arrays joined along an axis."""
    if axis is None:
        return np.concatenate([p.ravel() for p in _parts(machine, values)])
    parts = _parts(machine, values)
    if not parts:
        raise Raised("ValueError", "nothing to concatenate", machine.here[1])
    place = axis_of(machine, parts[0], axis)
    _alike(machine, parts, place)
    return np.concatenate(parts, axis=place)


def _alike(machine: Machine, parts: list[Array], axis: int) -> None:
    for part in parts[1:]:
        if part.ndim != parts[0].ndim:
            message = f"arrays of {parts[0].ndim} and {part.ndim} dimensions are joined"
            small = min(parts[0], part, key=lambda p: p.ndim)
            raise machine.misused(small, "rank", message)
        for place, (left, right) in enumerate(zip(parts[0].shape, part.shape, strict=True)):
            if left != right and place != axis % part.ndim:
                message = f"arrays of shapes {parts[0].shape} and {part.shape} are joined"
                raise Mismatch(message, left, right, machine.here[1])


@library("numpy.hstack")
def _hstack(machine: Machine, values: Any) -> Any:
    parts = [np.atleast_1d(p) for p in _parts(machine, values)]
    return concatenate(machine, parts, 0 if parts[0].ndim == 1 else 1)


@library("numpy.vstack", "numpy.row_stack")
def _vstack(machine: Machine, values: Any) -> Any:
    return concatenate(machine, [np.atleast_2d(p) for p in _parts(machine, values)], 0)


@library("numpy.column_stack")
def _column_stack(machine: Machine, values: Any) -> Any:
    parts = [p.reshape(-1, 1) if p.ndim < 2 else p for p in _parts(machine, values)]
    return concatenate(machine, parts, 1)


@library("numpy.stack")
def _stack(machine: Machine, values: Any, axis: Any = 0) -> Any:
    parts = _parts(machine, values)
    _alike(machine, parts, parts[0].ndim)
    return np.stack(parts, axis=machine.integer(axis))


@library("numpy.append")
def _append(machine: Machine, x: Any, values: Any, axis: Any = None) -> Any:
    return concatenate(machine, [x, values], axis)


@library("numpy.insert")
def _insert(machine: Machine, x: Any, place: Any, values: Any, axis: Any = None) -> Any:
    source = nodes(machine, as_array(machine, x))
    where = machine.integer(place, "a place")
    machine.spend(source.size * 2)
    several = isinstance(values, np.ndarray | list)
    new: Any = nodes(machine, as_array(machine, values)) if several else machine.node(values)
    return np.insert(source, where, new, axis_of(machine, source, axis))


@library("numpy.delete")
def _delete(machine: Machine, x: Any, place: Any, axis: Any = None) -> Any:
    source = as_array(machine, x)
    return np.delete(source, machine.integer(place), axis_of(machine, source, axis))


@library("numpy.tile")
def _tile(machine: Machine, x: Any, reps: Any) -> Any:
    source, times = as_array(machine, x), shape_of(machine, reps)
    machine.spend(source.size * count(times))
    return np.tile(source, times)


@library("numpy.repeat")
def _repeat(machine: Machine, x: Any, repeats: Any, axis: Any = None) -> Any:
    source = as_array(machine, x)
    if isinstance(repeats, np.ndarray | list):
        raise Unknown("repeat by an array", machine.here[1])
    times = machine.integer(repeats, "a number of repetitions")
    machine.spend(source.size * max(times, 0))
    return np.repeat(source, times, axis_of(machine, source, axis))


@library("numpy.pad", "numpy.lib.pad")
def _pad(
    machine: Machine, array: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = 0
) -> Any:
    source = as_array(machine, array)
    if mode != "constant":
        raise Unknown(f"padding of mode {mode!r}", machine.here[1])
    widths = np.asarray(_nested(machine, pad_width))
    both = (
        np.broadcast_to(widths, (source.ndim, 2))
        if widths.ndim < 2 or len(widths) in (1, source.ndim)
        else None
    )
    if both is None:
        message = f"{len(widths)} widths for an array of shape {source.shape}"
        raise machine.misused(source, f"rank {len(widths)}", message)
    if both.min(initial=0) < 0 or both.max(initial=0) > 1000:
        raise Raised("ValueError", "a padding out of bounds", machine.here[1])
    extents = tuple(int(e + b.sum()) for e, b in zip(source.shape, both, strict=True))
    machine.spend(count(extents))
    made = filled(machine, extents, constant_values)
    if source.dtype != object:
        made = np.zeros(extents, dtype=source.dtype)
    inner = tuple(slice(int(b[0]), int(b[0]) + e) for e, b in zip(source.shape, both, strict=True))
    made[inner] = source
    return made


def _nested(machine: Machine, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_nested(machine, v) for v in value]
    return machine.integer(value, "a padding")


@library("numpy.split", "numpy.array_split")
def _split(machine: Machine, x: Any, parts: Any, axis: Any = 0) -> Any:
    source = as_array(machine, x)
    place = axis_of(machine, source, axis)
    if isinstance(parts, list | tuple | np.ndarray):
        return list(np.split(source, [machine.integer(p) for p in parts], axis=place))
    number = machine.integer(parts)
    if source.shape[place] % number:
        message = f"{source.shape[place]} elements split into {number} equal parts"
        raise Raised("ValueError", message, machine.here[1])
    return list(np.split(source, number, axis=place))


FUNCTIONS["numpy.hsplit"] = lambda machine, x, parts: _split(
    machine, x, parts, 1 if as_array(machine, x).ndim > 1 else 0
)


FUNCTIONS["numpy.vsplit"] = lambda machine, x, parts: _split(machine, x, parts, 0)
