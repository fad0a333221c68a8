"""From LaTeX to tokens with their places: characters, commands, numbers; macros expanded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from symbackprop.auditing.formulas.reading.words import COMBINING, UNICODE

MAX_CHARACTERS = 20_000
MAX_TOKENS = 6_000
MAX_DEPTH = 48


class NotReadError(Exception):
    """Why a formula could not be read, and the offset of what stopped the reader."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason, self.offset = reason, offset


@dataclass(frozen=True, slots=True)
class Piece:
    """A token of TeX: ``kind`` is command, letter, number, space or mark; ``at`` its offset."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Macro:
    """An author's own command.

    ``pattern`` is what stands between the name and the body: parameters ``#1`` to ``#9`` and the
    literal pieces around them; ``optional`` the default of the first parameter, if it has one.
    """

    pattern: tuple[Piece, ...]
    body: tuple[Piece, ...]
    optional: tuple[Piece, ...] | None = None


_PIECE = re.compile(
    r"(?P<comment>%[^\n]*)|(?P<command>\\(?:[A-Za-z]+\*?|.|$))|(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<letter>[A-Za-z])"
    r"|(?P<space>\s+)|(?P<mark>.)",
    re.DOTALL,
)


def pieces(text: str) -> list[Piece]:
    """Cut a text into pieces; characters that have a command become it."""
    if len(text) > MAX_CHARACTERS:
        raise NotReadError(f"longer than {MAX_CHARACTERS} characters", MAX_CHARACTERS)
    found: list[Piece] = []
    for match in _PIECE.finditer(text):
        kind, word, at = str(match.lastgroup), match.group(), match.start()
        if kind == "command":
            # A star belongs to few commands' names: \sum* is a product.
            name = word[1:]
            starred = name.endswith("*") and name not in ("tag*", "hspace*", "operatorname*")
            found.append(Piece("command", name.rstrip("*") or name, at))
            if starred and len(name) > 1:
                found.append(Piece("mark", "*", at + len(word) - 1))
        elif kind == "mark" and ord(word) > 127:
            found += _foreign(word, at)
        elif kind != "comment":
            found.append(Piece(kind, word, at))
    return _accented(found)


def pieces_of_number(piece: Piece) -> list[Piece]:
    """Return what is left of a number when TeX takes its first digit alone."""
    return [replace(rest, at=piece.at + 1 + rest.at) for rest in pieces(piece.text[1:])]


def _foreign(character: str, at: int) -> Iterator[Piece]:
    """Yield what a character beyond ASCII stands for."""
    if character in COMBINING:
        yield Piece("combining", COMBINING[character], at)
        return
    known = UNICODE.get(character)
    if known is None:
        flat = unicodedata.normalize("NFKD", character)
        if len(flat) > 1 and flat[0].isascii() and flat[1] in COMBINING:
            yield from (Piece("letter", flat[0], at), Piece("combining", COMBINING[flat[1]], at))
            return
        known = flat if flat.isascii() and len(flat) == 1 else UNICODE.get(flat)
    if known is None:
        yield Piece("foreign", character, at)
        return
    yield from (replace(piece, at=at) for piece in pieces(known))


def _accented(found: list[Piece]) -> list[Piece]:
    """Put a combining accent before its letter, as a command."""
    done: list[Piece] = []
    for piece in found:
        if piece.kind != "combining":
            done.append(piece)
        elif done and done[-1].kind == "letter":
            letter = done.pop()
            braces = (Piece("mark", "{", letter.at), letter, Piece("mark", "}", letter.at))
            done += [Piece("command", piece.text, letter.at), *braces]
    return done


def expand(found: list[Piece], macros: Mapping[str, Macro]) -> list[Piece]:
    """Replace the author's commands by what they stand for, within bounds."""
    done: list[Piece] = []
    waiting = found[::-1]
    steps = 0
    while waiting:
        piece = waiting.pop()
        macro = macros.get(piece.text) if piece.kind == "command" else None
        if macro is None:
            done.append(piece)
        else:
            steps += 1
            body = _substituted(macro, waiting, piece.at)
            waiting.extend(reversed(body))
        if steps > MAX_TOKENS or len(done) + len(waiting) > 4 * MAX_TOKENS:
            raise NotReadError("its macros expand without end", piece.at)
    return done


def _substituted(macro: Macro, waiting: list[Piece], at: int) -> list[Piece]:
    arguments: dict[str, list[Piece]] = {}
    pattern = list(macro.pattern)
    if macro.optional is not None:
        arguments["1"] = _bracketed(waiting) or list(macro.optional)
    for k, part in enumerate(pattern):
        if part.kind != "parameter":
            _expect(part, waiting, at)
            continue
        after = pattern[k + 1] if k + 1 < len(pattern) else None
        if after is not None and after.kind != "parameter":
            arguments[part.text] = _until(after, waiting, at)
        else:
            arguments[part.text] = argument(waiting, at)
    body: list[Piece] = []
    for piece in macro.body:
        if piece.kind == "parameter":
            body += arguments.get(piece.text, [])
        else:
            body.append(replace(piece, at=at))
    return body


def _expect(part: Piece, waiting: list[Piece], at: int) -> None:
    _skip(waiting)
    if not waiting or waiting.pop().text != part.text:
        raise NotReadError(f"a macro of the author's own needs {part.text!r} here", at)


def _skip(waiting: list[Piece]) -> None:
    while waiting and waiting[-1].kind == "space":
        waiting.pop()


def _until(mark: Piece, waiting: list[Piece], at: int) -> list[Piece]:
    found: list[Piece] = []
    depth = 0
    while waiting:
        if depth == 0 and waiting[-1].text == mark.text:
            return found
        piece = waiting.pop()
        depth += {"{": 1, "}": -1}.get(piece.text, 0) if piece.kind == "mark" else 0
        found.append(piece)
    raise NotReadError(f"a macro of the author's own needs {mark.text!r} here", at)


def _bracketed(waiting: list[Piece]) -> list[Piece] | None:
    _skip(waiting)
    if not waiting or waiting[-1].text != "[" or waiting[-1].kind != "mark":
        return None
    at = waiting.pop().at
    found = _until(Piece("mark", "]", at), waiting, at)
    waiting.pop()
    return found


def argument(waiting: list[Piece], at: int) -> list[Piece]:
    """Take one argument off a reversed list: a group without its braces, or one piece."""
    _skip(waiting)
    if not waiting:
        raise NotReadError("an argument is missing at the end", at)
    piece = waiting.pop()
    if piece.kind != "mark" or piece.text != "{":
        if piece.kind == "number" and len(piece.text) > 1:
            waiting.extend(reversed(pieces_of_number(piece)))
            return [Piece("number", piece.text[0], piece.at)]
        return [piece]
    found: list[Piece] = []
    depth = 1
    while waiting:
        inner = waiting.pop()
        if inner.kind == "mark":
            depth += {"{": 1, "}": -1}.get(inner.text, 0)
        if depth == 0:
            return found
        found.append(inner)
    raise NotReadError("a brace is not closed", piece.at)


_DEFINED = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator)\*?\s*(?:\{\s*\\([A-Za-z]+)\s*\}|\\([A-Za-z]+))"
    r"\s*(?:\[(\d)\])?\s*(?:\[([^\]]*)\])?\s*(?=\{)"
    r"|\\def\s*\\([A-Za-z]+)([^{}\n]{0,60})(?=\{)"
)
_PENALTY = re.compile(r"\\penalty\s*(?:\\numexpr[^\\{}]*\\relax|-?\d+)")
MAX_MACROS = 300
MAX_BODY = 2_000


def macros_of(text: str) -> dict[str, Macro]:
    """Return the commands that a document defines, the last definition of each name."""
    found: dict[str, Macro] = {}
    for match in _DEFINED.finditer(text):
        body = _group_text(text, match.end())
        if body is None or len(found) >= MAX_MACROS:
            continue
        name = match.group(1) or match.group(2) or match.group(5)
        # Where a line may break says nothing of a formula; a box shows what it sets as one.
        body = _PENALTY.sub("", body)
        if "$" in body:
            body = "".join(f"#{number}" for number in shown_in(body))
        if "DeclareMathOperator" in match.group():
            body = r"\operatorname{" + body + "}"
        default = match.group(4)
        first = 1 if default is None else 2
        marks = "".join(f"#{k}" for k in range(first, int(match.group(3) or 0) + 1))
        pattern = match.group(6) if match.group(5) else marks
        found[name] = Macro(
            tuple(_with_parameters((pattern or "").strip())),
            tuple(_with_parameters(body)),
            None if default is None else tuple(pieces(default)),
        )
    return found


def definitions_of(text: str) -> Iterator[tuple[str, int, str | None, str]]:
    """Yield the commands that a document defines: name, number of parameters, default, body."""
    for match in _DEFINED.finditer(text):
        body = _group_text(text, match.end())
        name = match.group(1) or match.group(2)
        if name and body is not None:
            yield name, int(match.group(3) or 0), match.group(4), body


def shown_in(body: str) -> tuple[int, ...]:
    """Return the parameters that stand between dollars in a definition, in order."""
    formulas = " ".join(re.findall(r"\$+([^$]*)\$+", body))
    return tuple(dict.fromkeys(int(number) for number in re.findall(r"#([1-9])", formulas)))


def group_end(text: str, start: int, most: int) -> int | None:
    """Return where the group that opens at a place closes, if it is not too long."""
    depth = 0
    for at in range(start, min(len(text), start + most)):
        if text[at] in "{}" and text[at - 1] != "\\":
            depth += 1 if text[at] == "{" else -1
            if depth == 0:
                return at
    return None


def _group_text(text: str, start: int) -> str | None:
    end = group_end(text, start, MAX_BODY)
    return None if end is None else text[start + 1 : end]


def _with_parameters(text: str) -> Iterable[Piece]:
    found = iter(pieces(text))
    for piece in found:
        if piece.kind == "mark" and piece.text == "#":
            number = next(found, None)
            if number is not None:
                yield Piece("parameter", number.text[:1], piece.at)
                if len(number.text) > 1:
                    yield Piece("number", number.text[1:], piece.at)
        else:
            yield piece
