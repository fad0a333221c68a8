"""Arrays of a training step under construction: who lives in one, from when to when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from symbackprop.equations import Role, Variable
from symbackprop.lowering.layout import Layout
from symbackprop.lowering.loops import Loop, Result, collected, step_of
from symbackprop.lowering.program import Kind, Part
from symbackprop.lowering.training import SectionValues
from symbackprop.lowering.values import POSITIONS, Value
from symbackprop.lowering.views import VIEWS
from symbackprop.sizes import Whole
from symbackprop.sizing import whole

STEP = "k"  # the place of the present step
Key = tuple[str, int]  # section and value number


class Entry(NamedTuple):
    """A value that a statement makes, in a section and perhaps in the steps of a loop."""

    section: str
    value: Value
    loop: Loop | None


@dataclass
class Home:
    """An array under construction: who lives in it, from when to when.

    With a ``base`` it is a view of another one.
    """

    shape: tuple[Whole | None, ...]
    kind: Kind
    start: int
    end: int
    variables: list[Variable] = field(default_factory=list)
    gradient: Variable | None = None
    ones: bool = False
    name: str = ""
    stem: str = "t"
    base: Home | None = None
    axis: int = 0
    part: str = ""

    @property
    def view(self) -> Part | None:
        """Which part of its base it is."""
        number = self.part == STEP and len(self.shape) == 1
        return Part(self.base.name, self.axis, self.part, number) if self.base else None


@dataclass
class Planned:
    """A statement to be: what is computed, and how."""

    section: str
    value: Value
    operation: str
    reused: int | None = None
    copied: Variable | None = None
    place: Key | None = None
    loop: Loop | None = None


def unrolled(section: SectionValues) -> Iterator[Entry]:
    """Yield the values of a section, those of a loop's steps instead of its results."""
    loops = collected(section.values)
    for value in section.values:
        if not isinstance(value.attribute, Result):
            yield Entry(section.name, value, None)
        elif results := loops.pop(value.attribute.loop, []):
            loop = value.attribute.loop
            wanted = [*map(step_of, results), *(carry.after for carry in loop.carries)]
            for step in loop.needed(wanted):
                if step.operation not in VIEWS:
                    yield Entry(section.name, step, loop)


def spans(order: Sequence[Entry]) -> dict[Loop, tuple[int, int]]:
    """Return the first and the last position of every loop."""
    found: dict[Loop, tuple[int, int]] = {}
    for position, entry in enumerate(order):
        if entry.loop:
            found[entry.loop] = (found.get(entry.loop, (position, 0))[0], position)
    return found


def kind_of(value: Value) -> Kind:
    """Return what an array of the value holds."""
    if value.boolean:
        return "bool"
    return "index" if value.operation in POSITIONS or value.operation == "place" else "float"


def shape_of(layout: Layout, value: Value) -> tuple[Whole | None, ...]:
    """Return the extents in memory order, ``None`` for the batch."""
    axes = (value.axes[axis] for axis in layout.order(value))
    return tuple(None if a.role is Role.BATCH else whole(a.extent) for a in axes)
