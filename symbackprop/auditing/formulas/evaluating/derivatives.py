"""Derivatives: a variable is seeded, and what it itself is defined to be counts for its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from symbackprop.auditing.formulas import numbers as s
from symbackprop.auditing.formulas.evaluating.core import (
    EVERYTHING,
    HELD,
    Env,
    Evaluator,
    Seeds,
    formal_key,
)
from symbackprop.auditing.formulas.model import NotUnderstoodError, element
from symbackprop.auditing.formulas.tree import (
    Access,
    Apply,
    Derivative,
    Differential,
    Element,
    Node,
)


def derivative(run: Evaluator, node: Derivative, env: Env) -> s.Scalar:
    """Return the value of a derivative, of any order."""
    if node.at:
        raise NotUnderstoodError("a derivative at a point")
    of = node.of if node.of is not None else run.model.loss
    if of is None:
        raise NotUnderstoodError("a gradient of something that is not named")
    if not node.by:
        raise NotUnderstoodError("a gradient without a variable")
    seeds, inner, tags = env.seeds, env, []
    for by in node.by:
        inner, seeds, tag = _seeded(run, by, inner, seeds)
        tags.append(tag)
    before, run.argument = run.argument, _bare_argument(run, of, node.by[0])
    value = run.value(of, replace(inner, seeds=seeds))
    run.argument = before
    reached = True
    for tag in reversed(tags):
        value = s.slope(value, tag)
        reached = reached and value is not s.ZERO
    run.note(node, reached)
    if run.path and not reached:
        return _differentials(run, of, node.by, env)
    return value


def partial(run: Evaluator, node: Element, env: Env) -> s.Scalar:
    """Return the value of an element, or of a derivative that holds what stands below constant."""
    if not isinstance(node.base, Derivative):
        return run.value(element(node.base, node.indices), env)
    held = [index for index in node.indices if isinstance(index, Access)]
    if len(held) != len(node.indices):
        raise NotUnderstoodError("an element of a derivative")
    seeds = (*env.seeds, *((run.key(name, env), HELD) for name in held))
    return derivative(run, node.base, replace(env, seeds=seeds))


def differential(run: Evaluator, node: Differential, env: Env) -> s.Scalar:
    """Return the value of a differential, for arbitrary ones of all that nothing defines."""
    tag = 1 + max((tag for _, tag in env.seeds), default=0)
    value = run.value(node.of, replace(env, seeds=(*env.seeds, (EVERYTHING, tag))))
    return s.slope(value, tag)


def _seeded(run: Evaluator, by: Node, env: Env, seeds: Seeds) -> tuple[Env, Seeds, int]:
    if isinstance(by, Apply) and not by.primes:
        by = by.function
    if not isinstance(by, Access):
        raise NotUnderstoodError("a derivative by something that is not a name")
    formal = formal_key(by)
    if formal in env.formals:
        tag = run.unique()
        given = s.seed(run.formal(by, (), env), tag)
        return replace(env, formals={**env.formals, formal: given}), seeds, tag
    # Tags that depend on the depth alone let equal derivatives share what they evaluated.
    tag = 1 + max((tag for _, tag in seeds), default=0)
    return env, (*seeds, (run.key(by, env), tag)), tag


def _bare_argument(run: Evaluator, of: Node, by: Node) -> Node | None:
    """The variable stands for the argument of a function that is named without one."""
    if isinstance(of, Access) and isinstance(by, Access):
        for rule in run.model.named(of.symbol):
            if len(rule.formals) == 1 and rule.formals[0].symbol != by.symbol:
                return by
    return run.argument


def _differentials(run: Evaluator, of: Node, by: tuple[Node, ...], env: Env) -> s.Scalar:
    """A quotient of random differentials: along a path of them, those between cancel."""
    if len(by) != 1 or not isinstance(of, Access) or not isinstance(by[0], Access):
        raise NotUnderstoodError("a derivative that no definition ties to its variable")
    run.trace.named = True
    above, below = (s.fresh(f"{run.seed}|d{run.key(a, env)}") for a in (of, by[0]))
    return s.div(above, below)


RULES: Mapping[type[Node], Callable[..., s.Scalar]] = {
    Derivative: derivative,
    Differential: differential,
    Element: partial,
}
