"""What commands do to the marks: wraps vanish, words become names, environments open and close."""

from __future__ import annotations

import re
from collections.abc import Callable

from lark import Token

from symbackprop.auditing.formulas.reading import words
from symbackprop.auditing.formulas.reading.tokens import NotReadError, Piece, argument

PROSE = frozenset(
    [
        "for",
        "if",
        "where",
        "and",
        "when",
        "otherwise",
        "else",
        "with",
        "or",
        "all",
        "each",
        "such",
        "that",
        "then",
        "so",
        "let",
        "let's",
        "given",
        "thus",
        "hence",
        "therefore",
        "i.e.",
        "e.g.",
        "because",
        "since",
        "unless",
        "we",
        "have",
        "get",
        "while",
        "is",
        "are",
        "the",
        "of",
        "to",
        "from",
        "see",
        "note",
        "but",
        "as",
        "any",
        "every",
    ]
)


class Commands:
    """The pieces that wait, the marks so far, and a method for each command with arguments."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.waiting = pieces[::-1]
        self.marks: list[Token] = []
        self.environments: list[str] = []
        # The width of the spaces since the last mark, and how many marks there were.
        self._gap = (0.0, 0)

    def _put(self, kind: str, text: str, at: int) -> None:
        self.marks.append(Token(kind, text, start_pos=at))

    def _last(self) -> str:
        return self.marks[-1].type if self.marks else ""

    # Each handler takes the command's piece; arguments are taken from what waits.

    def nothing(self, piece: Piece) -> None:
        r"""Drop a command; after \left and \right also the invisible delimiter."""
        if piece.text in ("left", "right", "middle"):
            while self.waiting and self.waiting[-1].kind == "space":
                self.waiting.pop()
            if self.waiting and self.waiting[-1].text == ".":
                self.waiting.pop()

    def gap(self, piece: Piece) -> None:
        """Count a space; as many as are wide together part what stands beside them."""
        self._widen(words.GAPS[piece.text], piece.at)

    def distance(self, piece: Piece) -> None:
        """A space whose width is stated."""
        inner = argument(self.waiting, piece.at)
        content = "".join(p.text for p in inner if p.kind != "space")
        match = re.fullmatch(r"([\d.]+)([a-z]{2})", content)
        if match and match[2] in words.EM_OF_UNITS:
            self._widen(float(match[1]) * words.EM_OF_UNITS[match[2]], piece.at)

    def _widen(self, width: float, at: int) -> None:
        before, marks = self._gap
        width += before if marks == len(self.marks) else 0.0
        self._gap = width, len(self.marks)
        if width >= words.WIDE_GAP and self._last() not in ("", "QUAD"):
            self._put("QUAD", "gap", at)

    def wrap(self, piece: Piece) -> None:
        """Drop a command and the arguments before its last one."""
        for _ in range(words.WRAPS[piece.text]):
            argument(self.waiting, piece.at)

    def operator(self, piece: Piece) -> None:
        """What counts as one operator, between its sides or above limits, is read as it is."""
        self.waiting.extend(reversed(argument(self.waiting, piece.at)))

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
        content = "".join(p.text for p in inner if p.kind in ("letter", "space"))
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
        elif re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", content) and content.lower() not in PROSE:
            self._put("WORD", content.replace("-", "_"), at)
        else:
            self._put("TEXT", content, at)

    def plain_style(self, piece: Piece) -> None:
        """Upright letters: several are one word."""
        inner = argument(self.waiting, piece.at)
        solid = [p for p in inner if p.kind != "space" and p.text not in words.GAPS]
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
        r"""``\arg\max`` as one operator."""
        while self.waiting and self.waiting[-1].kind == "space":
            self.waiting.pop()
        following = self.waiting.pop().text if self.waiting else ""
        if following not in ("max", "min"):
            raise NotReadError("\\arg without max or min", piece.at)
        self._put("BIG", "arg" + following, piece.at)

    def negated(self, piece: Piece) -> None:
        r"""``\not=`` and ``\not\in``."""
        following = argument(self.waiting, piece.at)
        kind = {"=": "!=", "in": "notin"}.get(following[0].text if following else "")
        if kind is None:
            raise NotReadError("\\not before something else than = or \\in", piece.at)
        self._put("RELATION", kind, piece.at)

    def stacked(self, piece: Piece) -> None:
        r"""``\substack``: lines below a sum, as a list."""
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
            raise NotReadError(f"the environment {name} is not understood", piece.at)
        is_cases = name in words.CASES or (name == "array" and self._last() == "LSET")
        if name == "array" and is_cases:
            self.marks.pop()
        self._put("BEGIN", "cases" if is_cases else name, piece.at)

    def end(self, piece: Piece) -> None:
        """The end of an environment."""
        name = "".join(p.text for p in argument(self.waiting, piece.at)).rstrip("*")
        if not self.environments or self.environments.pop() != name:
            raise NotReadError(f"the end of {name} without its beginning", piece.at)
        if name not in words.ROWED:
            self._put("END", name, piece.at)


TABLES: tuple[tuple[dict[str, str] | tuple[str, ...] | frozenset[str], str], ...] = (
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
    ({"lfloor": "("}, "LFLOOR"),
    ({"rfloor": ")"}, "RFLOOR"),
    ({"lparen": "("}, "LPAR"),
    ({"rparen": ")"}, "RPAR"),
    ({"lbrack": "["}, "LBRK"),
    ({"rbrack": "]"}, "RBRK"),
    ({"colon": ":"}, "COLON"),
    ({"dagger": "dagger"}, "LETTER"),
    ({"And": "and", "forall": "for"}, "TEXT"),
)
HANDLERS: dict[str, Callable[[Commands, Piece], None]] = {
    **{name: Commands.nothing for name, count in words.WRAPS.items() if count < 0},
    **{name: Commands.wrap for name, count in words.WRAPS.items() if count >= 0},
    **dict.fromkeys(words.GAPS, Commands.gap),
    "hspace": Commands.distance,
    **dict.fromkeys(("mathop", "mathbin"), Commands.operator),
    **dict.fromkeys(words.DROPS, Commands.drop),
    **dict.fromkeys(words.BRACES, Commands.braced),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"), Commands.fraction),
    **dict.fromkeys(words.TEXTS, Commands.text),
    **dict.fromkeys(("operatorname", "operatornamewithlimits"), Commands.plain_style),
    **dict.fromkeys(words.ACCENTS, Commands.decorated),
    **{
        name: Commands.plain_style if style == "plain" else Commands.decorated
        for name, style in words.STYLES.items()
    },
    **dict.fromkeys(("overset", "underset", "stackrel"), Commands.over),
    "sqrt": Commands.root,
    "arg": Commands.argument_of,
    "not": Commands.negated,
    "substack": Commands.stacked,
    "\\": Commands.row,
    "newline": Commands.row,
    "cr": Commands.row,
    "begin": Commands.begin,
    "end": Commands.end,
}
