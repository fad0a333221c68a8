"""Source lines as the standard formatter leaves them: at most 88 columns, broken at brackets."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

WIDTH = 88
_OPEN, _CLOSE = "([{", ")]}"


def comment(text: str, indent: str = "") -> list[str]:
    """Return the text as comment lines."""
    return wrapped(text, f"{indent}# ", f"{indent}#     ")


def wrapped(text: str, first: str, others: str) -> list[str]:
    """Return the text as lines that fit, the first and the others after what they start with."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def block(lines: Iterable[str], depth: int = 1) -> list[str]:
    """Return statements indented by ``depth`` levels, long ones broken."""
    indent = "    " * depth
    return [piece for line in lines for piece in fit(line, indent)]


def fit(line: str, indent: str = "", width: int = WIDTH) -> list[str]:
    """Return the statement as one line, or broken at its last bracket pair."""
    own = line[: len(line) - len(line.lstrip())]
    line, indent = line.lstrip(), indent + own
    if len(indent) + len(line) <= width or line.startswith("#"):
        return [indent + line if line else ""]
    opened = _last_bracket(line)
    if opened is None:
        return [indent + line]
    head, body, tail = line[: opened + 1], line[opened + 1 : -1], line[-1]
    inner = indent + "    "
    clauses = _clauses(body)
    items = split(body) if len(clauses) == 1 else [body]
    call = bool(re.search(r"[\w)\]]$", line[:opened]))
    if len(inner) + len(body) <= WIDTH and (call or len(items) == 1) and not body.endswith(","):
        return [indent + head, inner + body, indent + tail]
    if len(clauses) > 1:
        return [indent + head, *(p for c in clauses for p in fit(c, inner)), indent + tail]
    if len(items) == 1 and not call and tail == ")":  # a comma would make it a tuple
        return [indent + head, *fit(body, inner), indent + tail]
    return [indent + head, *(p for item in items for p in _item(item, inner)), indent + tail]


def _clauses(body: str) -> list[str]:
    """Return a comprehension's element and its ``for`` clauses; other text as it is."""
    found = [""]
    for word in split(body, " "):
        if word == "for":
            found.append(word)
        else:
            found[-1] = f"{found[-1]} {word}".lstrip()
    return found


def _item(item: str, indent: str) -> list[str]:
    pieces = fit(item, indent, WIDTH - 1)
    return [*pieces[:-1], pieces[-1] + ","]


def split(body: str, separators: str = ",") -> list[str]:
    """Return what stands between commas outside of all brackets and strings."""
    items, depth, start, quote = [], 0, 0, ""
    for position, character in enumerate(body):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
        elif character in separators and depth == 0:
            items.append(body[start:position].strip())
            start = position + 1
    rest = body[start:].strip()
    return [*items, rest] if rest else items


def _last_bracket(line: str) -> int | None:
    """Return where the bracket opens that closes the line, unless it stands after an operator."""
    if line[-1] not in _CLOSE:
        return None
    depth = 0
    for position in range(len(line) - 1, -1, -1):
        depth += (line[position] in _CLOSE) - (line[position] in _OPEN)
        if depth == 0:
            before = line[:position]
            right = before.split(" = ", 1)[-1].removeprefix("**")
            return position if len(split(right, "+-*/@<>")) <= 1 else None
    return None
