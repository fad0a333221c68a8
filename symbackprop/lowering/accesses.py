"""Accesses as whole-array reads, and their adjoints as whole-array writes.

    bare index      the axis itself                 the axis itself
    look-up         take                            put (assigned) or add_at
    constant+index  slice                           tile, where slices cover the axis exactly

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
from symbackprop.errors import SymbackpropError
from symbackprop.lowering.values import Dimension, Label, Labelled, ValueGraph
from symbackprop.scalar import ZERO, Apply, Expression, Named


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
    for position, expression in enumerate(operand.indices):
        if position not in result.labels:
            continue
        if isinstance(expression, Access):
            index = read(graph, values, expression)
            result = _take(graph, result, position, index, operand.fill)
        else:
            result = _slice(graph, result, position, *window(operand, expression))
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
    graph: ValueGraph, base: Labelled, position: Label, index: Index | None, start: int
) -> Labelled:
    axis = base.labels.index(position)
    if index is None:
        return graph.node("slice", [base], [position], (axis, start, None))
    extra = [(index, Dimension(index.extent, index.role))]
    return graph.node("slice", [base], [position], (axis, start, index.extent), extra)


def window(place: Access, expression: IndexExpression) -> tuple[Index | None, int]:
    """Return (index, start) of an access ``start + index``, index None for a number alone.

    Raises:
        SymbackpropError: any other index expression.
    """
    if isinstance(expression, Index):
        return expression, 0
    if isinstance(expression, Affine) and isinstance(expression.offset, int):
        if not expression.terms:
            return None, expression.offset
        if len(expression.terms) == 1 and expression.terms[0][0] == 1:
            return expression.terms[0][1], expression.offset
    raise refused(place, "an index that is neither bare, shifted nor looked up")


def refused(place: Access, what: str) -> SymbackpropError:
    """Return the error for an access that cannot be lowered."""
    return SymbackpropError(
        f"{place.variable.name}: generating code for {what} is not possible yet; "
        "allowed: bare indices, index + number, look-ups"
    )


class Window(NamedTuple):
    """A slice of one axis of a target."""

    axis: int
    start: int
    extent: Extent


@dataclass(frozen=True)
class Place:
    """Where a term goes: which index runs over which axis of its target.

    Attributes:
        names: index to the position of the target's axis.
        lookup: (axis, index array by the equation's indices) of a scatter.
        window: which slice of the target.
    """

    names: Mapping[Label, Label]
    lookup: tuple[int, Access] | None
    window: Window | None

    @property
    def kept(self) -> frozenset[Index]:
        """The indices that are not summed: those of the target."""
        looked_up = indices_of(self.lookup[1]) if self.lookup else ()
        return frozenset([*(n for n in self.names if isinstance(n, Index)), *looked_up])


def place(target: Access) -> Place:
    """Return where a term with this target goes.

    Raises:
        SymbackpropError: an access with no array form yet.
    """
    names: dict[Label, Label] = {}
    lookup: tuple[int, Access] | None = None
    found: Window | None = None
    for position, (expression, axis) in enumerate(
        zip(target.indices, target.variable.axes, strict=True)
    ):
        if isinstance(expression, Access):
            if lookup or found:
                raise refused(target, "two look-ups in one access")
            lookup = (position, expression)
            continue
        index, start = window(target, expression)
        if index is None or index.extent != axis.extent:
            if lookup or found:
                raise refused(target, "two slices in one access")
            found = Window(position, start, 1 if index is None else index.extent)
        if index is not None:
            names[index] = position
    return Place(names, lookup, found)
