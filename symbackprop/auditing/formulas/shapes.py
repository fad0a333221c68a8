"""Over how many values each index runs: sizes by unification of index places, letters and limits.

Places of one quantity, the letters that stand in them and the limits of sums are united; every
class gets a small size of its own, so that unequal extents are unequal numbers. Nothing is ever
united with 1.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from symbackprop.auditing.formulas.model import (
    Labels,
    Model,
    Rule,
    Symbol,
    index_letters,
    is_letter,
)
from symbackprop.auditing.formulas.tree import (
    Access,
    Add,
    Apply,
    Big,
    Bound,
    Comparison,
    Element,
    Negate,
    Node,
    Number,
    Product,
    Quotient,
    children,
)

LARGEST = 6
# What stands below 1 before a sum without limits, and counts its terms.
COUNTS = frozenset(("n", "N", "m", "M", "K", "C", "D", "d", "B", "H", "T"))


@dataclass
class Sizes:
    """Classes of index places that share an extent.

    `sizes` are the extents that classes get in turn, where nothing states theirs.
    """

    sizes: tuple[int, ...] = (2, 3, 4)
    parents: dict[Hashable, Hashable] = field(default_factory=dict)
    stated: dict[Hashable, int] = field(default_factory=dict)
    _given: dict[Hashable, int] = field(default_factory=dict)

    def root(self, key: Hashable) -> Hashable:
        """Return the representative of a key's class."""
        self.parents.setdefault(key, key)
        while self.parents[key] != key:
            self.parents[key] = self.parents[self.parents[key]]
            key = self.parents[key]
        return key

    def unite(self, a: Hashable, b: Hashable) -> None:
        """Put two keys into one class."""
        a, b = self.root(a), self.root(b)
        if a != b:
            self.parents[b] = a
            if b in self.stated:
                self.stated[a] = max(self.stated.get(a, 0), self.stated[b])

    def state(self, key: Hashable, size: int) -> None:
        """Say that a class has an extent, or at least that many places."""
        root = self.root(key)
        self.stated[root] = max(self.stated.get(root, 0), size)

    def extent(self, key: Hashable) -> int:
        """Return how many values an index runs over."""
        root = self.root(key)
        if root in self.stated:
            return min(self.stated[root], LARGEST)
        if root not in self._given:
            self._given[root] = self.sizes[len(self._given) % len(self.sizes)]
        return self._given[root]


def slot(symbol: Symbol, labels: Labels, place: int) -> Hashable:
    """Return the key of an index place."""
    return "slot", symbol, labels, place


def class_of(symbol: Symbol) -> Hashable:
    """Return the key of what a quantity numbers, as the class y_i of a sample does."""
    return "class", symbol


def letter(scope: int, name: str) -> Hashable:
    """Return the key of an index letter; scope 0 is the claim's own."""
    return "letter", scope, name


@dataclass
class Scopes:
    """Numbers of the scopes of letters: one for each definition at each layer."""

    numbers: dict[Hashable, int] = field(default_factory=dict)

    def of(self, rule: Rule, labels: Mapping[str, int]) -> int:
        """Return the scope of a definition at the layers that its label letters have."""
        key = (id(rule), tuple(sorted(labels.items())))
        return self.numbers.setdefault(key, len(self.numbers) + 1)


class Surveyor:
    """Walks a claim and every definition that it reaches, and unites what has one extent."""

    def __init__(self, model: Model, sizes: tuple[int, ...]) -> None:
        self.model = model
        self.sizes = Sizes(sizes)
        self.scopes = Scopes()
        self._waiting: list[tuple[Rule, dict[str, int], int]] = []
        self._seen: set[int] = set()
        self._slots: dict[Hashable, None] = {}
        self._letters: frozenset[str] = frozenset()
        # The classes that hold an index place.
        self.tied: frozenset[Hashable] = frozenset()

    def survey(self, nodes: tuple[Node, ...], ranges: tuple[Bound, ...]) -> None:
        """Unite the places of a claim's sides, and of all definitions behind them."""
        layers = dict(self.model.layers)
        own = (name for node in nodes for name in index_letters(node))
        free = self.model.free(own)
        self._letters = frozenset((*free, *self.model.loose, *(b.index.name for b in ranges)))
        for bound in ranges:
            self._bound(bound, 0, layers, {})
        for node in nodes:
            self._visit(node, 0, layers, {})
        for rule, found in self.model.sinks:
            ending = self.model.match(rule.target.symbol, found, (None,) * len(rule.target.indices))
            if self.model.loss is not None and ending is not None:
                self._reach(*ending, found)
        while self._waiting:
            rule, labels, scope = self._waiting.pop(0)
            local = {i.name for i in rule.target.indices if is_letter(i) and isinstance(i, Access)}
            here = {**layers, **labels}
            self._visit(rule.body, scope, here, dict.fromkeys(sorted(local), scope))
        self.tied = frozenset(self.sizes.root(key) for key in self._slots)

    def extents(self) -> tuple[tuple[Hashable, int], ...]:
        """Return the extent of every index place."""
        return tuple((key, self.sizes.extent(key)) for key in self._slots)

    def _visit(
        self, node: Node, scope: int, layers: dict[str, int], local: Mapping[str, int]
    ) -> None:
        if isinstance(node, Big):
            inner = self._inner(node, scope)
            bound = {b.index.name: inner for b in node.bounds}
            for b in node.bounds:
                self._bound(b, inner, layers, {**local, **bound})
                if b.condition is not None:
                    self._visit(b.condition, scope, layers, {**local, **bound})
            self._visit(node.body, scope, layers, {**local, **bound})
            return
        if isinstance(node, Access):
            self._access(node, layers, local)
        if isinstance(node, Product | Quotient):
            self._mean(node, scope, layers)
        if isinstance(node, Comparison):
            self._compared(node, local)
        if isinstance(node, Apply):
            self._apply(node, layers, local)
        for child in children(node):
            if not is_letter(child) or not isinstance(node, Access | Element):
                self._visit(child, scope, layers, local)

    def _compared(self, node: Comparison, local: Mapping[str, int]) -> None:
        """Unite what an index is compared with, where that is a class: 1[y_i = k]."""
        for index, other in ((node.left, node.right), (node.right, node.left)):
            if not (isinstance(index, Access) and isinstance(other, Access)):
                continue
            if self._counts(index, local) and not self._counts(other, local):
                own = letter(local.get(index.name, 0), index.name)
                self.sizes.unite(own, class_of(other.symbol))

    def _counts(self, node: Access, local: Mapping[str, int]) -> bool:
        return is_letter(node) and (node.name in local or node.name in self._letters)

    def _mean(self, node: Product | Quotient, scope: int, layers: dict[str, int]) -> None:
        """Unite n of a mean 1/n Σ with what an index without limits runs over."""
        factors = node.factors if isinstance(node, Product) else (node.numerator, node)
        counts = [f.denominator for f in factors if isinstance(f, Quotient)]
        sums = [f for f in factors if isinstance(f, Big) and f.kind == "sum"]
        for count in counts:
            if isinstance(count, Access) and count.name in COUNTS and not count.indices:
                for big in sums:
                    for b in big.bounds:
                        if b.upper is b.lower is b.members is b.condition is None:
                            inner = self._inner(big, scope)
                            labels = self.model.labels(count, layers)
                            size = ("size", count.symbol, labels, "()")
                            self.sizes.unite(letter(inner, b.index.name), size)

    def _inner(self, node: Big, scope: int) -> int:
        """Return the scope of the letters that a sum binds: of this one, whatever goes by them."""
        return self.scopes.numbers.setdefault((scope, id(node)), len(self.scopes.numbers) + 1)

    def _access(self, node: Access, layers: dict[str, int], local: Mapping[str, int]) -> None:
        labels = self.model.labels(node, layers)
        for place, index in enumerate(node.indices):
            key = slot(node.symbol, labels, place)
            if isinstance(index, Access) and is_letter(index):
                self._slots[key] = None
                self.sizes.unite(letter(local.get(index.name, 0), index.name), key)
            elif isinstance(index, Access):
                self.sizes.unite(key, class_of(index.symbol))
            elif isinstance(index, Number) and index.value >= self.model.first:
                self.sizes.state(key, int(index.value) + 1 - self.model.first)
        for place, label in enumerate(node.labels):
            if label.base in local and label.shift == 0:
                key = slot(node.symbol, (), -1 - place)
                self.sizes.unite(letter(local[label.base], label.base), key)
        if node.symbol in self.model.symmetric and node.indices:
            self.sizes.unite(slot(node.symbol, labels, 0), slot(node.symbol, labels, 1))
        indices = tuple(int(i.value) if isinstance(i, Number) else None for i in node.indices)
        found = self.model.match(node.symbol, labels, indices)
        if found is not None:
            self._reach(*found, labels)

    def _reach(self, rule: Rule, bound: dict[str, int], labels: Labels) -> None:
        scope = self.scopes.of(rule, bound)
        for place, index in enumerate(rule.target.indices):
            if isinstance(index, Access) and is_letter(index):
                self.sizes.unite(letter(scope, index.name), slot(rule.target.symbol, labels, place))
        if scope not in self._seen:
            self._seen.add(scope)
            self._waiting.append((rule, bound, scope))

    def _apply(self, node: Apply, layers: dict[str, int], local: Mapping[str, int]) -> None:
        labels = self.model.labels(node.function, layers)
        for rule in self.model.rules:
            if rule.formals and rule.target.symbol == node.function.symbol:
                self._reach(rule, {}, labels)
                for formal, argument in zip(rule.formals, node.arguments, strict=False):
                    if isinstance(argument, Access) and not argument.indices:
                        outer = self.model.labels(argument, layers)
                        for place in range(2):
                            self.sizes.unite(
                                slot(formal.symbol, (), place), slot(argument.symbol, outer, place)
                            )

    def _bound(
        self, bound: Bound, scope: int, layers: dict[str, int], local: Mapping[str, int]
    ) -> None:
        key = letter(scope, bound.index.name)
        upper = bound.upper
        if isinstance(bound.lower, Number) and bound.lower.value == 0 and isinstance(upper, Add):
            # 0 … n − 1 is the same axis as 1 … n.
            less = upper.terms[-1]
            if isinstance(less, Negate) and isinstance(less.operand, Number):
                upper = upper.terms[0] if less.operand.value == 1 else upper
        if isinstance(upper, Number) and upper.value.denominator == 1:
            first = int(bound.lower.value) if isinstance(bound.lower, Number) else 1
            self.sizes.state(key, int(upper.value) - first + 1)
        # What runs over a set V runs over as many places as what runs from 1 to V.
        last = bound.members if isinstance(bound.members, Access) else upper
        if isinstance(last, Access):
            size = ("size", last.symbol, self.model.labels(last, layers), str(last.indices))
            self.sizes.unite(key, size)

    def is_whole(self, key: Hashable) -> bool:
        """Whether what runs over a set runs over all there is: nothing else bounds its places."""
        root = self.sizes.root(key)
        counts = [k for k in self.sizes.parents if isinstance(k, tuple) and k[0] == "size"]
        return sum(self.sizes.root(k) == root for k in counts) == 1 and root in self.tied
