"""How factors are grouped that different signs join."""

from __future__ import annotations

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.reading.scan import Options
from symbackprop.auditing.formulas.tree import Node


def product(factors: list[Node], joins: list[str], options: Options) -> Node:
    """Join factors; those between ⊙ are groups of their own unless read from left to right."""
    if len(factors) == 1:
        return factors[0]
    marks = {*joins}
    if tree.HADAMARD not in marks or marks == {tree.HADAMARD}:
        return tree.Product(tuple(factors), tuple(joins))
    if options.hadamard_first:
        made = factors[0]
        for join, factor in zip(joins, factors[1:], strict=True):
            made = tree.Product((made, factor), (join,))
        return made
    groups: list[tuple[list[Node], list[str]]] = [([factors[0]], [])]
    for join, factor in zip(joins, factors[1:], strict=True):
        if join == tree.HADAMARD:
            groups.append(([factor], []))
        else:
            groups[-1][0].append(factor)
            groups[-1][1].append(join)
    parts = [product(*group, options) for group in groups]
    return tree.Product(tuple(parts), (tree.HADAMARD,) * (len(parts) - 1))
