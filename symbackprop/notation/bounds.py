"""How large an expression is, and how large the numbers may become that are folded in it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from sys import float_info

from symbackprop.errors import SymbackpropError
from symbackprop.scalar import Apply, Expression, Named, Number, walk

MAX_BITS = 4096
_LARGEST = Fraction(float_info.max)


def measure(expression: Expression) -> tuple[int, int]:
    """Return how many parts an expression has, and how deeply they are nested."""
    parts, deepest, waiting = 0, 0, [(expression, 1)]
    while waiting:
        node, level = waiting.pop()
        parts, deepest = parts + 1, max(deepest, level)
        if isinstance(node, Apply):
            waiting.extend((argument, level + 1) for argument in node.arguments)
    return parts, deepest


def bits(expression: Expression, names: Mapping[str, int]) -> int:
    """Return about how many bits its numbers need where names cancel; MAX_BITS + 1 is too many.

    ``x - x + 2`` is 2 to the calculus, so that a power of it is one of numbers.

    Args:
        expression: nested no deeper than formulas may be.
        names: the bits of names that stand for expressions; others count 1.
    """
    if isinstance(expression, Number):
        value = expression.value
        return max(value.numerator.bit_length(), value.denominator.bit_length())
    if not isinstance(expression, Apply):
        return names.get(expression.name, 1) if isinstance(expression, Named) else 1
    arguments = [bits(argument, names) for argument in expression.arguments]
    if max(arguments) > MAX_BITS:
        return MAX_BITS + 1
    total = sum(arguments)
    if expression.function == "power":
        total = arguments[0] * _exponent(expression.arguments[1], names)
    return min(total, MAX_BITS + 1)


def _exponent(exponent: Expression, names: Mapping[str, int]) -> int:
    """Return what the exponent is at most; one that is not a number has so many bits."""
    while isinstance(exponent, Apply) and exponent.function == "divide":
        dividend, divisor = exponent.arguments
        if not isinstance(divisor, Number) or abs(divisor.value) < 1:
            break
        exponent = dividend  # which is no smaller
    if isinstance(exponent, Number):
        return max(1, abs(round(exponent.value)))
    return 1 << min(bits(exponent, names), 20)


def check_range(expression: Expression) -> None:
    """Refuse numbers that float64 has not.

    Raises:
        SymbackpropError: there is one.
    """
    for node in walk(expression):
        if isinstance(node, Number) and abs(node.value) > _LARGEST:
            raise SymbackpropError("it has a number beyond the range of float64")
