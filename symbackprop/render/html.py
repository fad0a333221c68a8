"""A document as one HTML page: no JavaScript, no request, its math font within it.

Everything is ``Markup`` made by formatting, which escapes what is plain text. Ids are the
document's anchors; the listing's lines are ``L1``, ``L2``, …, which no anchor can be.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path

from markupsafe import Markup

from symbackprop import frames
from symbackprop.render.anchors import check_anchors
from symbackprop.render.diagram import svg
from symbackprop.render.document import (
    Block,
    Code,
    Diagram,
    Display,
    Document,
    Inline,
    Inlines,
    Line,
    Link,
    Listing,
    Paragraph,
    Section,
    Table,
    by_function,
)
from symbackprop.render.highlight import highlighted
from symbackprop.render.mathml import breakable, mathml, pieces

_FONT = Path(__file__).parent / "fonts" / "math.woff2"
_CLOSING = re.compile(r"[,.;:!?)]+")


@dataclass(frozen=True, slots=True)
class _Part:
    """A section as the frame of the page takes it."""

    anchor: str
    level: int
    heading: str
    title: Markup
    entry: Markup
    blocks: tuple[Markup, ...]


def html(document: Document) -> str:
    """Return the document as a page of its own.

    Raises:
        ValueError: an anchor is malformed, there twice or nowhere, or lines are not listed.
    """
    check_anchors(document)
    numbers = _numbers(document)
    environment = frames.environment().overlay(autoescape=True)
    return environment.get_template("document.html.jinja").render(
        title=document.title,
        summary=_inlines(document.summary),
        parts=[_part(section, document, numbers) for section in document.sections],
        font=base64.b64encode(_FONT.read_bytes()).decode("ascii"),
    )


def _numbers(document: Document) -> dict[str, int]:
    """Return the number of every display that something can lead to."""
    anchored = (display.anchor for display in document.displays() if display.anchor)
    return {anchor: number for number, anchor in enumerate(anchored, 1)}


def _part(section: Section, document: Document, numbers: dict[str, int]) -> _Part:
    bare = tuple(piece.content if isinstance(piece, Link) else piece for piece in section.title)
    blocks = tuple(_block(block, document, numbers) for block in section.blocks)
    title, entry = _inlines(section.title), _inlines(bare)
    heading = f"h{section.level + 1}"
    return _Part(section.anchor, section.level, heading, title, entry, blocks)


def _block(block: Block, document: Document, numbers: dict[str, int]) -> Markup:
    match block:
        case Paragraph():
            return Markup("<p>{}</p>").format(_inlines(block.content))
        case Display():
            return _display(block, numbers)
        case Table():
            return _table(block)
        case Diagram():
            return Markup('<figure class="diagram scroll">{}</figure>').format(svg(block))
        case Listing():
            return _listing(block, document, numbers)


def _inlines(inlines: Inlines) -> Markup:
    """Return a run of text; a formula stays on one line with the mark that follows it."""
    written: list[Markup] = []
    for before, piece in zip((None, *inlines), inlines, strict=False):
        mark = _CLOSING.match(piece) if isinstance(piece, str) and _is_formula(before) else None
        if mark is None:
            written.append(_inline(piece))
        else:
            whole = Markup('<span class="whole">{}{}</span>')
            written[-1] = whole.format(written[-1], mark[0])
            written.append(_inline(mark.string[mark.end() :]))
    return _joined(written)


def _is_formula(piece: Inline | None) -> bool:
    content = piece.content if isinstance(piece, Link) else piece
    return not isinstance(content, str | Code | None)


def _inline(piece: Inline) -> Markup:
    match piece:
        case str():
            return Markup("{}").format(piece)
        case Code():
            return Markup("<code>{}</code>").format(piece.text)
        case Link():
            return _link(piece.anchor, _inline(piece.content))
        case _:
            return mathml(piece, display=False)


def _joined(pieces: Iterable[Markup], separator: str = "") -> Markup:
    return Markup(separator).join(pieces)


def _link(anchor: str, content: str | Markup) -> Markup:
    return Markup('<a href="#{}">{}</a>').format(anchor, content)


def _identity(anchor: str) -> Markup:
    return Markup(' id="{}"').format(anchor) if anchor else Markup("")


def _display(display: Display, numbers: dict[str, int]) -> Markup:
    lines = _joined(map(_line, display.lines))
    pattern = '<div class="display"{}><div class="lines">{}</div>{}</div>\n'
    return Markup(pattern).format(_identity(display.anchor), lines, _origin(display, numbers))


def _line(line: Line) -> Markup:
    """Return the cells of a line: left side, relation, right side, what stands beside."""
    left = line.left
    cells = [Markup("<div>{}</div>").format(mathml(left, display=False))] if left else []
    cells.append(Markup("<b>{}</b><p>{}</p>").format(line.relation, breakable(line.right)))
    return _joined([*cells, _beside(line)])


def _beside(line: Line) -> Markup:
    """Return what stands beside a line: ranges, shape, rule and reason."""
    formulas = (math for math in (line.condition, line.shape) if math is not None)
    notes = [Markup("<span>{}</span>").format(pieces(math)) for math in formulas]
    if line.rule:
        notes.append(Markup("<em>{}</em>").format(line.rule))
    if line.reason:
        notes.append(Markup("<small>{}</small>").format(_inlines(line.reason)))
    return Markup("<aside>{}</aside>").format(_joined(notes, " ")) if notes else Markup("")


def _origin(display: Display, numbers: dict[str, int]) -> Markup:
    """Return the display's number, and where the listing computes it."""
    notes = []
    if display.anchor:
        number = Markup('<a class="number" href="#{}">({})</a>')
        notes.append(number.format(display.anchor, numbers[display.anchor]))
    if display.code:
        places = starmap(_of_function, by_function(display.code).items())
        notes.append(Markup("code: {}").format(_joined(places, "; ")))
    if display.absorbed is not None:
        notes.append(Markup("computed within {}").format(_inline(display.absorbed)))
    return Markup('<p class="origin">{}</p>').format(_joined(notes, " ")) if notes else Markup("")


def _of_function(function: str, spans: Sequence[tuple[int, int]]) -> Markup:
    """Return links to lines of code in a function."""
    links = [_link(f"L{a}", str(a) if a == b else f"{a}–{b}") for a, b in spans]
    word = "line" if len(spans) == 1 and spans[0][0] == spans[0][1] else "lines"
    return Markup("<code>{}</code>, {} {}").format(function, word, _joined(links, ", "))


def _table(table: Table) -> Markup:
    head = _joined(
        Markup('<th scope="col">{}</th>').format(_inlines(cell)) for cell in table.header
    )
    rows = _joined(
        Markup("<tr>{}</tr>\n").format(
            _joined(Markup("<td>{}</td>").format(_inlines(cell)) for cell in row)
        )
        for row in table.rows
    )
    pattern = (
        '<div class="scroll"><table><thead><tr>{}</tr></thead>\n<tbody>{}</tbody></table></div>\n'
    )
    return Markup(pattern).format(head, rows)


def _listing(listing: Listing, document: Document, numbers: dict[str, int]) -> Markup:
    computed: dict[int, list[Markup]] = {}
    for display in document.displays():
        for code in display.code:
            links = computed.setdefault(code.first, [])
            if display.anchor:
                links.append(_link(display.anchor, f"({numbers[display.anchor]})"))
    lines = (
        Markup("<span{}>{}{}\n</span>").format(
            _identity(f"L{number}" if number in computed else ""), line, _readers(computed, number)
        )
        for number, line in enumerate(highlighted(listing.text.rstrip("\n")), 1)
    )
    pattern = (
        '<figure class="listing"><figcaption><code>{}</code></figcaption>'
        '<pre class="scroll">{}</pre></figure>\n'
    )
    return Markup(pattern).format(listing.name, _joined(lines))


def _readers(computed: Mapping[int, list[Markup]], line: int) -> Markup:
    """Return links to the displays whose code begins at a line."""
    links = computed.get(line)
    return Markup("<small>{}</small>").format(_joined(links, " ")) if links else Markup("")
