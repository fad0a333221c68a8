"""A claim with its definitions in each layout in which they have a meaning."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from symbackprop.auditing.formulas.assignments import Kinds, assignments, per_unit_rule, typable
from symbackprop.auditing.formulas.binding import Paper
from symbackprop.auditing.formulas.layouts import Elaborator
from symbackprop.auditing.formulas.model import Model
from symbackprop.auditing.formulas.tree import Access, Derivative, Node, within
from symbackprop.auditing.formulas.units import Layout, LayoutError, Units


@dataclass(frozen=True)
class Typed:
    """A layout with everything of a claim in it: rules per unit and both sides by elements.

    `partial` says that definitions were left out that fit no layout together with the others.
    """

    layout: Layout
    model: Model
    left: Units
    right: Units
    partial: bool = False

    @property
    def fits(self) -> bool:
        """Whether the sides have the same axes."""
        return self.left.axes == self.right.axes


def per_unit(model: Model, left: Node, right: Node) -> Typed:
    """Return a claim read with every bare name a number."""
    return _typed(Layout({}), model, left, right)


def arrays(model: Model, left: Node, right: Node, paper: Paper, form: str = "") -> Iterator[Typed]:
    """Yield the layouts of arrays in which a claim's definitions type, likeliest first.

    Args:
        model: The definitions as the author wrote them.
        left: The left side.
        right: The right side.
        paper: The document.
        form: The only one of `FORMS` that is wanted; empty for all.
    """
    found: list[tuple[bool, int, list[Typed]]] = []
    variables = {
        by.symbol
        for side in (left, right)
        for node in within(side)
        for by in (node.by if isinstance(node, Derivative) else ())
        if isinstance(by, Access)
    }
    for vector in _WORDS:
        kept, dropped = typable(vector, model, (left, right), paper)
        used = replace(model, rules=kept)
        # What a variable of differentiation is elsewhere, as where a loss is least, is no matter.
        partial = any(rule.target.symbol not in variables for rule in dropped)
        for changes, kinds in assignments(vector, used, (left, right), paper):
            if found and found[-1][2] and (partial, changes) > found[-1][:2]:
                break
            typed = list(_variants(vector, kinds, used, (left, right), form))
            found.append((partial, changes, typed))
    # What goes against the style of letters counts only where nothing else types.
    some = [entry for entry in found if entry[2]]
    least = min((entry[:2] for entry in some), default=None)
    for partial, changes, typed in some:
        if (partial, changes) == least:
            yield from (replace(layout, partial=partial) for layout in typed)


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
# The forms in words: how derivatives of arrays are shaped.
FORMS = tuple(words for _, _, words in _FORMS)


def _variants(
    vector: str, kinds: Kinds, model: Model, sides: tuple[Node, Node], form: str
) -> Iterator[Typed]:
    seen: set[tuple[object, ...]] = set()
    wanted = [entry for entry in _FORMS if form in (entry[2], "")]
    for (jacobian, shaped, words), dot in itertools.product(wanted, (True, False)):
        name = f"{_WORDS[vector]}, {words}" + ("" if dot else ", products are elementwise")
        layout = Layout(kinds, jacobian, shaped, dot, name)
        try:
            typed = _typed(layout, model, *sides)
        except LayoutError:
            continue
        # Most forms make no difference to most claims.
        elements = ((s.axes, s.at(_ROW, _COLUMN)) for s in (typed.left, typed.right))
        said = (*elements, typed.model.rules)
        if said not in seen:
            seen.add(said)
            yield typed


_ROW, _COLUMN = Access("_row"), Access("_column")


def _typed(layout: Layout, model: Model, left: Node, right: Node) -> Typed:
    elaborator = Elaborator(layout)
    rules = tuple(per_unit_rule(elaborator, rule) for rule in model.rules)
    return Typed(
        layout, replace(model, rules=rules), elaborator.units(left), elaborator.units(right)
    )
