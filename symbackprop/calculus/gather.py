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
    Extent,
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
    known: dict[IndexExpression, Index] = {}
    for axis, place in zip(term.target.variable.axes, term.target.indices, strict=True):
        whole = isinstance(place, Index) and place.extent == axis.extent
        if isinstance(place, Index) and whole and place not in places:
            places.append(place)
            continue
        own = fresh(axis, taken)
        taken.add(own.name)
        places.append(own)
        known[place] = own
    for place, own in known.items():
        found = _solved(term, place, own, values) or _of_digits(term, place, known)
        if found is None or own.extent == 1:
            return None
        values |= found
    return _substituted(term, places, values, known) if values else None


def _solved(
    term: Term, place: IndexExpression, own: Index, before: Values
) -> dict[Index, IndexExpression] | None:
    """Return what the indices of one place are at ``own``."""
    place = Affine(((1, place),)) if isinstance(place, Index) else place
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


def _of_digits(
    term: Term, place: IndexExpression, known: Mapping[IndexExpression, Index]
) -> dict[Index, IndexExpression] | None:
    """Return what an index is whose quotient and remainder are two places."""
    if not isinstance(place, Quotient | Remainder) or not isinstance(place.dividend, Index):
        return None
    index, size = place.dividend, place.divisor
    high, low = known.get(Quotient(index, size)), known.get(Remainder(index, size))
    held = any(index == i for _, i in _preferred(term, Affine(((1, index),)), 2))
    if high is None or low is None or low.extent != size or not held:
        return None
    return {index: affine([(size, high), (1, low)], 0)}


def _preferred(term: Term, place: Affine, count: int = 1) -> Iterator[tuple[object, Index]]:
    """Yield step and index of what may be solved for, those that an adjoint is read at first.

    ``count`` is how many places of the target are solved together.
    """
    reads = [read for read in map(_read, term.factors) if read is not None]
    for read in sorted(reads, key=lambda read: not read.variable.adjoint):
        for axis, held in zip(read.variable.axes, read.indices, strict=True):
            for step, index in place.terms:
                if held == index and axis.extent == index.extent and _free(term, index, count):
                    yield step, index


def _read(factor: Factor) -> Access | None:
    """Return the access that a factor is and nothing else."""
    alone = factor.function == Slot(0) and len(factor.operands) == 1
    (operand,) = factor.operands if alone else (None,)
    return operand if isinstance(operand, Access) else None


def _free(term: Term, index: Index, count: int) -> bool:
    """Whether the index stands in so many places of the target, and nowhere as a number."""
    places = [place for place in term.target.indices if index in indices_of(place)]
    numbers = (operand for factor in term.factors for operand in factor.operands)
    return len(places) == count and index not in numbers


def _substituted(
    term: Term, places: list[Index], values: Values, known: Mapping[IndexExpression, Index]
) -> Gathered | None:
    factors: list[Factor] = []
    outside: dict[Access, None] = {}
    for factor in term.factors:
        moved = _moved(factor, values, known)
        if moved is None:
            return None
        factors.append(moved)
        reads = zip(factor.operands, moved.operands, strict=True)
        new_reads = (new for old, new in reads if isinstance(new, Access) and new != old)
        outside |= {access: None for access in new_reads if _may_leave(access)}
    target = Access(term.target.variable, tuple(places))
    kept = tuple(index for index in term.space if index not in values)
    space = (*kept, *(place for place in places if place not in kept))
    changed = replace(term, target=target, space=space, factors=tuple(factors))
    return Gathered(changed, tuple(outside))


def _moved(factor: Factor, values: Values, known: Mapping[IndexExpression, Index]) -> Factor | None:
    """Return the factor at the values; None where it has a fill, or a number, of its own.

    A read at one of the target's places is one at its own index.
    """
    operands: list[Operand] = []
    numbers: dict[int, Expression] = {}
    for position, operand in enumerate(factor.operands):
        if isinstance(operand, Access):
            there = tuple(known.get(index, index) for index in operand.indices)
            try:
                moved = substitute_access(replace(operand, indices=there), values)
            except ValueError:  # a quotient within a sum of indices
                return None
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


def _may_leave(access: Access) -> bool:
    """Whether a read may be outside; it may where extents are not known as numbers."""
    pairs = zip(access.indices, access.variable.axes, strict=True)
    return any(_leaves(place, axis.extent) for place, axis in pairs)


def _leaves(place: IndexExpression, extent: Extent) -> bool:
    if isinstance(place, Index) and place.extent == extent:
        return False
    if isinstance(place, Access) or not isinstance(extent, int):
        return not isinstance(place, Access)
    found = _range(place)
    return found is None or found[0] < 0 or found[1] >= extent


def _range(place: IndexExpression) -> tuple[int, int] | None:
    """Return the least and the largest value; None where these are not known."""
    if isinstance(place, Index):
        return (0, place.extent - 1) if isinstance(place.extent, int) else None
    if isinstance(place, Affine):
        return _affine_range(place)
    if isinstance(place, Access) or not isinstance(place.divisor, int):
        return None
    inner = _range(place.dividend)
    if isinstance(place, Remainder):
        return 0, place.divisor - 1
    return inner and (inner[0] // place.divisor, inner[1] // place.divisor)


def _affine_range(place: Affine) -> tuple[int, int] | None:
    if not isinstance(place.offset, int):
        return None
    least = largest = place.offset
    for step, index in place.terms:
        if not isinstance(step, int) or not isinstance(index.extent, int):
            return None
        ends = sorted((0, step * (index.extent - 1)))
        least, largest = least + ends[0], largest + ends[1]
    return least, largest


def _number(value: IndexExpression, position: int) -> tuple[Expression, Index] | None:
    """Return the remainder of one index as a number, over the slot that holds the index."""
    if not isinstance(value, Remainder):
        return None
    (own,) = indices_of(value.dividend)
    offset = value.dividend.offset if isinstance(value.dividend, Affine) else 0
    shifted = apply("add", Slot(position), extent_expression(offset))
    return apply("remainder", shifted, extent_expression(value.divisor)), own
