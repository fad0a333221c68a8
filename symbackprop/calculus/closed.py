"""Famous forms: a partial derivative in terms of the function's own value.

``a (1 - a)`` for the sigmoid, ``1 - a²`` for the hyperbolic tangent, ``a_i (δ_ik - a_k)`` for
softmax. None is listed here: each is solved for, and holds as an identity of rational functions
in the exponentials and other functions that occur.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import sympy

from symbackprop.calculus.indices import compress, substitute_access
from symbackprop.calculus.partials import Symbolic, from_sympy, slot_symbol, to_sympy
from symbackprop.calculus.totals import Share
from symbackprop.equations import (
    Access,
    Equation,
    Factor,
    Operand,
    Term,
    Variable,
)
from symbackprop.scalar import ONE, Expression, Slot, apply, rebuild, walk

_VALUE = sympy.Symbol("value", real=True)
_OPERATIONS = 60  # with exponentials, larger functions come to nothing short
_COEFFICIENTS = sympy.symbols("c0 c1 c2")


def length(expression: Expression) -> int:
    """Return how many nodes the expression has."""
    return sum(1 for _ in walk(expression))


def merged(term: Term) -> Factor:
    """Return coefficient and factors of a term as one function."""
    operands: list[Operand] = []
    parts: list[Expression] = [] if term.coefficient == ONE else [term.coefficient]
    for factor in term.factors:
        start = len(operands)
        operands.extend(factor.operands)
        parts.append(shifted(factor.function, start))
    function = apply("multiply", *parts) if parts else ONE
    return Factor(*compress(function, tuple(operands)))


def shifted(function: Expression, start: int) -> Expression:
    """Return the function with its slots moved on by ``start``."""
    return rebuild(function, lambda n: Slot(n.position + start) if isinstance(n, Slot) else n)


def in_own_value(share: Share) -> Share | None:
    """Return the share with its partial as a polynomial in the consumer's value, if it is one.

    The polynomial has degree 2 at most and rational coefficients, and is shorter than the partial
    as it stands.
    """
    equation = share.equation
    written = merged(share.partial)
    if equation.reduction is not None:
        return None
    operands = list(dict.fromkeys((*equation.operands, *written.operands)))
    value = _joined(equation.function, equation.operands, operands)
    derivative = _joined(written.function, written.operands, operands)
    polynomial = _polynomial(value, derivative)
    if polynomial is None or length(polynomial) >= length(written.function):
        return None
    own = Factor(polynomial, (equation.target,))
    return replace(share, partial=replace(share.partial, coefficient=ONE, factors=(own,)))


def _joined(
    function: Expression, operands: tuple[Operand, ...], joint: Sequence[Operand]
) -> Expression:
    """Return the function over the slots of the joint operands."""
    places = {position: Slot(joint.index(operand)) for position, operand in enumerate(operands)}
    return rebuild(function, lambda n: places[n.position] if isinstance(n, Slot) else n)


@lru_cache(maxsize=1024)
def _polynomial(value: Expression, derivative: Expression) -> Expression | None:
    """Return p with ``derivative == p(value)``, over ``Slot(0)`` for the value."""
    constant, linear, square = _COEFFICIENTS
    found, wanted = to_sympy(value), to_sympy(derivative)
    opaque = _opaque(sympy.Tuple(found, wanted))
    found, wanted = found.xreplace(opaque), wanted.xreplace(opaque)
    if not (found.is_rational_function() and wanted.is_rational_function()):
        return None
    ansatz = constant + linear * found + square * found**2
    residual = sympy.together(wanted - ansatz).as_numer_denom()[0]
    symbols = sorted(residual.free_symbols - set(_COEFFICIENTS), key=str)
    if not symbols:
        return None
    conditions = sympy.Poly(residual, *symbols).coeffs()
    solutions = sympy.linsolve(conditions, *_COEFFICIENTS)
    if not solutions:
        return None
    solution = next(iter(solutions))
    if not all(c.is_Rational for c in solution) or not any(solution[1:]):
        return None
    return _written(*solution)


def _written(constant: Symbolic, linear: Symbolic, square: Symbolic) -> Expression:
    """Return the polynomial as textbooks write it: a (1 - a), 1 - a²."""
    value = Slot(0)
    if constant == 0 and linear != 0 and square != 0:
        inner = apply("add", from_sympy(linear), _times(square, value))
        return apply("multiply", value, inner)
    terms = [from_sympy(constant), _times(linear, value)]
    terms.append(_times(square, apply("power", value, from_sympy(sympy.Integer(2)))))
    return apply("add", *terms)


def _times(coefficient: Symbolic, power: Expression) -> Expression:
    if coefficient < 0:
        return apply("negative", apply("multiply", from_sympy(-coefficient), power))
    return apply("multiply", from_sympy(coefficient), power)


def _opaque(expressions: Symbolic) -> dict[Symbolic, Symbolic]:
    """Return a symbol for every function application, exponentials of one argument related."""
    names: dict[Symbolic, Symbolic] = {}
    applied = sorted(expressions.atoms(sympy.Function), key=sympy.default_sort_key)
    for number, atom in enumerate(applied):
        opposite = atom.func(-atom.args[0]) if atom.func == sympy.exp else None
        if opposite in names:
            names[atom] = 1 / names[opposite]
        else:
            names[atom] = sympy.Symbol(f"function{number}", positive=True)
    return names


def rational_forms(value: Symbolic) -> Iterator[Symbolic]:
    """Yield what a rational function of exponentials is, cancelled and in partial fractions.

    The fractions are in each exponential, or in its reciprocal.
    """
    names = _opaque(sympy.Tuple(value))
    rational = value.xreplace(names)
    foreign = any(atom.func != sympy.exp for atom in names)
    large = bool(names) and value.count_ops() > _OPERATIONS
    if foreign or large or not rational.is_rational_function():
        return
    known = {symbol: atom for atom, symbol in names.items() if symbol.is_Symbol}
    exponentials = [s for s, atom in known.items() if atom.func == sympy.exp]
    yield sympy.cancel(rational).xreplace(known)
    for symbol in exponentials:
        opposite = sympy.exp(-known[symbol].args[0])
        yield sympy.apart(sympy.cancel(rational), symbol).xreplace(known)
        turned = sympy.cancel(rational.subs(symbol, 1 / symbol))
        yield sympy.apart(turned, symbol).xreplace(known | {symbol: opposite})


@dataclass(frozen=True)
class OutputForm:
    """Writes functions of a definition's intermediates in terms of its output.

    The last equation ``a[I] = g(v[I], ...)`` is solved for an operand v that it is linear in;
    other pointwise intermediates are opened, so that v stands in them too.
    """

    definitions: Mapping[Variable, Equation]
    output: Equation
    solved: Variable
    solution: Expression  # of v, over the output's operands, and last the output itself

    def rewritten(self, factor: Factor) -> Factor | None:
        """Return the factor over the output and nothing else that the definition made, or None."""
        operands: list[Operand] = []
        value = self._symbolic(factor, operands)
        value = sympy.cancel(sympy.powsimp(sympy.expand_power_exp(value)))
        result = Factor(*compress(from_sympy(value), tuple(operands)))
        hidden = {*self.definitions, self.solved} - {self.output.target.variable}
        read = {o.variable for o in result.operands if isinstance(o, Access)}
        return None if read & hidden else result

    def _symbolic(self, factor: Factor, operands: list[Operand]) -> Symbolic:
        value = to_sympy(factor.function)
        known = {slot_symbol(k): self._operand(o, operands) for k, o in enumerate(factor.operands)}
        return value.subs(known, simultaneous=True)

    def _operand(self, operand: Operand, operands: list[Operand]) -> Symbolic:
        if isinstance(operand, Access):
            if operand.variable == self.solved:
                source = (*self.output.operands, self.output.target)
                return self._placed(self.solution, source, self.output, operand, operands)
            definition = self.definitions.get(operand.variable)
            pointwise = definition is not None and definition.reduction is None
            reads = definition and any(
                isinstance(o, Access) and o.variable == self.solved for o in definition.operands
            )
            if definition is not None and pointwise and reads and definition != self.output:
                inner = definition
                return self._placed(inner.function, inner.operands, inner, operand, operands)
        if operand not in operands:
            operands.append(operand)
        return slot_symbol(operands.index(operand))

    def _placed(
        self,
        function: Expression,
        source: tuple[Operand, ...],
        scope: Equation,
        place: Access,
        operands: list[Operand],
    ) -> Symbolic:
        values = dict(zip(scope.free, place.indices, strict=True))
        at = tuple(substitute_access(o, values) for o in source if isinstance(o, Access))
        inner = [
            _register(o, operands)
            if o.variable == self.output.target.variable or function is self.solution
            else self._operand(o, operands)
            for o in at
        ]
        known = {slot_symbol(k): symbol for k, symbol in enumerate(inner)}
        return to_sympy(function).subs(known, simultaneous=True)


def _register(operand: Operand, operands: list[Operand]) -> Symbolic:
    if operand not in operands:
        operands.append(operand)
    return slot_symbol(operands.index(operand))


def output_forms(equations: Iterable[Equation]) -> list[OutputForm]:
    """Return a form for each operand that the last equation can be solved for."""
    definitions = {equation.target.variable: equation for equation in equations}
    if len(definitions) < 2:
        return []
    output = list(definitions.values())[-1]
    if output.reduction is not None or not all(isinstance(o, Access) for o in output.operands):
        return []
    forms = []
    for position, operand in enumerate(output.operands):
        if isinstance(operand, Access) and operand.indices == output.free:
            solution = _solution(output.function, position, len(output.operands))
            if solution is not None:
                forms.append(OutputForm(definitions, output, operand.variable, solution))
    return forms


def _solution(function: Expression, position: int, value: int) -> Expression | None:
    """Solve ``Slot(value) == function`` for ``Slot(position)``, if it is linear in it."""
    written, unknown = to_sympy(function), slot_symbol(position)
    slope = written.diff(unknown)
    if slope == 0 or slope.has(unknown):
        return None
    return from_sympy((slot_symbol(value) - written.subs(unknown, 0)) / slope)
