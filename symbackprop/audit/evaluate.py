"""A per-unit formula in numbers: plain loops over indices, derivatives by dual numbers.

An access that nothing defines is a random number of its own for each place, so that a transposed
subscript differs at equal sizes too. A derivative by X reads X as a variable: what X itself is
defined to be counts for its value alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from symbackprop.audit import scalars as s
from symbackprop.audit.formula_tree import (
    Access,
    Add,
    Apply,
    Big,
    Bound,
    Cases,
    Comparison,
    Constant,
    Delta,
    Derivative,
    Element,
    Indicator,
    Logic,
    Negate,
    Node,
    Norm,
    Number,
    Power,
    Product,
    Quotient,
)
from symbackprop.audit.model import (
    BudgetError,
    Key,
    Model,
    NotUnderstoodError,
    Rule,
    element,
    is_letter,
)
from symbackprop.audit.primitives import PRIMITIVES
from symbackprop.audit.shapes import Surveyor, letter, slot
from symbackprop.audit.sinks import sinks

Seeds = tuple[tuple[Key, int], ...]
Formal = tuple[Node, "Env"] | s.Scalar
DEEPEST = 60


@dataclass(frozen=True)
class Env:
    """Where a node is read: values of letters, arguments of functions, variables seeded."""

    letters: Mapping[str, int]
    formals: Mapping[object, Formal] = field(default_factory=dict)
    seeds: Seeds = ()
    scope: int = 0
    depth: int = 0


@dataclass
class Trace:
    """What an evaluation met: free names, and derivatives by whether their variable was read."""

    free: set[tuple[str, ...]] = field(default_factory=set)
    touched: dict[int, bool] = field(default_factory=dict)
    named: bool = False
    arbitrary: bool = False


class Evaluator:
    """Evaluates the nodes of one claim at stated sizes.

    Args:
        model: The definitions.
        surveyor: The sizes of all index places.
        seed: Names the random values.
        steps: How many nodes may be read.
        path: Whether derivatives that nothing ties count as quotients of differentials.
        spread: Between which two numbers random values lie.
    """

    def __init__(
        self,
        model: Model,
        surveyor: Surveyor,
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
        self._global: dict[str, int] = {}
        self._memo: dict[object, s.Scalar] = {}
        self._argument: Node | None = None
        self._sinks: list[Key] | None = None
        self._tag = 1000

    def at(self, letters: Mapping[str, int]) -> Env:
        """Return where the claim is read for values of its free letters."""
        self._global = dict(letters)
        return Env({**self.model.layers, **letters})

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
        rule = self._RULES.get(type(node))
        if rule is None:
            raise NotUnderstoodError(f"{type(node).__name__.lower()} in a formula of one unit")
        return rule(self, node, env)

    # Quantities -------------------------------------------------------------------------------

    def _access(self, node: Access, env: Env) -> s.Scalar:
        if is_letter(node) and not node.primes and node.name in env.letters:
            return s.number(env.letters[node.name])
        if node.symbol in env.formals:
            return self._formal(node, env)
        return self._quantity(self._key(node, env), env)

    def _key(self, node: Access, env: Env) -> Key:
        labels = self.model.labels(node, env.letters)
        return node.symbol, labels, tuple(self.whole(index, env) for index in node.indices)

    def whole(self, node: Node, env: Env) -> int:
        """Return the whole number that an index or a limit is."""
        if isinstance(node, Access) and is_letter(node) and node.name in env.letters:
            return env.letters[node.name]
        value = s.integer(self.value(node, env))
        if value is None:
            raise NotUnderstoodError("an index that is no whole number")
        return value

    def _formal(self, node: Access, env: Env) -> s.Scalar:
        given = env.formals[node.symbol]
        if not isinstance(given, tuple):
            if node.indices:
                raise NotUnderstoodError(f"an element of {node.name}")
            return given
        argument, outer = given
        if node.indices:
            places = tuple(Number(Fraction(self.whole(i, env))) for i in node.indices)
            argument = element(argument, places)
        # Variables that were seeded within the function's body are not those of its argument.
        return self.value(argument, replace(outer, seeds=env.seeds, depth=env.depth))

    def _quantity(self, key: Key, env: Env) -> s.Scalar:
        for place in reversed(range(len(env.seeds))):
            seeded, tag = env.seeds[place]
            if seeded == key:
                return s.seed(self._quantity(key, replace(env, seeds=env.seeds[:place])), tag)
        memo = (key, env.seeds, tuple(self._global.items()), id(self._argument))
        if memo not in self._memo:
            self._memo[memo] = self._defined(key, env)
        return self._memo[memo]

    def _defined(self, key: Key, env: Env) -> s.Scalar:
        symbol, labels, indices = key
        found = self.model.match(symbol, labels, indices)
        if found is None:
            return self._free(key, env)
        rule, bound = found
        if env.depth > DEEPEST:
            raise NotUnderstoodError(f"{symbol[0]} is defined by itself")
        inner = self._inside(rule, bound, indices, env)
        if rule.formals and self._argument is not None:
            given = (self._argument, replace(env, formals={}))
            inner = replace(inner, formals={rule.formals[0].symbol: given})
        return self.value(rule.body, inner)

    def _inside(self, rule: Rule, bound: dict[str, int], indices: tuple[int, ...], env: Env) -> Env:
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
        if symbol == self.model.simplex and len(indices) == 1:
            places = self.span(slot(symbol, labels, 0))
            parts = [s.fresh(f"{self.seed}|{(symbol, labels, (k,))}") for k in places]
            return s.div(s.fresh(f"{self.seed}|{key}"), _reduce("sum", list(parts)))
        return s.fresh(f"{self.seed}|{key}", *self.spread)

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
        at = [self._quantity(place, env) for place in places]
        return s.undetermined(f"{self.seed}|loss", (0,) * len(at), at)

    def _sink_places(self) -> Iterator[Key]:
        for rule, labels in sinks(self.model):
            key = (rule.target.symbol, labels)
            runs = [
                self.span(slot(*key, place)) if isinstance(index, Access) else [0]
                for place, index in enumerate(rule.target.indices)
            ]
            for indices in itertools.product(*runs):
                yield (*key, tuple(indices))

    def span(self, key: object) -> range:
        """Return the values of an index place or a letter."""
        return range(1, self.surveyor.sizes.extent(key) + 1)

    # Derivatives ------------------------------------------------------------------------------

    def _derivative(self, node: Derivative, env: Env) -> s.Scalar:
        if node.at:
            raise NotUnderstoodError("a derivative at a point")
        of = node.of if node.of is not None else self.model.loss
        if of is None:
            raise NotUnderstoodError("a gradient of something that is not named")
        if not node.by:
            raise NotUnderstoodError("a gradient without a variable")
        seeds = env.seeds
        inner, tags = env, []
        for by in node.by:
            inner, seeds, tag = self._seeded(by, inner, seeds)
            tags.append(tag)
        before, self._argument = self._argument, self._bare_argument(of, node.by[0])
        value = self.value(of, replace(inner, seeds=seeds))
        self._argument = before
        reached = True
        for tag in reversed(tags):
            value = s.slope(value, tag)
            reached = reached and value is not s.ZERO
        self.trace.touched[id(node)] = self.trace.touched.get(id(node), False) or reached
        if self.path and not reached:
            return self._differentials(of, node.by, env)
        return value

    def _seeded(self, by: Node, env: Env, seeds: Seeds) -> tuple[Env, Seeds, int]:
        if isinstance(by, Apply) and not by.primes:
            by = by.function
        if not isinstance(by, Access):
            raise NotUnderstoodError("a derivative by something that is not a name")
        if by.symbol in env.formals and not by.indices:
            tag = self._unique()
            given = s.seed(self._formal(by, env), tag)
            return replace(env, formals={**env.formals, by.symbol: given}), seeds, tag
        # Tags that depend on the depth alone let equal derivatives share what they evaluated.
        tag = 1 + max((tag for _, tag in seeds), default=0)
        return env, (*seeds, (self._key(by, env), tag)), tag

    def _unique(self) -> int:
        self._tag += 1
        return self._tag

    def _bare_argument(self, of: Node, by: Node) -> Node | None:
        """The variable stands for the argument of a function that is named without one."""
        if isinstance(of, Access) and isinstance(by, Access):
            for rule in self.model.rules:
                if rule.target.symbol == of.symbol and len(rule.formals) == 1:
                    return by
        return self._argument

    def _differentials(self, of: Node, by: tuple[Node, ...], env: Env) -> s.Scalar:
        """A quotient of random differentials: along a path of them, those between cancel."""
        if len(by) != 1 or not isinstance(of, Access) or not isinstance(by[0], Access):
            raise NotUnderstoodError("a derivative that no definition ties to its variable")
        self.trace.named = True
        above, below = (s.fresh(f"{self.seed}|d{self._key(a, env)}") for a in (of, by[0]))
        return s.div(above, below)

    # Functions --------------------------------------------------------------------------------

    def _apply(self, node: Apply, env: Env) -> s.Scalar:
        key = (node.function.symbol, self.model.labels(node.function, env.letters), ())
        for place in reversed(range(len(env.seeds))):
            if env.seeds[place][0] == key:
                outer = replace(env, seeds=env.seeds[:place])
                return s.seed(self._apply(node, outer), env.seeds[place][1])
        arguments = node.arguments
        if not arguments:
            arguments = (self._argument or Access("_x"),)
        found = self._function(node, key)
        if found is not None:
            return self._defined_function(*found, node.primes, arguments, env)
        values = [self.value(argument, env) for argument in arguments]
        primitive = PRIMITIVES.get(node.function.name)
        if primitive is not None and not node.function.indices:
            return self._primitive(node, values, env)
        name = f"{self.seed}|{key[0]}{key[1]}{[self.whole(i, env) for i in node.function.indices]}"
        self.trace.free.add((node.function.name, *node.function.accents))
        if node.primes and len(values) != 1:
            raise NotUnderstoodError("a prime on a function of several arguments")
        return s.undetermined(name, (node.primes,) + (0,) * (len(values) - 1), values)

    def _function(self, node: Apply, key: Key) -> tuple[Rule, dict[str, int]] | None:
        for rule in self.model.rules:
            if rule.formals and len(rule.formals) == max(1, len(node.arguments)):
                one = replace(self.model, rules=(rule,))
                found = one.match(key[0], key[1], ())
                if found is not None:
                    return found
        return None

    def _defined_function(
        self,
        rule: Rule,
        bound: dict[str, int],
        primes: int,
        arguments: tuple[Node, ...],
        env: Env,
    ) -> s.Scalar:
        if env.depth > DEEPEST:
            raise NotUnderstoodError(f"{rule.target.name} is defined by itself")
        inner = self._inside(rule, bound, (), env)
        formals: dict[object, Formal] = {
            formal.symbol: (argument, env)
            for formal, argument in zip(rule.formals, arguments, strict=True)
        }
        if not primes:
            return self.value(rule.body, replace(inner, formals=formals))
        if len(rule.formals) != 1:
            raise NotUnderstoodError("a prime on a function of several arguments")
        return self._primed(rule, inner, primes, self.value(arguments[0], env))

    def _primed(self, rule: Rule, inner: Env, primes: int, at: s.Scalar) -> s.Scalar:
        tags = [self._unique() for _ in range(primes)]
        for tag in tags:
            at = s.seed(at, tag)
        formals: dict[object, Formal] = {rule.formals[0].symbol: at}
        value = self.value(rule.body, replace(inner, formals=formals))
        for tag in reversed(tags):
            value = s.slope(value, tag)
        return value

    def _primitive(self, node: Apply, values: list[s.Scalar], env: Env) -> s.Scalar:
        function = PRIMITIVES[node.function.name]
        if node.primes:
            at = values[0]
            tags = [self._unique() for _ in range(node.primes)]
            for tag in tags:
                at = s.seed(at, tag)
            value = function(at)
            for tag in reversed(tags):
                value = s.slope(value, tag)
            return value
        value = function(*values)
        if node.base is not None:
            value = s.div(value, s.log(self.value(node.base, env)))
        return value

    # Sums and conditions ----------------------------------------------------------------------

    def _big(self, node: Big, env: Env) -> s.Scalar:
        if not node.bounds:
            raise NotUnderstoodError("a sum without an index")
        inner = self.surveyor.scopes.numbers.get((env.scope, id(node)), env.scope)
        values = []
        for letters in self._runs(node.bounds, dict(env.letters), env, inner):
            values.append(self.value(node.body, replace(env, letters=letters)))
        return _reduce(node.kind, values)

    def _runs(
        self, bounds: tuple[Bound, ...], letters: dict[str, int], env: Env, inner: int
    ) -> Iterator[dict[str, int]]:
        if not bounds:
            yield letters
            return
        bound = bounds[0]
        if bound.members is not None:
            raise NotUnderstoodError("a sum over a set")
        here = replace(env, letters=letters)
        for value in self._range(bound, here, inner):
            chosen = {**letters, bound.index.name: value}
            condition = bound.condition
            if condition is None or self.holds(condition, replace(env, letters=chosen)):
                yield from self._runs(bounds[1:], chosen, env, inner)

    def _range(self, bound: Bound, env: Env, inner: int) -> range:
        own = letter(inner, bound.index.name)
        root = self.surveyor.sizes.root(own)
        tied = root in self.surveyor.tied
        if bound.lower is None or bound.upper is None or tied:
            if not tied and bound.upper is None:
                raise NotUnderstoodError(f"the range of {bound.index.name}")
            return self.span(own)
        return range(self.whole(bound.lower, env), self.whole(bound.upper, env) + 1)

    def holds(self, node: Node, env: Env) -> bool:
        """Return whether a condition holds, by the shadows of its sides."""
        if isinstance(node, Logic):
            parts = [self.holds(part, env) for part in node.parts]
            return all(parts) if node.operator == "and" else any(parts)
        if not isinstance(node, Comparison):
            raise NotUnderstoodError("a condition")
        if node.operator in ("in", "notin"):
            raise NotUnderstoodError("a condition on a set")
        order = s.sign(s.sub(self.value(node.left, env), self.value(node.right, env)))
        return {
            "=": order == 0,
            "!=": order != 0,
            "<": order < 0,
            ">": order > 0,
            "<=": order <= 0,
            ">=": order >= 0,
        }[node.operator]

    def _indicator(self, node: Indicator, env: Env) -> s.Scalar:
        return s.ONE if self.holds(node.condition, env) else s.ZERO

    def _delta(self, node: Delta, env: Env) -> s.Scalar:
        return s.ONE if self.holds(Comparison("=", node.left, node.right), env) else s.ZERO

    def _cases(self, node: Cases, env: Env) -> s.Scalar:
        for branch in node.branches:
            if branch.condition is None or self.holds(branch.condition, env):
                return self.value(branch.value, env)
        raise NotUnderstoodError("cases of which none holds")

    # Arithmetic -------------------------------------------------------------------------------

    def _number(self, node: Number, env: Env) -> s.Scalar:
        return s.number(node.value)

    def _constant(self, node: Constant, env: Env) -> s.Scalar:
        if node.name == "e":
            return s.exp(s.ONE)
        if node.name == "pi":
            return s.constant(math.pi)
        raise NotUnderstoodError(node.name)

    def _add(self, node: Add, env: Env) -> s.Scalar:
        return _reduce("sum", [self.value(term, env) for term in node.terms])

    def _negate(self, node: Negate, env: Env) -> s.Scalar:
        return s.neg(self.value(node.operand, env))

    def _product(self, node: Product, env: Env) -> s.Scalar:
        return _reduce("product", [self.value(factor, env) for factor in node.factors])

    def _quotient(self, node: Quotient, env: Env) -> s.Scalar:
        return s.div(self.value(node.numerator, env), self.value(node.denominator, env))

    def _power(self, node: Power, env: Env) -> s.Scalar:
        exponent = self.value(node.exponent, env)
        if node.base == Constant("e"):
            return s.exp(exponent)
        return s.raised(self.value(node.base, env), exponent)

    def _norm(self, node: Norm, env: Env) -> s.Scalar:
        # Of one unit's number, every norm is its size.
        return PRIMITIVES["abs"](self.value(node.operand, env))

    def _element(self, node: Element, env: Env) -> s.Scalar:
        return self.value(element(node.base, node.indices), env)

    _RULES: Mapping[type[Node], Callable[..., s.Scalar]] = {
        Access: _access,
        Add: _add,
        Apply: _apply,
        Big: _big,
        Cases: _cases,
        Constant: _constant,
        Delta: _delta,
        Derivative: _derivative,
        Element: _element,
        Indicator: _indicator,
        Negate: _negate,
        Norm: _norm,
        Number: _number,
        Power: _power,
        Product: _product,
        Quotient: _quotient,
    }


def _reduce(kind: str, values: list[s.Scalar]) -> s.Scalar:
    if kind == "mean":
        return s.div(_reduce("sum", values), s.number(len(values)))
    start = {"sum": s.ZERO, "product": s.ONE}.get(kind)
    function = {"sum": s.add, "product": s.mul, "max": s.larger, "min": s.smaller}.get(kind)
    if function is None or (start is None and not values):
        raise NotUnderstoodError(kind)
    result = values[0] if values else start
    for value in values[1:]:
        assert result is not None
        result = function(result, value)
    assert result is not None
    return result
