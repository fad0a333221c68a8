"""How large a formula comes out, roughly, in ems: for the size of its brackets and its breaks."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.render import latex_signs
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

LETTER = 0.5  # half of what a line of letters takes above and below the axis
SCRIPT = 0.7  # the size of a subscript by that of its base
_NARROW, _WIDE = frozenset("ijltfr,.|()[]'I "), frozenset("mwMW∂Σ∑Π…⋯<>+=~")


def height(math: Math, display: bool) -> float:
    """Return how far a formula reaches from the axis, upwards or downwards.

    Limits of a sum count half, as brackets around a sum need not enclose them.
    """
    match math:
        case Row(parts):
            reach = tallest(parts, display)
        case Fraction(above, below):
            inner = max(height(above, False), height(below, False))
            reach = 2 * inner + 0.15 if display else 1.5 * inner
        case Script(base):
            reach = height(base, display) + (
                0.15 if isinstance(base, Symbol | Accent | Fenced) else 0.3
            )
        case Accent(base) | Root(base):
            reach = height(base, display) + 0.05
        case Large(_, below, above):
            limits = below is not None or above is not None
            reach = (0.95 if limits else 0.7) if display else 0.6
        case Fenced(_, body, _):
            reach = height(body, display)
        case Cases(rows):
            written = [part for pair in rows for part in pair if part is not None]
            reach = len(rows) * max(0.6, tallest(written, display))
        case _:
            reach = LETTER
    return reach


def tallest(parts: Sequence[Math], display: bool) -> float:
    """Return the height of the highest part."""
    return max((height(part, display) for part in parts), default=LETTER)


def width(math: Math, display: bool = True) -> float:
    """Return about how wide a formula comes out, rather too wide than too narrow."""
    match math:
        case Symbol(text) | Words(text) | Numeral(text):
            ems = letters(text)
        case Operator(text, form):
            ems = _operator(text, form)
        case Row(parts):
            ems = sum(width(part, display) for part in parts)
        case Fraction(above, below):
            size = 1.0 if display else SCRIPT
            ems = size * max(width(above, False), width(below, False)) + 0.25
        case Script(base, below, above):
            ems = width(base, display) + SCRIPT * _widest(below, above)
        case Accent(base):
            ems = width(base, display)
        case Root(body):
            ems = width(body, display) + 0.9
        case Large(mark, below, above):
            limits = SCRIPT * _widest(below, above)
            own = 1.5 if len(mark) == 1 else letters(mark)
            ems = max(own, limits) + 0.2 if display else own + limits + 0.2
        case Fenced(_, body, _):
            ems = width(body, display) + 2 * (0.4 + 0.2 * height(body, display))
        case Cases(rows):
            values = max(width(value, display) for value, _ in rows)
            ems = values + 3 + max(3 if when is None else width(when, False) for _, when in rows)
    return ems


def _operator(text: str, form: str) -> float:
    if text in (TIMES, APPLICATION):
        return 0.1
    own = letters(text) if text.isalnum() else 0.78
    return own + {"relation": 0.56, "binary": 0.45, "punctuation": 0.17}.get(form, 0)


def _widest(*limits: Math | None) -> float:
    return max(0.0 if limit is None else width(limit, False) for limit in limits)


def letters(text: str) -> float:
    """Return the width of a text, rather too wide; what LaTeX lacks is spelled out."""
    return sum(_letter(character) for character in text)


def _letter(character: str) -> float:
    if character in _NARROW:
        return 0.4
    if character in _WIDE:
        return 1.0
    known = latex_signs.greek(character) or latex_signs.sign(character)[0]
    return 0.6 if known else 0.6 * len(latex_signs.base_letters(character))
