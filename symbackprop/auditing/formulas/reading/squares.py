"""Squares that are names: σ² of a variance, which has no formula for σ."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from symbackprop.auditing.formulas.binding import Paper
from symbackprop.auditing.formulas.model import Symbol
from symbackprop.auditing.formulas.reading.marks import changed, nodes_of
from symbackprop.auditing.formulas.tree import Access, Derivative, Node, Number, Power, within

ACCENT = "square"


def squares_named(paper: Paper) -> Paper:
    """Return a document in which a square is a quantity of its own.

    It is one where it is defined, or differentiated by, and its root never stands alone.
    """
    wanted = [d.target for d in paper.definitions if _root(d.values[0]) is None]
    squares: Counter[Symbol] = Counter()
    everywhere: Counter[Symbol] = Counter()
    for node in nodes_of((*paper.definitions, *paper.claims)):
        for here in within(node):
            if isinstance(here, Access):
                everywhere[here.symbol] += 1
            elif isinstance(here, Derivative):
                wanted += here.by
            elif (root := _root(here)) is not None:
                squares[root.symbol] += 1
    roots = (_root(node) for node in wanted)
    named = {root.symbol for root in roots if root is not None}
    named = {symbol for symbol in named if squares[symbol] == everywhere[symbol]}
    if not named:
        return paper

    def rule(node: Node) -> Node:
        root = _root(node)
        if root is not None and root.symbol in named:
            return replace(root, accents=(*root.accents, ACCENT))
        return node

    found: Paper = changed(paper, rule)
    return found


def _root(node: Node) -> Access | None:
    """Return what is squared, if it is a name."""
    if not (isinstance(node, Power) and isinstance(node.base, Access)):
        return None
    exponent = node.exponent
    return node.base if isinstance(exponent, Number) and exponent.value == 2 else None
