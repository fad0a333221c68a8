"""Applies a function and folds what is constant: arithmetic, comparisons and what they decide."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from fractions import Fraction

from symbackprop import scalar
from symbackprop.errors import SymbackpropError
from symbackprop.scalar import ONE, TRUTH, ZERO, Apply, Expression, Number

_LARGEST = Fraction(sys.float_info.max)
_MAX_BITS = 2048  # float64 ends at 1024; a quotient may pass through more
_COMPARE: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
}


def fold(function: str, arguments: Sequence[Expression]) -> Expression:
    """Return the application, decided where its arguments decide it.

    Raises:
        SymbackpropError: a division by a literal 0, or a number beyond the range of float64.
    """
    if function in ("divide", "floor_divide", "remainder") and arguments[1] == ZERO:
        raise SymbackpropError("division by 0")
    if function in ("logical_and", "logical_or"):
        return _logical(function, *arguments)
    kept = {"where": 1, "logical_not": 1}.get(function, 0)  # conditions stay what they are
    arguments = [*arguments[:kept], *(as_number(argument) for argument in arguments[kept:])]
    numbers = [argument.value for argument in arguments if isinstance(argument, Number)]
    if function in _COMPARE and len(numbers) == 2:
        return ONE if _COMPARE[function](*numbers) else ZERO
    if function == "logical_not" and numbers:
        return ZERO if numbers[0] else ONE
    if function == "where" and isinstance(arguments[0], Number):
        return arguments[1] if arguments[0].value else arguments[2]
    result = scalar.apply(function, *arguments)
    for node in (result, *getattr(result, "arguments", ())):
        if isinstance(node, Number) and not _is_in_range(node.value):
            raise SymbackpropError(f"{function} gives a number beyond the range of float64")
    return result


def as_number(expression: Expression) -> Expression:
    """Return 1 or 0 for what holds or not: NumPy does not calculate with truth values."""
    holds = isinstance(expression, Apply) and expression.function in TRUTH
    return scalar.apply("where", expression, ONE, ZERO) if holds else expression


def _logical(function: str, left: Expression, right: Expression) -> Expression:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Number):
            decided = bool(one.value) is (function == "logical_or")
            return one if decided else other
    return scalar.apply(function, left, right)


def _is_in_range(value: Fraction) -> bool:
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    return bits <= _MAX_BITS and abs(value) <= _LARGEST
