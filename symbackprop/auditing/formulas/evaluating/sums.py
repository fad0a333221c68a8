"""Reductions over indices, conditions, and what depends on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from symbackprop.auditing.formulas import numbers as s
from symbackprop.auditing.formulas.evaluating.core import Env, Evaluator, place_of
from symbackprop.auditing.formulas.model import NotUnderstoodError, is_letter
from symbackprop.auditing.formulas.shapes import letter
from symbackprop.auditing.formulas.tree import (
    Access,
    Big,
    Bound,
    Cases,
    Comparison,
    Delta,
    Indicator,
    Logic,
    Node,
)


def reduction(run: Evaluator, node: Big, env: Env) -> s.Scalar:
    """Return the value of a sum, product, mean or extremum over indices."""
    if not node.bounds:
        raise NotUnderstoodError("a sum without an index")
    inner = run.surveyor.scopes.numbers.get((env.scope, id(node)), env.scope)
    if node.kind in _EXTREMES:
        return _place(run, node, env, inner)
    values = [
        run.value(node.body, env.with_letters(letters))
        for letters in _runs(run, node.bounds, dict(env.letters), env, inner)
    ]
    return reduced(node.kind, values)


def reduced(kind: str, values: list[s.Scalar]) -> s.Scalar:
    """Return the sum, product, mean, max or min of some values."""
    if kind == "mean":
        return s.div(reduced("sum", values), s.number(len(values)))
    function = _FUNCTIONS.get(kind)
    if function is None or (kind not in _NEUTRAL and not values):
        raise NotUnderstoodError(kind)
    result = _NEUTRAL[kind] if kind in _NEUTRAL else values[0]
    for value in values if kind in _NEUTRAL else values[1:]:
        result = function(result, value)
    return result


def _place(run: Evaluator, node: Big, env: Env, inner: int) -> s.Scalar:
    """Return the place of the first of the largest or the smallest; it changes with nothing.

    Of several indices the last one runs fastest, and the place counts all that is run over.
    """
    extreme, last = _EXTREMES[node.kind], node.bounds[-1].index.name
    best: tuple[int, s.Scalar] | None = None
    start = 0
    for count, letters in enumerate(_runs(run, node.bounds, dict(env.letters), env, inner)):
        start = start if count else letters[last]
        value = s.primal(run.value(node.body, env.with_letters(letters)))
        if best is None or extreme(best[1], value) is not best[1]:
            best = letters[last] if len(node.bounds) == 1 else start + count, value
    if best is None:
        raise NotUnderstoodError(node.kind)
    return s.number(best[0])


_EXTREMES = {"argmax": s.larger, "argmin": s.smaller}
_NEUTRAL: dict[str, s.Scalar] = {"sum": s.ZERO, "product": s.ONE}
_FUNCTIONS: dict[str, Callable[[s.Scalar, s.Scalar], s.Scalar]] = {
    "sum": s.add,
    "product": s.mul,
    "max": s.larger,
    "min": s.smaller,
}


def _runs(
    run: Evaluator, bounds: tuple[Bound, ...], letters: dict[str, int], env: Env, inner: int
) -> Iterator[dict[str, int]]:
    if not bounds:
        yield letters
        return
    bound = bounds[0]
    whole = isinstance(bound.members, Access) and not bound.members.indices
    if bound.members is not None and not (
        whole and run.surveyor.is_whole(letter(inner, bound.index.name))
    ):
        raise NotUnderstoodError("a sum over a set")
    for value in _range(run, bound, env.with_letters(letters), inner):
        chosen = {**letters, bound.index.name: value}
        condition = bound.condition
        if condition is None or holds(run, condition, env.with_letters(chosen)):
            yield from _runs(run, bounds[1:], chosen, env, inner)


def _range(run: Evaluator, bound: Bound, env: Env, inner: int) -> range:
    own = letter(inner, bound.index.name)
    tied = run.surveyor.sizes.root(own) in run.surveyor.tied
    first, last = (_letter(bound, limit, env) for limit in (bound.lower, bound.upper))
    if tied and (first or last):
        whole = run.span(own)
        return range(first or whole.start, last + 1 if last else whole.stop)
    if bound.lower is None or bound.upper is None or tied:
        if not tied and bound.upper is None:
            raise NotUnderstoodError(f"the range of {bound.index.name}")
        return run.span(own)
    return range(run.whole(bound.lower, env), run.whole(bound.upper, env) + 1)


def _letter(bound: Bound, limit: Node | None, env: Env) -> int | None:
    """The value of a limit that is an index: Σ from k = 1 to t."""
    is_index = isinstance(limit, Access) and is_letter(limit) and limit.name != bound.index.name
    return env.letters.get(limit.name) if is_index and isinstance(limit, Access) else None


def holds(run: Evaluator, node: Node, env: Env) -> bool:
    """Return whether a condition holds, by the shadows of its sides."""
    if isinstance(node, Logic):
        parts = [holds(run, part, env) for part in node.parts]
        return all(parts) if node.operator == "and" else any(parts)
    if not isinstance(node, Comparison):
        raise NotUnderstoodError("a condition")
    if node.operator in ("in", "notin"):
        raise NotUnderstoodError("a condition on a set")
    order = s.sign(s.sub(run.value(node.left, env), run.value(node.right, env)))
    return {
        "=": order == 0,
        "!=": order != 0,
        "<": order < 0,
        ">": order > 0,
        "<=": order <= 0,
        ">=": order >= 0,
    }[node.operator]


def indicator(run: Evaluator, node: Indicator, env: Env) -> s.Scalar:
    """Return 1 where a condition holds, else 0."""
    return s.ONE if holds(run, node.condition, env) else s.ZERO


def delta(run: Evaluator, node: Delta, env: Env) -> s.Scalar:
    """Return Kronecker's delta."""
    left, right = (place_of(side, env.letters) for side in (node.left, node.right))
    if left is not None and right is not None:
        return s.ONE if left == right else s.ZERO
    return s.ONE if holds(run, Comparison("=", node.left, node.right), env) else s.ZERO


def cases(run: Evaluator, node: Cases, env: Env) -> s.Scalar:
    """Return the value of the first branch whose condition holds."""
    for branch in node.branches:
        if branch.condition is None or holds(run, branch.condition, env):
            return run.value(branch.value, env)
    raise NotUnderstoodError("cases of which none holds")


RULES: Mapping[type[Node], Callable[..., s.Scalar]] = {
    Big: reduction,
    Cases: cases,
    Delta: delta,
    Indicator: indicator,
}
