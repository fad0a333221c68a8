"""Places that are none of those a sum runs over: u_o beside Σ_k u_k, where nobody says k ≠ o."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from symbackprop.auditing.formulas.model import Model, is_letter
from symbackprop.auditing.formulas.reading.scopes import last_sum, with_last_sum
from symbackprop.auditing.formulas.tree import (
    Access,
    Add,
    Comparison,
    Logic,
    Node,
    accesses,
)

# A name and one of its index places.
Place = tuple[object, int]


def apart(model: Model) -> Model:
    """Return the definitions with each sum over all but what stands in a summand beside it."""
    rules = tuple(replace(rule, body=_apart(rule.body, model.loose)) for rule in model.rules)
    return replace(model, rules=rules)


def unequal(sides: Iterable[Node], model: Model) -> tuple[Node, ...]:
    """Return that letters of a claim differ from those of definitions in the same places."""
    free = {letter for side in sides for letter in _letters(side)}
    found: dict[Node, None] = {}
    for rule in model.rules:
        for letter, place in _letters(rule.body):
            if letter.name in model.loose:
                pairs = (other for other, where in free if where == place and other != letter)
                found |= dict.fromkeys(Comparison("!=", other, letter) for other in pairs)
    return tuple(sorted(found, key=repr))


def _apart(node: Node, loose: Iterable[str]) -> Node:
    if not isinstance(node, Add):
        return node
    single = {
        (letter, place)
        for term in node.terms
        if last_sum(term) is None
        for letter, place in _letters(term)
        if letter.name in loose
    }
    return replace(node, terms=tuple(_without(term, single) for term in node.terms))


def _without(term: Node, single: set[tuple[Access, Place]]) -> Node:
    """Return a summand that is a sum over all but these letters."""
    big = last_sum(term)
    if big is None:
        return term
    inner = {(letter.name, place) for letter, place in _letters(big.body)}
    bounds = []
    for bound in big.bounds:
        found = [o for o, place in single if (bound.index.name, place) in inner]
        parts: tuple[Node, ...] = tuple(
            Comparison("!=", bound.index, o) for o in sorted(set(found), key=repr)
        )
        if bound.condition is not None:
            parts = (bound.condition, *parts)
        condition = Logic("and", parts) if len(parts) > 1 else parts[0] if parts else None
        bounds.append(replace(bound, condition=condition))
    return with_last_sum(term, replace(big, bounds=tuple(bounds)))


def _letters(node: Node) -> Iterator[tuple[Access, Place]]:
    for access in accesses(node):
        for place, index in enumerate(access.indices):
            if isinstance(index, Access) and is_letter(index):
                yield replace(index, style=""), (access.symbol, place)
