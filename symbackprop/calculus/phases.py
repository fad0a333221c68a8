"""Extremes of windows side by side, made cheap before they are differentiated.

    commute    largest of max(0, u + b) = max(0, b + largest of u), where b is the same all over
               the window: what grows with u is computed once for a window
    split      u[2*h + r] is computed as u[r, h]: all first places of windows, then all second
               ones, and none that no window has
    unroll     the largest of u[0, h] and u[1, h] is max(u[0, h], u[1, h])

Rounding changes nothing: what grows with u keeps its order when it is rounded. Where two numbers
are the same only after b is added, the larger one gets the gradient, not the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from symbackprop.calculus.graph import reads
from symbackprop.calculus.indices import (
    fresh,
    rename_scope,
    substitute_access,
    substitute_operands,
)
from symbackprop.equations import (
    Access,
    Affine,
    Equation,
    Index,
    IndexExpression,
    Role,
    Step,
    Variable,
    indices_of,
)
from symbackprop.scalar import Apply, Expression, Slot, apply, walk

_GROWING = frozenset({"add", "maximum", "minimum"})  # with each argument, rounded or not
_OF_TWO = {"largest": "maximum", "smallest": "minimum"}
_WIDEST = 3  # places along one axis of a window that are compared one by one
WINDOWS = "windows"  # the rule of a Step: from a sum to the extreme of its windows
_REASON = "what grows with a number keeps the largest; windows side by side are read by place"


def unroll_windows(
    equations: Sequence[Equation], kept: Collection[Variable]
) -> tuple[tuple[Equation, ...], tuple[Step, ...]]:
    """Rewrite extremes of windows of a sum, together with all that is pointwise between the two.

    Args:
        equations: in topological order.
        kept: variables that are read elsewhere, too.

    Returns:
        The equations, and one Step for each extreme that changed.
    """
    readers = Counter(access.variable for equation in equations for access in reads(equation))
    readers.update(kept)
    definitions = {
        equation.target.variable: equation
        for equation in equations
        if readers[equation.target.variable] == 1 and not (equation.held or equation.excluding)
    }
    changed: dict[Variable, tuple[Equation, ...]] = {}
    steps: list[Step] = []
    for equation in equations:
        if equation.reduction in _OF_TWO and equation.function == Slot(0):
            before, after = _rewritten(equation, definitions)
            if after:
                changed |= {e.target.variable: () for e in before}
                changed[equation.target.variable] = after
                steps.append(Step(WINDOWS, before, after, _REASON))
    parts = (changed.get(equation.target.variable, (equation,)) for equation in equations)
    return tuple(equation for part in parts for equation in part), tuple(steps)


def _rewritten(
    extreme: Equation, definitions: Mapping[Variable, Equation]
) -> tuple[tuple[Equation, ...], tuple[Equation, ...]]:
    """Return what is rewritten, from the sum to the extreme, and what it becomes, if it can."""
    before, after = [extreme], list[Equation]()
    name = extreme.target.variable
    while True:
        (access,) = extreme.operands
        definition = definitions.get(access.variable) if isinstance(access, Access) else None
        if definition is None or not isinstance(access, Access) or access.fill:
            return (), ()
        before.insert(0, definition)
        if definition.reduction == "total":
            phases = _by_phase(extreme, access, definition, name)
            return tuple(before), (*phases, *after) if phases else ()
        commuted = None if definition.reduction else _commuted(extreme, access, definition)
        if commuted is None:
            return (), ()
        extreme, outer = commuted
        after.insert(0, outer)


def _commuted(
    extreme: Equation, access: Access, definition: Equation
) -> tuple[Equation, Equation] | None:
    """Return the extreme of what a pointwise definition grows with, and the definition of that."""
    values = dict(zip(definition.free, access.indices, strict=True))
    if not all(isinstance(operand, Access) for operand in definition.operands):
        return None
    function, operands = substitute_operands(definition.function, definition.operands, values)
    within = {*extreme.reduced}
    moving = [k for k, operand in enumerate(operands) if within.intersection(indices_of(operand))]
    if len(moving) != 1 or not _grows(function, Slot(moving[0])):
        return None
    variable = extreme.target.variable.beside(extreme.reduction or "")
    target = replace(extreme.target, variable=variable)
    inner = replace(extreme, target=target, operands=(operands[moving[0]],))
    read = tuple(target if k == moving[0] else operand for k, operand in enumerate(operands))
    return inner, Equation(extreme.target, function, read)


def _grows(function: Expression, slot: Slot) -> bool:
    """Whether the function grows with the slot, which it reads once."""
    while function != slot:
        if not isinstance(function, Apply) or function.function not in _GROWING:
            return False
        inside = [argument for argument in function.arguments if slot in walk(argument)]
        if len(inside) != 1:
            return False
        (function,) = inside
    return True


def _by_phase(
    extreme: Equation, access: Access, total: Equation, name: Variable
) -> tuple[Equation, ...]:
    """Return the sum by the places in a window, and the extreme of these; nothing where they meet.

    Args:
        extreme: of windows of the sum.
        access: what it reads.
        total: the equation of the sum.
        name: the variable that all of this is for.
    """
    windows = [_window(extreme, place) for place in access.indices]
    inner = [window[1] for window in windows if window]
    axes = total.target.variable.axes
    apart = all(
        _fits(window, place, axis)
        for window, place, axis in zip(windows, access.indices, axes, strict=True)
    )
    if not apart or len(inner) < len(extreme.reduced) or set(inner) != {*extreme.reduced}:
        return ()
    names = {index.name for index in (*extreme.free, *extreme.reduced)}
    total = rename_scope(total, names)
    phases = {index: replace(index, role=Role.PHASE) for index in inner}
    read = substitute_access(access, phases).indices
    values: dict[Index, IndexExpression] = dict(zip(total.free, read, strict=True))
    if not all(isinstance(operand, Access) for operand in total.operands):
        return ()
    function, operands = substitute_operands(total.function, total.operands, values)
    first = next(k for k, window in enumerate(windows) if window)
    pairs = zip(windows, access.indices, strict=True)
    outer = (window[0] if window else place for window, place in pairs)
    places = tuple(index for index in outer if isinstance(index, Index))
    order = (*places[:first], *phases.values(), *places[first:])
    variable = replace(name.beside("phases"), axes=_apart(order))
    target = Access(variable, order)
    by_phase = replace(total, target=target, function=function, operands=operands)
    return by_phase, *_unrolled(extreme, target, [*phases.values()], name)


def _window(extreme: Equation, place: IndexExpression) -> tuple[Index, Index] | None:
    """Return (h, r) of ``s*h + r`` where r runs over all s places between two h."""
    if not isinstance(place, Affine) or place.offset != 0 or len(place.terms) != 2:
        return None
    (step, outer), (one, inner) = sorted(place.terms, key=lambda term: term[1] in extreme.reduced)
    whole = one == 1 and inner.extent == step and isinstance(step, int) and step <= _WIDEST
    return (outer, inner) if whole and outer in extreme.free else None


def _fits(window: tuple[Index, Index] | None, place: IndexExpression, axis: Index) -> bool:
    """Whether a place is a window inside the axis, or runs over the whole axis."""
    if window is None:
        return isinstance(place, Index) and place.extent == axis.extent
    outer, inner = (index.extent for index in window)
    known = isinstance(outer, int) and isinstance(inner, int) and isinstance(axis.extent, int)
    return known and outer * inner <= axis.extent  # type: ignore[operator]


def _apart(indices: Sequence[Index]) -> tuple[Index, ...]:
    """Return axes with names of their own."""
    taken: set[str] = set()
    axes = []
    for index in indices:
        axes.append(fresh(index, taken))
        taken.add(axes[-1].name)
    return tuple(axes)


def _unrolled(
    extreme: Equation, by_phase: Access, phases: Sequence[Index], name: Variable
) -> list[Equation]:
    """Return the extreme over one phase after the other, the last first: rows come before columns.

    The first of equal numbers wins, in the order in which a window is read.
    """
    found: list[Equation] = []
    for number, phase in enumerate(reversed(phases), 1):
        position = by_phase.indices.index(phase)
        parts = [_at(by_phase, position, place) for place in range(_known(phase))]
        rest = [k for k in range(len(by_phase.indices)) if k != position]
        axes = tuple(by_phase.variable.axes[k] for k in rest)
        name = name.beside("rows")
        variable = replace(name, axes=axes)
        last = number == len(phases)
        own = Access(variable, tuple(by_phase.indices[k] for k in rest))
        target = extreme.target if last else own
        function: Expression = Slot(0)
        for place in range(1, len(parts)):
            function = apply(_OF_TWO[extreme.reduction or ""], function, Slot(place))
        found.append(Equation(target, function, tuple(parts)))
        by_phase = target
    return found


def _at(access: Access, position: int, place: int) -> Access:
    indices = list(access.indices)
    indices[position] = Affine((), place)
    return replace(access, indices=tuple(indices))


def _known(index: Index) -> int:
    assert isinstance(index.extent, int)
    return index.extent
