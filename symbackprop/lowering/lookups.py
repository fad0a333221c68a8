"""Positions of looked-up elements in a flattened array, for the statements of a step."""

from __future__ import annotations

from symbackprop.equations import Role
from symbackprop.lowering.layout import Layout
from symbackprop.lowering.values import Value


def accessed(layout: Layout, value: Value) -> list[int]:
    """Return the axes of the first operand in memory order: of the copy that is written to."""
    base, subscript = value.operands[0], value.subscripts[0]
    if value.operation == "take":
        return list(layout.order(base))
    return [subscript.index(dimension) for dimension in layout.order(value)]


def placed_order(layout: Layout, value: Value) -> list[int]:
    """Return the dimensions of what a take, put or add_at selects, as positions of it lie.

    They lie as what is taken, or as what is written, where that has all of them.
    """
    base, index = value.subscripts[:2]
    selected = {d for axis, d in enumerate(base) if axis != value.attribute} | set(index)
    if value.operation == "take":
        return [axis for axis in layout.order(value) if axis in selected]
    new = [value.subscripts[2][axis] for axis in layout.order(value.operands[2])]
    lying = [base[axis] for axis in accessed(layout, value)]
    others = sorted(selected.difference(new), key=lambda d: lying.index(d) if d in lying else -1)
    return new if not others else [d for d in [*others, *new] if d in selected]


def places(number: int, layout: Layout, value: Value) -> Value:
    """Return the positions as a value.

    Args:
        number: of the value.
        layout: how the arrays lie.
        value: a take, put or add_at, its first operand flattened.

    Returns:
        A ``place``: its attribute says, for each axis of the flattened array in memory order,
        which dimension of the place runs along it (None: what is looked up), and its extent.
    """
    base, index = value.operands[:2]
    order = placed_order(layout, value)
    axes = []
    for axis in accessed(layout, value):
        dimension = base.axes[axis]
        runs = None if axis == value.attribute else order.index(value.subscripts[0][axis])
        axes.append((runs, None if dimension.role is Role.BATCH else dimension.extent))
    dimensions = tuple(value.dimensions[d] for d in order)
    subscript = tuple(order.index(d) for d in value.subscripts[1])
    return Value(number, "place", (index,), (subscript,), dimensions, len(order), tuple(axes))
