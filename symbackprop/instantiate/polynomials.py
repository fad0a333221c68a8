"""Exact arithmetic on indices and extents: polynomials, and the range that one can take.

A polynomial maps monomials, products of indices and of extents known by name, to rational
coefficients. Extents by name are at least 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from symbackprop import scalar
from symbackprop.equations import (
    Access,
    Affine,
    Extent,
    Index,
    IndexExpression,
    Quotient,
)
from symbackprop.scalar import Expression, Number

Atom = Index | Expression
Monomial = tuple[Atom, ...]
Polynomial = Mapping[Monomial, Fraction]

UNIT: Polynomial = {(): Fraction(1)}


def constant(value: int | Fraction) -> Polynomial:
    """Return the polynomial that is this number."""
    return {(): Fraction(value)} if value else {}


def add(left: Polynomial, right: Polynomial, factor: int | Fraction = 1) -> Polynomial:
    """Return left + factor * right."""
    total = dict(left)
    for monomial, coefficient in right.items():
        value = total.pop(monomial, Fraction(0)) + factor * coefficient
        if value:
            total[monomial] = value
    return total


def multiply(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return left * right."""
    product: Polynomial = {}
    for one, coefficient in left.items():
        for other, factor in right.items():
            monomial = tuple(sorted(one + other, key=repr)) if one and other else one + other
            product = add(product, {monomial: coefficient * factor})
    return product


def of_extent(extent: Extent) -> Polynomial:
    """Return the extent as a polynomial; a quotient of names stays whole."""
    if isinstance(extent, int):
        return constant(extent)
    if isinstance(extent, Number):
        return constant(extent.value)
    if isinstance(extent, scalar.Apply):
        parts = [of_extent(argument) for argument in extent.arguments]
        if extent.function == "add":
            return _fold(parts, add)
        if extent.function == "multiply":
            return _fold(parts, multiply)
    return {(extent,): Fraction(1)}


def _fold(
    parts: list[Polynomial], combine: Callable[[Polynomial, Polynomial], Polynomial]
) -> Polynomial:
    result = parts[0]
    for part in parts[1:]:
        result = combine(result, part)
    return result


def to_extent(polynomial: Polynomial) -> Extent:
    """Return the extent that has this value; a fraction stays a Number."""
    expression = scalar.apply("add", *(_term(m, c) for m, c in polynomial.items()), scalar.ZERO)
    if isinstance(expression, Number) and expression.value.denominator == 1:
        return int(expression.value)
    return expression


def _term(monomial: Monomial, coefficient: Fraction) -> Expression:
    atoms = [atom for atom in monomial if not isinstance(atom, Index)]
    return scalar.apply("multiply", Number(coefficient), *atoms)


def is_whole(polynomial: Polynomial) -> bool:
    """Whether it is a whole number for all values of its names."""
    return all(coefficient.denominator == 1 for coefficient in polynomial.values())


def same_extent(left: Extent, right: Extent) -> bool:
    """Whether two extents are equal for all values of their names."""
    return left == right or not add(of_extent(left), of_extent(right), -1)


def to_index(polynomial: Polynomial) -> Index | Affine | None:
    """Return the index expression, or None where it is not affine with whole coefficients."""
    offset: Polynomial = {}
    terms: dict[Index, Polynomial] = {}
    for monomial, coefficient in polynomial.items():
        indices = [atom for atom in monomial if isinstance(atom, Index)]
        rest = tuple(atom for atom in monomial if not isinstance(atom, Index))
        if len(indices) > 1 or coefficient.denominator != 1:
            return None
        if indices:
            known = terms.get(indices[0], {})
            terms[indices[0]] = add(known, {rest: coefficient})
        else:
            offset = add(offset, {rest: coefficient})
    found = tuple((to_extent(factor), index) for index, factor in terms.items())
    if len(found) == 1 and found[0][0] == 1 and not offset:
        return found[0][1]
    return Affine(found, to_extent(offset))


def of_index(expression: IndexExpression) -> Polynomial | None:
    """Return the index expression as a polynomial; None for quotients and look-ups."""
    if isinstance(expression, Index):
        return {(expression,): Fraction(1)}
    if not isinstance(expression, Affine):
        return None
    result = of_extent(expression.offset)
    for coefficient, index in expression.terms:
        result = add(result, multiply(of_extent(coefficient), {(index,): Fraction(1)}))
    return result


def least(polynomial: Polynomial) -> Polynomial:
    """Return the smallest value over all indices, as a polynomial of extents."""
    result: Polynomial = {}
    for monomial, coefficient in polynomial.items():
        indices = [atom for atom in monomial if isinstance(atom, Index)]
        if not indices:
            result = add(result, {monomial: coefficient})
        elif coefficient < 0:
            last = [add(of_extent(index.extent), UNIT, -1) for index in indices]
            rest = tuple(atom for atom in monomial if not isinstance(atom, Index))
            result = add(result, _fold([{rest: coefficient}, *last], multiply))
    return result


def is_nonnegative(polynomial: Polynomial) -> bool | None:
    """Whether it is at least 0 for every value of its indices; None where names decide."""
    low = least(polynomial)
    if set(low) <= {()}:
        return low.get((), Fraction(0)) >= 0
    named = [coefficient for monomial, coefficient in low.items() if monomial]
    if all(coefficient > 0 for coefficient in named) and sum(low.values()) >= 0:
        return True
    if all(coefficient < 0 for coefficient in named) and sum(low.values()) < 0:
        return False
    return None


def bounds(expression: IndexExpression) -> tuple[Polynomial, Polynomial] | None:
    """Return polynomials that bound the value from below and above; None for a look-up."""
    if isinstance(expression, Access):
        return None
    exact = of_index(expression)
    if exact is not None:
        return exact, exact
    if isinstance(expression, Quotient):
        return _quotient_bounds(expression)
    assert not isinstance(expression, Index | Affine)
    return {}, add(of_extent(expression.divisor), UNIT, -1)


def _quotient_bounds(expression: Quotient) -> tuple[Polynomial, Polynomial] | None:
    inner = bounds(expression.dividend)
    if inner is None or not isinstance(expression.divisor, int):
        return None
    low = least(inner[0])
    high = least(add({}, inner[1], -1))
    if set(low) | set(high) > {()}:
        return None
    first = low.get((), Fraction(0)) // expression.divisor
    last = -high.get((), Fraction(0)) // expression.divisor
    return constant(first), constant(last)
