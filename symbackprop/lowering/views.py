"""Views of arrays: which axes of the result stand for which of what is viewed."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.lowering.values import Value

# They show a part of their operand's memory, whose places do not follow one another.
PARTS = frozenset({"slice", "window", "step"})
# They show the memory of their operand.
VIEWS = PARTS | {"split"}
# What lies as its operand does, but for the axes that it replaces.
MOVING = (VIEWS - {"step"}) | {"halo", "join", "repeat", "unwindow"}
# What cannot be written over one of its operands.
OUT_OF_PLACE = (
    MOVING
    | {"contract", "total", "largest", "smallest", "product", "argmax", "argmin", "first", "take"}
    | {"others", "tile", "broadcast", "number", "place", "range", "clip", "columns"}
)


def natural(value: Value, order: Sequence[int]) -> list[int]:
    """Return the result's dimensions in memory order, where the operand's axes lie in ``order``.

    Parts of an axis stand where it stood; the places in a window come last.
    """
    placed, last = _placed(value)
    subscript = value.subscripts[0]
    return [d for axis in order for d in placed.get(axis, (subscript[axis],))] + last


def _placed(value: Value) -> tuple[dict[int, tuple[int, ...]], list[int]]:
    """Return what stands for each axis that is replaced, and the places in windows."""
    assert isinstance(value.attribute, tuple)
    gone = sum(dimension >= value.rank for dimension in value.subscripts[0])
    new = value.operands[0].rank - gone  # new dimensions are numbered after those that are kept
    placed: dict[int, tuple[int, ...]] = {}
    last: list[int] = []
    if value.operation == "slice":
        axis, _, extent = value.attribute
        return {axis: () if extent is None else (new,)}, []
    if value.operation == "join":
        groups = enumerate(value.attribute, new)
        return {a: () if k else (d,) for d, axes in groups for k, a in enumerate(axes)}, []
    for entry in value.attribute[1] if value.operation == "halo" else value.attribute:
        if value.operation == "window":
            count = len(entry.steps)
            placed[entry.axis] = tuple(range(new, new + min(count, 1)))
            last.extend(range(new + 1, new + count))
            new += count
        elif value.operation == "unwindow":
            placed |= {axis: () if k else (new,) for k, axis in enumerate(entry[1])}
            last += [] if entry[1] else [new]  # one place of an axis that the operand lacks
            new += 1
        else:
            axis, count = entry[0], entry[1] if value.operation == "split" else 1
            placed[axis] = tuple(range(new, new + count))
            new += count
    return placed, last
