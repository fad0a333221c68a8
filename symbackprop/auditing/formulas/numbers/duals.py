"""Numbers that carry derivatives.

A `Dual` carries a derivative with respect to one variable, and duals nest. How the functions of
`symbackprop.scalar` differentiate is derived by the calculus, once for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from symbackprop.auditing.formulas.numbers.faces import FACES, ONE, ZERO, Number, constant, number
from symbackprop.scalar import Apply, Expression, Named, Slot
from symbackprop.scalar import Number as Literal


@dataclass(frozen=True, slots=True)
class Dual:
    """`value` + `slope` · ε of the perturbation `tag`; of nested ones the largest is outermost."""

    tag: int
    value: Scalar
    slope: Scalar


Scalar = Number | Dual
Function = Callable[[Sequence[Scalar]], Scalar]


def dual(tag: int, value: Scalar, tangent: Scalar) -> Scalar:
    """Return a value with its derivative by a tag; one that is exactly zero is left out."""
    return value if tangent is ZERO else Dual(tag, value, tangent)


def parts(value: Scalar, tag: int) -> tuple[Scalar, Scalar]:
    """Return a value without its outermost derivative, and that derivative."""
    if isinstance(value, Dual) and value.tag == tag:
        return value.value, value.slope
    return value, ZERO


def outermost(arguments: Sequence[Scalar]) -> int | None:
    """Return the outermost tag of some values, or None if none carries a derivative."""
    return max((a.tag for a in arguments if isinstance(a, Dual)), default=None)


def elementary(function: Apply, arguments: Sequence[Scalar]) -> Scalar:
    """Return a function of numbers with their derivatives.

    Args:
        function: One of `FACES`, of slots and literals.
        arguments: The values of the slots, in order.
    """
    tag = outermost(arguments)
    if tag is None:
        values = [_leaf(part, arguments) for part in function.arguments]
        return FACES[function.function](*values)
    pairs = [parts(a, tag) for a in arguments]
    inner = [value for value, _ in pairs]
    tangent: Scalar = ZERO
    for place, (_, change) in enumerate(pairs):
        if change is not ZERO:
            tangent = total(tangent, product(_rate(function, place)(inner), change))
    return dual(tag, elementary(function, inner), tangent)


def _leaf(part: Expression, arguments: Sequence[Scalar]) -> Scalar:
    return arguments[part.position] if isinstance(part, Slot) else _compiled(part)(arguments)


@cache
def _rate(function: Apply, place: int) -> Function:
    """The derivative of a function by its argument at a place, as the calculus derives it."""
    # Only what is differentiated waits for the calculus.
    from symbackprop.calculus.partials import partial

    return _compiled(partial(function, place))


@cache
def _compiled(expression: Expression) -> Function:
    """An expression as a function of its slots."""
    if isinstance(expression, Slot):
        place = expression.position
        return lambda values: values[place]
    if isinstance(expression, Literal):
        literal = number(expression.value)
        known = next((known for known in (ZERO, ONE) if known == literal), literal)
        return lambda values: known
    if isinstance(expression, Named):
        named = constant(expression.name, {"pi": math.pi}[expression.name])
        return lambda values: named
    inner = [_compiled(argument) for argument in expression.arguments]
    if expression.function in ("add", "multiply"):
        join = total if expression.function == "add" else product
        return lambda values: _folded(join, [f(values) for f in inner])
    whole = _over_slots(expression)
    return lambda values: elementary(whole, [f(values) for f in inner])


def _over_slots(expression: Apply) -> Apply:
    """The function alone; literals stay, so that a power of one differentiates as such."""
    arguments = tuple(
        argument if isinstance(argument, Literal) else Slot(place)
        for place, argument in enumerate(expression.arguments)
    )
    return Apply(expression.function, arguments)


def _folded(join: Callable[[Scalar, Scalar], Scalar], values: list[Scalar]) -> Scalar:
    result = values[0]
    for value in values[1:]:
        result = join(result, value)
    return result


_ADD = Apply("add", (Slot(0), Slot(1)))
_MULTIPLY = Apply("multiply", (Slot(0), Slot(1)))


def total(a: Scalar, b: Scalar) -> Scalar:
    """Return a + b; the very zero adds nothing."""
    if a is ZERO or b is ZERO:
        return b if a is ZERO else a
    if isinstance(a, Number) and isinstance(b, Number):
        return FACES["add"](a, b)
    return elementary(_ADD, (a, b))


def product(a: Scalar, b: Scalar) -> Scalar:
    """Return a · b; the very zero and the very one cost nothing."""
    if a is ZERO or b is ZERO:
        return ZERO
    if a is ONE or b is ONE:
        return b if a is ONE else a
    if isinstance(a, Number) and isinstance(b, Number):
        return FACES["multiply"](a, b)
    return elementary(_MULTIPLY, (a, b))


def primal(value: Scalar) -> Number:
    """Return a value without its derivatives."""
    while isinstance(value, Dual):
        value = value.value
    return value


def slope(value: Scalar, tag: int) -> Scalar:
    """Return the derivative of a value by the variable that was seeded with `tag`."""
    if isinstance(value, Dual):
        if value.tag == tag:
            return value.slope
        if value.tag > tag:
            return dual(value.tag, slope(value.value, tag), slope(value.slope, tag))
    return ZERO


def seed(value: Scalar, tag: int) -> Scalar:
    """Return a value as the variable by which derivatives are taken."""
    return total(value, Dual(tag, ZERO, ONE))
