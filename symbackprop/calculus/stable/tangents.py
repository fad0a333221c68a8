"""Hyperbolic tangents that are to be written by exponentials."""

from __future__ import annotations

from symbackprop.calculus.stable.polynomials import (
    Polynomial,
    Quotient,
    constant,
    generator,
    used,
)
from symbackprop.calculus.stable.region import Region
from symbackprop.scalar import apply, number


def tanh_to_expand(region: Region, quotient: Quotient) -> bool:
    """Choose the tanh that cancel against 1, or that share their exponential with others."""
    below = region.bases_of(quotient.below)
    for position in used(quotient.above, quotient.below):
        argument = region.tanh_arguments.get(position)
        if argument is None:
            continue
        square = region.exponential(apply("multiply", number(2), argument))
        shared = region.bases_of(square.above, square.below)
        if any(base in below for base in shared) or _vanishes_at_one(quotient, position):
            region.expand_tanh.add(argument)
    return bool(region.expand_tanh)


def _vanishes_at_one(quotient: Quotient, position: int) -> bool:
    return any(vanishes(p, position) for p in (quotient.above, quotient.below))


def vanishes(polynomial: Polynomial, position: int) -> bool:
    """Whether the polynomial is 0 where the generator of that number is 1, or where it is -1."""
    limits = (constant(1), constant(-1))
    return any(not polynomial.compose(generator(position), limit) for limit in limits)
