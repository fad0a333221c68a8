"""Which bare names of a claim are numbers, vectors or matrices: the layouts in which all types.

Extents that the document states and indices that it uses decide first, the operators of the
definitions next; the style of letters only orders what is tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from symbackprop.audit.binding import Shape
from symbackprop.audit.formula_tree import (
    HADAMARD,
    MATRIX,
    OUTER,
    Access,
    Apply,
    Big,
    Derivative,
    Node,
    Norm,
    Number,
    Product,
    Transpose,
    children,
    walk,
)
from symbackprop.audit.layouts import AXES, Elaborator, Layout, LayoutError, Units
from symbackprop.audit.model import Model, Rule, Symbol

MOST_TRIED = 400
MOST_FOUND = 2
# Names that are numbers by custom.
NUMBERS = frozenset(
    (
        *("alpha", "beta", "eta", "lambda", "gamma", "epsilon", "eps", "mu", "rho", "kappa"),
        *("N", "n", "m", "K", "M", "T", "t", "L", "E", "J", "C", "H", "c", "ell"),
        *("loss", "Loss", "cost", "Cost", "MSE", "BCE", "CE"),
    )
)
GREEK_MATRICES = frozenset(("Delta", "Theta", "Phi", "Sigma", "Omega", "Lambda"))


@dataclass(frozen=True)
class Typed:
    """A layout with everything of a claim in it: rules per unit and both sides by elements."""

    layout: Layout
    model: Model
    left: Units
    right: Units

    @property
    def fits(self) -> bool:
        """Whether the sides have the same axes."""
        return self.left.axes == self.right.axes


def marked(node: Node) -> bool:
    """Whether a formula has a sign that only arrays have."""
    return any(
        isinstance(here, Transpose)
        or (isinstance(here, Norm) and here.bars == 2)
        or (isinstance(here, Product) and {HADAMARD, MATRIX, OUTER} & set(here.joins))
        or (isinstance(here, Apply) and here.function.name in ("tr", "diag"))
        or (isinstance(here, Access) and here.style == "bold")
        for _, here in walk(node)
    )


def bare(node: Node) -> Iterator[Access]:
    """Yield the names in a formula that stand without an index and are no index themselves."""
    if isinstance(node, Access):
        if not node.indices:
            yield node
        return
    if isinstance(node, Apply):
        for argument in node.arguments:
            yield from bare(argument)
        return
    if isinstance(node, Big):
        yield from bare(node.body)
        return
    for child in children(node):
        yield from bare(child)


def per_unit(model: Model, left: Node, right: Node) -> Typed:
    """Return a claim read with every bare name a number."""
    return _typed(Layout({}), model, left, right)


def arrays(model: Model, left: Node, right: Node, shapes: Sequence[Shape]) -> Iterator[Typed]:
    """Yield the layouts of arrays in which a claim's definitions type, likeliest first.

    Args:
        model: The definitions as the author wrote them.
        left: The left side.
        right: The right side.
        shapes: Extents that the document states.
    """
    found = [
        (changes, vector, kinds)
        for vector in ("column", "row", "matrix")
        for changes, kinds in _assignments(vector, model, (left, right), shapes)
    ]
    # What goes against the style of letters counts only where nothing else types.
    least = min((changes for changes, _, _ in found), default=0)
    for changes, vector, kinds in found:
        if changes == least:
            yield from _variants(vector, kinds, model, left, right)


_WORDS = {
    "column": "vectors are columns",
    "row": "vectors are rows",
    "matrix": "one row or column for each sample",
}
_FORMS = (
    ("numerator", True, "gradients are shaped like their variable"),
    ("denominator", True, "denominator layout"),
    ("numerator", False, "numerator layout"),
)


def _variants(
    vector: str, kinds: dict[Symbol, str], model: Model, left: Node, right: Node
) -> Iterator[Typed]:
    seen: set[tuple[object, ...]] = set()
    for (jacobian, shaped, words), dot in itertools.product(_FORMS, (True, False)):
        name = f"{_WORDS[vector]}, {words}" + ("" if dot else ", products are elementwise")
        layout = Layout(kinds, jacobian, shaped, dot, name)
        try:
            typed = _typed(layout, model, left, right)
        except LayoutError:
            continue
        # Most forms make no difference to most claims.
        sides = (typed.left, typed.right)
        said = (*((s.axes, s.at(_ROW, _COLUMN)) for s in sides), typed.model.rules)
        if said not in seen:
            seen.add(said)
            yield typed


_ROW, _COLUMN = Access("_row"), Access("_column")


def _typed(layout: Layout, model: Model, left: Node, right: Node) -> Typed:
    elaborator = Elaborator(layout)
    rules = tuple(_per_unit_rule(elaborator, rule) for rule in model.rules)
    return Typed(
        layout, replace(model, rules=rules), elaborator.units(left), elaborator.units(right)
    )


def _per_unit_rule(elaborator: Elaborator, rule: Rule) -> Rule:
    body = elaborator.units(rule.body)
    kind = elaborator.layout.kinds.get(rule.target.symbol, "scalar")
    axes = AXES["scalar"] if rule.target.indices or rule.formals else AXES[kind]
    if axes != body.axes:
        raise LayoutError(f"{rule.target.name} is not shaped like its definition")
    row, column = elaborator.letter(), elaborator.letter()
    places = ((row,) if axes[0] else ()) + ((column,) if axes[1] else ())
    indices = rule.target.indices or places
    return replace(rule, target=replace(rule.target, indices=indices), body=body.at(row, column))


def _assignments(
    vector: str, model: Model, sides: tuple[Node, Node], shapes: Sequence[Shape]
) -> Iterator[tuple[int, dict[Symbol, str]]]:
    options = _options(vector, model, sides, shapes)
    names = list(options)
    least, found = len(names), 0
    for choice in itertools.islice(_by_effort([options[name] for name in names]), MOST_TRIED):
        kinds = dict(zip(names, choice, strict=True))
        changes = sum(kinds[name] != options[name][0] for name in names)
        if changes > least or found >= MOST_FOUND:
            return
        if _definitions_type(kinds, model) and not all(k == "scalar" for k in choice):
            yield changes, kinds
            least, found = changes, found + 1


def _by_effort(options: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield choices of one option each, those that leave the fewest first options first."""
    places = range(len(options))
    for changed in range(len(options) + 1):
        for which in itertools.combinations(places, changed):
            rest = [options[k][1:] if k in which else options[k][:1] for k in places]
            yield from itertools.product(*rest)


def _definitions_type(kinds: dict[Symbol, str], model: Model) -> bool:
    for variant in (True, False):
        elaborator = Elaborator(Layout(kinds, dot=variant))
        try:
            for rule in model.rules:
                _per_unit_rule(elaborator, rule)
        except LayoutError:
            continue
        return True
    return False


def _options(
    vector: str, model: Model, sides: tuple[Node, Node], shapes: Sequence[Shape]
) -> dict[Symbol, tuple[str, ...]]:
    nodes = [*sides, *(rule.body for rule in model.rules), *(r.target for r in model.rules)]
    ranks = _ranks(nodes)
    tops = {
        d.of.symbol
        for node in sides
        for _, d in walk(node)
        if isinstance(d, Derivative) and isinstance(d.of, Access)
    }
    formals = {formal.symbol for rule in model.rules for formal in rule.formals}
    options: dict[Symbol, tuple[str, ...]] = {}
    for node in nodes:
        for access in bare(node):
            symbol = access.symbol
            if symbol in options:
                continue
            options[symbol] = _kinds_of(access, vector, ranks, shapes, symbol in tops)
            if symbol in formals:
                options[symbol] = ("scalar",)
    return options


def _kinds_of(
    access: Access,
    vector: str,
    ranks: dict[Symbol, int],
    shapes: Sequence[Shape],
    differentiated: bool,
) -> tuple[str, ...]:
    for shape in shapes:
        if shape.target.symbol == access.symbol:
            return (_stated(shape, vector),)
    if access.symbol in ranks:
        of_one = "column" if vector == "matrix" else vector
        return (("scalar", of_one, "matrix")[min(ranks[access.symbol], 2)],)
    if access.name in NUMBERS and access.style != "bold":
        return ("scalar", "matrix") if access.name.isupper() and not differentiated else ("scalar",)
    capital = access.name[:1].isupper() and (len(access.name) == 1 or access.name in GREEK_MATRICES)
    if capital:
        return tuple(dict.fromkeys(("matrix", vector, "scalar")))
    if vector == "matrix" and access.name == "b":
        return "row", "column", "matrix", "scalar"
    return tuple(dict.fromkeys((vector, "scalar", "matrix")))


def _stated(shape: Shape, vector: str) -> str:
    ones = [isinstance(e, Number) and e.value == 1 for e in shape.extents]
    if not ones or all(ones):
        return "scalar"
    if len(ones) == 1:
        return vector if vector != "matrix" else "column"
    return "row" if ones[0] else "column" if ones[1] else "matrix"


def _ranks(nodes: Sequence[Node]) -> dict[Symbol, int]:
    ranks: dict[Symbol, int] = {}
    for node in nodes:
        for _, here in walk(node):
            if isinstance(here, Access) and here.indices:
                ranks[here.symbol] = max(ranks.get(here.symbol, 0), len(here.indices))
    return ranks
