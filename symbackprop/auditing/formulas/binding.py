"""What a document defines, what it claims, and which definitions a claim may mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from symbackprop.auditing.formulas.documents import Source
from symbackprop.auditing.formulas.model import Symbol
from symbackprop.auditing.formulas.tree import (
    Access,
    Bound,
    Family,
    Label,
    Listing,
    Matrix,
    Node,
    Number,
    Power,
    Transpose,
    accesses,
    within,
)

# A name that is defined, whatever marks are on it.
_LEFT_NAME = re.compile(
    r"[\s&{]*(?:\\(?:math\w+|bm|boldsymbol|text|hat|bar|tilde|vec)\s*\{?\s*){0,3}"
    r"\\?([A-Za-z]+)[^='A-Za-z]*(?:\([^()=]*\))?[^='A-Za-z]*="
)


@dataclass(frozen=True, slots=True)
class Definition:
    r"""A plain left side and what it equals.

    Attributes:
        target: What is defined: an `Access` whose indices and label letters are free, or the
            `Power` (``e_{ij}^2 = …``) or `Transpose` of one.
        formals: The arguments of a function defined as ``f(x) = …``; empty for a quantity.
        values: The right sides, one for each link of its chain, all equal by the author's word.
        order: The place in the document, increasing; definitions and claims share the count.
        group: The number of the display that it stands in.
        ranges: Indices with their ranges, as stated beside it.
        conditions: When it holds (``i = j``); empty for always.
        source: Where it stands.
        letters: Label letters of the target that stand for any layer or sample.
    """

    target: Node
    formals: tuple[Access, ...]
    values: tuple[Node, ...]
    order: int
    group: int
    ranges: tuple[Bound, ...]
    conditions: tuple[Node, ...]
    source: Source
    letters: tuple[str, ...] = ()

    @property
    def lists(self) -> bool:
        """Whether it only lists elements: X = [x_11, x_12; …] gives their names."""
        body = self.values[0]
        return isinstance(body.operand if isinstance(body, Transpose) else body, Matrix | Listing)

    @property
    def name(self) -> Access:
        """The access that is defined, bare or under its power."""
        target = self.target
        if isinstance(target, Power):
            target = target.base
        elif isinstance(target, Transpose):
            target = target.operand
        assert isinstance(target, Access)
        return target


@dataclass(frozen=True, slots=True)
class Shape:
    r"""A quantity whose extents are stated: ``W \in \mathbb{R}^{n \times d}``."""

    target: Access
    extents: tuple[Node, ...]
    order: int
    source: Source


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a claim; ``choice`` says in words what was chosen, empty if nothing was."""

    left: Node
    right: Node
    choice: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """One link of a chain that states a derivative.

    Attributes:
        source: Where the link's right side stands.
        head: The left side that the chain opens with (of the display before, if it continues).
        readings: Left and right side of this link in each way to read them, likeliest first.
            The first link's left is the head; a later link's is the member before it.
        link: Its place in the chain, from 0.
        rounded: Whether the right side is rounded (after ≈, or holds decimals).
        order, group, ranges, conditions: As of a `Definition`.
        gap: Whether a member of the chain before this link was not read; the left side is then
            the last one that was.
    """

    source: Source
    head: Node
    readings: tuple[Reading, ...]
    link: int
    rounded: bool
    order: int
    group: int
    ranges: tuple[Bound, ...] = ()
    conditions: tuple[Node, ...] = ()
    gap: bool = False

    @property
    def sides(self) -> list[Node]:
        """Both sides in every reading."""
        return [side for reading in self.readings for side in (reading.left, reading.right)]

    @property
    def left(self) -> Node:
        """The left side in the likeliest reading."""
        return self.readings[0].left

    @property
    def right(self) -> Node:
        """The right side in the likeliest reading."""
        return self.readings[0].right


@dataclass(frozen=True, slots=True)
class Unread:
    """A formula, or a part of a chain, that was not understood.

    ``line`` and ``column`` are the place of what stopped the reader, ``reason`` says what it was.
    ``is_claim``: it has a derivative on its left, so that it deserves a finding.
    """

    source: Source
    line: int
    column: int
    reason: str
    is_claim: bool
    order: int = 0


@dataclass(frozen=True)
class Paper:
    """All that was read in one document.

    Attributes:
        definitions, claims, shapes, unread: In document order.
        layers: Letters that are seen with ±1 in a label (``l`` of ``W^{(l+1)}``).
        functions: Names that stand for functions without a definition (``f``, ``σ``).
        gradients: Definitions of names that are gradients (``δ = ∂L/∂z``): the first value is the
            derivative that they stand for.
        symmetric: Matrices that the document says are symmetric.
    """

    definitions: tuple[Definition, ...]
    claims: tuple[Claim, ...]
    shapes: tuple[Shape, ...]
    unread: tuple[Unread, ...]
    layers: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    gradients: tuple[Definition, ...] = ()
    symmetric: frozenset[Symbol] = frozenset()

    @cached_property
    def matrices(self) -> frozenset[Family]:
        """Names that stand with two indices somewhere."""
        nodes = [d.target for d in self.definitions] + [
            v for d in self.definitions for v in d.values
        ]
        nodes += [side for claim in self.claims for side in (claim.left, claim.right)]
        return frozenset(a.whole for n in nodes for a in accesses(n) if len(a.indices) == 2)

    @cached_property
    def words_of_layers(self) -> frozenset[str]:
        """Labels beside letters of layers, on names that have formulas for any layer."""
        defined = {d.name.symbol for d in self.definitions if set(d.letters) & set(self.layers)}
        nodes = [side for claim in self.claims for side in (claim.left, claim.right)]
        for d in (*self.definitions, *self.gradients):
            nodes += [d.target, *d.values]
        read = (a for node in nodes for a in accesses(node) if a.symbol in defined)
        return frozenset(label.base for a in read for label in a.labels) - set(self.layers) - {""}

    @cached_property
    def first(self) -> int:
        """The number from which indices count: 0 where every range that states one says so."""
        nodes = [v for d in self.definitions for v in d.values]
        nodes += [side for claim in self.claims for side in (claim.left, claim.right)]
        bounds = [n for node in nodes for n in within(node) if isinstance(n, Bound)]
        bounds += [bound for d in self.definitions for bound in d.ranges]
        bounds += [bound for claim in self.claims for bound in claim.ranges]
        lowest = {b.lower.value for b in bounds if isinstance(b.lower, Number)}
        return 0 if lowest == {0} else 1

    @cached_property
    def transposed(self) -> frozenset[Symbol]:
        """Capitals that are transposed somewhere: they are no numbers elsewhere."""
        nodes = [v for d in self.definitions for v in d.values]
        nodes += [side for claim in self.claims for side in (claim.left, claim.right)]
        turned = (n.operand for node in nodes for n in within(node) if isinstance(n, Transpose))
        names = (name for name in turned if isinstance(name, Access) and not name.indices)
        return frozenset(name.symbol for name in names if name.name.isupper())

    @cached_property
    def listed(self) -> frozenset[Symbol]:
        """Names that are given by their elements: they are arrays."""
        return frozenset(
            definition.name.symbol for definition in self.definitions if definition.lists
        )

    @cached_property
    def unread_names(self) -> tuple[tuple[str, int], ...]:
        """Names on the left of formulas that could not be read, with the numbers of displays."""
        found = ((_LEFT_NAME.match(u.source.text), u.source.display) for u in self.unread)
        return tuple((match[1], display) for match, display in found if match)

    @cached_property
    def sizes(self) -> frozenset[Symbol]:
        """Names that bound an index or an array, which examples give numbers."""
        nodes = [value for d in self.definitions for value in d.values]
        nodes += [side for c in self.claims for side in (c.left, c.right)]
        limits = [n.upper for node in nodes for n in within(node) if isinstance(n, Bound)]
        limits += [bound.upper for d in self.definitions for bound in d.ranges]
        limits += [bound.upper for claim in self.claims for bound in claim.ranges]
        limits += [extent for shape in self.shapes for extent in shape.extents]
        return frozenset(limit.symbol for limit in limits if isinstance(limit, Access))


def candidates(paper: Paper, access: Access, order: int) -> tuple[Definition, ...]:
    """Return the definitions that an access may mean at a place of the document, likeliest first.

    One that names the very labels and numbered indices goes before one with letters; then the
    nearest before the place, its own statement excepted; then the nearest after it.
    """
    found = [d for d in paper.definitions if matches(d, access)]
    return tuple(sorted(found, key=lambda d: (not _is_literal(d, access), *_distance(d, order))))


def matches(definition: Definition, access: Access) -> bool:
    """Whether a definition's left side can be this access, letters of labels and indices bound."""
    name = definition.name
    return (
        name.symbol == access.symbol
        and len(name.labels) == len(access.labels)
        and all(
            a.key == b.key or _is_letter(a, definition)
            for a, b in zip(name.labels, access.labels, strict=True)
        )
        and all(
            not isinstance(a, Number) or a == b
            for a, b in zip(name.indices, access.indices, strict=False)
        )
    )


def _is_letter(label: Label, definition: Definition) -> bool:
    """Whether a label of a left side stands for any layer."""
    return label.shift == 0 and label.base in definition.letters


def _is_literal(definition: Definition, access: Access) -> bool:
    return all(
        a.key == b.key for a, b in zip(definition.name.labels, access.labels, strict=True)
    ) and all(
        a == b
        for a, b in zip(definition.name.indices, access.indices, strict=False)
        if isinstance(a, Number)
    )


def _distance(definition: Definition, order: int) -> tuple[bool, int]:
    return definition.order >= order, abs(order - definition.order)
