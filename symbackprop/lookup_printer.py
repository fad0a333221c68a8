"""Look-ups: what is read, written or added to at places that an array of positions gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symbackprop.lowering.program import Statement
from symbackprop.lowering.values import Value
from symbackprop.texts import ATOM, Text

if TYPE_CHECKING:
    from symbackprop.numpy_printer import NumpyPrinter
    from symbackprop.statement_printer import StatementPrinter


def taken(printer: NumpyPrinter, value: Value) -> Text:
    """Return a look-up as an expression."""
    base = printer.value(value.operands[0])
    return Text(f"{base.within(ATOM)}[{place(printer, value)}]")


def place(printer: NumpyPrinter, value: Value) -> str:
    """Return the subscript of a take, put or add_at: an index array for each shared axis."""
    base, index = value.operands[:2]
    shared = [d for d in value.subscripts[1] if d in value.subscripts[0]]
    parts = []
    for axis in printer.layout.order(base):
        dimension = value.subscripts[0][axis]
        if axis == value.attribute:
            parts.append(printer.value(index).source)
        elif dimension in shared:
            assert len(shared) == 1
            parts.append(f"np.arange({printer.extent(value.dimensions[dimension].extent)})")
        else:
            parts.append(":")
    while parts[-1] == ":":
        parts.pop()
    return ", ".join(parts)


def placing(printer: StatementPrinter, statement: Statement) -> list[str]:
    """Positions of looked-up elements in the flattened array: (n, classes) or (classes, n)."""
    index, classes = printer.operand(statement.value, 0).source, statement.value.attribute
    printer.functions.add("add")
    if classes is not None:
        start = printer.bind(f"row_starts_{classes}", f"np.arange(n) * {classes}")
        return [f"add({index}, {start}, {statement.target})"]
    printer.functions.add("multiply")
    columns = printer.bind("columns", "np.arange(n)")
    return [
        f"multiply({index}, n, {statement.target})",
        f"add({statement.target}, {columns}, {statement.target})",
    ]


def taking(printer: StatementPrinter, statement: Statement) -> list[str]:
    """Return the statement of a look-up."""
    base, index = (printer.value(operand).source for operand in statement.value.operands)
    place = statement.place or index
    return [f'{base}.take({place}, out={statement.target}, mode="wrap")']


def putting(printer: StatementPrinter, statement: Statement) -> list[str]:
    """Return the statements that write or add at looked-up places."""
    base, _, new = statement.value.operands
    lines = []
    if statement.reused != 0:
        lines.append(f"{statement.target}[...] = {printer.value(base).source}")
    text = printer.value(new).source
    if statement.operation == "put":
        return [*lines, f"{statement.target}.put({statement.place}, {text})"]
    flat = printer.view(f"{statement.target}.reshape(-1)")
    return [*lines, f"{flat}[{statement.place}] += {text}"]
