"""Comparisons that single out the first step of a recurrence."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction

from symbackprop.lowering.values import Value
from symbackprop.scalar import Expression, Number
from symbackprop.sizes import Whole
from symbackprop.sizing import is_size, size_of

_COMPARED: Mapping[str, Callable[[object, object], bool]] = {
    "greater": operator.gt,  # type: ignore[dict-item]
    "greater_equal": operator.ge,  # type: ignore[dict-item]
    "less": operator.lt,  # type: ignore[dict-item]
    "less_equal": operator.le,  # type: ignore[dict-item]
    "equal": operator.eq,
    "not_equal": operator.ne,
}


def after_first(test: Value, extent: Whole, backwards: bool) -> bool | None:
    """Return the truth that a comparison of the step's number has at all steps but the first.

    None where that is not so, or where it does not compare with a constant.
    """
    compare = _COMPARED.get(test.operation)
    if compare is None or [o.operation for o in test.operands] != ["range", "literal"]:
        return None
    limit = test.operands[1].attribute
    assert isinstance(limit, Expression)
    first, sign = (extent - 1, -1) if backwards else (0, 1)
    beyond = _distance(limit, first)
    if beyond is None:
        return None
    changing = abs(int(beyond)) + 3  # steps after these are alike
    steps = extent if isinstance(extent, int) else changing
    begins, *others = [compare(sign * step, beyond) for step in range(steps)]
    truth = not begins
    return truth if all(other == truth for other in others) else None


def _distance(limit: Expression, first: Whole) -> int | Fraction | None:
    """Return how far from the first step a constant lies; None where that is no number."""
    if isinstance(limit, Number) and isinstance(first, int):
        return limit.value - first
    distance = size_of(limit, {}) - first if is_size(limit) else None
    return distance if isinstance(distance, int) else None
