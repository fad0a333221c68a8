"""What functions of nodes are on doubles, and the bounds of exact numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from symbackprop.auditing.code.faults import Undefined

MOST_BITS = 20_000


MOST_EXPONENT = 1_000


TIE = 1e-9


# Below this exponent a double of exp is 0.
UNDERFLOW = -745.0


def _power(a: float, b: float) -> float:
    result = a**b
    return result if isinstance(result, float) else math.nan


FLOATS: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": _power,
    "exp": math.exp,
    "log": math.log,
    "tanh": math.tanh,
    "sin": math.sin,
    "cos": math.cos,
    "erf": math.erf,
    "arctan": math.atan,
    "arcsin": math.asin,
    "arccos": math.acos,
}


def exact_root(value: Fraction) -> Fraction | None:
    """Return the square root of a fraction where it is one."""
    if value < 0:
        raise Undefined("a root of a negative number")
    top, below = math.isqrt(value.numerator), math.isqrt(value.denominator)
    exact = top * top == value.numerator and below * below == value.denominator
    return Fraction(top, below) if exact else None
