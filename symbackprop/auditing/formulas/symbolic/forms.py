"""The normal form of a formula of one unit: a sum of terms, each itself summed over indices.

A term is a rational number times powers of atoms. Index letters carry the axis that they run
over; those that a term sums over are numbered, in an order that does not depend on their names.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

# How many orders of the summed indices of one term are compared.
MOST_ORDERS = 120


class UnknownError(Exception):
    """A normal form cannot be had, or costs too much."""


class Index(NamedTuple):
    """A letter and the axis that it runs over; ``level`` is 0 unless a term sums over it."""

    axis: int
    level: int
    name: str


@dataclass(frozen=True, slots=True)
class Read:
    """An element of what nothing defines, or a number that nothing defines."""

    name: str
    indices: tuple[Index, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """Kronecker's delta of two letters that no sum binds here."""

    left: Index
    right: Index


@dataclass(frozen=True, slots=True)
class Function:
    """A function at its arguments, differentiated so often by each; ``orders`` empty if known."""

    name: str
    arguments: tuple[Form, ...]
    orders: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Inverse:
    """One over a sum; its negative powers are the sum, not multiplied out."""

    of: Form


@dataclass(frozen=True, slots=True)
class Positive:
    """1 where a form is positive, else 0; kinks, where it is zero, are left out."""

    of: Form


Atom = Read | Delta | Function | Inverse | Positive
Factors = tuple[tuple[Atom, int], ...]


@dataclass(frozen=True, slots=True)
class Monomial:
    """Powers of atoms, summed over the bound indices."""

    bound: tuple[Index, ...]
    factors: Factors


@dataclass(frozen=True, slots=True)
class Form:
    """Monomials with their coefficients, in the order of their text."""

    terms: tuple[tuple[Monomial, Fraction], ...]


ZERO = Form(())


def collected(terms: Iterator[tuple[Monomial, Fraction]]) -> Form:
    """Return the sum of terms, equal monomials together."""
    found: dict[Monomial, Fraction] = {}
    for monomial, coefficient in terms:
        found[monomial] = found.get(monomial, Fraction(0)) + coefficient
    kept = [(m, c) for m, c in found.items() if c]
    return Form(tuple(sorted(kept, key=repr)))


def ordered(factors: Mapping[Atom, int]) -> Factors:
    """Return factors in the order of their text."""
    return tuple(sorted(factors.items(), key=repr))


def letters(atom: Atom) -> frozenset[Index]:
    """Return the letters of an atom that nothing in it binds."""
    if isinstance(atom, Read):
        return frozenset(atom.indices)
    if isinstance(atom, Delta):
        return frozenset((atom.left, atom.right))
    forms = atom.arguments if isinstance(atom, Function) else (atom.of,)
    return frozenset(
        letter
        for form in forms
        for monomial, _ in form.terms
        for factor, _ in monomial.factors
        for letter in letters(factor) - set(monomial.bound)
    )


def level(atom: Atom) -> int:
    """Return how deep sums are nested in an atom."""
    if isinstance(atom, Read | Delta):
        return 0
    forms = atom.arguments if isinstance(atom, Function) else (atom.of,)
    return max((_level(monomial) for form in forms for monomial, _ in form.terms), default=0)


def _level(monomial: Monomial) -> int:
    inner = max((level(atom) for atom, _ in monomial.factors), default=0)
    return max([inner, *(index.level for index in monomial.bound)])


Letters = Mapping[Index, Index]


def relettered(atom: Atom, values: Letters) -> Atom:
    """Return an atom with letters replaced, put in order again."""
    if isinstance(atom, Read):
        return Read(atom.name, tuple(values.get(index, index) for index in atom.indices))
    if isinstance(atom, Delta):
        pair = sorted(values.get(index, index) for index in (atom.left, atom.right))
        return Delta(*pair)
    if isinstance(atom, Function):
        arguments = tuple(_relettered(argument, values) for argument in atom.arguments)
        return Function(atom.name, arguments, atom.orders)
    return type(atom)(_relettered(atom.of, values))


def _relettered(form: Form, values: Letters) -> Form:
    return collected(
        (Monomial(m.bound, ordered({relettered(a, values): n for a, n in m.factors})), c)
        for m, c in form.terms
    )


def numbered(bound: tuple[Index, ...], factors: Mapping[Atom, int]) -> Monomial:
    """Return a term with the indices that it sums over numbered.

    Raises:
        UnknownError: If too many orders of them have to be compared.
    """
    if not bound:
        return Monomial((), ordered(factors))
    deep = 1 + max((level(atom) for atom in factors), default=0)
    groups = _alike(bound, factors)
    count = 1
    for group in groups:
        for k in range(2, len(group) + 1):
            count *= k
    if count > MOST_ORDERS:
        raise UnknownError("a sum over too many indices that are alike")
    best: tuple[str, Monomial] | None = None
    for orders in itertools.product(*(itertools.permutations(group) for group in groups)):
        flat = [index for order in orders for index in order]
        values = {index: Index(index.axis, deep, str(k)) for k, index in enumerate(flat)}
        renamed = ordered({relettered(atom, values): n for atom, n in factors.items()})
        text = repr(renamed)
        if best is None or text < best[0]:
            best = text, Monomial(tuple(values[index] for index in flat), renamed)
    assert best is not None
    return best[1]


def _alike(bound: tuple[Index, ...], factors: Mapping[Atom, int]) -> list[list[Index]]:
    """Return the bound indices in groups that only their places in the term can tell apart."""
    groups: dict[str, list[Index]] = {}
    for index in bound:
        others = {other: Index(other.axis, 0, "?") for other in bound}
        values = {**others, index: Index(index.axis, 0, "!")}
        parts = sorted(repr((relettered(atom, values), n)) for atom, n in factors.items())
        groups.setdefault(f"{index.axis}|{parts}", []).append(index)
    return [groups[key] for key in sorted(groups)]
