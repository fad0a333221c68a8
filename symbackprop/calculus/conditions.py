"""Conditions on an index alone: they hold everywhere, nowhere, or at one place.

``h[t-1]`` where t > 0 else ``s``: the adjoint of h asks whether t + 1 > 0, which always holds,
and that of s whether not t > 0, which is so at the first step alone.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from symbackprop.calculus.indices import compress
from symbackprop.equations import Affine, Factor, Index, Operand, Term
from symbackprop.scalar import ONE, ZERO, Apply, Expression, Number, Slot, apply, slots

_HOLDS: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
}


def settle(term: Term) -> tuple[Term, dict[Index, Affine]]:
    """Return the term with conditions that always or never hold folded away.

    Returns:
        The term, and the indices that have only one place left, with that place.
    """
    kept: list[Factor] = []
    places: dict[Index, Affine] = {}
    for factor in term.factors:
        function = _settled(factor.function, factor.operands)
        place = _only_place(function, factor.operands)
        if place is not None and place[0] not in term.target.indices:
            function, index, at = place[2], place[0], place[1]
            places[index] = Affine((), at)
        if function != ONE:
            kept.append(Factor(*compress(function, factor.operands)))
    if any(index in _numbers(factor) for factor in kept for index in places):
        return term, {}
    return replace(term, factors=tuple(kept)), places


def _numbers(factor: Factor) -> set[Operand]:
    """Return the indices that a factor reads as numbers."""
    return {operand for operand in factor.operands if isinstance(operand, Index)}


def _settled(function: Expression, operands: tuple[Operand, ...]) -> Expression:
    """Fold every condition that holds for all values of its index, or for none."""
    if not isinstance(function, Apply):
        return function
    truths = _truths(function, operands)
    if truths is not None and len(set(truths[1])) == 1:
        return ONE if truths[1][0] else ZERO
    arguments = [_settled(argument, operands) for argument in function.arguments]
    if function.function == "where" and isinstance(arguments[0], Number):
        return arguments[2] if arguments[0] == ZERO else arguments[1]
    return apply(function.function, *arguments)


def _only_place(
    function: Expression, operands: tuple[Operand, ...]
) -> tuple[Index, int, Expression] | None:
    """Return (index, place, value) of a factor that is 0 everywhere but at one place."""
    if not isinstance(function, Apply):
        return None
    chosen = function.function == "where"
    test, yes, no = function.arguments if chosen else (function, ONE, ZERO)
    if ZERO not in (yes, no) or not isinstance(test, Apply):
        return None
    truths = _truths(test, operands)
    if truths is None:
        return None
    wanted = no == ZERO
    found = [place for place, truth in enumerate(truths[1]) if truth == wanted]
    return (truths[0], found[0], yes if wanted else no) if len(found) == 1 else None


def _truths(test: Apply, operands: tuple[Operand, ...]) -> tuple[Index, list[bool]] | None:
    """Return the index that a comparison with a number is about, and where it holds."""
    holds, read = _HOLDS.get(test.function), slots(test)
    if holds is None or len(read) != 1:
        return None
    index = operands[read[0]]
    if not isinstance(index, Index) or not isinstance(index.extent, int):
        return None
    found = []
    for place in range(index.extent):
        sides = [_value(side, place) for side in test.arguments]
        if None in sides:
            return None
        found.append(holds(*(side for side in sides if side is not None)))
    return index, found


def _value(side: Expression, place: int) -> Fraction | None:
    """Return what a side of a comparison is where its index is at the place."""
    if isinstance(side, Slot):
        return Fraction(place)
    if isinstance(side, Number):
        return side.value
    if not isinstance(side, Apply):
        return None
    parts = [_value(argument, place) for argument in side.arguments]
    known = [part for part in parts if part is not None]
    made = apply(side.function, *map(Number, known)) if len(known) == len(parts) else side
    return made.value if isinstance(made, Number) else None
