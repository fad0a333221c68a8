"""Terms that add into some places, solved for what reaches one place.

``x_bar[2*i + u - 1] += z_bar[i] * w[u]`` reaches h where u = h - 2*i + 1, so that
``x_bar[h] += z_bar[i] * w[h - 2*i + 1]``, reads outside of w being 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from symbackprop.calculus.indices import (
    affine,
    fresh,
    multiply_extents,
    substitute_access,
)
from symbackprop.equations import (
    Access,
    Affine,
    Factor,
    Index,
    IndexExpression,
    Operand,
    Quotient,
    Remainder,
    Term,
    extent_expression,
    indices_of,
)
from symbackprop.scalar import Expression, Slot, apply, rebuild

Values = Mapping[Index, IndexExpression]


@dataclass(frozen=True)
class Gathered:
    """A term in the places of its variable.

    Attributes:
        term: its target is bare.
        outside: what is read outside its extents, where it counts as 0.
    """

    term: Term
    outside: tuple[Access, ...]


def gathered(term: Term) -> Gathered | None:
    """Return the term solved for its target's places; None where an index has no single value.

    An index is solved for if it steps by one there and a factor that is a read holds it bare,
    along an axis as long as it runs: where it has no value, that read is outside. What the cost
    is derived by comes first, as in a convolution's adjoint over places of its output.
    """
    if term.excluding or term.assigned:
        return None
    taken = {index.name for index in term.space}
    places: list[Index] = []
    values: dict[Index, IndexExpression] = {}
    for axis, place in zip(term.target.variable.axes, term.target.indices, strict=True):
        if isinstance(place, Index) and place.extent == axis.extent and place not in places:
            places.append(place)
            continue
        own = fresh(axis, taken)
        found = _solved(term, place, own, values) if axis.extent != 1 else None
        if found is None:
            return None
        values |= found
        places.append(own)
        taken.add(own.name)
    return _substituted(term, places, values) if values else None


def _solved(
    term: Term, place: IndexExpression, own: Index, before: Values
) -> dict[Index, IndexExpression] | None:
    """Return what the indices of one place are at ``own``."""
    if not isinstance(place, Affine) or any(index in before for index in indices_of(place)):
        return None
    for step, index in _preferred(term, place):
        rest = [(multiply_extents(-1, c), other) for c, other in place.terms if other != index]
        if step == 1:
            return {index: affine([(1, own), *rest], multiply_extents(-1, place.offset))}
        digits = [other for c, other in place.terms if c == 1 and other != index]
        if len(place.terms) == 2 and digits and digits[0].extent == step:
            moved = affine([(1, own)], multiply_extents(-1, place.offset))
            return {index: Quotient(moved, step), digits[0]: Remainder(moved, step)}
    return None


def _preferred(term: Term, place: Affine) -> Iterator[tuple[object, Index]]:
    """Yield step and index of what may be solved for, those that an adjoint is read at first."""
    reads = [read for read in map(_read, term.factors) if read is not None]
    for read in sorted(reads, key=lambda read: not read.variable.adjoint):
        for axis, held in zip(read.variable.axes, read.indices, strict=True):
            for step, index in place.terms:
                if held == index and axis.extent == index.extent and _free(term, place, index):
                    yield step, index


def _read(factor: Factor) -> Access | None:
    """Return the access that a factor is and nothing else."""
    alone = factor.function == Slot(0) and len(factor.operands) == 1
    (operand,) = factor.operands if alone else (None,)
    return operand if isinstance(operand, Access) else None


def _free(term: Term, place: Affine, index: Index) -> bool:
    """Whether the index stands in no other place of the target, and nowhere as a number."""
    others = (other for other in term.target.indices if other is not place)
    numbers = (operand for factor in term.factors for operand in factor.operands)
    return index not in numbers and all(index not in indices_of(other) for other in others)


def _substituted(term: Term, places: list[Index], values: Values) -> Gathered | None:
    factors: list[Factor] = []
    outside: dict[Access, None] = {}
    for factor in term.factors:
        moved = _moved(factor, values)
        if moved is None:
            return None
        factors.append(moved)
        reads = zip(factor.operands, moved.operands, strict=True)
        outside |= {new: None for old, new in reads if isinstance(new, Access) and new != old}
    target = Access(term.target.variable, tuple(places))
    kept = tuple(index for index in term.space if index not in values)
    space = (*kept, *(place for place in places if place not in kept))
    changed = replace(term, target=target, space=space, factors=tuple(factors))
    return Gathered(changed, tuple(outside))


def _moved(factor: Factor, values: Values) -> Factor | None:
    """Return the factor at the values; None where it has a fill, or a number, of its own."""
    operands: list[Operand] = []
    numbers: dict[int, Expression] = {}
    for position, operand in enumerate(factor.operands):
        if isinstance(operand, Access):
            moved = substitute_access(operand, values)
            if moved != operand and operand.fill not in (None, "zero"):
                return None
            operands.append(operand if moved == operand else replace(moved, fill="zero"))
        elif operand in values:
            found = _number(values[operand], position)
            if found is None:
                return None
            numbers[position], own = found
            operands.append(own)
        else:
            operands.append(operand)

    def leaf(node: Expression) -> Expression:
        return numbers.get(node.position, node) if isinstance(node, Slot) else node

    function = rebuild(factor.function, leaf) if numbers else factor.function
    return Factor(function, tuple(operands))


def _number(value: IndexExpression, position: int) -> tuple[Expression, Index] | None:
    """Return the remainder of one index as a number, over the slot that holds the index."""
    if not isinstance(value, Remainder):
        return None
    (own,) = indices_of(value.dividend)
    offset = value.dividend.offset if isinstance(value.dividend, Affine) else 0
    shifted = apply("add", Slot(position), extent_expression(offset))
    return apply("remainder", shifted, extent_expression(value.divisor)), own
