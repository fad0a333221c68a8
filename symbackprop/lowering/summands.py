"""Scaled reads and sums: what an equation's function is made of, as totals see it."""

from __future__ import annotations

from collections.abc import Mapping

from symbackprop.calculus.indices import substitute_index
from symbackprop.equations import Access, Equation, Index, IndexExpression, Operand
from symbackprop.scalar import ONE, Apply, Expression, Slot, apply, number, slots


def scaled(constants: list[Expression], function: Expression) -> Expression:
    """Return the function times the constants."""
    for constant in constants:
        function = apply("multiply", constant, function)
    return function


def scaled_slot(function: Expression) -> tuple[list[Expression], int] | None:
    """Split ``c * Slot(k) / d``, perhaps with a sign, into its constant factors and k."""
    constants: list[Expression] = []
    while isinstance(function, Apply):
        if function.function == "divide" and not slots(function.arguments[1]):
            constants.append(apply("divide", ONE, function.arguments[1]))
            function = function.arguments[0]
        elif (
            function.function == "multiply" and sum(bool(slots(a)) for a in function.arguments) == 1
        ):
            constants.extend(a for a in function.arguments if not slots(a))
            function = next(a for a in function.arguments if slots(a))
        elif function.function == "negative":
            constants.append(number(-1))
            function = function.arguments[0]
        else:
            return None
    return (constants, function.position) if isinstance(function, Slot) else None


def renamed(operand: Operand, names: Mapping[Index, IndexExpression]) -> Operand:
    """Return the operand with its indices renamed."""
    new = substitute_index(operand, names)
    assert isinstance(new, Access | Index)
    return new


def logarithms(equation: Equation) -> tuple[list[Expression], list[Expression]] | None:
    """Split a full sum at its log1p summands: what is left may be a dot product.

    Only there: other summands may cancel, element by element, and must meet there.

    Returns:
        Constant factors, and the summands; None where there is nothing to split.
    """
    constants: list[Expression] = []
    function = equation.function
    while isinstance(function, Apply) and function.function == "multiply":
        constants.extend(a for a in function.arguments if not slots(a))
        rest = [a for a in function.arguments if slots(a)]
        if len(rest) != 1 or len(rest) == len(function.arguments):
            return None
        function = rest[0]
    if equation.free or not (isinstance(function, Apply) and function.function == "add"):
        return None
    small = [a for a in function.arguments if isinstance(a, Apply) and a.function == "log1p"]
    others = [a for a in function.arguments if a not in small]
    return (constants, [apply("add", *others), *small]) if small and others else None
