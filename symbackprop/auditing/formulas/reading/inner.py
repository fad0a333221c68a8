"""Inner products by elements: ``θᵀx`` is Σ θ_k x_k too where the document has elements θ_j."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from symbackprop.auditing.formulas.binding import Claim, Definition, Paper, Reading
from symbackprop.auditing.formulas.model import Symbol
from symbackprop.auditing.formulas.reading.marks import Rule, nodes_of
from symbackprop.auditing.formulas.tree import (
    ADJACENT,
    DOT,
    Access,
    Big,
    Bound,
    Node,
    Product,
    Transpose,
    accesses,
    rewritten,
)

_LETTERS = "krsquvp"
_CHOICE = "inner products by elements"


def with_elements(paper: Paper) -> Paper:
    """Return a document whose inner products may also be read as sums over elements."""
    found = list(_accesses(paper))
    counts: dict[Symbol, set[int]] = {}
    for access in found:
        counts.setdefault(access.symbol, set()).add(len(access.indices))
    vectors = {symbol for symbol, numbers in counts.items() if numbers == {0, 1}}
    names = {access.name for access in found}
    letter = next((letter for letter in _LETTERS if letter not in names), None)
    if not vectors or letter is None:
        return paper
    rule = _summed(vectors, Access(letter))
    return replace(
        paper,
        definitions=tuple(_defined(definition, rule) for definition in paper.definitions),
        claims=tuple(_claimed(claim, rule) for claim in paper.claims),
    )


def _accesses(paper: Paper) -> Iterable[Access]:
    return (a for node in nodes_of((*paper.definitions, *paper.claims)) for a in accesses(node))


def _defined(definition: Definition, rule: Rule) -> Definition:
    """Give a definition its sum as another right side, where it has but one."""
    if len(definition.values) > 1:
        return definition
    other = rewritten(definition.values[0], rule)
    if other == definition.values[0]:
        return definition
    return replace(definition, values=(*definition.values, other))


def _claimed(claim: Claim, rule: Rule) -> Claim:
    found = [
        Reading(rewritten(r.left, rule), rewritten(r.right, rule), r.choice or _CHOICE)
        for r in claim.readings
    ]
    known = [(r.left, r.right) for r in claim.readings]
    new = tuple(r for r in found if (r.left, r.right) not in known)
    return replace(claim, readings=(*claim.readings, *new))


def _summed(vectors: set[Symbol], index: Access) -> Rule:
    """Return the rule that turns an inner product with one of these names into a sum."""

    def rule(node: Node) -> Node:
        if not isinstance(node, Product):
            return node
        factors, joins = [node.factors[0]], []
        for join, factor in zip(node.joins, node.factors[1:], strict=True):
            made = _sum(factors[-1], factor, join)
            if made is None:
                factors.append(factor)
                joins.append(join)
            else:
                factors[-1] = made
        if len(factors) == 1:
            return factors[0]
        return replace(node, factors=tuple(factors), joins=tuple(joins))

    def _sum(left: Node, right: Node, join: str) -> Node | None:
        turned = isinstance(left, Transpose) and join in (ADJACENT, DOT)
        name = left.operand if isinstance(left, Transpose) else left
        if not (turned or join == DOT):
            return None
        if not (isinstance(name, Access) and isinstance(right, Access)):
            return None
        if name.symbol not in vectors or name.indices:
            return None
        if join == DOT and not turned and right.symbol not in vectors:
            return None
        elements = tuple(replace(a, indices=(*a.indices, index), style="") for a in (name, right))
        return Big("sum", (Bound(index),), Product(elements, (ADJACENT,)))

    return rule
