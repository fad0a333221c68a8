"""How each function is read as a quotient over the generators of a region."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from symbackprop.calculus.stable.polynomials import (
    RING,
    Quotient,
    constant,
    degree,
    is_monomial,
    lowest,
    used,
)
from symbackprop.calculus.stable.region import ARITHMETIC, Base, Region
from symbackprop.calculus.stable.tangents import tanh_to_expand
from symbackprop.calculus.stable.trees import inside_logarithm, is_negative, scaled, summands
from symbackprop.scalar import Apply, Expression, Named, Number, Slot, apply, number, slots, walk

_LARGEST_POWER = 16  # powers beyond stay opaque


def _read_sum(region: Region, node: Apply) -> Quotient | None:
    if _is_nonlinear_polynomial(node):
        return None
    parts = [region.quotient(argument) for argument in node.arguments]
    apart = _independent(region, parts)
    if len(apart) > 1:
        region.touched = True
        groups = [apply("add", *(node.arguments[k] for k in group)) for group in apart]
        whole = Apply("add", tuple(region.stable(group) for group in groups))
        return Quotient(region.opaque(whole), RING.one)
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    return result


def _independent(region: Region, parts: list[Quotient]) -> list[list[int]]:
    """Group summands by the bases in their denominators; those without one come first."""
    groups: list[tuple[set[int], list[int]]] = []
    free: list[int] = []
    for k, part in enumerate(parts):
        bases = {base.position for base in region.bases_of(part.below)}
        if not bases:
            free.append(k)
            continue
        joined = [group for group in groups if group[0] & bases]
        members = sorted([k, *(m for group in joined for m in group[1])])
        merged = bases.union(*(group[0] for group in joined))
        groups = [group for group in groups if not group[0] & bases] + [(merged, members)]
    if len(groups) < 2:
        return [list(range(len(parts)))]
    return ([free] if free else []) + [members for _, members in groups]


def _is_nonlinear_polynomial(node: Apply) -> bool:
    """Whether a sum has nothing to gain from being multiplied out: it stays as written."""
    inner = list(walk(node))
    functions = {part.function for part in inner if isinstance(part, Apply)}
    if not functions <= ARITHMETIC | {"power"}:
        return False
    return max(_slot_degree(term) for term in node.arguments) > 1


def _slot_degree(node: Expression) -> int:
    if isinstance(node, Slot):
        return 1
    if not isinstance(node, Apply):
        return 0
    degrees = [_slot_degree(argument) for argument in node.arguments]
    if node.function == "power" and degrees[0]:
        return 2
    return sum(degrees) if node.function in ("multiply", "divide") else max(degrees)


def _read_product(region: Region, node: Apply) -> Quotient:
    result = Quotient(RING.one, RING.one)
    for argument in node.arguments:
        result = result * region.quotient(argument)
    return region.take_out(result)


def _read_negative(region: Region, node: Apply) -> Quotient:
    return Quotient(constant(-1), RING.one) * region.quotient(node.arguments[0])


def _read_quotient(region: Region, node: Apply) -> Quotient | None:
    above, below = node.arguments
    return _over(region, region.quotient(above), below, 1)


def _over(region: Region, above: Quotient, below: Expression, power: int) -> Quotient | None:
    if not slots(below) and not isinstance(below, Number | Named):
        inverse = region.opaque(region.stable(below), "inverse")
        return region.take_out(above * Quotient(inverse, RING.one) ** power)
    divisor = region.quotient(below)
    if not divisor.above:
        return None
    if any(not is_monomial(p) and region.bases_of(p) for p in (divisor.above, divisor.below)):
        region.touched = True
    return region.take_out(above.divided(divisor**power))


def _read_power(region: Region, node: Apply) -> Quotient | None:
    base, exponent = node.arguments
    if not isinstance(exponent, Number) or exponent.value.denominator != 1:
        return _fractional_power(region, base, exponent)
    if abs(exponent.value) > _LARGEST_POWER:
        return None
    power = int(exponent.value)
    if power < 0:
        return _over(region, Quotient(RING.one, RING.one), base, -power)
    return region.take_out(region.quotient(base) ** power)


def _read_root(region: Region, node: Apply) -> Quotient | None:
    return _fractional_power(region, node.arguments[0], number(Fraction(1, 2)))


def _fractional_power(region: Region, base: Expression, exponent: Expression) -> Quotient | None:
    """Write R**(s + k) as R**k * exp(s * log R), where R is rational in exponentials alone.

    Of R and 1/R the logarithm of the bounded one is taken, so that nothing overflows.
    """
    whole, rest = _split_exponent(exponent)
    inner = region.quotient(base)
    bases = region.bases_of(inner.above, inner.below)
    if not bases or len(used(inner.above, inner.below)) != len(bases):
        return None
    if not _is_positive(inner) or not bases:
        return None
    region.touched = True
    grows = not _is_bounded(inner, bases) and _is_bounded(inner**-1, bases)
    logarithm = region.stable(apply("log", apply("divide", number(1), base) if grows else base))
    inverse = grows != is_negative(rest)
    size = scaled(rest, Fraction(-1)) if is_negative(rest) else rest
    power = Quotient(region.opaque(apply("exp", apply("multiply", size, logarithm))), RING.one)
    return power ** (-1 if inverse else 1) * inner**whole


def _is_bounded(quotient: Quotient, bases: list[Base]) -> bool:
    """Whether positive coefficients and degrees keep the quotient from growing."""
    return all(
        degree(quotient.above, base.position) <= degree(quotient.below, base.position)
        and lowest(quotient.above, base.position) >= lowest(quotient.below, base.position)
        for base in bases
    )


def _is_positive(quotient: Quotient) -> bool:
    """Whether all coefficients are positive numbers, above and below."""
    return all(value > 0 for p in (quotient.above, quotient.below) for value in p.itercoeffs())


def _split_exponent(exponent: Expression) -> tuple[int, Expression]:
    """Split off the integer part, so that it can cancel."""
    if isinstance(exponent, Number):
        whole = math.floor(exponent.value)
        return whole, Number(exponent.value - whole)
    if isinstance(exponent, Apply) and exponent.function == "add":
        last = exponent.arguments[-1]
        if isinstance(last, Number) and last.value.denominator == 1:
            return int(last.value), apply("add", *exponent.arguments[:-1])
    return 0, exponent


def _read_exp(region: Region, node: Apply) -> Quotient:
    return region.exponential(node.arguments[0])


def _read_expm1(region: Region, node: Apply) -> Quotient:
    return region.exponential(node.arguments[0]) + Quotient(constant(-1), RING.one)


def _read_tanh(region: Region, node: Apply) -> Quotient | None:
    argument = node.arguments[0]
    through_logarithm = any(inside_logarithm(term) for _, term in summands(argument))
    if argument not in region.expand_tanh and not through_logarithm:
        tanh = region.opaque(Apply("tanh", (region.stable(argument),)))
        region.tanh_arguments[used(tanh)[0]] = argument
        return Quotient(tanh, RING.one)
    region.touched = True
    square = region.exponential(apply("multiply", number(2), argument))
    minus_one, one = Quotient(constant(-1), RING.one), Quotient(RING.one, RING.one)
    return (square + minus_one).divided(square + one)


def _read_logarithm(region: Region, node: Apply) -> Quotient | None:
    argument = inside_logarithm(node) or node
    inner = region.quotient(argument)
    if tanh_to_expand(region, inner):
        inner = region.quotient(argument)
    result = region.logarithm(region, inner)
    if result is None:
        return None
    region.touched = True
    return Quotient(result, RING.one)


def _read_erf(region: Region, node: Apply) -> Quotient:
    return Quotient(
        region.opaque(Apply("erf", (region.stable(node.arguments[0]),)), "erf"), RING.one
    )


READERS: dict[str, Callable[[Region, Apply], Quotient | None]] = {
    "add": _read_sum,
    "multiply": _read_product,
    "negative": _read_negative,
    "divide": _read_quotient,
    "power": _read_power,
    "sqrt": _read_root,
    "exp": _read_exp,
    "expm1": _read_expm1,
    "tanh": _read_tanh,
    "log": _read_logarithm,
    "log1p": _read_logarithm,
    "erf": _read_erf,
}
READ = frozenset(READERS)
