"""What a notation leaves out: the loss of ``dW``, the variable of ``∇C`` and of ``(…)'``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from symbackprop.auditing.formulas.binding import Claim, Paper
from symbackprop.auditing.formulas.model import UNNAMED, Symbol
from symbackprop.auditing.formulas.reading.facts import LOSSES
from symbackprop.auditing.formulas.reading.marks import changed, nodes_of
from symbackprop.auditing.formulas.tree import (
    Access,
    Apply,
    Derivative,
    Node,
    accesses,
    rewritten,
    within,
)


def completed(paper: Paper) -> Paper:
    """Return a document whose derivatives name what is differentiated, and by what."""
    paper = _with_subscripts(paper)
    chains = [list(chain) for _, chain in groupby(paper.claims, key=lambda claim: claim.order)]
    claims = tuple(done for chain in chains for done in _with_variable(chain))
    variables = _variables(chains)
    loss = _loss(paper) or UNNAMED

    def rule(node: Node) -> Node:
        if not isinstance(node, Derivative):
            return node
        if node.of is None and node.by:
            return replace(node, of=loss)
        if isinstance(node.of, Access) and not node.by and node.of in variables:
            return replace(node, by=(variables[node.of],))
        return node

    found: Paper = changed(replace(paper, claims=claims), rule)
    return found


def _with_subscripts(paper: Paper) -> Paper:
    """In a display that defines f_c and no f, the derivative of f is that of f_c."""
    displays: dict[int, list[Access]] = {}
    for definition in paper.definitions:
        displays.setdefault(definition.group, []).append(definition.name)
    claims = []
    for claim in paper.claims:
        here = displays.get(claim.group, [])
        bare = {name.symbol for name in here if not (name.labels or name.indices)}
        full = {name.symbol: name for name in reversed(here) if name.symbol not in bare}
        claims.append(_subscripted(claim, full) if full else claim)
    return replace(paper, claims=tuple(claims))


def _subscripted(claim: Claim, full: dict[Symbol, Access]) -> Claim:
    sides = [side for r in claim.readings for side in (r.left, r.right)]
    read = [access for side in sides for access in accesses(side)]
    kept = {access.symbol for access in read if access.labels or access.indices}

    def named(access: Access) -> Access:
        return access if access.symbol in kept else full.get(access.symbol, access)

    def rule(node: Node) -> Node:
        return named(node) if isinstance(node, Access) else node

    def derivatives(node: Node) -> Node:
        if isinstance(node, Derivative) and node.of is not None:
            return replace(node, of=rewritten(node.of, rule))
        if isinstance(node, Apply) and node.primes:
            return replace(node, function=named(node.function))
        return node

    found: Claim = changed(claim, derivatives)
    return found


def _with_variable(chain: list[Claim]) -> Iterable[Claim]:
    """Within a chain that opens with f′(x), a prime on parentheses is by x."""
    head = chain[0].head
    if not (isinstance(head, Apply) and head.primes and len(head.arguments) == 1):
        return chain
    by = head.arguments

    def rule(node: Node) -> Node:
        if isinstance(node, Derivative) and not node.by and not isinstance(node.of, Access):
            return replace(node, by=by)
        return node

    return (changed(claim, rule) for claim in chain)


def _variables(chains: Iterable[list[Claim]]) -> dict[Access, Node]:
    """By what gradients without a variable are, where a chain equates them with a derivative."""
    found: dict[Access, set[Node]] = {}
    for chain in chains:
        first = chain[0].left
        if not (isinstance(first, Derivative) and len(first.by) == 1):
            continue
        for claim in chain:
            right = claim.right
            if isinstance(right, Derivative) and isinstance(right.of, Access) and not right.by:
                found.setdefault(right.of, set()).add(first.by[0])
    return {of: by.pop() for of, by in found.items() if len(by) == 1}


def _loss(paper: Paper) -> Access | None:
    """The one quantity that is differentiated and that nothing is differentiated by."""
    tops: dict[Access, None] = {}
    below: set[Symbol] = set()
    for node in nodes_of((*paper.definitions, *paper.claims)):
        for here in within(node):
            if isinstance(here, Derivative) and here.by:
                below.update(by.symbol for by in here.by if isinstance(by, Access))
                if isinstance(here.of, Access) and not here.of.indices:
                    tops.setdefault(replace(here.of, style=""))
    for names in (tops, [d.name for d in paper.definitions if not d.formals]):
        free = [name for name in names if name.symbol not in below and not name.indices]
        losses = [name for name in free if name.name in LOSSES]
        for some in (free if names is tops else (), losses):
            if len(set(some)) == 1:
                return next(iter(some))
    return None
