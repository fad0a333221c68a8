"""Slices side by side: what covers an axis piece by piece is written piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from symbackprop.equations import Access, Equation, Index, Operand, Variable
from symbackprop.lowering.accesses import Window, is_slice, window
from symbackprop.lowering.values import Dimension, Label, Labelled, ValueGraph
from symbackprop.scalar import Apply, Slot
from symbackprop.sizes import Whole
from symbackprop.sizing import whole


@dataclass(frozen=True)
class _Piece:
    """A whole array that is read at ``start`` of a longer index, and nothing outside.

    Attributes:
        axis: of the array, that lies along the index.
        index: of the equation.
        start: the place of the array's first number.
        extent: of the array along the axis.
    """

    axis: int
    index: Index
    start: Whole
    extent: Whole


def side_by_side(
    graph: ValueGraph, values: Mapping[Variable, Labelled], equation: Equation
) -> Labelled | None:
    """Return a sum of arrays, each padded to fill where the others do not, as they lie.

    None where the equation is no such sum: ``y[i] = padded(x1[i]) + padded(x2[i - 3])``.
    """
    found = [_piece(operand) for operand in equation.operands]
    pieces = [piece for piece in found if piece is not None]
    if len(pieces) < len(found) or not _is_sum(equation) or len({p.index for p in pieces}) != 1:
        return None
    index = pieces[0].index
    windows = [Window(0, piece.start, piece.extent) for piece in pieces]
    if not covered(windows, [index]) or len(set(windows)) < len(windows):
        return None
    arrays = {}
    for piece, operand in zip(pieces, equation.operands, strict=True):
        assert isinstance(operand, Access)
        axes = operand.variable.axes
        whole = [(k, Dimension(axis.extent, axis.role)) for k, axis in enumerate(axes)]
        base = values[operand.variable]
        if len(base.labels) < len(axes):
            base = graph.node("broadcast", [base], extra=whole)
        names: dict[Label, Label] = dict(enumerate(operand.indices))
        arrays[piece.start] = base.relabel({**names, piece.axis: index})
    return tiled(graph, arrays, index, Dimension(index.extent, index.role))


def tiled(
    graph: ValueGraph, arrays: Mapping[Whole, Labelled], axis: Label, whole: Dimension
) -> Labelled:
    """Return the arrays side by side along an axis that all of them have, by where each starts."""
    starts = sorted(arrays)
    if len(starts) == 1:
        return arrays[starts[0]]
    gone: list[Label] = [("tile", start) for start in starts]
    tiles = [arrays[s].relabel({axis: part}) for s, part in zip(starts, gone, strict=True)]
    return graph.node("tile", tiles, gone, None, [(axis, whole)])


def covered(windows: Iterable[Window], axes: Sequence[Index]) -> bool:
    """Whether the slices cover one of the axes exactly, side by side."""
    ordered = sorted(set(windows), key=lambda piece: piece.start)
    end: Whole = 0
    for piece in ordered:
        if piece.axis != ordered[0].axis or piece.start != end:
            return False
        end += whole(piece.extent)
    return end == axes[ordered[0].axis].extent


def _piece(operand: Operand) -> _Piece | None:
    if not isinstance(operand, Access) or operand.fill != "zero":
        return None
    moved = []
    for position, (item, axis) in enumerate(
        zip(operand.indices, operand.variable.axes, strict=True)
    ):
        if not isinstance(item, Index) or item.extent != axis.extent:
            moved.append((position, item, axis.extent))
    if len(moved) != 1 or isinstance(moved[0][1], Access) or not is_slice(moved[0][1]):
        return None
    position, item, extent = moved[0]
    index, offset = window(item)
    if index is None:
        return None
    return _Piece(position, index, -offset, whole(extent))


def _is_sum(equation: Equation) -> bool:
    function = equation.function
    count = len(equation.operands)
    return (
        equation.reduction is None
        and isinstance(function, Apply)
        and function.function == "add"
        and sorted(a.position for a in function.arguments if isinstance(a, Slot)) == [*range(count)]
        and len(function.arguments) == count
    )
