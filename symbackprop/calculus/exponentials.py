"""Totals of exponentials, shifted by the largest exponent wherever the shift cancels.

    e[i] / total(j, e[j])    with e[i] = exp(u[i]) is the same with e[i] = exp(u[i] - m)
    log(total(j, e[j]))      is m + log of the same with e[j] = exp(u[j] - m)
    e[i] / (1 + total)       is e[i] / (exp(-m) + total), where m is not negative

for every m, and so for the largest u, held constant. That is proven of each equation by degrees:
its degree is the power of exp(m) that it holds when every exponential holds one. What has degree
0 does not depend on m; all others stay as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from symbackprop.calculus.degrees import Degrees, Key, NoDegreeError, Places, Row, Sum
from symbackprop.calculus.graph import needed, reads
from symbackprop.calculus.indices import compress
from symbackprop.calculus.maxima import nonpositive_differences
from symbackprop.calculus.rewrite import Scope
from symbackprop.equations import (
    Access,
    Equation,
    Index,
    IndexExpression,
    Operand,
    Step,
    Variable,
    indices_of,
)
from symbackprop.scalar import Apply, Expression, Slot, slots, substitute, walk

_REASON = "exp(u) = exp(m) exp(u - m), and exp(m) cancels, m being the largest u"


def shift_exponentials(
    equations: Sequence[Equation], outputs: Sequence[Variable]
) -> tuple[tuple[Equation, ...], tuple[Step, ...]]:
    """Shift the exponentials of totals by the largest exponent, where no result depends on it.

    Definitions are looked through within one layer only.

    Args:
        equations: in topological order.
        outputs: variables to keep.

    Returns:
        The equations, and one Step for each that changed.
    """
    shifts = _Shifts()
    for equation in equations:
        shifts.add(equation)
    return shifts.result(outputs)


class _Shifts:
    """Goes through equations in order and notes which of them can be shifted."""

    def __init__(self) -> None:
        self._written: list[Equation] = []
        self._definitions: dict[Variable, Equation] = {}
        self._through: dict[Variable, Equation] = {}
        self._sums: dict[Variable, Sum] = {}
        self._changed: dict[Variable, tuple[Equation, list[Row]]] = {}

    def add(self, equation: Equation) -> None:
        """Note the equation, shifted if it reads a total of exponentials and may be."""
        self._written.append(equation)
        self._definitions[equation.target.variable] = equation
        if equation.held or equation.excluding or equation.target.variable.integer:
            return
        scope, function = self._opened(equation)
        sums = self._read(scope, function)
        if sums and self._shifted(equation, scope, function, sums):
            return
        exponentials = _exponentials(function)
        if equation.reduction == "total" and not sums:
            self._sum(equation, scope, function, exponentials)
        elif equation.reduction is None and (sums or exponentials):
            self._through[equation.target.variable] = equation

    def result(self, outputs: Sequence[Variable]) -> tuple[tuple[Equation, ...], tuple[Step, ...]]:
        """Return the equations with those of the rows that are used, and what changed."""
        if not self._changed:
            return tuple(self._written), ()
        found: list[Equation] = []
        for equation in self._written:
            variable = equation.target.variable
            own = self._sums.get(variable)
            found.append(self._changed[variable][0] if variable in self._changed else equation)
            if own is not None and own.row.used:
                found += own.row.equations() if own.row.total == equation else []
                found.append(own.shifted)
        kept = self._still_read(found, outputs)
        steps = []
        for variable, (after, rows) in self._changed.items():
            made = (e for row in rows for e in row.equations())
            sums = (s.shifted for s in self._sums.values() if s.row in rows)
            before = self._definitions[variable]
            steps.append(Step("shift", (before,), (*made, *sums, after), _REASON))
        return kept, tuple(steps)

    def _still_read(
        self, found: Sequence[Equation], outputs: Sequence[Variable]
    ) -> tuple[Equation, ...]:
        """Leave out what only equations read that read something else now."""
        before = {access.variable for e in self._written for access in reads(e)}
        loose = (before & {*self._sums, *self._through}) | {
            e.target.variable for e in found if e.target.variable not in self._definitions
        }
        ends = [e.target.variable for e in found if e.target.variable not in loose]
        return needed(found, [*ends, *outputs])

    def _opened(self, equation: Equation) -> tuple[Scope, Expression]:
        """Return the function with exponentials of the same layer looked through."""
        owner = equation.target.variable.owner
        own = {v: e for v, e in self._through.items() if v.owner == owner}
        scope, function = Scope(equation, own), equation.function
        while True:
            opened = {Slot(k): scope.opened(Slot(k)) for k in slots(function)}
            known: dict[Expression, Expression] = {s: d for s, d in opened.items() if d is not None}
            if not known:
                return scope, function
            function = substitute(function, known)

    def _read(self, scope: Scope, function: Expression) -> dict[Slot, tuple[Key, Sum]]:
        """Return which totals of exponentials the function reads, and where."""
        found: dict[Slot, tuple[Key, Sum]] = {}
        for k in slots(function):
            operand = scope.operands[k]
            if isinstance(operand, Access) and operand.variable in self._sums:
                entry = self._sums[operand.variable]
                found[Slot(k)] = entry.key(operand), entry
        return found

    def _shifted(
        self,
        equation: Equation,
        scope: Scope,
        function: Expression,
        sums: Mapping[Slot, tuple[Key, Sum]],
    ) -> bool:
        """Note the equation that reads shifted totals; return whether that is the same."""
        degrees = Degrees(scope, {key for key, _ in sums.values()}, sums)
        try:
            degree, result = degrees.of(function)
        except NoDegreeError:
            return False
        if degree:
            return False
        function, operands = compress(result, tuple(scope.operands))
        after = replace(equation, function=function, operands=operands)
        rows = list(dict.fromkeys(row for (row, _), _ in sums.values()))
        for row in rows:
            row.used = True
            row.floored = row.floored or row in degrees.floored
        self._changed[equation.target.variable] = after, rows
        return True

    def _sum(
        self,
        equation: Equation,
        scope: Scope,
        function: Expression,
        exponentials: Sequence[Apply],
    ) -> None:
        """Note a total of exponentials that are not shifted yet."""
        summed = {*equation.reduced}
        inner = [e for e in exponentials if summed & _indices(e, scope.operands)]
        if len(inner) != 1 or not summed <= _indices(inner[0], scope.operands):
            return
        exponent = inner[0].arguments[0]
        if exponent in nonpositive_differences(tuple(scope.operands), self._definitions):
            return
        own = Row(equation, *compress(exponent, tuple(scope.operands)))
        read = [o for o in own.operands if isinstance(o, Access)]
        bare = {place for access in read for place in access.indices if isinstance(place, Index)}
        if not bare.issuperset(own.places) or any(access.fill is not None for access in read):
            return
        others = dict.fromkeys(entry.row for entry in self._sums.values())
        for row in (*others, own):
            places = _places(row, equation, exponent, scope)
            if places is None:
                continue
            key: Key = (row, places)
            degrees = Degrees(scope, {key}, {})
            try:
                degree, result = degrees.of(function)
            except NoDegreeError:
                continue
            if degree == {key: 1} and not degrees.floored:
                function, operands = compress(result, tuple(scope.operands))
                target = replace(
                    equation.target, variable=equation.target.variable.beside("shifted")
                )
                after = replace(equation, target=target, function=function, operands=operands)
                self._sums[equation.target.variable] = Sum(row, places, after)
                return


def _places(row: Row, total: Equation, exponent: Expression, scope: Scope) -> Places | None:
    """Return which of the rows it is whose exponentials a total sums over, if it is one."""
    binding: dict[Index, IndexExpression] = {}
    if not Degrees(scope, set(), {}).matches(row, row.exponent, exponent, binding):
        return None
    summed = [binding[index] for index in row.total.reduced]
    extents = [index.extent for index in row.total.reduced]
    if extents != [place.extent for place in summed if isinstance(place, Index)]:
        return None
    found = tuple(binding[index] for index in row.free)
    whole = set(summed) == {*total.reduced} and len(summed) == len(total.reduced)
    return found if whole and set(found) <= {*total.free} else None


def _exponentials(function: Expression) -> list[Apply]:
    found = [n for n in walk(function) if isinstance(n, Apply) and n.function == "exp"]
    return list(dict.fromkeys(found))


def _indices(expression: Expression, operands: Sequence[Operand]) -> set[Index]:
    return {index for k in slots(expression) for index in indices_of(operands[k])}
