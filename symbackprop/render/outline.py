"""A whole derivation as a document: which parts it has, and in which order.

NetworkDerivation (and the source map of what is emitted) -> Document
"""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.calculus import NetworkDerivation
from symbackprop.emit import Emitted
from symbackprop.render import arrays, losses, units
from symbackprop.render.batch import batch
from symbackprop.render.computed import computed
from symbackprop.render.context import Context
from symbackprop.render.document import Display, Document, Listing, Paragraph, Section
from symbackprop.render.modes import evaluation
from symbackprop.render.notation import Choice
from symbackprop.render.picture import picture
from symbackprop.scalar import COMPARISONS, Apply, walk

_CONDITIONS = (
    "A condition in brackets is 1 where it holds, else 0. Where the arguments of a maximum or a "
    "minimum are equal, the first one counts."
)


def outline(
    derivation: NetworkDerivation,
    choice: Choice | None = None,
    emitted: Emitted | None = None,
    source: str = "",
) -> Document:
    """Return the document of a derivation.

    Args:
        derivation: of the network.
        choice: what the reader asks for; everything, by default.
        emitted: the module generated of the same network, where one can be.
        source: Python code that rebuilds the derivation, for a notebook.

    Raises:
        SymbackpropError: ``choice.wrt`` names no parameter.
    """
    context = Context(derivation, choice or Choice(), emitted)
    form = context.choice.form
    sections = [units.forward(context), *evaluation(context)]
    if context.network.heads:
        sections.append(losses.cost(context))
    if form != "matrix":
        sections += _backward(context)
    if form != "units":
        sections += arrays.matrices(context)
    if not context.choice.wrt:
        sections += computed(context)
    if emitted is not None:
        listing = Listing(emitted.text, context.network.name)
        sections.append(Section(("The module",), "module", (listing,)))
    network = context.network
    title = f"Backpropagation of {network.name}" if network.name else "Backpropagation"
    sections.insert(0, picture(context, _anchors(sections)))
    return Document(title, (network.text,), tuple(sections), source)


def _has_conditions(context: Context) -> bool:
    partials = (share.partial for total in context.totals for share in total.shares)
    functions = (factor.function for partial in partials for factor in partial.factors)
    nodes = (node for function in functions for node in walk(function))
    return any(isinstance(node, Apply) and node.function in COMPARISONS for node in nodes)


def _anchors(sections: Iterable[Section]) -> frozenset[str]:
    displays = (b for s in sections for b in s.blocks if isinstance(b, Display))
    return frozenset({*(s.anchor for s in sections), *(display.anchor for display in displays)})


def _backward(context: Context) -> list[Section]:
    words = (
        "From the loss back to the input. Each total derivative is a sum over every unit that a "
        "value feeds, and reuses what the layers that it feeds have derived.",
    )
    opening = [Paragraph(words)]
    if _has_conditions(context):
        opening.append(Paragraph((_CONDITIONS,)))
    sections = [Section(("Backward, unit by unit",), "backward", tuple(opening))]
    sections += losses.backward(context)
    for group in reversed(context.groups):
        section = units.layer(context, group)
        if section is not None:
            sections.append(section)
    samples = batch(context)
    return [*sections, samples] if samples else sections
