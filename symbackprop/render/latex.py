r"""Formulas as LaTeX, in the part of it that pdflatex, MathJax and KaTeX share.

All of it is plain ASCII, every argument is in braces, and what a formula's texts hold is printed
rather than obeyed. ``<`` is never followed by what could begin an HTML tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import inf

from symbackprop.render import latex_signs
from symbackprop.render.breaking import is_stiff, reluctance
from symbackprop.render.measure import height, width
from symbackprop.render.typeset import (
    APPLICATION,
    PRIME,
    TIMES,
    Accent,
    Cases,
    Fenced,
    Fraction,
    Large,
    Math,
    Numeral,
    Operator,
    Root,
    Row,
    Script,
    Symbol,
    Words,
)

# Names that LaTeX spaces as functions; any other is set upright.
_FUNCTIONS = frozenset(
    ("exp", "log", "ln", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "max", "min", "det")
)
_LARGE = {"Σ": r"\sum", "∑": r"\sum", "Π": r"\prod", "∏": r"\prod", "∫": r"\int"}
_MARKS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde"}
_DELIMITERS = tuple("()[]{}|‖⟨⟩⌊⌋⌈⌉/")
_CLASSES = {
    "relation": r"\mathrel{%s}",
    "binary": r"\mathbin{%s}",
    "punctuation": r"\mathpunct{%s}",
    "prefix": "{%s}",
    "plain": "{%s}",
}
# How far a bracket of each size reaches from the axis, in ems; beyond, it grows by itself.
_SIZES = ((0.72, ""), (0.85, "big"), (1.0, "Big"), (1.4, "bigg"), (1.8, "Bigg"))
_WORST = 40  # of the depths of breaks, whose penalties end below TeX's "never"
_SPACED = {"relation": " %s ", "binary": " %s ", "punctuation": "%s "}


def latex(math: Math, *, display: bool = True) -> str:
    r"""Return a formula as LaTeX, without the dollars around it.

    Args:
        math: the formula.
        display: whether it stands on a line of its own, where fractions and sums are large, and
            the brackets around them with them.
    """
    return _Printer(display).text(math)


def breakable(math: Math, room: float, *, display: bool = True) -> str:
    r"""Return a formula as LaTeX for lines of ``room`` ems, with macros that a page has.

    Where it takes most of a line, ``\brk{depth}`` stands wherever a line may end: the depth is 0
    before a relation or a sum's next term, and more within brackets and products. What is wider
    than a line and has no such place is the argument of ``\fit``. Cases are as large as displays.
    """
    return _Printer(display, room, width(math, display) > 0.6 * room).text(math)


class _Printer:
    """Prints one formula for lines of ``room`` ems: a page's, if that is finite."""

    def __init__(
        self, display: bool, room: float = inf, breaks: bool = False, depth: int = 0
    ) -> None:
        self._display = display
        self._room = room
        self._breaks = breaks
        self._depth = depth

    def text(self, math: Math) -> str:
        if is_stiff(math, self._room):
            style = r"\displaystyle " if self._display else ""
            return rf"\fit{{{style}{self._whole(math)}}}"
        return self._text(math)

    def _text(self, math: Math) -> str:
        match math:
            case Symbol(text, style):
                printed = _symbol(text, style)
            case Numeral(text):
                printed = _joined(*_numeral(text))
            case Operator(text, form):
                printed = _operator(text, form)
            case Words(text):
                printed = words(text)
            case Row(parts):
                printed = self._row(parts)
            case Fraction(above, below):
                printed = rf"\frac{{{self._small(above)}}}{{{self._small(below)}}}"
            case Script(base, below, above):
                printed = self._base(base) + self._scripts(below, above)
            case Accent(base, mark):
                printed = f"{_MARKS[mark]}{{{self._whole(base)}}}"
            case Large(mark, below, above):
                printed = _large(mark) + self._scripts(below, above)
            case Fenced(opening, body, closing):
                printed = self._fenced(opening, body, closing)
            case Root(body):
                printed = rf"\sqrt{{{self._whole(body)}}}"
            case Cases(rows):
                printed = self._cases(rows)
        return printed

    def _whole(self, math: Math) -> str:
        """A part that no line ends in."""
        return _Printer(self._display).text(math)

    def _small(self, math: Math) -> str:
        return _Printer(display=False).text(math)

    def _row(self, parts: Sequence[Math]) -> str:
        text = ""
        for position, part in enumerate(parts):
            before = parts[position - 1] if position else None
            after = parts[position + 1] if position + 1 < len(parts) else None
            text = _joined(text, self._break(before, part, after), self._part(before, part, after))
        return text.strip()

    def _part(self, before: Math | None, part: Math, after: Math | None) -> str:
        if isinstance(part, Operator) and part.text == TIMES:
            return _product(before, after)
        if isinstance(part, Operator) and part.text == APPLICATION:
            return "" if isinstance(after, Fenced) else " " if _is_function(before) else r"\, "
        if isinstance(part, Operator) and part.form in _SPACED:
            wider = r"\;" if part.text == ";" else ""
            return _SPACED[part.form] % (self.text(part) + wider)
        if isinstance(part, Operator) and part.form == "prefix":
            opens = before is None or (isinstance(before, Operator) and before.text != TIMES)
            sign, form = latex_signs.sign(part.text)
            return sign if form == "plain" or (sign and opens) else _operator(part.text, "prefix")
        text = self._braced(part) if isinstance(part, Row) else self.text(part)
        return f" {text}" if isinstance(before, Large) else text

    def _braced(self, math: Math) -> str:
        return f"{{{self._whole(math)}}}"

    def _break(self, before: Math | None, part: Math, after: Math | None) -> str:
        """Where a line may end in front of a part: never at the start or after a sign."""
        if not self._breaks or before is None or after is None or isinstance(before, Large):
            return ""
        worse = reluctance(before, part)
        return "" if worse is None else rf"\brk{{{min(2 * self._depth + worse, _WORST)}}}"

    def _base(self, base: Math) -> str:
        if isinstance(base, Symbol | Accent | Numeral | Fenced | Operator):
            return self.text(base)
        return self._braced(base)

    def _scripts(self, below: Math | None, above: Math | None) -> str:
        text = "" if below is None else f"_{{{self._small(below)}}}"
        if above is None:
            return text
        primes = above.parts if isinstance(above, Row) else (above,)
        if all(isinstance(part, Symbol | Operator) and part.text == PRIME for part in primes):
            return text + "'" * len(primes)
        return f"{text}^{{{self._small(above)}}}"

    def _fenced(self, opening: str, body: Math, closing: str) -> str:
        needed = height(body, self._display)
        inner = _Printer(self._display, self._room, self._breaks, self._depth + 1).text(body)
        for reach, size in _SIZES:
            if needed <= reach:
                return _joined(_bracket(opening, size, "l"), inner, _bracket(closing, size, "r"))
        if self._breaks:  # brackets that grow by themselves must stand on one line
            return _joined(_bracket(opening, "Bigg", "l"), inner, _bracket(closing, "Bigg", "r"))
        return _joined(rf"\left{_delimiter(opening)}", inner, rf"\right{_delimiter(closing)}")

    def _cases(self, rows: Sequence[tuple[Math, Math | None]]) -> str:
        large = self._display and self._room < inf
        lines = [
            (rf"\displaystyle {self._whole(value)} & " if large else f"{self._small(value)} & ")
            + (r"\text{otherwise}" if when is None else rf"\text{{if }} {self._small(when)}")
            for value, when in rows
        ]
        return (
            r"\begin{cases} " + (r" \\[4pt] " if large else r" \\ ").join(lines) + r" \end{cases}"
        )


def _joined(*texts: str) -> str:
    """The texts side by side, with a space where a command would run into a letter."""
    whole = ""
    for text in texts:
        runs_on = re.search(r"\\[A-Za-z]+$", whole) and re.match(r"[A-Za-z]|\\[A-Za-z]", text)
        whole += f" {text}" if runs_on else text
    return whole


def _product(before: Math | None, after: Math | None) -> str:
    """The space of an invisible product: some after fractions and brackets, and by long names."""
    if _is_function(after):  # which LaTeX spaces by itself
        return " "
    wordy = any(_is_wordy(part) for part in (before, after))
    apart = isinstance(before, Fraction) and not isinstance(after, Fenced)
    condition = isinstance(after, Fenced) and after.opening == "["  # f [u > v] is no call
    closed = isinstance(before.base if isinstance(before, Script) else before, Fenced)
    return r" \, " if apart or wordy or closed or condition else " "


def _is_wordy(math: Math | None) -> bool:
    if isinstance(math, Script | Accent):
        return _is_wordy(math.base)
    return isinstance(math, Symbol) and len(math.text) > 1 and math.text not in _FUNCTIONS


def _is_function(math: Math | None) -> bool:
    base = math.base if isinstance(math, Script) else math
    return isinstance(base, Symbol) and base.style == "upright" and base.text in _FUNCTIONS


def _symbol(text: str, style: str) -> str:
    greek = latex_signs.greek(text) if len(text) == 1 else ""
    if style == "upright" and text in _FUNCTIONS:
        return rf"\{text}"
    if style == "bold":
        command = r"\boldsymbol" if greek else r"\mathbf"
        return rf"{command}{{{greek or ''.join(_characters(text))}}}"
    if style == "upright":
        return rf"\mathrm{{{''.join(_characters(text))}}}"
    pieces = list(_characters(text))
    if len(text) == len(pieces) == 1 and re.fullmatch(r"[A-Za-z]|\\[A-Za-z]+", pieces[0]):
        return pieces[0]
    return rf"\mathit{{{''.join(pieces)}}}"


def _characters(text: str) -> Iterator[str]:
    """Yield each character of a name: a letter, a command or, in words, its code point."""
    for position, character in enumerate(text):
        if character.isascii() and character.isalnum():
            yield character
            continue
        command = latex_signs.greek(character) or latex_signs.sign(character)[0]
        if not command:
            yield from (
                letter for letter in latex_signs.base_letters(character) if letter.isalnum()
            )
        elif re.search(r"\\[A-Za-z]+$", command) and position + 1 < len(text):
            yield f"{command} "
        else:
            yield command if command.isalpha() or command.startswith("\\") else f"{{{command}}}"


def _numeral(text: str) -> Iterator[str]:
    for character in text:
        if character.isascii() and (character.isdigit() or character == "."):
            yield character
        else:
            yield from _characters(character)


def _operator(text: str, form: str) -> str:
    if text in (TIMES, APPLICATION):
        return ""
    command, own = latex_signs.sign(text)
    if not command:
        command, own = words(text), "plain"
    if own == form or {own, form} <= {"plain", "prefix"}:
        return command
    if own == "plain" and text == "/":
        return command
    return _CLASSES[form] % command


def words(text: str) -> str:
    r"""Return plain words within a formula; signs stand outside of ``\text``."""
    pieces = re.findall(r"[A-Za-z0-9 .,;:!?()+=*/'-]+|.", text, re.DOTALL)
    printed = (
        [rf"\text{{{piece}}}"] if piece[0] in _PLAIN else _characters(piece) for piece in pieces
    )
    return _joined(*(part for parts in printed for part in parts))


_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,;:!?()+=*/'-")


def _large(mark: str) -> str:
    if mark in _LARGE:
        return _LARGE[mark]
    if mark in _FUNCTIONS:
        return rf"\{mark}"
    return rf"\mathop{{\mathrm{{{''.join(_characters(mark))}}}}}"


def _delimiter(text: str) -> str:
    r"""A bracket as what follows ``\left``; the empty one where it is none."""
    return latex_signs.sign(text)[0] if text in _DELIMITERS else "."


def _bracket(text: str, size: str, side: str) -> str:
    """A bracket of a size; anything else as words."""
    if text not in _DELIMITERS:
        return words(text)
    return (rf"\{size}{side}" if size else "") + _delimiter(text)
