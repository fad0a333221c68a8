"""Accesses as whole-array reads, and their adjoints as whole-array writes.

    bare index      the axis itself                 the axis itself
    look-up         take                            put (assigned) or add_at
    constant+index  slice                           tile, where slices cover the axis exactly
    others          views of windows                sums into windows

What has no array form yet is refused by name rather than computed by a slow detour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from symbackprop.equations import (
    Access,
    Affine,
    Extent,
    Index,
    IndexExpression,
    Operand,
    Variable,
    accesses_of,
    indices_of,
)
from symbackprop.lowering.spans import refused
from symbackprop.lowering.values import Dimension, Label, Labelled, ValueGraph
from symbackprop.lowering.windows import read_moved
from symbackprop.scalar import ZERO, Apply, Expression, Named
from symbackprop.sizes import Whole
from symbackprop.sizing import whole


def read(graph: ValueGraph, values: Mapping[Variable, Labelled], operand: Operand) -> Labelled:
    """Return what the operand reads, labelled by the indices of its equation."""
    if isinstance(operand, Index):
        dimension = Dimension(operand.extent, operand.role)
        return graph.node("range", [], extra=[(operand, dimension)])
    base = values[operand.variable]
    bare: dict[Label, Label] = {}
    for position, expression in enumerate(operand.indices):
        axis = operand.variable.axes[position]
        if (
            isinstance(expression, Index)
            and expression.extent == axis.extent
            and position in base.labels
        ):
            if expression in bare.values():
                raise refused(operand, "a diagonal")
            bare[position] = expression
    result = base.relabel(bare)
    moved = {
        position: expression
        for position, expression in enumerate(operand.indices)
        if position in result.labels
        and not isinstance(expression, Access)
        and (operand.fill is not None or not is_slice(expression))
    }
    if moved:
        result = read_moved(graph, result, operand, moved)
    for position, expression in enumerate(operand.indices):
        if position not in result.labels:
            continue
        if isinstance(expression, Access):
            index = read(graph, values, expression)
            result = _take(graph, result, position, index, operand.fill)
        else:
            result = _slice(graph, result, position, *window(expression))
    return result


def _take(
    graph: ValueGraph, base: Labelled, position: Label, index: Labelled, fill: str | None
) -> Labelled:
    """Return base at ``index`` along one axis; labels that both have go together."""
    axis = base.labels.index(position)
    if fill is None:
        return graph.node("take", [base, index], [position], axis)
    index, inside = inside_only(graph, index, base.value.axes[axis].extent)
    taken = graph.node("take", [base, index], [position], axis)
    return graph.map("where", inside, taken, graph.leaf("literal", _FILLS[fill]))


_FILLS: Mapping[str, Expression] = {
    "zero": ZERO,
    "-inf": Apply("negative", (Named("inf"),)),
    "inf": Named("inf"),
}


def inside_only(graph: ValueGraph, index: Labelled, extent: Extent) -> tuple[Labelled, Labelled]:
    """Return the index, moved to the nearest place inside, and whether it was there already."""
    moved = graph.node("clip", [index], attribute=extent)
    return moved, graph.map("equal", index, moved)


def guarded_lookups(operand: Operand) -> Iterator[Access]:
    """Yield the look-ups in the operand that may lie outside what they look up."""
    for access in accesses_of(operand):
        if access.fill is not None:
            yield from (index for index in access.indices if isinstance(index, Access))


def _slice(
    graph: ValueGraph, base: Labelled, position: Label, index: Index | None, start: Whole
) -> Labelled:
    axis = base.labels.index(position)
    if index is None:
        return graph.node("slice", [base], [position], (axis, start, None))
    extra = [(index, Dimension(index.extent, index.role))]
    return graph.node("slice", [base], [position], (axis, start, index.extent), extra)


def window(expression: IndexExpression) -> tuple[Index | None, Whole]:
    """Return (index, start) of a slice ``start + index``, index None for a number alone."""
    if isinstance(expression, Index):
        return expression, 0
    assert isinstance(expression, Affine)
    return (expression.terms[0][1] if expression.terms else None), whole(expression.offset)


def is_slice(expression: IndexExpression) -> bool:
    """Whether it is a number, or an index and a number."""
    if isinstance(expression, Index):
        return True
    if not isinstance(expression, Affine):
        return False
    return len(expression.terms) < 2 and all(c == 1 for c, _ in expression.terms)


class Window(NamedTuple):
    """A slice of one axis of a target."""

    axis: int
    start: Whole
    extent: Extent


@dataclass(frozen=True)
class Place:
    """Where a term goes: which index runs over which axis of its target.

    Attributes:
        names: index to the position of the target's axis.
        lookup: (axis, index array by the equation's indices) of a scatter.
        window: which slice of the target.
        moved: axes whose place is an index expression.
    """

    names: Mapping[Label, Label]
    lookup: tuple[int, Access] | None
    window: Window | None
    moved: Mapping[int, IndexExpression]

    @property
    def dense(self) -> bool:
        """Whether the term reaches the whole target."""
        return not (self.lookup or self.window or self.moved)

    @property
    def kept(self) -> frozenset[Index]:
        """The indices that are not summed: those of the target."""
        looked_up = indices_of(self.lookup[1]) if self.lookup else ()
        moved = [index for item in self.moved.values() for index in indices_of(item)]
        return frozenset([*(n for n in self.names if isinstance(n, Index)), *looked_up, *moved])


def place(target: Access, *, slices: bool = True) -> Place:
    """Return where a term with this target goes.

    Args:
        target: of the term.
        slices: see a slice of one axis as such.

    Raises:
        SymbackpropError: an access with no array form yet.
    """
    names: dict[Label, Label] = {}
    lookup: tuple[int, Access] | None = None
    moved: dict[int, IndexExpression] = {}
    for position, (expression, axis) in enumerate(
        zip(target.indices, target.variable.axes, strict=True)
    ):
        if isinstance(expression, Access):
            if lookup:
                raise refused(target, "two look-ups in one access")
            lookup = (position, expression)
        elif isinstance(expression, Index) and expression.extent == axis.extent:
            names[expression] = position
        else:
            moved[position] = expression
    if lookup and moved:
        raise refused(target, "a look-up beside an index that moves")
    if not (slices and len(moved) == 1 and target.fill is None):
        return Place(names, lookup, None, moved)
    ((position, expression),) = moved.items()
    if not is_slice(expression):
        return Place(names, lookup, None, moved)
    index, start = window(expression)
    if index is not None:
        names[index] = position
    return Place(names, None, Window(position, start, 1 if index is None else index.extent), {})
