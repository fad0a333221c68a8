"""Functions with several results: an element of ``σ(a)`` is what defines ``σ(z)_i``, read at a."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.auditing.formulas.binding import Paper
from symbackprop.auditing.formulas.reading.marks import changed
from symbackprop.auditing.formulas.tree import ADJACENT, Apply, Element, Node, Product, accesses


def elements_applied(paper: Paper) -> Paper:
    """Return a document in which elements of such functions are functions with an index.

    ``σ_i(1 − σ_j)`` is a product: what is made of its elements is no argument of a function.
    """
    known = {
        (d.name.symbol, len(d.name.indices), len(d.formals))
        for d in paper.definitions
        if d.formals and d.name.indices
    }

    def rule(node: Node) -> Node:
        if isinstance(node, Element) and isinstance(node.base, Apply):
            applied, places = node.base, node.indices
            named = (applied.function.symbol, len(places), len(applied.arguments))
            if not applied.primes and not applied.function.indices and named in known:
                return replace(applied, function=replace(applied.function, indices=places))
        if isinstance(node, Apply) and _multiplies(node):
            return Product((node.function, *node.arguments), (ADJACENT,))
        return node

    found: Paper = changed(paper, rule)
    return found


def _multiplies(node: Apply) -> bool:
    """Whether an element stands before brackets that hold others of the same name."""
    return (
        bool(node.function.indices)
        and len(node.arguments) == 1
        and not node.primes
        and any(a.symbol == node.function.symbol for a in accesses(node.arguments[0]))
    )
