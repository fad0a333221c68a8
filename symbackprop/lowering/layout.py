"""Layouts: one order of axis roles for a whole program, by which every array sorts.

Batch first is what users hand in and get back. Batch last keeps the samples of one unit
side by side, so that elementwise work runs over long contiguous rows and a bias can ride
along as one more row of its weights: the faster one for narrow layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symbackprop.equations import Role, Variable
from symbackprop.lowering.loops import Result
from symbackprop.lowering.values import Labelled, Value
from symbackprop.lowering.views import MOVING, PARTS, VIEWS, natural

_BATCH_LAST = (
    Role.TIME,
    Role.FEATURE,
    Role.CHANNEL,
    Role.KERNEL,
    Role.PHASE,
    Role.SPACE,
    Role.BATCH,
)


Named = Iterable[tuple[Variable, Labelled]]


@dataclass(frozen=True)
class Layout:
    """How the axes of every value are ordered in memory.

    Attributes:
        batch_last: samples innermost; else they come first, and all other axes as declared.
        declared: by value number, the position of each axis before roles are looked at.
        given: numbers of values that users hand in or get back, in declared order always.
        roles: of the axes of values that are some variable's: what they stand for there.
        merged: numbers of joined axes that lie in memory as one already.
        outer: by value number, the axis that a loop goes along: the outermost.
    """

    batch_last: bool = False
    declared: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    given: frozenset[int] = frozenset()
    roles: Mapping[int, Sequence[Role]] = field(default_factory=dict)
    merged: frozenset[int] = frozenset()
    outer: Mapping[int, int] = field(default_factory=dict)

    def order(self, value: Value) -> tuple[int, ...]:
        """Return the value's axes in the order in which they lie in memory."""
        if value.operation == "place":  # made in the order of what it selects
            return tuple(range(value.rank))
        if value.operation == "step":
            assert isinstance(value.attribute, tuple)
            lying = (axis for axis in self.order(value.operands[0]) if axis != value.attribute[0])
            return tuple(value.subscripts[0][axis] for axis in lying)
        positions = self.declared.get(value.number, tuple(range(value.rank)))
        roles = self.roles.get(value.number) or [axis.role for axis in value.axes]
        sorting, outer = [0] * value.rank, None
        if value.number not in self.given and Role.BATCH in roles:
            last, outer = self.batch_last, self.outer.get(value.number)
            sorting = [_BATCH_LAST.index(r) if last else r is not Role.BATCH for r in roles]
        keys = zip(sorting, positions, range(value.rank), strict=True)
        return tuple(a for _, _, _, a in sorted((a != outer, s, p, a) for s, p, a in keys))

    def is_view(self, value: Value) -> bool:
        """Whether the value shows the memory of its operand."""
        return value.operation in VIEWS or value.number in self.merged

    def is_part(self, value: Value) -> bool:
        """Whether the value shows memory whose places do not all follow one another."""
        while self.is_view(value) and value.operation not in PARTS:
            value = value.operands[0]
        return value.operation in PARTS

    def through_views(self, value: Value) -> Iterator[Value]:
        """Yield the value whose memory a view shows."""
        while self.is_view(value):
            value = value.operands[0]
        yield value


def outermost(nodes: Sequence[Value]) -> dict[int, int]:
    """Return by value number the axis that goes along with the steps of a loop, if it is one.

    Axes go together where an operation runs over both as one dimension.
    """
    neighbours: dict[tuple[int, int], list[tuple[int, int]]] = {}
    stack: list[tuple[int, int]] = []
    for value in nodes:
        if value.operation == "step":
            assert isinstance(value.attribute, tuple)
            stack.append((value.operands[0].number, value.attribute[0]))
        if isinstance(value.attribute, Result):
            whole, _ = value.attribute.loop.wholes[value.attribute.value.number]
            stack.append((value.number, value.attribute.loop.axes[whole.number]))
            continue
        for operand, subscript in zip(value.operands, value.subscripts, strict=True):
            for axis, dimension in enumerate(subscript):
                ends = (operand.number, axis), (value.number, dimension)
                neighbours.setdefault(ends[0], []).append(ends[1])
                neighbours.setdefault(ends[1], []).append(ends[0])
    found: dict[int, set[int]] = {}
    while stack:
        number, axis = stack.pop()
        if axis not in found.setdefault(number, set()):
            found[number].add(axis)
            stack.extend(neighbours.get((number, axis), ()))
    own = {n: [axis for axis in axes if axis < nodes[n].rank] for n, axes in found.items()}
    return {number: axes[0] for number, axes in own.items() if len(axes) == 1}


def with_merged(layout: Layout, nodes: Iterable[Value], written: Collection[int]) -> Layout:
    """Return the layout with the joins that are views: their axes lie side by side.

    Args:
        layout: by which all values lie.
        nodes: in the order in which they were made.
        written: numbers of the values that have to have memory of their own.
    """
    found: set[int] = set()
    for value in nodes:
        if value.operation != "join" or value.number in written:
            continue
        (held,), subscript = value.operands, value.subscripts[0]
        lying = [subscript[axis] for axis in layout.order(held)]
        while held.operation == "split" or held.number in found:
            held = held.operands[0]
        if held.operation not in VIEWS and lying == parts_of(value, layout.order(value)):
            found.add(value.number)
    return replace(layout, merged=frozenset(found))


def parts_of(value: Value, order: Sequence[int]) -> list[int]:
    """Return the dimensions of a join's operand as the result has them, whose axes lie so."""
    assert isinstance(value.attribute, tuple)
    subscript, first = value.subscripts[0], value.rank - len(value.attribute)
    joined = {d: [subscript[a] for a in axes] for d, axes in enumerate(value.attribute, first)}
    return [part for axis in order for part in joined.get(axis, [axis])]


def declare(values: Named, nodes: Sequence[Value]) -> dict[int, tuple[int, ...]]:
    """Return the position of each axis of every value.

    A variable's are declared; what is computed elementwise lies as what it is computed for, or
    else as the largest of its operands.
    """
    values = list(values)
    found: dict[int, tuple[int, ...]] = {}
    for _, labelled in values:
        if all(isinstance(label, int) for label in labelled.labels):
            found.setdefault(
                labelled.value.number, tuple(int(str(label)) for label in labelled.labels)
            )
    _hand_down((labelled for _, labelled in values), found)
    for value in reversed(nodes):
        whole = value.rank == len(value.dimensions) or value.operation == "join"
        if value.number in found and whole:
            _hand_on(value, found)
    for value in nodes:
        if value.operation == "result":
            _collected(value, found)
        elif value.number not in found and value.operands and value.operation != "contract":
            found[value.number] = _inherited(value, found)
    return found


def _collected(result: Value, declared: dict[int, tuple[int, ...]]) -> None:
    """What a loop computes in a step lies as it does over all steps, and so does the result."""
    assert isinstance(result.attribute, Result)
    loop, step = result.attribute
    whole, axes = loop.wholes[step.number]
    own = declared.get(whole.number, tuple(range(whole.rank)))
    declared[step.number] = tuple(own[axis] for axis in axes)
    declared.setdefault(result.number, own)


def declared_roles(values: Named) -> dict[int, tuple[Role, ...]]:
    """Return what the axes of each variable's value stand for."""
    found: dict[int, tuple[Role, ...]] = {}
    for variable, (value, labels) in values:
        if all(isinstance(label, int) for label in labels):
            roles = tuple(variable.axes[int(str(label))].role for label in labels)
            found.setdefault(value.number, roles)
            if isinstance(value.attribute, Result):
                step = value.attribute.value
                _, axes = value.attribute.loop.wholes[step.number]
                found.setdefault(step.number, tuple(roles[axis] for axis in axes))
    return found


def _hand_down(values: Iterable[Labelled], found: dict[int, tuple[int, ...]]) -> None:
    """Sums into windows lie as the variable that is their inside."""
    for value, _ in values:
        if value.operation != "window" or value.number not in found:
            continue
        (inner,) = value.operands
        if inner.operation == "unwindow":
            order = natural(value, range(inner.rank))
            found[inner.number] = tuple(found[value.number][dimension] for dimension in order)


def _hand_on(value: Value, declared: dict[int, tuple[int, ...]]) -> None:
    """Let operands of an elementwise operation lie as its result, and parts of an axis as it."""
    own = dict(enumerate(declared[value.number]))
    if value.operation == "join":
        parts = parts_of(value, sorted(own, key=own.__getitem__))
        own = {dimension: place for place, dimension in enumerate(parts)}
    for operand, subscript in zip(value.operands, value.subscripts, strict=True):
        if operand.operation != "input":
            declared.setdefault(operand.number, tuple(own[dimension] for dimension in subscript))


def _inherited(value: Value, declared: Mapping[int, tuple[int, ...]]) -> tuple[int, ...]:
    """Return the axes' positions in the operand of most axes, those that it lacks after them.

    Those of a look-up's positions come first, instead of the axis that is looked up.
    """
    if value.operation in MOVING:
        own = declared.get(value.operands[0].number, tuple(range(value.operands[0].rank)))
        order = natural(value, sorted(range(len(own)), key=own.__getitem__))
        return tuple(map(order.index, range(value.rank)))
    first = max(range(len(value.operands)), key=lambda k: (value.operands[k].rank, -k))
    own = declared.get(value.operands[first].number, tuple(range(value.operands[first].rank)))
    places = dict(zip(value.subscripts[first], own, strict=True))
    lacking = -value.rank if value.operation == "take" else max(own, default=0) + 1
    return tuple(places.get(axis, axis + lacking) for axis in range(value.rank))
