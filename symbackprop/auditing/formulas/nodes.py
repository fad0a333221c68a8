"""Trees of frozen nodes: walked and changed without recursion, whatever the nodes mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from typing import Any


class Node:
    """One node of a formula; every subclass is a frozen dataclass."""

    __slots__ = ()


# Types of fields that hold no nodes, as they are annotated.
_LEAVES = frozenset({"str", "int", "bool", "Fraction", "tuple[str, ...]", "tuple[Label, ...]"})


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.type not in _LEAVES)


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below, in the order of the fields."""
    found: list[Node] = []
    kind: Any = type(node)
    for name in _names(kind):
        value = getattr(node, name)
        if isinstance(value, Node):
            found.append(value)
        elif value:
            _collect(value, found)
    return tuple(found)


def _collect(value: object, found: list[Node]) -> None:
    if isinstance(value, Node):
        found.append(value)
    elif isinstance(value, tuple):
        for item in value:
            _collect(item, found)


def with_children(node: Node, new: tuple[Node, ...]) -> Node:
    """Return the node with other children, as many as it has."""
    rest = iter(new)
    changed = {}
    kind: Any = type(node)
    for name in _names(kind):
        value = getattr(node, name)
        filled = _fill(value, rest)
        if filled is not value:
            changed[name] = filled
    if next(rest, None) is not None:
        raise ValueError("more children than places")
    return replace(node, **changed) if changed else node  # type: ignore[type-var]


def _fill(value: object, rest: Iterator[Node]) -> object:
    if isinstance(value, Node):
        return next(rest)
    if isinstance(value, tuple):
        filled = tuple(_fill(item, rest) for item in value)
        return value if all(a is b for a, b in zip(filled, value, strict=True)) else filled
    return value


def walk(node: Node) -> Iterator[tuple[tuple[int, ...], Node]]:
    """Yield every node with its path (positions among `children`), parents first."""
    waiting: list[tuple[tuple[int, ...], Node]] = [((), node)]
    while waiting:
        path, here = waiting.pop()
        yield path, here
        below = children(here)
        waiting.extend(((*path, k), below[k]) for k in reversed(range(len(below))))


def within(node: Node) -> Iterator[Node]:
    """Yield every node of a tree, parents first."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting.extend(reversed(children(here)))


def at_path(node: Node, path: tuple[int, ...]) -> Node:
    """Return the node at a path of `walk`."""
    for step in path:
        node = children(node)[step]
    return node


def replaced(node: Node, path: tuple[int, ...], new: Node) -> Node:
    """Return the tree with another node at a path of `walk`."""
    line = [node]
    for step in path:
        line.append(children(line[-1])[step])
    for parent, step in zip(reversed(line[:-1]), reversed(path), strict=True):
        below = children(parent)
        new = with_children(parent, (*below[:step], new, *below[step + 1 :]))
    return new


def rewritten(node: Node, rule: Callable[[Node], Node]) -> Node:
    """Return the tree with a rule applied to every node, children first."""
    done: list[Node] = []
    waiting: list[tuple[Node, bool]] = [(node, False)]
    while waiting:
        here, ready = waiting.pop()
        below = children(here)
        if not ready:
            waiting.append((here, True))
            waiting.extend((child, False) for child in reversed(below))
            continue
        new = tuple(done[len(done) - len(below) :])
        del done[len(done) - len(below) :]
        done.append(rule(with_children(here, new)))
    return done[0]
