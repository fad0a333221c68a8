"""A consumer that reads a variable more than once: the whole partial is the sum over its reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.calculus.closed import merged, shifted
from symbackprop.calculus.derive import collect_constants, substitute_term
from symbackprop.calculus.indices import compress, fresh
from symbackprop.calculus.partials import from_sympy, to_sympy
from symbackprop.calculus.totals import Share, Total
from symbackprop.equations import (
    Access,
    Affine,
    Factor,
    Index,
    IndexExpression,
    Term,
    Variable,
    indices_of,
)
from symbackprop.scalar import Slot

DELTA = Variable("delta")


def with_function(term: Term, factor: Factor) -> Term:
    """Return the term with this factor in place of its coefficient and factors."""
    coefficient, factors = collect_constants((factor,))
    return replace(term, coefficient=coefficient, factors=factors)


def added_terms(left: Term, right: Term) -> Term:
    """Return the sum of two terms of the same place and space as one function."""
    a, b = merged(left), merged(right)
    moved = shifted(b.function, len(a.operands))
    value = to_sympy(a.function) + to_sympy(moved)
    factor = Factor(*compress(from_sympy(value), (*a.operands, *b.operands)))
    return with_function(left, factor)


def joined(total: Total) -> Total:
    """Return the total with one share for all reads of one place by one consumer."""
    kept: dict[object, Share] = {}
    for position, share in enumerate(total.shares):
        term = share.partial
        inner = set(term.space) - set(share.equation.free)
        further = position if inner or term.excluding else None
        key = (share.equation, share.access, term.space, further)
        before = kept.get(key)
        partial = added_terms(before.partial, term) if before else term
        kept[key] = replace(share, partial=partial)
    return replace(total, shares=tuple(kept.values()))


def whole(shares: Sequence[Share]) -> tuple[Share, ...]:
    """Return what a consumer's reads add at any one place: all shares in the same indices.

    A read of some places only has a Kronecker delta among its factors: ``DELTA`` at two places.
    """
    free = shares[0].equation.free
    taken = {index.name for share in shares for index in (*free, *share.partial.space)}
    places: list[Index] = []
    for axis, *reads in zip(shares[0].access.variable.axes, *_reads(shares), strict=True):
        (read, *others) = dict.fromkeys(reads)
        bare = isinstance(read, Index) and read.extent == axis.extent
        shared = bare and read in free and read not in places
        place = read if isinstance(read, Index) and shared and not others else fresh(axis, taken)
        places.append(place)
        taken.add(place.name)
    found = [_anywhere(share, places) for share in shares]
    return tuple(sorted(found, key=lambda share: -_deltas(share)))


def _reads(shares: Sequence[Share]) -> list[tuple[IndexExpression, ...]]:
    return [share.access.indices for share in shares]


def _deltas(share: Share) -> int:
    return sum(DELTA in (a.variable for a in _accesses(f)) for f in share.partial.factors)


def _accesses(factor: Factor) -> list[Access]:
    return [operand for operand in factor.operands if isinstance(operand, Access)]


def _anywhere(share: Share, places: Sequence[Index]) -> Share:
    free = share.equation.free
    values: dict[Index, IndexExpression] = {}
    pairs: list[tuple[IndexExpression, IndexExpression]] = []
    for place, read in zip(places, share.access.indices, strict=True):
        inner = isinstance(read, Index) and read not in free and read not in values
        if isinstance(read, Index) and inner and read.extent == place.extent:
            values[read] = place
        elif place.extent != 1 and place != read:
            pairs.append((read, place) if isinstance(read, Index) else (place, read))
    deltas = tuple(Factor(Slot(0), (Access(DELTA, pair),)) for pair in pairs)
    term = substitute_term(share.partial, values)
    space = dict.fromkeys((*free, *places, *term.space))
    target = replace(term.target, indices=tuple(places))
    held = replace(term, target=target, space=tuple(space), factors=(*deltas, *term.factors))
    return replace(share, access=replace(share.access, indices=tuple(places)), partial=held)


def is_one_read(share: Share) -> bool:
    """Whether no two summands of the consumer read one place."""
    free = share.equation.free
    held = {index for place in share.access.indices for index in indices_of(place)} - {*free}
    told: set[Index] = set()
    for place in share.access.indices:
        own = {index for index in indices_of(place) if index not in free}
        if isinstance(place, Index | Affine) and len(own) == 1:
            told |= own
    return held <= told
