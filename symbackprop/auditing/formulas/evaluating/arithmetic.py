"""Numbers, sums, products and powers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from symbackprop.auditing.formulas import numbers as s
from symbackprop.auditing.formulas.evaluating.core import Env, Evaluator
from symbackprop.auditing.formulas.evaluating.sums import reduced
from symbackprop.auditing.formulas.model import NotUnderstoodError
from symbackprop.auditing.formulas.primitives import PRIMITIVES
from symbackprop.auditing.formulas.tree import (
    Add,
    Constant,
    Delta,
    Negate,
    Node,
    Norm,
    Number,
    Power,
    Product,
    Quotient,
)


def literal(run: Evaluator, node: Number, env: Env) -> s.Scalar:
    """Return a number as written."""
    return s.number(node.value)


def constant(run: Evaluator, node: Constant, env: Env) -> s.Scalar:
    """Return a number known by name."""
    if node.name == "e":
        return s.exp(s.ONE)
    if node.name == "pi":
        return s.constant("pi", math.pi)
    raise NotUnderstoodError(node.name)


def addition(run: Evaluator, node: Add, env: Env) -> s.Scalar:
    """Return a sum of terms."""
    return reduced("sum", [run.value(term, env) for term in node.terms])


def negation(run: Evaluator, node: Negate, env: Env) -> s.Scalar:
    """Return minus a term."""
    return s.neg(run.value(node.operand, env))


def product(run: Evaluator, node: Product, env: Env) -> s.Scalar:
    """Return a product of numbers."""
    for factor in node.factors:
        if isinstance(factor, Delta) and run.value(factor, env) is s.ZERO:
            return s.ZERO  # What δ leaves out of a sum need not be read.
    return reduced("product", [run.value(factor, env) for factor in node.factors])


def quotient(run: Evaluator, node: Quotient, env: Env) -> s.Scalar:
    """Return a quotient of numbers."""
    return s.div(run.value(node.numerator, env), run.value(node.denominator, env))


def power(run: Evaluator, node: Power, env: Env) -> s.Scalar:
    """Return a power of a number; of e, the exponential."""
    exponent = run.value(node.exponent, env)
    if node.base == Constant("e"):
        return s.exp(exponent)
    return s.raised(run.value(node.base, env), exponent)


def norm(run: Evaluator, node: Norm, env: Env) -> s.Scalar:
    """Return the norm of one number: whatever its order, its size."""
    return PRIMITIVES["abs"](run.value(node.operand, env))


RULES: Mapping[type[Node], Callable[..., s.Scalar]] = {
    Add: addition,
    Constant: constant,
    Negate: negation,
    Norm: norm,
    Number: literal,
    Power: power,
    Product: product,
    Quotient: quotient,
}
