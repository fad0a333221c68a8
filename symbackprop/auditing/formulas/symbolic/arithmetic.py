"""Sums, products, powers and conditions as normal forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from symbackprop.auditing.formulas.shapes import letter
from symbackprop.auditing.formulas.symbolic.algebra import PI
from symbackprop.auditing.formulas.symbolic.forms import ZERO, Form, Read, UnknownError
from symbackprop.auditing.formulas.symbolic.translating import Place, Translator
from symbackprop.auditing.formulas.tree import (
    Access,
    Add,
    Big,
    Bound,
    Cases,
    Comparison,
    Constant,
    Delta,
    Indicator,
    Negate,
    Node,
    Norm,
    Number,
    Power,
    Product,
    Quotient,
)


def _number(run: Translator, node: Number, place: Place) -> Form:
    return run.algebra.number(node.value)


def _add(run: Translator, node: Add, place: Place) -> Form:
    return run.algebra.total([run.value(term, place) for term in node.terms])


def _negate(run: Translator, node: Negate, place: Place) -> Form:
    return run.algebra.neg(run.value(node.operand, place))


def _delta(run: Translator, node: Delta, place: Place) -> Form:
    return run.algebra.delta(run.letter(node.left, place), run.letter(node.right, place))


def _big(run: Translator, node: Big, place: Place) -> Form:
    if node.kind not in ("sum", "mean") or not node.bounds:
        raise UnknownError(node.kind)
    inner = run.surveyor.scopes.numbers.get((place.scope, id(node)), place.scope)
    letters = {}
    for bound in node.bounds:
        axis = _bound_axis(run, bound, inner)
        letters[bound.index.name] = run.algebra.index(axis)
    total = run.value(node.body, replace(place, letters={**place.letters, **letters}))
    for index in letters.values():
        total = run.algebra.summed(total, index)
        if node.kind == "mean":
            total = run.algebra.div(total, run.algebra.atom(Read(f"extent {index.axis}")))
    return total


def _bound_axis(run: Translator, bound: Bound, inner: int) -> int:
    """Return the axis that a sum runs over: all of it."""
    sizes = run.surveyor.sizes
    root = sizes.root(letter(inner, bound.index.name))
    from_first = bound.lower is None or _is(bound.lower, 1)
    # An axis whose extent is stated is any axis: what holds for all of them holds for it.
    to_last = bound.upper is None or isinstance(bound.upper, Access)
    to_last = to_last or (root in sizes.stated and _is(bound.upper, sizes.stated[root]))
    within = bound.members is not None or bound.condition is not None
    if within or not (from_first and to_last) or root not in run.surveyor.tied:
        raise UnknownError("a sum over a part")
    return run.axis(root)


def _is(node: Node | None, value: int) -> bool:
    return isinstance(node, Number) and node.value == value


def _power(run: Translator, node: Power, place: Place) -> Form:
    exponent = run.value(node.exponent, place)
    if node.base == Constant("e"):
        return run.algebra.exp(exponent)
    return run.algebra.raised(run.value(node.base, place), exponent)


def _constant(run: Translator, node: Constant, place: Place) -> Form:
    if node.name == "e":
        return run.algebra.exp(run.algebra.ONE)
    if node.name == "pi":
        return run.algebra.atom(PI)
    raise UnknownError(node.name)


def _product(run: Translator, node: Product, place: Place) -> Form:
    result = run.algebra.ONE
    for factor in node.factors:
        result = run.algebra.mul(result, run.value(factor, place))
    return result


def _quotient(run: Translator, node: Quotient, place: Place) -> Form:
    below = run.value(node.denominator, place)
    return run.algebra.div(run.value(node.numerator, place), below)


def _norm(run: Translator, node: Norm, place: Place) -> Form:
    return run.primitives["abs"](run.value(node.operand, place))


def _indicator(run: Translator, node: Indicator, place: Place) -> Form:
    return _truth(run, node.condition, place)


def _truth(run: Translator, node: Node | None, place: Place) -> Form:
    """1 where a condition holds, else 0."""
    algebra = run.algebra
    if not isinstance(node, Comparison):
        raise UnknownError("a condition")
    if node.operator in ("=", "!="):
        equal = algebra.delta(run.letter(node.left, place), run.letter(node.right, place))
        return equal if node.operator == "=" else algebra.sub(algebra.ONE, equal)
    left, right = run.value(node.left, place), run.value(node.right, place)
    if node.operator in (">", ">="):
        return algebra.positive(algebra.sub(left, right))
    if node.operator in ("<", "<="):
        return algebra.positive(algebra.sub(right, left))
    raise UnknownError("a condition on a set")


def _cases(run: Translator, node: Cases, place: Place) -> Form:
    algebra, left, result = run.algebra, run.algebra.ONE, ZERO
    last = len(node.branches) - 1
    for k, branch in enumerate(node.branches):
        # The last of several branches is what is left: they say what holds everywhere.
        rest = branch.condition is None or (k == last and k > 0)
        truth = algebra.ONE if rest else _truth(run, branch.condition, place)
        value = run.value(branch.value, place)
        result = algebra.add(result, algebra.mul(algebra.mul(left, truth), value))
        left = algebra.mul(left, algebra.sub(algebra.ONE, truth))
    return result


RULES: Mapping[type[Node], Callable[..., Form]] = {
    Add: _add,
    Big: _big,
    Cases: _cases,
    Constant: _constant,
    Delta: _delta,
    Indicator: _indicator,
    Negate: _negate,
    Norm: _norm,
    Number: _number,
    Power: _power,
    Product: _product,
    Quotient: _quotient,
}
