r"""Marks that look alike and are not: ``z_1`` beside ``z^{(1)}`` is a name of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from symbackprop.auditing.formulas.binding import Paper
from symbackprop.auditing.formulas.tree import Access, Label, Node, accesses, rewritten

BELOW = "below"
Rule = Callable[[Node], Node]
Symbol = tuple[str, tuple[str, ...], int]


def told_apart(paper: Paper) -> Paper:
    """Return a document whose numbers below a name are words where others stand above it."""
    both = _marked(paper, below=True) & _marked(paper, below=False)
    if not both:
        return paper

    def rule(node: Node) -> Node:
        if isinstance(node, Access) and node.symbol in both:
            return replace(node, labels=tuple(_word(label) for label in node.labels))
        return node

    marked: Paper = changed(paper, rule)
    return marked


def _word(label: Label) -> Label:
    if label.place == BELOW and not label.base:
        return Label(str(label.shift), 0, BELOW)
    return label


def _marked(paper: Paper, *, below: bool) -> set[Symbol]:
    found = set()
    for node in nodes_of((*paper.definitions, *paper.claims)):
        for access in accesses(node):
            if any((label.place == BELOW) == below for label in access.labels):
                found.add(access.symbol)
    return found


def nodes_of(records: Iterable[Any]) -> Iterator[Node]:
    """Yield the formulas in records of a document."""
    for record in records:
        for field in fields(record):
            yield from _within(getattr(record, field.name))


def _within(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _within(item)
    elif is_dataclass(value):
        yield from nodes_of((value,))


def changed(record: Any, rule: Rule) -> Any:
    """Return a record of a document with a rule applied to every node of its formulas."""
    if isinstance(record, Node):
        return rewritten(record, rule)
    if isinstance(record, tuple):
        return tuple(changed(item, rule) for item in record)
    if is_dataclass(record) and not isinstance(record, type):
        return replace(
            record, **{f.name: changed(getattr(record, f.name), rule) for f in fields(record)}
        )
    return record
