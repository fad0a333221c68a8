"""Branches of ``where``: kept from overflow and warnings where the other branch holds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from fractions import Fraction

from symbackprop.calculus.stable.signs import is_nonzero, sign
from symbackprop.calculus.stable.trees import is_negative, scaled
from symbackprop.scalar import COMPARISONS, ONE, Apply, Expression, Number, apply, slots

Guard = Callable[[Expression], Expression]

_UPPER = frozenset({"less", "less_equal"})
_LOWER = frozenset({"greater", "greater_equal"})
_EXPONENTIALS = frozenset({"exp", "expm1"})
_PARTIAL = frozenset({"log", "sqrt"})


def guarded(arguments: list[Expression], nonpositive: frozenset[Expression]) -> Expression:
    """Keep both branches harmless where the other one holds."""
    condition, yes, no = arguments
    subject = _subject(condition)
    for vanishing in _vanishing(subject):
        yes = _defined(yes, vanishing, apply("where", condition, vanishing, ONE))
        no = _defined(no, vanishing, apply("where", condition, ONE, vanishing))
    told = slots(condition)
    yes = _kept(yes, told, lambda part: apply("where", condition, part, ONE))
    no = _kept(no, told, lambda part: apply("where", condition, ONE, part))
    for subject, bound, below in _bounds(condition):
        yes = _clamped(yes, subject, bound, below, nonpositive)
        no = _clamped(no, subject, bound, not below, nonpositive)
    return yes if yes == no else apply("where", condition, yes, no)


def _subject(condition: Expression) -> Expression | None:
    """Return what a comparison holds against a constant."""
    if not isinstance(condition, Apply) or condition.function not in COMPARISONS:
        return None
    left, right = condition.arguments
    if not slots(right):
        return left
    return right if not slots(left) else None


def _vanishing(subject: Expression | None) -> list[Expression]:
    """Return what may be 0 where the other branch holds: |u| tells of u, too."""
    if subject is None:
        return []
    inner = subject.arguments if isinstance(subject, Apply) and subject.function == "abs" else ()
    return [subject, *inner]


def _defined(tree: Expression, subject: Expression, guard: Expression) -> Expression:
    """Read the guard, which is 1 elsewhere, for a subject in a logarithm, root or divisor."""
    if not isinstance(tree, Apply):
        return tree
    *before, last = (_defined(argument, subject, guard) for argument in tree.arguments)
    if tree.function in _PARTIAL | {"divide"}:
        last = _guarded_factors(last, subject, guard)
    return apply(tree.function, *before, last)


def _guarded_factors(tree: Expression, subject: Expression, guard: Expression) -> Expression:
    if tree == subject:
        return guard
    if isinstance(tree, Apply) and tree.function == "multiply":
        return apply("multiply", *(_guarded_factors(a, subject, guard) for a in tree.arguments))
    if isinstance(tree, Apply) and tree.function == "power":
        return apply(
            "power", _guarded_factors(tree.arguments[0], subject, guard), tree.arguments[1]
        )
    return tree


def _kept(tree: Expression, told: Collection[int], guard: Guard) -> Expression:
    """Guard what a logarithm, root, power or divisor reads, where the condition tells of it.

    What is positive by its form needs no guard, nor what is so once the parts of it have theirs.
    """
    if not isinstance(tree, Apply) or tree.function == "where":
        return tree
    arguments = [_kept(argument, told, guard) for argument in tree.arguments]
    place = _partial(tree)
    part = tree.arguments[place or 0]
    if (
        place is not None
        and set(slots(part)) & set(told)
        and not _is_harmless(tree.function, _elsewhere(_kept(part, told, lambda _: ONE)))
    ):
        arguments[place] = guard(arguments[place])
    return apply(tree.function, *arguments)


def _elsewhere(tree: Expression) -> Expression:
    """Return the tree with 1 for each guard in it, as where the other branch holds."""
    if not isinstance(tree, Apply):
        return tree
    if tree.function == "where" and ONE in tree.arguments[1:]:
        return ONE
    return apply(tree.function, *map(_elsewhere, tree.arguments))


def _is_harmless(function: str, part: Expression) -> bool:
    """Whether the function is defined for what it reads, by its form."""
    return is_nonzero(part) and (function == "divide" or sign(part, frozenset()) > 0)


def _partial(tree: Apply) -> int | None:
    """Return the argument for which a function is not always defined."""
    if tree.function in _PARTIAL:
        return 0
    if tree.function == "divide":
        return 1
    if tree.function == "power":
        exponent = tree.arguments[1]
        if isinstance(exponent, Number) and exponent.value.denominator == 1:
            return None if exponent.value >= 0 else 0
        return 0
    return None


def _bounds(condition: Expression) -> list[tuple[Expression, Expression, bool]]:
    """Return (subject, bound, whether it is an upper bound) of an inequality."""
    if not isinstance(condition, Apply) or condition.function not in _UPPER | _LOWER:
        return []
    subject, (left, right) = _subject(condition), condition.arguments
    if subject is None:
        return []
    below = (condition.function in _UPPER) == (subject is left)
    bound = right if subject is left else left
    if is_negative(subject):
        subject, bound, below = scaled(subject, -ONE.value), scaled(bound, -ONE.value), not below
    return [(subject, bound, below)]


def _clamped(
    tree: Expression,
    subject: Expression,
    bound: Expression,
    below: bool,
    nonpositive: frozenset[Expression],
) -> Expression:
    """Replace the subject by its minimum (or maximum) with the bound inside exponentials."""
    if not isinstance(tree, Apply):
        return tree
    if tree.function in _EXPONENTIALS:
        argument = tree.arguments[0]
        if sign(argument, nonpositive) < 0 or not _may_overflow(argument, subject, below):
            return tree
        clamp = apply("minimum" if below else "maximum", subject, bound)
        return apply(tree.function, _replaced(argument, subject, clamp))
    inner = (_clamped(a, subject, bound, below, nonpositive) for a in tree.arguments)
    return apply(tree.function, *inner)


def _may_overflow(argument: Expression, subject: Expression, below: bool) -> bool:
    """Whether the argument may grow where the subject passes its bound."""
    slope = _slope(argument, subject)
    return slope is None or (slope > 0) == below


def _slope(argument: Expression, subject: Expression) -> Fraction | None:
    if argument == subject:
        return Fraction(1)
    if isinstance(argument, Apply) and argument.function == "negative":
        inner = _slope(argument.arguments[0], subject)
        return None if inner is None else -inner
    if (
        isinstance(argument, Apply)
        and argument.function == "multiply"
        and len(argument.arguments) == 2
    ):
        lead, rest = argument.arguments
        inner = _slope(rest, subject)
        if isinstance(lead, Number) and inner is not None:
            return lead.value * inner
    return None


def _replaced(tree: Expression, old: Expression, new: Expression) -> Expression:
    if tree == old:
        return new
    if not isinstance(tree, Apply):
        return tree
    return apply(tree.function, *(_replaced(a, old, new) for a in tree.arguments))
