"""Which expressions are never positive, or never negative, by their form alone."""

from __future__ import annotations

from collections import Counter

from symbackprop.scalar import Apply, Expression, Named, Number

_NEVER_NEGATIVE = frozenset({"abs", "exp", "sqrt", "erfc"})


def sign(expression: Expression, nonpositive: frozenset[Expression]) -> int:
    """Return 1 if the expression is never negative, -1 if never positive, 0 if unknown.

    ``nonpositive`` holds expressions that the caller knows to be never positive.
    """
    if expression in nonpositive:
        return -1
    if isinstance(expression, Number):
        return 1 if expression.value >= 0 else -1
    if not isinstance(expression, Apply):
        return int(expression == Named("pi"))
    if expression.function in _NEVER_NEGATIVE:
        return 1
    return _sign_of_application(expression, nonpositive)


def is_nonzero(expression: Expression) -> bool:
    """Whether the expression has one sign throughout and is never 0, by its form alone."""
    if isinstance(expression, Number):
        return expression.value != 0
    if not isinstance(expression, Apply):
        return bool(expression == Named("pi"))
    if expression.function in ("exp", "erfc"):
        return True
    if expression.function == "add":
        signs = {sign(argument, frozenset()) for argument in expression.arguments}
        return len(signs) == 1 and 0 not in signs and any(map(is_nonzero, expression.arguments))
    through = ("negative", "sqrt", "abs", "multiply", "divide", "power")
    count = 1 if expression.function == "power" else None
    return expression.function in through and all(map(is_nonzero, expression.arguments[:count]))


def _sign_of_application(node: Apply, nonpositive: frozenset[Expression]) -> int:
    if node.function == "negative":
        return -sign(node.arguments[0], nonpositive)
    if node.function == "power":
        return _sign_of_power(node, nonpositive)
    if node.function == "multiply":
        return _sign_of_product(node, nonpositive)
    signs = [sign(argument, nonpositive) for argument in node.arguments]
    if node.function == "divide":
        return signs[0] * signs[1]
    return _sign_of_choice(node.function, signs)


def _sign_of_choice(function: str, signs: list[int]) -> int:
    if function == "minimum" and -1 in signs:
        return -1
    if function == "maximum" and 1 in signs:
        return 1
    same = function in ("add", "minimum", "maximum") and len(set(signs)) == 1
    return signs[0] if same else 0


def _sign_of_power(node: Apply, nonpositive: frozenset[Expression]) -> int:
    base, exponent = node.arguments
    if isinstance(exponent, Number) and exponent.value.denominator == 1:
        return 1 if exponent.value % 2 == 0 else sign(base, nonpositive)
    return 1


def _sign_of_product(node: Apply, nonpositive: frozenset[Expression]) -> int:
    result = 1
    for factor, count in Counter(node.arguments).items():
        result *= 1 if count % 2 == 0 else sign(factor, nonpositive)
    return result
