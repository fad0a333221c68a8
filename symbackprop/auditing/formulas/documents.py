"""Where formulas stand in a text: Markdown, LaTeX, cells of a notebook, plain text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from symbackprop.auditing.formulas.commands import blanked, own_displays
from symbackprop.auditing.formulas.reading.tokens import Macro, macros_of
from symbackprop.auditing.formulas.reading.words import CASES, MATRICES, ROWED
from symbackprop.errors import SymbackpropError

MAX_FORMULAS = 2_000
MAX_INLINE = 1_000
WORDS_AROUND = 240


@dataclass(frozen=True, slots=True)
class Source:
    """One row of a display, or one inline formula, as it stands in the document.

    Attributes:
        path: Of the file; ``-`` for standard input.
        line: Of the row, counted from 1; in a notebook within its cell.
        column: Counted from 1.
        cell: Of a notebook, counted from 0; None elsewhere.
        text: The row's LaTeX as written, without delimiters.
        kind: ``display``, ``inline``, ``given`` (the user's own definitions) or ``claim``.
        display: A number shared by the rows of one display, increasing through the document.
        words: The words of the paragraph before the formula and those after it.
        expect: The verdict that a claims file states; None elsewhere.
        section: How many headings stand before it.
    """

    path: str
    line: int
    column: int
    cell: int | None
    text: str
    kind: str
    display: int = 0
    words: tuple[str, str] = ("", "")
    expect: str | None = None
    section: int = 0

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset in the text."""
        before = self.text[:offset]
        breaks = before.count("\n")
        if not breaks:
            return self.line, self.column + offset
        return self.line + breaks, offset - before.rfind("\n")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The formulas that are read together: a document, or one entry of a claims file."""

    path: str
    sources: tuple[Source, ...]
    macros: Mapping[str, Macro]
    name: str = ""


def read_text(path: str, text: str) -> Sheet:
    """Find the formulas of Markdown or plain text."""
    return Sheet(path, tuple(_Finder(path, text)), macros_of(text))


def read_tex(path: str, text: str) -> Sheet:
    """Find the formulas of a LaTeX file."""
    return Sheet(path, tuple(_Finder(path, _without_comments(text), tex=True)), macros_of(text))


def read_cells(path: str, cells: Sequence[tuple[int, str]]) -> Sheet:
    """Find the formulas of a notebook's cells of text, each with its number."""
    sources: list[Source] = []
    headings = 0
    for number, content in cells:
        first = sources[-1].display + 1 if sources else 0
        finder = _Finder(path, content, first=first)
        sources += [replace(s, cell=number, section=s.section + headings) for s in finder]
        headings += len(finder.headings)
    return Sheet(path, tuple(sources), macros_of("\n".join(content for _, content in cells)))


def read_formula(text: str, given: str = "", path: str = "-") -> Sheet:
    r"""Return a sheet of one formula, or several rows, with definitions that are given.

    Both may be bare LaTeX, or hold ``$`` and ``$$``; rows are parted by ``\\`` or line ends.
    """
    sources = [*_bare(path, given, "given", 0), *_bare(path, text, "claim", 1)]
    return Sheet(path, tuple(sources), macros_of(given + "\n" + text))


def _bare(path: str, text: str, kind: str, display: int) -> Iterator[Source]:
    if "$" in text or r"\[" in text or r"\(" in text:
        yield from (replace(s, kind=kind) for s in _Finder(path, text, first=display))
        return
    line = 1
    text = without_rowed(text)
    for block in text.split("\n") if r"\begin" not in text else [text]:
        breaks = _breaks(block)
        for start, end in rows_of(block):
            if block[start:end].strip():
                row_line, column = _position(breaks, start)
                yield Source(
                    path, line + row_line - 1, column, None, block[start:end], kind, display
                )
        line += 1


def _without_comments(text: str) -> str:
    """Blank out comments, but those that tell the audit to ignore a line."""
    return re.sub(
        r"(?<!\\)(?:\\\\)*(%(?!\s*symbackprop).*)",
        lambda m: m.group()[: m.start(1) - m.start()] + " " * len(m.group(1)),
        text,
    )


_ROW_ENVIRONMENT = "|".join(name for name in ROWED if name.isalpha())
_MARKDOWN_SKIPPED = re.compile(
    r"(?P<ignore><!--\s*symbackprop:\s*ignore\s*-->|%\s*symbackprop:\s*ignore[^\n]*)"
    # What does not close runs to the end: looking for it again and again would take squared time.
    r"|(?P<comment><!--.*?(?:-->|\Z))"
    r"|(?P<fence>^[ \t>]*(?P<ticks>`{3,}+|~{3,}+)[ \t]*(?P<lang>[\w-]*)[^\n]*\n"
    r"(?P<body>.*?)(?:^[ \t>]*(?P=ticks)[ \t]*$|\Z))"
    # What closes one formula of GitHub's and opens the next is no code between them.
    r"|(?P<math>(?<![\\$])\$`[^`\n]+`\$)"
    r"|(?P<code>(?<![`$])(?P<quote>`{1,3})(?!`)[^\n]*?(?<!`)(?P=quote)(?!`))",
    re.DOTALL | re.MULTILINE,
)
_TEX_SKIPPED = re.compile(
    r"(?P<ignore>%\s*symbackprop:\s*ignore[^\n]*)"
    r"|(?P<comment>\\begin\{(?P<skipped>verbatim|lstlisting|minted|tikzpicture|comment)\*?\}.*?"
    r"(?:\\end\{(?P=skipped)\*?\}|\Z))",
    re.DOTALL,
)
_OPENING = re.compile(
    rf"(?<!\\)\$\$(?!\s*\$\$)|\\\\?\[(?!\d)|\\\\?\(|(?<![\\$])\$`?(?!\s*\$)"
    rf"|\\begin\{{(?P<name>{_ROW_ENVIRONMENT})\*?\}}"
)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]|^ {0,3}(?:={3,}|-{3,})[ \t]*$", re.MULTILINE)
_TEX_HEADING = re.compile(r"\\(?:chapter|(?:sub){0,2}section|paragraph)\b")
_CLOSING = {"$$": "$$", "$`": "`$", "$": "$", "[": "]", "(": ")"}


class _Finder:
    """Finds the formulas of one text; iterating gives their rows in order."""

    def __init__(self, path: str, text: str, tex: bool = False, first: int = 0) -> None:
        self.path, self.first = path, first
        self.text = text
        self.tex = tex
        self.ignored: list[int] = []
        self.fenced: list[tuple[int, int]] = []
        self.plain = self._blanked(text)
        self.breaks = _breaks(text)
        heading = _TEX_HEADING if tex else _HEADING
        self.headings = [match.start() for match in heading.finditer(self.plain)]

    def _blanked(self, text: str) -> str:
        """Return the text with code and comments blanked, of the same length."""
        skipped = _TEX_SKIPPED if self.tex else _MARKDOWN_SKIPPED
        start = text.find(r"\begin{document}") if self.tex else -1
        if start > 0:
            self.text, self.fenced, wholes = own_displays(self.text, start)
            text = blanked(text, [(0, start), *wholes])

        def blank(match: re.Match[str]) -> str:
            groups = match.groupdict()
            if groups.get("math"):
                return match.group()
            if groups["ignore"]:
                self.ignored.append(match.start())
            elif groups.get("lang") == "math":
                self.fenced.append(match.span("body"))
            return _blank(match.group())

        return skipped.sub(blank, text)

    def __iter__(self) -> Iterator[Source]:
        found = [(start, end, "display") for start, end in self.fenced]
        found += islice(self._delimited(), MAX_FORMULAS + 1)
        if len(found) > MAX_FORMULAS:
            raise SymbackpropError(
                f"{self.path}: more than {MAX_FORMULAS} formulas; split the file"
            )
        number = self.first
        for start, end, kind in sorted(found):
            if self._is_ignored(start, end):
                continue
            yield from self._rows(start, end, kind, number)
            number += 1

    def _delimited(self) -> Iterator[tuple[int, int, str]]:
        """Yield where formulas begin and end between their delimiters."""
        at = 0
        # Closing marks that are not found once are not looked for again: time stays linear.
        missing: set[str] = set()
        while (match := _OPENING.search(self.plain, at)) is not None:
            opening = match.group()
            closing = self._closing_of(opening)
            is_inline = opening in ("$", "$`") or opening.endswith("(")
            start = match.end()
            stop = min(len(self.plain), start + MAX_INLINE) if is_inline else len(self.plain)
            end = -1 if closing in missing else self._end(closing, start, stop)
            if end < 0 and not is_inline:
                missing.add(closing)
            if end < 0 or not self._is_formula(is_inline, start, end):
                at = start
                continue
            at = end + len(closing)
            if match.group("name"):
                start, end = match.start(), at
            if opening == "$$":
                is_inline = not self._stands_alone(match.start(), at)
            yield start, end, "inline" if is_inline else "display"

    @staticmethod
    def _closing_of(opening: str) -> str:
        if opening.startswith(r"\begin"):
            return opening.replace("begin", "end", 1)
        return _CLOSING.get(opening) or opening[:-1] + _CLOSING[opening[-1]]

    def _end(self, closing: str, start: int, stop: int) -> int:
        """Return where a closing mark stands that no backslash escapes, or -1."""
        at = self.plain.find(closing, start, stop)
        while at > 0 and closing[0] == "$" and self.plain[at - 1] == "\\":
            at = self.plain.find(closing, at + 1, stop)
        return at

    def _is_formula(self, is_inline: bool, start: int, end: int) -> bool:
        """Whether what stands between the marks may be one: not empty, no paragraphs inline."""
        body = self.plain[start:end]
        return bool(body.strip()) and not (is_inline and re.search(r"\n\s*\n", body))

    def _stands_alone(self, start: int, end: int) -> bool:
        body = self.plain[start:end]
        before = self.plain[max(self._line_start(start), start - WORDS_AROUND) : start]
        return "\n" in body or not re.search(r"\w", before) or len(body) > 60

    def _line_start(self, at: int) -> int:
        return _line_start(self.breaks, at)

    def _is_ignored(self, start: int, end: int) -> bool:
        """Whether a remark to ignore stands on the formula's lines, or in the line before it."""
        first = self._line_start(start)
        last = self.text.find("\n", end)
        stop = last if last >= 0 else len(self.text)
        near = self.ignored[
            bisect_left(self.ignored, min(first, start - MAX_INLINE)) : bisect_left(
                self.ignored, stop
            )
        ]
        return any(at >= first or (self._is_alone(at) and self._adjoins(at, start)) for at in near)

    def _is_alone(self, at: int) -> bool:
        """Whether a remark is the first thing on its line."""
        return not self.text[max(self._line_start(at), at - WORDS_AROUND) : at].strip()

    def _adjoins(self, at: int, start: int) -> bool:
        """Whether nothing but space and opening marks stands between."""
        return start - at < MAX_INLINE and not self.plain[at:start].strip(" \n\t$\\[`")

    def _rows(self, start: int, end: int, kind: str, number: int) -> Iterator[Source]:
        body = self.text[start:end]
        if kind == "display":
            # A quoted display carries > at the start of each line.
            body = re.sub(r"(?m)^([ \t]*)>", r"\1 ", body)
        words = (
            _words(self.plain[max(0, start - WORDS_AROUND) : start].rsplit("\n\n", 1)[-1]),
            _words(self.plain[end : end + WORDS_AROUND].split("\n\n", 1)[0]),
        )
        body = without_rowed(body)
        for first, last in rows_of(body):
            lead = len(body[first:last]) - len(body[first:last].lstrip())
            text = body[first + lead : last].rstrip()
            if text:
                line, column = _position(self.breaks, start + first + lead)
                section = bisect_left(self.headings, start)
                yield Source(
                    self.path, line, column, None, text, kind, number, words, section=section
                )


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _words(text: str) -> str:
    return " ".join(text.replace("$", " ").split())


def _breaks(text: str) -> list[int]:
    return [match.start() for match in re.finditer("\n", text)]


def _line_start(breaks: list[int], at: int) -> int:
    line = bisect_left(breaks, at)
    return breaks[line - 1] + 1 if line else 0


def _position(breaks: list[int], at: int) -> tuple[int, int]:
    return bisect_left(breaks, at) + 1, at - _line_start(breaks, at) + 1


_ROW_MARK = re.compile(
    r"\\begin\{(?P<begin>\w+)\*?\}|\\end\{(?P<end>\w+)\*?\}|(?P<row>\\{2,4}|\\newline|\\cr(?![a-z]))"
    r"(?:\[-?[\d.]+ ?[a-z]{2}\])?|(?P<escaped>\\[{}])|(?P<open>\{)|(?P<close>\})"
)


def rows_of(text: str) -> list[tuple[int, int]]:
    r"""Return where the rows of a display begin and end: ``\\`` outside of braces and matrices."""
    rows: list[tuple[int, int]] = []
    start = depth = 0
    for match in _ROW_MARK.finditer(text):
        name = match.group("begin") or match.group("end") or ""
        if name in MATRICES or name in CASES:
            depth += 1 if match.group("begin") else -1
        elif match.group("open") or match.group("close"):
            depth += 1 if match.group("open") else -1
        elif match.group("row") and depth <= 0:
            rows.append((start, match.start()))
            start = match.end()
    rows.append((start, len(text)))
    return rows


_ROWED_MARK = re.compile(
    rf"\\(?:begin|end)\{{(?:{_ROW_ENVIRONMENT})\*?\}}(?:(?<=at\}})\{{\d+\}}|(?<=at\*\}})\{{\d+\}})?"
)


def without_rowed(text: str) -> str:
    """Blank out the environments whose rows are rows of the display."""
    text = _ROWED_MARK.sub(lambda m: _blank(m.group()), text)
    text = re.sub(r"\\label\{[^{}]*\}", lambda m: _blank(m.group()), text)
    # Site generators double the backslash of an escaped underscore.
    text = re.sub(r"\\{2,4}_", lambda m: " " * (len(m.group()) - 2) + r"\_", text)
    arrays = re.compile(
        r"\\begin\{array\}\s*\{[rlc]*(?:rcl|rl)[rlc]*\}(.*?)\\end\{array\}", re.DOTALL
    )
    return arrays.sub(
        lambda m: _blank(m.group()[: m.start(1) - m.start()]) + m.group(1) + " " * 11, text
    )
