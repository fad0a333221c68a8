"""The value graph: whole-array operations, each distinct one once.

    Value    = operation(operands) with a dimension number for every axis of every operand
    Labelled = a Value together with the index that each of its axes runs over, here and now

Dimensions are numbered by first appearance, so that two computations that differ only in the
names of their indices are one and the same node: this is all of common subexpressions, and
of the reuse of forward values by the backward pass.

Operations: ``input``, ``literal``, ``size``; the scalar functions (maps); ``contract`` (a sum
of products of two operands), ``total``, ``largest``, ``smallest``, ``product``, ``argmax``,
``argmin``; ``others`` (the total or product over all but one's own place); ``take``, ``put``,
``add_at``; ``clip`` (an index moved to the nearest place inside); ``range``; ``slice`` and
``tile`` (slices side by side); ``first`` (the flat position of the first value that is the
largest); of windows ``halo`` (room around an array), ``window`` (a view), ``columns`` (a copy of
one, for a product) and ``unwindow`` (sums into windows); ``repeat`` (every place several times);
``split`` and ``join`` (one axis as several, and back); of recurrences ``carry``, ``step``,
``before`` and ``result``, which ``loops`` explains.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from symbackprop.equations import Extent, Role, Variable
from symbackprop.scalar import TRUTH

Label = Hashable


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension of a value: how far it runs and what it stands for."""

    extent: Extent
    role: Role


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A node; compared by identity, since equal nodes are one object.

    Attributes:
        number: counts nodes in the order in which they were made.
        subscripts: for each operand, the dimension that each of its axes runs over.
        dimensions: those of the result first (``rank`` of them), then those summed away.
        attribute: what else tells two nodes apart (a variable, a number, an offset).
        boolean: holds truth values.
    """

    number: int
    operation: str
    operands: tuple[Value, ...]
    subscripts: tuple[tuple[int, ...], ...]
    dimensions: tuple[Dimension, ...]
    rank: int
    attribute: Hashable = None
    boolean: bool = False

    @property
    def axes(self) -> tuple[Dimension, ...]:
        """The dimensions of the result."""
        return self.dimensions[: self.rank]

    @property
    def integer(self) -> bool:
        """Whether it holds positions."""
        if self.operation == "input":
            return self.variable.integer
        if self.operation in ("slice", "step"):
            return self.operands[0].integer
        return self.operation in POSITIONS

    @property
    def variable(self) -> Variable:
        """The variable of an ``input``."""
        assert isinstance(self.attribute, Variable)
        return self.attribute


# Worth keeping for later readers; everything else is cheaper to compute again.
COSTLY = frozenset(
    {"exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "erf", "erfc", "power"}
    | {"contract", "total", "largest", "smallest", "product", "argmax", "argmin", "others", "take"}
    | {"result"}
)
# Operations whose results are positions, as integers.
POSITIONS = frozenset({"range", "argmax", "argmin", "first", "clip"})


class Labelled(NamedTuple):
    """A value whose axis k runs over ``labels[k]``."""

    value: Value
    labels: tuple[Label, ...]

    def relabel(self, names: Mapping[Label, Label]) -> Labelled:
        """Return the same value under other labels."""
        return Labelled(self.value, tuple(names.get(label, label) for label in self.labels))


class _Key(NamedTuple):
    """All that tells two values apart."""

    operation: str
    operands: tuple[Value, ...] = ()
    subscripts: tuple[tuple[int, ...], ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    rank: int = 0
    attribute: Hashable = None


@dataclass
class ValueGraph:
    """Makes values, each distinct one once.

    Attributes:
        nodes: in the order in which they were made.
        gathers: views that are copied before they are contracted, where they have more axes
            than a matrix.
        loops: how many have been begun.
        levels: of what depends on a loop, which one it is; the latest counts.
    """

    nodes: list[Value] = field(default_factory=list)
    gathers: Collection[str] = ()
    loops: int = 0
    levels: dict[int, int] = field(default_factory=dict)
    _known: dict[_Key, Value] = field(default_factory=dict)

    def input(self, variable: Variable) -> Labelled:
        """Return the array of a variable, its axes labelled by position."""
        axes = tuple(Dimension(axis.extent, axis.role) for axis in variable.axes)
        key = _Key("input", dimensions=axes, rank=len(axes), attribute=variable)
        return Labelled(self._value(key), tuple(range(len(axes))))

    def leaf(self, operation: str, attribute: Hashable) -> Labelled:
        """Return a number: a ``literal`` or a ``size``."""
        return Labelled(self._value(_Key(operation, attribute=attribute)), ())

    def map(self, operation: str, *operands: Labelled) -> Labelled:
        """Return the operation applied elementwise, over the union of the operands' labels.

        Truth values may stand as factors of an array (0 or 1) and as conditions; elsewhere
        they, and integers but in comparisons, are made numbers of the network's dtype first.
        """
        if operation == "multiply" and all(operand.value.boolean for operand in operands):
            operation = "logical_and"
        if operation not in TRUTH and operation != "number":
            factors = range(len(operands) if any(map(_sets_dtype, operands)) else 0)
            kept = {"multiply": factors, "where": range(1)}.get(operation, range(0))
            operands = tuple(
                self.map("number", o)
                if o.value.integer or (o.value.boolean and k not in kept)
                else o
                for k, o in enumerate(operands)
            )
        return self.node(operation, operands)

    def real(self, value: Labelled) -> Labelled:
        """Return the value as what a variable can be: truth values as 0 and 1."""
        return self.map("number", value) if value.value.boolean else value

    def contract(self, pair: Sequence[Labelled], summed: Iterable[Label]) -> Labelled:
        """Return the sum of products of two operands, one of which holds numbers."""
        first, second = (self.map("number", o) if o.value.integer else o for o in pair)
        if all(operand.value.boolean for operand in pair):
            first = self.map("number", first)
        return self.node("contract", [self._gathered(o) for o in (first, second)], summed)

    def _gathered(self, operand: Labelled) -> Labelled:
        moving = operand.value.operation in self.gathers and operand.value.rank > 2
        return self.node("columns", [operand]) if moving else operand

    def known(self, operation: str, *operands: Labelled) -> Labelled | None:
        """Return the map if it has been made already."""
        key, labels = _key(operation, operands)
        value = self._known.get(key)
        return None if value is None else Labelled(value, labels)

    def node(
        self,
        operation: str,
        operands: Sequence[Labelled],
        summed: Iterable[Label] = (),
        attribute: Hashable = None,
        extra: Sequence[tuple[Label, Dimension]] = (),
    ) -> Labelled:
        """Return the node; its result runs over all labels that are not ``summed``.

        ``extra`` adds dimensions that no operand has (a scatter's target axis).
        """
        key, labels = _key(operation, operands, tuple(summed), attribute, extra)
        return Labelled(self._value(key), labels)

    def level(self, value: Value) -> int:
        """Return the last loop that the value depends on, 0 where it depends on none."""
        return self.levels.get(value.number, 0)

    def know(self, value: Value, others: Mapping[int, Value], result: Value) -> None:
        """Let the result stand for the value computed from others, by number of the operands."""
        self._known.setdefault(_from_others(value, others), result)

    def again(self, value: Value, others: Mapping[int, Value]) -> Value:
        """Return the value computed from others, by number of the operands."""
        return self._value(_from_others(value, others))

    def _value(self, key: _Key) -> Value:
        value = self._known.get(key)
        if value is None:
            value = Value(len(self.nodes), *key, boolean=_holds_truths(key))
            self.nodes.append(value)
            self._known[key] = value
            level = max(map(self.level, key.operands), default=0)
            level = self.loops if key.operation in ("carry", "result") else level
            if level:
                self.levels[value.number] = level
        return value


def _from_others(value: Value, others: Mapping[int, Value]) -> _Key:
    operands = tuple(others.get(operand.number, operand) for operand in value.operands)
    kept = (value.subscripts, value.dimensions, value.rank, value.attribute)
    return _Key(value.operation, operands, *kept)


def _holds_truths(key: _Key) -> bool:
    """Whether the value holds truth values: a comparison, or what shows one."""
    return key.operation in TRUTH or (key.operation == "step" and key.operands[0].boolean)


def _sets_dtype(operand: Labelled) -> bool:
    """Whether arithmetic with the operand has the network's dtype: that of a number is open."""
    return not (operand.value.boolean or operand.value.operation in ("literal", "size"))


def _key(
    operation: str,
    operands: Sequence[Labelled],
    summed: tuple[Label, ...] = (),
    attribute: Hashable = None,
    extra: Sequence[tuple[Label, Dimension]] = (),
) -> tuple[_Key, tuple[Label, ...]]:
    """Number the dimensions by first appearance; return the key and the result's labels."""
    found: dict[Label, Dimension] = {}
    for operand in operands:
        for label, dimension in zip(operand.labels, operand.value.axes, strict=True):
            found.setdefault(label, dimension)
    for label, dimension in extra:
        found.setdefault(label, dimension)
    kept = tuple(label for label in found if label not in summed)
    place = {label: k for k, label in enumerate((*kept, *(s for s in summed if s in found)))}
    subscripts = tuple(tuple(place[label] for label in o.labels) for o in operands)
    dimensions = tuple(found[label] for label in place)
    values = tuple(operand.value for operand in operands)
    return _Key(operation, values, subscripts, dimensions, len(kept), attribute), kept


def reachable(outputs: Iterable[Value], stop: Collection[int] = ()) -> list[Value]:
    """Return the outputs and all that they are computed from, in the order of making.

    Values whose numbers are in ``stop`` are included, what they are computed from is not.
    """
    seen: set[int] = set()
    found: list[Value] = []
    stack = list(outputs)
    while stack:
        value = stack.pop()
        if value.number not in seen:
            seen.add(value.number)
            found.append(value)
            if value.number not in stop:
                stack.extend(value.operands)
    return sorted(found, key=lambda value: value.number)
