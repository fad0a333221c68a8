"""A document as data: what every writer (LaTeX, Markdown, HTML, notebook) lays out.

All text is plain; each writer escapes it. An ``anchor`` is ``[a-z0-9-]+``, unique in its document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symbackprop.render.typeset import Math


@dataclass(frozen=True, slots=True)
class Link:
    """Words or a formula that lead to an anchor."""

    content: str | Math
    anchor: str


@dataclass(frozen=True, slots=True)
class Code:
    """A name or a line of source within a sentence."""

    text: str


Inline = str | Math | Link | Code
Inlines = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph; a ``caption`` stands closer to what it explains."""

    content: Inlines


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a display: ``left relation right``, and what stands beside it.

    Attributes:
        left: None where the line goes on from the one above.
        right: what it equals.
        relation: between the two.
        condition: the ranges of its free indices.
        shape: of the array that it computes, in matrix form.
        rule: the rule by which it follows from the line above, or from others.
        reason: why the rule applies; a clause without a full stop.
    """

    left: Math | None
    right: Math
    relation: str = "="
    condition: Math | None = None
    shape: Math | None = None
    rule: str = ""
    reason: Inlines = ()


@dataclass(frozen=True, slots=True)
class CodeLines:
    """Lines of the document's listing, counted from 1, both ends included."""

    function: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Display:
    """Lines aligned at their relations.

    Attributes:
        lines: at least one.
        anchor: what links lead to; may be empty.
        code: the lines of the generated module that compute it.
        absorbed: where no line computes it by itself: the display whose lines do.
    """

    lines: tuple[Line, ...]
    anchor: str = ""
    code: tuple[CodeLines, ...] = ()
    absorbed: Link | None = None


def by_function(code: Sequence[CodeLines]) -> dict[str, list[tuple[int, int]]]:
    """Return the first and last lines in each function, in order, those that touch joined."""
    found: dict[str, list[tuple[int, int]]] = {lines.function: [] for lines in code}
    for lines in sorted(code, key=lambda lines: lines.first):
        spans = found[lines.function]
        if spans and lines.first <= spans[-1][1] + 1:
            spans[-1] = spans[-1][0], max(spans[-1][1], lines.last)
        else:
            spans.append((lines.first, lines.last))
    return found


@dataclass(frozen=True, slots=True)
class Table:
    """A table with one header row."""

    header: tuple[Inlines, ...]
    rows: tuple[tuple[Inlines, ...], ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the diagram, drawn as a box: its symbol, what it is, where it is derived."""

    symbol: Math
    label: str
    forward: str
    backward: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """From ``nodes[source]`` to ``nodes[target]``: what flows forward and, beneath, back.

    ``forward`` and ``backward`` label the two arrows; the anchors are where they are derived.
    """

    source: int
    target: int
    forward: Math
    backward: Math | None
    forward_anchor: str = ""
    backward_anchor: str = ""


@dataclass(frozen=True, slots=True)
class Diagram:
    """The network as a graph, in topological order."""

    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The generated module: its lines are linked with the displays that they compute."""

    text: str
    name: str


Block = Paragraph | Display | Table | Diagram | Listing


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part; ``level`` 1 is a chapter of the document, 2 a part of a chapter."""

    title: Inlines
    anchor: str
    blocks: tuple[Block, ...]
    level: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document.

    Attributes:
        title: plain words.
        summary: one line under the title.
        sections: in reading order.
        source: Python code that rebuilds the document's derivation, for a notebook's one cell.
    """

    title: str
    summary: Inlines
    sections: tuple[Section, ...]
    source: str = ""

    def displays(self) -> Iterator[Display]:
        """Yield every display, in reading order."""
        for section in self.sections:
            for block in section.blocks:
                if isinstance(block, Display):
                    yield block
