"""What objects of the program and of tables do alike: items, iteration, attributes that are set."""

from __future__ import annotations

from typing import Any

import numpy as np

from symbackprop.auditing.code.faults import Raised, Unknown
from symbackprop.auditing.code.interpreter import indexing, operators
from symbackprop.auditing.code.interpreter.machine import MOST_LENGTH, Machine, kind_of, plain
from symbackprop.auditing.code.interpreter.values import Bound, Class, Instance, Tensor


def method(value: Any, name: str) -> Bound | None:
    """Return a method that an object's own class defines, or None."""
    if isinstance(value, Instance):
        found = value.cls.find(name)
        return None if found is None else Bound(found, value)
    return None


def contains(machine: Machine, whole: Any, part: Any) -> bool:
    """Return ``part in whole``."""
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    if isinstance(whole, dict | set | frozenset | range):
        try:
            return part in whole
        except TypeError as error:
            raise Raised("TypeError", str(error), machine.here[1]) from error
    _, equal = operators.EQUAL
    return any(
        operators.truth(machine, operators.compare(machine, "eq", equal, item, part))
        for item in iterate(machine, whole)
    )


def get_item(machine: Machine, value: Any, index: Any) -> Any:
    """Return ``value[index]``, of objects of the program too."""
    own = method(value, "__getitem__")
    if own is not None:
        return machine.call(own, [index], {})
    return indexing.read(machine, value, index)


def iterate(machine: Machine, value: Any) -> list[Any]:
    """Return the items that a loop over a value goes through.

    Raises:
        Unknown: If there are too many.
    """
    if isinstance(value, Tensor):
        return [Tensor(np.asarray(v)) for v in iterate(machine, value.array)]
    if isinstance(value, np.ndarray):
        if not value.ndim:
            raise machine.misused(value, "array", "iteration over a number")
        machine.spend(len(value))
        return [plain(value[i]) for i in range(len(value))]
    if isinstance(value, list | tuple | str | range | dict | set | frozenset):
        if len(value) > MOST_LENGTH:
            raise Unknown(f"a loop of {len(value)} rounds", machine.here[1])
        return sorted(value, key=repr) if isinstance(value, set | frozenset) else list(value)
    length = method(value, "__len__")
    if length is not None and method(value, "__getitem__") is not None:
        size = machine.integer(machine.call(length, [], {}))
        return [get_item(machine, value, i) for i in range(min(size, MOST_LENGTH))]
    raise machine.misused(value, "array", f"iteration over {kind_of(value)}")


def store(machine: Machine, receiver: Any, name: str, value: Any) -> None:
    """Do ``receiver.name = value``."""
    attributes = getattr(receiver, "attributes", None)
    if isinstance(receiver, Class):
        attributes = receiver.names
    if isinstance(receiver, Tensor) and name in ("grad", "requires_grad", "data"):
        return
    if isinstance(receiver, np.ndarray) and name == "shape":
        receiver.shape = value
        return
    if not isinstance(attributes, dict):
        raise Unknown(f"an attribute {name!r} of {kind_of(receiver)}", machine.here[1])
    attributes[name] = value
