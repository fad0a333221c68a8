"""Polynomials over opaque generators, and their quotients in factored form.

A thin layer over SymPy's sparse polynomial ring: generators are numbers, so that no
name or text of an expression ever reaches SymPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sympy import QQ, Symbol
from sympy.polys.rings import PolyRing

Polynomial = Any  # sympy.polys.rings.PolyElement over RING
GENERATORS = 32
RING = PolyRing([Symbol(f"x{k}") for k in range(GENERATORS)], QQ)


def constant(value: Fraction | int) -> Polynomial:
    """Return the constant polynomial."""
    exact = Fraction(value)
    return RING.one * QQ(exact.numerator, exact.denominator)


def rational(coefficient: Any) -> Fraction:
    """Return SymPy's rational as a Fraction."""
    return Fraction(int(coefficient.numerator), int(coefficient.denominator))


def generator(position: int) -> Polynomial:
    """Return the generator of that number."""
    return RING.gens[position]


def used(*polynomials: Polynomial) -> tuple[int, ...]:
    """Return the numbers of the generators that occur, sorted."""
    found = {k for p in polynomials for m in p.itermonoms() for k, power in enumerate(m) if power}
    return tuple(sorted(found))


def degree(polynomial: Polynomial, position: int) -> int:
    """Return the degree in one generator."""
    return max((int(m[position]) for m in polynomial.itermonoms()), default=0)


def lowest(polynomial: Polynomial, position: int) -> int:
    """Return the lowest exponent of one generator."""
    return min((int(m[position]) for m in polynomial.itermonoms()), default=0)


def coefficients(polynomial: Polynomial, position: int) -> list[Polynomial]:
    """Return the coefficients by powers of one generator, constant first."""
    split = [RING.zero for _ in range(degree(polynomial, position) + 1)]
    for monomial, value in polynomial.iterterms():
        rest = tuple(0 if k == position else power for k, power in enumerate(monomial))
        split[monomial[position]] += RING.from_dict({rest: value})
    return split


def is_monomial(polynomial: Polynomial) -> bool:
    """Whether the polynomial has at most one term."""
    return len(polynomial) <= 1


@dataclass(frozen=True)
class Quotient:
    """``above / below``, not cancelled."""

    above: Polynomial
    below: Polynomial

    def __add__(self, other: Quotient) -> Quotient:
        if self.below == other.below:
            return Quotient(self.above + other.above, self.below)
        above = self.above * other.below + other.above * self.below
        return Quotient(above, self.below * other.below)

    def __mul__(self, other: Quotient) -> Quotient:
        return Quotient(self.above * other.above, self.below * other.below)

    def __pow__(self, exponent: int) -> Quotient:
        if exponent < 0:
            return Quotient(self.below, self.above) ** -exponent
        return Quotient(self.above**exponent, self.below**exponent)

    def divided(self, other: Quotient) -> Quotient:
        """Return the quotient of the two."""
        return Quotient(self.above * other.below, self.below * other.above)


@dataclass(frozen=True)
class Factored:
    """``coefficient * product of factor**power``: irreducible factors, in a fixed order."""

    coefficient: Fraction
    powers: tuple[tuple[Polynomial, int], ...]


def cancelled(quotient: Quotient) -> Factored:
    """Return the quotient in lowest terms."""
    above, below = factored(quotient.above), factored(quotient.below)
    powers = dict(above.powers)
    for factor, power in below.powers:
        powers[factor] = powers.get(factor, 0) - power
    kept = tuple((factor, power) for factor, power in powers.items() if power)
    return Factored(above.coefficient / below.coefficient, kept)


@lru_cache(maxsize=4096)
def factored(polynomial: Polynomial) -> Factored:
    """Return the irreducible factors over the rationals."""
    if not polynomial:
        return Factored(Fraction(0), ())
    positions = used(polynomial)
    if not positions:
        return Factored(rational(polynomial.LC), ())
    small = PolyRing([Symbol(f"x{k}") for k in positions], QQ)
    compact = small.from_dict(
        {tuple(m[p] for p in positions): c for m, c in polynomial.iterterms()}
    )
    lead, parts = compact.factor_list()
    powers = tuple((_widened(part, positions), int(power)) for part, power in parts)
    return Factored(rational(lead), powers)


def _widened(compact: Polynomial, positions: tuple[int, ...]) -> Polynomial:
    wide = {}
    for monomial, value in compact.iterterms():
        full = [0] * GENERATORS
        for position, power in zip(positions, monomial, strict=True):
            full[position] = power
        wide[tuple(full)] = value
    return RING.from_dict(wide)


def expanded(parts: Factored) -> Quotient:
    """Return the product multiplied out."""
    result = Quotient(constant(parts.coefficient), RING.one)
    for factor, power in parts.powers:
        result = result * Quotient(factor, RING.one) ** power
    return result
