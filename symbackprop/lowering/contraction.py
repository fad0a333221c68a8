"""Contractions as matrix products: how the axes of three arrays group to those of matrices.

Axes that an operand shares with nothing but the result are its rows (or columns), summed axes
stand between the two, axes of both operands and the result are stacked. Neighbours in memory
become one axis without a copy; a row or column axis that has other neighbours is stacked, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from symbackprop.lowering.values import Value

# Axes in memory order, and whether neighbours may become one.
Memory = tuple[tuple[int, ...], bool]
Memories = tuple[Memory, Memory, Memory]
Group = tuple[int, ...]


@dataclass(frozen=True)
class View:
    """An array as a stack of matrices.

    Attributes:
        groups: its dimensions in memory order, those that become one axis together.
        axes: for each axis of the stack the position in ``groups``, None where it lacks it.
    """

    groups: tuple[Group, ...]
    axes: tuple[int | None, ...]

    @property
    def short(self) -> View:
        """The view without axes of length 1."""
        return View(self.groups, tuple(axis for axis in self.axes if axis is not None))

    def of(self, part: frozenset[int]) -> list[Group]:
        """Return the groups that are part of these dimensions, in order."""
        return [group for group in self.groups if part.issuperset(group)]


@dataclass(frozen=True)
class MatrixProduct:
    """``target = operands[left] @ operands[1 - left]``.

    Attributes:
        left: which operand stands there.
        views: of the left operand, of the right one and of the result.
        stacked: how many axes are stacked.
        vectors: no rows and no columns: a dot product along the innermost axes at each place.
    """

    left: int
    views: tuple[View, View, View]
    stacked: int
    vectors: bool = False

    @property
    def broadcasts(self) -> bool:
        """Whether the left operand as it lies, by one matrix, gives the result as it lies."""
        left, right, target = self.views
        own = left.groups[-1:] + right.groups + target.groups[1:]
        whole = all(view.axes == (0, 1)[: len(view.groups)] for view in (left, target))
        return not self.stacked and whole and all(len(group) == 1 for group in own)


def matrix_product(value: Value, memory: Callable[[int | None], Memory]) -> MatrixProduct | None:
    """Return how a contraction that is no number is a product of matrices, None where it is none.

    Args:
        value: the contraction.
        memory: of operand k, and for None of the result, the dimensions.
    """
    first, second = value.subscripts
    counts = (value.rank, len(value.dimensions))
    return _best(*counts, (first, second), (memory(0), memory(1), memory(None)))


@lru_cache(maxsize=1024)
def _best(
    rank: int, count: int, subscripts: tuple[Group, Group], memories: Memories
) -> MatrixProduct | None:
    """Return the best plan; layers of a kind ask for the same again and again.

    Args:
        rank: of the result.
        count: of its dimensions and those summed over.
        subscripts: of the operands.
        memories: of the operands, and of the result.
    """
    kept = frozenset(range(rank))
    first, second = (frozenset(subscript) for subscript in subscripts)
    shared, own = first & second & kept, (first & kept, second & kept)
    summed = frozenset(range(rank, count))
    if first - kept != second - kept:
        return None
    plans = (
        plan
        for stack in _stacks(shared, kept - shared)
        for left in (0, 1)
        if (plan := _product(memories, left, stack, own[left] - stack, summed)) is not None
    )
    return min(plans, key=_cost, default=None)


def _stacks(shared: frozenset[int], others: frozenset[int]) -> Iterator[frozenset[int]]:
    """Yield what may be stacked, fewest axes first."""
    for count in range(len(others) + 1):
        yield from (shared.union(more) for more in combinations(sorted(others), count))


def _cost(plan: MatrixProduct) -> tuple[bool, int, bool]:
    """Prefer arrays whose innermost axis is one of the matrices, then few stacked axes, rows."""
    inner = [view.axes.index(len(view.groups) - 1) for view in plan.views]
    return any(axis < plan.stacked for axis in inner), plan.stacked, None in plan.views[2].axes


def _product(
    memories: Memories,
    left: int,
    stack: frozenset[int],
    rows: frozenset[int],
    summed: frozenset[int],
) -> MatrixProduct | None:
    """Return the product with these axes stacked, None where the others do not group."""
    order = memories[-1][0]
    columns = frozenset(order) - stack - rows
    sides = ((left, (rows, summed)), (1 - left, (summed, columns)), (-1, (rows, columns)))
    stacked = tuple(dimension for dimension in order if dimension in stack)
    if _before(order, columns, rows):
        return None
    views = [_view(memories[side], stacked, matrix) for side, matrix in sides]
    first, second, target = views
    if first is None or second is None or target is None:
        return None
    common = ((first, second, summed), (first, target, rows), (second, target, columns))
    if any(one.of(part) != other.of(part) for one, other, part in common):
        return None
    vectors = not rows and not columns
    if vectors and (first.axes[-1], second.axes[-2]) != (
        len(first.groups) - 1,
        len(second.groups) - 1,
    ):
        return None
    if vectors or not stacked:
        first, second, target = first.short, second.short, target.short
    return MatrixProduct(left, (first, second, target), len(stacked), vectors)


def _before(order: Sequence[int], first: frozenset[int], second: frozenset[int]) -> bool:
    return bool(first and second) and min(map(order.index, first)) < min(map(order.index, second))


def _view(
    memory: Memory, stacked: Group, matrix: tuple[frozenset[int], frozenset[int]]
) -> View | None:
    """Group the dimensions, None where those of one axis are no neighbours."""
    order, mergeable = memory
    groups: list[list[int]] = []
    for dimension in order:
        part = next((part for part in matrix if dimension in part), None)
        if part is not None and groups and groups[-1][-1] in part:
            groups[-1].append(dimension)
        else:
            groups.append([dimension])
    if not mergeable and any(len(group) > 1 for group in groups):
        return None
    axes = [_position(groups, frozenset([dimension])) for dimension in stacked]
    axes += [_position(groups, part) for part in matrix]
    if sum(axis is not None for axis in axes) != len(groups):
        return None
    return View(tuple(map(tuple, groups)), tuple(axes))


def _position(groups: Sequence[Sequence[int]], part: frozenset[int]) -> int | None:
    return next((k for k, group in enumerate(groups) if part.intersection(group)), None)
