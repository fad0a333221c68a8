"""From pieces of TeX to the marks of the grammar: notation that means nothing is stripped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lark import Token

from symbackprop.auditing.formulas.reading import words
from symbackprop.auditing.formulas.reading.commands import HANDLERS, PROSE, TABLES, Commands
from symbackprop.auditing.formulas.reading.tokens import (
    MAX_DEPTH,
    MAX_TOKENS,
    NotReadError,
    Piece,
    pieces_of_number,
)

_SIMPLE = {
    **{"(": "LPAR", ")": "RPAR", "[": "LBRK", "]": "RBRK", "{": "LBRACE", "}": "RBRACE"},
    **{"+": "PLUS", "-": "MINUS", "/": "SLASH", ",": "COMMA", ";": "SEMI", "&": "AMP"},
    **{"_": "SUB", "^": "SUP", "'": "PRIME", "*": "JOIN", "@": "JOIN"},
}
_SHORT = frozenset(
    [
        "act",
        "net",
        "out",
        "err",
        "new",
        "old",
        "MSE",
        "BCE",
        "SSE",
        "MAE",
        "RSS",
        "mse",
        "bce",
        "dim",
        "pre",
        "cls",
        "lab",
        "tgt",
        "inp",
        "hid",
        "loss",
        "cost",
    ]
)
_INDEX_RUN = frozenset("ijklmnpqrstuvabcd")
_INNER = re.compile(r"([A-Za-z]*?)(log|exp|max|min|tanh|softmax)([A-Za-z]*)")


class Marker(Commands):
    """Turns the pieces of one formula into marks, from left to right."""

    def run(self) -> list[Token]:
        """Return all marks; `NotReadError` for what has no meaning here."""
        depth = 0
        while self.waiting:
            piece = self.waiting.pop()
            before = len(self.marks)
            getattr(self, "_" + piece.kind)(piece)
            for mark in self.marks[before:]:
                depth += mark.type in _OPENING
                depth -= mark.type in _CLOSING
            if depth > MAX_DEPTH:
                raise NotReadError(f"nested deeper than {MAX_DEPTH}", piece.at)
            if len(self.marks) > MAX_TOKENS:
                raise NotReadError(f"longer than {MAX_TOKENS} symbols", piece.at)
        return self.marks

    def _space(self, _piece: Piece) -> None:
        pass

    def _parameter(self, piece: Piece) -> None:
        raise NotReadError("a macro's parameter stands outside of a macro", piece.at)

    def _foreign(self, piece: Piece) -> None:
        if piece.text.isalpha():
            self._put("TEXT", piece.text, piece.at)
            return
        self._put("OTHER", f"the character {piece.text!r} is not understood", piece.at)

    _combining = _foreign

    def _number(self, piece: Piece) -> None:
        if self._last() in ("SUB", "SUP") and len(piece.text) > 1:
            self.waiting.extend(reversed(pieces_of_number(piece)))
            piece = Piece("number", piece.text[0], piece.at)
        self._put("NUMBER", piece.text, piece.at)

    def _letter(self, piece: Piece) -> None:
        run = [piece]
        if self._last() in ("SUB", "SUP"):
            self._put("LETTER", piece.text, piece.at)
            return
        while self.waiting and (self.waiting[-1].kind == "letter" or self._joined_by_underscore()):
            if self.waiting[-1].kind == "command":
                run.append(Piece("letter", "_", self.waiting.pop().at))
            run.append(self.waiting.pop())
        self._spell("".join(p.text for p in run), [p.at for p in run])

    def _joined_by_underscore(self) -> bool:
        return (
            len(self.waiting) > 1
            and (self.waiting[-1].kind, self.waiting[-1].text) == ("command", "_")
            and self.waiting[-2].kind == "letter"
        )

    def _spell(self, run: str, places: list[int]) -> None:
        """Put a run of letters: a function, a word, or letters side by side."""
        name = words.SAME.get(run, run)
        if name in words.BIGS:
            self._put("BIG", words.BIGS[name], places[0])
        elif name in words.FUNCTIONS:
            self._put("FUNC", name, places[0])
        elif run.lower() in PROSE and len(run) > 1 and not self._in_script():
            self._put("TEXT", run, places[0])
        elif inner := self._split(run):
            for part in inner:
                at = places[run.index(part)]
                self._spell(part, [at + k for k in range(len(part))])
        elif run[0] == "d" and (run[1:] in _SHORT or (len(run) > 3 and run[1].isupper())):
            self._put("LETTER", "d", places[0])
            self._spell(run[1:], places[1:])
        elif _is_word(run):
            self._put("WORD", run, places[0])
        else:
            for letter, at in zip(run, places, strict=True):
                self._put("LETTER", letter, at)

    def _in_script(self) -> bool:
        """Whether a sub- or superscript begins here: q_{if} has the indices i and f."""
        kinds = [mark.type for mark in self.marks[-2:]]
        return kinds in (["SUB", "LBRACE"], ["SUP", "LBRACE"])

    def _split(self, run: str) -> list[str]:
        match = _INNER.fullmatch(run)
        if match is None or max(len(match[1]), len(match[3])) > 2 or run in _SHORT:
            return []
        return [part for part in match.groups() if part]

    def _mark(self, piece: Piece) -> None:
        text = piece.text
        ahead = self.waiting[-1].text if self.waiting else ""
        if text in "|":
            self._bar(piece, ahead)
        elif text == ":" and ahead == "=":
            self.waiting.pop()
            self._put("RELATION", ":=", piece.at)
        elif text == ":":
            self._put("COLON", ":", piece.at)
        elif text in "=<>":
            self._relation(piece, ahead)
        elif text == ".":
            self._dot(piece)
        elif text == "*" and ahead == "*":
            self.waiting.pop()
            self._put("SUP", "^", piece.at)
        elif text == "*" and self._last() in _SYMBOLS and self._closes():
            self._put("SUP", "^", piece.at)
            self._put("JOIN", "*", piece.at)
        elif text == "~":
            self.gap(piece)
        elif text == "'" and self._last() in ("", "LBRACE", "SUP", "SUB", "LPAR", "PRIMESIGN"):
            self._put("PRIMESIGN", text, piece.at)
        elif text in _SIMPLE:
            self._put(_SIMPLE[text], text, piece.at)
        else:
            self._put("OTHER", f"the character {text!r} is not understood", piece.at)

    def _closes(self) -> bool:
        """Whether what follows ends a list, so that no factor can follow."""
        solid = next((p.text for p in reversed(self.waiting) if p.kind != "space"), "")
        return solid in (",", ")", "]", "=", "")

    def _relation(self, piece: Piece, ahead: str) -> None:
        pair = piece.text + ahead
        if pair in ("<=", ">=", "=="):
            self.waiting.pop()
        if pair == "=>":
            self.waiting.pop()
            self._put("PART", "⇒", piece.at)
            return
        self._put("RELATION", pair if pair in ("<=", ">=") else piece.text, piece.at)

    def _bar(self, piece: Piece, ahead: str) -> None:
        if ahead == "|":
            self.waiting.pop()
            self._put("NORM", "‖", piece.at)
        else:
            self._put("BAR", "|", piece.at)

    def _dot(self, piece: Piece) -> None:
        """A full stop ends the formula or is NumPy's: ``.T``, ``.dot``, ``.*``."""
        ahead = self.waiting[-1:-5:-1]
        rest = "".join(p.text if p.kind != "space" else " " for p in ahead)
        if rest[:2] == "..":
            del self.waiting[-2:]
            self._put("DOTS", "…", piece.at)
        elif rest[:1] == "*":
            self.waiting.pop()
            self._put("JOIN", "⊙", piece.at)
        elif rest[:3] == "dot":
            del self.waiting[-3:]
            self._put("JOIN", "·", piece.at)
        elif re.match(r"T(?![A-Za-z])", rest):
            self.waiting.pop()
            self._put("SUP", "^", piece.at)
            self._put("TOP", "⊤", piece.at)
        elif not rest.strip() or self._ends_sentence():
            self._put("SEMI", ".", piece.at)
        elif rest[0] == " " and self._last() not in ("", "RELATION", "PLUS", "MINUS"):
            self._put("JOIN", "·", piece.at)
        else:
            self._put("OTHER", "a full stop within a formula is not understood", piece.at)

    def _ends_sentence(self) -> bool:
        """Whether only text, closing marks or alignment follow."""
        rest = [p for p in self.waiting if p.kind != "space"]
        return (
            not rest
            or all(p.text in "}&" or p.text == "quad" for p in rest)
            or (
                rest[-1].text
                in ("text", "quad", "qquad", "label", "tag", "nonumber", "&", "\\", "}", "end")
            )
        )

    def _command(self, piece: Piece) -> None:
        name = piece.text
        handler = HANDLERS.get(name)
        if handler is not None:
            handler(self, piece)
            return
        for table, kind in TABLES:
            if name in table:
                value = table[name] if isinstance(table, dict) else words.SAME.get(name, name)
                self._put(kind, value, piece.at)
                return
        self._put("OTHER", f"the command \\{name} is not understood", piece.at)


def _is_word(run: str) -> bool:
    if run in _SHORT:
        return True
    return len(run) > 3 and not (len(run) == 4 and set(run) <= _INDEX_RUN)


_SYMBOLS = ("LETTER", "WORD")
_OPENING = (
    "LPAR",
    "LBRK",
    "LBRACE",
    "LSET",
    "LFLOOR",
    "BEGIN",
    "DECOR",
    "FRAC",
    "SQRT",
    "SUP",
    "SUB",
)
_CLOSING = ("RPAR", "RBRK", "RBRACE", "RSET", "RFLOOR", "END")


def marks_of(pieces: list[Piece]) -> Iterator[Token]:
    """Return the marks of a formula."""
    return iter(Marker(pieces).run())
