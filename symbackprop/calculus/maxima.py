"""What is known of a number less the largest of its row: it is never positive, and once 0.

Less the largest of its row and of 0, it is never positive either.
"""

from __future__ import annotations

from collections.abc import Mapping

from symbackprop.calculus.indices import substitute_index
from symbackprop.equations import Access, Equation, Index, IndexExpression, Operand, Variable
from symbackprop.scalar import ZERO, Expression, Slot, apply

Places = tuple[IndexExpression, ...]

ITSELF = Slot(0)
FLOORED = apply("maximum", ZERO, ITSELF)  # a number, or 0 where that is larger


def place_in_row(
    pattern: Access, index: Index, places: Mapping[Index, IndexExpression], access: Access
) -> IndexExpression | None:
    """Return where ``access`` reads along ``index`` of ``pattern``, all else being as in places."""
    if access.variable != pattern.variable:
        return None
    found: IndexExpression | None = None
    for expected, actual in zip(pattern.indices, access.indices, strict=True):
        if expected == index:
            found = actual
        elif substitute_index(expected, places) != actual:
            return None
    return found


def is_of_row(
    value: Access, largest: Access, definition: Equation | None, function: Expression = ITSELF
) -> bool:
    """Whether ``definition`` makes ``largest`` the largest of a row that ``value`` reads from.

    Args:
        value: a read of a number.
        largest: a read of what may be the largest of its row.
        definition: of the latter.
        function: what is taken of each number of the row.
    """
    if definition is None or definition.reduction != "largest" or definition.excluding:
        return False
    if definition.function != function or len(definition.reduced) != 1:
        return False
    (pattern,) = definition.operands
    places = dict(zip(definition.free, largest.indices, strict=True))
    return isinstance(pattern, Access) and (
        place_in_row(pattern, definition.reduced[0], places, value) is not None
    )


def nonpositive_differences(
    operands: tuple[Operand, ...], definitions: Mapping[Variable, Equation]
) -> frozenset[Expression]:
    """Return the differences of two slots that are never positive, as they are written."""
    found = set()
    for k, value in enumerate(operands):
        for other, largest in enumerate(operands):
            if not isinstance(value, Access) or not isinstance(largest, Access):
                continue
            definition = definitions.get(largest.variable)
            if any(is_of_row(value, largest, definition, f) for f in (ITSELF, FLOORED)):
                found.add(apply("add", Slot(k), apply("negative", Slot(other))))
    return frozenset(found)
