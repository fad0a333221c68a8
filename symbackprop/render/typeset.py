"""Formulas as trees of what is seen on paper, which LaTeX and MathML are printed from.

    Math = Symbol | Numeral | Operator | Words | Row | Fraction | Script | Accent
         | Large | Fenced | Root | Cases

A tree holds text as it is read (``"Σ"``, ``"α"``, ``"layer_1"``), never a markup of its own;
each printer escapes what it prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# "italic": one letter, Greek included. "bold": an array, as one letter. "upright": the name of a
# function (exp, f). "word": a name of several letters, in italics.
Style = Literal["italic", "bold", "upright", "word"]
TIMES = "\u2062"  # an invisible product
APPLICATION = "\u2061"  # between a function and its argument
PRIME = "′"


@dataclass(frozen=True, slots=True)
class Symbol:
    """An identifier."""

    text: str
    style: Style = "italic"


@dataclass(frozen=True, slots=True)
class Numeral:
    """Digits, with a decimal point perhaps; a sign is an Operator of its own."""

    text: str


@dataclass(frozen=True, slots=True)
class Operator:
    """A sign: ``+ − · ⊙ / = ≠ ≥ , … ∂ ⊤``, TIMES or APPLICATION.

    ``form`` says how it is spaced: a relation, between two terms, before one, as a mark of
    punctuation with space after it, or as a plain sign without any.
    """

    text: str
    form: Literal["relation", "binary", "prefix", "punctuation", "plain"] = "binary"


@dataclass(frozen=True, slots=True)
class Words:
    """Plain words within a formula: ``for``, ``otherwise``."""

    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """Parts side by side. Lines may break before a binary operator or a relation of a row."""

    parts: tuple[Math, ...]


@dataclass(frozen=True, slots=True)
class Fraction:
    """``above`` over ``below``."""

    above: Math
    below: Math


@dataclass(frozen=True, slots=True)
class Script:
    """A base with a subscript, a superscript or both."""

    base: Math
    below: Math | None = None
    above: Math | None = None


@dataclass(frozen=True, slots=True)
class Accent:
    """A base under a hat, bar or tilde."""

    base: Math
    mark: Literal["hat", "bar", "tilde"]


@dataclass(frozen=True, slots=True)
class Large:
    """``Σ``, ``Π`` or a word (max, min, argmax), with limits below and above it in a display."""

    sign: str
    below: Math | None = None
    above: Math | None = None


@dataclass(frozen=True, slots=True)
class Fenced:
    """A body between brackets that grow with it: ``( )``, ``[ ]``, ``| |`` or ``{ }``."""

    opening: str
    body: Math
    closing: str


@dataclass(frozen=True, slots=True)
class Root:
    """The square root of a body."""

    body: Math


@dataclass(frozen=True, slots=True)
class Cases:
    """Values by condition, the first whose condition holds; None is "otherwise"."""

    rows: tuple[tuple[Math, Math | None], ...]


Math = (
    Symbol
    | Numeral
    | Operator
    | Words
    | Row
    | Fraction
    | Script
    | Accent
    | Large
    | Fenced
    | Root
    | Cases
)


def row(*parts: Math) -> Math:
    """Return the parts side by side, nested rows flattened; one part as it is."""
    flat: list[Math] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Row) else [part])
    return flat[0] if len(flat) == 1 else Row(tuple(flat))


def listed(*parts: Math) -> Math:
    """Return the parts with commas between them."""
    comma = Operator(",", "punctuation")
    pieces = [piece for part in parts for piece in (comma, part)]
    return row(*pieces[1:])
