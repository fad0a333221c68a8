"""Applies a function and folds what is constant: arithmetic, comparisons and what they decide."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from symbackprop import scalar
from symbackprop.errors import SymbackpropError
from symbackprop.scalar import ONE, TRUTH, ZERO, Apply, Expression, Number

# How many of its first arguments each function asks only whether they hold.
CONDITIONS = {"where": 1, "logical_not": 1, "logical_and": 2, "logical_or": 2}
# What a function needs of a number that stands as its argument.
_LEAST: Mapping[str, Callable[[Fraction], bool]] = {
    "log": lambda value: value > 0,
    "sqrt": lambda value: value >= 0,
}
_LARGEST = Fraction(sys.float_info.max)
_MAX_BITS = 2048  # float64 ends at 1024; a quotient may pass through more


def fold(function: str, arguments: Sequence[Expression]) -> Expression:
    """Return the application, decided where its arguments decide it.

    Raises:
        SymbackpropError: a division by a literal 0, a logarithm or a root of a number that has
            none, a number where a condition is needed, or one beyond the range of float64.
    """
    if function in ("divide", "floor_divide", "remainder") and arguments[1] == ZERO:
        raise SymbackpropError("division by 0")
    least = _LEAST.get(function)
    if least is not None and isinstance(arguments[0], Number) and not least(arguments[0].value):
        raise SymbackpropError(f"{function} of {arguments[0].value} is no real number")
    # Conditions stay what they are.
    kept = CONDITIONS.get(function, 0)
    if not all(map(_is_decided, arguments[:kept])):
        words = function.removeprefix("logical_")
        raise SymbackpropError(
            f"{words} of a number; a condition is needed, such as a comparison with 0"
        )
    arguments = [*arguments[:kept], *(as_number(argument) for argument in arguments[kept:])]
    result = scalar.apply(function, *arguments)
    for node in (result, *getattr(result, "arguments", ())):
        if isinstance(node, Number) and not _is_in_range(node.value):
            raise SymbackpropError(f"{function} gives a number beyond the range of float64")
    return result


def as_number(expression: Expression) -> Expression:
    """Return 1 or 0 for what holds or not: NumPy does not calculate with truth values."""
    return scalar.apply("where", expression, ONE, ZERO) if is_condition(expression) else expression


def is_condition(expression: Expression) -> bool:
    """Return whether the expression holds or not, rather than having a value."""
    return isinstance(expression, Apply) and expression.function in TRUTH


def _is_decided(expression: Expression) -> bool:
    """Whether it is a condition, or the number that a constant of the definition makes of it."""
    return is_condition(expression) or isinstance(expression, Number)


def _is_in_range(value: Fraction) -> bool:
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    return bits <= _MAX_BITS and abs(value) <= _LARGEST
