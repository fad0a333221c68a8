"""Stable forms: expressions that neither overflow nor lose their value, by identity.

The rules look at how exponentials, logarithms and error functions stand to each other,
never at the name of an activation or a loss; equations that users write get them too.
"""

from __future__ import annotations

import math
from functools import lru_cache

from symbackprop.calculus.stable.assembly import by_exponents, written
from symbackprop.calculus.stable.choices import chosen_outside
from symbackprop.calculus.stable.complements import assembled
from symbackprop.calculus.stable.guards import guarded
from symbackprop.calculus.stable.logarithms import joined, log_of, logarithm
from symbackprop.calculus.stable.polynomials import (
    RING,
    Polynomial,
    Quotient,
    generator,
    used,
)
from symbackprop.calculus.stable.readers import READERS
from symbackprop.calculus.stable.region import Region, TooManyGeneratorsError
from symbackprop.calculus.stable.tangents import tanh_to_expand, vanishes
from symbackprop.calculus.stable.towers import saturated
from symbackprop.scalar import Apply, Expression, apply, walk

_ESSENTIAL = frozenset({"exp", "expm1", "tanh", "erf", "sign"})
_NONE: frozenset[Expression] = frozenset()


@lru_cache(maxsize=8192)
def stable_form(expression: Expression, nonpositive: frozenset[Expression] = _NONE) -> Expression:
    """Return an equal expression that neither overflows, warns nor loses the value.

    Args:
        expression: a scalar expression over slots, as a textbook would write it.
        nonpositive: expressions known to be never positive, such as a number less the
            largest of its row; exponentials of these stay as they are.

    Returns:
        An expression whose terms are ordered so that exponentially small ones come last.
        Where no rule applies, the expression itself. A NaN in a slot gives NaN.
    """
    return saturated(_stable_form(chosen_outside(expression), nonpositive), nonpositive)


@lru_cache(maxsize=8192)
def _stable_form(expression: Expression, nonpositive: frozenset[Expression]) -> Expression:
    if not isinstance(expression, Apply):
        return expression
    if expression.function in READERS and _has_essential(expression):
        found = _by_identity(expression, nonpositive)
        if found is not None:
            return found
    return _rebuilt(expression, nonpositive)


def _has_essential(expression: Expression) -> bool:
    return any(isinstance(n, Apply) and n.function in _ESSENTIAL for n in walk(expression))


def _by_identity(expression: Apply, nonpositive: frozenset[Expression]) -> Expression | None:
    region = Region(
        lambda inner: _stable_form(inner, nonpositive),
        lambda node: _rebuilt(node, nonpositive),
        READERS,
        logarithm,
        nonpositive,
    )
    try:
        quotient = region.read(expression)
        if tanh_to_expand(region, quotient) or region.rescaled:
            quotient = region.read(expression)
        quotient = joined(region, quotient)
        parts = [Quotient(part, quotient.below) for part in _apart(region, quotient)]
        if len(parts) > 1:
            terms = (_stable_form(written(region, part), nonpositive) for part in parts)
            return apply("add", *terms)
        return assembled(region, quotient)
    except TooManyGeneratorsError:
        return None


def _apart(region: Region, quotient: Quotient) -> list[Polynomial]:
    """Split the numerator: what multiplies a tanh that cancels against 1 stands alone.

    By exponentials throughout, the rest would lose its digits where the tanh is small.
    """
    if region.bases_of(quotient.above, quotient.below):
        return [quotient.above]
    parts = [quotient.above]
    for position in used(quotient.above):
        if position in region.tanh_arguments:
            part = _vanishing(parts[0], position)
            parts = [parts[0] - part, *parts[1:], part]
    return [part for part in parts if part]


def _vanishing(polynomial: Polynomial, position: int) -> Polynomial:
    """Return the terms whose sum, by powers of the other generators, is 0 at 1 or at -1."""
    others = [k for k in used(polynomial) if k != position]
    result = RING.zero
    for exponents, factor in by_exponents(polynomial, others):
        if vanishes(factor, position):
            powers = zip(others, exponents, strict=True)
            result += math.prod((generator(k) ** n for k, n in powers), start=factor)
    return result


def _rebuilt(node: Expression, nonpositive: frozenset[Expression]) -> Expression:
    """Return the node with the stable forms of its arguments."""
    if not isinstance(node, Apply):
        return node
    arguments = [_stable_form(argument, nonpositive) for argument in node.arguments]
    if node.function == "where":
        return guarded(arguments, nonpositive)
    if node.function == "log":
        return log_of(arguments[0])
    return apply(node.function, *arguments)
