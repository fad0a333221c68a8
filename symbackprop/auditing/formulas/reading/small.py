"""Elements of a matrix in its small letter: ``w_ij`` of a W that only stands whole."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.auditing.formulas.binding import Claim, Paper, Reading
from symbackprop.auditing.formulas.reading.marks import Rule, Symbol, changed, nodes_of
from symbackprop.auditing.formulas.tree import (
    SMALL,
    Access,
    Derivative,
    Node,
    accesses,
    rewritten,
    within,
)

_CHOICE = "the second index is where a weight leads to"
_PLACES = 2


def small_letters(paper: Paper) -> Paper:
    """Return a document whose claims take such elements from their matrix.

    Definitions by elements say themselves what their letters are. As authors differ in which
    index comes first, both are read.
    """
    nodes = [node for claim in paper.claims for node in nodes_of((claim,))]
    variables = {
        access.symbol
        for node in nodes
        for here in within(node)
        if isinstance(here, Derivative)
        for by in here.by
        for access in accesses(by)
    }
    named = list(_outside(paper))
    pairs = {
        access.symbol
        for node in nodes
        for access in accesses(node)
        if access.symbol in variables and _is_element(access, named, nodes)
    }
    if not pairs:
        return paper
    claims = tuple(_read(claim, pairs) for claim in paper.claims)
    return replace(paper, claims=claims)


def _outside(paper: Paper) -> list[Access]:
    return [a for node in nodes_of(paper.definitions) for a in accesses(node)]


def _is_element(access: Access, named: list[Access], nodes: list[Node]) -> bool:
    name = access.name
    if len(name) != 1 or not name.islower() or len(access.indices) != _PLACES:
        return False
    own = [a for node in nodes for a in accesses(node) if a.symbol == access.symbol]
    whole = [a for a in named if a.symbol == _capital(access).symbol]
    return (
        all(len(a.indices) == _PLACES for a in own)
        and not any(a.symbol == access.symbol for a in named)
        and any(len(a.labels) == len(access.labels) for a in whole)
        and not any(a.indices for a in whole)
    )


def _capital(access: Access) -> Access:
    return replace(access, name=access.name.upper(), style=SMALL)


def _read(claim: Claim, pairs: set[Symbol]) -> Claim:
    def straight(node: Node) -> Node:
        return _capital(node) if isinstance(node, Access) and node.symbol in pairs else node

    def turned(node: Node) -> Node:
        if isinstance(node, Access) and node.symbol in pairs:
            return replace(_capital(node), indices=node.indices[::-1])
        return node

    if not any(a.symbol in pairs for side in claim.sides for a in accesses(side)):
        return claim
    others = [_turned(reading, turned) for reading in claim.readings]
    made: Claim = changed(claim, straight)
    return replace(made, readings=(*made.readings, *others))


def _turned(reading: Reading, rule: Rule) -> Reading:
    words = ", ".join(filter(None, (reading.choice, _CHOICE)))
    return Reading(rewritten(reading.left, rule), rewritten(reading.right, rule), words)
