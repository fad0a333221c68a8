"""The bounded pieces of an exponential, and products with their sign outside.

With e = exp(-|u|), P = exp(min(u, 0)) and Q = exp(-max(u, 0)), exp(u) is P/Q, PQ is e and
P + Q is 1 + e. One of P and Q is 1 and the other e, whichever sign u has.
"""

from __future__ import annotations

from fractions import Fraction

from symbackprop.calculus.stable.trees import is_negative, scaled
from symbackprop.scalar import ONE, ZERO, Apply, Expression, Number, apply, number


def balanced(u: Expression, p: int, q: int) -> list[Expression]:
    """Return P**p * Q**q as factors, with PQ = e."""
    if p * q < 0:
        alike = min(abs(p), abs(q)) * (1 if p > 0 else -1)
        return [apply("exp", scaled(u, Fraction(alike))), *balanced(u, p - alike, q + alike)]
    if p < 0 or q < 0:
        return _growth(u, p, q)
    both = min(p, q)
    trees = [power_of(decay(u), both)] if both else []
    if p > both:
        trees.append(power_of(_lower(u), p - both))
    if q > both:
        trees.append(power_of(_upper(u), q - both))
    return trees


def decay(u: Expression) -> Expression:
    """Return e = exp(-|u|)."""
    return apply("exp", apply("negative", apply("abs", u)))


def _lower(u: Expression) -> Expression:
    """Return P = exp(min(u, 0)), without a second exponential."""
    return apply("maximum", decay(u), apply("copysign", ONE, u))


def _upper(u: Expression) -> Expression:
    """Return Q = exp(-max(u, 0)), without a second exponential."""
    return apply("maximum", decay(u), apply("negative", apply("copysign", ONE, u)))


def _growth(u: Expression, p: int, q: int) -> list[Expression]:
    """Return P**p * Q**q where the value itself grows without bound."""
    trees: list[Expression] = []
    if p:
        trees.append(apply("exp", scaled(apply("minimum", u, ZERO), Fraction(p))))
    if q:
        trees.append(apply("exp", scaled(apply("maximum", u, ZERO), Fraction(-q))))
    return trees


def power_of(tree: Expression, power: int) -> Expression:
    """Return tree**power."""
    return apply("power", tree, number(power))


def without_sign(tree: Expression) -> tuple[Expression, int]:
    """Return the tree without the sign in front, and that sign."""
    if isinstance(tree, Apply) and tree.function == "negative":
        return tree.arguments[0], -1
    if isinstance(tree, Apply) and tree.function == "add" and all(map(is_negative, tree.arguments)):
        return apply("add", *(scaled(term, Fraction(-1)) for term in tree.arguments)), -1
    return tree, 1


def product(coefficient: Fraction, above: list[Expression], below: list[Expression]) -> Expression:
    """Return coefficient * above / below, its sign outside."""
    size = abs(coefficient)
    if not above or (size.denominator == 1 and size != 1):
        top = apply("multiply", number(size.numerator), *above)
        size = Fraction(1, size.denominator)
    else:
        top = apply("multiply", *above)
    if size != 1:
        if size.numerator == 1 and (below or not above):
            below = [number(size.denominator), *below]
        else:
            top = apply("multiply", Number(size), top)
    result = apply("divide", top, apply("multiply", *below)) if below else top
    return apply("negative", result) if coefficient < 0 else result
