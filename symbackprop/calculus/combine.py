"""Terms that cancel in part are combined before they are computed.

Where v_bar holds both c and -c e/s, with s = e + o, the two are c o/s; with a distribution W
in place of the one target they are (W o - (Y - W) e)/s, Y the total of W.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from symbackprop.calculus.derive import substitute_term
from symbackprop.calculus.exclude import DIFFERENCE, LogTotal
from symbackprop.calculus.indices import compress, substitute_access
from symbackprop.calculus.partials import to_sympy
from symbackprop.equations import (
    Access,
    Adjoint,
    Derivation,
    Equation,
    Factor,
    Index,
    Operand,
    Step,
    Term,
    Variable,
    indices_of,
)
from symbackprop.scalar import ONE, Expression, Slot, apply, rebuild

_REASON = "a total less one of its summands is the total over the others"


def combine(derivation: Derivation, entry: LogTotal) -> Derivation:
    """Combine what reaches the adjoint of z by its logarithm of a total and besides it.

    Where the terms are not those of a cross-entropy they stay, and only the logarithm is
    written by all summands but one.
    """
    adjoints = {adjoint.variable: adjoint for adjoint in derivation.adjoints}
    if entry.target is not None:
        return _at_target(derivation, adjoints, entry, entry.target)
    result = _over_distribution(derivation, adjoints, entry)
    assert entry.position is not None
    return _by_largest(result or derivation, entry, entry.position)


def _at_target(
    derivation: Derivation,
    adjoints: Mapping[Variable, Adjoint],
    entry: LogTotal,
    target: Equation,
) -> Derivation:
    z = adjoints.get(entry.value.variable)
    through = _single(adjoints.get(entry.logarithm.target.variable))
    if z is None or through is None:
        return derivation
    by_total = [t for t in z.terms if _reads(t, target.target.variable.bar())]
    direct = [t for t in z.terms if t not in by_total and _opposite(t, through)]
    if (
        len(direct) != 1
        or len(by_total) != 1
        or direct[0].target.indices != by_total[0].target.indices
    ):
        return derivation
    others = _axes_of(direct[0], through, (entry.others.target, target.target), entry)
    share = apply("divide", Slot(0), apply("add", Slot(0), Slot(1), ONE))
    combined = replace(direct[0], factors=(*direct[0].factors, Factor(share, others)))
    kept = tuple(t for t in z.terms if t not in (*direct, *by_total))
    alone = all(_excludes(term, combined) for term in kept)
    after = replace(z, terms=(*kept, replace(combined, assigned=alone)))
    gone = {target.target.variable}
    return _exchanged(derivation, after, gone, (*direct, *by_total))


def _over_distribution(
    derivation: Derivation, adjoints: Mapping[Variable, Adjoint], entry: LogTotal
) -> Derivation | None:
    z = adjoints.get(entry.value.variable)
    logarithm, total = entry.logarithm.target.variable, entry.total.target.variable
    through = _single(adjoints.get(logarithm))
    if z is None or through is None or _single(adjoints.get(total)) is None:
        return None
    by_total = [t for t in z.terms if _reads(t, total.bar())]
    direct = [t for t in z.terms if t not in by_total and _opposite(t, through)]
    if len(direct) != 1 or len(by_total) != 1 or direct[0].target != by_total[0].target:
        return None
    term = direct[0]
    given = tuple(f for f in term.factors if _is_given(f))
    weights = [f for f in term.factors if f not in given]
    place = term.target.indices[entry.value.indices.index(entry.index)]
    rows = _rows(term, entry)
    if not isinstance(place, Index) or rows is None or not _is_row_only(given, rows, place):
        return None
    mass = _mass(weights, entry, rows, place)
    share = _share(weights, entry, mass, rows, place)
    combined = replace(term, factors=(*given, share))
    kept = tuple(t for t in z.terms if t not in (*direct, *by_total))
    after = replace(z, terms=(*kept, combined))
    result = _exchanged(derivation, after, {logarithm, total}, (*direct, *by_total))
    return replace(result, equations=_inserted(result.equations, mass))


def _rows(term: Term, entry: LogTotal) -> dict[Index, Index] | None:
    """Return the term's indices for those of the total, the one it runs over included."""
    rows: dict[Index, Index] = {}
    for expected, actual in zip(entry.value.indices, term.target.indices, strict=True):
        if not isinstance(expected, Index) or not isinstance(actual, Index):
            return None
        rows[expected] = actual
    return rows if rows.keys() >= {*entry.total.free} else None


def _is_row_only(given: tuple[Factor, ...], rows: Mapping[Index, Index], place: Index) -> bool:
    allowed = {index for index in rows.values() if index != place}
    read = {index for f in given for operand in f.operands for index in indices_of(operand)}
    return read <= allowed


def _mass(
    weights: list[Factor], entry: LogTotal, rows: Mapping[Index, Index], place: Index
) -> Equation:
    """Return the total of the weights over a row."""
    variable = entry.total.target.variable.beside("mass")
    function, operands = _multiplied(weights)
    target = substitute_access(replace(entry.total.target, variable=variable), rows)
    return Equation(target, function, operands, "total", (place,))


def _multiplied(factors: list[Factor]) -> tuple[Expression, tuple[Operand, ...]]:
    operands: list[Operand] = []
    functions: list[Expression] = []
    for factor in factors:
        functions.append(_moved(factor.function, len(operands)))
        operands.extend(factor.operands)
    return compress(apply("multiply", *functions), tuple(operands))


def _moved(function: Expression, by: int) -> Expression:
    return rebuild(
        function, lambda node: Slot(node.position + by) if isinstance(node, Slot) else node
    )


def _share(
    weights: list[Factor],
    entry: LogTotal,
    mass: Equation,
    rows: Mapping[Index, Index],
    place: Index,
) -> Factor:
    """Return (W o - (Y - W) e)/s, where o is s - e but at the largest, where it is kept apart."""
    assert entry.position is not None
    weight, operands = _multiplied(weights)
    first = len(operands)
    read = [entry.value, entry.largest, entry.position.target, entry.others.target]
    row = [substitute_access(access, rows) for access in (*read, entry.total.target)]
    position, others, total, y, index = (Slot(first + k) for k in range(2, 7))
    summand = apply("exp", _moved(DIFFERENCE, first))
    rest = apply("add", total, apply("negative", summand))
    apart = apply("where", apply("equal", index, position), others, rest)
    remaining = apply("add", y, apply("negative", weight))
    numerator = apply(
        "add",
        apply("multiply", weight, apart),
        apply("negative", apply("multiply", remaining, summand)),
    )
    function = apply("divide", numerator, total)
    return Factor(*compress(function, (*operands, *row, mass.target, place)))


def _by_largest(derivation: Derivation, entry: LogTotal, position: Equation) -> Derivation:
    """Compute the total as 1 and all summands but the first largest, which is 1."""
    others = entry.others.target
    total = replace(
        entry.total,
        function=apply("add", ONE, Slot(0)),
        operands=(others,),
        reduction=None,
        reduced=(),
    )
    logarithm = replace(entry.logarithm, function=apply("log1p", Slot(0)), operands=(others,))
    equations: list[Equation] = []
    for equation in derivation.equations:
        if equation == entry.total:
            equations += [position, entry.others, total]
        else:
            equations.append(logarithm if equation == entry.logarithm else equation)
    before, after = (entry.total, entry.logarithm), (position, entry.others, total, logarithm)
    step = Step("exclude", before, after, "the largest summand is exp(0) = 1")
    return replace(derivation, equations=tuple(equations), steps=(*derivation.steps, step))


def _inserted(equations: tuple[Equation, ...], new: Equation) -> tuple[Equation, ...]:
    """Put an equation after the last that defines what it reads."""
    read = {operand.variable for operand in new.operands if isinstance(operand, Access)}
    places = [k for k, equation in enumerate(equations) if equation.target.variable in read]
    cut = places[-1] + 1 if places else 0
    return (*equations[:cut], new, *equations[cut:])


def _exchanged(
    derivation: Derivation, adjoint: Adjoint, gone: set[Variable], before: tuple[Term, ...]
) -> Derivation:
    adjoints = tuple(
        adjoint if old.variable == adjoint.variable else old
        for old in derivation.adjoints
        if old.variable not in gone
    )
    step = Step("combine", before, (adjoint.terms[-1],), _REASON)
    return replace(derivation, adjoints=adjoints, steps=(*derivation.steps, step))


def _single(adjoint: Adjoint | None) -> Term | None:
    return adjoint.terms[0] if adjoint is not None and len(adjoint.terms) == 1 else None


def _reads(term: Term, variable: Variable) -> bool:
    operands = (operand for factor in term.factors for operand in factor.operands)
    return any(isinstance(operand, Access) and operand.variable == variable for operand in operands)


def _is_given(factor: Factor) -> bool:
    return any(isinstance(o, Access) and o.variable.adjoint for o in factor.operands)


def _excludes(term: Term, combined: Term) -> bool:
    """Whether the term leaves out the place that the combined one reaches."""
    places = {place: k for k, place in enumerate(term.target.indices)}
    return any(
        index in places and combined.target.indices[places[index]] == place
        for index, place in term.excluding
    )


def _opposite(term: Term, other: Term) -> bool:
    """Whether the two send the same with opposite signs, each to its own target."""
    if len(term.space) != len(other.space) or term.excluding or other.excluding:
        return False
    if to_sympy(apply("add", term.coefficient, other.coefficient)).expand() != 0:
        return False
    renamed = substitute_term(other, dict(zip(other.space, term.space, strict=True)))
    return renamed.factors == term.factors


def _axes_of(
    term: Term, through: Term, accesses: tuple[Access, ...], entry: LogTotal
) -> tuple[Access, ...]:
    """Return accesses over the total's indices as the term, of through's space, reads them."""
    spaces = dict(zip(through.space, term.space, strict=True))
    reached = substitute_access(through.target, spaces)
    places = dict(zip(entry.total.free, reached.indices, strict=True))
    return tuple(substitute_access(access, places) for access in accesses)
