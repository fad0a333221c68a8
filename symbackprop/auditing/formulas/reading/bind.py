"""From sentences to definitions, claims and stated shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.binding import Claim, Definition, Paper, Reading, Shape, Unread
from symbackprop.auditing.formulas.documents import Sheet
from symbackprop.auditing.formulas.model import index_letters, is_letter
from symbackprop.auditing.formulas.nodes import walk
from symbackprop.auditing.formulas.reading.completing import completed
from symbackprop.auditing.formulas.reading.facts import Facts
from symbackprop.auditing.formulas.reading.implied import (
    function_within,
    name_at_end,
    symmetric,
)
from symbackprop.auditing.formulas.reading.inner import with_elements
from symbackprop.auditing.formulas.reading.marks import told_apart
from symbackprop.auditing.formulas.reading.plain import without_formals
from symbackprop.auditing.formulas.reading.scopes import limited, widened
from symbackprop.auditing.formulas.reading.small import small_letters
from symbackprop.auditing.formulas.reading.squares import squares_named
from symbackprop.auditing.formulas.reading.statements import Member, Sentence, read_sheet
from symbackprop.auditing.formulas.reading.vectors import elements_applied
from symbackprop.auditing.formulas.tree import Access, Node

# The left side of a row that could not be cut into symbols.
_DIFFERENTIATES = re.compile(
    r"\\partial|\\nabla|\\[dt]?frac\s*\{\s*(?:\\mathrm\s*)?\{?d(?![a-z])|^[&\s]*d[A-Za-z](?![a-z])"
)


def bind(sheet: Sheet) -> Paper:
    """Read a sheet: what it defines, what it claims, what could not be read."""
    sentences, facts, refused = read_sheet(sheet)
    binder = _Binder(sentences, facts)
    for sentence in sentences:
        binder.sentence(sentence)
    for source, refusal in refused:
        left, sign, _ = source.text.partition("=")
        is_claim = bool(sign and _DIFFERENTIATES.search(left))
        place = source.place(refusal.offset)
        binder.unread.append(Unread(source, *place, refusal.reason, is_claim))
    known = {definition.name.symbol for definition in binder.definitions}
    named = [d for d in binder.aliases if d.name.symbol not in known]
    read = Paper(
        tuple(sorted((*binder.definitions, *named), key=lambda d: d.order)),
        tuple(binder.claims),
        tuple(binder.shapes),
        tuple(binder.unread),
        tuple(sorted(facts.layers)),
        tuple(sorted(facts.functions)),
        tuple(binder.gradients.values()),
        symmetric(sheet, binder.definitions),
    )
    marked = told_apart(squares_named(elements_applied(read)))
    return small_letters(with_elements(completed(without_formals(marked))))


class _Binder:
    def __init__(self, sentences: list[Sentence], facts: Facts) -> None:
        self.facts = facts
        self.definitions: list[Definition] = []
        self.claims: list[Claim] = []
        self.shapes: list[Shape] = []
        self.unread: list[Unread] = []
        # What chains define on the way: it counts where nothing else defines it.
        self.aliases: list[Definition] = []
        self.gradients: dict[tuple[str, tuple[str, ...], int], Definition] = {}
        for sentence in sentences:
            self._gradient(sentence)

    def _gradient(self, sentence: Sentence) -> None:
        """Note a name that one sentence equates with a bare derivative."""
        nodes = [m.node for m in sentence.members]
        bare = next((n for n in nodes if _is_bare(n)), None)
        if bare is None or not (isinstance(nodes[0], Access) or nodes[0] is bare):
            return
        named = nodes[0] if nodes[0] is not bare else nodes[-1]
        if not isinstance(named, Access) or named.symbol in self.gradients:
            return
        if nodes[0] is bare and named.name != "delta":
            return
        self.gradients[named.symbol] = self._definition(sentence, named, (bare,))

    def sentence(self, sentence: Sentence) -> None:
        """File one sentence under what it is."""
        for member in sentence.members:
            self._refused(member, sentence)
        _read_total(sentence)
        first = sentence.members[0].node
        if len(sentence.members) < 2:
            return
        if sentence.relations[0] == "in":
            self._shape(sentence)
        elif first is None or _differentiates(first):
            self.claims += self._links(sentence, 0)
        elif isinstance(first, tree.Apply) and (
            arguments := _dependencies(first, sentence.members[1].node)
        ):
            self.definitions.append(self._definition(sentence, first.function, (first,)))
            for formal, value in arguments:
                self.definitions.append(self._definition(sentence, formal, (value,)))
        elif _is_update(sentence, first):
            if any(m.node is not None and _differentiates(m.node) for m in sentence.members):
                self.claims += self._links(sentence, 1)
        elif self._is_gradient(first, sentence):
            self.claims += self._links(sentence, 0)
        else:
            self._define(sentence, first)

    def _refused(self, member: Member, sentence: Sentence) -> None:
        if member.refusal is not None:
            place = member.source.place(member.refusal.offset)
            first = sentence.members[0]
            differentiates = first.differentiates or isinstance(first.node, tree.Derivative)
            is_claim = len(sentence.members) > 1 and differentiates
            reason = member.refusal.reason
            self.unread.append(Unread(member.source, *place, reason, is_claim, sentence.order))

    def _is_gradient(self, first: Node, sentence: Sentence) -> bool:
        """Whether a plain left side names a gradient that another sentence defines."""
        if not isinstance(first, Access) or first.symbol not in self.gradients:
            return False
        return not any(_is_bare(m.node) for m in sentence.members)

    def _shape(self, sentence: Sentence) -> None:
        left, right = sentence.members[0].node, sentence.members[1].node
        source = sentence.members[0].source
        names = left.items if isinstance(left, tree.Listing) else (left,)
        for name in names:
            if isinstance(name, Access) and isinstance(right, tree.Space):
                self.shapes.append(Shape(name, right.extents, sentence.order, source))

    def _define(self, sentence: Sentence, first: Node) -> None:
        target, formals = _target(first)
        if target is None and (named := _named_last(sentence)) is not None:
            self.definitions.append(self._definition(sentence, named, (first,)))
        values = tuple(
            m.node
            for m, _ in takewhile(
                lambda link: link[1] in ("=", ":="),
                zip(sentence.members[1:], sentence.relations, strict=True),
            )
            if m.node is not None
        )
        if target is not None and values:
            own = {*index_letters(target), *(b.index.name for b in sentence.ranges)}
            values = tuple(limited(widened(value, own), sentence.ranges) for value in values)
            made = self._definition(sentence, target, values, formals)
            self.definitions.append(made)
            if (alias := name_at_end(values)) is not None:
                self.aliases.append(self._definition(sentence, alias, values[:1]))
            if (applied := function_within(values)) is not None:
                name, arguments, body = applied
                self.aliases.append(self._definition(sentence, name, (body,), arguments))
        if any(m.node is not None and _differentiates(m.node) for m in sentence.members[1:]):
            self.claims += self._links(sentence, 1)

    def _definition(
        self,
        sentence: Sentence,
        target: Node,
        values: tuple[Node, ...],
        formals: tuple[Access, ...] = (),
    ) -> Definition:
        source = sentence.members[0].source
        named = target.base if isinstance(target, tree.Power) else target
        labels = named.labels if isinstance(named, Access) else ()
        letters = {
            m.base for m in labels if m.base in self.facts.layers or m.base in self.facts.bound
        }
        return Definition(
            target,
            formals,
            values,
            sentence.order,
            source.display,
            tuple(sentence.ranges),
            tuple(sentence.conditions),
            source,
            tuple(sorted(letters)),
        )

    def _links(self, sentence: Sentence, start: int) -> Iterator[Claim]:
        """Yield a claim for each link whose two sides are read."""
        head = sentence.members[start].node
        left = sentence.members[start] if head is not None else None
        gap, rounded = False, False
        for k in range(start, len(sentence.members) - 1):
            member, relation = sentence.members[k + 1], sentence.relations[k]
            rounded = rounded or relation == "≈" or _has_decimals(member.node)
            if member.node is None or relation not in ("=", ":=", "≈"):
                gap = True
                continue
            if left is not None and head is not None and not _is_condition(sentence, left, k):
                yield Claim(
                    member.source,
                    head,
                    _readings(left, member),
                    k - start,
                    rounded,
                    sentence.order,
                    member.source.display,
                    tuple(sentence.ranges),
                    _conditions(sentence, left.node, member.node),
                    gap,
                )
            left, head = member, head if head is not None else member.node


def _conditions(sentence: Sentence, left: Node | None, right: Node) -> tuple[Node, ...]:
    """Conditions but those that equate a link's indices with letters it does not have."""
    sides = [side for side in (left, right) if side is not None]
    own = {name for side in sides for name in index_letters(side)}
    found = []
    for condition in sentence.conditions:
        compared = {access.name for access in tree.accesses(condition) if is_letter(access)}
        unequal = isinstance(condition, tree.Comparison) and condition.operator == "!="
        if not (compared & own) or compared <= own or unequal:
            found.append(condition)
    return tuple(found)


def _is_condition(sentence: Sentence, left: Member, k: int) -> bool:
    """Whether link k states what is wanted, and no derivative."""
    right = sentence.members[k + 1].node
    assert left.node is not None
    assert right is not None
    return _closes(sentence, k) or _alike(left.node, right)


def _closes(sentence: Sentence, k: int) -> bool:
    """Whether link k is a closing ``= 0``: a condition, unless a case is stated beside it."""
    node = sentence.members[k + 1].node
    is_zero = isinstance(node, tree.Number) and node.value == 0
    return (
        is_zero and k + 2 == len(sentence.members) and not any(map(_is_case, sentence.conditions))
    )


def _is_case(condition: Node) -> bool:
    """Whether a condition says where a formula holds, as i ≠ j or x < 0 do."""
    return not any(isinstance(n, tree.Apply | tree.Derivative) for n in tree.within(condition))


def _alike(left: Node, right: Node) -> bool:
    """Whether two sides are the same quantity at other places: that is a condition, no claim."""
    if isinstance(left, tree.Derivative) and isinstance(right, tree.Derivative):
        same = left.of == right.of and len(left.by) == len(right.by) == 1
        return same and left != right and _alike(left.by[0], right.by[0])
    if not (isinstance(left, Access) and isinstance(right, Access)) or left == right:
        return False
    return left.symbol == right.symbol and left.labels == right.labels


def _readings(left: Member, right: Member) -> tuple[Reading, ...]:
    assert left.node is not None
    assert right.node is not None
    found = [Reading(left.node, right.node)]
    words = [w for _, w in (*left.others, *right.others)]
    for choice in dict.fromkeys(words):
        a = next((n for n, w in left.others if w == choice), left.node)
        b = next((n for n, w in right.others if w == choice), right.node)
        found.append(Reading(a, b, choice))
    wide = widened(right.node, set(index_letters(left.node)))
    if wide != right.node:
        found.append(Reading(left.node, wide, "Σ takes all summands that bear its index"))
    return tuple(found)


def _named_last(sentence: Sentence) -> Access | None:
    """Return the name that is given to a formula, as in ``x² + y² = s``."""
    first, last = sentence.members[0].node, sentence.members[-1].node
    if len(sentence.members) != 2 or sentence.relations[0] not in ("=", ":="):
        return None
    if not isinstance(last, Access) or first is None:
        return None
    read = [n.symbol for n in tree.within(first) if isinstance(n, Access)]
    return last if len(read) > 1 and last.symbol not in read else None


def _is_bare(node: Node | None) -> bool:
    return isinstance(node, tree.Derivative) and node.of is not None


def _read_total(sentence: Sentence) -> None:
    """Read ``df`` as a differential, not as a gradient's name, where others stand beside it."""
    first, *rest = sentence.members
    node = first.node
    if isinstance(node, tree.Derivative) and node.form == "name" and node.of is None:
        nodes = [n for m in rest if m.node is not None for n in tree.within(m.node)]
        if any(isinstance(n, tree.Differential) for n in nodes):
            sentence.members[0] = replace(first, node=tree.Differential(node.by[0]))


def _differentiates(node: Node) -> bool:
    return any(
        isinstance(n, tree.Derivative | tree.Differential)
        or (isinstance(n, tree.Apply) and n.primes)
        for n in tree.within(node)
    )


def _has_decimals(node: Node | None) -> bool:
    return node is not None and any(
        isinstance(n, tree.Number) and n.is_decimal and len(n.text.partition(".")[2]) > 1
        for n in tree.within(node)
    )


def _dependencies(left: tree.Apply, right: Node | None) -> list[tuple[Access, Node]]:
    """Return what ``f(t, u) = f(t(x), u(x))`` says of t and u."""
    if not isinstance(right, tree.Apply):
        return []
    if left.function != right.function or len(left.arguments) != len(right.arguments):
        return []
    pairs = zip(left.arguments, right.arguments, strict=True)
    return [(a, _applied(a, b)) for a, b in pairs if isinstance(a, Access) and a != b]


def _applied(name: Access, value: Node) -> Node:
    """What looks like a name times something, as its own value, is that name applied to it."""
    if isinstance(value, tree.Product) and value.factors[0] == name:
        return tree.Apply(name, value.factors[1:])
    return value


def _is_update(sentence: Sentence, first: Node) -> bool:
    """Whether a left side is the new value of what stands on the right."""
    if sentence.relations[0] == "←":
        return True
    named = _plain(first)
    if named is None:
        return False
    old = replace(named, primes=0)
    labels = [label for label in old.labels if label.base not in ("new", "next", "updated")]
    older = replace(old, labels=tuple(labels))
    right = sentence.members[1].node
    if right is None or (isinstance(right, tree.Apply) and right.function == first):
        return False
    shifted = any(label.base and label.shift > 0 for label in named.labels)
    return any(
        a in (named, old, older)
        or (shifted and a.symbol == named.symbol and a.indices == named.indices and a != named)
        for a in _outer(right)
    )


def _plain(node: Node) -> Access | None:
    if isinstance(node, tree.Apply) and not node.primes:
        return node.function
    return node if isinstance(node, Access) else None


def _outer(node: Node) -> Iterator[Access]:
    """Yield the accesses of a tree but those that derivatives are taken of or by."""
    inside: list[tuple[int, ...]] = []
    for path, here in walk(node):
        if any(path[: len(p)] == p for p in inside):
            continue
        if isinstance(here, tree.Derivative):
            inside.append(path)
        elif isinstance(here, Access):
            yield here


def _target(first: Node) -> tuple[Node | None, tuple[Access, ...]]:
    """Return what a left side defines, with its formal arguments; None if it defines nothing."""
    if isinstance(first, Access):
        return first, ()
    if isinstance(first, tree.Power) and isinstance(first.base, Access):
        return first, ()
    if isinstance(first, tree.Transpose) and isinstance(first.operand, Access):
        return first, ()
    if isinstance(first, tree.Element) and isinstance(first.base, tree.Apply):
        inner, formals = _target(first.base)
        if isinstance(inner, Access):
            return replace(inner, indices=first.indices), formals
    if isinstance(first, tree.Apply) and not first.primes:
        formals = tuple(a for a in first.arguments if isinstance(a, Access))
        if formals and len(formals) == len(first.arguments):
            return first.function, formals
    return None, ()
