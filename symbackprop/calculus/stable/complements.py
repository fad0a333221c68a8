"""Whether a rule applies to a quotient, and the complements 1 - erf u and exp(u) - 1."""

from __future__ import annotations

from fractions import Fraction

from symbackprop.calculus.stable.assembly import is_complement, is_mixed, written
from symbackprop.calculus.stable.polynomials import (
    RING,
    Quotient,
    cancelled,
    coefficients,
    constant,
    degree,
    generator,
    lowest,
    used,
)
from symbackprop.calculus.stable.region import Base, Region
from symbackprop.calculus.stable.trees import scaled
from symbackprop.scalar import Apply, Expression, apply


def assembled(region: Region, quotient: Quotient) -> Expression | None:
    """Return the quotient as a stable expression, or None where no rule applies."""
    shifted = _with_complements(region, quotient)
    parts = cancelled(shifted)
    applies = (
        region.touched
        or shifted != quotient
        or _cancels(region, quotient)
        or any(is_complement(region, factor) for factor, _ in parts.powers)
    )
    if not applies or is_mixed(region, parts):
        return None
    return written(region, shifted)


def _cancels(region: Region, quotient: Quotient) -> bool:
    """Whether an exponential stands both above and below."""
    return any(
        lowest(quotient.above, base.position) and lowest(quotient.below, base.position)
        for base in region.bases_of(quotient.below)
    )


def _with_complements(region: Region, quotient: Quotient) -> Quotient:
    """Write 1 + erf u and exp(u) - 1 by erfc and expm1 where that leaves fewer terms."""
    for position in used(quotient.above):
        quotient = min(
            [quotient, *_complements(region, quotient, position)], key=lambda q: len(q.above)
        )
    return quotient


def _complements(region: Region, quotient: Quotient, position: int) -> list[Quotient]:
    above, below = quotient.above, quotient.below
    kind, tree = region.trees[position]
    base = region.base_at(position)
    if base is not None:
        return _by_expm1(region, quotient, base)
    if kind != "erf" or not isinstance(tree, Apply) or degree(below, position):
        return []
    argument = tree.arguments[0]
    lower = region.opaque(apply("erfc", scaled(argument, Fraction(-1)))) - constant(1)
    upper = constant(1) - region.opaque(apply("erfc", argument))
    return [Quotient(above.compose(generator(position), new), below) for new in (lower, upper)]


def _by_expm1(region: Region, quotient: Quotient, base: Base) -> list[Quotient]:
    """Write E, or 1/E where only that occurs, as 1 plus an expm1."""
    above, below, position = quotient.above, quotient.below, base.position
    power = degree(below, position)
    if power == 0:
        one_more = constant(1) + region.opaque(apply("expm1", base.exponent()))
        return [Quotient(above.compose(generator(position), one_more), below)]
    if lowest(below, position) < power or degree(above, position) > power:
        return []
    one_more = constant(1) + region.opaque(apply("expm1", base.exponent(-1)))
    parts = coefficients(above, position)
    mirrored = sum((c * one_more ** (power - k) for k, c in enumerate(parts)), RING.zero)
    return [Quotient(mirrored, coefficients(below, position)[power])]
