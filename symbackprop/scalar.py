"""Scalar expressions: small ordered trees that every stage reads.

    Expression = Number(value) | Named(name) | Slot(position)
               | Apply(function, arguments)

SymPy sorts the terms of a sum as it likes; these trees keep the order that an
author, or the rule that made a stable form, gave them. The calculus converts to
SymPy to differentiate and back; nothing else in the project needs SymPy.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

# How many arguments each function takes; None is two or more.
ARITY: dict[str, int | None] = {
    "add": None,
    "multiply": None,
    "negative": 1,
    "divide": 2,
    "power": 2,
    "floor_divide": 2,
    "remainder": 2,
    "exp": 1,
    "expm1": 1,
    "log": 1,
    "log1p": 1,
    "sqrt": 1,
    "sin": 1,
    "cos": 1,
    "tanh": 1,
    "erf": 1,
    "erfc": 1,
    "abs": 1,
    "sign": 1,
    "copysign": 2,
    "maximum": 2,
    "minimum": 2,
    "where": 3,
    "greater": 2,
    "greater_equal": 2,
    "less": 2,
    "less_equal": 2,
    "equal": 2,
    "not_equal": 2,
    "logical_and": 2,
    "logical_or": 2,
    "logical_not": 1,
}
# Each comparison, and the one that holds where it does not.
OPPOSITE = {
    "greater": "less_equal",
    "less_equal": "greater",
    "less": "greater_equal",
    "greater_equal": "less",
    "equal": "not_equal",
    "not_equal": "equal",
}
COMPARISONS = frozenset(OPPOSITE)
TRUTH = COMPARISONS | {"logical_and", "logical_or", "logical_not"}  # functions that hold or not


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational; decimals are read as written (0.1 is 1/10)."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Named:
    """A number known by name: a constant of a definition, a size, or ``pi``."""

    name: str


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of operand ``position`` of the equation that holds the expression."""

    position: int


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of ``ARITY`` applied to arguments, in their written order."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Number | Named | Slot | Apply

ZERO = Number(Fraction(0))
ONE = Number(Fraction(1))


def number(value: int | float | str | Fraction) -> Number:
    """Return the exact number; a float stands for its shortest decimal."""
    return Number(Fraction(repr(value)) if isinstance(value, float) else Fraction(value))


def apply(function: str, *arguments: Expression) -> Expression:
    """Return the application, with what is trivially constant folded away.

    Folded are rational arithmetic and comparisons, what a decided condition decides,
    neutral elements (0 in sums, 1 in products), products with a literal 0, nested sums
    and products.
    """
    if function in ("add", "multiply"):
        return _fold_associative(function, arguments)
    if function in ("logical_and", "logical_or"):
        return _fold_logical(function, *arguments)
    numbers = [a.value for a in arguments if isinstance(a, Number)]
    if len(numbers) == len(arguments) and function in _ARITHMETIC:
        folded = _ARITHMETIC[function](*numbers)
        if folded is not None:
            return Number(Fraction(folded))
    return _fold_neutral(function, arguments)


def _fold_neutral(function: str, arguments: tuple[Expression, ...]) -> Expression:
    first = arguments[0]
    by_one = function in ("divide", "power") and arguments[1] == ONE
    if by_one or (function == "divide" and first == ZERO):
        return first
    if function == "negative" and isinstance(first, Apply) and first.function == "negative":
        return first.arguments[0]
    if function == "where" and isinstance(first, Number):
        return arguments[1] if first.value else arguments[2]
    if function in COMPARISONS or function in ("sign", "copysign"):
        return _fold_sign(function, arguments)
    return Apply(function, arguments)


def _fold_sign(function: str, arguments: tuple[Expression, ...]) -> Expression:
    """Decide what asks for the sign of a constant, such as exp(2) > 1."""
    first, last = arguments[0], arguments[-1]
    if function in COMPARISONS:
        side = _side(_constant(first), _constant(last))
        return Apply(function, arguments) if side is None else apply(function, number(side), ZERO)
    side = _side(_constant(last), 0.0)
    if side is None:
        return Apply(function, arguments)
    if function == "sign":
        return number(side)
    absolute = apply("abs", first)
    return absolute if side > 0 else apply("negative", absolute)


def _side(a: float | None, b: float | None) -> int | None:
    """Return 1 for a > b and -1 for a < b where no rounding decides, else None."""
    if a is None or b is None or not math.isfinite(a - b):
        return None
    clear = abs(a - b) > _CLEAR * max(abs(a), abs(b))
    return (1 if a > b else -1) if clear else None


def _constant(expression: Expression) -> float | None:
    """Return about what a constant is; None where it is none, or has no value."""
    if isinstance(expression, Number):
        return float(expression.value)
    if not isinstance(expression, Apply) or expression.function not in _FLOATS:
        return math.pi if expression == Named("pi") else None
    values = [_constant(argument) for argument in expression.arguments]
    known = [value for value in values if value is not None]
    try:
        return _FLOATS[expression.function](*known) if len(known) == len(values) else None
    except (ArithmeticError, ValueError):
        return None


def _fold_logical(function: str, left: Expression, right: Expression) -> Expression:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Number):
            decided = bool(one.value) is (function == "logical_or")
            return one if decided else other
    return Apply(function, (left, right))


def _fold_associative(function: str, arguments: tuple[Expression, ...]) -> Expression:
    flat: list[Expression] = []
    for argument in arguments:
        nested = isinstance(argument, Apply) and argument.function == function
        flat.extend(argument.arguments if nested and isinstance(argument, Apply) else [argument])
    if function == "multiply" and ZERO in flat:
        return ZERO
    neutral = ZERO if function == "add" else ONE
    kept = [argument for argument in flat if argument != neutral]
    numbers = [argument.value for argument in kept if isinstance(argument, Number)]
    if len(numbers) > 1:
        total = (
            sum(numbers, Fraction(0))
            if function == "add"
            else math.prod(numbers, start=Fraction(1))
        )
        rest = [argument for argument in kept if not isinstance(argument, Number)]
        front = [] if Number(total) == neutral else [Number(total)]
        kept = [*front, *rest] if function == "multiply" else [*rest, *front]
    if not kept:
        return neutral
    return kept[0] if len(kept) == 1 else Apply(function, tuple(kept))


def _divide(above: Fraction, below: Fraction) -> Fraction | None:
    return above / below if below else None


def _floor_divide(above: Fraction, below: Fraction) -> int | None:
    return above // below if below else None


def _remainder(above: Fraction, below: Fraction) -> Fraction | None:
    return above % below if below else None


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """Whole powers only, and small ones: others are no rational, or too long a one."""
    if exponent.denominator != 1 or abs(exponent) > 64 or (base == 0 and exponent < 0):
        return None
    return Fraction(base ** int(exponent))


# Exact arithmetic on rationals; None where the result is none.
_ARITHMETIC: dict[str, Callable[..., Fraction | int | None]] = {
    "negative": operator.neg,
    "abs": abs,
    "divide": _divide,
    "floor_divide": _floor_divide,
    "remainder": _remainder,
    "power": _power,
    "maximum": max,
    "minimum": min,
    "sign": lambda a: (a > 0) - (a < 0),
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "logical_not": operator.not_,
}


# Of constants, about: enough to tell which of two is the larger.
_CLEAR = 1e-9
_FLOATS: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in ("exp", "expm1", "log", "log1p", "sqrt", "copysign")},
    **{name: getattr(math, name) for name in ("sin", "cos", "tanh", "erf", "erfc")},
    "add": lambda *terms: math.fsum(terms),
    "multiply": lambda *factors: math.prod(factors),
    "negative": operator.neg,
    "divide": operator.truediv,
    "power": math.pow,
    "abs": abs,
    "maximum": max,
    "minimum": min,
}


def decimal(value: Fraction) -> str | None:
    """Return the exact decimal of a number, as short as it is; None where it never ends."""
    for places in range(64):
        if 10**places % value.denominator == 0:
            digits = str(abs(value.numerator) * 10**places // value.denominator)
            digits = digits.rjust(places + 1, "0")
            whole, rest = digits[: len(digits) - places], digits[len(digits) - places :]
            sign = "-" if value < 0 else ""
            return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"
    return None


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield every node, parents before children, left to right, without recursion."""
    stack = [expression]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Apply):
            stack.extend(reversed(node.arguments))


def slots(expression: Expression) -> tuple[int, ...]:
    """Return the positions that the expression reads, sorted."""
    return tuple(sorted({node.position for node in walk(expression) if isinstance(node, Slot)}))


def opposite(condition: Expression) -> Expression:
    """Return the condition that holds where this one does not."""
    if isinstance(condition, Apply) and condition.function in OPPOSITE:
        return apply(OPPOSITE[condition.function], *condition.arguments)
    return apply("logical_not", condition)


def rebuild(expression: Expression, leaf: Callable[[Expression], Expression]) -> Expression:
    """Return the expression with every leaf replaced by ``leaf(it)``, refolded."""
    if isinstance(expression, Apply):
        return apply(expression.function, *(rebuild(a, leaf) for a in expression.arguments))
    return leaf(expression)


def substitute(expression: Expression, values: Mapping[Expression, Expression]) -> Expression:
    """Return the expression with leaves replaced, all at once."""
    return rebuild(expression, lambda node: values.get(node, node))
