"""The grammar at work: marks become flat items with their scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.lexer import Lexer

from symbackprop.auditing.formulas.reading.normalise import marks_of
from symbackprop.auditing.formulas.reading.tokens import Macro, NotReadError, expand, pieces


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a row: a symbol, a group or an operator, with its scripts.

    ``kind`` is that of its mark in lower case, or brace, paren, bracket, set, interval, frac, root,
    matrix. ``parts`` are a group's items, a fraction's two, a root's content and order.
    """

    kind: str
    text: str
    at: int
    parts: tuple[tuple[Item, ...], ...] = ()
    below: tuple[Item, ...] = ()
    above: tuple[Item, ...] = ()
    primes: int = 0
    accents: tuple[str, ...] = ()
    style: str = ""


class _Marks(Lexer):  # type: ignore[misc]
    """Hands the marks on as they are."""

    def __init__(self, _configuration: object) -> None:
        pass

    def lex(self, lexer_state: Any, parser_state: Any = None) -> Iterator[Token]:
        yield from lexer_state.text.text if hasattr(lexer_state, "text") else lexer_state


_STYLES = ("bold", "double", "script", "plain")


@v_args(inline=True)
class _Build(Transformer[Token, Any]):  # type: ignore[misc]
    """Builds items while the grammar reduces, so that no tree is walked."""

    def start(self, *items: Item) -> tuple[Item, ...]:
        return items

    def plain(self, mark: Token) -> Item:
        return Item(mark.type.lower(), str(mark), mark.start_pos or 0)

    def _group(self, kind: str, first: Token, items: tuple[Item, ...]) -> Item:
        return Item(kind, str(first), first.start_pos or 0, (items,))

    def brace(self, first: Token, *rest: Any) -> Item:
        return self._group("brace", first, rest[:-1])

    def paren(self, first: Token, *rest: Any) -> Item:
        return self._group("paren", first, rest[:-1])

    def bracket(self, first: Token, *rest: Any) -> Item:
        return self._group("bracket", first, rest[:-1])

    def set(self, first: Token, *rest: Any) -> Item:
        return self._group("set", first, rest[:-1])

    def floor(self, first: Token, *rest: Any) -> Item:
        return self._group("floor", first, rest[:-1])

    def interval(self, first: Token, *rest: Any) -> Item:
        return self._group("interval", first, rest[:-1])

    def matrix(self, first: Token, *rest: Any) -> Item:
        return self._group("matrix", first, rest[:-1])

    def frac(self, first: Token, top: Item, bottom: Item) -> Item:
        return Item("frac", "frac", first.start_pos or 0, (content(top), content(bottom)))

    def root(self, first: Token, *rest: Any) -> Item:
        order = tuple(part for part in rest[:-1] if isinstance(part, Item))
        return Item("root", "sqrt", first.start_pos or 0, (content(rest[-1]), order))

    def decor(self, mark: Token, inner: Item) -> Item:
        return _decorated(inner, str(mark), mark.start_pos or 0)

    def below(self, _mark: Token, script: Item) -> tuple[str, Item]:
        return "below", script

    def above(self, _mark: Token, script: Item) -> tuple[str, Item]:
        return "above", script

    def prime(self, mark: Token) -> tuple[str, Item]:
        return "prime", Item("primesign", "'", mark.start_pos or 0)

    def item(self, core: Item, *scripts: tuple[str, Item]) -> Item:
        if scripts and core.kind == "brace":
            inner = content(core)
            bare = len(inner) == 1 and inner[0].kind in ("letter", "word")
            primed = all(place == "prime" for place, _ in scripts)
            if bare and (primed or not (inner[0].below or inner[0].above)):
                core = inner[0]
        for place, script in scripts:
            core = _scripted(core, place, script)
        return core


def _scripted(core: Item, place: str, script: Item) -> Item:
    if place == "prime":
        return replace(core, primes=core.primes + 1)
    inner = content(script)
    if place == "above":
        # A prime beside a label in the superscript is the symbol's: g^{[1]'}.
        signs = [part for part in inner if part.kind == "primesign"]
        labels = [part for part in inner[:1] if part.kind in ("paren", "bracket")]
        primes = sum(1 + sign.primes for sign in signs) + sum(label.primes for label in labels)
        core = replace(core, primes=core.primes + primes)
        inner = tuple(
            replace(part, primes=0) if part in labels else part
            for part in inner
            if part.kind != "primesign"
        )
    if place == "below":
        return replace(core, below=(*core.below, *inner))
    return replace(core, above=(*core.above, *inner))


def _decorated(inner: Item, mark: str, at: int) -> Item:
    """Put an accent or a style on the one symbol within, or wrap a group in braces."""
    body = content(inner)
    while len(body) == 1 and body[0].kind == "brace" and content(body[0]) != body:
        body = content(body[0])
    if len(body) == 1 and body[0].kind in ("letter", "word", "number", "brace"):
        symbol = replace(body[0], at=at)
        if mark in _STYLES:
            kind = (
                "letter" if mark in ("double", "bold") and symbol.kind == "number" else symbol.kind
            )
            return replace(symbol, kind=kind, style=mark)
        return replace(symbol, accents=(*symbol.accents, mark))
    if mark in _STYLES or not body:
        # A style over a whole group is carried by its letters.
        return Item("brace", "{", at, (tuple(_styled(part, mark) for part in body),))
    raise NotReadError(f"{mark} over more than one symbol", at)


def _styled(item: Item, style: str) -> Item:
    return replace(item, style=style) if item.kind == "letter" and not item.style else item


def content(item: Item) -> tuple[Item, ...]:
    """Return what stands in a brace group without scripts, or the item itself."""
    is_bare = item.kind == "brace" and not (item.below or item.above or item.primes or item.accents)
    return item.parts[0] if is_bare else (item,)


@cache
def _grammar() -> Lark:
    text = Path(__file__).with_name("grammar.lark").read_text(encoding="ascii")
    return Lark(text, parser="lalr", lexer=_Marks, transformer=_Build(), maybe_placeholders=False)


def read_items(text: str, macros: Mapping[str, Macro]) -> tuple[Item, ...]:
    """Return the flat items of a formula.

    Raises:
        NotReadError: With the reason, and the offset in ``text`` of what stopped the reader.
    """
    marks = list(marks_of(expand(pieces(text), macros)))
    try:
        items: tuple[Item, ...] = _grammar().parse(marks)
    except UnexpectedInput as error:
        found = getattr(error, "token", None)
        at = found.start_pos if found is not None and found.start_pos is not None else len(text)
        what = repr(str(found)) if found is not None and found.type != "$END" else "the end"
        raise NotReadError(f"{what} is not expected here", at) from None
    return items
