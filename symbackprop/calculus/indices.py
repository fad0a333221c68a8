"""Index expressions: substitution, all at once, and fresh names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from symbackprop.equations import (
    Access,
    Affine,
    Equation,
    Extent,
    Index,
    IndexExpression,
    Operand,
    Quotient,
    Remainder,
    extent_expression,
)
from symbackprop.scalar import Expression, Number, Slot, apply, rebuild, slots

Substitution = Mapping[Index, IndexExpression]


def add_extents(left: Extent, right: Extent) -> Extent:
    """Return the sum, a plain number where both are."""
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    return _plain(apply("add", extent_expression(left), extent_expression(right)))


def multiply_extents(left: Extent, right: Extent) -> Extent:
    """Return the product, a plain number where both are."""
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    return _plain(apply("multiply", extent_expression(left), extent_expression(right)))


def _plain(expression: Expression) -> Extent:
    if isinstance(expression, Number) and expression.value.denominator == 1:
        return int(expression.value)
    return expression


def affine(terms: Iterable[tuple[Extent, Index]], offset: Extent) -> IndexExpression:
    """Return the index expression, with equal indices collected; bare where it is one index."""
    collected: dict[Index, Extent] = {}
    for coefficient, index in terms:
        before = collected.get(index)
        collected[index] = coefficient if before is None else add_extents(before, coefficient)
    kept = tuple((c, index) for index, c in collected.items() if c != 0)
    if offset == 0 and len(kept) == 1 and kept[0][0] == 1:
        return kept[0][1]
    return Affine(kept, offset)


def substitute_index(expression: IndexExpression, values: Substitution) -> IndexExpression:
    """Return the index expression with indices replaced, all at once."""
    if isinstance(expression, Index):
        return values.get(expression, expression)
    if isinstance(expression, Affine):
        return _substitute_affine(expression, values)
    if isinstance(expression, Quotient | Remainder):
        return replace(expression, dividend=substitute_index(expression.dividend, values))
    return substitute_access(expression, values)


def _substitute_affine(expression: Affine, values: Substitution) -> IndexExpression:
    terms: list[tuple[Extent, Index]] = []
    offset = expression.offset
    for coefficient, index in expression.terms:
        value = values.get(index, index)
        if isinstance(value, Index):
            terms.append((coefficient, value))
        elif isinstance(value, Affine):
            terms.extend((multiply_extents(coefficient, c), inner) for c, inner in value.terms)
            offset = add_extents(offset, multiply_extents(coefficient, value.offset))
        else:
            raise ValueError(f"{value} cannot stand inside a sum of indices")
    return affine(terms, offset)


def substitute_access(access: Access, values: Substitution) -> Access:
    """Return the access with indices replaced, look-ups included."""
    indices = tuple(substitute_index(index, values) for index in access.indices)
    return replace(access, indices=indices)


def substitute_operands(
    function: Expression, operands: tuple[Operand, ...], values: Substitution
) -> tuple[Expression, tuple[Operand, ...]]:
    """Return function and operands with indices replaced.

    An index that serves as a number becomes that number: ``t`` shifted is ``t + 1``.
    """
    changed: list[Operand] = []
    numbers: dict[int, Expression] = {}
    for position, operand in enumerate(operands):
        if isinstance(operand, Access):
            changed.append(substitute_access(operand, values))
            continue
        value = values.get(operand, operand)
        if isinstance(value, Affine):
            base, shift = _single(value)
            numbers[position] = apply("add", Slot(position), extent_expression(shift))
            changed.append(base)
        elif isinstance(value, Index):
            changed.append(value)
        else:
            raise ValueError(f"{value} cannot serve as a number")

    def leaf(node: Expression) -> Expression:
        return numbers.get(node.position, node) if isinstance(node, Slot) else node

    return (rebuild(function, leaf) if numbers else function), tuple(changed)


def _single(value: Affine) -> tuple[Index, Extent]:
    if len(value.terms) != 1 or value.terms[0][0] != 1:
        raise ValueError(f"{value} cannot serve as a number")
    return value.terms[0][1], value.offset


def compress(
    function: Expression, operands: tuple[Operand, ...]
) -> tuple[Expression, tuple[Operand, ...]]:
    """Return the function over only the operands that it reads, each once."""
    kept: dict[Operand, int] = {}
    places: dict[int, Expression] = {}
    for position in slots(function):
        places[position] = Slot(kept.setdefault(operands[position], len(kept)))
    if all(places[position] == Slot(position) for position in places) and len(kept) == len(
        operands
    ):
        return function, operands
    renamed = rebuild(
        function, lambda node: places[node.position] if isinstance(node, Slot) else node
    )
    return renamed, tuple(kept)


def fresh(index: Index, taken: Collection[str]) -> Index:
    """Return the index under a name that is not taken."""
    if index.name not in taken:
        return index
    number = 1
    while f"{index.name}_{number}" in taken:
        number += 1
    return replace(index, name=f"{index.name}_{number}")


def rename_scope(equation: Equation, taken: Collection[str]) -> Equation:
    """Return the equation with all its indices renamed away from the names taken."""
    values: dict[Index, Index] = {}
    names = set(taken)
    for index in (*equation.free, *equation.reduced):
        values[index] = fresh(index, names)
        names.add(values[index].name)
    function, operands = substitute_operands(equation.function, equation.operands, values)
    return replace(
        equation,
        target=substitute_access(equation.target, values),
        function=function,
        operands=operands,
        reduced=tuple(values[index] for index in equation.reduced),
        excluding=tuple(
            (values[index], substitute_index(place, values)) for index, place in equation.excluding
        ),
    )


def flat_position(indices: tuple[Index, ...]) -> Expression:
    """Return the row-major position of the indices, over slots 0, 1, ... that hold them."""
    position: Expression = Slot(0)
    for place, index in enumerate(indices[1:], start=1):
        scaled = apply("multiply", position, extent_expression(index.extent))
        position = apply("add", scaled, Slot(place))
    return position
