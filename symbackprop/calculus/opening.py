"""Pointwise definitions by exponentials, taken into what reads them.

A stable form is one of a whole expression: ``e / (1 + e)`` with ``e = exp(z)``, or ``p log p`` with
``p = 1 / (1 + exp(-z))``, has none while the exponential stands in an equation of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from symbackprop.calculus.graph import reads
from symbackprop.calculus.maxima import nonpositive_differences
from symbackprop.calculus.rewrite import Scope, rewritten
from symbackprop.calculus.stable import stable_form
from symbackprop.calculus.stable.signs import sign
from symbackprop.equations import Access, Equation, Step, Variable
from symbackprop.scalar import Apply, Expression, Slot, rebuild, slots, walk

Definitions = Mapping[Variable, Equation]

_EXPONENTIALS = frozenset({"exp", "expm1"})
_ESSENTIAL = _EXPONENTIALS | {"tanh", "erf"}
_LOGARITHMS = frozenset({"log", "log1p"})
_REASON = "an exponential and what reads it have a stable form together"


def open_exponentials(
    equations: Sequence[Equation], kept: Collection[Variable]
) -> tuple[tuple[Equation, ...], tuple[Step, ...]]:
    """Take in definitions that may overflow, and those by exponentials that logarithms read.

    Args:
        equations: in topological order.
        kept: variables that stay, and are not looked through.

    Returns:
        The equations without those that nothing reads any more, and one Step for each that changed.
    """
    definitions: dict[Variable, Equation] = {}
    logged = _read_by_logarithms(equations)
    steps: list[Step] = []
    found: list[Equation] = []
    for equation in equations:
        result = _opened(equation, definitions, kept, logged)
        if result != equation:
            steps.append(Step("open", (equation,), (result,), _REASON))
        definitions[result.target.variable] = result
        found.append(result)
    return (_still_read(found, equations), tuple(steps)) if steps else (tuple(equations), ())


def _opened(
    equation: Equation,
    definitions: Definitions,
    kept: Collection[Variable],
    logged: Collection[Variable],
) -> Equation:
    in_logarithms = _slots_in_logarithms(equation.function)
    if equation.reduction not in (None, "total") or (equation.reduction and not in_logarithms):
        return equation
    scope = Scope(equation, definitions)
    if equation.target.variable in logged:
        in_logarithms = set(slots(equation.function))
    known: dict[Expression, Expression] = {}
    for position in slots(equation.function):
        operand = equation.operands[position]
        if not isinstance(operand, Access) or operand.variable in kept:
            continue
        definition = definitions.get(operand.variable)
        if definition is None or not _calls_for_it(
            definition, definitions, read_by_logarithm=position in in_logarithms
        ):
            continue
        opened = scope.opened(Slot(position))
        if opened is not None:
            known[Slot(position)] = opened
    if not known:
        return equation
    function = rebuild(equation.function, lambda node: known.get(node, node))
    return rewritten(equation, function, scope)


def _calls_for_it(
    definition: Equation, definitions: Definitions, *, read_by_logarithm: bool
) -> bool:
    """Whether the definition has no stable form apart from what reads it."""
    if not _holds(definition.function, _ESSENTIAL):
        return False
    if read_by_logarithm:
        return True
    known = nonpositive_differences(definition.operands, definitions)
    return any(
        isinstance(node, Apply)
        and node.function in _EXPONENTIALS
        and sign(node.arguments[0], known) >= 0
        for node in walk(stable_form(definition.function, known))
    )


def _holds(expression: Expression, functions: Collection[str]) -> bool:
    return any(isinstance(n, Apply) and n.function in functions for n in walk(expression))


def _read_by_logarithms(equations: Sequence[Equation]) -> set[Variable]:
    """Return what logarithms read, through choices and sums of it too: where(y, p, 1 - p)."""
    found: set[Variable] = set()
    for equation in reversed(equations):
        whole = equation.target.variable in found and equation.reduction is None
        read = slots(equation.function) if whole else _slots_in_logarithms(equation.function)
        operands = (equation.operands[position] for position in read)
        found |= {operand.variable for operand in operands if isinstance(operand, Access)}
    return found


def _slots_in_logarithms(expression: Expression) -> set[int]:
    return {
        position
        for node in walk(expression)
        if isinstance(node, Apply) and node.function in _LOGARITHMS
        for position in slots(node)
    }


def _still_read(found: Sequence[Equation], before: Sequence[Equation]) -> tuple[Equation, ...]:
    """Leave out definitions that something read before and nothing reads now."""
    once = {access.variable for equation in before for access in reads(equation)}
    needed: set[Variable] = set()
    result: list[Equation] = []
    for equation in reversed(found):
        if equation.target.variable in needed or equation.target.variable not in once:
            result.append(equation)
            needed.update(access.variable for access in reads(equation))
    return tuple(reversed(result))
