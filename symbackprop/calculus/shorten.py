"""The shortest of a few equal forms of an expression, by SymPy's rules for real numbers."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import sympy

from symbackprop.calculus.partials import Symbolic, from_sympy, to_sympy
from symbackprop.scalar import Expression, walk

_MOST_TERMS = 64  # what an expansion may have; a longer one would not be the shortest form
_MOST_PARTS = 300  # beyond, an expression is left as SymPy's constructors make it


def shortest(expression: Expression) -> Expression:
    """Return the shortest form: as it is, or with terms collected, expanded or cancelled."""
    return min((from_sympy(form) for form in _forms(to_sympy(expression))), key=length)


def length(expression: Expression) -> int:
    """Return how many parts an expression has."""
    return sum(1 for _ in walk(expression))


def _forms(value: Symbolic) -> Iterator[Symbolic]:
    yield value
    if value.count_ops() > _MOST_PARTS:
        return
    if _terms(value) <= _MOST_TERMS:
        yield value.expand()
        if value.is_rational_function():
            yield sympy.cancel(value)
    if value.is_Add and value.primitive()[0] != 1:  # with the number, all that terms share
        yield sympy.factor_terms(value)


def _terms(value: Symbolic) -> int:
    """Return at most how many terms the value has when it is expanded."""
    if value.is_Add:
        return sum(_terms(term) for term in value.args)
    if value.is_Mul:
        product = 1
        for factor in value.args:
            product *= _terms(factor)
        return product
    if value.is_Pow and value.exp.is_Integer:
        terms, power = _terms(value.base), abs(int(value.exp))
        return comb(terms + power - 1, power)
    return max((_terms(argument) for argument in value.args), default=1)
