"""What a claim is judged in: per-unit definitions, resolved labels, scopes of letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from symbackprop.auditing.formulas.documents import Source
from symbackprop.auditing.formulas.tree import (
    Access,
    Apply,
    Big,
    Bound,
    Comparison,
    Delta,
    Derivative,
    Label,
    Node,
    Norm,
    Number,
    accesses,
    children,
    within,
)

# The loss of a document that writes only ``dW`` and the like.
UNNAMED = Access("loss", style="word")
LAYER = 2
LAST_LAYER = 3

# A quantity, whatever its indices: name, accents, primes; then its labels.
Symbol = tuple[str, tuple[str, ...], int]
Labels = tuple[tuple[str, int], ...]
Name = tuple[Symbol, Labels]
Key = tuple[Symbol, Labels, tuple[int, ...]]


class NotUnderstoodError(Exception):
    """A claim holds something that has no meaning here; the message says what."""


class BudgetError(Exception):
    """A claim took more steps than it may."""


@dataclass(frozen=True)
class Rule:
    """One per-unit definition: `target` with letters for indices equals `body`.

    `formals` are the arguments of a function; `letters` are label letters that stand for any layer;
    `source` is where it stands in the document.
    """

    target: Access
    body: Node
    formals: tuple[Access, ...] = ()
    letters: tuple[str, ...] = ()
    source: Source | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Model:
    """Definitions in order of preference, and the layer for which label letters stand.

    `loss` is the number that claims differentiate and nothing defines; the elements of `simplex`
    sum to 1; what is said of `freed` names, for no layer in particular, does not count; `held`
    names have their values, and no derivatives; `symmetric` names are matrices that equal their
    transposes. Indices count from `first`.
    """

    rules: tuple[Rule, ...]
    layers: Mapping[str, int]
    loss: Access | None = None
    simplex: Symbol | None = None
    freed: tuple[Access, ...] = ()
    held: frozenset[Symbol] = frozenset()
    symmetric: frozenset[Symbol] = frozenset()
    first: int = 1

    def labels(self, access: Access, letters: Mapping[str, int]) -> Labels:
        """Return an access's labels as numbers where their letters have values."""
        return tuple(resolved(label, letters) for label in access.labels)

    def match(
        self, symbol: Symbol, labels: Labels, indices: tuple[int | None, ...]
    ) -> tuple[Rule, dict[str, int]] | None:
        """Return the definition of a quantity and the values of its label letters.

        An index of None is one that is not known; it suits a letter only.
        """
        best: tuple[Rule, dict[str, int]] | None = None
        for rule in self.named(symbol):
            if self.freed and self.is_freed(rule):
                continue
            bound = _bind(rule, labels, indices, self.layers)
            if bound is not None and (best is None or len(bound) < len(best[1])):
                best = rule, bound
        return best

    def is_freed(self, rule: Rule) -> bool:
        """Whether a definition does not count."""
        name = rule.target
        return not rule.letters and any(
            name.symbol == free.symbol and name.labels == free.labels for free in self.freed
        )

    def function(self, key: Key, arity: int) -> tuple[Rule, dict[str, int]] | None:
        """Return the definition of a function of so many arguments, as `match` does."""
        symbol, labels, indices = key
        for rule in self.named(symbol):
            if len(rule.formals) == arity:
                bound = _bind(rule, labels, indices, self.layers)
                if bound is not None:
                    return rule, bound
        return None

    def named(self, symbol: Symbol) -> tuple[Rule, ...]:
        """Return the definitions of a name, in order of preference."""
        return self._by_symbol.get(symbol, ())

    def reach(self, symbol: Symbol) -> frozenset[Symbol] | None:
        """Return the names that the value of a name may depend on, itself among them.

        None where it may depend on any.
        """
        read = self.behind(symbol)
        return None if read is None else read | {symbol}

    def behind(self, symbol: Symbol) -> frozenset[Symbol] | None:
        """Return the names that definitions of a name lead to; itself only where it recurs.

        None where they may lead to any.
        """
        if symbol not in self._behind:
            self._behind[symbol] = self._led_to(symbol)
        return self._behind[symbol]

    def _led_to(self, symbol: Symbol) -> frozenset[Symbol] | None:
        waiting = [symbol]
        found: set[Symbol] = set()
        while waiting:
            here = waiting.pop()
            if self.loss is not None and here == self.loss.symbol:
                return None
            for rule in self.named(here):
                nodes = list(within(rule.body))
                if any(isinstance(node, Derivative) and node.of is None for node in nodes):
                    return None
                read = {node.symbol for node in nodes if isinstance(node, Access)} - found
                found |= read
                waiting += read
        return frozenset(found)

    @cached_property
    def _behind(self) -> dict[Symbol, frozenset[Symbol] | None]:
        return {}

    @cached_property
    def _by_symbol(self) -> dict[Symbol, tuple[Rule, ...]]:
        found: dict[Symbol, list[Rule]] = {}
        for rule in self.rules:
            found.setdefault(rule.target.symbol, []).append(rule)
        return {symbol: tuple(rules) for symbol, rules in found.items()}

    @cached_property
    def sinks(self) -> tuple[tuple[Rule, Labels], ...]:
        """The defined quantities that no definition reads, each at its layers; no gradients.

        A definition for any layer stands for the layers from 1 to the last. What a recurrence reads
        of itself, a step before, is no other definition.
        """
        made, read = self._graph
        around = {name: _led_to(read, name) for name in made}
        readers: dict[Name, set[Name]] = {}
        for reader, names in read.items():
            for name in names:
                readers.setdefault(name, set()).add(reader)
        return tuple(
            (rule, name[1])
            for name, rule in made.items()
            if all(reader in around[name] or reader == name for reader in readers.get(name, ()))
        )

    @cached_property
    def _graph(self) -> tuple[dict[Name, Rule], dict[Name, set[Name]]]:
        """Every defined quantity at its layers, and what each one reads."""
        made: dict[Name, Rule] = {}
        read: dict[Name, set[Name]] = {}
        for rule in self.rules:
            if rule.formals or any(isinstance(node, Derivative) for node in within(rule.body)):
                continue
            for layer in range(1, LAST_LAYER + 1) if rule.letters else (0,):
                letters = {**self.layers, **dict.fromkeys(rule.letters, layer)}
                own = (rule.target.symbol, self.labels(rule.target, letters))
                made.setdefault(own, rule)
                names = ((a.symbol, self.labels(a, letters)) for a in accesses(rule.body))
                read.setdefault(own, set()).update(names)
        return made, read

    @property
    def recurs(self) -> bool:
        """Whether a definition that no other one reads goes on from step to step."""
        _, read = self._graph
        return any(
            rule.target.symbol in self._read_by(rule)
            or (rule.target.symbol, labels) in _led_to(read, (rule.target.symbol, labels))
            for rule, labels in self.sinks
        )

    @staticmethod
    def _read_by(rule: Rule) -> set[Symbol]:
        return {access.symbol for access in accesses(rule.body) if access.indices}

    @cached_property
    def kinked(self) -> bool:
        """Whether a definition has branches."""
        return any(kinked(rule.body) for rule in self.rules)

    @cached_property
    def loose(self) -> tuple[str, ...]:
        """The letters in index places of definitions that nothing binds there."""
        return self.free(name for rule in self.rules for name in _unbound(rule))

    def free(self, letters: Iterable[str]) -> tuple[str, ...]:
        """Return letters without those that are defined: the place of a maximum is one place."""
        return tuple(dict.fromkeys(name for name in letters if name not in self._places))

    @cached_property
    def _places(self) -> frozenset[str]:
        return frozenset(
            rule.target.name
            for rule in self.rules
            if isinstance(rule.body, Big) and rule.body.kind in PLACES and is_letter(rule.target)
        )


def _led_to(read: Mapping[Name, set[Name]], start: Name) -> set[Name]:
    """Return all that a quantity is made of; itself only where it recurs."""
    found: set[Name] = set()
    waiting = [start]
    while waiting:
        new = read.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _unbound(rule: Rule) -> Iterator[str]:
    bound = {i.name for i in rule.target.indices if isinstance(i, Access)}
    formals = {formal.name for formal in rule.formals}
    yield from (n for n in index_letters(rule.body) if n not in bound | formals)


def resolved(label: Label, letters: Mapping[str, int]) -> tuple[str, int]:
    """Return a label's key, a number where its letter has a value."""
    if label.base in letters:
        return "", letters[label.base] + label.shift
    return label.key


def _bind(
    rule: Rule,
    labels: Labels,
    indices: tuple[int | None, ...],
    layers: Mapping[str, int],
) -> dict[str, int] | None:
    target = rule.target
    if len(target.labels) != len(labels) or len(target.indices) != len(indices):
        return None
    bound: dict[str, int] = {}
    for mine, (base, shift) in zip(target.labels, labels, strict=True):
        if mine.base in rule.letters and mine.base and not base:
            layer = shift - mine.shift
            if not 1 <= layer <= LAST_LAYER or bound.get(mine.base, layer) != layer:
                return None
            bound[mine.base] = layer
        elif resolved(mine, layers) != (base, shift):
            return None
    for index, value in zip(target.indices, indices, strict=True):
        if isinstance(index, Number) and index.value != value:
            return None
    return bound


# Reductions whose value is a place.
PLACES = frozenset(("argmax", "argmin"))
KINKED = frozenset(("abs", "copysign", "max", "min", "relu", "sign"))


def kinked(node: Node) -> bool:
    """Whether a formula has branches, so that values of both signs are needed."""
    return any(
        (isinstance(here, Comparison) and here.operator not in ("=", "!="))
        or (isinstance(here, Norm) and here.bars == 1)
        or (isinstance(here, Apply) and here.function.name in KINKED)
        or (isinstance(here, Big) and here.kind in ("max", "min"))
        for here in within(node)
    )


def is_letter(node: Node) -> bool:
    """Whether a node can be an index: a name with nothing on it."""
    return isinstance(node, Access) and not (node.labels or node.indices or node.accents)


def index_letters(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the letters that stand in index places and are not bound within the node."""
    if isinstance(node, Big) and node.bounds:
        inner = bound | {b.index.name for b in node.bounds}
        for part in _limits(node.bounds):
            yield from index_letters(part, bound)
        yield from index_letters(node.body, inner)
        return
    if isinstance(node, Access | Delta):
        for index in node.indices if isinstance(node, Access) else (node.left, node.right):
            yield from (name for name in _plain_letters(index) if name not in bound)
    for child in children(node):
        yield from index_letters(child, bound)


def _limits(bounds: tuple[Bound, ...]) -> Iterator[Node]:
    for b in bounds:
        yield from (part for part in (b.lower, b.upper, b.condition) if part is not None)


def _plain_letters(node: Node) -> Iterator[str]:
    if is_letter(node):
        assert isinstance(node, Access)
        yield node.name
    elif not isinstance(node, Access):
        for child in children(node):
            yield from _plain_letters(child)


def element(node: Node, indices: tuple[Node, ...]) -> Node:
    """Return an element of a name, or of one of its samples: x_i has the elements x_ij."""
    if isinstance(node, Access):
        return replace(node, indices=(*node.indices, *indices))
    raise NotUnderstoodError("an element of something that is not a name")
