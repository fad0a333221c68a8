"""The links of a document: each leads to exactly one place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from symbackprop.render.document import (
    Block,
    Diagram,
    Display,
    Document,
    Inlines,
    Link,
    Listing,
    Paragraph,
    Table,
)

_FORM = re.compile(r"[a-z0-9-]+")


def check_anchors(document: Document) -> None:
    """Raise ValueError unless anchors are well formed and links and code lines lead somewhere."""
    places = Counter(_places(document))
    if malformed := [anchor for anchor in places if not _FORM.fullmatch(anchor)]:
        raise ValueError(f"malformed anchors: {malformed}")
    if repeated := [anchor for anchor, count in places.items() if count > 1]:
        raise ValueError(f"anchors of more than one place: {repeated}")
    if missing := [anchor for anchor in _targets(document) if anchor and anchor not in places]:
        raise ValueError(f"links that lead nowhere: {missing}")
    _check_code(document)


def _check_code(document: Document) -> None:
    listings = [block for block in _blocks(document) if isinstance(block, Listing)]
    if len(listings) > 1:
        raise ValueError("a document has one listing")
    length = sum(listing.text.rstrip("\n").count("\n") + 1 for listing in listings)
    for display in document.displays():
        for code in display.code:
            if not 1 <= code.first <= code.last <= length:
                raise ValueError(f"lines that are not listed: {code}")


def _blocks(document: Document) -> Iterator[Block]:
    for section in document.sections:
        yield from section.blocks


def _places(document: Document) -> Iterator[str]:
    for section in document.sections:
        yield section.anchor
    yield from (display.anchor for display in document.displays() if display.anchor)


def _targets(document: Document) -> Iterator[str]:
    """Yield every anchor that something leads to; an empty one leads nowhere, and may."""
    for inlines in _texts(document):
        yield from (piece.anchor for piece in inlines if isinstance(piece, Link))
    for block in _blocks(document):
        if isinstance(block, Diagram):
            for node in block.nodes:
                yield from (node.forward, node.backward)
            for arrow in block.arrows:
                yield from (arrow.forward_anchor, arrow.backward_anchor)


def _texts(document: Document) -> Iterator[Inlines]:
    yield document.summary
    yield from (section.title for section in document.sections)
    for block in _blocks(document):
        if isinstance(block, Paragraph):
            yield block.content
        elif isinstance(block, Table):
            yield from (cell for cells in (block.header, *block.rows) for cell in cells)
        elif isinstance(block, Display):
            yield from (line.reason for line in block.lines)
            if block.absorbed is not None:
                yield (block.absorbed,)
