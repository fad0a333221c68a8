"""Quotients of polynomials in exponentials, written so that nothing overflows or cancels.

With e, P and Q of ``balance``, a factor of degree d in E, times Q**d, is homogeneous in P
and Q: the same polynomial in e if it is palindromic, and 1 - e with the sign of u if it is
E - 1. With the step H = [u > 0], P is H + (1 - H)*e and max(u, 0) is u*H.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from symbackprop.calculus.stable.balance import (
    balanced,
    decay,
    power_of,
    product,
    without_sign,
)
from symbackprop.calculus.stable.polynomials import (
    RING,
    Factored,
    Polynomial,
    Quotient,
    cancelled,
    coefficients,
    degree,
    expanded,
    factored,
    generator,
    is_monomial,
    rational,
    used,
)
from symbackprop.calculus.stable.region import Base, Region
from symbackprop.calculus.stable.trees import scaled
from symbackprop.scalar import ZERO, Apply, Expression, apply


class Assembly:
    """One quotient in lowest terms, and how each of its bases is written.

    Attributes:
        multiple: by the base's generator, the power of E that it stands for here.
    """

    def __init__(
        self, region: Region, parts: Factored, multiple: Mapping[int, int] | None = None
    ) -> None:
        self.region = region
        self.multiple = dict(multiple or {})
        bases = region.bases_of(*(factor for factor, _ in parts.powers))
        self.unbounded = [base for base in bases if not base.bounded]
        for base in self.unbounded:
            parts = self._deflated(parts, base.position)
        self.coefficient = parts.coefficient
        self.powers = dict(parts.powers)
        self.balanced = [base for base in self.unbounded if self._divides(base)]

    def _divides(self, base: Base) -> bool:
        """Whether a sum with this base's E stands below."""
        return any(
            power < 0 and not is_monomial(factor) and degree(factor, base.position)
            for factor, power in self.powers.items()
        )

    def _deflated(self, parts: Factored, position: int) -> Factored:
        """Take E**g for E where every power of E is a multiple of g."""
        flat = expanded(parts)
        exponents = {m[position] for p in (flat.above, flat.below) for m in p.itermonoms()}
        common = math.gcd(*exponents)
        if common < 2:
            return parts
        self.multiple[position] = common * self.multiple.get(position, 1)
        above, below = (_divided_powers(p, position, common) for p in (flat.above, flat.below))
        return cancelled(Quotient(above, below))

    def exponent(self, base: Base) -> Expression:
        """Return the exponent u of the base, as the quotient needs it."""
        return base.exponent(self.multiple.get(base.position, 1))

    def expression(self) -> Expression:
        """Return the whole quotient."""
        above: list[Expression] = []
        below: list[Expression] = []
        for base in self.balanced:
            self._take_tanh(base, above, below)
        self._distribute_growth()
        balance = {base.position: [0, 0] for base in self.balanced}
        for factor, power in self._ordered():
            self._count(factor, power, balance)
            if not (is_monomial(factor) and used(factor)[0] in balance):
                tree = self.signed(factor, power)
                (above if power > 0 else below).append(power_of(tree, abs(power)))
        for base in self.balanced:
            above.extend(balanced(self.exponent(base), *balance[base.position]))
        return product(self.coefficient, above, below)

    def _ordered(self) -> list[tuple[Polynomial, int]]:
        """Single generators first, in order of appearance, then sums."""
        return sorted(self.powers.items(), key=lambda item: (len(item[0]), used(item[0])))

    def signed(self, factor: Polynomial, power: int) -> Expression:
        """Return the factor's expression, with the sign that makes the product's positive."""
        odd = power % 2 == 1
        turned = odd and power > 0 and self.coefficient < 0
        if turned and not is_monomial(factor) and not is_complement(self.region, factor):
            self.coefficient, factor = -self.coefficient, -factor
        tree, sign = self.factor(factor)
        if odd:
            self.coefficient *= sign
        return tree

    def _count(self, factor: Polynomial, power: int, balance: dict[int, list[int]]) -> None:
        """Count the powers of P and Q that homogenising the factor leaves over."""
        for position, pair in balance.items():
            d = degree(factor, position)
            if is_monomial(factor):
                pair[0] += d * power
            pair[1] -= d * power

    def _take_tanh(self, base: Base, above: list[Expression], below: list[Expression]) -> None:
        """(E - 1)/(E + 1) alone is tanh(u/2)."""
        e = generator(base.position)
        holders = [factor for factor in self.powers if degree(factor, base.position)]
        power = self.powers.get(e - 1, 0)
        if len(holders) == 2 and power and self.powers.get(e + 1) == -power:
            tree = apply("tanh", scaled(self.exponent(base), Fraction(1, 2)))
            (above if power > 0 else below).append(power_of(tree, abs(power)))
            del self.powers[e - 1], self.powers[e + 1]

    def _distribute_growth(self) -> None:
        """Multiply sums out by a power of exp(-u) that would divide them."""
        for base in self.unbounded:
            e = generator(base.position)
            holders = [f for f in self.powers if f not in (e, e - 1) and degree(f, base.position)]
            if base in self.balanced or self.powers.get(e, 0) >= 0 or not holders:
                continue
            inverse = self.region.opaque(apply("exp", scaled(self.exponent(base), Fraction(-1))))
            whole = RING.one
            for factor in holders:
                whole *= factor ** self.powers.pop(factor)
            self.powers[_laurent(whole, base.position, -self.powers.pop(e), inverse)] = 1

    def factor(self, factor: Polynomial) -> tuple[Expression, int]:
        """Return the factor's homogeneous form, and the sign taken out of it."""
        inside = [base for base in self.balanced if degree(factor, base.position)]
        if not inside:
            return without_sign(self._expm1(factor) or self.sum(factor))
        if len(inside) == 1:
            special = self._symmetric(inside[0], factor)
            if special is not None:
                return special, 1
            stepped = self._stepped(inside[0], factor)
            if stepped is not None:
                return stepped
        return without_sign(self._homogeneous(inside, factor))

    def _expm1(self, factor: Polynomial) -> Expression | None:
        if not is_complement(self.region, factor):
            return None
        return apply("expm1", self.exponent(self.region.bases_of(factor)[0]))

    def _symmetric(self, base: Base, factor: Polynomial) -> Expression | None:
        """A palindromic factor needs e alone; E - 1 is 1 - e with the sign of u."""
        parts = coefficients(factor, base.position)
        u = self.exponent(base)
        if parts == parts[::-1]:
            e = decay(u)
            terms = [
                self.times(part, [power_of(e, k)] if k else [])
                for k, part in enumerate(parts)
                if part
            ]
            return apply("add", *terms)
        if factor == generator(base.position) - 1:
            return apply("copysign", apply("expm1", apply("negative", apply("abs", u))), u)
        return None

    def _stepped(self, base: Base, factor: Polynomial) -> tuple[Expression, int] | None:
        """Write (m + c)*P + m*Q as (c*H + m) + ((m + c) - c*H)*e, in fewer operations.

        c*H + m is one of the two coefficients. Where H is 1, what (m + c) - c rounds off is
        small against m + c, to which it is added.
        """
        parts = coefficients(factor, base.position)
        if len(parts) != 2:
            return None
        u = self.exponent(base)
        for (m, other), side in ((parts, "greater"), (parts[::-1], "less")):
            if _is_step(m, other - m):
                jump, near, sign = self._step(m, other - m, apply(side, u, ZERO))
                far = apply("add", self.times(sign * other, []), apply("negative", jump))
                return apply("add", near, apply("multiply", far, decay(u))), sign
        return None

    def _step(
        self, m: Polynomial, c: Polynomial, step: Expression
    ) -> tuple[Expression, Expression, int]:
        """Return c*H and c*H + m with the sign that makes c positive, and that sign."""
        sign = 1 if c.LC > 0 else -1
        jump = product(sign * rational(c.LC), [step], [])
        return jump, apply("add", jump, self.times(sign * m, [])), sign

    def _homogeneous(self, inside: list[Base], factor: Polynomial) -> Expression:
        positions = [base.position for base in inside]
        degrees = [degree(factor, position) for position in positions]
        terms: list[Expression] = []
        for exponents, part in by_exponents(factor, positions):
            trees: list[Expression] = []
            for base, k, d in zip(inside, exponents, degrees, strict=True):
                trees.extend(balanced(self.exponent(base), k, d - k))
            terms.append(self.times(part, trees))
        return apply("add", *terms)

    def times(self, coefficient: Polynomial, trees: list[Expression]) -> Expression:
        """Return the coefficient's expression times the trees, signs outside."""
        if is_monomial(coefficient):
            lead, above, below = self._monomial(coefficient)
            return product(lead, above + trees, below)
        parts = factored(coefficient)
        if len(parts.powers) == 1:
            tree, sign = without_sign(self.sum(coefficient))
            return product(Fraction(sign), [tree, *trees], [])
        inner = Assembly(self.region, parts, self.multiple).expression()
        if isinstance(inner, Apply) and inner.function == "negative":
            return apply("negative", apply("multiply", inner.arguments[0], *trees))
        return apply("multiply", inner, *trees)

    def _monomial(
        self, monomial: Polynomial
    ) -> tuple[Fraction, list[Expression], list[Expression]]:
        above: list[Expression] = []
        below: list[Expression] = []
        for position, power in enumerate(monomial.leading_expv()):
            if power:
                kind, tree = self.region.trees[position]
                base = self.region.base_at(position)
                if base is not None:
                    tree = apply("exp", self.exponent(base))
                (below if kind == "inverse" else above).append(power_of(tree, int(power)))
        return rational(monomial.LC), above, below

    def sum(self, polynomial: Polynomial) -> Expression:
        """Return a polynomial without balanced bases: plain terms, hinges, then logarithms."""
        rest, logarithms = polynomial, []
        for position in used(polynomial):
            kind, tree = self.region.trees[position]
            if kind == "log" and degree(rest, position) == 1:
                rest, part = coefficients(rest, position)
                logarithms.append(self.times(part, [tree]))
        hinges: list[Expression] = []
        for position, (line, u) in self.region.hinges.items():
            if degree(rest, position) == 1:
                rest, hinge = self._hinge(rest, position, line, u)
                hinges.extend(hinge)
        plain = [self.times(term, []) for term in _terms(rest)]
        return apply("add", *plain, *hinges, *logarithms)

    def _hinge(
        self, polynomial: Polynomial, position: int, line: Polynomial, u: Expression
    ) -> tuple[Polynomial, list[Expression]]:
        """Write A*max(u, 0) + C*u with as few terms as can be: |u| and min(u, 0) are two.

        u*(A*H + C) shares its sum with the derivative.
        """
        rest, slope = coefficients(polynomial, position)
        rest, linear = _divided(rest, line)
        maximum = self.region.trees[position][1]
        if linear and slope + linear == 0:
            return rest, [self.times(linear, [apply("minimum", u, ZERO)])]
        if linear and slope + 2 * linear == 0:
            return rest, [self.times(-linear, [apply("abs", u)])]
        if linear and len(slope + linear) < len(slope):
            low = self.times(linear, [apply("minimum", u, ZERO)])
            return rest, [self.times(slope + linear, [maximum]), low]
        for m, c, side in ((linear, slope, "greater"), (slope + linear, -slope, "less")):
            if _is_step(m, c) and not set(used(m)) & set(used(line)):
                _, height, sign = self._step(m, c, apply(side, u, ZERO))
                return rest, [product(Fraction(sign), [u, height], [])]
        low_terms = [self.times(linear, [u])] if linear else []
        return rest, [self.times(slope, [maximum]), *low_terms]


def written(region: Region, quotient: Quotient) -> Expression:
    """Return the quotient, in lowest terms, as an expression."""
    return Assembly(region, cancelled(quotient)).expression()


def is_complement(region: Region, factor: Polynomial) -> bool:
    """Whether the factor is E - 1 for some base."""
    bases = region.bases_of(factor)
    return len(bases) == 1 and bool(factor == generator(bases[0].position) - 1)


def is_mixed(region: Region, parts: Factored) -> bool:
    """Whether one sum holds several exponentials, none of them bounded by the others.

    P and Q of each may then underflow together, so such a sum has no stable form here.
    """
    return any(
        len([base for base in region.bases_of(factor) if not base.bounded]) > 1
        for factor, _ in parts.powers
        if not is_monomial(factor)
    )


def _is_step(m: Polynomial, c: Polynomial) -> bool:
    """Whether m is a product, c a number, and m + c no better known as a product."""
    return (
        len(m) == len(c) == 1 and bool(used(m)) and not used(c) and len(factored(m + c).powers) == 1
    )


def _divided_powers(polynomial: Polynomial, position: int, divisor: int) -> Polynomial:
    shrunk = {
        tuple(p // divisor if k == position else p for k, p in enumerate(monomial)): value
        for monomial, value in polynomial.iterterms()
    }
    return RING.from_dict(shrunk)


def _laurent(whole: Polynomial, position: int, power: int, inverse: Polynomial) -> Polynomial:
    """Return whole / E**power, negative powers of E written by its inverse."""
    e, result = generator(position), RING.zero
    for k, part in enumerate(coefficients(whole, position)):
        net = k - power
        result += part * (e**net if net >= 0 else inverse**-net)
    return result


def by_exponents(
    polynomial: Polynomial, positions: list[int]
) -> list[tuple[tuple[int, ...], Polynomial]]:
    """Group the terms by their exponents of some generators, highest first."""
    groups: dict[tuple[int, ...], Polynomial] = {}
    for monomial, value in polynomial.iterterms():
        exponents = tuple(int(monomial[position]) for position in positions)
        rest = tuple(0 if k in positions else power for k, power in enumerate(monomial))
        groups[exponents] = groups.get(exponents, RING.zero) + RING.from_dict({rest: value})
    return sorted(groups.items(), reverse=True)


def _terms(polynomial: Polynomial) -> list[Polynomial]:
    """Return the terms in order of appearance; a positive constant first, a negative one last."""
    constant_term = RING.from_dict({m: c for m, c in polynomial.iterterms() if not any(m)})
    terms = [
        RING.from_dict({monomial: value}) for monomial, value in polynomial.terms() if any(monomial)
    ]
    if not constant_term:
        return terms
    return [constant_term, *terms] if constant_term.LC > 0 else [*terms, constant_term]


def _divided(polynomial: Polynomial, monomial: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Split into the terms that the monomial does not divide, and the quotient of the others."""
    rest, quotient = RING.zero, RING.zero
    lead = monomial.leading_expv()
    for exponents, value in polynomial.iterterms():
        if all(p >= q for p, q in zip(exponents, lead, strict=True)):
            lower = tuple(p - q for p, q in zip(exponents, lead, strict=True))
            quotient += RING.from_dict({lower: value / monomial.LC})
        else:
            rest += RING.from_dict({exponents: value})
    return rest, quotient
