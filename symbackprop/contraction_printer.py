"""Arrays as stacks of matrices, and back: NumPy's reshape and transpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from symbackprop.lowering.contraction import View

# The extent of a dimension; None is the batch.
Extents = Callable[[int], int | None]


def transposition(axes: Sequence[int]) -> str:
    """Return ``.T`` or ``.transpose(…)``; nothing where the axes stand in order."""
    if list(axes) == sorted(axes):
        return ""
    if list(axes) == list(reversed(range(len(axes)))):
        return ".T"
    return f".transpose({', '.join(map(str, axes))})"


def reshaping(groups: Sequence[Sequence[int]], extents: Extents) -> str:
    """Return ``.reshape(…)`` to one axis for each group of dimensions."""
    sizes = [_size(group, extents) for group in groups]
    return f".reshape({', '.join(map(str, sizes))})"


def _size(group: Sequence[int], extents: Extents) -> int:
    known = [extent for dimension in group if (extent := extents(dimension)) is not None]
    return prod(known) if len(known) == len(group) else -1


def regrouping(view: View, extents: Extents) -> str:
    """Return what makes a stack of matrices of an array, without a copy."""
    text = "" if all(len(group) == 1 for group in view.groups) else reshaping(view.groups, extents)
    text += transposition([axis for axis in view.axes if axis is not None])
    first = next(k for k, axis in enumerate(view.axes) if axis is not None)
    if None in view.axes[first:]:
        text += f"[{', '.join('None' if axis is None else ':' for axis in view.axes[first:])}]"
    return text


def restoring(view: View, extents: Extents) -> str:
    """Return what makes the array of its stack of matrices."""
    places = [view.axes.index(k) for k in range(len(view.groups))]
    alone = [k for k, axis in enumerate(view.axes) if axis is None]
    text = transposition([*places, *alone])
    if alone or any(len(group) > 1 for group in view.groups):
        text += reshaping([[dimension] for group in view.groups for dimension in group], extents)
    return text
