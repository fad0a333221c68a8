"""Recurrences as loops: what is computed step by step, and what is left as whole arrays.

Equations that read each other a step before are lowered like all others, over all steps at
once; a read of the step before is a ``carry``, which stands for an array not made yet. What
depends on a carry is then rebuilt without the axis of steps:

    step     an array that is made outside, at the present step
    before   what the step before left, or the start

and everything else has fallen outside by itself. Whoever reads what a loop computes reads a
``result``: the array of all steps.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from symbackprop import sizing
from symbackprop.equations import Access, Affine, Operand, Variable
from symbackprop.errors import SymbackpropError
from symbackprop.lowering.first_step import after_first
from symbackprop.lowering.values import COSTLY, Dimension, Label, Labelled, Value, ValueGraph
from symbackprop.scalar import ARITY
from symbackprop.sizes import Whole


@dataclass(frozen=True, eq=False)
class Carry:
    """What a step hands to the next one.

    Attributes:
        before: stands for it in the steps.
        after: the step's value that is handed on.
        start: what the first step reads, labelled by the axes of ``before``; None is 0.
    """

    before: Value
    after: Value
    start: Labelled | None


@dataclass(frozen=True, eq=False)
class Loop:
    """Values computed step by step.

    Attributes:
        variable: one that is handed on, for messages.
        extent: how many steps.
        backwards: from the last place to the first.
        carries: what goes from step to step.
        wholes: by the number of a value of one step: that of all steps, and which axis of it
            each axis is.
        axes: by the number of a value of all steps, the axis of the steps.
        results: by the number of a value of one step, what collects it.
    """

    variable: Variable
    extent: Whole
    backwards: bool
    carries: tuple[Carry, ...]
    wholes: Mapping[int, tuple[Value, tuple[int, ...]]]
    axes: Mapping[int, int]
    results: Mapping[int, Value]

    def needed(self, wanted: Iterable[Value]) -> list[Value]:
        """Return what a step computes for these, views included, in the order of making."""
        after = {carry.before.number: carry.after for carry in self.carries}
        found: dict[int, Value] = {}
        stack = list(wanted)
        while stack:
            value = stack.pop()
            if value.number in after:
                stack.append(after.pop(value.number))
            elif value.number in self.wholes and value.number not in found:
                found[value.number] = value
                stack.extend(value.operands)
        return [found[number] for number in sorted(found) if found[number].operation != "before"]


class Result(NamedTuple):
    """Which value of a step a ``result`` collects."""

    loop: Loop
    value: Value


def step_of(result: Value) -> Value:
    """Return the value of a step that a ``result`` collects."""
    assert isinstance(result.attribute, Result)
    return result.attribute.value


def collected(values: Iterable[Value]) -> dict[Loop, list[Value]]:
    """Return the results among the values, by loop."""
    found: dict[Loop, list[Value]] = {}
    for value in values:
        if isinstance(value.attribute, Result):
            found.setdefault(value.attribute.loop, []).append(value)
    return found


class Shift(NamedTuple):
    """A variable read a step off along one of its axes."""

    variable: Variable
    axis: int
    offset: int


_ATTRIBUTED = frozenset({"slice", "tile", "broadcast", "columns"})
_ALLOWED = (
    frozenset(ARITY)
    | {"subtract", "square", "number", "contract", "total", "largest", "smallest", "product"}
    | {"argmax", "argmin", "alias"}
    | _ATTRIBUTED
)


def shift_of(operand: Operand) -> Shift | None:
    """Return how far off the operand reads its variable; None where no axis is shifted."""
    if not isinstance(operand, Access):
        return None
    for axis, (place, own) in enumerate(zip(operand.indices, operand.variable.axes, strict=True)):
        if isinstance(place, Affine) and len(place.terms) == 1 and isinstance(place.offset, int):
            coefficient, index = place.terms[0]
            if coefficient == 1 and place.offset and index.extent == own.extent:
                return Shift(operand.variable, axis, place.offset)
    return None


def unshifted(access: Access, axis: int) -> Access:
    """Return the read at the present step."""
    place = access.indices[axis]
    assert isinstance(place, Affine)
    indices = (*access.indices[:axis], place.terms[0][1], *access.indices[axis + 1 :])
    return Access(access.variable, indices)


def carried(graph: ValueGraph, shift: Shift) -> Labelled:
    """Return what stands for a variable a step off until it is made."""
    axes = enumerate(shift.variable.axes)
    extra = [(k, Dimension(axis.extent, axis.role)) for k, axis in axes]
    return graph.node("carry", [], attribute=shift, extra=extra)


class _Started(NamedTuple):
    """A carry with another value at the first step, and which axis each of its axes is there."""

    carry: int
    axes: tuple[int, ...]
    start: Labelled


class LoopBuilder:
    """Makes a loop of the nodes that depend on carries.

    Attributes:
        graph: where all values are made.
        start: number of the first node that may belong to the loop.
        carries: what stands for each shifted read.
        values: what the shifted variables have become, axes labelled by position.
    """

    def __init__(
        self,
        graph: ValueGraph,
        start: int,
        carries: Mapping[Shift, Labelled],
        values: Mapping[Variable, Labelled],
    ) -> None:
        self.graph, self.values = graph, values
        self.carries = {c.value.number: shift for shift, c in carries.items()}
        first = next(iter(carries))
        extent = first.variable.axes[first.axis].extent
        if {shift.offset for shift in carries} not in ({-1}, {1}):
            raise refused_recurrence(first.variable, "reads more than the step before")
        self.extent, self.backwards = sizing.whole(extent), first.offset > 0
        self.token = object()
        nodes = graph.nodes[start:]
        self.axes = self._axes_of_steps(nodes)
        self.starts = self._starts(nodes)
        self.members = self._members(nodes)
        self.steps: dict[int, Labelled] = {}
        self.outside: dict[int, Value] = {}

    def build(self) -> tuple[Loop, dict[int, Value]]:
        """Return the loop, and the result for every member, by number."""
        befores = {}
        for value in self.members:
            if value.number in self.carries or value.number in self.starts:
                befores[value.number] = self._before(value)
            else:
                self._step(value)
        carries = self._handed_on(befores)
        wholes: dict[int, tuple[Value, tuple[int, ...]]] = {}
        for value in self.members:
            step, labels = self.steps[value.number]
            wholes.setdefault(step.number, (value, tuple(int(str(label)) for label in labels)))
        for carry in carries:  # a copy is no member
            wholes.setdefault(carry.after.number, wholes[carry.before.number])
        axes = {value.number: self.axes[value.number] for value in self.members}
        results: dict[int, Value] = {}
        loop = Loop(
            next(iter(self.carries.values())).variable,
            self.extent,
            self.backwards,
            carries,
            wholes,
            axes,
            results,
        )
        return loop, self._collect(loop, results)

    def _axes_of_steps(self, nodes: Sequence[Value]) -> dict[int, int]:
        """Return for every node that depends on a carry which of its axes runs over steps."""
        found = {number: shift.axis for number, shift in self.carries.items()}
        for value in nodes:
            read = {
                subscript[found[operand.number]]
                for operand, subscript in zip(value.operands, value.subscripts, strict=True)
                if operand.number in found
            }
            if not read:
                continue
            if len(read) > 1 or min(read) >= value.rank or value.operation not in _ALLOWED:
                shift = next(iter(self.carries.values()))
                raise refused_recurrence(
                    shift.variable, f"{value.operation} does not go step by step"
                )
            found[value.number] = read.pop()
        return found

    def _starts(self, nodes: Sequence[Value]) -> dict[int, _Started]:
        """Return by number what reads a carry, but another value at the first step."""
        found: dict[int, _Started] = {}
        for value in nodes:
            if value.operation != "where":
                continue
            test, *branches = value.operands
            inner = after_first(test, self.extent, self.backwards)
            for k, branch in enumerate(branches):
                other = branches[1 - k]
                if inner is None or branch.number not in self.carries or other.number in self.axes:
                    continue
                own, base = value.subscripts[k + 1], value.subscripts[2 - k]
                covers = len(own) == value.rank and self.axes[value.number] not in base
                if covers and inner == (k == 0):
                    start = self._aligned(value, 2 - k)
                    found[value.number] = _Started(branch.number, own, start)
        return found

    def _aligned(self, value: Value, k: int) -> Labelled:
        """Return operand k with all axes of the value but that of the steps, labelled so."""
        axis = self.axes[value.number]
        base = Labelled(value.operands[k], value.subscripts[k])
        wanted = [d for d in range(value.rank) if d != axis]
        extra = [(d, value.dimensions[d]) for d in wanted if d not in base.labels]
        if extra:
            base = self.graph.node("broadcast", [base], extra=extra)
        return base.relabel({d: place for place, d in enumerate(wanted)})

    def _members(self, nodes: Sequence[Value]) -> list[Value]:
        """Return the nodes that depend on a carry and that what is carried depends on."""
        ends = [self.values[shift.variable].value for shift in self.carries.values()]
        ends += [value.value for value in self.values.values() if value.value.number in self.axes]
        found: dict[int, Value] = {}
        stack = ends
        while stack:
            value = stack.pop()
            if value.number in found or value.number not in self.axes:
                continue
            found[value.number] = value
            if value.number not in self.starts:
                stack.extend(value.operands)
        return [found[number] for number in sorted(found)]

    def _before(self, value: Value) -> Labelled:
        axis = self.axes[value.number]
        extra = [(k, d) for k, d in enumerate(value.axes) if k != axis]
        step = self.graph.node("before", [], attribute=(self.token, value.number), extra=extra)
        self.steps[value.number] = step
        return step

    def _step(self, value: Value) -> None:
        """Rebuild a member without the axis of steps."""
        axis = self.axes[value.number]
        operands = []
        for operand, subscript in zip(value.operands, value.subscripts, strict=True):
            labels: tuple[Label, ...] = subscript
            if operand.number in self.steps:
                step = self.steps[operand.number]
                names: dict[Label, Label] = dict(enumerate(subscript))
                operands.append(step.relabel(names))
                continue
            if operand.operation not in ("literal", "size"):
                self.outside[operand.number] = operand
            read = Labelled(operand, labels)
            if axis in subscript:
                place = (subscript.index(axis), self.token)
                read = self.graph.node("step", [read], [axis], place)
            operands.append(read)
        present = {label for operand in operands for label in operand.labels}
        summed = range(value.rank, len(value.dimensions))
        extra = [
            (k, dimension)
            for k, dimension in enumerate(value.dimensions)
            if k not in present and k != axis
        ]
        attribute = self._attribute(value, operands)
        self.steps[value.number] = self.graph.node(
            value.operation, operands, summed, attribute, extra
        )

    def _attribute(self, value: Value, operands: Sequence[Labelled]) -> Hashable:
        """Return the attribute where it counts the operand's axes."""
        if value.operation != "slice":
            return value.attribute
        assert isinstance(value.attribute, tuple)
        axis, start, extent = value.attribute
        label = value.subscripts[0][axis]
        return (operands[0].labels.index(label), start, extent)

    def _handed_on(self, befores: Mapping[int, Labelled]) -> tuple[Carry, ...]:
        """Return the carries; each has a value of its own to hand on."""
        taken = {before.value.number for before in befores.values()}
        found = []
        for number, before in befores.items():
            started = self.starts.get(number)
            shift = self.carries[started.carry if started else number]
            end = self.values[shift.variable]
            own = started.axes if started else range(len(shift.variable.axes))
            names: dict[Label, Label] = {k: own[int(str(a))] for k, a in enumerate(end.labels)}
            after = self.steps[end.value.number].relabel(names)
            if set(after.labels) != set(before.labels):
                axes = zip(before.labels, before.value.axes, strict=True)
                after = self.graph.node("broadcast", [after], extra=list(axes))
            elif after.value.number in taken:
                after = self.graph.node("number", [after], attribute=before.value.number)
            taken.add(after.value.number)
            found.append(Carry(before.value, after.value, started.start if started else None))
        return tuple(found)

    def _collect(self, loop: Loop, results: dict[int, Value]) -> dict[int, Value]:
        """Return what stands for every member over all steps.

        What is costly, or a variable, is collected; the rest is computed again from that.
        """
        starts = [c.start.value for c in loop.carries if c.start is not None]
        outside = {value.number: value for value in (*self.outside.values(), *starts)}
        read = [
            Labelled(value, tuple((number, k) for k in range(value.rank)))
            for number, value in sorted(outside.items())
        ]
        gone = [label for operand in read for label in operand.labels]
        for number, (whole, _) in loop.wholes.items():
            step = self.graph.nodes[number]
            extra = list(enumerate(whole.axes))
            collecting = self.graph.node("result", read, gone, Result(loop, step), extra)
            results[number] = collecting.value
        named = {value.value.number for value in self.values.values()}
        named |= self.carries.keys() | self.starts.keys()
        found: dict[int, Value] = {}
        for value in self.members:
            if value.number in named or value.operation in COSTLY:
                result = results[self.steps[value.number].value.number]
                self.graph.know(value, found, result)
                found[value.number] = result
            else:
                found[value.number] = self.graph.again(value, found)
        return found


def refused_recurrence(variable: Variable, reason: str) -> SymbackpropError:
    """Return the error of a recurrence without a loop."""
    return SymbackpropError(f"the recurrence of {variable.name} has no loop: {reason}")
