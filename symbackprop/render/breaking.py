"""Makes a formula breakable: what is wider than the line becomes a row, which may break."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.render.measure import width
from symbackprop.render.typeset import (
    Fenced,
    Fraction,
    Math,
    Numeral,
    Operator,
    Root,
    Row,
    Script,
    Symbol,
    row,
)


def spread(math: Math, room: float) -> Math:
    """Return a formula of the same value, with no fraction or root wider than ``room`` ems."""
    if width(math) <= room:
        return math
    match math:
        case Row(parts):
            spread_out: Math = row(*[spread(part, room) for part in parts])
        case Fenced(_, body, _):
            spread_out = replace(math, body=spread(body, room))
        case Script(base, _, _):
            spread_out = replace(math, base=spread(base, room))
        case Fraction(above, below) if not _is_derivative(above):
            slash = Operator("/", "plain")
            spread_out = spread(row(_grouped(above), slash, _grouped(below)), room)
        case Root(body):
            half = row(Numeral("1"), Operator("/", "plain"), Numeral("2"))
            spread_out = spread(Script(Fenced("(", body, ")"), None, half), room)
        case _:
            spread_out = math
    return spread_out


def flat(math: Math) -> Math:
    """Return a derivative as it stands in a line of text: ∂L/∂z."""
    if isinstance(math, Fraction) and _is_derivative(math.above):
        return row(math.above, Operator("/", "plain"), math.below)
    return math


def _is_derivative(above: Math) -> bool:
    first = above.parts[0] if isinstance(above, Row) and above.parts else above
    return first == Symbol("d", "upright") or (isinstance(first, Operator) and first.text == "∂")


def _grouped(math: Math) -> Math:
    return Fenced("(", math, ")") if isinstance(math, Row) else math


def is_stiff(math: Math, room: float) -> bool:
    """Return whether a formula wider than ``room`` ems has no place to break at."""
    body = math.base if isinstance(math, Script) else math
    return width(math) > room and not isinstance(body, Row | Fenced)
