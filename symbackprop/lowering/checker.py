"""What lowering must keep, checked after each of its stages.

values   every operand is made before it is read, ranks and extents agree, truth values and
         positions stand only where they may
program  simulated statement by statement: what is read has been written, and nothing has
         been written over it since; rows of ones stay
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from symbackprop.lowering.program import (
    COMMON,
    ROOMY,
    ArrayProgram,
    Buffer,
    LoopStatement,
    Part,
    Section,
    Statement,
    visible_from,
)
from symbackprop.lowering.values import Value
from symbackprop.scalar import ARITY, TRUTH
from symbackprop.sizes import MODERATE, at

_SPARE = (0, 1, MODERATE)  # more than the least that a name stands for
_MAPS = frozenset(ARITY) | {"subtract", "square", "number"}
_REDUCTIONS = frozenset({"total", "largest", "smallest", "product", "argmax", "argmin"})
_TAKES_TRUTH: Mapping[str, Callable[[int], bool]] = {
    **dict.fromkeys([*TRUTH, "number", "multiply", "total", "contract", "step"], lambda _: True),
    "result": lambda _: True,
    "where": lambda position: position == 0,
}
_TAKES_POSITIONS: Mapping[str, Callable[[int], bool]] = {
    **dict.fromkeys(
        [*TRUTH, "number", "clip", "place", "broadcast", "slice", "step"], lambda _: True
    ),
    **dict.fromkeys(["take", "put", "add_at"], lambda position: position == 1),
}


class LoweringError(Exception):
    """A stage of lowering broke what the next one relies on: a bug, not bad input."""


def check_values(values: Sequence[Value]) -> None:
    """Check nodes of a value graph, given in the order in which they were made.

    Raises:
        LoweringError: which node breaks which rule.
    """
    for value in values:
        for rule, holds in _RULES.items():
            if not holds(value):
                raise LoweringError(f"value {value.number} ({value.operation}): {rule}")


def _extents_agree(value: Value) -> bool:
    return all(
        value.dimensions[dimension].extent == axis.extent
        for operand, subscript in zip(value.operands, value.subscripts, strict=True)
        for dimension, axis in zip(subscript, operand.axes, strict=True)
    )


def _allowed(value: Value, table: Mapping[str, Callable[[int], bool]], position: int) -> bool:
    rule = table.get(value.operation)
    return rule is not None and rule(position)


def _is_complete(value: Value) -> bool:
    read = {dimension for subscript in value.subscripts for dimension in subscript}
    whole = read == set(range(len(value.dimensions)))
    if value.operation in _MAPS:
        return whole and value.rank == len(value.dimensions)
    if value.operation == "contract" or value.operation in _REDUCTIONS:
        count = 2 if value.operation == "contract" else 1
        return whole and value.rank < len(value.dimensions) and len(value.operands) == count
    return True


_RULES: Mapping[str, Callable[[Value], bool]] = {
    "an operand is made later": lambda v: all(o.number < v.number for o in v.operands),
    "the rank exceeds the dimensions": lambda v: 0 <= v.rank <= len(v.dimensions),
    "an operand's axes are not its subscript": lambda v: (
        [o.rank for o in v.operands] == [*map(len, v.subscripts)]
    ),
    "a subscript names one dimension twice": lambda v: all(
        len(set(subscript)) == len(subscript) for subscript in v.subscripts
    ),
    "a subscript is no dimension": lambda v: all(
        0 <= d < len(v.dimensions) for subscript in v.subscripts for d in subscript
    ),
    "extents differ along a dimension": _extents_agree,
    "dimensions do not fit the operation": _is_complete,
    "truth values where numbers must stand": lambda v: all(
        not o.boolean or _allowed(v, _TAKES_TRUTH, k) for k, o in enumerate(v.operands)
    ),
    "positions where numbers must stand": lambda v: all(
        not o.integer or _allowed(v, _TAKES_POSITIONS, k) for k, o in enumerate(v.operands)
    ),
    "truth values must come from comparisons": lambda v: (
        v.boolean == (v.operation in TRUTH) or v.operation == "step"
    ),
}


def check_program(program: ArrayProgram, afterwards: Iterable[Value] = ()) -> None:
    """Run the storage plan without numbers, once for each form of the target.

    Args:
        program: what is about to be printed.
        afterwards: values that are computed from what a step leaves behind.

    Raises:
        LoweringError: which statement reads what is not there, or writes where it reads.
    """
    heads = [section.name for section in program.sections if section.name not in COMMON]
    for head, numbered in product(heads or [""], _with_numbers(program)):
        run = _Run(numbered)
        sections = [s for s in program.sections if s.name in (*COMMON, head)]
        for section in sections:
            run.section(section)
        run.afterwards(afterwards)


def _with_numbers(program: ArrayProgram) -> list[ArrayProgram]:
    """Return the program as it is for some values of the extents known by name."""
    if all(isinstance(buffer.per_sample, int) for buffer in program.buffers):
        return [program]
    found = []
    for spare in _SPARE:
        buffers = []
        for b in program.buffers:
            shape = tuple(None if extent is None else at(extent, spare) for extent in b.shape)
            buffers.append(replace(b, shape=shape, offset=at(b.offset, spare)))
        found.append(replace(program, buffers=tuple(buffers)))
    return found


@dataclass
class _Memory:
    """Which value lies where, by intervals of elements."""

    taken: list[tuple[int, int, object]] = field(default_factory=list)

    def write(self, start: int, stop: int, holder: object) -> None:
        first = bisect_right(self.taken, start, key=lambda entry: entry[1])
        last = bisect_left(self.taken, stop, key=lambda entry: entry[0])
        cut = self.taken[first:last]
        self.taken[first:last] = []
        if start == stop:
            return
        for left, right, other in cut:
            if left < start:
                insort(self.taken, (left, start, other), key=lambda entry: entry[0])
            if right > stop:
                insort(self.taken, (stop, right, other), key=lambda entry: entry[0])
        insort(self.taken, (start, stop, holder), key=lambda entry: entry[0])

    def holder(self, start: int, stop: int) -> object:
        """Return what lies in the whole interval, or None."""
        first = bisect_right(self.taken, start, key=lambda entry: entry[1])
        found = self.taken[first] if first < len(self.taken) else None
        return found[2] if found and found[0] <= start and stop <= found[1] else None


class _Run:
    """One step: sections in order, with what every array holds."""

    def __init__(self, program: ArrayProgram) -> None:
        self.program = program
        self.memory: dict[tuple[str, bool], _Memory] = {}
        self.buffers: dict[str, Buffer] = {}
        self.apart: dict[str, object] = {}  # arrays and numbers outside of the arenas
        self.names: dict[int, str] = {}
        self.parts: Mapping[str, Part] = {}  # while the steps of a loop run
        self.collected: set[str] = set()  # arrays of all steps
        for buffer in program.buffers:
            if buffer.ones:
                start, stop = _rows(buffer)
                self._arena(buffer).write(stop, stop + (stop - start) // _known(buffer), "ones")
        self._enter("")

    def section(self, section: Section) -> None:
        """Run the section's statements; afterwards its outputs and the rows of ones are there."""
        self._enter(section.name)
        for statement in section.statements:
            if isinstance(statement, LoopStatement):
                self._loop(section, statement)
            else:
                self._statement(section, statement)
        made = {array: number for number, array in sorted(self.names.items())}
        for name, array in section.outputs.items():
            if array in made and not self._holds(made[array], array):
                raise LoweringError(f"{section.name} does not leave {name} in {array}")
            self.apart[name] = made.get(array)
        for buffer in self.program.buffers:
            if buffer.ones and buffer.section in ("", section.name):
                start, stop = _rows(buffer)
                row = (stop - start) // _known(buffer)
                if self._arena(buffer).holder(stop, stop + row) != "ones":
                    raise LoweringError(f"{section.name}: the row of ones of {buffer.name} is lost")

    def afterwards(self, values: Iterable[Value]) -> None:
        """Read what is computed last."""
        self._enter("input")
        for value in values:
            for operand in value.operands:
                self._read("at the end", operand)

    def _enter(self, section: str) -> None:
        visible = ("", section)
        self.buffers = {b.name: b for b in self.program.buffers if b.section in visible}
        numbered = self.program.names.items()
        self.names = {
            number: name
            for part in visible_from(section)
            for (owner, number), name in numbered
            if owner == part
        }

    def _arena(self, buffer: Buffer) -> _Memory:
        return self.memory.setdefault((buffer.kind, buffer.batched), _Memory())

    def _statement(self, section: Section, statement: Statement) -> None:
        place = f"{section.name}: {statement.target} = {statement.operation}"
        if statement.operation == "masks":
            self._masks(section, statement)
            return
        if statement.operation in ROOMY:  # written there, over whatever it held
            self._write(statement.place, -1)
        for k, operand in enumerate(statement.value.operands):
            for value in self._read(place, operand):
                self._apart_from_target(place, statement, k, value)
        if statement.place and statement.operation not in ROOMY:
            held = [n for n, name in self.names.items() if name == statement.place]
            if not any(self._holds(number, statement.place) for number in held):
                raise LoweringError(f"{place} goes by {statement.place}, which is not there")
        self._write(statement.target, statement.value.number)

    def _loop(self, section: Section, loop: LoopStatement) -> None:
        """Run the steps twice: what the first leaves must be there in the second."""
        place = f"{section.name}: the first step"
        for _, start in loop.starts:
            if start is not None:
                self._read(place, start.value)
        self.parts = loop.parts
        self.collected |= (arrays := {self._root(name) for name in loop.parts})
        for name in sorted(arrays):
            self._write(name, name)
        for statement in (*loop.statements, *loop.statements):
            self._statement(section, statement)
        for name in sorted(arrays):
            if not self._holds(name, name):
                raise LoweringError(f"{section.name}: a step writes over {name}")
        self.parts = {}

    def _root(self, name: str) -> str:
        """Return the array that the name shows some steps of, or all."""
        array = self.parts[name].array if name in self.parts else name
        return self.program.views[array].array if array in self.program.views else array

    def _masks(self, section: Section, statement: Statement) -> None:
        """All masks at once: each lies in the target's memory, under a name of its own."""
        target = self.buffers[statement.target]
        start, stop = _rows(target)
        alone = (s for s in section.statements if isinstance(s, Statement))
        read = {o.number: o for s in alone for o in s.value.operands}
        for number, name in self.names.items():
            buffer, value = self.buffers.get(name), read.get(number)
            if buffer is None or value is None or value.operation != "greater":
                continue
            same = (buffer.kind, buffer.batched) == (target.kind, target.batched)
            if same and start <= buffer.offset and _rows(buffer)[1] <= stop:
                self._read(f"{section.name}: {name}", value.operands[0])
                self._write(name, number)

    def _write(self, target: str, number: object) -> None:
        if self._is_piece(target):
            whole = self.program.views[target].array
            if not self._holds(whole, whole):
                self._write(whole, whole)
            self.apart[target] = number
            return
        target = self._root(target)
        if target in self.collected and self.parts:  # it holds every step
            number = target
        self.collected -= set() if self.parts else {target}
        buffer = self.buffers.get(target)
        if buffer is None:
            self.apart[target] = number
        else:
            self._arena(buffer).write(*_rows(buffer), number)

    def _is_piece(self, name: str) -> bool:
        """Whether the name shows one place of an array, which is written place by place."""
        return name in self.program.views and self.program.views[name].place.isdigit()

    def _holds(self, number: object, name: str) -> bool:
        if self._is_piece(name):
            whole = self.program.views[name].array
            return self._holds(whole, whole) and self.apart.get(name) == number
        name = self._root(name)
        number = name if name in self.collected else number
        buffer = self.buffers.get(name)
        if buffer is None:
            return self.apart.get(name) == number
        return self._arena(buffer).holder(*_rows(buffer)) == number

    def _read(self, place: str, value: Value) -> list[Value]:
        """Check that all that the value is printed from is there; return the stored ones."""
        found = []
        stack = [value]
        while stack:
            value = stack.pop()
            name = self.names.get(value.number)
            if name is None and value.operation != "input":
                stack.extend(value.operands)
                continue
            found.append(value)
            if name is None:
                name = value.variable.name
                given = name not in self.buffers
                present = given or self._holds(self.apart.get(name), name)
            else:
                present = self._holds(value.number, name) or self._is_given(value, name)
            if not present:
                raise LoweringError(f"{place} reads {name}, which is not there or no more")
        return found

    def _is_given(self, value: Value, name: str) -> bool:
        """Whether the value is an input that is copied in before the first statement."""
        if value.operation != "input":
            return False
        buffer = self.buffers.get(name)
        if buffer is None:
            return True
        start, stop = _rows(buffer)
        if self.apart.get(f"given {name}") is not None:
            return False
        self.apart[f"given {name}"] = value.number
        self._arena(buffer).write(start, stop, value.number)
        return True

    def _apart_from_target(self, place: str, statement: Statement, k: int, value: Value) -> None:
        """An operand may lie where the result goes only if it is the one that is written over."""
        target = self.buffers.get(statement.target)
        name = self.names.get(value.number, "")
        operand = self.buffers.get(name)
        if target is None or operand is None or self._arena(target) is not self._arena(operand):
            return
        (start, stop), (first, last) = _rows(target), _rows(operand)
        in_place = statement.reused is not None and (start, stop) == (first, last)
        same = in_place and value is statement.value.operands[statement.reused or 0]
        if not same and first < stop and start < last:
            raise LoweringError(f"{place} writes where it reads operand {k}, {name}")


def _rows(buffer: Buffer) -> tuple[int, int]:
    """Return where the array's own rows start and stop, without a row of ones."""
    start, size = buffer.offset, buffer.per_sample
    assert isinstance(start, int)
    assert isinstance(size, int)
    if buffer.ones and buffer.shape[0] is not None:
        size -= size // (_known(buffer) + 1)
    return start, start + size


def _known(buffer: Buffer) -> int:
    rows = buffer.shape[0]
    assert isinstance(rows, int)
    return rows
