"""Extents that follow from named ones, with the arithmetic of whole numbers.

Lowering computes with a Size as with a number: sums, products, quotients by a number, and
comparisons that are decided for every value that the names can have. Its ``name`` is the
source text of its value: ``n_T - 2``, where ``n_T`` is the extent that a user calls T.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, prod

from symbackprop.errors import SymbackpropError
from symbackprop.scalar import Named

SHORT = 40  # characters of a sum that stands as a factor
MODERATE = 30  # more than the least that a name stands for: as an extent is in use


class UndecidedError(SymbackpropError):
    """A question about sizes whose answer depends on the extents that names stand for."""


@dataclass(frozen=True, slots=True)
class _Atom:
    """What a Size is a polynomial of: a name, or a quotient rounded down.

    Attributes:
        source: of its value.
        least: the smallest value of a name.
        dividend, divisor: of a quotient.
    """

    source: str
    least: int = field(default=1, compare=False)
    dividend: Size | None = None
    divisor: int = 1


_Monomial = tuple[_Atom, ...]
_Terms = Mapping[_Monomial, Fraction]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Size(Named):
    """A whole number that is a polynomial of named extents, and of quotients of such.

    Attributes:
        terms: coefficients by monomial, sorted, none of them 0.
    """

    terms: tuple[tuple[_Monomial, Fraction], ...] = ()

    def __eq__(self, other: object) -> bool:
        """Whether they are equal for all values of the names."""
        return isinstance(other, Size) and self.terms == other.terms

    def __hash__(self) -> int:
        """Return a hash that equal sizes share."""
        return hash(self.terms)

    def __str__(self) -> str:
        """Return the source of the value."""
        return self.name

    __repr__ = __str__

    @property
    def factor(self) -> str:
        """The source, in parentheses where it is a sum."""
        return f"({self.name})" if len(self.terms) > 1 or "//" in self.name else self.name

    def __add__(self, other: Whole) -> Whole:
        """Return the sum."""
        return _whole(_sum(_terms(self), _terms(other)))

    __radd__ = __add__

    def __neg__(self) -> Whole:
        """Return the negative."""
        return self * -1

    def __sub__(self, other: Whole) -> Whole:
        """Return the difference."""
        return self + -other

    def __rsub__(self, other: int) -> Whole:
        """Return the difference to a number."""
        return -self + other

    def __mul__(self, other: Whole) -> Whole:
        """Return the product."""
        return _whole(_product(_terms(self), _terms(other)))

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> Whole:
        """Return the quotient by a number, rounded down."""
        exact = {m: c for m, c in self.terms if (c / divisor).denominator == 1 and m}
        rest = {m: c for m, c in self.terms if m not in exact}
        constant = rest.pop((), Fraction(0))
        outside = _sum({m: c / divisor for m, c in exact.items()}, _constant(constant // divisor))
        inside = _whole(_sum(rest, _constant(constant % divisor)))
        if isinstance(inside, int):
            return _whole(outside)
        atom = _Atom(f"{inside.factor} // {divisor}", 0, inside, divisor)
        return _whole(_sum(outside, {(atom,): Fraction(1)}))

    def __ge__(self, other: Whole) -> bool:
        """Whether it is at least the other, for all values of the names."""
        return _is_at_least(self - other, 0)

    def __gt__(self, other: Whole) -> bool:
        """Whether it is more than the other."""
        return _is_at_least(self - other, 1)

    def __le__(self, other: Whole) -> bool:
        """Whether it is at most the other."""
        return _is_at_least(other - self, 0)

    def __lt__(self, other: Whole) -> bool:
        """Whether it is less than the other."""
        return _is_at_least(other - self, 1)


Whole = int | Size


def _constant(value: Fraction | int) -> _Terms:
    return {(): Fraction(value)} if value else {}


def _terms(size: Whole) -> _Terms:
    return _constant(size) if isinstance(size, int) else dict(size.terms)


def _sum(left: _Terms, right: _Terms) -> _Terms:
    total = dict(left)
    for monomial, coefficient in right.items():
        total[monomial] = total.get(monomial, Fraction(0)) + coefficient
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def _product(left: _Terms, right: _Terms) -> _Terms:
    total: _Terms = {}
    for one, coefficient in left.items():
        for other, factor in right.items():
            monomial = tuple(sorted((*one, *other), key=_order))
            total = _sum(total, {monomial: coefficient * factor})
    return total


def _order(atom: _Atom) -> str:
    return atom.source


def _whole(terms: _Terms) -> Whole:
    if set(terms) <= {()}:
        return int(terms.get((), Fraction(0)))
    # The constant comes last, and what is added before what is subtracted.
    ordered = sorted(
        terms.items(), key=lambda t: (not t[0], t[1] < 0, -len(t[0]), [*map(_order, t[0])])
    )
    parts = [_written(monomial, coefficient) for monomial, coefficient in ordered]
    return Size(" + ".join(parts).replace("+ -", "- "), tuple(ordered))


def _written(monomial: _Monomial, coefficient: Fraction) -> str:
    alone = len(monomial) == 1 and coefficient == 1
    factors = [a.source if alone or "//" not in a.source else f"({a.source})" for a in monomial]
    if abs(coefficient) != 1 or not factors:
        factors.insert(0, str(abs(coefficient)))
    return f"{'-' if coefficient < 0 else ''}{' * '.join(factors)}"


def _lowest(terms: _Terms) -> Fraction | None:
    """Return a number that the polynomial is never below; None where none is seen."""
    while True:
        found = next((m for m in terms if any(a.dividend is not None for a in m)), None)
        if found is None:
            break
        rest = {m: c for m, c in terms.items() if m != found}
        terms = _sum(rest, _without_quotient(found, terms[found]))
    shifted: _Terms = {}
    for monomial, coefficient in terms.items():
        product: _Terms = _constant(coefficient)
        for atom in monomial:
            product = _product(product, _sum({(atom,): Fraction(1)}, _constant(atom.least)))
        shifted = _sum(shifted, product)
    low = shifted.get((), Fraction(0))
    return low if all(c > 0 for m, c in shifted.items() if m) else None


def _without_quotient(monomial: _Monomial, coefficient: Fraction) -> _Terms:
    """Return what is at most the term: a // b lies between (a - b + 1) / b and a / b."""
    place = next(k for k, atom in enumerate(monomial) if atom.dividend is not None)
    atom = monomial[place]
    assert atom.dividend is not None
    above = _terms(atom.dividend)
    if coefficient > 0:
        above = _sum(above, _constant(1 - atom.divisor))
    rest = (*monomial[:place], *monomial[place + 1 :])
    return _product(above, {rest: coefficient / atom.divisor})


def _is_at_least(difference: Whole, bound: int) -> bool:
    if isinstance(difference, int):
        return difference >= bound
    low = _lowest(_terms(difference))
    if low is not None and ceil(low) >= bound:
        return True
    high = _lowest(_terms(-difference))
    if high is not None and -ceil(high) < bound:
        return False
    raise UndecidedError(
        f"code for every extent is not possible: whether {shown(difference)} is {bound} or more "
        "depends on the extent"
    )


def at_most(size: Whole) -> int:
    """Return the number that a size never exceeds.

    Raises:
        SymbackpropError: there is none.
    """
    if isinstance(size, int):
        return size
    low = _lowest(_terms(-size))
    if low is None:
        raise UndecidedError(
            f"code for every extent is not possible: {shown(size)} grows with the extent"
        )
    return -ceil(low)


def product(sizes: Iterable[Whole]) -> Whole:
    """Return the product."""
    return prod(sizes)


def at_least_both(one: Whole, other: Whole) -> Whole:
    """Return a size that is at least as large as either: the larger one, where that is seen."""
    if isinstance(one, int) and isinstance(other, int):
        return max(one, other)
    first, second = _terms(one), _terms(other)
    monomials = dict.fromkeys((*first, *second))
    return _whole(
        {m: max(first.get(m, Fraction(0)), second.get(m, Fraction(0))) for m in monomials}
    )


def at(size: Whole, spare: int) -> int:
    """Return the value where every name is so much more than its least value."""
    if isinstance(size, int):
        return size
    total = Fraction(0)
    for monomial, coefficient in size.terms:
        values = (
            atom.least + spare
            if atom.dividend is None
            else at(atom.dividend, spare) // atom.divisor
            for atom in monomial
        )
        total += coefficient * prod(values)
    return int(total)


def is_certain(compare: Callable[[], bool]) -> bool:
    """Whether a comparison holds for all values of the names."""
    try:
        return compare()
    except UndecidedError:
        return False


def shown(size: Whole) -> str:
    """Return the size as users write it."""
    return re.sub(r"\bn_", "", str(size))


def times(size: Whole, factor: str) -> str:
    """Return the source of a multiple; a sum that is no short one is multiplied out."""
    text = f"{factor_text(size)} * {factor}"
    return text if isinstance(size, int) or len(text) <= SHORT else str(size * named(factor))


def solved(size: Size, name: str, value: str) -> str | None:
    """Return the source of the smallest value of a name with which the size has a value.

    Args:
        size: made of that name alone, which stands in it once.
        name: the variable that holds it.
        value: the source of the size's value.
    """
    found: Whole = named(value, 0)
    while str(size) != name:
        rest = dict(size.terms)
        constant = rest.pop((), Fraction(0))
        if len(rest) != 1:
            return None
        ((monomial, factor),) = rest.items()
        if len(monomial) != 1 or factor.denominator != 1:
            return None
        found = -((int(constant) - found) // int(factor)) if factor != 1 else found - int(constant)
        (inner,) = monomial
        if inner.dividend is None:
            return str(found) if inner.source == name else None
        found, size = found * inner.divisor, inner.dividend
    return str(found)


def factor_text(size: Whole) -> str:
    """Return the source of a size that stands in a product."""
    return str(size) if isinstance(size, int) else size.factor


def named(source: str, least: int = 1) -> Size:
    """Return the size that a variable holds, at least so large."""
    return Size(source, (((_Atom(source, least),), Fraction(1)),))
