"""Wide contractions of windows, one sample after the other.

A product of matrices needs a copy of windows that overlap, many times as large as what they
show. Of all samples together it leaves every cache; that of one sample, where it is wide enough
to be worth a product of its own, does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple, Protocol

from symbackprop.equations import Role
from symbackprop.lowering.values import Value
from symbackprop.printing.windows import Printer, added_windows

# Numbers in one sample's copy below which all samples together are the faster product.
_WIDE = 1 << 15


class ProductPrinter(Printer, Protocol):
    """What prints contractions."""

    def dimensions(self, value: Value) -> list[int]:
        """Return the value's dimensions in memory order."""


class _Sides(NamedTuple):
    """The dimensions of a contraction of weights (operand k) with an array for each sample."""

    weights: int
    batch: int
    summed: list[int]
    rows: list[int]
    columns: list[int]


def by_sample(printer: ProductPrinter, value: Value) -> str:
    """Return a contraction with windows as one call, "" where it is none or too small."""
    windows = [k for k, operand in enumerate(value.operands) if operand.operation == "window"]
    if len(windows) != 1:
        return ""
    (moving,) = windows
    sides = _sides(printer, value, 1 - moving)
    if sides is not None:
        printer.helpers.add("multiply_each")
        weights = printer.arranged(value, sides.weights, [*sides.rows, *sides.summed])
        order = [sides.batch, *sides.summed, *sides.columns]
        arrays = printer.arranged(value, 1 - sides.weights, order)
        text = f"multiply_each({weights}, {arrays}, {len(sides.summed)})"
        return printer.turned(text, [sides.batch, *sides.rows, *sides.columns], value)
    return _summed(printer, value, moving)


def _summed(printer: ProductPrinter, value: Value, moving: int) -> str:
    """Return a contraction over samples, too."""
    batch = _batch(value)
    first, second = (_order(printer, value, k) for k in (1 - moving, moving))
    summed = [d for d in first if d >= value.rank and d != batch]
    kept = [[d for d in order if d < value.rank] for order in (first, second)]
    alike = {d for d in second if d >= value.rank} == {*summed, batch}
    if batch is None or batch < value.rank or batch not in first or not alike:
        return ""
    if {*kept[0]} & {*kept[1]} or not summed or not _is_wide(value, [*kept[1], *summed]):
        return ""
    printer.helpers.add("sum_products")
    left = printer.arranged(value, 1 - moving, [batch, *kept[0], *summed])
    right = printer.arranged(value, moving, [batch, *kept[1], *summed])
    text = f"sum_products({left}, {right}, {len(summed)})"
    return printer.turned(text, [*kept[0], *kept[1]], value)


def added_by_sample(printer: ProductPrinter, value: Value, target: str) -> str:
    """Return the statement that adds a contraction into windows of ``target``, or ""."""
    (part,) = value.operands
    if part.operation != "contract":
        return ""
    found = (_sides(printer, part, k) for k in (0, 1))
    sides = next((each for each in found if each is not None), None)
    view, order, count = added_windows(printer, value, target)
    order = [value.subscripts[0].index(dimension) for dimension in order]
    places, rest = order[len(order) - count :], order[: len(order) - count]
    if sides is None or not {*places} <= {*sides.rows} or ".reshape(" in view:
        return ""
    rows = [dimension for dimension in sides.rows if dimension not in places]
    if rest != [sides.batch, *rows, *sides.columns]:
        return ""
    printer.helpers.add("add_products")
    weights = printer.arranged(part, sides.weights, [*places, *rows, *sides.summed])
    arrays = printer.arranged(part, 1 - sides.weights, [sides.batch, *sides.summed, *sides.columns])
    return f"add_products({view}, {weights}, {arrays}, {count}, {len(sides.summed)})"


def _sides(printer: ProductPrinter, value: Value, weights: int) -> _Sides | None:
    """Return how the operand weighs an array for each sample; None where it does not, or small."""
    own, other = _order(printer, value, weights), _order(printer, value, 1 - weights)
    batch = _batch(value)
    summed = [d for d in own if d >= value.rank]
    rows = [d for d in own if d < value.rank]
    columns = [d for d in other if d < value.rank and d != batch]
    if batch is None or batch >= value.rank or batch in own or batch not in other:
        return None
    if {*rows} & {*columns} or {*summed} != {d for d in other if d >= value.rank} or not rows:
        return None
    wide = [rows, summed][value.operands[1 - weights].operation == "window"]
    if not summed or not _is_wide(value, [*wide, *columns]):
        return None
    return _Sides(weights, batch, summed, rows, columns)


def _batch(value: Value) -> int | None:
    batches = [k for k, axis in enumerate(value.dimensions) if axis.role is Role.BATCH]
    return batches[0] if len(batches) == 1 else None


def _order(printer: ProductPrinter, value: Value, k: int) -> list[int]:
    return [value.subscripts[k][axis] for axis in printer.layout.order(value.operands[k])]


def _is_wide(value: Value, dimensions: Sequence[int]) -> bool:
    extents = [value.dimensions[dimension].extent for dimension in dimensions]
    known = [extent for extent in extents if isinstance(extent, int)]
    return len(known) == len(extents) and prod(known) >= _WIDE
