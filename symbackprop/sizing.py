"""The extents of equations as sizes, and what names of extents are called in a module."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

from symbackprop.equations import Affine, Extent, Index, Quotient, Remainder
from symbackprop.errors import SymbackpropError
from symbackprop.scalar import Apply, Expression, Named, Number, walk
from symbackprop.sizes import Size, Whole, named, product, shown

CONSTANTS = ("pi", "inf")  # names that are no extents

Record = TypeVar("Record")


def source_of(name: str) -> str:
    """Return the variable that holds a named extent in a module."""
    return "n" if name == "N" else f"n_{name}"


def whole(extent: Extent) -> Whole:
    """Return an extent that is known to be a number or a size."""
    assert isinstance(extent, int | Size)
    return extent


def word(size: Whole | str) -> str:
    """Return a part of a name that says the size."""
    return re.sub(r"\W+", "_", str(size).replace("//", "over").replace("-", "minus")).strip("_")


def size_of(extent: Extent, least: Mapping[str, int]) -> Whole:
    """Return an extent as a size.

    Args:
        extent: made of numbers, names, sums, products and quotients.
        least: the smallest extent that each name stands for; 1 where it says none.
    """
    if isinstance(extent, int | Size):
        return extent
    if isinstance(extent, Number):
        return int(extent.value)
    if isinstance(extent, Named):
        return named(source_of(extent.name), least.get(extent.name, 1))
    assert isinstance(extent, Apply)
    return _ARITHMETIC[extent.function]([size_of(part, least) for part in extent.arguments])


_ARITHMETIC: Mapping[str, Callable[[Sequence[Whole]], Whole]] = {
    "add": sum,
    "multiply": product,
    "negative": lambda parts: -parts[0],
    "floor_divide": lambda parts: _quotient(parts[0], parts[1]),
    "remainder": lambda parts: parts[0] - parts[1] * _quotient(parts[0], parts[1]),
}


def _quotient(dividend: Whole, divisor: Whole) -> Whole:
    if not isinstance(divisor, int):
        raise SymbackpropError(f"code for a quotient by {shown(divisor)} is not possible yet")
    return dividend // divisor


def sized(record: Record, least: Mapping[str, int]) -> Record:
    """Return a record of equations with the extents in it as sizes."""
    return cast(Record, _Sizer(least).sized(record))


_HOLD_EXTENTS = (Index, Affine, Quotient, Remainder)


class _Sizer:
    def __init__(self, least: Mapping[str, int]) -> None:
        self.least = least
        self.known: dict[object, object] = {}

    def sized(self, record: Any, extents: bool = False) -> Any:
        """Return the record; expressions right in it are ``extents``, or functions."""
        if isinstance(record, tuple):
            return tuple(self.sized(item, extents) for item in record)
        if isinstance(record, Expression):
            return size_of(record, self.least) if extents else record
        if not is_dataclass(record) or isinstance(record, type):
            return record
        key = (type(record), record)
        if key not in self.known:
            inner = isinstance(record, _HOLD_EXTENTS)
            values = {f.name: self.sized(getattr(record, f.name), inner) for f in fields(record)}
            self.known[key] = type(record)(**values)
        return self.known[key]


def names_in(expression: Expression) -> set[str]:
    """Return the names of extents in an expression."""
    found = {node.name for node in walk(expression) if isinstance(node, Named)}
    return found - {*CONSTANTS}


_SIGNS = {"add": "+", "multiply": "*", "divide": "/", "floor_divide": "//", "remainder": "%"}


def extent_text(extent: Extent, *, within: bool = False) -> str:
    """Return the extent for a message: a sum in brackets where it stands within another."""
    if isinstance(extent, int | Size):
        return shown(extent)
    if isinstance(extent, Number):
        return str(extent.value)
    if isinstance(extent, Named):
        return extent.name
    assert isinstance(extent, Apply)
    parts = [extent_text(part, within=True) for part in extent.arguments]
    if extent.function not in _SIGNS:
        return f"{extent.function}({', '.join(parts)})"
    text = f" {_SIGNS[extent.function]} ".join(parts).replace("+ -", "- ")
    return f"({text})" if within else text


def is_size(expression: Expression) -> bool:
    """Whether an expression is made of whole numbers, names of extents and what they allow."""
    return all(
        node.value.denominator == 1
        if isinstance(node, Number)
        else node.name not in CONSTANTS
        if isinstance(node, Named)
        else isinstance(node, Apply) and node.function in _ARITHMETIC
        for node in walk(expression)
    )
