"""Makes a formula breakable: what is wider than the line becomes a row, which may break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.render.measure import width
from symbackprop.render.typeset import (
    TIMES,
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
            rooms = [room - _beside(parts, place) for place in range(len(parts))]
            spread_out: Math = row(*map(spread, parts, rooms))
        case Fenced(_, body, _):
            spread_out = replace(math, body=spread(body, room - width(math) + width(body)))
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


def _beside(parts: Sequence[Math], place: int) -> float:
    """Return what no line break parts from one of the parts takes, in ems.

    What breaks within itself is left out.
    """
    first, last = place, place
    while first > 0 and _joins(parts, first):
        first -= 1
    while last + 1 < len(parts) and _joins(parts, last + 1):
        last += 1
    others = (*parts[first:place], *parts[place + 1 : last + 1])
    return sum(width(part) for part in others if not isinstance(part, Fenced | Row))


def _joins(parts: Sequence[Math], place: int) -> bool:
    """Return whether no line may end in front of a part."""
    return reluctance(parts[place - 1], parts[place]) is None


def reluctance(before: Math, part: Math) -> int | None:
    """Return how bad it is to end a line in front of a part; None where none may end."""
    if not isinstance(part, Operator):
        return 1 if isinstance(before, Operator) and before.form == "punctuation" else None
    if part.text == TIMES:
        return None if isinstance(before, Numeral) else 1
    if part.form == "relation" or (part.form == "binary" and part.text in "+-−"):
        return 0
    return 1 if part.form == "binary" or part.text == "/" else None


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
