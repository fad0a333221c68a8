"""Which definitions a name may mean, and which a formula rests on."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from symbackprop.auditing.formulas.model import Rule
from symbackprop.auditing.formulas.nodes import walk
from symbackprop.auditing.formulas.tree import Access, Apply, Label, Node, Number, within

Rules = tuple[Rule, ...]


def unshadowed(rules: Rules) -> Rules:
    """Return the definitions without those of which an earlier one says the same name.

    ``h = x + u`` in one section leaves nothing of the ``h_i = …`` of another.
    """
    seen: set[object] = set()
    places: dict[object, tuple[int, int]] = {}
    kept = []
    for rule in rules:
        name = _spelled(rule)
        if name in seen or _is_moved(rule, places):
            continue
        seen.add(name)
        kept.append(rule)
    return tuple(kept)


def _is_moved(rule: Rule, places: dict[object, tuple[int, int]]) -> bool:
    """Whether another section, nearer, defines a name as an array of another rank."""
    if rule.source is None or rule.formals or rule.letters:
        return False
    name = rule.target.symbol, tuple(label.key for label in rule.target.labels)
    here = rule.source.section, len(rule.target.indices)
    section, rank = places.setdefault(name, here)
    return section != here[0] and rank != here[1]


def _spelled(rule: Rule) -> Hashable:
    """What a left side says whatever letters it has for layers and indices."""
    target = rule.target
    labels = tuple(
        ("", label.shift) if label.base in rule.letters else label.key for label in target.labels
    )
    indices = tuple(i if isinstance(i, Number) else None for i in target.indices)
    return target.symbol, labels, bool(rule.letters), indices, len(rule.formals)


def reached(rules: Rules, sides: Sequence[Node]) -> Rules:
    """Return the definitions that a claim's sides may read, by name and what it bears."""
    found: list[Rule] = []
    waiting = list(sides)
    while waiting:
        node = waiting.pop()
        called = [a.function for a in within(node) if isinstance(a, Apply)]
        for name in dict.fromkeys((*called, *names_read(node))):
            for rule in _meant(name, rules, name in called):
                if not any(rule is seen for seen in found):
                    found.append(rule)
                    waiting.append(rule.body)
    return tuple(rule for rule in rules if any(rule is seen for seen in found))


def _meant(name: Access, rules: Rules, called: bool) -> list[Rule]:
    """The definitions that a name may mean; one that bears its very labels before all others."""
    found = [rule for rule in rules if (rule.formals or not called) and may_be(name, rule)]
    literal = [r for r in found if [a.key for a in r.target.labels] == [a.key for a in name.labels]]
    numbered = literal and all(not label.base for label in name.labels)
    return literal if numbered else found


def names_read(node: Node) -> Iterator[Access]:
    """Yield the accesses that are not the names of functions before their arguments."""
    applied = {path for path, here in walk(node) if isinstance(here, Apply) and here.arguments}
    for path, here in walk(node):
        if isinstance(here, Access) and not (path[-1:] == (0,) and path[:-1] in applied):
            yield here


def may_be(access: Access, rule: Rule) -> bool:
    """Whether an access can be what a rule defines, in some layout and for some letters."""
    target = rule.target
    return (
        access.symbol == target.symbol
        and len(access.labels) == len(target.labels)
        and all(_same_label(a, b, rule) for a, b in zip(access.labels, target.labels, strict=True))
        and (
            bool(rule.formals)
            or not access.indices
            or not target.indices
            or _same_places(access, rule)
        )
    )


def _same_label(label: Label, defined: Label, rule: Rule) -> bool:
    return label.key == defined.key or label.base.isalpha() or defined.base in rule.letters


def _same_places(access: Access, rule: Rule) -> bool:
    pairs = zip(access.indices, rule.target.indices, strict=False)
    return len(access.indices) == len(rule.target.indices) and all(
        a == b or not (isinstance(a, Number) and isinstance(b, Number)) for a, b in pairs
    )
