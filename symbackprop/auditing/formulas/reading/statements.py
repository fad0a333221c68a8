"""From rows to sentences: chains of members, with the ranges and conditions said beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from symbackprop.auditing.formulas.documents import Sheet, Source
from symbackprop.auditing.formulas.reading import big, derivatives
from symbackprop.auditing.formulas.reading.facts import Facts, gather
from symbackprop.auditing.formulas.reading.items import Item, read_items
from symbackprop.auditing.formulas.reading.resolve import Reader
from symbackprop.auditing.formulas.reading.scan import ALTERNATIVES
from symbackprop.auditing.formulas.reading.tokens import NotReadError
from symbackprop.auditing.formulas.tree import Bound, Node

MAX_CHAIN = 100
LINKS = ("=", ":=", "≈", "←", "∝")
_CONDITIONAL = ("if", "for", "when", "where", "with", "all", "each", "every", "and", "for all")


@dataclass(frozen=True, slots=True)
class Member:
    """One side of a link: its tree, or why there is none.

    ``others`` holds further readings with the words for what was chosen; ``differentiates``:
    whether a derivative is written in it, read or not.
    """

    node: Node | None
    others: tuple[tuple[Node, str], ...]
    refusal: NotReadError | None
    source: Source
    differentiates: bool


@dataclass
class Sentence:
    """A chain of members, as long as it goes on over rows and displays."""

    members: list[Member]
    relations: list[str]
    order: int
    ranges: list[Bound] = field(default_factory=list)
    conditions: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Part:
    """A run of items between separators, with the words before it."""

    items: tuple[Item, ...]
    lead: str


def read_sheet(sheet: Sheet) -> tuple[list[Sentence], Facts, list[tuple[Source, NotReadError]]]:
    """Read all formulas of a sheet: sentences, the facts they rest on, rows that are not read."""
    rows: list[tuple[Source, tuple[Item, ...]]] = []
    unread: list[tuple[Source, NotReadError]] = []
    for source in sheet.sources:
        try:
            rows.append((source, read_items(source.text, sheet.macros)))
        except NotReadError as refusal:
            unread.append((source, refusal))
    facts = gather(items for _, items in rows)
    writer = _Writer(facts)
    for source, items in rows:
        writer.row(source, items)
    return [s for s in writer.sentences if len(s.members) > 1 or s.conditions], facts, unread


class _Writer:
    """Adds rows to sentences, in document order."""

    def __init__(self, facts: Facts) -> None:
        self.reader = Reader(facts)
        self.others = [(Reader(facts, options), words) for options, words in ALTERNATIVES]
        self.sentences: list[Sentence] = []
        self.open: Sentence | None = None
        self.dangling = False
        self.raw: dict[int, tuple[Item, ...]] = {}
        # Conditions of the display that comes next.
        self.ahead: list[Node] = []

    def row(self, source: Source, items: tuple[Item, ...]) -> None:
        """Read one row; ranges and conditions go to the sentences of the row."""
        first = len(self.sentences)
        parts = list(_parts(items))
        for k, part in enumerate(parts):
            self._part(part, source, first, k == 0)

    def _part(self, part: _Part, source: Source, first: int, opens: bool) -> None:
        here = self.sentences[first:] or ([self.open] if self.open else [])
        part = _unwrapped(part) if here and not opens else part
        try:
            bounds = big.range_of(self.reader, part.items)
        except NotReadError:
            return
        if bounds is not None:
            for sentence in here:
                sentence.ranges += bounds
            return
        if opens and _stands_ahead(part, source):
            self._ahead(part)
            return
        if self._is_condition(part):
            self._condition(part, here)
            return
        pieces, relations = _links(part.items)
        if opens and pieces and self._goes_on(pieces, relations, source):
            self._continue(pieces, relations, source)
        elif relations or opens:
            self._begin(pieces, relations, source)

    def _is_condition(self, part: _Part) -> bool:
        relations = [i.text for i in part.items if i.kind == "relation"]
        if not relations or relations[0] in ("in", "subset", "~", "mid"):
            return bool(relations) and not any(i.style == "double" for i in part.items)
        if any(r not in LINKS for r in relations):
            return True
        words = part.lead.lower().split()
        is_short = sum(1 for i in part.items if i.kind != "amp") <= 4
        return bool(words) and words[-1] in _CONDITIONAL[:3] and is_short

    def _ahead(self, part: _Part) -> None:
        """Keep a condition that words state before a display: ``Case i ≠ j:``."""
        try:
            self.ahead = [big.condition(self.reader, part.items)]
        except NotReadError:
            self.ahead = []

    def _condition(self, part: _Part, here: list[Sentence]) -> None:
        try:
            said = big.condition(self.reader, part.items)
        except NotReadError:
            return
        for sentence in here:
            sentence.conditions.append(said)

    def _goes_on(
        self, pieces: list[tuple[Item, ...]], relations: list[str], source: Source
    ) -> bool:
        """Whether a row continues the sentence before it."""
        if self.open is None:
            return False
        last = self.open.members[-1].source
        if last.display != source.display and "inline" in (source.kind, last.kind):
            return False
        if not pieces[0]:
            return bool(relations)
        if last.display != source.display:
            return False
        if pieces[0][0].kind in ("plus", "join", "minus") and not relations and not self.dangling:
            return True
        return self.dangling and not relations

    def _continue(
        self, pieces: list[tuple[Item, ...]], relations: list[str], source: Source
    ) -> None:
        sentence = self.open
        assert sentence is not None
        if pieces[0] and not self.dangling:
            # An operator opens the row: the last member goes on.
            last = self.raw[id(sentence)] + pieces[0]
            sentence.members[-1] = self._member(last, sentence.members[-1].source)
            self.raw[id(sentence)] = last
            return
        if pieces[0]:
            sentence.relations.append("=")
            self._append(sentence, pieces[0], source)
        for relation, piece in zip(relations, pieces[1:], strict=True):
            self._link(sentence, relation, piece, source)

    def _begin(self, pieces: list[tuple[Item, ...]], relations: list[str], source: Source) -> None:
        if not pieces or not pieces[0]:
            return
        sentence = Sentence([], [], len(self.sentences))
        if source.kind == "display":
            sentence.conditions, self.ahead = self.ahead, []
        self.sentences.append(sentence)
        self.open = sentence
        self.dangling = False
        self._append(sentence, pieces[0], source)
        for relation, piece in zip(relations, pieces[1:], strict=True):
            self._link(sentence, relation, piece, source)

    def _link(
        self, sentence: Sentence, relation: str, piece: tuple[Item, ...], source: Source
    ) -> None:
        self.dangling = not piece
        if len(sentence.members) > MAX_CHAIN:
            return
        if len(sentence.members) == MAX_CHAIN:
            refusal = NotReadError(f"a chain of more than {MAX_CHAIN} members", piece[0].at)
            sentence.relations.append(relation)
            sentence.members.append(Member(None, (), refusal, source, False))
        elif piece:
            sentence.relations.append(relation)
            self._append(sentence, piece, source)

    def _append(self, sentence: Sentence, piece: tuple[Item, ...], source: Source) -> None:
        sentence.members.append(self._member(piece, source))
        self.raw[id(sentence)] = piece
        self.dangling = False

    def _member(self, items: tuple[Item, ...], source: Source) -> Member:
        differentiates = any(_is_derivative(item) for item in _all(items))
        try:
            node = self.reader.expression(items)
        except NotReadError as refusal:
            return Member(None, (), refusal, source, differentiates)
        others: list[tuple[Node, str]] = []
        for reader, words in self.others:
            try:
                other = reader.expression(items)
            except NotReadError:
                continue
            if other != node and all(other != known for known, _ in others):
                others.append((other, words))
        return Member(node, tuple(others), None, source, differentiates)


def _all(items: tuple[Item, ...]) -> Iterator[Item]:
    waiting = [items]
    while waiting:
        row = waiting.pop()
        yield from row
        for item in row:
            waiting += [part for part in (*item.parts, item.below, item.above) if part]


def _is_derivative(item: Item) -> bool:
    if item.kind == "frac":
        return derivatives.is_derivative(item)
    return item.kind in ("partial", "nabla")


def _parts(items: tuple[Item, ...]) -> Iterator[_Part]:
    """Cut a row into its statements, ranges and conditions."""
    items = tuple(_merged_colons(_without_number(items)))
    run: list[Item] = []
    lead = ""
    for k, item in enumerate(items):
        if not _separates(items, k):
            run.append(item)
            continue
        yield from _by_commas(tuple(run), lead)
        run = []
        lead = item.text if item.kind == "text" else (lead if item.kind == "amp" else "")
    yield from _by_commas(tuple(run), lead)


def _stands_ahead(part: _Part, source: Source) -> bool:
    """Whether a formula in the text says when the display after it holds."""
    before, after = source.words
    words = before.lower().split()
    solid = [item for item in part.items if item.kind != "amp"]
    compares = [item.kind for item in solid] == ["letter", "relation", "letter"]
    leads = bool(words) and words[-1].strip("(*_") in (*_CONDITIONAL[:3], "case")
    closes = after.lstrip("*_) ")[:1] in (":", ",") or after.startswith("then") or not after
    return source.kind == "inline" and compares and leads and closes


def _unwrapped(part: _Part) -> _Part:
    """Return what stands in brackets beside a formula: ``(i ≤ j)`` says when it holds."""
    solid = [item for item in part.items if item.kind not in ("amp", "quad")]
    inner = solid[0].parts[0] if len(solid) == 1 and solid[0].kind == "paren" else ()
    return _Part(inner, part.lead) if any(i.kind == "relation" for i in inner) else part


def _without_number(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Drop the number of an equation, ``(20)`` behind a wide space at the end of a row."""
    if len(items) < 3 or items[-2].kind != "quad" or items[-1].kind != "paren":
        return items
    inner = items[-1].parts[0]
    bare = not (items[-1].above or items[-1].below)
    numbered = bare and len(inner) == 1 and inner[0].kind == "number"
    return items[:-2] if numbered else items


def _merged_colons(items: tuple[Item, ...]) -> Iterator[Item]:
    """Make one relation of ``:`` and ``=`` that an alignment mark keeps apart."""
    solid = list(items)
    for k, item in enumerate(solid):
        following = [i for i in solid[k + 1 : k + 3] if i.kind != "amp"][:1]
        if item.kind == "colon" and following and following[0].text == "=":
            continue
        yield item


def _separates(items: tuple[Item, ...], k: int) -> bool:
    item = items[k]
    if item.kind == "quad":
        return _parts_statements(items, k)
    if item.kind in ("part", "text", "semi", "colon", "row"):
        return True
    if item.kind != "amp" or k in (0, len(items) - 1):
        return False
    before = items[k - 1]
    after = next((i for i in items[k + 1 :] if i.kind != "amp"), items[k])
    return after.kind not in _ALIGNED and before.kind not in (*_ALIGNED, "text", "quad")


def _parts_statements(items: tuple[Item, ...], k: int) -> bool:
    """Whether a wide space parts two statements, and is not only air around an operator."""
    before = next((i for i in reversed(items[:k]) if i.kind not in _SPACES), None)
    after = next((i for i in items[k + 1 :] if i.kind not in _SPACES), None)
    airy = before is not None and before.kind in ("relation", "plus", "minus", "join")
    airy = airy or (after is not None and after.kind in ("relation", "plus", "join"))
    if airy or items[k].text != "gap":
        return not airy
    # Several small spaces in a row may stand for nothing where no other statement follows.
    return _relates(items[:k]) and _relates(items[k + 1 :])


_SPACES = ("quad", "amp")


def _relates(items: tuple[Item, ...]) -> bool:
    return any(item.kind == "relation" for item in items)


# What a row of an alignment goes on with, or has gone on with, at its mark.
_ALIGNED = ("relation", "plus", "minus", "join", "amp")


def _by_commas(items: tuple[Item, ...], lead: str) -> Iterator[_Part]:
    """Cut at commas between statements, not at those of a list or a range."""
    runs: list[list[Item]] = [[]]
    for item in items:
        if item.kind == "comma":
            runs.append([])
        else:
            runs[-1].append(item)
    merged: list[list[Item]] = []
    for run in runs:
        has_relation = any(i.kind == "relation" for i in run)
        waits = merged and not any(i.kind == "relation" for i in merged[-1])
        if merged and ((run and not has_relation) or waits):
            merged[-1] += [Item("comma", ",", run[0].at if run else 0), *run]
        elif run:
            merged.append(run)
    for run in merged:
        yield _Part(tuple(run), lead)


def _links(items: tuple[Item, ...]) -> tuple[list[tuple[Item, ...]], list[str]]:
    pieces: list[list[Item]] = [[]]
    relations: list[str] = []
    for item in items:
        if item.kind == "amp":
            continue
        if item.kind == "relation":
            relations.append(item.text)
            pieces.append([])
        else:
            pieces[-1].append(item)
    return [tuple(_without_comma(piece)) for piece in pieces], relations


def _without_comma(piece: list[Item]) -> list[Item]:
    while piece and piece[-1].kind in ("comma", "semi"):
        piece = piece[:-1]
    return piece
