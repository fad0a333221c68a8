"""Derivatives of normal forms.

How a known function differentiates is derived by the calculus from `symbackprop.scalar`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache

from symbackprop import scalar
from symbackprop.auditing.formulas.symbolic.algebra import Algebra
from symbackprop.auditing.formulas.symbolic.forms import (
    ZERO,
    Atom,
    Delta,
    Form,
    Function,
    Inverse,
    Positive,
    Read,
)

Change = Callable[[Read], Form]


def slope(algebra: Algebra, a: Form, by: Change) -> Form:
    """Return the derivative of a form, whose reads have the derivatives ``by``."""
    terms = []
    for monomial, c in a.terms:
        opened = algebra.opened(monomial)
        for place, (atom, n) in enumerate(opened.factors):
            rest = [*opened.factors[:place], *opened.factors[place + 1 :]]
            change = _slope(algebra, atom, n, by)
            if change.terms:
                product = algebra.mul(algebra.term((), rest, c), change)
                for index in opened.bound:
                    product = algebra.summed(product, index)
                terms.append(product)
    return algebra.total(terms)


def _slope(algebra: Algebra, atom: Atom, exponent: int, by: Change) -> Form:
    """The derivative of a power of an atom."""
    if isinstance(atom, Delta | Positive):
        return ZERO
    if isinstance(atom, Inverse):
        # Its negative power, not multiplied out, is what it is the inverse of.
        inner, base, exponent = slope(algebra, atom.of, by), algebra.atom(atom, -1), -exponent
    else:
        inner = by(atom) if isinstance(atom, Read) else _inner(algebra, atom, by)
        base = algebra.atom(atom)
    if not inner.terms:
        return ZERO
    rate = _rate("power", 0, scalar.Number(Fraction(exponent)))
    return algebra.mul(_expression(algebra, rate, (base,)), inner)


def _inner(algebra: Algebra, atom: Function, by: Change) -> Form:
    """The derivative of a function at its arguments: the chain rule."""
    changes = []
    for place, argument in enumerate(atom.arguments):
        change = slope(algebra, argument, by)
        if not change.terms:
            continue
        if atom.orders:
            orders = (*atom.orders[:place], atom.orders[place] + 1, *atom.orders[place + 1 :])
            rate = algebra.atom(Function(atom.name, atom.arguments, orders))
        else:
            rate = _expression(algebra, _rate(atom.name, place), atom.arguments)
        changes.append(algebra.mul(rate, change))
    return algebra.total(changes)


def _expression(algebra: Algebra, node: scalar.Expression, slots: tuple[Form, ...]) -> Form:
    """Return a scalar expression with forms in its slots."""
    if isinstance(node, scalar.Slot):
        return slots[node.position]
    if isinstance(node, scalar.Number):
        return algebra.number(node.value)
    if isinstance(node, scalar.Named):
        return algebra.atom(Read(node.name))
    arguments = tuple(_expression(algebra, part, slots) for part in node.arguments)
    return algebra.function(node.function, arguments)


@cache
def _rate(name: str, place: int, exponent: scalar.Expression | None = None) -> scalar.Expression:
    """The derivative of a function by its argument at a place, as the calculus derives it."""
    from symbackprop.calculus.partials import partial

    arity = scalar.ARITY[name] or 2
    slots: tuple[scalar.Expression, ...] = tuple(scalar.Slot(k) for k in range(arity))
    if exponent is not None:
        slots = (scalar.Slot(0), exponent)
    return partial(scalar.Apply(name, slots), place)
