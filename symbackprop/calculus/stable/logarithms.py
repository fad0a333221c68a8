"""Logarithms of quotients of polynomials in exponentials."""

from __future__ import annotations

import itertools
from fractions import Fraction

from symbackprop.calculus.stable.assembly import Assembly, is_mixed, written
from symbackprop.calculus.stable.balance import power_of, product
from symbackprop.calculus.stable.polynomials import (
    RING,
    Factored,
    Polynomial,
    Quotient,
    cancelled,
    coefficients,
    constant,
    degree,
    expanded,
    generator,
    is_monomial,
    rational,
    used,
)
from symbackprop.calculus.stable.region import Base, Region
from symbackprop.scalar import ONE, ZERO, Apply, Expression, apply, number

_SATURATION = 40  # exp(-40) is less than half a unit in the last place of 1


def logarithm(region: Region, quotient: Quotient) -> Polynomial | None:
    """Return log(quotient) over hinges and logarithms of homogeneous polynomials.

    A homogeneous polynomial of degree d in P and Q is Q**d times one in E, and log Q is
    -max(u, 0). None where the quotient holds no exponential.
    """
    parts = cancelled(quotient)
    bases = region.bases_of(*(factor for factor, _ in parts.powers))
    if not bases or is_mixed(region, parts):
        return None
    flat = expanded(parts)
    found = _even_logarithm(region, flat) or _near_one(region, flat)
    if found is not None:
        return found
    result, rest = RING.zero, []
    assembly = Assembly(region, Factored(Fraction(1), ()))
    assembly.balanced = [base for base in bases if not base.bounded]
    for factor, power in parts.powers:
        inside = region.bases_of(factor)
        if inside and is_monomial(factor):
            result += constant(power) * _line(region, inside[0])
            continue
        result += constant(power) * _hinges(region, factor)
        if _is_positive(region, factor):
            tree, _ = assembly.factor(factor)
            log = region.opaque(log_of(tree), "log")
            region.logarithms[used(log)[0]] = factor
            result += constant(power) * log
        else:
            rest.append((factor, power))
    return result + _log_of_rest(assembly, Factored(parts.coefficient, tuple(rest)))


def _is_positive(region: Region, factor: Polynomial) -> bool:
    """Whether the factor is positive by its form, so that its logarithm may stand alone."""
    opaque = len(used(factor)) - len(region.bases_of(factor))
    return not opaque and all(value > 0 for value in factor.itercoeffs())


def _hinges(region: Region, factor: Polynomial) -> Polynomial:
    """Return the logarithm of 1/Q**d: d * max(u, 0), for each base."""
    unbounded = [base for base in region.bases_of(factor) if not base.bounded]
    return sum((degree(factor, b.position) * _hinge_of(region, b) for b in unbounded), RING.zero)


def _line(region: Region, base: Base) -> Polynomial:
    """Return the exponent u: its own monomial, or a generator that stands for it."""
    read = cancelled(region.quotient(base.exponent()))
    flat = expanded(read)
    if flat.below == RING.one and is_monomial(flat.above):
        return flat.above
    return region.opaque(base.exponent())


def _hinge_of(region: Region, base: Base) -> Polynomial:
    u = base.exponent()
    hinge = region.opaque(apply("maximum", u, ZERO))
    region.hinges[used(hinge)[0]] = (_line(region, base), u)
    return hinge


def joined(region: Region, quotient: Quotient) -> Quotient:
    """Take logarithms together that cancel: c log A - c log B, where A/B goes to 1."""
    above = quotient.above
    logs = [k for k in used(above) if k in region.logarithms and degree(above, k) == 1]
    # Of log A - log B and log B - log A the one that is positive, so that all take the same one.
    pairs = sorted(
        itertools.permutations(logs, 2),
        key=lambda pair: (
            not _is_positive(region, region.logarithms[pair[0]] - region.logarithms[pair[1]])
        ),
    )
    for first, second in pairs:
        rest, factor = coefficients(above, first)
        if degree(rest, second) != 1 or degree(factor, second):
            continue
        rest, other = coefficients(rest, second)
        if factor + other == 0:
            parts = Quotient(region.logarithms[first], region.logarithms[second])
            log = _near_one(region, parts)
            if log is not None:
                region.touched = True
                return joined(region, Quotient(rest + factor * log, quotient.below))
    return quotient


def _near_one(region: Region, flat: Quotient) -> Polynomial | None:
    """Return log(A/B) as log1p((A - B)/B) where A/B goes to 1 at one end, and to no 0 or infinity.

    There the logarithms of A and B cancel: log(1 + sigmoid(u)) for large negative u.
    """
    above, below = flat.above, flat.below
    inside = used(above, below)
    base = region.base_at(inside[0]) if len(inside) == 1 else None
    if base is None or base.bounded:
        return None
    ends = [coefficients(p, base.position) for p in (above, below)]
    if not all(_is_positive(region, p) for p in (above, below)) or len(ends[0]) != len(ends[1]):
        return None
    pairs = [(ends[0][k], ends[1][k]) for k in (0, -1)]
    if not all(a and b for a, b in pairs):
        return None
    ratios = [rational(a.LC) / rational(b.LC) for a, b in pairs]
    if 1 not in ratios or min(ratios) < Fraction(1, 2):
        return None
    return region.opaque(apply("log1p", written(region, Quotient(above - below, below))), "log")


def _even_logarithm(region: Region, flat: Quotient) -> Polynomial | None:
    """Return log(1 + k*(E - 1)**2/E), which is even and vanishes at 0, or its negative.

    Beyond v = min(|u|, 40) it grows by |u| - v, and nothing overflows.
    """
    for above, below, sign in ((flat.above, flat.below, 1), (flat.below, flat.above, -1)):
        inside = used(above, below)
        base = region.base_at(inside[0]) if len(inside) == 1 else None
        if base is None or base.bounded or degree(above, base.position) != 2:
            continue
        e = generator(base.position)
        if len(below) != 1 or degree(below, base.position) != 1:
            continue
        lead = below.LC
        excess = above - below
        slope = coefficients(above, base.position)[-1].LC
        if excess == constant(rational(slope)) * (e - 1) ** 2:
            tree = _saturated(base.exponent(), rational(slope) / rational(lead))
            return constant(sign) * region.opaque(tree, "log")
    return None


def _saturated(u: Expression, k: Fraction) -> Expression:
    v = apply("minimum", apply("abs", u), number(_SATURATION))
    less = apply("negative", v)
    square = apply("power", apply("expm1", less), number(2))
    ratio = product(k, [square], [apply("exp", less)])
    beyond = apply("add", apply("abs", u), apply("negative", v))
    return apply("add", beyond, apply("log1p", ratio))


def log_of(tree: Expression) -> Expression:
    """Return log(tree), as log1p where the tree is a sum with a term 1."""
    if isinstance(tree, Apply) and tree.function == "add" and ONE in tree.arguments:
        where = tree.arguments.index(ONE)
        rest = tree.arguments[:where] + tree.arguments[where + 1 :]
        return apply("log1p", apply("add", *rest))
    return apply("log", tree)


def _log_of_rest(assembly: Assembly, rest: Factored) -> Polynomial:
    """Return the logarithm of the factors whose signs are not known, as one."""
    region = assembly.region
    if not rest.powers and rest.coefficient > 0:
        return _log_of_number(region, rest.coefficient)
    inverse = all(power < 0 for _, power in rest.powers)
    assembly.coefficient = 1 / rest.coefficient if inverse else rest.coefficient
    above: list[Expression] = []
    below: list[Expression] = []
    for factor, power in rest.powers:
        side = above if inverse or power > 0 else below
        side.append(power_of(assembly.signed(factor, abs(power)), abs(power)))
    tree = product(assembly.coefficient, above, below)
    return constant(-1 if inverse else 1) * region.opaque(log_of(tree), "log")


def _log_of_number(region: Region, value: Fraction) -> Polynomial:
    parts = ((value.numerator, 1), (value.denominator, -1))
    logs = (constant(s) * region.opaque(apply("log", number(n))) for n, s in parts if n != 1)
    return sum(logs, RING.zero)
