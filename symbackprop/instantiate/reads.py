"""Subscripts and guards: index expressions, and which ``where`` excludes what lies outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from symbackprop import scalar
from symbackprop.equations import (
    Access,
    Affine,
    Extent,
    Fill,
    Index,
    IndexExpression,
    Operand,
    Quotient,
    Remainder,
)
from symbackprop.errors import SymbackpropError
from symbackprop.formula import Call, Formula, Reference, references
from symbackprop.instantiate import polynomials
from symbackprop.instantiate.extents import Numbers, Table, polynomial
from symbackprop.instantiate.polynomials import Polynomial
from symbackprop.instantiate.scope import shape_text
from symbackprop.scalar import OPPOSITE, Expression, Slot
from symbackprop.sizing import extent_text


class Operands:
    """The operands of one equation, each once, in the order of their first reading."""

    def __init__(self) -> None:
        self._positions: dict[Operand, int] = {}

    def slot(self, operand: Operand) -> Slot:
        """Return the operand's place."""
        return Slot(self._positions.setdefault(operand, len(self._positions)))

    def read(self, slot: Expression) -> Operand | None:
        """Return the operand at the slot; None for another expression."""
        return list(self._positions)[slot.position] if isinstance(slot, Slot) else None

    def used(self, function: Expression) -> tuple[Expression, tuple[Operand, ...]]:
        """Return the function and the operands that it reads, numbered anew."""
        operands = tuple(self._positions)
        kept = scalar.slots(function)
        if len(kept) == len(operands):
            return function, operands
        places: dict[Expression, Expression] = {
            Slot(position): Slot(new) for new, position in enumerate(kept)
        }
        return scalar.substitute(function, places), tuple(operands[k] for k in kept)


@dataclass(frozen=True)
class Frame:
    """Where a formula stands: its indices, what the ``where`` around it grants, its operands.

    ``guards`` are polynomials known to be at least 0; ``looked_up`` the integer variables
    that a condition around it reads; ``fill`` is what counts as nothing there, None where
    no number does.
    """

    letters: Mapping[str, Index]
    operands: Operands
    guards: tuple[Polynomial, ...] = ()
    looked_up: frozenset[str] = field(default_factory=frozenset)
    fill: Fill | None = "zero"

    def within(self, facts: list[Polynomial], looked_up: frozenset[str]) -> Frame:
        """Return the frame of a branch where these facts hold."""
        guards = (*self.guards, *facts)
        return replace(self, guards=guards, looked_up=self.looked_up | looked_up)


def granted(
    condition: Formula, truth: bool, letters: Mapping[str, Index], numbers: Numbers
) -> tuple[list[Polynomial], bool]:
    """Return what is at least 0 where the condition has this truth, and whether that is all."""
    if not isinstance(condition, Call):
        return [], False
    function = condition.function
    if function == "logical_not":
        return granted(condition.arguments[0], not truth, letters, numbers)
    if function == ("logical_and" if truth else "logical_or"):
        sides = [granted(side, truth, letters, numbers) for side in condition.arguments]
        return sides[0][0] + sides[1][0], sides[0][1] and sides[1][1]
    if function not in OPPOSITE:
        return [], False
    left, right = (polynomial(side, letters, numbers) for side in condition.arguments)
    if left is None or right is None:
        return [], False
    difference = polynomials.add(left, right, -1)
    return _granted_by(function if truth else OPPOSITE[function], difference)


def _granted_by(function: str, difference: Polynomial) -> tuple[list[Polynomial], bool]:
    opposite = polynomials.add({}, difference, -1)
    above = polynomials.add(difference, polynomials.UNIT, -1)
    below = polynomials.add(opposite, polynomials.UNIT, -1)
    if function == "not_equal":
        for side, strict in ((difference, above), (opposite, below)):
            if polynomials.is_nonnegative(side):
                return [strict], True
        return [], False
    facts = {
        "greater": [above],
        "greater_equal": [difference],
        "less": [below],
        "less_equal": [opposite],
        "equal": [difference, opposite],
    }
    return facts[function], True


def needed(access: Access) -> list[tuple[int, Polynomial]]:
    """Return what has to be at least 0 for the read to stay inside and is not always, by axis."""
    found = []
    for axis, (item, own) in enumerate(zip(access.indices, access.variable.axes, strict=True)):
        limits = polynomials.bounds(item)
        if limits is None:
            continue
        last = polynomials.add(polynomials.of_extent(own.extent), polynomials.UNIT, -1)
        for limit in (limits[0], polynomials.add(last, limits[1], -1)):
            if not polynomials.is_nonnegative(limit):
                found.append((axis, limit))
    return found


def matches(access: Access, facts: list[Polynomial]) -> bool:
    """Whether the read is inside exactly where the facts hold."""
    real = [fact for fact in facts if not polynomials.is_nonnegative(fact)]
    needs = [limit for _, limit in needed(access)]
    return bool(needs) and all(n in real for n in needs) and all(f in needs for f in real)


class Subscripts:
    """Turns subscripts into index expressions, and references into accesses."""

    def __init__(self, table: Table, numbers: Numbers) -> None:
        self.table = table
        self.numbers = numbers

    def access(self, reference: Reference, frame: Frame) -> Access:
        """Return the access, filled with zero where a guard excludes what lies outside."""
        name, count = reference.name, len(reference.subscripts)
        own = self.table.own_axes(name)
        assert own is not None
        if len(own) != count:
            raise SymbackpropError(
                f"{name} has {len(own)} axes, {shape_text(own)}, and is read with {count}"
            )
        written = tuple(self.index(item, frame) for item in reference.subscripts)
        leading = self.table.scope.leading if name in self.table.batched else ()
        insert = self.table.insert
        indices = (*leading[:insert], *written, *leading[insert:])
        access = Access(self.table.variables[name], indices)
        if reference.padded:
            return self._padded(access, name, frame)
        return replace(access, fill="zero") if self._may_leave(access, name, frame) else access

    def _padded(self, access: Access, name: str, frame: Frame) -> Access:
        if not needed(access):
            return access
        if frame.fill is None:
            raise SymbackpropError(
                f"padded({name}[...]) counts as nothing outside only as a summand, or alone under "
                "largest or smallest"
            )
        return replace(access, fill=frame.fill)

    def _may_leave(self, access: Access, name: str, frame: Frame) -> bool:
        leaves = any(
            isinstance(item, Access) and item.variable.symbol in frame.looked_up
            for item in access.indices
        )
        for axis, limit in needed(access):
            spare = [polynomials.add(limit, guard, -1) for guard in frame.guards]
            if any(polynomials.is_nonnegative(rest) for rest in spare):
                leaves = True
            elif polynomials.is_nonnegative(limit) is False:
                extent = extent_text(access.variable.axes[axis].extent)
                raise SymbackpropError(
                    f"{name} is read outside its extent {extent} (axis {axis} of the array); "
                    f"only a where that excludes such places allows it, or padded({name}[...])"
                )
            elif frame.guards:
                leaves = True
        return leaves

    def index(self, formula: Formula, frame: Frame) -> IndexExpression:
        """Return the index expression that a subscript writes."""
        value = polynomial(formula, frame.letters, self.numbers)
        if value is not None:
            expression = polynomials.to_index(value)
            if expression is not None:
                return expression
        if isinstance(formula, Call) and formula.function in ("floor_divide", "remainder"):
            dividend, divisor = formula.arguments
            return _divided(
                formula.function, self.index(dividend, frame), self._extent(divisor, frame)
            )
        if isinstance(formula, Reference) and formula.name in self.table.variables:
            return self._looked_up(formula, frame)
        for reference in references(formula):
            self.table.check_known(reference.name, frame.letters)
        raise SymbackpropError(
            "an index is affine (s*i + k), a // or % of one by a size, a look-up or a whole number"
        )

    def _looked_up(self, formula: Reference, frame: Frame) -> Access:
        access = self.access(formula, frame)
        if not access.variable.integer:
            raise SymbackpropError(
                f"{formula.name} is looked up as an index but is not integer; an [[input]] with "
                'dtype = "integer" is'
            )
        return access

    def _extent(self, formula: Formula, frame: Frame) -> Extent:
        value = polynomial(formula, {}, self.numbers)
        extent = 0 if value is None else polynomials.to_extent(value)
        if isinstance(extent, scalar.Number) or (isinstance(extent, int) and extent < 1):
            raise SymbackpropError("an index is divided only by a size or a whole number from 1")
        return extent


def _divided(function: str, dividend: IndexExpression, divisor: Extent) -> IndexExpression:
    whole = isinstance(dividend, Index) and polynomials.same_extent(dividend.extent, divisor)
    if function == "remainder":
        if divisor == 1:
            return Affine((), 0)
        return dividend if whole else Remainder(dividend, divisor)
    if divisor == 1:
        return dividend
    return Affine((), 0) if whole else Quotient(dividend, divisor)


def is_whole(access: Access, indices: tuple[object, ...]) -> bool:
    """Return whether the access reads its variable axis by axis along these indices."""
    distinct = len(set(indices)) == len(indices)
    return (
        distinct
        and access.indices == indices
        and all(
            isinstance(item, Index) and polynomials.same_extent(item.extent, axis.extent)
            for item, axis in zip(access.indices, access.variable.axes, strict=True)
        )
    )
