"""Reading and writing ``value[index]``, with NumPy's own views and fancy indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.faults import Mismatch, Raised, Unknown
from symbackprop.auditing.code.interpreter.machine import (
    MOST_ELEMENTS,
    Machine,
    as_array,
    count,
    kind_of,
    nodes,
    plain,
    unwrapped,
)
from symbackprop.auditing.code.interpreter.values import Array, Defaults, Extents, Tensor

Index = Any


def read(machine: Machine, value: Any, index: Index) -> Any:
    """Return ``value[index]``."""
    if isinstance(value, Tensor):
        result = _array(machine, value.array, index)
        return Tensor(result if isinstance(result, np.ndarray) else as_array(machine, result))
    if isinstance(value, np.ndarray):
        return _array(machine, value, index)
    if isinstance(value, dict):
        key = _key(machine, index)
        if key not in value and isinstance(value, Defaults):
            value[key] = machine.call(value.factory, [key] if value.keyed else [], {})
        if key not in value:
            raise Raised("KeyError", repr(key)[:80], machine.here[1])
        return value[key]
    if isinstance(value, list | tuple | str | range):
        return _sequence(machine, value, index)
    message = f"{kind_of(value)} cannot be indexed"
    raise machine.misused(value, "array", message)


def _sequence(machine: Machine, value: Any, index: Index) -> Any:
    if isinstance(index, slice):
        part = value[_slice(machine, index)]
        return tuple(part) if isinstance(value, Extents) else part
    if isinstance(index, tuple):
        raise Raised("TypeError", "a list cannot be indexed by a tuple", machine.here[1])
    place = machine.integer(index, "an index")
    if not -len(value) <= place < len(value):
        if isinstance(value, Extents):
            raise machine.misused(value.array, "rank", f"a shape of {len(value)} extents")
        raise Raised("IndexError", f"index {place} of {len(value)}", machine.here[1])
    return value[place]


def _key(machine: Machine, index: Index) -> Any:
    if isinstance(index, Node):
        if index.constant is None:
            raise Unknown("a real number as a key", machine.here[1])
        return int(index.constant) if index.constant.denominator == 1 else index.constant
    try:
        hash(index)
    except TypeError as error:
        raise Raised("TypeError", "an unhashable key", machine.here[1]) from error
    return plain(index)


def _slice(machine: Machine, index: slice) -> slice:
    parts = (index.start, index.stop, index.step)
    return slice(*(None if p is None else machine.integer(p, "a bound of a slice") for p in parts))


def _one(machine: Machine, index: Any) -> Any:
    index = unwrapped(index)
    if index is None or index is Ellipsis:
        return index
    if isinstance(index, slice):
        return _slice(machine, index)
    if isinstance(index, range | list):
        index = as_array(machine, index)
        if not index.size:
            return index.astype(int)
    if isinstance(index, np.ndarray):
        if index.dtype == object:
            return _integers(machine, index)
        return index
    if isinstance(index, bool):
        return index
    return machine.integer(index, "an index")


def _integers(machine: Machine, index: Array) -> Array:
    made = np.empty(index.shape, dtype=int)
    for place in np.ndindex(*index.shape):
        try:
            made[place] = machine.integer(index[place], "an index")
        except Raised as fault:
            raise machine.misused(index, "label", fault.message) from fault
    return made


def converted(machine: Machine, index: Index) -> Any:
    """Return an index as NumPy takes it; real numbers are no index."""
    if isinstance(index, tuple):
        return tuple(_one(machine, part) for part in index)
    if isinstance(index, list) and any(isinstance(p, slice | np.ndarray | Tensor) for p in index):
        return tuple(_one(machine, part) for part in index)
    return _one(machine, index)


def _checked(machine: Machine, value: Array, index: Any) -> Any:
    parts = index if isinstance(index, tuple) else (index,)
    used = sum(
        p.ndim if isinstance(p, np.ndarray) and p.dtype == bool else p is not None and p is not ...
        for p in parts
    )
    if used > value.ndim:
        message = f"too many indices: {used} for an array of shape {value.shape}"
        raise machine.misused(value, "rank", message)
    size = _picked(value, parts, used)
    if size > MOST_ELEMENTS:
        raise Unknown("an index of too many elements", machine.here[1])
    machine.spend(min(value.size, 64) + size, False)
    _masks(machine, value, parts)
    return index


def _picked(value: Array, parts: tuple[Any, ...], used: int) -> int:
    """Return how many elements arrays of indices pick at most; 1 where there are none."""
    arrays = [p for p in parts if isinstance(p, np.ndarray)]
    if not arrays:
        return 1
    rank = max(p.ndim for p in arrays)
    joint = [max(p.shape[p.ndim - k] for p in arrays if p.ndim >= k) for k in range(1, rank + 1)]
    axis, rest = 0, 1
    for part in parts:
        if part is None:
            continue
        mask = isinstance(part, np.ndarray) and part.dtype == bool
        width = value.ndim - used if part is Ellipsis else part.ndim if mask else 1
        if part is Ellipsis or isinstance(part, slice):
            rest *= count(value.shape[axis : axis + width])
        axis += width
    return count(joint) * rest * count(value.shape[axis:])


def _joint(machine: Machine, shapes: list[tuple[int, ...]]) -> None:
    """Compare the extents of several fancy indices."""
    rank = max(map(len, shapes))
    extents = [1] * rank
    for shape in shapes:
        for axis, extent in enumerate(shape, rank - len(shape)):
            if extent != 1 and extents[axis] not in (1, extent):
                message = f"indices of shapes {shapes} do not fit"
                raise Mismatch(message, extents[axis], extent, machine.here[1])
            extents[axis] = max(extents[axis], extent)


def _masks(machine: Machine, value: Array, parts: tuple[Any, ...]) -> None:
    axis = 0
    places = [p.shape for p in parts if isinstance(p, np.ndarray) and p.dtype != bool]
    if len(places) > 1:
        _joint(machine, places)
    for part in parts:
        if part is None:
            continue
        if part is Ellipsis:
            return
        if isinstance(part, np.ndarray) and part.dtype == bool:
            for extent in part.shape:
                if axis < value.ndim and value.shape[axis] != extent:
                    message = f"a mask of shape {part.shape} on an array of shape {value.shape}"
                    raise Mismatch(message, value.shape[axis], extent, machine.here[1])
                axis += 1
            machine.took("mask", bool(part.any()))
            machine.took("mask", bool(part.all()))
            continue
        axis += 1


def _array(machine: Machine, value: Array, index: Index) -> Any:
    if isinstance(index, str):
        raise machine.misused(value, "dict", "an array indexed by a string")
    where = _checked(machine, value, converted(machine, index))
    try:
        return plain(value[where])
    except IndexError as error:
        raise _outside(machine, value, error) from error


def _outside(machine: Machine, value: Array, error: Exception) -> Raised:
    if "could not be broadcast" in str(error):
        return Raised("IndexError", str(error), machine.here[1])
    return Raised("IndexError", str(error), machine.here[1])


def write(machine: Machine, value: Any, index: Index, new: Any) -> None:
    """Do ``value[index] = new``."""
    if isinstance(value, Tensor | np.ndarray):
        _write_array(machine, unwrapped(value), index, new)
    elif isinstance(value, dict):
        value[_key(machine, index)] = new
    elif isinstance(value, list):
        if isinstance(index, slice):
            if not isinstance(new, list | tuple):
                raise Raised("TypeError", "a slice of a list", machine.here[1])
            value[_slice(machine, index)] = new
            return
        place = machine.integer(index, "an index")
        if not -len(value) <= place < len(value):
            raise Raised("IndexError", f"index {place} of {len(value)}", machine.here[1])
        value[place] = new
    else:
        message = f"{kind_of(value)} cannot be assigned to by an index"
        raise machine.misused(value, "array", message)


def _write_array(machine: Machine, value: Array, index: Index, new: Any) -> None:
    where = _checked(machine, value, converted(machine, index))
    new = as_array(machine, new)
    if value.dtype != object:
        if new.dtype == object:
            new = _as_stored(machine, new)
    else:
        new = nodes(machine, new)
    try:
        if new.ndim == 0:
            value[where] = new[()]
            return
        target = value[where]
        if isinstance(target, np.ndarray) and target.shape != new.shape:
            _fits(machine, target.shape, new.shape)
        elif not isinstance(target, np.ndarray):
            if new.size != 1:
                raise Raised(
                    "ValueError", f"an array of shape {new.shape} as one element", machine.here[1]
                )
            new = new.reshape(())[()]
        value[where] = new
    except IndexError as error:
        raise Raised("IndexError", str(error), machine.here[1]) from error
    except (ValueError, TypeError) as error:
        raise Raised("ValueError", str(error), machine.here[1]) from error


def _as_stored(machine: Machine, new: Array) -> Array:
    made = np.empty(new.shape, dtype=int)
    for place in np.ndindex(*new.shape):
        constant = new[place].constant if isinstance(new[place], Node) else new[place]
        if constant is None or int(constant) != constant:
            raise Unknown("real numbers stored in an array of ints", machine.here[1])
        made[place] = int(constant)
    return made


def _fits(machine: Machine, target: tuple[int, ...], new: tuple[int, ...]) -> None:
    while len(new) > len(target) and new[0] == 1:
        new = new[1:]
    message = f"could not broadcast input array from shape {new} into shape {target}"
    if len(new) > len(target):
        raise Raised("ValueError", message, machine.here[1])
    for left, right in zip(target[len(target) - len(new) :], new, strict=True):
        if right not in (1, left):
            raise Mismatch(message, left, right, machine.here[1])
