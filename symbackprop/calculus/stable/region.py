"""Scalar expressions read as quotients of polynomials in exponentials.

A region is what arithmetic, exponentials and hyperbolic tangents reach from the top of
an expression. Everything else in it, and every slot, is an opaque generator:

    tree      a slot, a name, or the stable form of what stands below
    base      E = exp(u), one for all commensurable exponents
    hinge     max(u, 0), for the logarithm of a polynomial in E
    inverse   1/c for a constant c, so that constants need no common denominator
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from symbackprop.calculus.stable.polynomials import (
    GENERATORS,
    RING,
    Polynomial,
    Quotient,
    cancelled,
    constant,
    degree,
    expanded,
    generator,
    rational,
    used,
)
from symbackprop.calculus.stable.signs import sign
from symbackprop.calculus.stable.trees import inside_logarithm, scaled, summands
from symbackprop.scalar import Apply, Expression, Number, apply, number, slots

ARITHMETIC = frozenset({"add", "multiply", "negative", "divide"})
_LARGEST_POWER = 16  # powers beyond, and exponents of E beyond, stay opaque


Reader = Callable[["Region", Apply], "Quotient | None"]


class TooManyGeneratorsError(Exception):
    """The region has more different parts than the ring has generators."""


@dataclass
class Base:
    """``E = exp(unit * u)``, where ``tree`` is the stable form of ``scale * u``.

    Attributes:
        position: the generator E.
        bounded: the exponent is never positive, so E needs no care.
        largest: the largest exponent met, as a multiple of u.
    """

    position: int
    tree: Expression
    scale: Fraction
    unit: Fraction
    bounded: bool
    largest: Fraction

    def exponent(self, power: int = 1) -> Expression:
        """Return the expression ``power * unit * u``."""
        return scaled(self.tree, power * self.unit / self.scale)


Key = tuple[Polynomial, Polynomial, Fraction]


class Region:
    """The generators of one region, and the reading of trees over them.

    Attributes:
        stable: gives the stable form of an expression of its own.
        rebuilt: gives a node with the stable forms of its arguments.
        rescaled: a base has another unit than before, so that what was read must be read again.
        touched: a rule has applied; otherwise the expression is to stay as it was written.
        logarithms: by generators that stand for logarithms of positive sums, the sums.
        expand_tanh: the arguments of tanh that are to be written by exponentials.
    """

    def __init__(
        self,
        stable: Callable[[Expression], Expression],
        rebuilt: Callable[[Expression], Expression],
        readers: Mapping[str, Reader],
        logarithm: Callable[[Region, Quotient], Polynomial | None],
        nonpositive: frozenset[Expression],
    ) -> None:
        self.stable = stable
        self.rebuilt = rebuilt
        self.readers = readers
        self.logarithm = logarithm
        self.nonpositive = nonpositive
        self.trees: list[tuple[str, Expression]] = []
        self.bases: dict[Key, Base] = {}
        self.hinges: dict[int, tuple[Polynomial, Expression]] = {}
        self.logarithms: dict[int, Polynomial] = {}
        self.tanh_arguments: dict[int, Expression] = {}
        self.expand_tanh: set[Expression] = set()
        self.touched = False
        self.rescaled = False

    def read(self, expression: Expression) -> Quotient:
        """Return the expression as a quotient, all commensurable exponents over one base."""
        while True:
            self.rescaled = self.touched = False
            quotient = self.quotient(expression)
            if not self.rescaled:
                return quotient

    def opaque(self, tree: Expression, kind: str = "tree") -> Polynomial:
        """Return the generator that stands for the tree."""
        entry = (kind, tree)
        if entry not in self.trees:
            if len(self.trees) == GENERATORS:
                raise TooManyGeneratorsError
            self.trees.append(entry)
        return generator(self.trees.index(entry))

    def base_at(self, position: int) -> Base | None:
        """Return the base whose E is the generator of that number."""
        return next((base for base in self.bases.values() if base.position == position), None)

    def bases_of(self, *polynomials: Polynomial) -> list[Base]:
        """Return the bases that occur in the polynomials."""
        found = (self.base_at(position) for position in used(*polynomials))
        return [base for base in found if base is not None]

    def quotient(self, node: Expression) -> Quotient:
        """Return the node as a quotient of polynomials over the generators."""
        if isinstance(node, Number):
            return Quotient(constant(node.value), RING.one)
        reader = self.readers.get(node.function) if isinstance(node, Apply) else None
        result = reader(self, node) if reader is not None and isinstance(node, Apply) else None
        return result or Quotient(self.opaque(self.rebuilt(node)), RING.one)

    def exponential(self, argument: Expression) -> Quotient:
        """Return exp(argument); multiples of logarithms in the argument become powers."""
        result, rest = Quotient(RING.one, RING.one), []
        for coefficient, term in summands(argument):
            inner = inside_logarithm(term)
            if inner is not None and coefficient.denominator == 1:
                result = result * self.quotient(inner) ** int(coefficient)
            else:
                rest.append(scaled(term, coefficient))
        if rest and len(rest) == len(summands(argument)):
            return self._power_of_base(argument)
        return result * self._power_of_base(apply("add", *rest)) if rest else result

    def _power_of_base(self, argument: Expression) -> Quotient:
        if not slots(argument):
            if argument == number(0):
                return Quotient(RING.one, RING.one)
            return Quotient(self.opaque(apply("exp", argument)), RING.one)
        parts = cancelled(self.quotient(argument))
        flat = expanded(parts)
        ratio = rational(flat.above.LC) / rational(flat.below.LC)
        base = self._base((flat.above.monic(), flat.below.monic()), ratio, argument)
        exponent = int(ratio / base.unit)
        return Quotient(generator(base.position), RING.one) ** exponent

    def _base(
        self, direction: tuple[Polynomial, Polynomial], ratio: Fraction, argument: Expression
    ) -> Base:
        known = self.bases.get((*direction, Fraction(0)))
        if known is None:
            return self._new_base((*direction, Fraction(0)), ratio, argument)
        unit = _common(known.unit, ratio)
        largest = max(known.largest, abs(ratio))
        if largest / abs(unit) > _LARGEST_POWER:
            key = (*direction, ratio)
            return self.bases.get(key) or self._new_base(key, ratio, argument)
        self.rescaled |= unit != known.unit
        known.unit, known.largest = unit, largest
        return known

    def _new_base(self, key: Key, ratio: Fraction, argument: Expression) -> Base:
        direction = sign(argument, self.nonpositive)
        unit = abs(ratio) if direction == 0 else -direction * ratio
        position = len(self.trees)
        self.opaque(argument, f"base {position}")
        tree = self.stable(argument)
        self.bases[key] = Base(position, tree, ratio, unit, direction != 0, abs(ratio))
        return self.bases[key]

    def take_out(self, quotient: Quotient) -> Quotient:
        """Cancel constants that stand both as themselves and as inverses; u * sign u is |u|."""
        above = quotient.above
        for position, (kind, tree) in enumerate(self.trees):
            if kind == "inverse" and ("tree", tree) in self.trees:
                above = _reduced(above, position, self.trees.index(("tree", tree)), RING.one)
            if isinstance(tree, Apply) and tree.function == "sign":
                above = self._without_sign(above, position, tree.arguments[0])
        return Quotient(above, quotient.below)

    def _without_sign(self, above: Polynomial, position: int, u: Expression) -> Polynomial:
        if ("tree", u) not in self.trees or not degree(above, position):
            return above
        absolute = self.opaque(apply("abs", u))
        reduced = _reduced(above, position, self.trees.index(("tree", u)), absolute)
        self.touched |= reduced != above
        return reduced


def _reduced(polynomial: Polynomial, first: int, second: int, product: Polynomial) -> Polynomial:
    """Write ``product`` for first * second."""
    result = RING.zero
    for monomial, value in polynomial.iterterms():
        both = min(monomial[first], monomial[second])
        rest = [p - both if k in (first, second) else p for k, p in enumerate(monomial)]
        result += RING.from_dict({tuple(rest): value}) * product**both
    return result


def _common(unit: Fraction, ratio: Fraction) -> Fraction:
    """Return the largest number of unit's sign that divides both."""
    top = math.gcd(unit.numerator * ratio.denominator, ratio.numerator * unit.denominator)
    size = Fraction(top, unit.denominator * ratio.denominator)
    return size if unit > 0 else -size
