"""Mistakes that people make in derivatives, made mechanically in right ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

from symbackprop.auditing.formulas import tree as t
from symbackprop.auditing.formulas.nodes import walk

COUNTS = frozenset("nmNKl")
TWO = t.Number(Fraction(2), "2")
ONE = t.Number(Fraction(1), "1")

Make = Callable[[t.Node, t.Node], Iterator[t.Node]]


def _product(factors: tuple[t.Node, ...]) -> t.Node:
    if not factors:
        return ONE
    return t.Product(factors, (t.ADJACENT,) * (len(factors) - 1)) if factors[1:] else factors[0]


def _everywhere(right: t.Node, change: Callable[[t.Node], Iterator[t.Node]]) -> Iterator[t.Node]:
    """Apply a change at every place but within subscripts."""
    within: list[tuple[int, ...]] = []
    for path, node in walk(right):
        if any(path[: len(outer)] == outer for outer in within):
            continue
        if isinstance(node, t.Access | t.Derivative):
            within.append(path)
        for new in change(node):
            yield t.replaced(right, path, new)


def _put(items: tuple[t.Node, ...], place: int, new: t.Node) -> tuple[t.Node, ...]:
    return (*items[:place], new, *items[place + 1 :])


def _turned(node: t.Node) -> t.Node:
    return node.operand if isinstance(node, t.Negate) else t.Negate(node)


def sign(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    yield _turned(right)

    def terms(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Add):
            for k, term in enumerate(node.terms):
                yield t.Add(_put(node.terms, k, _turned(term)))

    yield from _everywhere(right, terms)


def factor(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    yield _product((TWO, right))
    yield t.Quotient(right, TWO)

    def terms(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Add):
            for k, term in enumerate(node.terms):
                yield t.Add(_put(node.terms, k, _product((TWO, term))))

    yield from _everywhere(right, terms)


# What nobody forgets: a number, a case, the very sum that is asked for.
_UNLIKELY = (t.Number, t.Negate, t.Quotient, t.Delta, t.Indicator, t.Big)


def chain_factor(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    def without(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Product) and set(node.joins) == {t.ADJACENT}:
            for k, part in enumerate(node.factors):
                if not (isinstance(part, _UNLIKELY) or _is_count(part)):
                    yield _product((*node.factors[:k], *node.factors[k + 1 :]))

    yield from _everywhere(right, without)


def reduction(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    def without(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Quotient) and _is_count(node.denominator):
            yield node.numerator
        if isinstance(node, t.Product) and any(map(_is_count, node.factors)):
            yield _product(tuple(part for part in node.factors if not _is_count(part)))
        if isinstance(node, t.Big):
            yield node.body

    yield from _everywhere(right, without)
    for node in t.within(right):
        if isinstance(node, t.Big) and node.bounds[0].upper is not None:
            yield t.Quotient(right, node.bounds[0].upper)


def _is_count(node: t.Node) -> bool:
    return isinstance(node, t.Access) and node.name in COUNTS


def indices(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    def swapped(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Access) and len(node.indices) == 2:
            yield replace(node, indices=node.indices[::-1])

    yield from _everywhere(right, swapped)


def subscript(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    letters = dict.fromkeys(
        i.name
        for side in (left, right)
        for access in t.accesses(side)
        for i in access.indices
        if isinstance(i, t.Access)
    )

    # Beside their delta, two letters are one.
    same = [{n.left.name, n.right.name} for n in t.within(right) if isinstance(n, t.Delta)]
    same += [{letter} for letter in letters]

    def other(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Access):
            for k, index in enumerate(node.indices):
                for letter in letters:
                    if isinstance(index, t.Access) and {letter, index.name} not in same:
                        yield replace(node, indices=_put(node.indices, k, t.Access(letter)))

    yield from _everywhere(right, other)


def argument(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    def output(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Apply) and node.primes and isinstance(node.arguments[0], t.Access):
            name = {"z": "a", "u": "h"}.get(node.arguments[0].name)
            if name:
                yield replace(node, arguments=(replace(node.arguments[0], name=name),))

    yield from _everywhere(right, output)


def diagonal(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    def one(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Delta):
            yield ONE

    yield from _everywhere(right, one)


def precedence(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    def opened(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Product) and isinstance(node.factors[-1], t.Add):
            first, *rest = node.factors[-1].terms
            yield t.Add((_product((*node.factors[:-1], first)), *rest))
        if isinstance(node, t.Quotient) and isinstance(node.denominator, t.Product):
            first, *rest = node.denominator.factors
            yield _product((t.Quotient(node.numerator, first), *rest))
        if isinstance(node, t.Quotient) and isinstance(node.denominator, t.Add):
            first, *rest = node.denominator.terms
            yield t.Add((t.Quotient(node.numerator, first), *rest))
        if isinstance(node, t.Quotient) and isinstance(node.numerator, t.Add):
            *rest, last = node.numerator.terms
            yield t.Add((*rest, t.Quotient(last, node.denominator)))

    yield from _everywhere(right, opened)


def norm(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    def size(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Apply) and node.function.name == "sign":
            yield node.arguments[0]

    yield from _everywhere(right, size)


def layer(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    def shifted(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Access) and node.labels and node.name in "aW":
            label = node.labels[0]
            if label.shift:
                yield replace(node, labels=(replace(label, shift=0),))

    yield from _everywhere(right, shifted)


def transpose(right: t.Node, left: t.Node) -> Iterator[t.Node]:
    def other(node: t.Node) -> Iterator[t.Node]:
        if isinstance(node, t.Transpose):
            yield node.operand
        if isinstance(node, t.Product) and node.joins[-1] == t.DOT:
            yield t.Product(node.factors[::-1], node.joins)

    yield from _everywhere(right, other)


# Each mistake with the diagnoses that name it.
MISTAKES: dict[str, tuple[Make, frozenset[str]]] = {
    "sign": (sign, frozenset({"sign"})),
    "factor": (factor, frozenset({"factor"})),
    "chain factor": (chain_factor, frozenset({"missing_factor"})),
    "reduction": (reduction, frozenset({"reduction"})),
    "indices": (indices, frozenset({"transpose", "subscript"})),
    "subscript": (subscript, frozenset({"subscript"})),
    "argument": (argument, frozenset({"argument"})),
    "diagonal": (diagonal, frozenset({"diagonal_only"})),
    "precedence": (precedence, frozenset({"precedence"})),
    "norm": (norm, frozenset({"norm"})),
    "layer": (layer, frozenset({"layer_index"})),
    "transpose": (transpose, frozenset({"transpose"})),
}
