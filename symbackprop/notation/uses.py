"""What both notations share: names, sizes, and catalogue entries with their constants."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from symbackprop.architecture import Use
from symbackprop.catalog import look_up
from symbackprop.definition import (
    LARGEST_NUMBER,
    Activation,
    Definition,
    Field,
    Loss,
    Value,
    fault_of_weights,
    is_number,
)
from symbackprop.errors import SymbackpropError, allowed

Choice = TypeVar("Choice")

LARGEST_SIZE = 10**9
MOST_BYTES = 64 * 1024
# N is the batch; the others are numbers of the notation.
RESERVED = frozenset({"N", "pi"})

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_UNDETERMINED = re.compile(r"[fgh](_[A-Za-z0-9]{1,16})?")
_OPEN_FUNCTIONS = ("f", "g", "h", "f_1")


def shown(value: object) -> str:
    """Return a short form of what was found, for a message."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "an array"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of more than 30 digits"
    text = value if isinstance(value, str) else str(value)
    text = text if len(text) <= 64 else text[:61] + "..."
    return repr(text) if isinstance(value, str) else text


def check_name(text: object, what: str) -> str:
    """Return the text if it is a name.

    Raises:
        SymbackpropError: it is none: ASCII letters, digits and underscores, a letter first, at
            most 64 characters, no keyword of Python, not ``N`` (the batch) nor ``pi``.
    """
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise SymbackpropError(
            f"{what}: found {shown(text)}; a name has ASCII letters, digits and underscores, "
            "a letter first, at most 64 characters"
        )
    if keyword.iskeyword(text) or text in RESERVED:
        raise SymbackpropError(f"{what}: the name {text!r} is reserved; choose another")
    return text


def check_size(value: object, what: str) -> int | str:
    """Return a size: an integer from 1 to ``LARGEST_SIZE``, or a name.

    Raises:
        SymbackpropError: it is neither.
    """
    if isinstance(value, str) and _NAME.fullmatch(value):
        return check_name(value, what)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_SIZE:
        raise SymbackpropError(
            f"{what}: found {shown(value)}; allowed: an integer from 1 to {LARGEST_SIZE}, or a name"
        )
    return value


def check_number(value: object, what: str) -> float:
    """Return a finite number, an integer as it is.

    Raises:
        SymbackpropError: it is none, or too large.
    """
    if not is_number(value):
        raise SymbackpropError(
            f"{what}: found {shown(value)}; allowed: a finite number, at most {LARGEST_NUMBER:g}"
        )
    return value


def find_activation(entries: Mapping[str, Activation], name: str) -> Use:
    """Return the use of an activation without constants, or of an undetermined function.

    An undetermined function is ``f``, ``g`` or ``h``, alone or with a suffix: ``f_1``.

    Raises:
        SymbackpropError: the name is neither.
    """
    if name not in entries and _UNDETERMINED.fullmatch(name):
        return Use(name, undetermined=True)
    return Use(look_up(entries, name[:64], "activation", _OPEN_FUNCTIONS).name)


def read_activation(value: object, entries: Mapping[str, Activation]) -> Use:
    """Return the use that a field says: a name, or a table with ``name`` and constants.

    Raises:
        SymbackpropError: the entry or a constant is unknown or has a value that is not allowed.
    """
    name, constants = _name_and_constants(value, "activation")
    use = find_activation(entries, name)
    if use.undetermined and constants:
        raise SymbackpropError(f"activation: an undetermined {name} takes no constants")
    return use if use.undetermined else _with_constants(entries[use.name], constants)


def read_loss(value: object, entries: Mapping[str, Loss]) -> Use:
    """Return the use that a field says: a name, or a table with ``name`` and constants.

    Raises:
        SymbackpropError: as for ``read_activation``.
    """
    name, constants = _name_and_constants(value, "loss")
    return _with_constants(look_up(entries, name[:64], "loss"), constants)


def check_field(definition: Definition, name: str, fields: Mapping[str, object]) -> None:
    """Check that a field is one of the definition's.

    Raises:
        SymbackpropError: it is not; the message gives our name of another library's field.
    """
    if name in fields:
        return
    if theirs := definition.theirs(name):
        raise SymbackpropError(f"{name!r} {theirs}")
    if not fields:
        raise SymbackpropError(f"{shown(name)} is not known; {definition.name} has no constants")
    raise SymbackpropError(f"{shown(name)} is not known; {allowed(name[:64], fields)}")


def check_constant(definition: Definition, name: str, value: object) -> Any:
    """Return the value of a constant, a vector as a tuple.

    Raises:
        SymbackpropError: its type or its range is wrong.
    """
    if isinstance(definition, Loss) and name in definition.vectors:
        return _vector(value, name)
    default = definition.constants.get(name)
    if isinstance(default, bool):
        return check_flag(value, name)
    whole = default is None or isinstance(default, int)
    number = check_integer(value, name) if whole else check_number(value, name)
    if demand := definition.demand(name, number):
        raise SymbackpropError(f"{name}: found {shown(value)}; allowed: {demand}")
    return number


def check_integer(value: object, what: str) -> int:
    """Return an integer within plus or minus ``LARGEST_SIZE``.

    Raises:
        SymbackpropError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST_SIZE:
        raise SymbackpropError(
            f"{what}: found {shown(value)}; allowed: an integer, at most {LARGEST_SIZE}"
        )
    return value


def check_list(field: Field, value: object, what: str) -> object:
    """Return what a field holds, a list as a tuple.

    Raises:
        SymbackpropError: it may not hold that.
    """
    if demand := field.demand(value):
        raise SymbackpropError(f"{what}: found {shown(value)}; allowed: {demand}")
    return tuple(value) if isinstance(value, list) else value


def check_choice(value: str, choices: Mapping[str, Choice], what: str) -> Choice:
    """Return what the text stands for.

    Raises:
        SymbackpropError: it is none of the choices.
    """
    if value not in choices:
        raise SymbackpropError(f"{what}: found {shown(value)}; {allowed(value[:64], choices)}")
    return choices[value]


def check_flag(value: object, what: str) -> bool:
    """Return a boolean.

    Raises:
        SymbackpropError: it is none.
    """
    if not isinstance(value, bool):
        raise SymbackpropError(f"{what}: found {shown(value)}; allowed: true, false")
    return value


def settable(definition: Definition) -> dict[str, Value]:
    """Return what may be set where an activation or a loss is used, with its defaults.

    Those that act along an axis take ``axis``, unset by default: the last.
    """
    fields = dict(definition.constants)
    if isinstance(definition, Loss):
        fields.update(dict.fromkeys(definition.vectors))
    channels = isinstance(definition, Activation) and definition.channels
    if "[" in "".join(definition.equations) and not channels:
        fields["axis"] = None
    return fields


def _name_and_constants(value: object, kind: str) -> tuple[str, Mapping[str, object]]:
    constants = dict(value) if isinstance(value, dict) else {"name": value}
    name = constants.pop("name", None)
    if not isinstance(name, str):
        raise SymbackpropError(
            f"{kind}: found {shown(value)}; allowed: a name, or a table with name and constants"
        )
    return name, constants


def _with_constants(definition: Definition, constants: Mapping[str, object]) -> Use:
    values = {}
    for name, value in constants.items():
        try:
            check_field(definition, name, settable(definition))
            values[name] = check_constant(definition, name, value)
        except SymbackpropError as error:
            raise error.at(definition.name) from None
    return Use(definition.name, values)


def _vector(value: object, name: str) -> tuple[float, ...]:
    if not isinstance(value, list) or not value:
        raise SymbackpropError(
            f"{name}: found {shown(value)}; allowed: an array with a number for each class"
        )
    numbers = tuple(check_number(item, name) for item in value)
    if fault := fault_of_weights(numbers):
        raise SymbackpropError(f"{name}: {fault}")
    return numbers
