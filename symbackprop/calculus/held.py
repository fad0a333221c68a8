"""Why a value may be held constant: derived as a free input, its total derivative is 0.

The shift of softmax is such a value. What it adds through each exponential, it adds with the
other sign through their total; the total is recognised in the chain rule's sum, and all cancels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy

from symbackprop.calculus.closed import in_own_value, merged
from symbackprop.calculus.derive import collect_constants, contract, derive
from symbackprop.calculus.indices import compress, substitute_access, substitute_operands
from symbackprop.calculus.occurrences import added_terms, joined
from symbackprop.calculus.partials import from_sympy, slot_symbol, to_sympy
from symbackprop.calculus.totals import Share, Total, look_through, totals
from symbackprop.equations import (
    Access,
    Adjoint,
    Equation,
    Factor,
    Index,
    Operand,
    Step,
    Term,
    Variable,
    indices_of,
)
from symbackprop.scalar import ONE, Slot, apply

FREE = "as if it were an input"
DEFINED = "a sum that an equation defines"
CANCELLED = "everything cancels"


def invariances(
    equations: Sequence[Equation], output: Variable, cost: Variable | None = None
) -> dict[Variable, tuple[Step, ...]]:
    """Return by each variable that is held why it may be, where its derivative is found to be 0.

    Args:
        equations: in topological order.
        output: what the derivative is taken from: the cost, or a value whose adjoint is given.
        cost: whose own adjoint is 1 and is not written, if it is one of the equations' values.

    Returns:
        Steps from the equation, by Adjoints, to an Adjoint without terms.
    """
    held = [equation for equation in equations if equation.held]
    found = {e.target.variable: _invariance(e, equations, output, cost) for e in held}
    return {variable: steps for variable, steps in found.items() if steps}


def _invariance(
    held: Equation, equations: Sequence[Equation], output: Variable, cost: Variable | None
) -> tuple[Step, ...]:
    variable = held.target.variable
    others = [equation for equation in equations if equation != held]
    written = totals(derive(others, (output,), [variable]))
    closed = tuple(_closed(total) for total in written)
    between = [e.target.variable for e in others if e.target.variable != output]
    made = {other for other in between if other.made}
    named = [other for other in between if not other.made]
    for forms, count in itertools.product((closed, written), range(len(named) + 1)):
        through = made.union(named[:count])
        total = _of(variable, look_through(forms, through.__contains__))
        sums = Adjoint(variable, tuple(_term(share, cost) for share in total.shares))
        inserted = Adjoint(variable, tuple(_with_totals(term, equations) for term in sums.terms))
        if _vanishes(inserted.terms):
            steps = [Step("chain rule", (held,), (sums,), FREE)]
            if inserted != sums:
                steps.append(Step("definition", (sums,), (inserted,), DEFINED))
            return (*steps, Step("cancellation", (inserted,), (Adjoint(variable, ()),), CANCELLED))
    return ()


def _closed(total: Total) -> Total:
    """Return the total, partials in terms of values where they are."""
    return replace(total, shares=tuple(in_own_value(share) or share for share in total.shares))


def _of(variable: Variable, found: Sequence[Total]) -> Total:
    return joined(next(total for total in found if total.variable == variable))


def _term(share: Share, cost: Variable | None) -> Term:
    own = share.equation.target.variable == cost
    return contract(share.partial if own else share.term)


def _vanishes(terms: Sequence[Term]) -> bool:
    """Whether the terms add up to nothing, those of one place and one sum together."""
    sums: dict[object, Term] = {}
    for term in terms:
        key = (term.target, frozenset(term.space), term.excluding)
        sums[key] = added_terms(sums[key], term) if key in sums else term
    return all(to_sympy(merged(term).function).expand() == 0 for term in sums.values())


def _with_totals(term: Term, equations: Sequence[Equation]) -> Term:
    """Return the term with each sum of it that an equation defines as what this defines."""
    for equation in equations:
        if equation.reduction == "total" and not equation.excluding:
            found = (_with_total(term, equation, scope) for scope in _scopes(term, equation))
            term = next((form for form in found if form is not None), term)
    return term


def _scopes(term: Term, equation: Equation) -> Iterator[dict[Index, Index]]:
    """Yield what the indices of an equation are where the term reads what the equation sums."""
    own = [operand for operand in equation.operands if isinstance(operand, Access)]
    for read, operand in itertools.product(own, merged(term).operands):
        if isinstance(operand, Access) and operand.variable == read.variable:
            pairs = [*zip(read.indices, operand.indices, strict=True)]
            scope = {a: b for a, b in pairs if isinstance(a, Index) and isinstance(b, Index)}
            if len(scope) == len(pairs) and scope.keys() >= {*equation.free, *equation.reduced}:
                yield scope


def _with_total(term: Term, equation: Equation, scope: dict[Index, Index]) -> Term | None:
    """Return the term with the sum that the equation defines, if nothing else is summed."""
    summed = {scope[index] for index in equation.reduced}
    held = {index for place in term.target.indices for index in indices_of(place)}
    if len(summed) < len(equation.reduced) or not summed <= {*term.space} - held:
        return None
    function, reads = substitute_operands(equation.function, equation.operands, scope)
    outer = tuple(f for f in term.factors if not _reading(f.operands, summed))
    inner = tuple(f for f in term.factors if f not in outer)
    factor = merged(replace(term, coefficient=ONE, factors=inner))
    if not set(reads) <= set(factor.operands):
        return None
    symbols = {slot_symbol(k): slot_symbol(factor.operands.index(o)) for k, o in enumerate(reads)}
    whole = to_sympy(function).subs(symbols, simultaneous=True)
    rest = sympy.powsimp(to_sympy(factor.function) / whole)
    if any(rest.has(slot_symbol(k)) for k in _reading(factor.operands, summed)):
        return None
    operands = (*factor.operands, substitute_access(equation.target, scope))
    product = apply("multiply", from_sympy(rest), Slot(len(factor.operands)))
    coefficient, factors = collect_constants((*outer, Factor(*compress(product, operands))))
    kept = tuple(index for index in term.space if index not in summed)
    coefficient = apply("multiply", term.coefficient, coefficient)
    return replace(term, space=kept, coefficient=coefficient, factors=factors)


def _reading(operands: Sequence[Operand], indices: set[Index]) -> list[int]:
    return [k for k, o in enumerate(operands) if not indices.isdisjoint(indices_of(o))]
