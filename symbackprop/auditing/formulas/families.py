"""Vectors that bear an index: in wᵀx_i there is a vector x_i for every i.

A name with an index is taken for one of a family of vectors where something says so: it is
transposed, stands beside a matrix or within a norm, has its extent stated, or has further indices
elsewhere. What it is added to, or made of, may then be one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from symbackprop.auditing.formulas.binding import Paper
from symbackprop.auditing.formulas.layouts import Elaborator
from symbackprop.auditing.formulas.model import Model
from symbackprop.auditing.formulas.tree import (
    HADAMARD,
    Access,
    Apply,
    Big,
    Family,
    Node,
    Norm,
    Product,
    Transpose,
    children,
    within,
)
from symbackprop.auditing.formulas.units import AXES, Layout, LayoutError

VECTORS = ("column", "row")
# How often what a name is made of may say what it is, from definition to definition.
PASSES = 4


def placed(node: Node) -> Iterator[Access]:
    """Yield the names in a formula that are no indices themselves, with what they bear."""
    if isinstance(node, Access):
        yield node
    elif isinstance(node, Apply):
        for argument in node.arguments:
            yield from placed(argument)
    elif isinstance(node, Big):
        yield from placed(node.body)
    else:
        for child in children(node):
            yield from placed(child)


def families(model: Model, sides: Iterable[Node], paper: Paper) -> dict[Family, bool]:
    """Return the names with indices that may be vectors, and whether something says so.

    Args:
        model: The definitions as the author wrote them.
        sides: Both sides of the claim.
        paper: The document, for the extents that it states.
    """
    links: list[tuple[Node, ...]] = [(side,) for side in sides]
    links += [(rule.target, rule.body) for rule in model.rules if not rule.formals]
    read = [[name for part in link for name in placed(part)] for link in links]
    ranks: dict[Family, int] = {}
    for name in (name for names in read for name in names):
        ranks[name.whole] = max(ranks.get(name.whole, 0), len(name.indices))
    found = {
        name.family: True
        for link, names in zip(links, read, strict=True)
        for name in (*_evident(link), *(n for n in names if _is_stated(n, paper, ranks)))
        if name.indices and len(name.indices) >= ranks[name.whole] - 1
    }
    while True:
        joined = [names for names in read if any(name.family in found for name in names)]
        new = {
            name.family
            for names in joined
            for name in names
            if len(name.indices) == 1 == ranks[name.whole]
        } - set(found)
        if not new:
            return found
        found |= dict.fromkeys(sorted(new), False)


def _is_stated(name: Access, paper: Paper, ranks: Mapping[Family, int]) -> bool:
    """Whether a name with an index has extents, or elements with one index more."""
    count = len(name.indices)
    stated = any(
        len(shape.extents) == 1
        and shape.target.symbol == name.symbol
        and len(shape.target.indices) == count
        for shape in paper.shapes
    )
    bold = name.style == "bold" and count == 1 and ranks[name.whole] == 1
    return count > 0 and (stated or bold or ranks[name.whole] == count + 1)


def _evident(nodes: Sequence[Node]) -> Iterator[Access]:
    """Yield the names that stand where only arrays do."""
    for node in nodes:
        for here in within(node):
            if isinstance(here, Transpose) or (isinstance(here, Norm) and here.bars == len("||")):
                yield from _sum_of(here.operand)
            elif isinstance(here, Product):
                yield from _beside_matrices(here)


def _sum_of(node: Node) -> Iterator[Access]:
    """Yield the summands of a formula that are names; a matrix has its elements by two indices."""
    if isinstance(node, Access):
        if len(node.indices) == 1:
            yield node
    elif not isinstance(node, Apply | Big | Product):
        for child in children(node):
            yield from _sum_of(child)


def _beside_matrices(node: Product) -> Iterator[Access]:
    for left, join, right in zip(node.factors, node.joins, node.factors[1:], strict=False):
        if join != HADAMARD and (_is_matrix(left) or isinstance(left, Transpose)):
            yield from _sum_of(right)


def _is_matrix(node: Node) -> bool:
    return isinstance(node, Access) and not node.indices and node.name in MATRICES


# Capitals that are arrays where vectors follow them.
MATRICES = frozenset(("A", "M", "P", "Q", "R", "S", "U", "V", "W", "Sigma", "Lambda", "Theta"))


def likely(
    model: Model,
    found: Mapping[Family, bool],
    others: Mapping[Family, str],
    vector: str,
) -> dict[Family, tuple[str, ...]]:
    """Return what names with indices may be, the likeliest first: what their definitions say.

    Args:
        model: The definitions.
        found: The names, and whether something says that they are vectors.
        others: What other names most likely are.
        vector: What a vector is.
    """
    first = {family: vector if said else "scalar" for family, said in found.items()}
    for _ in range(PASSES):
        before = dict(first)
        for rule in model.rules:
            family = rule.target.family
            if family in first and not rule.formals:
                first[family] = _kind_of(rule.body, {**others, **first}, first[family])
        if first == before:
            break
    return {
        family: tuple(dict.fromkeys((kind, vector, "scalar"))) for family, kind in first.items()
    }


def _kind_of(body: Node, kinds: Mapping[Family, str], known: str) -> str:
    """Return the kind of a formula if its names are of these kinds."""
    try:
        axes = Elaborator(Layout(kinds)).units(body).axes
    except LayoutError:
        return known
    return next((kind for kind in ("scalar", *VECTORS) if AXES[kind] == axes), known)
