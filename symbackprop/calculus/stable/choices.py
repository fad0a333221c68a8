"""Choices that logarithms and divisors read are taken out: each branch gets a stable form.

log(where(c, p, 1 - p)) = where(c, log(p), log(1 - p))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from symbackprop.scalar import Apply, Expression, apply, walk

_EXPONENTIALS = frozenset({"exp", "expm1", "tanh", "erf"})
# The argument whose digits near 0 decide.
_READ_CLOSELY = {"log": 0, "log1p": 0, "divide": 1}


def chosen_outside(expression: Expression) -> Expression:
    """Return the expression with a condition outside that a logarithm or a divisor reads inside.

    All that the condition decides goes with it; of several conditions the first one does.
    """
    choice = next(_choices(expression), None)
    if choice is None:
        return expression
    condition = choice.arguments[0]
    branches = (_decided(expression, condition, branch) for branch in (1, 2))
    return apply("where", condition, *branches)


def _choices(expression: Expression) -> Iterator[Apply]:
    """Yield choices between exponentials in logarithms and divisors, and those of one product."""
    close = (
        node.arguments[position]
        for node in walk(expression)
        if isinstance(node, Apply) and (position := _READ_CLOSELY.get(node.function)) is not None
    )
    for argument in close:
        for node in walk(argument):
            if _exponential(node):
                yield node
    for node in walk(expression):
        if isinstance(node, Apply) and node.function == "multiply":
            factors = [argument for argument in node.arguments if _exponential(argument)]
            conditions = [factor.arguments[0] for factor in factors]
            yield from (
                f for f, c in zip(factors, conditions, strict=True) if conditions.count(c) > 1
            )


def _exponential(node: Expression) -> TypeGuard[Apply]:
    """Whether it is a choice between exponentials."""
    return (
        isinstance(node, Apply)
        and node.function == "where"
        and any(
            isinstance(inner, Apply) and inner.function in _EXPONENTIALS
            for branch in node.arguments[1:]
            for inner in walk(branch)
        )
    )


def _decided(expression: Expression, condition: Expression, branch: int) -> Expression:
    """Return the expression where every choice by the condition is this branch of it."""
    if not isinstance(expression, Apply):
        return expression
    if expression.function == "where" and expression.arguments[0] == condition:
        return _decided(expression.arguments[branch], condition, branch)
    return apply(
        expression.function, *(_decided(a, condition, branch) for a in expression.arguments)
    )
