"""What a use of a definition sets: its constants, options and sizes, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from symbackprop.definition import LARGEST_NUMBER, Definition, fault_of_weights, is_number
from symbackprop.equations import Extent
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.formula import references
from symbackprop.formula_reader import read_equation
from symbackprop.scalar import Named, number

MAX_EXTENT = 2**31


def check_fields(definition: Definition, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a field that the definition does not take, with our name for it where it has one."""
    known = sorted(known)
    for name in given:
        if name in known:
            continue
        if theirs := definition.theirs(name):
            raise SymbackpropError(f"field {name!r} {theirs}")
        options = allowed(name, known) if known else "it takes none"
        raise SymbackpropError(f"{definition.name} has no field {name!r}; {options}")


def settled(definition: Definition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition's constants with those that are given, checked.

    Raises:
        SymbackpropError: a value of the wrong kind or out of its range.
    """
    constants: dict[str, Any] = {
        name: _checked(name, given.get(name, default), default)
        for name, default in definition.constants.items()
    }
    for name, value in constants.items():
        demand = definition.demand(name, value) if is_number(value) else ""
        if demand:
            raise SymbackpropError(f"{name} is {value}; it must be {demand}")
    return constants


def _checked(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool | str):
        if type(value) is not type(default):
            kind = "true or false" if isinstance(default, bool) else "a string"
            raise SymbackpropError(f"{name} is {value!r}; it must be {kind}")
        return value
    if value is None and default is None:
        return value
    return _number(name, value)


def _number(name: str, value: Any) -> float | int:
    if not is_number(value):
        raise SymbackpropError(
            f"{name} is {_shown(value)}; it must be a finite number, at most {LARGEST_NUMBER:g}"
        )
    return value


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "an integer"
    return text if len(text) <= 60 else text[:57] + "..."


def vector(name: str, value: Any) -> tuple[Fraction, ...] | None:
    """Return a constant that holds one number for each class, checked; None is not set."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not value:
        raise SymbackpropError(f"{name} is {_shown(value)}; it must be a list of numbers")
    numbers = [_number(name, item) for item in value]
    if fault := fault_of_weights(numbers):
        raise SymbackpropError(f"{name}: {fault}")
    return tuple(number(item).value for item in numbers)


def size(name: str, value: Any) -> Extent:
    """Return a size as an extent: a whole number from 1, or one by name.

    Raises:
        SymbackpropError: zero, negative, fractional, absurd, or the batch's name.
    """
    if isinstance(value, str):
        if value == "N":
            raise SymbackpropError(f"{name} is 'N', which is the batch; take another name")
        if not (value.isascii() and value.isidentifier()):
            raise SymbackpropError(f"{name} is {_shown(value)}; a name is letters, digits and _")
        return Named(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise SymbackpropError(f"{name} is {_shown(value)}; it must be a whole number from 1")
    if value < 1:
        raise SymbackpropError(f"{name} is {_shown(value)}; it must be at least 1")
    if value > MAX_EXTENT:
        raise SymbackpropError(f"{name} is {_shown(value)}; at most {MAX_EXTENT} is allowed")
    return value


def written_rank(texts: Iterable[str], name: str, functions: Iterable[str]) -> int:
    """Return how many indices the equations write after the name; 0 where it stands bare."""
    functions = frozenset(functions)
    for text in texts:
        for reference in references(read_equation(text, functions).value):
            if reference.name == name:
                return len(reference.subscripts)
    return 0
