"""What corrections are made of: places of a formula and small changes at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from symbackprop.auditing.formulas.model import is_letter
from symbackprop.auditing.formulas.tree import (
    ADJACENT,
    Access,
    Add,
    Apply,
    Big,
    Derivative,
    Negate,
    Node,
    Number,
    Product,
    accesses,
    children,
    replaced,
    within,
)

ONE = Number(Fraction(1), "1")


TWO = Number(Fraction(2), "2")


@dataclass(frozen=True)
class Edit:
    """A corrected right side, what was wrong, and the constant factor where it is one."""

    right: Node
    detail: str
    factor: float | None = None


@dataclass(frozen=True)
class Context:
    """What corrections may draw on: the left side and the definitions behind the claim."""

    left: Node
    definitions: tuple[tuple[Access, Node], ...] = ()

    @property
    def bodies(self) -> tuple[Node, ...]:
        """What the definitions say."""
        return tuple(body for _, body in self.definitions)

    @property
    def rates(self) -> tuple[Node, ...]:
        """Derivatives of definitions by what they read, and those of and by the claim's own."""
        found: dict[Node, None] = {}
        if isinstance(self.left, Derivative) and self.left.of is not None:
            for target, _ in self.definitions:
                if target not in (self.left.of, *self.left.by):
                    found.setdefault(replace(self.left, by=(target,)))
                    found.setdefault(replace(self.left, of=target))
        for target, body in self.definitions:
            for read in dict.fromkeys(accesses(body)):
                if not is_index(read, body):
                    found.setdefault(Derivative(target, (read,)))
        return tuple(found)


def everywhere(right: Node, rule: Callable[[Node], Iterator[Node]]) -> Iterator[Node]:
    """Apply a rule at every place of a formula but within names."""
    for path, node in places(right):
        for new in rule(node):
            yield replaced(right, path, new)


def places(node: Node) -> Iterator[tuple[tuple[int, ...], Node]]:
    """Yield what can be edited: not the indices of names, nor the variables of derivatives."""
    waiting: list[tuple[tuple[int, ...], Node]] = [((), node)]
    while waiting:
        path, here = waiting.pop(0)
        yield path, here
        if isinstance(here, Access | Derivative):
            continue
        for k, child in enumerate(children(here)):
            if isinstance(here, Apply) and k == 0:
                continue
            if isinstance(here, Big) and child is not here.body:
                continue
            waiting.append(((*path, k), child))


def put(items: tuple[Node, ...], k: int, new: Node) -> tuple[Node, ...]:
    """Return the items with another one at a place."""
    return (*items[:k], new, *items[k + 1 :])


def negated(node: Node) -> Node:
    """Return minus a node."""
    return node.operand if isinstance(node, Negate) else Negate(node)


def times(*factors: Node) -> Node:
    """Return a product of factors."""
    return Product(factors, (ADJACENT,) * (len(factors) - 1))


def index_names(node: Node) -> Iterator[str]:
    """Yield the letters that stand in index places."""
    for here in within(node):
        if isinstance(here, Access):
            for index in here.indices:
                if is_letter(index) and isinstance(index, Access):
                    yield index.name


def is_index(node: Access, within: Node) -> bool:
    """Whether a bare letter stands in an index place somewhere in a formula."""
    return is_letter(node) and node.name in set(index_names(within))


def pool(right: Node, context: Context) -> list[Node]:
    """Names and functions that stand in the claim or its definitions, those of the claim first."""
    found: dict[Node, None] = {}
    for node in (right, context.left, *context.bodies):
        for _, here in places(node):
            if isinstance(here, Access) and not is_index(here, node):
                found.setdefault(here)
            elif isinstance(here, Add) and len(here.terms) < 4:
                found.setdefault(here)
                found.setdefault(Negate(here))
            elif isinstance(here, Derivative):
                found.setdefault(here)
                for part in (here.of, *here.by):
                    if isinstance(part, Access):
                        found.setdefault(part)
            elif isinstance(here, Apply) and len(here.arguments) == 1:
                found.setdefault(here)
                found.setdefault(replace(here, primes=here.primes + 1))
    found.pop(context.left, None)  # With itself a left side can be mended whatever it is.
    return list(found)[:40]
