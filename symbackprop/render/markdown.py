"""Documents as GitHub Markdown: ``math`` fences, ``$`…`$`` in lines, anchors, a mermaid diagram.

Fenced formulas need no escapes. GitHub sets none inside a link, hence the arrow that follows one.
Anchors are elements of their own: ids that headings get depend on their words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap

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
from symbackprop.render.latex import latex
from symbackprop.render.plain import plain
from symbackprop.render.typeset import Math, Operator, Words

# A span around the sign: GitHub looks for formulas in the text that entities stand for.
_SIGNS = {
    **{sign: f"\\{sign}" for sign in "*_[]#~"},
    **{sign: f"&#{ord(sign)};" for sign in "\\`<>&|"},
    "$": "<span>&#36;</span>",
}
_LIST_MARK = re.compile(r"(?:[-+=]|\d+[.)])(?=\s|$)")  # where a paragraph starts with one


_LABEL_SIGNS = {sign: f"#{ord(sign)};" for sign in '"#&;<>`[]{}|\\'}


@dataclass(frozen=True, slots=True)
class Fences:
    """What a reader of Markdown wants around a formula, in a line and displayed."""

    inline: tuple[str, str]
    display: tuple[str, str]


GITHUB = Fences(("$`", "`$"), ("```math", "```"))
JUPYTER = Fences(("$", "$"), ("$$", "$$"))


def markdown(document: Document) -> str:
    """Return the document as Markdown that GitHub sets when it is pasted there."""
    parts = [opening(document, GITHUB)]
    parts.extend(section_text(section, document, GITHUB) for section in document.sections)
    return "\n".join(parts)


def opening(document: Document, fences: Fences) -> str:
    """Return title and summary."""
    return f"# {escaped(document.title)}\n\n{_Writer(fences, '').paragraph(document.summary)}"


def section_text(section: Section, document: Document, fences: Fences) -> str:
    """Return one section: anchor, heading and blocks, with a newline at the end."""
    writer = _Writer(fences, _listing_anchor(document))
    heading = f"{'#' * (section.level + 1)} {writer.inlines(section.title).strip()}\n"
    blocks = [writer.block(block) for block in section.blocks]
    return "\n".join([_anchor(section.anchor), heading, *blocks])


def escaped(text: str) -> str:
    """Return plain text as Markdown that shows it: no sign in it starts any markup."""
    return "".join(_SIGNS.get(sign, sign) for sign in re.sub(r"\s+", " ", text))


def _listing_anchor(document: Document) -> str:
    holding = [s for s in document.sections if any(isinstance(b, Listing) for b in s.blocks)]
    return holding[0].anchor if holding else ""


def _anchor(name: str) -> str:
    return f'<a id="{name}"></a>\n' if name else ""


def _fenced(opening: str, text: str, closing: str = "") -> str:
    """Return the text between fences longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    more = "`" * max(0, longest - 2) if opening.startswith("```") else ""
    return f"{more}{opening}\n{text}\n{closing or '```'}{more}\n"


def _code(text: str) -> str:
    """Return an inline span of code, longer fences around what holds backticks."""
    text = re.sub(r"\s+", " ", text)
    runs = {len(run) for run in re.findall("`+", text)}
    fence = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    space = " " if not text.strip() or "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


@dataclass(frozen=True, slots=True)
class _Writer:
    fences: Fences
    listing: str  # anchor of the section that holds the generated module

    def inlines(self, content: Inlines) -> str:
        return "".join(self.inline(part) for part in content)

    def inline(self, part: Inline) -> str:
        if isinstance(part, str):
            return escaped(part)
        if isinstance(part, Code):
            return _code(part.text)
        if isinstance(part, Link):
            if isinstance(part.content, str):
                return f"[{escaped(part.content)}](#{part.anchor})"
            return f"{self.inline(part.content)} [↗](#{part.anchor})"
        opening, closing = self.fences.inline
        return f"{opening}{latex(part, display=False)}{closing}"

    def paragraph(self, content: Inlines) -> str:
        """Return a paragraph, its first sign no mark of a list or a heading."""
        text = self.inlines(content).strip()
        mark = _LIST_MARK.match(text)
        if mark:
            text = f"{text[: mark.end() - 1]}\\{text[mark.end() - 1 :]}"
        return f"{text}\n"

    def block(self, block: Block) -> str:
        match block:
            case Paragraph():
                return self.paragraph(block.content)
            case Display():
                return self.display(block)
            case Table():
                return self.table(block)
            case Diagram():
                return self.diagram(block)
            case Listing():
                return _numbered(block)

    def display(self, display: Display) -> str:
        opening, closing = self.fences.display
        notes = dict.fromkeys(self.note(line) for line in display.lines if line.reason)
        return "\n".join(
            [
                *([_anchor(display.anchor)] if display.anchor else []),
                _fenced(opening, _aligned(display.lines), closing),
                *notes,
                *self.places(display),
            ]
        )

    def note(self, line: Line) -> str:
        """Return the reason of a line as a sentence."""
        rule = f"*{escaped(line.rule)}:* " if line.rule else ""
        return f"{rule}{self.inlines(line.reason).strip()}.\n"

    def places(self, display: Display) -> list[str]:
        """Return where the generated module computes the display, or which one computes it too."""
        if display.absorbed is not None:
            return [f"No line of its own: part of {self.inline(display.absorbed)}.\n"]
        if not display.code:
            return []
        places = "; ".join(starmap(self.place, by_function(display.code).items()))
        return [f"Computed in {places}.\n"]

    def place(self, function: str, spans: Sequence[tuple[int, int]]) -> str:
        numbers = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)
        word = "line" if numbers.isdigit() else "lines"
        linked = f"[{word} {numbers}](#{self.listing})" if self.listing else f"{word} {numbers}"
        return f"{_code(function)}, {linked}"

    def table(self, table: Table) -> str:
        rows = [table.header, *table.rows]
        lines = [f"| {' | '.join(self.cell(cell) for cell in row)} |" for row in rows]
        lines.insert(1, f"|{' --- |' * len(table.header)}")
        return "\n".join(lines) + "\n"

    def cell(self, content: Inlines) -> str:
        """Return a cell: a bar would end it, even within code or a formula."""
        parts = []
        for part in content:
            text = self.inline(part)
            if isinstance(part, Code):
                text = text.replace("|", "\\|")
            elif not isinstance(part, str):
                text = text.replace("\\|", "\\Vert ").replace("|", "\\vert ")
            parts.append(text)
        return "".join(parts).strip()

    def diagram(self, diagram: Diagram) -> str:
        """Return a chart and a table of its links, which the chart itself cannot hold."""
        lines = ["flowchart LR"]
        for place, node in enumerate(diagram.nodes):
            lines.append(f'    n{place}["{_label(plain(node.symbol), node.label)}"]')
        for arrow in diagram.arrows:
            words = [f"→ {plain(arrow.forward)}"]
            words += [f"← {plain(arrow.backward)}"] if arrow.backward is not None else []
            lines.append(f'    n{arrow.source} -->|"{_label(*words)}"| n{arrow.target}')
        rows = tuple(
            ((node.symbol,), (node.label,), _to(node.forward), _to(node.backward))
            for node in diagram.nodes
        )
        table = Table((("value",), ("layer",), ("forward",), ("backward",)), rows)
        chart = _fenced("```mermaid", "\n".join(lines))
        return "\n".join([self.paragraph((diagram.description,)), chart, self.table(table)])


def _to(anchor: str) -> Inlines:
    return (Link("derived", anchor),) if anchor else ()


def _label(*lines: str) -> str:
    """Return plain lines as the quoted label of a mermaid chart."""
    texts = ["".join(_LABEL_SIGNS.get(s, s) for s in re.sub(r"\s+", " ", line)) for line in lines]
    return "<br>".join(text for text in texts if text)


def _numbered(listing: Listing) -> str:
    """Return the listing with the line numbers that displays name."""
    lines = listing.text.rstrip("\n").split("\n")
    width = len(str(len(lines)))
    text = "\n".join(f"{n:>{width}}  {line}".rstrip() for n, line in enumerate(lines, 1))
    return f"{_code(listing.name)}:\n\n{_fenced('```python', text)}"


def _aligned(lines: tuple[Line, ...]) -> str:
    """Return lines in columns: equation, and those of condition, shape and rule that any has."""
    rows = [
        [_equation(line), line.condition, line.shape, Words(line.rule) if line.rule else None]
        for line in lines
    ]
    kept = [column for column in range(4) if any(row[column] is not None for row in rows)]
    texts = [" && ".join(_cell(row[column]) for column in kept).rstrip(" &") for row in rows]
    return "\\begin{aligned}\n" + " \\\\\n".join(texts) + "\n\\end{aligned}"


def _cell(part: str | Math | None) -> str:
    if part is None:
        return ""
    return part if isinstance(part, str) else latex(part)


def _equation(line: Line) -> str:
    left = "" if line.left is None else f"{latex(line.left)} "
    relation = latex(Operator(line.relation, "relation")).strip()
    return f"{left}& {relation} {latex(line.right)}"
