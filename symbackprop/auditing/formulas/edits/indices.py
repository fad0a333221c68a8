"""Wrong layers, transposes and subscripts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from symbackprop.auditing.formulas.edits.editing import (
    ONE,
    Context,
    Edit,
    everywhere,
    index_names,
    negated,
    put,
    times,
)
from symbackprop.auditing.formulas.model import index_letters
from symbackprop.auditing.formulas.nodes import walk
from symbackprop.auditing.formulas.tree import (
    Access,
    Add,
    Big,
    Delta,
    Derivative,
    Label,
    Negate,
    Node,
    Number,
    Product,
    Transpose,
    accesses,
    replaced,
    within,
)


def layer_index(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with one layer shifted."""
    for path, node in walk(right):
        if not isinstance(node, Access):
            continue
        for k, label in enumerate(node.labels):
            for step in (-1, 1):
                new = replace(label, shift=label.shift + step)
                labels: tuple[Label, ...] = (*node.labels[:k], new, *node.labels[k + 1 :])
                edited = replaced(right, path, replace(node, labels=labels))
                yield Edit(edited, f"the layer of {node.name} is wrong")


def transpose(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with factors turned or in another order."""

    def turned(node: Node) -> Iterator[Node]:
        if isinstance(node, Transpose):
            yield node.operand
        elif isinstance(node, Access | Derivative):
            yield Transpose(node)
        elif isinstance(node, Product):
            yield from _reordered(node)
        if isinstance(node, Access) and len(node.indices) == 2:
            yield replace(node, indices=node.indices[::-1])

    for new in everywhere(right, turned):
        yield Edit(new, "a transpose or the order of a product is wrong")


def _reordered(node: Product) -> Iterator[Node]:
    """Orders of a product, with the transpose on either or neither factor."""
    if len(node.factors) != 2:
        if len(node.factors) == 3:
            for order in itertools.permutations(node.factors):
                yield replace(node, factors=order)
        return
    a, b = (f.operand if isinstance(f, Transpose) else f for f in node.factors)
    for first, second in ((a, b), (b, a)):
        for x in (first, Transpose(first)):
            for y in (second, Transpose(second)):
                yield replace(node, factors=(x, y))


def subscript(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with another letter in an index place."""
    bound = [b.index.name for node in within(right) if isinstance(node, Big) for b in node.bounds]
    named = (*index_names(context.left), *index_names(right), *bound, *index_letters(right))
    letters = list(dict.fromkeys(named))
    for path, node in walk(right):
        if not isinstance(node, Access):
            continue
        for k, index in enumerate(node.indices):
            for letter in letters:
                if isinstance(index, Access) and index.name == letter:
                    continue
                indices = put(node.indices, k, Access(letter))
                edited = replaced(right, path, replace(node, indices=indices))
                yield Edit(edited, f"a subscript of {node.name} is wrong")
            for indices in _turned(node.indices, k):
                edited = replaced(right, path, replace(node, indices=indices))
                yield Edit(edited, f"a subscript of {node.name} is wrong")
            for step in (1, -1):
                shifted = Add((index, ONE if step > 0 else Negate(ONE)))
                indices = put(node.indices, k, shifted)
                edited = replaced(right, path, replace(node, indices=indices))
                yield Edit(edited, f"a subscript of {node.name} is off by one")


def as_elsewhere(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with all subscripts of a name as they stand in its definitions."""
    known = [access for body in context.bodies for access in accesses(body) if access.indices]
    for path, node in walk(right):
        for other in known if isinstance(node, Access) else ():
            assert isinstance(node, Access)
            alike = other.symbol == node.symbol and len(other.indices) == len(node.indices)
            if alike and other.indices != node.indices:
                edited = replaced(right, path, replace(node, indices=other.indices))
                yield Edit(edited, f"the subscripts of {node.name} are wrong")


def _turned(indices: tuple[Node, ...], k: int) -> Iterator[tuple[Node, ...]]:
    """Sums in an index place with the sign of a term turned."""
    index = indices[k]
    if isinstance(index, Add):
        for place, term in enumerate(index.terms):
            yield put(indices, k, Add(put(index.terms, place, negated(term))))


def diagonal_only(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim that holds for equal indices only."""
    letters = list(dict.fromkeys(index_names(context.left)))
    for a, b in itertools.combinations(letters, 2):
        delta = Delta(Access(a), Access(b))
        yield Edit(times(delta, right), f"holds for {a} = {b} only")

        def ones(node: Node, delta: Node = delta) -> Iterator[Node]:
            if isinstance(node, Number) and node.value == 1:
                yield delta

        for new in everywhere(right, ones):
            yield Edit(new, f"holds for {a} = {b} only")
