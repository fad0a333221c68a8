"""Wrong signs, numbers and counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from symbackprop.auditing.formulas.edits.editing import (
    TWO,
    Context,
    Edit,
    everywhere,
    negated,
    put,
    times,
)
from symbackprop.auditing.formulas.model import index_letters
from symbackprop.auditing.formulas.tree import (
    Access,
    Add,
    Apply,
    Big,
    Bound,
    Branch,
    Negate,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    within,
)


def sign(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with its sign turned."""
    yield Edit(negated(right), "the sign is wrong", -1)


def sign_of_part(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with the sign of a term, an argument or a branch turned."""

    def flip(node: Node) -> Iterator[Node]:
        if isinstance(node, Add):
            for k, term in enumerate(node.terms):
                yield replace(node, terms=put(node.terms, k, negated(term)))
        elif isinstance(node, Negate):
            yield node.operand
        elif isinstance(node, Power | Apply):
            yield from _negated_within(node)
        elif isinstance(node, Branch):
            yield replace(node, value=negated(node.value))

    for new in everywhere(right, flip):
        yield Edit(new, "the sign of one term is wrong")


def _negated_within(node: Power | Apply) -> Iterator[Node]:
    if isinstance(node, Power):
        yield replace(node, exponent=negated(node.exponent))
    elif len(node.arguments) == 1:
        yield replace(node, arguments=(negated(node.arguments[0]),))


FACTORS = tuple(Fraction(a, b) for a, b in ((2, 1), (1, 2), (-2, 1), (-1, 2), (4, 1), (1, 4)))


def factor(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim times a small constant."""
    for value in FACTORS:
        detail = f"the constant factor {1 / value} is too much"
        yield Edit(_scaled(value, right), detail, float(1 / value))


def factor_of_part(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with one term times a small constant."""
    for value in FACTORS[:2]:

        def scale(node: Node, value: Fraction = value) -> Iterator[Node]:
            if isinstance(node, Add):
                for k, term in enumerate(node.terms):
                    scaled = _scaled(value, term)
                    yield replace(node, terms=put(node.terms, k, scaled))

        for new in everywhere(right, scale):
            yield Edit(new, f"one term has a factor {1 / value} too much", float(1 / value))


def _scaled(value: Fraction, node: Node) -> Node:
    """A constant times a formula, in the number that it opens with if there is one."""
    if isinstance(node, Negate):
        return Negate(_scaled(value, node.operand))
    if isinstance(node, Product) and isinstance(node.factors[0], Number):
        product = node.factors[0].value * value
        rest = node.factors[1:]
        if product == 1:
            return times(*rest) if len(rest) > 1 else rest[0]
        return replace(node, factors=(Number(product, str(product)), *rest))
    return times(Number(value, str(value)), node)


def constant(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with another number or exponent."""

    def other(node: Node) -> Iterator[Node]:
        if isinstance(node, Number):
            for value in (node.value + 1, node.value - 1, -node.value, 2 * node.value):
                yield Number(value, str(value))

    for new in everywhere(right, other):
        yield Edit(new, "a number is wrong")

    def power(node: Node) -> Iterator[Node]:
        if isinstance(node, Access | Apply | Add):
            yield Power(node, TWO)
        elif isinstance(node, Power):
            yield node.base

    for new in everywhere(right, power):
        yield Edit(new, "an exponent is wrong")


def reduction(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with a sum or a count put in or taken out."""
    for name in _counts(right, context):
        yield Edit(times(name, right), "a mean is claimed where there is a sum")
        yield Edit(Quotient(right, name), "a sum is claimed where there is a mean")

    def bare_sum(node: Node) -> Iterator[Node]:
        if isinstance(node, Big):
            yield node.body

    for new in everywhere(right, bare_sum):
        yield Edit(new, "there is no sum")
    outer = set(index_letters(context.left))
    for letter in dict.fromkeys(index_letters(right)):
        if letter not in outer:
            summed: Node = Big("sum", (Bound(Access(letter)),), right)
            yield Edit(summed, f"the sum over {letter} is missing")
    for big in _sums(context):
        yield Edit(replace(big, body=right), "a sum is missing")
        loose = [n for n in dict.fromkeys(index_letters(right)) if n not in outer]
        for letter in loose:
            bounds = tuple(replace(b, index=Access(letter)) for b in big.bounds[:1])
            summed = replace(big, bounds=bounds, body=right)
            yield Edit(summed, f"the sum over {letter} is missing")


def _sums(context: Context) -> Iterator[Big]:
    for body in context.bodies:
        for node in within(body):
            if isinstance(node, Big) and node.kind == "sum":
                yield node


def _counts(right: Node, context: Context) -> Iterator[Node]:
    seen: set[Node] = set()
    for node in (right, context.left, *context.bodies):
        for here in within(node):
            upper = here.upper if isinstance(here, Bound) else None
            if isinstance(upper, Access) and upper not in seen:
                seen.add(upper)
                yield upper
            below = here.denominator if isinstance(here, Quotient) else None
            if isinstance(below, Access) and below not in seen:
                seen.add(below)
                yield below
