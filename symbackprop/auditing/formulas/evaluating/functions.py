"""Functions at their arguments: defined ones, those known by name, and undetermined ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from symbackprop.auditing.formulas import numbers as s
from symbackprop.auditing.formulas.evaluating.core import (
    DEEPEST,
    Argument,
    Env,
    Evaluator,
    Formal,
    formal_key,
)
from symbackprop.auditing.formulas.model import Key, NotUnderstoodError, Rule
from symbackprop.auditing.formulas.primitives import PRIMITIVES
from symbackprop.auditing.formulas.tree import Access, Apply, Node


@dataclass(frozen=True)
class Call:
    """A defined function at its arguments: where its body is read, and where it was called."""

    rule: Rule
    inner: Env
    arguments: tuple[Node, ...]
    outer: Env

    def value(self, run: Evaluator) -> s.Scalar:
        """Return the value of the body."""
        formals: dict[object, Formal] = {
            formal_key(formal): Argument(argument, self.outer)
            for formal, argument in zip(self.rule.formals, self.arguments, strict=True)
        }
        return run.value(self.rule.body, replace(self.inner, formals=formals))

    def primed(self, run: Evaluator, primes: int) -> s.Scalar:
        """Return a derivative by the only argument."""
        _only_one(self.arguments)
        formal = formal_key(self.rule.formals[0])

        def body(at: s.Scalar) -> s.Scalar:
            return run.value(self.rule.body, replace(self.inner, formals={formal: at}))

        return _primed(run, body, primes, run.value(self.arguments[0], self.outer))


def application(run: Evaluator, node: Apply, env: Env) -> s.Scalar:
    """Return the value of a function at its arguments."""
    key = run.key(node.function, env)
    for place in reversed(range(len(env.seeds))):
        if env.seeds[place][0] == key:
            outer = replace(env, seeds=env.seeds[:place])
            return s.seed(application(run, node, outer), env.seeds[place][1])
    arguments = node.arguments or (run.argument or Access("_x"),)
    found = run.model.function(key, len(arguments))
    if found is not None:
        if env.depth > DEEPEST:
            raise NotUnderstoodError(f"{node.function.name} is defined by itself")
        called = Call(found[0], run.inside(*found, key[2], env), arguments, env)
        if not node.primes:
            return called.value(run)
        slope = called.primed(run, node.primes)
        run.note(node, slope is not s.ZERO)
        return slope
    values = [run.value(argument, env) for argument in arguments]
    if node.function.name in PRIMITIVES and not node.function.indices:
        return _primitive(run, node, values, env)
    return _undetermined(run, node, key, values, env)


def _primed(
    run: Evaluator, function: Callable[[s.Scalar], s.Scalar], primes: int, at: s.Scalar
) -> s.Scalar:
    tags = [run.unique() for _ in range(primes)]
    for tag in tags:
        at = s.seed(at, tag)
    value = function(at)
    for tag in reversed(tags):
        value = s.slope(value, tag)
    return value


def _primitive(run: Evaluator, node: Apply, values: list[s.Scalar], env: Env) -> s.Scalar:
    function = PRIMITIVES[node.function.name]
    if node.primes:
        _only_one(values)
        return _primed(run, function, node.primes, values[0])
    value = function(*values)
    return value if node.base is None else s.div(value, s.log(run.value(node.base, env)))


def _undetermined(
    run: Evaluator, node: Apply, key: Key, values: list[s.Scalar], env: Env
) -> s.Scalar:
    run.trace.free.add((node.function.name, *node.function.accents))
    if node.primes:
        _only_one(values)
    name = f"{run.seed}|{key[0]}{key[1]}{list(key[2])}"
    return s.undetermined(name, (node.primes,) + (0,) * (len(values) - 1), values)


def _only_one(arguments: list[s.Scalar] | tuple[Node, ...]) -> None:
    if len(arguments) != 1:
        raise NotUnderstoodError("a prime on a function of several arguments")


RULES: Mapping[type[Node], Callable[..., s.Scalar]] = {Apply: application}
