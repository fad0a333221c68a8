"""Source lines as the standard formatter leaves them: of 88 columns, where one can break."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

WIDTH = 88
_OPEN, _CLOSE = "([{", ")]}"
# Operators by how they bind, the loosest first.
_LEVELS = ("or", "and", "in|is|[<>]=?|[=!]=", r"\|", "&", "[-+]", "[*@%]|//?")
_GLUE = "\N{NO-BREAK SPACE}"
_SUBSCRIPTS = re.compile(r"\w\[[^][]*(?:\[[^][]*\][^][]*)*\]")
_TOTAL = r"(?:Σ|Π|max|min)_(?:\w+|\([^()]*\))"
_OPERATORS = re.compile(rf"(?<=[ (\[{{])(?:[-+−·/=<>≤≥≠]|\+=|{_TOTAL}) ")


def comment(text: str, indent: str = "") -> list[str]:
    """Return the text as comment lines."""
    return wrapped(text, f"{indent}# ", f"{indent}#     ")


def wrapped(text: str, first: str, others: str) -> list[str]:
    """Return the text as lines that fit, the first and the others after what they start with.

    A formula breaks before its operators, and in no subscript.
    """
    lines = textwrap.wrap(
        _SUBSCRIPTS.sub(_glued, _OPERATORS.sub(_glued, text)),
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUE, " ") for line in lines]


def _glued(match: re.Match[str]) -> str:
    return match[0].replace(" ", _GLUE)


def block(lines: Iterable[str], depth: int = 1) -> list[str]:
    """Return statements indented by ``depth`` levels, long ones broken."""
    indent = "    " * depth
    return [piece for line in lines for piece in fit(line, indent)]


def fit(line: str, indent: str = "", width: int = WIDTH) -> list[str]:
    """Return the statement as one line, or broken at brackets or before operators."""
    own = line[: len(line) - len(line.lstrip())]
    line, indent = line.lstrip(), indent + own
    if len(indent) + len(line) <= width or line.startswith("#") or line.endswith(":"):
        return [indent + line if line else ""]
    start = _value_of(line)
    if start and _needs_brackets(line[start:]):
        return [f"{indent}{line[:start]}(", *_operands(line[start:], indent + "    "), f"{indent})"]
    return _at_brackets(line, indent, width)


def _value_of(line: str) -> int:
    """Return where the value starts that a statement assigns or returns; 0 where it is neither."""
    found = re.match(r"return (?=.)|[^\0(]*? [-+*/@]?= ", _outside(line))
    return found.end() if found else 0


def _outside(text: str) -> str:
    """Return the text with zeros for what stands in brackets and strings."""
    found, depth, quote = [], 0, ""
    for character in text:
        ends = quote == character
        depth -= not quote and character in _CLOSE
        found.append("\0" if depth or (quote and not ends) else character)
        depth += not quote and character in _OPEN
        if ends or (not quote and character in "\"'"):
            quote = "" if ends else character
    return "".join(found)


def _terms(text: str) -> list[str]:
    """Return what the operators that bind least join, each part with its operator before it."""
    shown = _outside(text)
    for operators in _LEVELS:
        places = [match.start() + 1 for match in re.finditer(f" (?:{operators}) ", shown)]
        if places:
            pairs = zip([0, *places], [*places, len(text)], strict=True)
            return [text[slice(*pair)].strip() for pair in pairs]
    return [text]


def _needs_brackets(value: str) -> bool:
    """Whether a value breaks in brackets of its own: no bracket of it starts or ends it."""
    terms = len(_terms(value))
    if terms == 1:
        return len(_links(value)) > 2
    return terms > 2 or not (value.startswith("(") or value.endswith(")"))


def _links(value: str) -> list[str]:
    """Return what calls are made on, and each call on what the one before it returned."""
    places = [match.start() for match in re.finditer(r"(?<=[)\]])\.", _outside(value))]
    return [value[slice(*pair)] for pair in zip([0, *places], [*places, None], strict=True)]


def _operands(value: str, indent: str, width: int = WIDTH) -> list[str]:
    """Return a value that stands in brackets, in one line or with a line for each operand."""
    if len(indent) + len(value) <= width:
        return [indent + value]
    parts, links = _terms(value), _links(value)
    if len(parts) == 1 and len(links) > 2:
        parts = links
    return [piece for part in parts for piece in fit(part, indent, width)]


def _at_brackets(line: str, indent: str, width: int) -> list[str]:
    """Break those brackets after which the line does not reach the next ones, or its end."""
    groups = _groups(line)
    found: list[str] = []
    start = 0
    for k, (opened, closed) in enumerate(groups):
        until = groups[k + 1][0] + 1 if k + 1 < len(groups) else len(line)
        room = WIDTH if until < len(line) else width
        if len(indent) + until - start > room:
            found.append(indent + line[start : opened + 1])
            call = bool(re.search(r"[\w)\]]$", line[:opened]))
            found += _inside(line[opened + 1 : closed], line[closed], indent + "    ", call=call)
            start = closed
    return [*found, indent + line[start:]]


def _groups(line: str) -> list[tuple[int, int]]:
    """Return where outer brackets open and close that may break: subscripts are left whole."""
    shown = _outside(line)
    pairs = re.finditer(r"([(\[{])\0+[)\]}]", shown)
    spans = [(match.start(), match.end() - 1) for match in pairs]
    whole = [s for s in spans if not re.search(r"[\w)\]]\[$", line[: s[0] + 1])]
    return whole or spans


def _inside(body: str, closing: str, indent: str, *, call: bool) -> list[str]:
    """Return what stands between brackets: in a line, or a line for each item."""
    clauses = _clauses(body)
    items = split(body) if len(clauses) == 1 else [body]
    one = len(items) == 1 and not body.endswith(",")
    if len(clauses) == 1 and one and not call and closing == ")":  # a comma would make it a tuple
        return _operands(body, indent)
    if len(indent) + len(body) <= WIDTH and (call or one) and not body.endswith(","):
        return [indent + body]
    if len(clauses) > 1:
        return [piece for clause in clauses for piece in fit(clause, indent)]
    return [piece for item in items for piece in _item(item, indent)]


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
    pieces = _operands(item, indent, WIDTH - 1)
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
