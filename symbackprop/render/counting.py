"""Indices that serve as numbers: they read alike only where units are counted from 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symbackprop.equations import (
    Affine,
    Equation,
    Index,
    IndexExpression,
    Operand,
    Quotient,
    Remainder,
    accesses_of,
    extent_expression,
)
from symbackprop.scalar import ONE, Apply, Expression, Slot, apply, number

_EXTREMA = ("largest", "smallest", "argmax", "argmin")
_EQUALITIES = ("equal", "not_equal")


def counts_from_zero(equations: Iterable[Equation]) -> bool:
    """Whether a formula would be longer with its units counted from 1."""
    return any(_is_numeric(equation) for equation in equations)


def _is_numeric(equation: Equation) -> bool:
    if equation.reduction in _EXTREMA and len(equation.reduced) > 1:
        return True  # where the largest stands is one number for all these indices
    function = equation.function
    if as_numbers(function, equation.operands, first=1) != function:
        return True
    places = [place for _, place in equation.excluding]
    places += [i for o in equation.operands for a in accesses_of(o) for i in a.indices]
    return any(not _is_shift(place) for place in places)


def _is_shift(place: IndexExpression) -> bool:
    """Whether a place reads the same from whatever number its indices are counted."""
    if isinstance(place, Quotient | Remainder):
        return False
    return not isinstance(place, Affine) or not place.terms or weight(place) == ONE


def weight(place: Affine) -> Expression:
    """Return by how much a place moves where all its indices move by 1."""
    return apply("add", *(extent_expression(factor) for factor, _ in place.terms))


def as_numbers(function: Expression, operands: Sequence[Operand], first: int) -> Expression:
    """Return the function with each index, counted from ``first``, as the number it stands for.

    Two places are compared as they stand.
    """
    if first == 0 or not any(isinstance(operand, Index) for operand in operands):
        return function
    if isinstance(function, Slot):
        is_index = isinstance(operands[function.position], Index)
        return apply("add", function, number(-first)) if is_index else function
    if not isinstance(function, Apply):
        return function
    if function.function in _EQUALITIES and all(
        isinstance(side, Slot) and _is_place(operands[side.position]) for side in function.arguments
    ):
        return function
    arguments = tuple(as_numbers(argument, operands, first) for argument in function.arguments)
    return Apply(function.function, arguments)


def _is_place(operand: Operand) -> bool:
    return isinstance(operand, Index) or operand.variable.integer
