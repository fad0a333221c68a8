"""Parts that are missing, too many, or another than they should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symbackprop.auditing.formulas.edits.editing import (
    ONE,
    Context,
    Edit,
    everywhere,
    is_index,
    places,
    pool,
    put,
    times,
)
from symbackprop.auditing.formulas.primitives import PRIMITIVES
from symbackprop.auditing.formulas.reading.printing import read_as
from symbackprop.auditing.formulas.tree import (
    Access,
    Add,
    Apply,
    Branch,
    Comparison,
    Logic,
    Negate,
    Node,
    Number,
    Product,
    Quotient,
    replaced,
)

# How many factors are tried at each place within a formula.
MOST_WITHIN = 12


def missing_factor(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with one factor more or less, of those that stand in the formulas."""
    known = pool(right, context)
    for factor in (*known, *context.rates, *(_complement(node) for node in known)):
        yield Edit(times(right, factor), "a factor is missing")
        if not isinstance(factor, Number):
            yield Edit(Quotient(right, factor), "a factor is too many")
    names = [node for node in known if isinstance(node, Access)][:MOST_WITHIN]
    within = (*names, *map(_complement, names), *context.rates[:MOST_WITHIN])
    for path, node in places(right):
        if path and not isinstance(node, Number | Branch | Comparison | Logic):
            for factor in (*within, *known[:MOST_WITHIN]):
                new = replaced(right, path, times(node, factor))
                yield Edit(new, "a factor is missing within the formula")
        if isinstance(node, Access):
            for factor in names:
                new = replaced(right, path, times(factor, node))
                yield Edit(new, "a factor is missing within the formula")


def _complement(node: Node) -> Node:
    return Add((ONE, Negate(node)))


def missing_term(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with one term more."""
    terms: list[Node] = [ONE, *pool(right, context)[:16]]
    for term in terms:
        for signed in (term, Negate(term)):
            yield Edit(Add((right, signed)), "a term is missing")

            def wider(node: Node, signed: Node = signed) -> Iterator[Node]:
                if isinstance(node, Add):
                    yield Add((*node.terms, signed))
                elif isinstance(node, Product):
                    for k, factor in enumerate(node.factors):
                        new = put(node.factors, k, Add((factor, signed)))
                        yield replace(node, factors=new)

            if term is ONE:
                for new in everywhere(right, wider):
                    yield Edit(new, "a term is missing")


def argument(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with a function read elsewhere."""
    names = [n for n in pool(right, context) if isinstance(n, Access | Apply)]
    for path, node in places(right):
        if isinstance(node, Apply) and len(node.arguments) == 1:
            for name in names:
                if name not in (node, node.arguments[0]):
                    edited = replaced(right, path, replace(node, arguments=(name,)))
                    yield Edit(edited, f"{node.function.name} is read at the wrong place")


def wrong_variable(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with one name instead of another."""
    names = [n for n in pool(right, context) if isinstance(n, Access)]
    for path, node in places(right):
        if isinstance(node, Access) and not is_index(node, right):
            for name in names:
                if len(name.indices) == len(node.indices) and name.symbol != node.symbol:
                    detail = f"{_bare(node)} should be {_bare(name)}"
                    for new in dict.fromkeys((replace(name, indices=node.indices), name)):
                        yield Edit(replaced(right, path, new), detail)


def _bare(name: Access) -> str:
    """Return a name with its accents in plain text."""
    return read_as(replace(name, labels=(), indices=()))


def other(right: Node, context: Context) -> Iterator[Edit]:
    """Yield a claim with a part left out or a derivative more or less."""

    def simpler(node: Node) -> Iterator[Node]:
        if isinstance(node, Product):
            for k in range(len(node.factors)):
                rest = (*node.factors[:k], *node.factors[k + 1 :])
                yield times(*rest) if len(rest) > 1 else rest[0]
        elif isinstance(node, Add):
            for k in range(len(node.terms)):
                kept = (*node.terms[:k], *node.terms[k + 1 :])
                yield Add(kept) if len(kept) > 1 else kept[0]
        elif isinstance(node, Quotient):
            yield node.numerator
            yield Quotient(node.denominator, node.numerator)
        elif isinstance(node, Apply) and node.primes:
            yield replace(node, primes=node.primes - 1)
        elif isinstance(node, Apply) and node.function.name not in PRIMITIVES:
            yield replace(node, primes=node.primes + 1)

    for new in everywhere(right, simpler):
        yield Edit(new, "a part of the formula does not belong there")
