"""Signs and numeric factors of scalar trees."""

from __future__ import annotations

import math
from fractions import Fraction

from symbackprop.scalar import ONE, Apply, Expression, Number, apply, number


def scaled(tree: Expression, factor: Fraction) -> Expression:
    """Return ``factor * tree``, with signs folded."""
    if factor == 1:
        return tree
    lead, rest = _coefficient(tree)
    if rest == ONE:
        return Number(lead * factor)
    if lead * factor == 1:
        return rest
    if lead * factor == -1:
        return _opposite(rest)
    return apply("multiply", Number(lead * factor), rest)


def _coefficient(tree: Expression) -> tuple[Fraction, Expression]:
    """Split off the numeric factor, signs included."""
    if isinstance(tree, Number):
        return tree.value, ONE
    if isinstance(tree, Apply) and tree.function == "negative":
        lead, rest = _coefficient(tree.arguments[0])
        return -lead, rest
    if isinstance(tree, Apply) and tree.function == "multiply":
        parts = [_coefficient(argument) for argument in tree.arguments]
        return math.prod((p for p, _ in parts), start=Fraction(1)), apply(
            "multiply", *(rest for _, rest in parts)
        )
    return Fraction(1), tree


def _opposite(tree: Expression) -> Expression:
    if not (isinstance(tree, Apply) and tree.function == "add"):
        return apply("negative", tree)
    terms = [scaled(term, Fraction(-1)) for term in tree.arguments]
    terms.sort(key=is_negative)
    return apply("add", *terms)


def is_negative(tree: Expression) -> bool:
    """Whether the tree is written with a sign in front."""
    return isinstance(tree, Apply) and tree.function == "negative"


def summands(tree: Expression, factor: Fraction = Fraction(1)) -> list[tuple[Fraction, Expression]]:
    """Split a sum into (coefficient, term), through signs and numeric factors."""
    if isinstance(tree, Apply) and tree.function == "negative":
        return summands(tree.arguments[0], -factor)
    if isinstance(tree, Apply) and tree.function == "add":
        return [pair for term in tree.arguments for pair in summands(term, factor)]
    if isinstance(tree, Apply) and tree.function == "multiply":
        lead = tree.arguments[0]
        if isinstance(lead, Number):
            return summands(apply("multiply", *tree.arguments[1:]), factor * lead.value)
    if isinstance(tree, Apply) and tree.function == "divide":
        above, below = tree.arguments
        if isinstance(below, Number) and below.value:
            return summands(above, factor / below.value)
    return [(factor, tree)]


def inside_logarithm(tree: Expression) -> Expression | None:
    """Return u of log(u), also where that is written log1p(u - 1)."""
    if isinstance(tree, Apply) and tree.function == "log":
        return tree.arguments[0]
    if isinstance(tree, Apply) and tree.function == "log1p":
        return apply("add", number(1), tree.arguments[0])
    return None
