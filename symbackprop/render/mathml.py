"""Formulas as MathML Core: Math -> ``<math>``.

Browsers space ``+ = ∑`` by a dictionary of their own, so what is written out is only what they
cannot know: how a sign that opens a row is meant, and which signs stand without space.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import singledispatch
from itertools import pairwise

from markupsafe import Markup

from symbackprop.render.measure import width
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
    row,
)


def _alphabet(*blocks: range) -> dict[str, str]:
    """Return the styled letter of every plain one, by what Unicode says they stand for."""
    styled: dict[str, str] = {}
    for block in blocks:
        for letter in map(chr, block):
            styled.setdefault(unicodedata.normalize("NFKC", letter), letter)
    return styled


_ITALIC = _alphabet(range(0x1D434, 0x1D468), range(0x1D6E2, 0x1D71C)) | {"h": "ℎ"}
_BOLD = _alphabet(range(0x1D468, 0x1D49C), range(0x1D71C, 0x1D756), range(0x1D7CE, 0x1D7D8))
_LARGE = {"Σ": "∑", "Π": "∏"}
_MARKS = {"hat": "^", "bar": "¯", "tilde": "~"}
_SUM_SIGNS = ("+", "−", "-", "±")
_SEMICOLON = Operator(";", "punctuation")
_BROAD = 18.0  # ems: a wider product may break between any two factors
_INVISIBLE = (TIMES, APPLICATION)
_THIN = "0.167em"
_NO_BREAK_SPACE = "\u00a0"


def mathml(math: Math, *, display: bool = True) -> Markup:
    """Return one ``<math>`` element: a block of its own, or a part of a line of text."""
    kind = Markup(' display="block"') if display else Markup("")
    return Markup("<math{}>{}</math>").format(kind, _content(math))


def breakable(math: Math) -> Markup:
    """Return a formula as several ``<math>`` elements, between which a line may break.

    MathML has no line breaks of its own. A line breaks before a relation first, then before a
    sum's sign, then before a product's, if a part is wide between its factors too: what belongs
    together is a ``<span class="run">``, which a style sheet keeps on one line while it fits.
    """
    return _runs(_parts(math), (_relates, _adds, _joins))


def pieces(math: Math) -> Markup:
    """Return what semicolons separate as several ``<math>`` elements, between which lines break."""
    parts = _parts(math)
    ends = [place + 1 for place, part in enumerate(parts) if part == _SEMICOLON]
    bounds = pairwise([0, *ends, len(parts)])
    found = [Markup("<math>{}</math>").format(_row(parts[first:last])) for first, last in bounds]
    return Markup(" ").join(found)


def _runs(parts: Sequence[Math], levels: Sequence[Callable[[Math], bool]]) -> Markup:
    for depth, starts_line in enumerate(levels):
        pieces = _split(parts, starts_line)
        if len(pieces) > 1:
            inner = (_runs(piece, levels[depth + 1 :]) for piece in pieces)
            return Markup('<span class="run">{}</span>').format(Markup("").join(inner))
    pieces = _split(parts, _multiplies) if width(row(*parts)) > _BROAD else []
    if len(pieces) > 1:
        inner = (Markup("<math>{}</math>").format(_row(piece)) for piece in pieces)
        return Markup('<span class="run">{}</span>').format(Markup("").join(inner))
    return Markup("<math>{}</math>").format(_row(parts))


def _split(parts: Sequence[Math], starts_line: Callable[[Math], bool]) -> list[Sequence[Math]]:
    # A sign that opens the row has nothing before it to break from.
    places = [place for place, part in enumerate(parts) if place and starts_line(part)]
    return [parts[first:last] for first, last in pairwise([0, *places, len(parts)])]


def _relates(part: Math) -> bool:
    return isinstance(part, Operator) and part.form == "relation"


def _adds(part: Math) -> bool:
    return isinstance(part, Operator) and part.form == "binary" and part.text in _SUM_SIGNS


def _joins(part: Math) -> bool:
    unbroken = (*_INVISIBLE, "/")
    return isinstance(part, Operator) and part.form == "binary" and part.text not in unbroken


def _multiplies(part: Math) -> bool:
    return isinstance(part, Operator) and part.text == TIMES


def _parts(math: Math) -> Sequence[Math]:
    return math.parts if isinstance(math, Row) else (math,)


def _row(parts: Sequence[Math]) -> Markup:
    return Markup("").join(
        _operator(part, place, parts) if isinstance(part, Operator) else _element(part)
        for place, part in enumerate(parts)
    )


def _content(math: Math) -> Markup:
    """Return what an element holds whose content is a row, whether it says so or not."""
    return _row(_parts(math))


@singledispatch
def _element(math: Math) -> Markup:
    """Return exactly one element."""
    raise TypeError(f"not a formula: {math!r}")


@_element.register
def _(symbol: Symbol) -> Markup:
    if symbol.style == "upright":
        # Without the attribute a browser slants a lone letter.
        normal = Markup(' mathvariant="normal"' if len(symbol.text) == 1 else "")
        return Markup("<mi{}>{}</mi>").format(normal, symbol.text)
    if symbol.style == "italic" and len(symbol.text) == 1:
        return Markup("<mi>{}</mi>").format(symbol.text)
    letters = _BOLD if symbol.style == "bold" else _ITALIC
    text = "".join(letters.get(letter, letter) for letter in symbol.text)
    return Markup("<mi>{}</mi>").format(text)


@_element.register
def _(numeral: Numeral) -> Markup:
    return Markup("<mn>{}</mn>").format(numeral.text)


@_element.register
def _(operator: Operator) -> Markup:
    return _operator(operator, 0, (operator,))


@_element.register
def _(words: Words) -> Markup:
    return Markup("<mtext>{}</mtext>").format(words.text.replace(" ", _NO_BREAK_SPACE))


@_element.register
def _(parts: Row) -> Markup:
    return Markup("<mrow>{}</mrow>").format(_row(parts.parts))


@_element.register
def _(fraction: Fraction) -> Markup:
    above, below = _element(fraction.above), _element(fraction.below)
    return Markup("<mfrac>{}{}</mfrac>").format(above, below)


@_element.register
def _(script: Script) -> Markup:
    return _scripts(_element(script.base), script.below, script.above, ("msub", "msup"))


@_element.register
def _(accent: Accent) -> Markup:
    base, mark = _element(accent.base), _MARKS[accent.mark]
    pattern = '<mover accent="true">{}<mo stretchy="false">{}</mo></mover>'
    return Markup(pattern).format(base, mark)


@_element.register
def _(large: Large) -> Markup:
    if large.sign in _LARGE:
        sign = Markup("<mo>{}</mo>").format(_LARGE[large.sign])
    else:
        pattern = f'<mo form="prefix" lspace="0" rspace="{_THIN}" movablelimits="true">{{}}</mo>'
        sign = Markup(pattern).format(large.sign)
    return _scripts(sign, large.below, large.above, ("munder", "mover"))


@_element.register
def _(fenced: Fenced) -> Markup:
    if isinstance(fenced.body, Numeral):  # the number of a layer, mostly: brackets need not grow
        return Markup("<mtext>{}{}{}</mtext>").format(
            fenced.opening, fenced.body.text, fenced.closing
        )
    # At the ends of a row of their own, brackets are known to open, to close and to grow.
    pattern = "<mrow><mo>{}</mo>{}<mo>{}</mo></mrow>"
    return Markup(pattern).format(fenced.opening, _element(fenced.body), fenced.closing)


@_element.register
def _(root: Root) -> Markup:
    return Markup("<msqrt>{}</msqrt>").format(_content(root.body))


@_element.register
def _(cases: Cases) -> Markup:
    rows = Markup("").join(
        Markup("<mtr><mtd>{}</mtd><mtd>{}</mtd></mtr>").format(_content(value), _when(test))
        for value, test in cases.rows
    )
    pattern = "<mrow><mo>{{</mo><mtable>{}</mtable></mrow>"
    return Markup(pattern).format(rows)


def _when(test: Math | None) -> Markup:
    if test is None:
        return Markup("<mtext>otherwise</mtext>")
    return Markup("<mtext>if{}</mtext>{}").format(_NO_BREAK_SPACE, _content(test))


def _operator(operator: Operator, place: int, parts: Sequence[Math]) -> Markup:
    """Return a sign, spaced by its form; what stands without space is no ``<mo>`` at all."""
    text = operator.text
    if text in _INVISIBLE:
        return _invisible(text, parts[max(place - 1, 0) : place + 2])
    if operator.form == "plain" or len(parts) == 1:
        return Markup("<mi>{}</mi>").format(text)
    first, inside = place == 0, 0 < place < len(parts) - 1
    match operator.form:
        case "relation" | "binary":
            attributes = "" if inside else ' form="infix"'
        case "punctuation":
            usual = inside and text in ",;"
            attributes = "" if usual else f' form="postfix" lspace="0" rspace="{_THIN}"'
        case "prefix":
            usual = text in _SUM_SIGNS
            attributes = "" if usual and first and len(parts) > 1 else ' form="prefix"'
            attributes += "" if usual else ' lspace="0" rspace="0"'
    return Markup("<mo{}>{}</mo>").format(Markup(attributes), text)


def _invisible(text: str, around: Sequence[Math]) -> Markup:
    """Return an unseen sign: ``log x`` and ``2 exp(z)`` need a space, ``log(x)`` needs none."""
    if text == APPLICATION:
        spaced = not any(isinstance(part, Fenced) for part in around)
    else:
        spaced = any(isinstance(part, Fraction) or _is_wordy(part) for part in around)
        spaced |= isinstance(around[-1], Fenced) and around[-1].opening == "["  # f [u > v]: no call
    space = Markup(f' rspace="{_THIN}"' if spaced else "")
    return Markup("<mo{}>{}</mo>").format(space, text)


def _is_wordy(math: Math) -> bool:
    if isinstance(math, Script):
        return _is_wordy(math.base)
    return isinstance(math, Words) or (isinstance(math, Symbol) and len(math.text) > 1)


def _scripts(
    base: Markup, below: Math | None, above: Math | None, names: tuple[str, str]
) -> Markup:
    given = [script for script in (below, above) if script is not None]
    if not given:
        return base
    under, over = names
    # msub and msup are together msubsup; munder and mover, munderover.
    both = under + over.removeprefix("m")
    name = Markup(both if len(given) == 2 else under if below is not None else over)
    inner = Markup("").join(map(_element, given))
    return Markup("<{0}>{1}{2}</{0}>").format(name, base, inner)
