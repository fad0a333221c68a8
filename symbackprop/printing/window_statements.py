"""Windows in a training step: copies and sums over bound views of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from symbackprop.lowering.layout import parts_of
from symbackprop.lowering.program import Statement
from symbackprop.printing.windows import (
    FILLS,
    Printer,
    added_windows,
    first_place,
    inside,
    repeated,
)


class Binder(Printer, Protocol):
    """What prints statements; it binds views once for a batch size."""

    def bind(self, name: str, expression: str) -> str:
        """Return a name bound to the expression for a batch size."""

    def view(self, source: str) -> str:
        """Return a name for a view of a bound array, or the source itself."""


def _first(printer: Binder, statement: Statement) -> list[str]:
    arguments = first_place(printer, statement.value)
    return [f"first_place({arguments}, {statement.target}, {statement.place})"]


def _halo(printer: Binder, statement: Statement) -> list[str]:
    value, target = statement.value, statement.target
    assert isinstance(value.attribute, tuple)
    subscript, order = inside(value, printer.layout)
    inner = printer.bind(f"{target}_inside", f"{target}[{subscript}]")
    source = printer.arranged(value, 0, order)
    return [f"{target}.fill({FILLS[value.attribute[0]]})", f"{inner}[...] = {source}"]


def _join(printer: Binder, statement: Statement) -> list[str]:
    value, target = statement.value, statement.target
    order = parts_of(value, printer.layout.order(value))
    shape = ", ".join(printer.extent(value.dimensions[d].extent) for d in order)
    parts = printer.bind(f"{target}_parts", f"{target}.reshape({shape})")
    return [f"{parts}[...] = {printer.arranged(value, 0, order)}"]


def _repeat(printer: Binder, statement: Statement) -> list[str]:
    """Copy into the target, its repeated axis seen as two."""
    value, target = statement.value, statement.target
    assert isinstance(value.attribute, tuple)
    ((axis, times),) = value.attribute
    places, order = repeated(value, printer.layout)
    extent = printer.extent(value.operands[0].axes[axis].extent)
    shape = [
        str(times)
        if place is None
        else extent
        if place == value.rank - 1
        else printer.extent(value.axes[place].extent)
        for place in places
    ]
    parts = printer.bind(f"{target}_parts", f"{target}.reshape({', '.join(shape)})")
    spread = ", ".join("None" if place is None else ":" for place in places)
    source = printer.arranged(value, 0, order)
    return [f"{parts}[...] = {printer.view(f'{source}[{spread}]')}"]


def _unwindow(printer: Binder, statement: Statement) -> list[str]:
    value, target = statement.value, statement.target
    view, order, count = added_windows(printer, value, target)
    printer.helpers.add("add_to_windows")
    bound = printer.bind(f"{target}_windows", view)
    values = printer.arranged(value, 0, order)
    return [f"{target}.fill(0)", f"add_to_windows({bound}, {values}, {count})"]


def _tiled(printer: Binder, statement: Statement) -> list[str]:
    """Every part was written where it belongs."""
    return []


WINDOW_STATEMENTS: Mapping[str, Callable[[Binder, Statement], list[str]]] = {
    "first": _first,
    "halo": _halo,
    "join": _join,
    "repeat": _repeat,
    "unwindow": _unwindow,
    "tiled": _tiled,
}
