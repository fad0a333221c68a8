"""Exponentials inside functions that have reached their limit long before they overflow.

exp(-c exp(u)), tanh(c exp(u)) and erf(c exp(u)) are at their limit in every precision from u = 20
on, for c of a thousandth or more. There u may stand still: inside, and in whatever such an
exp(-c exp(u)) multiplies.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from symbackprop.calculus.stable.signs import sign
from symbackprop.calculus.stable.trees import scaled, summands
from symbackprop.scalar import Apply, Expression, Number, apply, number, walk

_LIMIT = 20
_MOST = 4  # times as fast an exponential does not overflow in single precision
_LEAST = Fraction(1, 1000)
_EXPONENTIALS = frozenset({"exp", "expm1"})
_TWO_SIDED = frozenset({"tanh", "erf"})


def saturated(expression: Expression, nonpositive: frozenset[Expression]) -> Expression:
    """Return the expression with exponents held where what they stand in is at its limit.

    Args:
        expression: a scalar expression.
        nonpositive: expressions known to be never positive, which need no limit.
    """
    if not any(_is_tower(node) for node in walk(expression)):
        return expression
    return _saturated(expression, nonpositive)


def _is_tower(node: Expression) -> bool:
    if not isinstance(node, Apply) or node.function not in _EXPONENTIALS | _TWO_SIDED:
        return False
    return any(
        isinstance(n, Apply) and n.function in _EXPONENTIALS for n in walk(node.arguments[0])
    )


def _saturated(node: Expression, nonpositive: frozenset[Expression]) -> Expression:
    if not isinstance(node, Apply):
        return node
    if node.function == "divide":
        node = _without_growing_divisors(node, nonpositive)
    exponents = _exponents(node, nonpositive)
    if node.function == "multiply":
        exponents = {u for factor in node.arguments for u in _vanishing(factor, nonpositive)}
    inner = (_saturated(_held(argument, exponents), nonpositive) for argument in node.arguments)
    return apply(node.function, *inner)


def _exponents(node: Expression, nonpositive: frozenset[Expression]) -> set[Expression]:
    """Return every u for which the node is at its limit where exp(u) is large."""
    if not isinstance(node, Apply) or node.function not in _EXPONENTIALS | _TWO_SIDED:
        return set()
    return {
        term.arguments[0]
        for coefficient, term in summands(node.arguments[0])
        if isinstance(term, Apply)
        and term.function in _EXPONENTIALS
        and (abs(coefficient) if node.function in _TWO_SIDED else -coefficient) >= _LEAST
        and sign(term.arguments[0], nonpositive) >= 0
        and not _is_held(term.arguments[0])
    }


def _vanishing(factor: Expression, nonpositive: frozenset[Expression]) -> set[Expression]:
    """Return every u for which the factor is 0 where exp(u) is large."""
    if isinstance(factor, Apply) and factor.function == "divide":
        return _vanishing(factor.arguments[0], nonpositive)
    if isinstance(factor, Apply) and factor.function == "multiply":
        return {u for each in factor.arguments for u in _vanishing(each, nonpositive)}
    is_exp = isinstance(factor, Apply) and factor.function == "exp"
    return _exponents(factor, nonpositive) if is_exp else set()


def _without_growing_divisors(node: Apply, nonpositive: frozenset[Expression]) -> Apply:
    """Multiply by exp(-t) instead of dividing by exp(t), where that vanishes."""
    above, below = node.arguments
    factors = [below]
    if isinstance(below, Apply) and below.function == "multiply":
        factors = list(below.arguments)
    inverse = {
        factor: apply("exp", scaled(factor.arguments[0], Fraction(-1)))
        for factor in factors
        if isinstance(factor, Apply) and factor.function == "exp"
    }
    turned = {f: g for f, g in inverse.items() if _exponents(g, nonpositive)}
    if not turned:
        return node
    rest = apply("multiply", *(factor for factor in factors if factor not in turned))
    result = apply("divide", apply("multiply", above, *turned.values()), rest)
    return result if isinstance(result, Apply) else node


def _held(tree: Expression, exponents: Collection[Expression]) -> Expression:
    """Return the tree with exponents that are multiples of the given ones kept from growing."""
    if not exponents or not isinstance(tree, Apply):
        return tree
    if tree.function in _EXPONENTIALS and not _is_held(tree.arguments[0]):
        argument = tree.arguments[0]
        ratios = [ratio for u in exponents if 0 < (ratio := _ratio(argument, u)) <= _MOST]
        if ratios:
            limit = number(_LIMIT * max(Fraction(1), *ratios))
            return apply(tree.function, apply("minimum", argument, limit))
    return apply(tree.function, *(_held(argument, exponents) for argument in tree.arguments))


def _is_held(exponent: Expression) -> bool:
    return (
        isinstance(exponent, Apply)
        and exponent.function == "minimum"
        and isinstance(exponent.arguments[1], Number)
    )


def _ratio(tree: Expression, unit: Expression) -> Fraction:
    """Return what the tree is a multiple of the unit by, or 0."""
    if tree == unit:
        return Fraction(1)
    (lead, rest), *others = summands(tree)
    (factor, same), *further = summands(unit)
    return lead / factor if rest == same and not others and not further else Fraction(0)
