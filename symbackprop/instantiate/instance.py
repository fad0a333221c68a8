"""One use of a definition as equations: what its result needs, and what its statistics need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from symbackprop.equations import Access, Equation, Index, Variable
from symbackprop.errors import SymbackpropError
from symbackprop.formula import Assignment, bound_letters, references
from symbackprop.instantiate import polynomials
from symbackprop.instantiate.scope import Scope, shape_text

_NEW = "_new_"  # before the name of a statistic: its new value


@dataclass(frozen=True)
class Instance:
    """The equations of one use of a definition that has running statistics.

    Attributes:
        equations: what the result needs.
        updates: what only the new statistics need; each reads ``equations`` and those before it.
        updated: by statistic, the variable that is its new value.
    """

    equations: tuple[Equation, ...]
    updates: tuple[Equation, ...]
    updated: Mapping[str, Variable]


def needed(equations: Sequence[Equation], roots: Iterable[Variable]) -> tuple[Equation, ...]:
    """Return the equations that the roots depend on, in their order."""
    by_target = {equation.target.variable: equation for equation in equations}
    stack = [*roots]
    found: set[Variable] = set()
    while stack:
        variable = stack.pop()
        if variable in found or variable not in by_target:
            continue
        found.add(variable)
        operands = by_target[variable].operands
        stack.extend(operand.variable for operand in operands if isinstance(operand, Access))
    return tuple(equation for equation in equations if equation.target.variable in found)


def renewal(update: Assignment) -> Assignment:
    """Return the update with a target of its own: the new value beside the old one."""
    return replace(update, target=replace(update.target, name=_NEW + update.target.name))


def check_updated(updated: Mapping[str, Variable], scope: Scope) -> None:
    """Refuse a new value of another shape than the statistic's."""
    for name, variable in updated.items():
        found, wanted = ([a.extent for a in v.axes] for v in (variable, scope.variables[name]))
        if len(found) != len(wanted) or not all(map(polynomials.same_extent, found, wanted)):
            raise SymbackpropError(
                f"the new {name} has the shape {shape_text(variable.axes)}, it must be "
                f"{shape_text(scope.variables[name].axes)}"
            )


def apart(leading: tuple[Index, ...], assignments: list[Assignment]) -> tuple[Index, ...]:
    """Rename the leading indices that share a letter with the equations' own."""
    written: set[str] = set()
    for assignment in assignments:
        written.update(item.name for item in references(assignment.target))
        written.update(bound_letters(assignment.value))
    return tuple(
        replace(index, name=f"_{index.name}") if index.name in written else index
        for index in leading
    )
