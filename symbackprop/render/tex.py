"""A document as LaTeX source, which pdflatex of a plain installation compiles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, starmap

from symbackprop.frames import latex_environment
from symbackprop.render.breaking import flat, spread
from symbackprop.render.document import (
    Arrow,
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
from symbackprop.render.latex import breakable, latex
from symbackprop.render.measure import letters, width
from symbackprop.render.plain import plain
from symbackprop.render.tex_text import bookmark, columns, escaped, listed_line, typewriter
from symbackprop.render.typeset import Math, Operator, Row, row

_LINE = 40.0  # ems of text in a line
_RELATION = 1.5  # ems of a relation and the space around it
_HEADING = 0.55 * _LINE  # of its larger type
_LEFT = 0.4 * _LINE  # of it, what left-hand sides may take
_SECTIONS_WITH_CONTENTS = 6
_LISTED_COLUMNS = 92
_HEADINGS = ("section", "subsection", "subsubsection")
_SEMICOLON = Operator(";", "punctuation")


def tex(document: Document) -> str:
    """Return the whole source of a document: plain ASCII, the same for the same document."""
    writer = _Writer(document)
    frame = latex_environment().get_template("document.tex.jinja")
    return frame.render(
        title=escaped(document.title),
        pdf_title=bookmark(document.title),
        summary=writer.inlines(document.summary),
        contents=len(document.sections) >= _SECTIONS_WITH_CONTENTS,
        body="\n\n".join(writer.section(section) for section in document.sections),
    )


class _Writer:
    """Writes blocks; knows which lines of the listing belong to which display."""

    def __init__(self, document: Document) -> None:
        blocks = [block for section in document.sections for block in section.blocks]
        self._has_listing = any(isinstance(block, Listing) for block in blocks)
        self._readers: dict[int, str] = {}
        for display in document.displays():
            for lines in display.code:
                self._readers.setdefault(lines.first, display.anchor)

    def section(self, section: Section) -> str:
        heading = _HEADINGS[min(section.level, len(_HEADINGS)) - 1]
        words = _words(section.title)
        title, short = self.inlines(section.title, _HEADING), bookmark(words)
        fits = letters(words) <= _HEADING  # as it is, in a line of the contents
        unlinked = tuple(_unlinked(part) for part in section.title)
        listed = self.inlines(unlinked) if fits else escaped(short)
        head = (
            rf"\{heading}[{{\texorpdfstring{{{listed}}}{{{short}}}}}]"
            rf"{{\anchor{{{_name(section.anchor)}}}{title}}}"
        )
        texts = [self._block(block) for block in section.blocks]
        for position, (block, after) in enumerate(pairwise(section.blocks)):
            if isinstance(block, Paragraph) and isinstance(after, Display):
                texts[position] += r"\par\nobreak"
        return "\n\n".join([head, *texts])

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph(content):
                text = self.inlines(content)
            case Display():
                text = self._display(block)
            case Table():
                text = self._table(block)
            case Diagram():
                text = self._diagram(block)
            case Listing():
                text = self._listing(block)
        return text

    def inlines(self, content: Inlines, room: float = _LINE) -> str:
        return "".join(self._inline(part, room) for part in content)

    def _inline(self, part: Inline, room: float = _LINE) -> str:
        if isinstance(part, str):
            return escaped(part)
        if isinstance(part, Code):
            return rf"\texttt{{{typewriter(part.text)}}}"
        if isinstance(part, Link):
            return _linked(self._inline(part.content, room), part.anchor)
        return f"${_fitted(flat(part), room, display=False)}$"

    def _display(self, display: Display) -> str:
        lefts = [line.left for line in display.lines if line.left is not None]
        short = [left for left in lefts if width(left) <= _LEFT]
        widest = max(short, key=width, default=None)
        taken = 3.0 if widest is None else width(widest)
        lines = [rf"\begin{{derivation}}{{{'' if widest is None else latex(widest)}}}"]
        anchor = f"[{_name(display.anchor)}]" if display.anchor else ""
        for line in display.lines:
            lines.append(rf"\step{anchor}{self._step(line, _LINE - taken - _RELATION)}")
            anchor = ""
        lines.extend(self._origin(display))
        return "\n".join([*lines, r"\end{derivation}"])

    def _step(self, line: Line, room: float) -> str:
        left = "" if line.left is None else _fitted(line.left, _LINE)
        relation = latex(_relation(line.relation))
        right = _fitted(line.right, room)
        beside = self._beside(line, min(room, 0.8 * _LINE))
        return f"{{{left}}}{{{relation}}}\n  {{{right}}}\n  {{{beside}}}"

    def _beside(self, line: Line, room: float) -> str:
        ranges = [_ranges(part) for part in (line.condition, line.shape) if part is not None]
        note, length = self._note(line)
        ems = sum(width(part, False) for part in (line.condition, line.shape) if part is not None)
        if ems > room:
            return "".join(rf"\remark{{{part}}}" for part in [*ranges, note] if part)
        beneath = ""
        if note and (ems + length > room or length > 0.5 * _LINE):
            beneath = rf"\remark{{{note}}}"
        elif note:
            ranges.append(rf"\note{{{note}}}")
        together = r"\quad ".join(ranges)
        return (rf"\aside{{{together}}}" if ranges else "") + beneath

    def _note(self, line: Line) -> tuple[str, float]:
        rule = rf"\emph{{{escaped(line.rule)}}}" if line.rule else ""
        reason = self.inlines(line.reason)
        text = ": ".join(part for part in (rule, reason) if part)
        return text, 0.8 * letters(line.rule + _words(line.reason))

    def _origin(self, display: Display) -> Iterator[str]:
        if display.code:
            listed = "; ".join(starmap(self._lines, by_function(display.code).items()))
            yield rf"\source{{In the module: {listed}}}"
        if display.absorbed is not None:
            absorbed = self._inline(display.absorbed)
            yield rf"\source{{No line of its own: computed as part of {absorbed}}}"

    def _lines(self, function: str, spans: Sequence[tuple[int, int]]) -> str:
        words = "line" if len(spans) == 1 and spans[0][0] == spans[0][1] else "lines"
        numbers = ", ".join(self._span(first, last) for first, last in spans)
        return rf"{words} {numbers} of \texttt{{{typewriter(function)}}}"

    def _span(self, first: int, last: int) -> str:
        numbers = f"{first}--{last}" if first != last else f"{first}"
        return rf"\hyperlink{{line.{first}}}{{{numbers}}}" if self._has_listing else numbers

    def _table(self, table: Table) -> str:
        shares = _shares([table.header, *table.rows])
        columns = "".join(
            rf">{{\raggedright\arraybackslash}}p{{{share:.3f}\linewidth}}" for share in shares
        )
        head, *rows = (
            [self.inlines(cell, _LINE * share) for cell, share in zip(cells, shares, strict=True)]
            for cells in (table.header, *table.rows)
        )
        titles = " & ".join(rf"\textbf{{{cell}}}" for cell in head)
        body = "\n".join(rf"{' & '.join(cells)} \\" for cells in rows)
        return (
            rf"\begin{{longtable}}[l]{{@{{}}{columns}@{{}}}}"
            "\n"
            rf"\hline {titles} \\ \hline \endhead"
            f"\n{body}\n"
            r"\hline \end{longtable}"
        )

    def _diagram(self, diagram: Diagram) -> str:
        lines = ["\n".join(self._path(diagram, path)) for path in _paths(diagram)]
        drawn = {end for arrow in diagram.arrows for end in (arrow.source, arrow.target)}
        alone = (position for position in range(len(diagram.nodes)) if position not in drawn)
        lines.extend(self._node(diagram, position) for position in alone)
        body = "\n\\par\\medskip\n".join(lines)
        caption = rf"\par\smallskip \note{{{escaped(diagram.description)}}}"
        return "\n".join([r"\begin{center}", body, caption, r"\end{center}"])

    def _path(self, diagram: Diagram, path: Sequence[Arrow]) -> Iterator[str]:
        yield self._node(diagram, path[0].source)
        for arrow in path:
            forward = _linked(latex(arrow.forward, display=False), arrow.forward_anchor)
            if arrow.backward is None:
                yield rf"\onward{{{forward}}}"
            else:
                back = _linked(latex(flat(arrow.backward), display=False), arrow.backward_anchor)
                yield rf"\flow{{{forward}}}{{{back}}}"
            yield self._node(diagram, arrow.target)

    def _node(self, diagram: Diagram, position: int) -> str:
        node = diagram.nodes[position]
        symbol = _linked(latex(node.symbol, display=False), node.forward)
        return rf"\node{{{symbol}}}{{{escaped(node.label)}}}"

    def _listing(self, listing: Listing) -> str:
        lines = listing.text.removesuffix("\n").split("\n")
        digits = len(str(len(lines)))
        body = "\n".join(self._listed(number, line, digits) for number, line in enumerate(lines, 1))
        return f"\\begin{{listing}}\n{body}\n\\end{{listing}}"

    def _listed(self, number: int, line: str, digits: int) -> str:
        label = str(number).rjust(digits)
        if number in self._readers:
            link = _linked(label, self._readers[number])
            label = rf"\hypertarget{{line.{number}}}{{}}{link}"
        text = columns(line)
        starts = range(0, max(len(text), 1), _LISTED_COLUMNS)
        pieces = [text[start : start + _LISTED_COLUMNS] for start in starts]
        margins = [rf"\n{{{label}}}", *[rf"\n{{{' ' * digits}}}"] * (len(pieces) - 1)]
        return "\n".join(
            margin + listed_line(piece) for margin, piece in zip(margins, pieces, strict=True)
        )


def _fitted(math: Math, room: float, *, display: bool = True) -> str:
    """A formula for a line of some ems, with places to break where it may need them."""
    return breakable(spread(math, room), room, display=display)


def _ranges(math: Math) -> str:
    """Ranges of indices, which may stand on several lines."""
    groups: list[list[Math]] = [[]]
    for part in math.parts if isinstance(math, Row) else (math,):
        if part == _SEMICOLON:
            groups.append([])
        else:
            groups[-1].append(part)
    formulas = (_fitted(row(*group), _LINE, display=False) for group in groups)
    return "; ".join(f"${formula}$" for formula in formulas)


def _relation(text: str) -> Math:
    return Operator(text, "relation")


def _words(content: Inlines) -> str:
    return "".join(_plain(part) for part in content)


def _plain(part: Inline) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Code):
        return part.text
    return _plain(part.content) if isinstance(part, Link) else plain(part)


def _unlinked(part: Inline) -> Inline:
    return part.content if isinstance(part, Link) else part


def _linked(text: str, anchor: str) -> str:
    return rf"\hyperlink{{{_name(anchor)}}}{{{text}}}" if anchor and text.strip() else text


def _name(anchor: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", anchor)


def _shares(rows: Sequence[Sequence[Inlines]]) -> list[float]:
    """The part of the line that each column takes: what its widest cell needs, if all fit."""
    needed = [
        1.5 + max(letters(_words(cell)) for cell in column) for column in zip(*rows, strict=True)
    ]
    gaps = 0.027 * (len(needed) - 1)
    scale = min(1.0, (1 - gaps) * _LINE / sum(needed))
    floor = 0.5 * (1 - gaps) / len(needed)  # a narrow column beside long text keeps its width
    shares = [ems * scale / _LINE for ems in needed]
    if scale < 1:
        shares = [
            max(share, min(floor, ems / _LINE)) for share, ems in zip(shares, needed, strict=True)
        ]
        shares = [share * (1 - gaps) / sum(shares) for share in shares]
    return shares


def _paths(diagram: Diagram) -> list[list[Arrow]]:
    """The arrows as few chains, in the diagram's order."""
    left, paths = list(diagram.arrows), list[list[Arrow]]()
    while left:
        path = [left.pop(0)]
        while following := [arrow for arrow in left if arrow.source == path[-1].target]:
            path.append(following[0])
            left.remove(following[0])
        paths.append(path)
    return paths
