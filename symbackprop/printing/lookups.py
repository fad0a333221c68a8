"""Look-ups: what is read, written or added to at places that an array of positions gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from symbackprop.lowering.lookups import accessed, placed_order
from symbackprop.lowering.program import Statement
from symbackprop.lowering.values import Value
from symbackprop.printing.contractions import transposition
from symbackprop.printing.texts import ATOM, Text
from symbackprop.sizes import Whole, factor_text, product

if TYPE_CHECKING:
    from symbackprop.printing.expressions import NumpyPrinter
    from symbackprop.printing.statements import StatementPrinter


def taken(printer: NumpyPrinter, value: Value) -> Text:
    """Return a look-up as an expression."""
    base = printer.value(value.operands[0])
    subscript, order = place(printer, value)
    turned = transposition([order.index(dimension) for dimension in printer.dimensions(value)])
    return Text(f"{base.within(ATOM)}[{subscript}]{turned}")


def place(printer: NumpyPrinter, value: Value) -> tuple[str, list[int]]:
    """Return the subscript of a take, put or add_at, and the dimensions of what it selects.

    An axis that the positions share is numbered along with them; the others are whole.
    """
    index = value.operands[1]
    own = [value.subscripts[1][axis] for axis in printer.layout.order(index)]
    parts: list[str] = []
    numbered: list[int] = []
    whole: list[tuple[int, int]] = []
    for position, axis in enumerate(accessed(printer.layout, value)):
        dimension = value.subscripts[0][axis]
        if axis != value.attribute and dimension not in own:
            parts.append(":")
            whole.append((position, dimension))
            continue
        numbered.append(position)
        if axis == value.attribute:
            parts.append(printer.value(index).source)
        else:
            count = f"np.arange({printer.extent(value.dimensions[dimension].extent)})"
            parts.append(count + _slots([dimension], own))
    while parts[-1] == ":":
        parts.pop()
    together = numbered[-1] - numbered[0] == len(numbered) - 1
    first = numbered[0] if together else 0  # NumPy's rule: apart, what is selected comes first
    before = [d for position, d in whole if position < first]
    after = [d for position, d in whole if position >= first]
    return ", ".join(parts), [*before, *own, *after]


def _slots(present: Sequence[int], order: Sequence[int]) -> str:
    """Return the subscript that lets an array of these dimensions stand among others."""
    after = order[min(map(order.index, present)) :]
    if len(after) == len(present):
        return ""
    return f"[{', '.join(':' if dimension in present else 'None' for dimension in after)}]"


def is_repeated(value: Value) -> bool:
    """Whether an add_at may reach one place more than once."""
    return not set(value.subscripts[1]) <= set(value.subscripts[0])


def placing(printer: StatementPrinter, statement: Statement) -> list[str]:
    """Positions of looked-up elements in the flattened array."""
    value, target = statement.value, statement.target
    index = printer.operand(value, 0).source
    assert isinstance(value.attribute, tuple)
    order = printer.dimensions(value)
    terms, names, scale = [], [], ""
    for k, (dimension, extent) in enumerate(value.attribute):
        stride = _product([later for _, later in value.attribute[k + 1 :]])
        if dimension is None:
            scale = stride
            continue
        terms.append(f"np.arange({extent or 'n'}){_slots([dimension], order)}")
        terms[-1] += f" * {stride}" if stride else ""
        names.append(stride or "each")
    alone = {"each": "columns"}.get(names[0], f"row_starts_{names[0]}")
    name = alone if len(names) == 1 else f"starts_{'_'.join(names)}"
    starts = printer.bind(re.sub(r"\W+", "_", name), " + ".join(terms))
    printer.functions.add("add")
    if not scale:
        return [f"add({index}, {starts}, {target})"]
    printer.functions.add("multiply")
    return [f"multiply({index}, {scale}, {target})", f"add({target}, {starts}, {target})"]


def _product(extents: Sequence[Whole | None]) -> str:
    """Return the product's text; None is the batch, and nothing at all 1."""
    known = product(extent for extent in extents if extent is not None)
    factors = [factor_text(known)] if known != 1 else []
    return " * ".join([*factors, *(["n"] if None in extents else [])])


def taking(printer: StatementPrinter, statement: Statement) -> list[str]:
    """Return the statement of a look-up."""
    value = statement.value
    base, index = (printer.value(operand).source for operand in value.operands)
    if statement.place or value.operands[0].rank == 1:
        place_ = statement.place or index
        return [f'{base}.take({place_}, out={statement.target}, mode="wrap")']
    _, order = place(printer, value)
    own = printer.dimensions(value)
    target = printer.view(f"{statement.target}{transposition([own.index(d) for d in order])}")
    axis = printer.layout.order(value.operands[0]).index(int(str(value.attribute)))
    return [f'{base}.take({index}, axis={axis}, out={target}, mode="wrap")']


def putting(printer: StatementPrinter, statement: Statement) -> list[str]:
    """Return the statements that write or add at looked-up places."""
    value = statement.value
    base, index, new = value.operands
    lines = []
    if statement.reused != 0:
        lines.append(f"{statement.target}[...] = {printer.operand(value, 0).source}")
    place_ = statement.place or printer.value(index).source
    text = printer.value(new).source
    flat = printer.view(f"{statement.target}.reshape(-1)") if base.rank > 1 else statement.target
    if statement.operation == "add_at" and is_repeated(value):
        printer.functions.add("add")
        places, numbers = printer.view(f"{place_}.reshape(-1)"), printer.raveled(text, new)
        return [*lines, f"add.at({flat}, {places}, {numbers})"]
    order = placed_order(printer.layout, value)
    if statement.operation == "put" and (new.rank == 0 or new.rank == len(order)):
        return [*lines, f"{statement.target}.put({place_}, {text})"]
    sign = "=" if statement.operation == "put" else "+="
    return [*lines, f"{flat}[{place_}] {sign} {printer.operand(value, 2, order).source}"]
