"""Conventions under which a claim holds that does not hold as it stands: one registry.

Each is tried before a claim is refuted, and named where it is what makes the claim true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from symbackprop.auditing.formulas.apart import apart, unequal
from symbackprop.auditing.formulas.kinds import Typed
from symbackprop.auditing.formulas.layouts import TWO
from symbackprop.auditing.formulas.model import Model, Rule, Symbol
from symbackprop.auditing.formulas.primitives import PRIMITIVES
from symbackprop.auditing.formulas.reading.facts import LOSSES
from symbackprop.auditing.formulas.tree import (
    ADJACENT,
    Access,
    Add,
    Apply,
    Big,
    Constant,
    Derivative,
    Negate,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    accesses,
    rewritten,
    within,
)
from symbackprop.auditing.formulas.trial import COLUMN, ROW, Trial, attempt
from symbackprop.auditing.formulas.units import one

ONE = Number(Fraction(1), "1")
# Letters for targets and distributions, which may sum to 1 without anybody saying so.
TARGETS = frozenset(("y", "t", "p", "q", "d"))


@dataclass(frozen=True)
class Attempted:
    """One reading of a claim as it was evaluated, without success."""

    typed: Typed
    trial: Trial
    left: Node
    right: Node

    def with_sides(self, left: Node, right: Node) -> Typed:
        """Return the same reading with other per-unit sides."""
        return replace(self.typed, left=one(left), right=one(right))


@dataclass(frozen=True)
class Convention:
    """A convention by its words, and how to tell that it makes a claim true."""

    words: str
    holds: Callable[[Attempted], bool]


def _scalar(attempted: Attempted) -> bool:
    return attempted.typed.left.scalar and attempted.typed.right.scalar


def _sides(attempted: Attempted) -> tuple[Node, Node]:
    return attempted.typed.left.at(ROW, COLUMN), attempted.typed.right.at(ROW, COLUMN)


def _true(typed: Typed, conditions: Sequence[Node] = ()) -> bool:
    trial = attempt(typed, (), conditions, seeds=2, stop=True)
    return trial.equal and trial.tied


def _along_path(attempted: Attempted) -> bool:
    """Derivatives that no definition ties to their variable cancel as quotients do."""
    if attempted.trial.tied or attempted.trial.reason:
        return False
    model = attempted.typed.model
    for rules in (model.rules, ()):
        typed = replace(attempted.typed, model=replace(model, rules=rules))
        trial = attempt(typed, path=True, stop=True)
        if trial.equal and trial.named:
            return True
    return False


def _single_apart(attempted: Attempted) -> bool:
    """What stands in a place of its own is none of those that a sum beside it runs over."""
    model = apart(attempted.typed.model)
    if not attempted.trial.different or not model.loose:
        return False
    conditions = unequal(_sides(attempted), model)
    changed = model.rules != attempted.typed.model.rules
    return changed and _true(replace(attempted.typed, model=model), conditions)


def _output_variable(attempted: Attempted) -> bool:
    """The right side is written in the function's own output under its input's name."""
    if not _scalar(attempted) or not attempted.trial.different:
        return False
    left, right = _sides(attempted)
    for variable, output in _inputs(left):
        new = _put(right, variable, output)
        if new != right and _true(attempted.with_sides(left, new)):
            return True
    return False


def _put(node: Node, old: Node, new: Node) -> Node:
    return rewritten(node, lambda here: new if here == old else here)


def _inputs(left: Node) -> Iterator[tuple[Node, Node]]:
    """The variable and the output of the function that a left side differentiates."""
    if isinstance(left, Derivative) and len(left.by) == 1 and left.of is not None:
        yield left.by[0], left.of
    if isinstance(left, Apply) and left.primes == 1 and len(left.arguments) == 1:
        yield left.arguments[0], replace(left, primes=0)


def _logits(attempted: Attempted) -> bool:
    """The gradient of a loss on probabilities is that by what a sigmoid read."""
    if not _scalar(attempted) or not attempted.trial.different:
        return False
    left, right = _sides(attempted)
    if not isinstance(left, Derivative) or len(left.by) != 1:
        return False
    p = left.by[0]
    rate = Product((left, p, Add((ONE, Negate(p)))), (ADJACENT, ADJACENT))
    return _true(attempted.with_sides(rate, right))


def _simplex(attempted: Attempted) -> bool:
    """Targets sum to one, as those of a classification do, though nobody says so."""
    if not attempted.trial.different:
        return False
    targets = _vectors(attempted.typed)
    if not _reads_exponential(attempted.typed):
        targets &= _summed(attempted.typed)
    for symbol in sorted(targets):
        model = replace(attempted.typed.model, simplex=symbol)
        if _true(replace(attempted.typed, model=model)):
            return True
    return False


def _held_maximum(attempted: Attempted) -> bool:
    """A maximum that is subtracted from all numbers alike counts as a constant."""
    model = attempted.typed.model
    rules = tuple(r for r in model.rules if not (isinstance(r.body, Big) and r.body.kind == "max"))
    if not attempted.trial.different or rules == model.rules:
        return False
    return _true(replace(attempted.typed, model=replace(model, rules=rules)))


def _held_targets(attempted: Attempted) -> bool:
    """A target that is itself made of a derivative (a step from a value) counts as a constant."""
    model = attempted.typed.model
    held = frozenset(
        rule.target.symbol
        for rule in model.rules
        if _reads_derivative(rule.body) and not isinstance(rule.body, Derivative)
    )
    if not attempted.trial.different or not held:
        return False
    return _true(replace(attempted.typed, model=replace(model, held=held)))


def _reads_derivative(body: Node) -> bool:
    return any(isinstance(here, Derivative) for here in within(body))


def _summed(typed: Typed) -> set[Symbol]:
    """Names whose elements are summed as they are."""
    return {
        here.body.symbol
        for side in (typed.left, typed.right)
        for here in within(side.at(ROW, COLUMN))
        if isinstance(here, Big) and here.kind == "sum" and isinstance(here.body, Access)
    }


def _reads_exponential(typed: Typed) -> bool:
    nodes = [side.at(ROW, COLUMN) for side in (typed.left, typed.right)]
    nodes += [rule.body for rule in typed.model.rules]
    return any(
        (isinstance(here, Apply) and here.function.name in ("exp", "log", "ln"))
        or here == Constant("e")
        for node in nodes
        for here in within(node)
    )


def _logistic(attempted: Attempted) -> bool:
    """A function that nobody defines is the logistic one, as σ is by custom."""
    return _assumed(attempted, _SIGMOID)


def _hyperbolic(attempted: Attempted) -> bool:
    """A function that nobody defines is the hyperbolic tangent."""
    return _assumed(attempted, Apply(Access("tanh"), (_X,)))


def _assumed(attempted: Attempted, body: Node) -> bool:
    if not attempted.trial.different:
        return False
    model = attempted.typed.model
    functions = undefined_functions(attempted.typed)
    rules = tuple(Rule(function, body, (_X,)) for function in functions)
    typed = replace(attempted.typed, model=replace(model, rules=(*rules, *model.rules)))
    return bool(rules) and _true(typed)


def _usual_output(attempted: Attempted) -> bool:
    """What nobody defines is the logistic function of what it is differentiated by, or tanh."""
    return any(_output_of(attempted, Apply(Access(name), (_X,))) for name in ("sigmoid", "tanh"))


def _defined_output(attempted: Attempted) -> bool:
    """What nobody defines is the function that the document does define."""
    rules = [rule for rule in attempted.typed.model.rules if len(rule.formals) == 1]
    return any(_output_of(attempted, Apply(rule.target, (_X,))) for rule in rules)


def _output_of(attempted: Attempted, body: Node) -> bool:
    left, _ = _sides(attempted)
    if not _scalar(attempted) or attempted.trial.tied or attempted.trial.reason:
        return False
    if not (isinstance(left, Derivative) and len(left.by) == 1 and isinstance(left.of, Access)):
        return False
    model = attempted.typed.model
    if left.of.symbol in {rule.target.symbol for rule in model.rules}:
        return False
    made = Rule(left.of, _put(body, _X, left.by[0]))
    return _true(replace(attempted.typed, model=replace(model, rules=(made, *model.rules))))


def _usual_loss(attempted: Attempted) -> bool:
    """A loss that is nowhere defined is the cross-entropy or the squared error of two names."""
    left, right = _sides(attempted)
    model = attempted.typed.model
    if not (_scalar(attempted) and isinstance(left, Derivative) and len(left.by) == 1):
        return False
    loss = left.of
    if not isinstance(loss, Access) or loss.name not in LOSSES or _is_defined(loss, model):
        return False
    predicted = left.by[0]
    targets = [a for a in accesses(right) if a.name in TARGETS and a != predicted]
    for target in dict.fromkeys(targets):
        for body in _losses(predicted, target):
            rules = (Rule(loss, body), *model.rules)
            made = replace(model, rules=rules, loss=None)
            if _true(replace(attempted.typed, model=made)):
                return True
    return False


def _is_defined(name: Access, model: Model) -> bool:
    """Whether something is said of a name but that it is a function of other names."""
    return any(
        not (isinstance(rule.body, Apply) and rule.body.function.symbol == name.symbol)
        for rule in model.named(name.symbol)
    )


def _losses(p: Node, y: Node) -> Iterator[Node]:
    """Yield the cross-entropy of two classes, and the squared error with and without ½."""
    both = [_times(t, Apply(Access("log"), (q,))) for t, q in ((y, p), (_rest(y), _rest(p)))]
    yield Negate(Add(tuple(both)))
    square = Power(Add((p, Negate(y))), TWO)
    yield square
    yield Quotient(square, TWO)


def _rest(node: Node) -> Node:
    return Add((ONE, Negate(node)))


def _times(a: Node, b: Node) -> Node:
    return Product((a, b), (ADJACENT,))


_X = Access("_x")
_SIGMOID = Apply(Access("sigmoid"), (_X,))


def undefined_functions(typed: Typed, primed: bool = False) -> list[Access]:
    """Return the undefined functions of a claim and of what it rests on.

    Those read with a prime only if asked for.
    """
    defined = {rule.target.symbol for rule in typed.model.rules if rule.formals}
    found: dict[Access, None] = {}
    sides = (side.at(ROW, COLUMN) for side in (typed.left, typed.right))
    for side in (*sides, *(rule.body for rule in typed.model.rules)):
        for node in within(side):
            if (
                isinstance(node, Apply)
                and (primed or not node.primes)
                and node.function.name not in PRIMITIVES
                and node.function.symbol not in defined
                and len(node.arguments) <= 1
            ):
                found.setdefault(replace(node.function, style=""))
    return list(found)


def _vectors(typed: Typed) -> set[Symbol]:
    """Targets: names with one index that nothing defines."""
    defined = {rule.target.symbol for rule in typed.model.rules}
    sides = (side.at(ROW, COLUMN) for side in (typed.left, typed.right))
    nodes = [*sides, *(rule.body for rule in typed.model.rules)]
    return {
        node.symbol
        for body in nodes
        for node in within(body)
        if isinstance(node, Access)
        and len(node.indices) == 1
        and node.name in TARGETS
        and node.symbol not in defined
    }


CONVENTIONS = (
    Convention("along the named path", _along_path),
    Convention("targets sum to 1", _simplex),
    Convention("a single place is none of those that are summed beside it", _single_apart),
    Convention("the maximum is held constant", _held_maximum),
    Convention("targets made of derivatives are held constant", _held_targets),
    Convention("the function is the logistic sigmoid", _logistic),
    Convention("the function is tanh", _hyperbolic),
    Convention("written in the output variable", _output_variable),
    Convention("with respect to the logits", _logits),
    Convention("the output is the function that is defined", _defined_output),
    Convention("the output is the usual function of its input", _usual_output),
    Convention("the loss is the cross-entropy or the squared error", _usual_loss),
)
