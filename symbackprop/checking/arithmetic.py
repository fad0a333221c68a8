"""Numbers of one kind and the scalar functions on them: exact, float64 or many digits."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Arithmetic:
    """Numbers of one kind.

    Attributes:
        number: makes one from an int, a float, a Fraction or one of its own.
        functions: ``scalar.ARITY`` but ``where``, which evaluates one branch only.
        constants: numbers known by name, such as ``pi``.
    """

    number: Callable[[Any], Any]
    functions: Mapping[str, Callable[..., Any]]
    constants: Mapping[str, Any]


def is_nan(a: Any) -> bool:
    """Whether it is not a number, of whatever kind."""
    return bool(a != a)  # noqa: PLR0124


def added(*terms: Any) -> Any:
    """Return the sum of one or more numbers, from left to right."""
    return sum(terms[1:], terms[0])


def maximum(a: Any, b: Any) -> Any:
    """Return the larger, the first at a tie, NaN where there is one."""
    return a if a >= b or is_nan(a) else b


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller, the first at a tie, NaN where there is one."""
    return a if a <= b or is_nan(a) else b


def _sign(a: Any) -> Any:
    return a if a == 0 or is_nan(a) else a / abs(a)


def _truth(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    """Return the comparison as Python's truth value, which counts as 0 or 1; NumPy's does not."""
    return lambda a, b: bool(compare(a, b))


# What holds for numbers of any kind.
_COMMON: dict[str, Callable[..., Any]] = {
    "add": added,
    "multiply": lambda *factors: math.prod(factors[1:], start=factors[0]),
    "negative": operator.neg,
    "divide": operator.truediv,
    "power": operator.pow,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "abs": abs,
    "sign": _sign,
    "maximum": maximum,
    "minimum": minimum,
    "greater": _truth(operator.gt),
    "greater_equal": _truth(operator.ge),
    "less": _truth(operator.lt),
    "less_equal": _truth(operator.le),
    "equal": _truth(operator.eq),
    "not_equal": _truth(operator.ne),
    "logical_and": lambda a, b: bool(a) and bool(b),
    "logical_or": lambda a, b: bool(a) or bool(b),
    "logical_not": operator.not_,
}
_ELEMENTARY = ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh")
EXACT = Arithmetic(Fraction, _COMMON, {})
FLOAT64 = Arithmetic(
    np.float64,
    _COMMON
    | {name: getattr(np, name) for name in (*_ELEMENTARY, "copysign")}
    | {"erf": math.erf, "erfc": math.erfc},
    {"pi": np.float64(math.pi), "inf": np.float64(math.inf)},
)


def decimal_arithmetic(digits: int = 50) -> Arithmetic:
    """Return arithmetic on that many decimal digits (mpmath, in a context of its own)."""
    from mpmath.ctx_mp import MPContext  # noqa: PLC0415  (slow to import, and seldom needed)

    context = MPContext()
    context.dps = digits

    def number(value: Any) -> Any:
        if isinstance(value, Fraction):
            return context.mpf(value.numerator) / value.denominator
        return context.mpf(value)

    def divide(a: Any, b: Any) -> Any:
        if b == 0:
            return context.nan if a == 0 or is_nan(a) else context.inf * _sign(a)
        return a / b

    def real(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            result = function(*arguments)
            return context.nan if isinstance(result, context.mpc) else result

        return wrapped

    names = (*_ELEMENTARY, "erf", "erfc", "power")
    functions = {name: real(getattr(context, name)) for name in names}
    functions["divide"] = divide
    functions["floor_divide"] = lambda a, b: context.floor(divide(a, b))
    functions["copysign"] = lambda a, b: -abs(a) if b < 0 else abs(a)
    return Arithmetic(number, _COMMON | functions, {"pi": +context.pi, "inf": context.inf})
