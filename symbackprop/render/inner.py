"""Equations that normalising made: they stand inside their reader, as their author wrote them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from symbackprop.equations import (
    Access,
    Adjoint,
    Equation,
    Index,
    Operand,
    Variable,
    accesses_of,
)


def inner_equations(
    equations: Iterable[Equation],
    adjoints: Iterable[Adjoint] = (),
    shown: Collection[Variable] = (),
) -> dict[Variable, Equation]:
    """Return the equations that normalising made and that can stand inside their one reader.

    Args:
        equations: all that read one another.
        adjoints: what else reads them.
        shown: variables that keep a line of their own.
    """
    equations = tuple(equations)
    operands = [operand for equation in equations for operand in equation.operands]
    operands += [
        o for adjoint in adjoints for t in adjoint.terms for f in t.factors for o in f.operands
    ]
    reads = [access for operand in operands for access in accesses_of(operand)]
    count = Counter(access.variable for access in reads)
    hidden = {access.variable for access in reads if is_bare(access)} - set(shown)
    made = {e.target.variable: e for e in equations if e.target.variable.made}
    return {v: e for v, e in made.items() if count[v] == 1 and v in hidden}


def is_bare(access: Operand) -> bool:
    """Whether a read has an index for each axis, and no other expression."""
    return isinstance(access, Access) and all(isinstance(i, Index) for i in access.indices)
