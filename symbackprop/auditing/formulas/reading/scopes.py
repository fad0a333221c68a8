"""How far sums reach that no brackets close, and over what they run.

``Σ_i a_i + b_i`` holds b_i where i is bound.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from symbackprop.auditing.formulas.model import index_letters
from symbackprop.auditing.formulas.tree import Add, Big, Bound, Negate, Node, Product, rewritten


def widened(node: Node, own: Collection[str]) -> Node:
    """Return a formula whose sums take the summands after them that bear their index.

    Args:
        node: The formula.
        own: Letters that have a meaning outside of it, as those of its left side.
    """
    return rewritten(node, lambda here: _wide(here, own) if isinstance(here, Add) else here)


def limited(node: Node, ranges: Sequence[Bound]) -> Node:
    """Return a formula whose sums and maxima without limits have those said beside it."""
    known = {bound.index: bound for bound in ranges}

    def rule(here: Node) -> Node:
        if not isinstance(here, Big):
            return here
        bounds = (known.get(b.index, b) if b == Bound(b.index) else b for b in here.bounds)
        return replace(here, bounds=tuple(bounds))

    return rewritten(node, rule) if known else node


def _wide(node: Add, own: Collection[str]) -> Node:
    terms = list(node.terms)
    for k in reversed(range(len(terms) - 1)):
        big = last_sum(terms[k])
        if big is None:
            continue
        letters = {bound.index.name for bound in big.bounds} - set(own)
        held = [n for n in range(k + 1, len(terms)) if letters & set(index_letters(terms[n]))]
        if held:
            inside = tuple(terms[k + 1 : held[-1] + 1])
            body = big.body.terms if isinstance(big.body, Add) else (big.body,)
            # What of it belongs to a sum within.
            wide = replace(big, body=_wide(Add((*body, *inside)), own))
            terms[k : held[-1] + 1] = [with_last_sum(terms[k], wide)]
    return replace(node, terms=tuple(terms)) if len(terms) > 1 else terms[0]


def last_sum(node: Node) -> Big | None:
    """Return the sum that a summand ends in."""
    while isinstance(node, Negate | Product):
        node = node.operand if isinstance(node, Negate) else node.factors[-1]
    return node if isinstance(node, Big) and node.kind == "sum" and node.bounds else None


def with_last_sum(node: Node, new: Big) -> Node:
    """Return a summand with another sum at its end."""
    if isinstance(node, Negate):
        return replace(node, operand=with_last_sum(node.operand, new))
    if isinstance(node, Product):
        return replace(node, factors=(*node.factors[:-1], with_last_sum(node.factors[-1], new)))
    return new
