"""From pieces of TeX to the marks of the grammar: notation that means nothing is stripped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lark import Token

from symbackprop.audit.reading import words
from symbackprop.audit.reading.tokens import (
    MAX_DEPTH,
    MAX_TOKENS,
    NotRead,
    Piece,
    argument,
    pieces_of_number,
)

_SIMPLE = {
    **{"(": "LPAR", ")": "RPAR", "[": "LBRK", "]": "RBRK", "{": "LBRACE", "}": "RBRACE"},
    **{"+": "PLUS", "-": "MINUS", "/": "SLASH", ",": "COMMA", ";": "SEMI", "&": "AMP"},
    **{"_": "SUB", "^": "SUP", "'": "PRIME", "*": "JOIN", "@": "JOIN"},
}
_PROSE = frozenset(
    ["for", "if", "where", "and", "when", "otherwise", "else", "with", "or", "all", "each", "such", "that", "then", "so", "let", "let's", "given", "thus", "hence", "therefore", "i.e.", "e.g.", "because", "since", "unless", "we", "have", "get", "while", "is", "are", "the", "of", "to", "from", "see", "note", "but", "as", "any", "every"]
)
_SHORT = frozenset(

        ["act", "net", "out", "err", "new", "old", "MSE", "BCE", "SSE", "MAE", "RSS", "mse", "bce", "dim", "pre", "cls", "lab", "tgt", "inp", "hid", "loss", "cost"]

)
_INDEX_RUN = frozenset("ijklmnpqrstuvabcd")
_INNER = re.compile(r"([A-Za-z]*?)(log|exp|max|min|tanh|softmax)([A-Za-z]*)")


class Marker:
    """Turns the pieces of one formula into marks, from left to right."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.waiting = pieces[::-1]
        self.marks: list[Token] = []
        self.environments: list[str] = []

    def run(self) -> list[Token]:
        """Return all marks; `NotRead` for what has no meaning here."""
        depth = 0
        while self.waiting:
            piece = self.waiting.pop()
            before = len(self.marks)
            getattr(self, "_" + piece.kind)(piece)
            for mark in self.marks[before:]:
                depth += mark.type in _OPENING
                depth -= mark.type in _CLOSING
            if depth > MAX_DEPTH:
                raise NotRead(f"nested deeper than {MAX_DEPTH}", piece.at)
            if len(self.marks) > MAX_TOKENS:
                raise NotRead(f"longer than {MAX_TOKENS} symbols", piece.at)
        return self.marks

    def _put(self, kind: str, text: str, at: int) -> None:
        self.marks.append(Token(kind, text, start_pos=at))

    def _space(self, _piece: Piece) -> None:
        pass

    def _parameter(self, piece: Piece) -> None:
        raise NotRead("a macro's parameter stands outside of a macro", piece.at)

    def _foreign(self, piece: Piece) -> None:
        if piece.text.isalpha():
            self._put("TEXT", piece.text, piece.at)
            return
        self._put("OTHER", f"the character {piece.text!r} is not understood", piece.at)

    _combining = _foreign

    def _last(self) -> str:
        return self.marks[-1].type if self.marks else ""

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
        elif run.lower() in _PROSE and len(run) > 1:
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
        elif text == "~":
            pass
        elif text == "'" and self._last() in ("", "LBRACE", "SUP", "SUB", "LPAR", "PRIMESIGN"):
            self._put("PRIMESIGN", text, piece.at)
        elif text in _SIMPLE:
            self._put(_SIMPLE[text], text, piece.at)
        else:
            self._put("OTHER", f"the character {text!r} is not understood", piece.at)

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
        handler = _HANDLERS.get(name)
        if handler is not None:
            handler(self, piece)
            return
        for table, kind in _TABLES:
            if name in table:
                value = table[name] if isinstance(table, dict) else words.SAME.get(name, name)
                self._put(kind, value, piece.at)
                return
        self._put("OTHER", f"the command \\{name} is not understood", piece.at)

    # Each handler takes the command's piece; arguments are taken from what waits.

    def nothing(self, piece: Piece) -> None:
        """Drop a command; after \\left and \\right also the invisible delimiter."""
        if piece.text in ("left", "right", "middle"):
            while self.waiting and self.waiting[-1].kind == "space":
                self.waiting.pop()
            if self.waiting and self.waiting[-1].text == ".":
                self.waiting.pop()

    def wrap(self, piece: Piece) -> None:
        """Drop a command and the arguments before its last one."""
        for _ in range(words.WRAPS[piece.text]):
            argument(self.waiting, piece.at)

    def drop(self, piece: Piece) -> None:
        """Drop a command with its arguments."""
        for _ in range(words.DROPS[piece.text]):
            argument(self.waiting, piece.at)

    def braced(self, piece: Piece) -> None:
        """Read a wrapped thing and drop the note below or above it."""
        inner = argument(self.waiting, piece.at)
        while self.waiting and self.waiting[-1].kind == "space":
            self.waiting.pop()
        if self.waiting and self.waiting[-1].text in ("_", "^"):
            self.waiting.pop()
            argument(self.waiting, piece.at)
        self._push(inner, piece.at)

    def _push(self, inner: list[Piece], at: int) -> None:
        group = [Piece("mark", "{", at), *inner, Piece("mark", "}", at)]
        self.waiting.extend(reversed(group))

    def fraction(self, piece: Piece) -> None:
        """Put the fraction's parts into braces, so that each is one group."""
        top = argument(self.waiting, piece.at)
        bottom = argument(self.waiting, piece.at)
        self._put("FRAC", "frac", piece.at)
        self._push(bottom, piece.at)
        self._push(top, piece.at)

    def root(self, piece: Piece) -> None:
        """A root, with its order in brackets where there is one."""
        while self.waiting and self.waiting[-1].kind == "space":
            self.waiting.pop()
        has_order = bool(self.waiting) and self.waiting[-1].text == "["
        self._put("ROOT" if has_order else "SQRT", "sqrt", piece.at)
        if not has_order:
            self._push(argument(self.waiting, piece.at), piece.at)

    def text(self, piece: Piece) -> None:
        """Words: a name, or prose; formulas within are read as such."""
        inner = argument(self.waiting, piece.at)
        if any(p.text == "$" for p in inner):
            self._text_with_formulas(inner, piece.at)
            return
        content = "".join(p.text if p.kind != "command" else " " for p in inner).strip()
        self.word(content, piece.at)

    def _text_with_formulas(self, inner: list[Piece], at: int) -> None:
        content = "".join(p.text for p in inner if p.kind == "letter" or p.kind == "space")
        first = next(k for k, p in enumerate(inner) if p.text == "$")
        self._put("TEXT", content[:first].strip() or "for", at)
        kept = [p for p in inner[first:] if p.text != "$"]
        self.waiting.extend(reversed(kept))

    def word(self, content: str, at: int) -> None:
        """Put a word set as text."""
        name = words.SAME.get(content, content)
        if self._last() in ("SUB", "SUP"):
            plain = re.sub(r"[^A-Za-z0-9]+", "_", content).strip("_")
            self._put("LETTER" if len(plain) == 1 and plain.isalpha() else "WORD", plain, at)
        elif not content:
            return
        elif len(content) == 1 and content.isalpha():
            self._put("LETTER", content, at)
        elif content.isdigit():
            self._put("NUMBER", content, at)
        elif name in words.BIGS:
            self._put("BIG", words.BIGS[name], at)
        elif name in words.FUNCTIONS:
            self._put("FUNC", name, at)
        elif re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", content) and content.lower() not in _PROSE:
            self._put("WORD", content.replace("-", "_"), at)
        else:
            self._put("TEXT", content, at)

    def plain_style(self, piece: Piece) -> None:
        """Upright letters: several are one word."""
        inner = argument(self.waiting, piece.at)
        solid = [p for p in inner if p.kind != "space"]
        content = "".join(p.text for p in solid)
        if solid and all(p.kind in ("letter", "number") for p in solid) and len(content) > 1:
            self.word(content, piece.at)
        elif len(solid) == 1 and solid[0].kind == "letter":
            self._put("LETTER", content, piece.at)
        else:
            self._push(inner, piece.at)

    def decorated(self, piece: Piece) -> None:
        """An accent or a style over one argument."""
        mark = words.ACCENTS.get(piece.text) or words.STYLES[piece.text]
        inner = argument(self.waiting, piece.at)
        self._put("DECOR", mark, piece.at)
        self._push(inner, piece.at)

    def over(self, piece: Piece) -> None:
        """Something set above or below a relation or an operator."""
        note = argument(self.waiting, piece.at)
        inner = argument(self.waiting, piece.at)
        content = "".join(p.text for p in inner if p.kind != "space")
        if content == "=":
            defines = any(p.text in ("def", "triangle", "Delta") for p in note) or "def" in "".join(
                p.text for p in note if p.kind == "letter"
            )
            self._put("RELATION", ":=" if defines else "=", piece.at)
            return
        below = [Piece("mark", "_", piece.at), Piece("mark", "{", piece.at), *note]
        if piece.text == "underset":
            self.waiting.extend(reversed([*inner, *below, Piece("mark", "}", piece.at)]))
        else:
            self._push(inner, piece.at)

    def argument_of(self, piece: Piece) -> None:
        """``\\arg\\max`` as one operator."""
        while self.waiting and self.waiting[-1].kind == "space":
            self.waiting.pop()
        following = self.waiting.pop().text if self.waiting else ""
        if following not in ("max", "min"):
            raise NotRead("\\arg without max or min", piece.at)
        self._put("BIG", "arg" + following, piece.at)

    def negated(self, piece: Piece) -> None:
        """``\\not=`` and ``\\not\\in``."""
        following = argument(self.waiting, piece.at)
        kind = {"=": "!=", "in": "notin"}.get(following[0].text if following else "")
        if kind is None:
            raise NotRead("\\not before something else than = or \\in", piece.at)
        self._put("RELATION", kind, piece.at)

    def stacked(self, piece: Piece) -> None:
        """``\\substack``: lines below a sum, as a list."""
        inner = argument(self.waiting, piece.at)
        lines = [Piece("mark", ",", p.at) if p.text == "\\" else p for p in inner]
        self._push(lines, piece.at)

    def row(self, piece: Piece) -> None:
        """The end of a row, with its optional distance."""
        if self.waiting and self.waiting[-1].text == "[":
            rest = "".join(p.text for p in self.waiting[-1:-12:-1])
            if match := re.match(r"\[-?[\d.]+\s*[a-z]{2}\]", rest):
                taken = 0
                while taken < match.end():
                    taken += len(self.waiting.pop().text)
        self._put("ROW", "row", piece.at)

    def begin(self, piece: Piece) -> None:
        """An environment: rows of a display vanish, matrices and cases stay."""
        name = "".join(p.text for p in argument(self.waiting, piece.at)).rstrip("*")
        self.environments.append(name)
        if name in ("array", "alignat", "alignedat", "numcases", "IEEEeqnarray"):
            argument(self.waiting, piece.at)
        if name in words.ROWED:
            return
        if name not in words.MATRICES and name not in words.CASES:
            raise NotRead(f"the environment {name} is not understood", piece.at)
        is_cases = name in words.CASES or (name == "array" and self._last() == "LSET")
        if name == "array" and is_cases:
            self.marks.pop()
        self._put("BEGIN", "cases" if is_cases else name, piece.at)

    def end(self, piece: Piece) -> None:
        """The end of an environment."""
        name = "".join(p.text for p in argument(self.waiting, piece.at)).rstrip("*")
        if not self.environments or self.environments.pop() != name:
            raise NotRead(f"the end of {name} without its beginning", piece.at)
        if name not in words.ROWED:
            self._put("END", name, piece.at)


def _is_word(run: str) -> bool:
    if run in _SHORT:
        return True
    return len(run) > 3 and not (len(run) == 4 and set(run) <= _INDEX_RUN)


_OPENING = ("LPAR", "LBRK", "LBRACE", "LSET", "BEGIN", "DECOR", "FRAC", "SQRT", "SUP", "SUB")
_CLOSING = ("RPAR", "RBRK", "RBRACE", "RSET", "END")
_TABLES: tuple[tuple[dict[str, str] | tuple[str, ...] | frozenset[str], str], ...] = (
    (words.LETTERS, "LETTER"),
    (words.FUNCTIONS, "FUNC"),
    (words.BIGS, "BIG"),
    (words.JOINS, "JOIN"),
    (words.RELATIONS, "RELATION"),
    (words.PARTINGS, "PART"),
    (words.DOTS, "DOTS"),
    (words.NORMS, "NORM"),
    (words.BARS, "BAR"),
    (words.WIDE, "QUAD"),
    ({"partial": "∂"}, "PARTIAL"),
    ({"nabla": "∇", "bigtriangledown": "∇"}, "NABLA"),
    ({"top": "⊤", "intercal": "⊤", "transpose": "⊤"}, "TOP"),
    ({"prime": "'"}, "PRIMESIGN"),
    ({"{": "{", "lbrace": "{"}, "LSET"),
    ({"}": "}", "rbrace": "}"}, "RSET"),
    ({"lparen": "("}, "LPAR"),
    ({"rparen": ")"}, "RPAR"),
    ({"lbrack": "["}, "LBRK"),
    ({"rbrack": "]"}, "RBRK"),
    ({"colon": ":"}, "COLON"),
    ({"dagger": "dagger"}, "LETTER"),
    ({"And": "and", "forall": "for"}, "TEXT"),
)
_HANDLERS: dict[str, Callable[[Marker, Piece], None]] = {
    **{name: Marker.nothing for name, count in words.WRAPS.items() if count < 0},
    **{name: Marker.wrap for name, count in words.WRAPS.items() if count >= 0},
    **dict.fromkeys(words.THIN, Marker.nothing),
    **dict.fromkeys(words.DROPS, Marker.drop),
    **dict.fromkeys(words.BRACES, Marker.braced),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"), Marker.fraction),
    **dict.fromkeys(words.TEXTS, Marker.text),
    **dict.fromkeys(("operatorname", "operatornamewithlimits"), Marker.plain_style),
    **dict.fromkeys(words.ACCENTS, Marker.decorated),
    **{
        name: Marker.plain_style if style == "plain" else Marker.decorated
        for name, style in words.STYLES.items()
    },
    **dict.fromkeys(("overset", "underset", "stackrel"), Marker.over),
    "sqrt": Marker.root,
    "arg": Marker.argument_of,
    "not": Marker.negated,
    "substack": Marker.stacked,
    "\\": Marker.row,
    "newline": Marker.row,
    "cr": Marker.row,
    "begin": Marker.begin,
    "end": Marker.end,
}


def marks_of(pieces: list[Piece]) -> Iterator[Token]:
    """Return the marks of a formula."""
    return iter(Marker(pieces).run())
