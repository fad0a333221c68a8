"""Unit shift: the adjoint of ``h[t-1]``, solved for the time it accumulates at."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.calculus.indices import (
    Substitution,
    affine,
    multiply_extents,
    substitute_index,
    substitute_operands,
)
from symbackprop.equations import Access, Affine, Factor, Index, IndexExpression, Operand, Term


def solve_unit_shift(term: Term) -> Term:
    """Return ``h_bar[u] += ... out_bar[u+1]`` for ``h_bar[t-1] += ... out_bar[t]``.

    Reads of the last step's successor lie outside and give 0.
    """
    for axis, place in zip(term.target.variable.axes, term.target.indices, strict=True):
        if not isinstance(place, Affine) or len(place.terms) != 1:
            continue
        coefficient, index = place.terms[0]
        if coefficient == 1 and index.extent == axis.extent:
            return _solved(term, index, affine([(1, index)], multiply_extents(-1, place.offset)))
    return term


def _solved(term: Term, index: Index, place: IndexExpression) -> Term:
    values = {index: place}
    target = tuple(substitute_index(own, values) for own in term.target.indices)
    bare = all(isinstance(own, Index) for own in target)
    fill = None if bare else term.target.fill
    excluding = tuple((i, substitute_index(own, values)) for i, own in term.excluding)
    return replace(
        term,
        target=Access(term.target.variable, target, fill),
        factors=tuple(shifted(factor, values) for factor in term.factors),
        excluding=excluding,
    )


def shifted(factor: Factor, values: Substitution) -> Factor:
    """Return a factor at other places, 0 being what is read outside of them."""
    function, operands = substitute_operands(factor.function, factor.operands, values)
    pairs = zip(operands, factor.operands, strict=True)
    return Factor(function, tuple(_with_fill(new, old) for new, old in pairs))


def _with_fill(new: Operand, old: Operand) -> Operand:
    if isinstance(new, Access) and new != old and new.fill is None:
        return replace(new, fill="zero")
    return new
