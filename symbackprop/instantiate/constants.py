"""Generated variables that are constants: ``sigmoid(1)`` is a number, not a variable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.equations import Access, Equation, Operand, Variable
from symbackprop.instantiate.reads import Operands
from symbackprop.instantiate.scope import GENERATED
from symbackprop.scalar import Expression, Slot, slots, substitute


def inlined(equations: Sequence[Equation]) -> list[Equation]:
    """Return the equations, the constants among them put in where they are read.

    The last one stays, whatever it is, and so does what has a name of its author's.
    """
    constants: dict[Variable, Expression] = {}
    found: list[Equation] = []
    for equation in equations:
        operands = Operands()
        places: dict[Expression, Expression] = {
            Slot(k): _read(operand, constants, operands)
            for k, operand in enumerate(equation.operands)
        }
        function, used = operands.used(substitute(equation.function, places))
        made = replace(equation, function=function, operands=used)
        if _is_constant(made) and equation is not equations[-1]:
            constants[made.target.variable] = function
        else:
            found.append(made)
    return found


def _read(
    operand: Operand, constants: dict[Variable, Expression], operands: Operands
) -> Expression:
    if isinstance(operand, Access) and operand.variable in constants:
        return constants[operand.variable]
    return operands.slot(operand)


def _is_constant(equation: Equation) -> bool:
    generated = equation.target.variable.symbol.startswith(GENERATED)
    plain = equation.reduction is None and not equation.held
    return generated and plain and not slots(equation.function)
