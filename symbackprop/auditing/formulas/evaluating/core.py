"""The evaluator: quantities, what defines them, and the random numbers of what is free.

An access that nothing defines is a random number of its own for each place, so that a transposed
subscript differs at equal sizes too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from symbackprop.auditing.formulas import numbers as s
from symbackprop.auditing.formulas.model import (
    BudgetError,
    Key,
    Labels,
    Model,
    NotUnderstoodError,
    Rule,
    Symbol,
    element,
    is_letter,
)
from symbackprop.auditing.formulas.shapes import Surveyor, class_of, slot
from symbackprop.auditing.formulas.tree import Access, Add, Negate, Node, Number, Product

Seeds = tuple[tuple[Key, int], ...]
DEEPEST = 60
# Seeded as a variable, it stands for all that nothing defines: each has its own differential.
EVERYTHING: Key = (("", (), 0), (), ())
PLACES_OF_A_MATRIX = 2
# The tag of what a derivative holds constant.
HELD = 0


@dataclass(frozen=True)
class Argument:
    """What a formal argument stands for: a formula, to be read where the function was called."""

    node: Node
    env: Env


Formal = Argument | s.Scalar


@dataclass(frozen=True, slots=True)
class Env:
    """Where a node is read: values of letters, arguments of functions, variables seeded."""

    letters: Mapping[str, int]
    formals: Mapping[object, Formal] = field(default_factory=dict)
    seeds: Seeds = ()
    scope: int = 0
    depth: int = 0

    def with_letters(self, letters: Mapping[str, int]) -> Env:
        """Return the same place for other values of letters."""
        return Env(letters, self.formals, self.seeds, self.scope, self.depth)


@dataclass
class Trace:
    """What an evaluation met.

    Attributes:
        free: Names that nothing defines.
        met: Quantities by name and labels, with and without indices.
        touched: For each derivative, whether its variable was ever read.
        named: Whether a derivative counted as a quotient of differentials.
        arbitrary: Whether an undetermined loss stood in for one that is not defined.
        before: Names of which an element before the first was read, though they are defined.
        classes: The numbers of the classes that were read.
    """

    free: set[tuple[str, ...]] = field(default_factory=set)
    met: set[tuple[Symbol, Labels, bool]] = field(default_factory=set)
    touched: dict[int, bool] = field(default_factory=dict)
    named: bool = False
    arbitrary: bool = False
    before: set[str] = field(default_factory=set)
    classes: dict[Key, int] = field(default_factory=dict)


def place_of(node: Node, letters: Mapping[str, int]) -> int | None:
    """Return the whole number that letters and numbers make, or None where there is more."""
    if isinstance(node, Access):
        return letters.get(node.name) if is_letter(node) else None
    if isinstance(node, Number):
        return node.value.numerator if node.value.denominator == 1 else None
    if isinstance(node, Negate):
        inner = place_of(node.operand, letters)
        return None if inner is None else -inner
    if isinstance(node, Add):
        return _joined(sum, node.terms, letters)
    return _joined(math.prod, node.factors, letters) if isinstance(node, Product) else None


def _joined(
    join: Callable[[list[int]], int], nodes: tuple[Node, ...], letters: Mapping[str, int]
) -> int | None:
    parts = [part for node in nodes if (part := place_of(node, letters)) is not None]
    return join(parts) if len(parts) == len(nodes) else None


def formal_key(access: Access) -> object:
    """Return by what a formal argument is known: its name, with its indices if it has some."""
    return access.symbol, tuple(label.key for label in access.labels), access.indices


class Evaluator:
    """Evaluates the nodes of one claim at stated sizes.

    Args:
        rules: How each kind of node is evaluated.
        model: The definitions.
        surveyor: The sizes of all index places.
        seed: Names the random values.
        steps: How many nodes may be read.
        path: Whether derivatives that nothing ties count as quotients of differentials.
        spread: Between which two numbers random values lie.
    """

    def __init__(
        self,
        rules: Mapping[type[Node], Callable[..., s.Scalar]],
        model: Model,
        surveyor: Surveyor,
        *,
        seed: str,
        steps: int,
        path: bool = False,
        spread: tuple[float, float] = (0.05, 0.95),
    ) -> None:
        self.model = model
        self.surveyor = surveyor
        self.seed = seed
        self.steps = steps
        self.path = path
        self.spread = spread
        self.trace = Trace()
        # What a function's own argument is where it is named without one.
        self.argument: Node | None = None
        self._rules = rules
        self._global: dict[str, int] = {}
        self._memo: dict[object, s.Scalar] = {}
        self._matches: dict[Key, tuple[Rule, dict[str, int]] | None] = {}
        self._sinks: list[Key] | None = None
        self._tag = 1000

    def at(self, letters: Mapping[str, int]) -> Env:
        """Return where the claim is read for values of its free letters."""
        self._global = {name: letters[name] for name in self.model.loose if name in letters}
        return Env({**self.model.layers, **letters})

    def share(self, quantities: dict[object, s.Scalar]) -> None:
        """Keep the values of quantities with those of other evaluators at the same sizes."""
        self._memo = quantities

    def value(self, node: Node, env: Env) -> s.Scalar:
        """Return the value of a scalar node.

        Raises:
            NotUnderstoodError: If the node has no scalar meaning here.
            BudgetError: If the steps are used up.
            OutOfDomainError: If a function is read outside its domain.
        """
        self.steps -= 1
        if self.steps < 0:
            raise BudgetError
        rule = self._rules.get(type(node))
        if rule is None:
            raise NotUnderstoodError(f"{type(node).__name__.lower()} in a formula of one unit")
        return rule(self, node, env)

    def access(self, node: Access, env: Env) -> s.Scalar:
        """Return the value of a quantity, a formal argument or a letter."""
        if self._is_index(node, env):
            return s.number(env.letters[node.name])
        if env.formals:
            for whole in (node, replace(node, indices=())):
                if formal_key(whole) in env.formals:
                    return self.formal(whole, node.indices[len(whole.indices) :], env)
        return self.quantity(self.key(node, env), env)

    def _is_index(self, node: Access, env: Env) -> bool:
        # A layer's letter counts nothing but layers: L is the loss, whatever the last layer is.
        return (
            node.name in env.letters
            and node.name not in self.model.layers
            and is_letter(node)
            and not node.primes
        )

    def key(self, node: Access, env: Env) -> Key:
        """Return which quantity an access names here."""
        labels = self.model.labels(node, env.letters)
        return node.symbol, labels, tuple(self.whole(index, env) for index in node.indices)

    def whole(self, node: Node, env: Env) -> int:
        """Return the whole number that an index or a limit is."""
        place = place_of(node, env.letters)
        if place is not None:
            return place
        value = s.integer(self.value(node, env))
        if value is None:
            raise NotUnderstoodError("an index that is no whole number")
        return value

    def formal(self, node: Access, indices: tuple[Node, ...], env: Env) -> s.Scalar:
        """Return the value of a function's argument, or of an element of it."""
        given = env.formals[formal_key(node)]
        if not isinstance(given, Argument):
            if indices:
                raise NotUnderstoodError(f"an element of {node.name}")
            return given
        argument = given.node
        if indices:
            places = tuple(Number(Fraction(self.whole(i, env))) for i in indices)
            argument = element(argument, places)
        # Variables that were seeded within the function's body are not those of its argument.
        return self.value(argument, replace(given.env, seeds=env.seeds, depth=env.depth))

    def quantity(self, key: Key, env: Env) -> s.Scalar:
        """Return the value of a quantity, with its derivatives by what is seeded."""
        seeds = () if key[0] in self.model.held else env.seeds
        if seeds and self.argument is None:
            behind = self.model.behind(key[0])
            whole = key[0], key[1], ()
            seeds = tuple(
                part
                for part in seeds
                if behind is None or part[0] in (key, whole, EVERYTHING) or part[0][0] in behind
            )
        memo = (key, seeds, tuple(self._global.items()), self.argument)
        found = self._memo.get(memo)
        if found is None:
            self.trace.met.add((key[0], key[1], bool(key[2])))
            found = self._memo[memo] = self._seeded(key, replace(env, seeds=seeds))
        return found

    def _seeded(self, key: Key, env: Env) -> s.Scalar:
        for place in reversed(range(len(env.seeds))):
            seeded, tag = env.seeds[place]
            # Held without its indices, a quantity is held as a whole.
            if tag == HELD and seeded in (key, (*key[:2], ())):
                return self.quantity(key, replace(env, seeds=env.seeds[:place]))
            if seeded == key:
                return s.seed(self.quantity(key, replace(env, seeds=env.seeds[:place])), tag)
        return self._defined(key, env)

    def _defined(self, key: Key, env: Env) -> s.Scalar:
        symbol, _, indices = key
        found = self.matched(key)
        # What stands before the first step is free.
        if found is None:
            return self._free(key, env)
        if min(indices, default=self.model.first) < self.model.first:
            self.trace.before.add(symbol[0])
            return self._free(key, env)
        rule, bound = found
        if env.depth > DEEPEST:
            raise NotUnderstoodError(f"{symbol[0]} is defined by itself")
        inner = self.inside(rule, bound, indices, env)
        if rule.formals and self.argument is not None:
            given = Argument(self.argument, replace(env, formals={}))
            inner = replace(inner, formals={formal_key(rule.formals[0]): given})
        return self.value(rule.body, inner)

    def matched(self, key: Key) -> tuple[Rule, dict[str, int]] | None:
        """Return the definition of a quantity and the values of its label letters."""
        if key not in self._matches:
            self._matches[key] = self.model.match(*key)
        return self._matches[key]

    def inside(self, rule: Rule, bound: dict[str, int], indices: tuple[int, ...], env: Env) -> Env:
        """Return where the body of a definition is read."""
        letters = {**self.model.layers, **self._global, **bound}
        for place, value in zip(rule.target.indices, indices, strict=True):
            if isinstance(place, Access):
                letters[place.name] = value
        scope = self.surveyor.scopes.of(rule, bound)
        return Env(letters, {}, env.seeds, scope, env.depth + 1)

    def _free(self, key: Key, env: Env) -> s.Scalar:
        symbol, labels, indices = key
        size = ("size", symbol, labels, "()")
        if not indices and size in self.surveyor.sizes.parents:
            return s.number(self.surveyor.sizes.extent(size))
        if self._is_loss(key):
            return self._arbitrary(key, env)
        self.trace.free.add((symbol[0], *symbol[1]))
        if class_of(symbol) in self.surveyor.sizes.parents:
            return self._class(key)
        if symbol == self.model.simplex and len(indices) == 1:
            return self._share(symbol, labels, key)
        if symbol in self.model.symmetric and len(indices) == PLACES_OF_A_MATRIX:
            key = symbol, labels, (min(indices), max(indices))
        value: s.Scalar = s.fresh(f"{self.seed}|{key}", *self.spread)
        for seeded, tag in env.seeds:
            if seeded == EVERYTHING:
                value = s.add(value, s.Dual(tag, s.ZERO, s.fresh(f"{self.seed}|d{key}")))
        return value

    def _class(self, key: Key) -> s.Scalar:
        """The number of one of several classes."""
        value = self.model.first + s.hashed(
            f"{self.seed}|{key}", self.surveyor.sizes.extent(class_of(key[0]))
        )
        self.trace.classes[key] = value
        return s.number(value)

    def _share(self, symbol: Symbol, labels: Labels, key: Key) -> s.Scalar:
        """One of several numbers that sum to 1."""
        whole: s.Scalar = s.ZERO
        for place in self.span(slot(symbol, labels, 0)):
            whole = s.add(whole, s.fresh(f"{self.seed}|{(symbol, labels, (place,))}"))
        return s.div(s.fresh(f"{self.seed}|{key}"), whole)

    def _is_loss(self, key: Key) -> bool:
        symbol, labels, indices = key
        loss = self.model.loss
        return (
            loss is not None
            and loss.symbol == symbol
            and not indices
            and self.model.labels(loss, self.model.layers) == labels
        )

    def _arbitrary(self, key: Key, env: Env) -> s.Scalar:
        """An undetermined function of all that the definitions end in."""
        if self._sinks is None:
            self._sinks = list(self._sink_places())
        places = self._sinks
        if not places:
            self.trace.free.add((key[0][0],))
            return s.fresh(f"{self.seed}|{key}")
        self.trace.arbitrary = True
        at = [self.quantity(place, env) for place in places]
        return s.undetermined(f"{self.seed}|loss", (0,) * len(at), at)

    def _sink_places(self) -> Iterator[Key]:
        for rule, labels in self.model.sinks:
            key = (rule.target.symbol, labels)
            runs = [
                [int(index.value)] if isinstance(index, Number) else self.span(slot(*key, place))
                for place, index in enumerate(rule.target.indices)
            ]
            for indices in itertools.product(*runs):
                yield (*key, tuple(indices))

    def note(self, derivative: Node, reached: bool) -> None:
        """Note whether the variable of a derivative was read."""
        touched = self.trace.touched
        touched[id(derivative)] = touched.get(id(derivative), False) or reached

    def span(self, key: object) -> range:
        """Return the values of an index place or a letter."""
        first = self.model.first
        return range(first, first + self.surveyor.sizes.extent(key))

    def unique(self) -> int:
        """Return a tag that no other derivative has."""
        self._tag += 1
        return self._tag
