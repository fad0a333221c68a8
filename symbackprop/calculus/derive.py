"""Adjoints of equations, by six rules.

Local partial, chain rule, contraction, unit shift, largest, held constant. The sum of a
variable's terms, one for each place where it is read, is its total derivative.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from symbackprop.calculus.conditions import settle
from symbackprop.calculus.graph import downstream, recurrences, upstream
from symbackprop.calculus.indices import (
    Substitution,
    compress,
    flat_position,
    fresh,
    rename_scope,
    substitute_access,
    substitute_index,
    substitute_operands,
)
from symbackprop.calculus.partials import partial
from symbackprop.calculus.shift import solve_unit_shift
from symbackprop.equations import (
    Access,
    Adjoint,
    Derivation,
    Equation,
    Factor,
    Index,
    IndexExpression,
    Step,
    Term,
    Variable,
)
from symbackprop.scalar import ONE, ZERO, Apply, Expression, Number, Slot, apply, slots


@dataclass(frozen=True)
class _Occurrence:
    """One read of a variable by an equation, with a local partial that is not 0."""

    equation: Equation
    access: Access
    partial: Expression

    @property
    def edge(self) -> tuple[Variable, Variable]:
        return self.access.variable, self.equation.target.variable


@dataclass
class _Record:
    steps: list[Step] = field(default_factory=list)

    def note(
        self, rule: str, before: tuple[object, ...], after: tuple[object, ...], reason: str = ""
    ) -> None:
        self.steps.append(Step(rule, before, after, reason))


def derive(
    equations: Sequence[Equation],
    outputs: Collection[Variable],
    wrt: Collection[Variable],
) -> Derivation:
    """Derive the adjoints of ``wrt`` and of all that leads from there to ``outputs``.

    Args:
        equations: in topological order, recurrences aside.
        outputs: what the cost is taken from. One of rank 0 is a cost itself, with adjoint 1;
            the adjoint of any other is given, and terms of its own add to it.
        wrt: variables to differentiate with respect to; an integer one has no adjoint.

    Returns:
        The equations with those that the adjoints need besides, and the adjoints in reverse
        topological order: each after all that its terms read, recurrences aside. A variable of
        ``wrt`` that does not reach an output has an adjoint without terms.
    """
    wrt = tuple(variable for variable in wrt if not variable.integer)
    occurrences = [list(_occurrences(equation)) for equation in equations]
    edges = [occurrence.edge for found in occurrences for occurrence in found]
    active = downstream(edges, wrt) & upstream(edges, outputs)
    cycles = recurrences(edges)
    record = _Record()
    forward: list[Equation] = []
    terms: dict[Variable, list[Term]] = defaultdict(list)
    for equation, found in zip(equations, occurrences, strict=True):
        forward.append(equation)
        if equation.held:
            record.note("held constant", (equation,), ())
        counted = [o for o in found if active.issuperset(o.edge)]
        if not counted:
            continue
        selection, needed = _reduction_factors(equation, record)
        forward.extend(needed)
        for occurrence in counted:
            factors = (_local_partial(occurrence, record), *selection)
            written = _chain_rule(occurrence, factors, outputs, record)
            term = _simplified(written, occurrence.edge in cycles, record)
            terms[occurrence.access.variable].append(term)
    adjoints = []
    for variable in _adjoint_order(equations, wrt):
        if terms[variable] or (variable in wrt and variable not in outputs):
            adjoints.append(Adjoint(variable, tuple(terms[variable])))
            record.note("sum over consumers", adjoints[-1].terms, (adjoints[-1],))
    return Derivation(tuple(forward), tuple(adjoints), tuple(record.steps))


def _adjoint_order(equations: Sequence[Equation], wrt: Collection[Variable]) -> list[Variable]:
    """Targets from last to first; what no equation defines after the first that reads it."""
    targets = {equation.target.variable for equation in equations}
    first_read: dict[Variable, int] = {}
    for place, equation in enumerate(equations):
        for operand in equation.operands:
            if isinstance(operand, Access):
                first_read.setdefault(operand.variable, place)
    leaves = defaultdict(list)
    for variable, place in first_read.items():
        if variable not in targets:
            leaves[place].append(variable)
    order: list[Variable] = []
    for place in range(len(equations) - 1, -1, -1):
        order.append(equations[place].target.variable)
        order.extend(leaves[place])
    known = set(order)
    unread = [variable for variable in wrt if variable not in known]
    return order + sorted(unread, key=lambda variable: variable.name)


def _occurrences(equation: Equation) -> Iterator[_Occurrence]:
    if equation.held or equation.target.variable.integer:
        return
    for position in slots(equation.function):
        operand = equation.operands[position]
        if isinstance(operand, Access) and not operand.variable.integer:
            derivative = partial(equation.function, position)
            if derivative != ZERO:
                yield _Occurrence(equation, operand, derivative)


def _local_partial(occurrence: _Occurrence, record: _Record) -> Factor:
    factor = Factor(*compress(occurrence.partial, occurrence.equation.operands))
    record.note("local partial", (occurrence.equation, occurrence.access), (factor,))
    return factor


def _reduction_factors(
    equation: Equation, record: _Record
) -> tuple[tuple[Factor, ...], tuple[Equation, ...]]:
    if equation.reduction in ("largest", "smallest"):
        chosen = _argument(equation)
        factor = _indicator(chosen)
        reason = "only the first summand that attains the extremum counts"
        record.note("largest", (equation,), (chosen, factor), reason)
        return (factor,), (chosen,)
    if equation.reduction == "product":
        others = _others(equation)
        factor = Factor(
            Slot(0), (Access(others.target.variable, (*equation.free, *equation.reduced)),)
        )
        record.note("product", (equation,), (others, factor), "all factors but one are constant")
        return (factor,), (others,)
    return (), ()


def _argument(equation: Equation) -> Equation:
    """Return the equation of the flat position at which the extremum is attained."""
    variable = equation.target.variable
    position = replace(variable.beside("arg"), integer=True)
    reduction = "argmax" if equation.reduction == "largest" else "argmin"
    target = replace(equation.target, variable=position)
    return replace(equation, target=target, reduction=reduction)  # type: ignore[arg-type]


def _indicator(chosen: Equation) -> Factor:
    """Return [arg[I] = flat(R)], over the indices of the equation that defines arg."""
    reduced = chosen.reduced
    flat = flat_position(reduced)
    return Factor(apply("equal", Slot(len(reduced)), flat), (*reduced, chosen.target))


def _others(equation: Equation) -> Equation:
    """Return the product of all factors but the one at its further indices."""
    variable = equation.target.variable
    places = (*equation.free, *equation.reduced)
    inner = rename_scope(equation, {index.name for index in places})
    back = dict(zip(inner.free, equation.free, strict=True))
    function, operands = substitute_operands(inner.function, inner.operands, back)
    names = replace(variable.beside("others"), axes=places)
    return Equation(
        Access(names, places),
        function,
        operands,
        "product",
        inner.reduced,
        tuple(zip(inner.reduced, equation.reduced, strict=True)),
    )


def _chain_rule(
    occurrence: _Occurrence,
    factors: tuple[Factor, ...],
    outputs: Collection[Variable],
    record: _Record,
) -> Term:
    """Return ``v_bar[e] += out_bar[I] * factors`` over (I, R); a cost's own adjoint is 1."""
    equation = occurrence.equation
    consumer = equation.target.variable
    if consumer.axes or consumer not in outputs:
        seed = Access(consumer.bar(), equation.target.indices)
        factors = (Factor(Slot(0), (seed,)), *factors)
    coefficient, factors = collect_constants(factors)
    target = replace(occurrence.access, variable=occurrence.access.variable.bar())
    space = (*equation.free, *equation.reduced)
    term = Term(target, space, coefficient, factors, equation.excluding)
    record.note("chain rule", (equation, occurrence.access), (term,))
    return term


def in_own_indices(term: Term) -> Term:
    """Return the term in the indices of what it adds to: a shift solved, then contracted."""
    settled, places = settle(solve_unit_shift(term))
    return contract(substitute_term(settled, places))


def _simplified(written: Term, recurrent: bool, record: _Record) -> Term:
    if recurrent:
        solved = solve_unit_shift(written)
        if solved != written:
            record.note("unit shift", (written,), (solved,), "each step has one predecessor")
        written = solved
    settled, places = settle(written)
    if settled != written or places:
        settled = substitute_term(settled, places)
        record.note("condition", (written,), (settled,), "it is about an index alone")
        written = settled
    term = contract(written)
    if term != written:
        record.note("contraction", (written,), (term,), "an index over the whole axis is the axis")
    return term


def collect_constants(factors: Iterable[Factor]) -> tuple[Expression, tuple[Factor, ...]]:
    """Pull what reads no operand out of the factors, as one coefficient."""
    coefficient: Expression = ONE
    kept: list[Factor] = []
    for factor in factors:
        constant, rest = split_constant(factor.function)
        coefficient = apply("multiply", coefficient, constant)
        if rest != ONE:
            kept.append(Factor(*compress(rest, factor.operands)))
    return coefficient, tuple(kept)


def split_constant(expression: Expression) -> tuple[Expression, Expression]:
    """Return (c, r) with ``expression == c * r``, where c reads no slot and r is the rest."""
    if not slots(expression):
        return expression, ONE
    if isinstance(expression, Apply) and expression.function == "negative":
        constant, rest = split_constant(expression.arguments[0])
        return apply("multiply", Number(Fraction(-1)), constant), rest
    if isinstance(expression, Apply) and expression.function == "multiply":
        parts = [split_constant(argument) for argument in expression.arguments]
        return apply("multiply", *(c for c, _ in parts)), apply("multiply", *(r for _, r in parts))
    if isinstance(expression, Apply) and expression.function == "divide":
        above, numerator = split_constant(expression.arguments[0])
        below, denominator = split_constant(expression.arguments[1])
        return apply("divide", above, below), apply("divide", numerator, denominator)
    return ONE, expression


def contract(term: Term) -> Term:
    """Rename each bare index over a whole axis to that axis, and all others away, all at once."""
    return substitute_term(term, contraction(term))


def contraction(term: Term) -> dict[Index, Index]:
    """Return what each index of a term's space is renamed to when it is contracted."""
    axes = term.target.variable.axes
    values: dict[Index, Index] = {}
    for axis, place in zip(axes, term.target.indices, strict=True):
        whole = isinstance(place, Index) and place.extent == axis.extent and place not in values
        if isinstance(place, Index) and whole and axis not in values.values():
            values[place] = axis
    taken = {axis.name for axis in axes}
    for index in term.space:
        if index not in values:
            values[index] = fresh(index, taken)
            taken.add(values[index].name)
    return values


def substitute_term(term: Term, values: Substitution) -> Term:
    """Return the term with the indices of its space renamed."""
    space = tuple(values.get(index, index) for index in term.space)
    factors = []
    for factor in term.factors:
        function, operands = substitute_operands(factor.function, factor.operands, values)
        factors.append(Factor(*compress(function, operands)))
    excluding: tuple[tuple[Index, IndexExpression], ...] = tuple(
        (substituted, substitute_index(place, values))
        for index, place in term.excluding
        if isinstance(substituted := values.get(index, index), Index)
    )
    return replace(
        term,
        target=substitute_access(term.target, values),
        space=tuple(index for index in space if isinstance(index, Index)),
        factors=tuple(factors),
        excluding=excluding,
    )
