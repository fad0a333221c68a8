"""Formulas and documents as Unicode text, for terminals and for labels of diagrams.

Scripts are written with Unicode's small digits and letters where it has them all, else as
``w_{ij}``; a fraction is a quotient, in parentheses where it needs them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from symbackprop.render.document import (
    Block,
    Code,
    Display,
    Document,
    Inline,
    Inlines,
    Line,
    Link,
    Listing,
    Paragraph,
    Table,
)
from symbackprop.render.typeset import (
    APPLICATION,
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

_HIGH = str.maketrans("0123456789+-−=()ni⊤′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱᵀ′")
_LOW = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_MARKS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
# Signs that separate: between brackets they need no parentheses around what holds them.
_LOOSE = re.compile(r"[ /]")
_ENCLOSED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")


def plain(math: Math) -> str:
    """Return the formula as one line of Unicode text."""
    match math:
        case Symbol(name) | Numeral(name) | Words(name):
            text = re.sub(r"\s+", " ", name)
        case Operator(name, form):
            text = _operator(name, form)
        case Row(parts):
            text = _row(parts)
        case Fraction(above, below):
            text = f"{_factor(above)}/{_factor(below)}"
        case Script(base, below, above):
            text = _base(base) + _scripts(below, above, _LOW, _HIGH)
        case Accent(base, mark):
            text = f"{_base(base)}{_MARKS[mark]}"
        case Large(sign, below, above):
            text = sign + _scripts(below, above, {}, {})
        case Fenced(opening, body, closing):
            text = f"{opening}{plain(body)}{closing}"
        case Root(body):
            text = f"√{_factor(body)}"
        case Cases(rows):
            text = f"{{{', '.join(_case(*row) for row in rows)}}}"
    return text


def _operator(text: str, form: str) -> str:
    if text in (TIMES, APPLICATION):
        return " " if text == TIMES else ""
    if form in ("relation", "binary"):
        return f" {text} "
    return f"{text} " if form == "punctuation" else text


def _row(parts: Sequence[Math]) -> str:
    texts = [f"{plain(part)} " if isinstance(part, Large) else plain(part) for part in parts]
    for place in range(1, len(parts) - 1):
        beside = (parts[place - 1], parts[place + 1])
        if texts[place] == " " and any(isinstance(part, Fraction) for part in beside):
            texts[place] = " · "
    return re.sub(r" {2,}", " ", "".join(texts)).strip()


def _case(value: Math, condition: Math | None) -> str:
    end = "otherwise" if condition is None else f"if {plain(condition)}"
    return f"{plain(value)} {end}"


def _scripts(
    below: Math | None, above: Math | None, low: dict[int, int], high: dict[int, int]
) -> str:
    lower = "" if below is None else _small(plain(below), low, "_")
    return lower + ("" if above is None else _small(plain(above), high, "^"))


def _is_single(text: str) -> bool:
    """Whether the text is one thing: no space or stroke stands outside its brackets."""
    shorter = _ENCLOSED.sub("", text)
    while shorter != text:
        text, shorter = shorter, _ENCLOSED.sub("", shorter)
    return not _LOOSE.search(text)


def _factor(math: Math) -> str:
    text = plain(math)
    return text if _is_single(text) else f"({text})"


def _base(math: Math) -> str:
    text = plain(math)
    single = isinstance(math, Symbol | Numeral | Fenced | Accent | Script)
    return text if single and _is_single(text) else f"({text})"


def _small(text: str, letters: dict[int, int], mark: str) -> str:
    """Return a script in small letters where Unicode has them, else after its mark."""
    if letters and all(ord(sign) in letters or sign == "′" for sign in text):
        return text.translate(letters)
    return f"{mark}{text}" if len(text) == 1 else f"{mark}{{{text}}}"


def text(document: Document) -> str:
    """Return title and sections as text; a display's lines stand under each other."""
    parts = [document.title]
    for section in document.sections:
        parts.append(_inlines(section.title))
        parts.extend(_block(block) for block in section.blocks)
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return _inlines(block.content)
    if isinstance(block, Display):
        return _display(block)
    if isinstance(block, Table):
        rows = (block.header, *block.rows)
        return "\n".join("  ".join(_inlines(cell) for cell in row) for row in rows)
    return block.text if isinstance(block, Listing) else block.description


def _display(display: Display) -> str:
    lefts = ["" if line.left is None else plain(line.left) for line in display.lines]
    rights = [f"{line.relation} {plain(line.right)}" for line in display.lines]
    indent = max(map(len, lefts))
    width = max(map(len, rights))
    lines = [
        f"  {left:<{indent}} {right:<{width}}    {_beside(line)}".rstrip()
        for left, right, line in zip(lefts, rights, display.lines, strict=True)
    ]
    return "\n".join(lines)


def _beside(line: Line) -> str:
    maths = [plain(math) for math in (line.condition, line.shape) if math is not None]
    reason = _inlines(line.reason)
    rule = f"{line.rule}: {reason}" if line.rule and reason else line.rule or reason
    return "; ".join([*maths, *([rule] if rule else [])])


def _inlines(content: Inlines) -> str:
    return "".join(_inline(part) for part in content)


def _inline(part: Inline) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Link):
        return _inline(part.content)
    return part.text if isinstance(part, Code) else plain(part)
