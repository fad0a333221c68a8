"""Brackets at the wrong place, and derivatives of another norm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from symbackprop.auditing.formulas.edits.editing import (
    ONE,
    TWO,
    Context,
    Edit,
    everywhere,
    is_index,
    negated,
    times,
)
from symbackprop.auditing.formulas.tree import (
    Access,
    Add,
    Apply,
    Negate,
    Node,
    Norm,
    Power,
    Product,
    Quotient,
)


def precedence(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with brackets elsewhere."""

    def regrouped(node: Node) -> Iterator[Node]:
        if isinstance(node, Quotient) and isinstance(node.denominator, Product):
            first, *rest = node.denominator.factors
            yield times(Quotient(node.numerator, first), *rest)
        if isinstance(node, Quotient) and isinstance(node.denominator, Add):
            first, *rest = node.denominator.terms
            yield Add((Quotient(node.numerator, first), *rest))
        if isinstance(node, Quotient) and isinstance(node.numerator, Add):
            *most, last = node.numerator.terms
            yield Add((*most, Quotient(last, node.denominator)))
        if isinstance(node, Product) and isinstance(node.factors[-1], Add):
            first, *rest = node.factors[-1].terms
            yield Add((times(*node.factors[:-1], first), *rest))
        if isinstance(node, Product):
            for k, factor in enumerate(node.factors):
                if isinstance(factor, Quotient) and k < len(node.factors) - 1:
                    below = times(factor.denominator, *node.factors[k + 1 :])
                    yield _joined(node.factors[:k], Quotient(factor.numerator, below))
        if isinstance(node, Add):
            yield from _gathered(node)

    for new in everywhere(right, regrouped):
        yield Edit(new, "brackets are missing or misplaced")


def _joined(before: Sequence[Node], last: Node) -> Node:
    return times(*before, last) if before else last


def _gathered(node: Add) -> Iterator[Node]:
    for k, term in enumerate(node.terms[:-1]):
        after = node.terms[k + 1 :]
        if isinstance(term, Product):
            grouped = Add((term.factors[-1], *after))
            new: Node = times(*term.factors[:-1], grouped)
        elif isinstance(term, Quotient):
            new = Quotient(term.numerator, Add((term.denominator, *after)))
        else:
            continue
        yield Add((*node.terms[:k], new)) if k else new
    last = node.terms[-1]
    inner = last.operand if isinstance(last, Negate) else last
    if isinstance(inner, Quotient):
        top = negated(inner.numerator) if isinstance(last, Negate) else inner.numerator
        yield Quotient(Add((*node.terms[:-1], top)), inner.denominator)
    if isinstance(inner, Product):
        first = negated(inner.factors[0]) if isinstance(last, Negate) else inner.factors[0]
        yield times(Add((*node.terms[:-1], first)), *inner.factors[1:])


def norm(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim for another norm."""

    def other(node: Node) -> Iterator[Node]:
        if isinstance(node, Norm):
            yield Power(node, TWO)
            yield replace(node, order=ONE)
            yield replace(node, order=None)
        if isinstance(node, Apply) and node.function.name == "sign":
            yield node.arguments[0]
        if isinstance(node, Add):
            yield Apply(Access("sign"), (node,))
        if isinstance(node, Access) and not is_index(node, right):
            yield Apply(Access("sign"), (node,))
            yield Norm(node, None, 1)

    for new in everywhere(right, other):
        yield Edit(new, "the derivative is that of another norm")
