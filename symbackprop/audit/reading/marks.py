r"""Marks that look alike and are not: ``z_1`` beside ``z^{(1)}`` is a name of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from symbackprop.audit.binding import Paper
from symbackprop.audit.formula_tree import Access, Label, Node, accesses, rewritten

BELOW = "below"
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

    return replace(
        paper,
        definitions=tuple(_changed(d, rule) for d in paper.definitions),
        claims=tuple(_changed(c, rule) for c in paper.claims),
        gradients=tuple(_changed(g, rule) for g in paper.gradients),
    )


def _word(label: Label) -> Label:
    if label.place == BELOW and not label.base:
        return Label(str(label.shift), 0, BELOW)
    return label


def _marked(paper: Paper, *, below: bool) -> set[Symbol]:
    found = set()
    for node in _nodes((*paper.definitions, *paper.claims)):
        for access in accesses(node):
            if any((label.place == BELOW) == below for label in access.labels):
                found.add(access.symbol)
    return found


def _nodes(records: Iterable[Any]) -> Iterable[Node]:
    for record in records:
        for field in fields(record):
            yield from _within(getattr(record, field.name))


def _within(value: object) -> Iterable[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _within(item)
    elif is_dataclass(value):
        yield from _nodes((value,))


def _changed(value: Any, rule: Any) -> Any:
    if isinstance(value, Node):
        return rewritten(value, rule)
    if isinstance(value, tuple):
        return tuple(_changed(item, rule) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _changed(getattr(value, f.name), rule) for f in fields(value)}
        return replace(value, **changed)
    return value
