"""Which definitions a claim may mean: the nearest before it first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from symbackprop.audit.binding import Claim, Definition, Paper
from symbackprop.audit.formula_tree import (
    Access,
    Derivative,
    Power,
    walk,
)
from symbackprop.audit.kinds import reached
from symbackprop.audit.model import LAST_LAYER, LAYER, Model, Rule

Assumption = Callable[[Claim, tuple[Rule, ...]], tuple[Rule, ...]]


def as_written(claim: Claim, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the definitions as they stand."""
    return rules


def aliases_turned(claim: Claim, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the definitions with ``a_3 = ŷ`` read as ŷ = a_3, where both are defined anyway."""
    turned = [_turned(rule) for rule in rules if _is_alias(rule, rules)]
    names = {rule.target.symbol for rule in turned}
    kept = [r for r in rules if r.target.symbol not in names and not _is_alias(r, rules)]
    return (*turned, *kept)


def any_loss(claim: Claim, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the definitions without that of the number that is differentiated."""
    dropped = _loss(claim, ())
    return tuple(r for r in rules if dropped is None or r.target.symbol != dropped.symbol)


# What may be assumed of the definitions; the next where one leads to no variable.
ASSUMPTIONS: tuple[Assumption, ...] = (as_written, aliases_turned, any_loss)


def _is_alias(rule: Rule, rules: tuple[Rule, ...]) -> bool:
    body = rule.body
    return (
        isinstance(body, Access)
        and len(body.indices) == len(rule.target.indices) == 0
        and not (rule.formals or rule.letters)
        and any(r.target.symbol == body.symbol and r is not rule for r in rules)
        and any(r.target.symbol == rule.target.symbol and r.letters for r in rules)
    )


def _turned(rule: Rule) -> Rule:
    assert isinstance(rule.body, Access)
    return Rule(rule.body, rule.target)


def models(claim: Claim, paper: Paper, assumption: Assumption = as_written) -> Iterator[Model]:
    """Yield the definitions that a claim may mean, the nearest before it first.

    Args:
        claim: The claim.
        paper: The document.
        assumption: What is changed in the definitions.
    """
    nearest = sorted(
        (d for d in paper.definitions if d.order != claim.order),
        key=lambda d: (d.order >= claim.order, abs(d.order - claim.order)),
    )
    ordered = [*(d for d in paper.gradients if d.order != claim.order), *nearest]
    layers = {letter: LAST_LAYER if letter.isupper() else LAYER for letter in paper.layers}
    sides = [side for r in claim.readings for side in (r.left, r.right)]
    seen: list[tuple[Rule, ...]] = []
    for choose in (0, -1):
        rules = assumption(claim, tuple(rule for d in ordered for rule in _rules(d, choose)))
        rules = reached(Model(rules, layers), sides)
        if rules not in seen:
            seen.append(rules)
            yield Model(rules, layers, _loss(claim, rules))


def _rules(definition: Definition, choose: int) -> Iterator[Rule]:
    if not isinstance(definition.target, Power) and not definition.conditions:
        body = definition.values[choose]
        yield Rule(definition.name, body, definition.formals, definition.letters)


def _loss(claim: Claim, rules: tuple[Rule, ...]) -> Access | None:
    """The number on top of derivatives that nothing defines."""
    sides = [claim.head, claim.left, claim.right, *(rule.body for rule in rules)]
    for side in sides:
        for _, node in walk(side):
            top = node.of if isinstance(node, Derivative) else None
            defined = any(isinstance(top, Access) and r.target.symbol == top.symbol for r in rules)
            if isinstance(top, Access) and not top.indices and not defined:
                return top
    return None
