"""Rewriting of equations before they are differentiated.

*Compose*: a logarithm of what a quotient or an exponential defines is taken of the
definition, and what is linear in a logarithm takes its definition in; then a sigmoid with
binary cross-entropy, or a softmax with cross-entropy, collapses by itself. *Floor*: the
logarithm of a probability that stays one is clamped at -100, as PyTorch does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import sympy

from symbackprop.calculus.graph import needed
from symbackprop.calculus.indices import compress, substitute_operands
from symbackprop.calculus.logarithms import FLOOR, is_positive, split_logarithm, unguarded
from symbackprop.calculus.partials import from_sympy, partial, to_sympy
from symbackprop.equations import Access, Equation, Operand, Step, Variable, indices_of
from symbackprop.scalar import Apply, Expression, Slot, apply, rebuild, slots, walk

Definitions = Mapping[Variable, Equation]

_LOGARITHM = "log(P/Q) = log P - log Q and log exp u = u, P and Q being positive"
_LINEAR = "linear in it, and its logarithm is constant along an axis"


def compose(
    equations: Sequence[Equation], outputs: Collection[Variable]
) -> tuple[tuple[Equation, ...], tuple[Step, ...]]:
    """Look through pointwise definitions inside logarithms, and prune what is read no more.

    Args:
        equations: in topological order; what they do not define is never looked through.
        outputs: variables to keep.

    Returns:
        The equations that ``outputs`` need, and one Step for each that changed.
    """
    definitions: dict[Variable, Equation] = {}
    steps: list[Step] = []
    composed: list[Equation] = []
    for equation in equations:
        opened = _open_linear(equation, definitions)
        result = _split_logarithms(opened, definitions)
        for before, after, reason in ((equation, opened, _LINEAR), (opened, result, _LOGARITHM)):
            if after != before:
                steps.append(Step("compose", (before,), (after,), reason))
        definitions[result.target.variable] = result
        composed.append(result)
    kept = needed(composed, outputs)
    gone = tuple(equation for equation in composed if equation not in kept)
    if steps and gone:
        steps.append(Step("prune", gone, (), "nothing reads it any more"))
    return (kept, tuple(steps)) if steps else (tuple(equations), ())


class Scope:
    """The operands of one equation, to which looking through definitions adds."""

    def __init__(self, equation: Equation, definitions: Definitions) -> None:
        self.operands = list(equation.operands)
        self.definitions = definitions
        self.guarded = _guarded(equation.function)

    def opened(self, slot: Slot) -> Expression | None:
        """Return the definition of what the slot reads, over slots of this scope.

        A look-up that may leave its extent goes on doing so, where a ``where`` guards it.
        """
        access, definition = self._definition(slot)
        if definition is None or definition.reduction is not None or definition.held:
            return None
        places = dict(zip(definition.free, access.indices, strict=True))
        try:
            function, operands = substitute_operands(
                definition.function, definition.operands, places
            )
        except ValueError:  # a look-up cannot serve as a number
            return None
        positions = {k: Slot(self._position(o, access)) for k, o in enumerate(operands)}
        return rebuild(
            function, lambda node: positions[node.position] if isinstance(node, Slot) else node
        )

    def positive(self, slot: Slot) -> bool:
        """Whether what the slot reads is defined by a positive expression."""
        _, definition = self._definition(slot)
        if definition is None or definition.reduction in ("argmax", "argmin"):
            return False
        return is_positive(definition.function, Scope(definition, self.definitions).positive)

    def _definition(self, slot: Slot) -> tuple[Access, Equation | None]:
        access = self.operands[slot.position]
        if not isinstance(access, Access):
            return Access(Variable("")), None
        if access.fill is not None and slot.position not in self.guarded:
            return access, None
        return access, self.definitions.get(access.variable)

    def _position(self, operand: Operand, outer: Access) -> int:
        if isinstance(operand, Access) and any(isinstance(i, Access) for i in operand.indices):
            operand = replace(operand, fill=outer.fill)
        if operand not in self.operands:
            self.operands.append(operand)
            if outer.fill is not None:
                self.guarded.add(len(self.operands) - 1)
        return self.operands.index(operand)


def _guarded(expression: Expression) -> set[int]:
    """Return the slots that occur only in branches of a ``where``."""
    inside: set[int] = set()
    outside: set[int] = set()
    waiting = [(expression, False)]
    while waiting:
        node, within = waiting.pop()
        if isinstance(node, Slot):
            (inside if within else outside).add(node.position)
        elif isinstance(node, Apply):
            chosen = node.function == "where"
            branches = enumerate(node.arguments)
            waiting += [(a, within or (chosen and k > 0)) for k, a in branches]
    return inside - outside


def rewritten(equation: Equation, function: Expression, scope: Scope) -> Equation:
    """Return the equation with another right side, over the operands of its scope."""
    function, operands = compress(function, tuple(scope.operands))
    return replace(equation, function=function, operands=operands)


def _open_linear(equation: Equation, definitions: Definitions) -> Equation:
    """Take in definitions with a logarithm common to an axis, such as a softmax's own."""
    if equation.reduction not in (None, "total"):
        return equation
    scope = Scope(equation, definitions)
    known: dict[Expression, Expression] = {}
    for position in slots(equation.function):
        operand = equation.operands[position]
        if isinstance(operand, Access) and _has_common_logarithm(operand, definitions):
            opened = scope.opened(Slot(position))
            linear = position not in slots(partial(equation.function, position))
            if opened is not None and linear:
                known[Slot(position)] = opened
    if not known:
        return equation
    function = rebuild(equation.function, lambda node: known.get(node, node))
    return rewritten(equation, function, scope)


def _has_common_logarithm(access: Access, definitions: Definitions) -> bool:
    """Whether the definition holds a logarithm that does not depend on all of its axes."""
    definition = definitions.get(access.variable)
    if definition is None:
        return False
    for node in walk(definition.function):
        if isinstance(node, Apply) and node.function == "log":
            read = [definition.operands[position] for position in slots(node)]
            indices = {index for operand in read for index in indices_of(operand)}
            if not indices.issuperset(definition.free):
                return True
    return False


def _split_logarithms(equation: Equation, definitions: Definitions) -> Equation:
    scope = Scope(equation, definitions)
    split: dict[Expression, Expression] = {}
    for node in walk(equation.function):
        if isinstance(node, Apply) and node.function == "log" and node not in split:
            value = split_logarithm(unguarded(node.arguments[0]), scope.opened, scope.positive)
            if value is not None:
                split[node] = value
    if not split:
        return equation
    function = _collected(replaced(equation.function, split))
    return rewritten(equation, function, scope)


def replaced(expression: Expression, values: Mapping[Expression, Expression]) -> Expression:
    """Return the expression with whole subexpressions replaced, refolded."""
    if expression in values:
        return values[expression]
    if isinstance(expression, Apply):
        return apply(expression.function, *(replaced(a, values) for a in expression.arguments))
    return expression


def _collected(expression: Expression) -> Expression:
    """Collect a logarithm that several terms hold: y u + (1 - y) u is u."""
    found = [n for n in walk(expression) if isinstance(n, Apply) and n.function == "log"]
    repeated = [node for node in dict.fromkeys(found) if found.count(node) > 1]
    if not repeated or any(
        isinstance(n, Apply) and n.function == "where" for n in walk(expression)
    ):
        return expression
    value = to_sympy(expression)
    names = {to_sympy(node): sympy.Symbol(f"log[{k}]") for k, node in enumerate(repeated)}
    value = value.xreplace(names)
    rest = value.xreplace(dict.fromkeys(names.values(), sympy.S.Zero))
    total = rest
    for logarithm, name in names.items():
        coefficient = value.diff(name)
        if coefficient.has(*names.values()):
            return expression
        total += sympy.expand(coefficient) * logarithm
    return from_sympy(total)


def floor_logarithms(
    equations: Sequence[Equation], probabilities: Collection[Variable]
) -> tuple[tuple[Equation, ...], tuple[Step, ...]]:
    """Clamp at -100 each logarithm of a sum or product that reads one of ``probabilities``.

    Where other functions stand inside the logarithm, it is not one of a probability.
    """
    floored: list[Equation] = []
    steps: list[Step] = []
    for equation in equations:
        values: dict[Expression, Expression] = {}
        for node in walk(equation.function):
            if isinstance(node, Apply) and node.function == "log":
                argument = node.arguments[0]
                if _is_probability(argument, equation.operands, probabilities):
                    values[node] = apply("log", apply("maximum", FLOOR, argument))
        result = replace(equation, function=replaced(equation.function, values))
        floored.append(result)
        if values:
            reason = "the logarithm of a probability is at least -100"
            steps.append(Step("floor", (equation,), (result,), reason))
    return tuple(floored), tuple(steps)


def _is_probability(
    argument: Expression, operands: tuple[Operand, ...], probabilities: Collection[Variable]
) -> bool:
    plain = {"add", "multiply", "negative", "divide"}
    if any(isinstance(n, Apply) and n.function not in plain for n in walk(argument)):
        return False
    read = [operands[position] for position in slots(argument)]
    return any(isinstance(o, Access) and o.variable in probabilities for o in read)
