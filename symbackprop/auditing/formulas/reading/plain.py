"""Functions that are only ever read at their own arguments are quantities: E(w) is E."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symbackprop.auditing.formulas.binding import Definition, Paper
from symbackprop.auditing.formulas.reading.marks import changed, nodes_of
from symbackprop.auditing.formulas.tree import (
    Access,
    Apply,
    Derivative,
    Family,
    Node,
    accesses,
    rewritten,
    within,
)

# A function by its name and how many arguments it takes.
Function = tuple[Family, int]


def without_formals(paper: Paper) -> Paper:
    """Return a document in which such functions stand without arguments."""
    made = {_function(d.name, d.formals): d for d in paper.definitions if d.formals}
    others = {
        _function(d.name, d.formals)
        for d in paper.definitions
        if d.formals and _plain(d.formals) != _plain(made[_function(d.name, d.formals)].formals)
    }
    for node in nodes_of((*paper.definitions, *paper.claims)):
        others |= set(_elsewhere(node, made))
    plain = set(made) - others
    if not plain:
        return paper

    def rule(node: Node) -> Node:
        applied = isinstance(node, Apply) and _function(node.function, node.arguments) in plain
        return node.function if isinstance(node, Apply) and applied else node

    definitions = tuple(
        replace(d, formals=()) if _function(d.name, d.formals) in plain else d
        for d in paper.definitions
    )
    found: Paper = changed(replace(paper, definitions=definitions), rule)
    return found


def _function(name: Access, arguments: tuple[Node, ...]) -> Function:
    return name.whole, len(arguments)


def _plain(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Return the nodes as they are, however they are set."""
    return tuple(rewritten(node, _unset) for node in nodes)


def _unset(node: Node) -> Node:
    return replace(node, style="") if isinstance(node, Access) else node


def _elsewhere(node: Node, made: dict[Function, Definition]) -> Iterator[Function]:
    """Yield the functions that a formula reads at other arguments, or differentiates by others."""
    for here in within(node):
        if isinstance(here, Apply):
            name = _function(here.function, here.arguments)
            if name in made and (
                here.primes or _plain(here.arguments) != _plain(made[name].formals)
            ):
                yield name
            if not here.arguments:
                yield from (known for known in made if known[0] == name[0])
        elif isinstance(here, Derivative) and isinstance(here.of, Access):
            for name, known in made.items():
                if name[0] == here.of.whole and not _depends(known, here.by):
                    yield name


def _depends(definition: Definition, variables: tuple[Node, ...]) -> bool:
    """Whether a function's formula names what it is differentiated by."""
    named = {a.symbol for a in (*definition.formals, *accesses(definition.values[0]))}
    return all(isinstance(by, Access) and by.symbol in named for by in variables)
