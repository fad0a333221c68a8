r"""Commands of an author's own that set formulas: ``\step{left}{=}{right}`` is a display.

What such a command shows are those of its arguments that its definition sets between dollars.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symbackprop.auditing.formulas.reading.tokens import definitions_of, group_end, shown_in

# As long as an argument may be.
MAX_ARGUMENT = 20_000
_DISPLAYS = re.compile(r"\\displaystyle|\$\$|\\\[")


@dataclass(frozen=True)
class Setter:
    """A command by its name: how many arguments it takes, and which of them are a formula."""

    name: str
    has_option: bool
    arguments: int
    shown: tuple[int, ...]


def setters(text: str) -> dict[str, Setter]:
    """Return the commands of a document that set their arguments as displays."""
    found = {}
    for name, count, option, body in definitions_of(text):
        shown = shown_in(body)
        first = 1 if option is None else 2
        consecutive = list(shown) == list(range(shown[0], shown[-1] + 1)) if shown else False
        if consecutive and shown[0] >= first and _DISPLAYS.search(body):
            found[name] = Setter(name, option is not None, count, shown)
    return found


def own_displays(text: str, start: int) -> tuple[str, list[tuple[int, int]], list[tuple[int, int]]]:
    """Find the formulas that such commands set.

    Args:
        text: A LaTeX document.
        start: Where its body begins.

    Returns:
        The text with the braces between parts of a formula blanked, of the same length; where the
        formulas stand; and where the commands with all their arguments do.
    """
    known = setters(text[:start])
    if not known:
        return text, [], []
    formulas, wholes, blanks = [], [], []
    names = "|".join(sorted(known, key=len, reverse=True))
    at = start
    pattern = re.compile(rf"\\({names})(?![A-Za-z])")
    while (match := pattern.search(text, at)) is not None:
        setter = known[match.group(1)]
        spans = list(_arguments(text, match.end(), setter))
        at = match.end()
        if len(spans) < setter.arguments:
            continue
        shown = [spans[number - 1] for number in setter.shown]
        formulas.append((shown[0][0], shown[-1][1]))
        wholes.append((match.start(), spans[-1][1] + 1))
        blanks += [(a[1], b[0]) for a, b in itertools.pairwise(shown)]
        at = wholes[-1][1]
    return blanked(text, blanks), formulas, wholes


def _arguments(text: str, at: int, setter: Setter) -> Iterator[tuple[int, int]]:
    """Yield where the arguments of a command stand, without their brackets."""
    if setter.has_option:
        opened = re.compile(r"\s*\[([^\]]*)\]").match(text, at)
        yield opened.span(1) if opened else (at, at)
        at = opened.end() if opened else at
    for _ in range(setter.arguments - setter.has_option):
        opened = re.compile(r"\s*\{").match(text, at)
        end = None if opened is None else group_end(text, opened.end() - 1, MAX_ARGUMENT)
        if opened is None or end is None:
            return
        yield opened.end(), end
        at = end + 1


def blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a text of the same length and lines without what stands at some places, in order."""
    parts, last = [], 0
    for first, end in spans:
        parts += [text[last:first], re.sub(r"[^\n]", " ", text[first:end])]
        last = end
    return "".join((*parts, text[last:]))
