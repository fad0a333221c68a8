"""What lowering hands to emission: named values in order, and where each is stored."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from symbackprop.equations import Adjoint, Equation, Variable
from symbackprop.lowering.layout import Layout
from symbackprop.lowering.loops import Carry, Loop
from symbackprop.lowering.values import Labelled, Value
from symbackprop.sizes import Whole

Kind = Literal["float", "bool", "index"]


# How a value without a name of its own is called, by what makes it; others are t.
STEMS: Mapping[str, str] = {
    "exp": "e",
    "expm1": "e",
    "log": "ln",
    "log1p": "ln",
    "sqrt": "root",
    "largest": "m",
    "smallest": "m",
    "argmax": "at",
    "argmin": "at",
}

# Operations with something in between that is as large as the result, and what it holds.
ROOMY: Mapping[str, Kind] = {"first": "bool", "others": "float"}


def unused(stem: str, taken: Container[str]) -> str:
    """Return the stem, or with the first number that makes a name not taken."""
    names = (f"{stem}_{k}" if k else stem for k in count())
    return next(name for name in names if name not in taken)


# Sections of every step; of the heads only one runs, after "forward".
COMMON = ("forward", "backward", "penalty", "input")


def visible_from(section: str) -> tuple[str, ...]:
    """Return the sections whose values a section reads, itself last."""
    return ("forward", "backward", section) if section == "input" else ("forward", section)


@dataclass(frozen=True)
class Assignment:
    """``name = value``, as a value that later statements read by name.

    Attributes:
        value: what is computed.
        variable: the variable that it is, or None for a subexpression used more than once.
        source: the equation or adjoint that it comes from.
        owner: the position of the layer, 0 for the loss.
        steps: of a loop, of which the value is a result.
    """

    value: Value
    name: str
    variable: Variable | None
    source: Equation | Adjoint | None
    owner: int
    steps: Steps | None = None


@dataclass(frozen=True)
class Steps:
    """A loop of the plain path.

    Attributes:
        arrays: results that are arrays.
        carries: what is handed on, and the name of all of it, the start included.
        assignments: of one step, in order; what an array keeps has no name of its own.
    """

    loop: Loop
    arrays: tuple[Assignment, ...]
    carries: tuple[tuple[Carry, str], ...]
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True)
class PlainProgram:
    """The layer-by-layer path: what forward saves, and what backward reads of it.

    Attributes:
        forward, backward: assignments in order.
        saved: value numbers that forward puts into the cache, in order.
        results, gradients: the value of each z and a, and of each gradient, by variable.
        inputs: numbers of the values that are given.
        forward_names, backward_names: by value number, in either function.
        variables: by value number, the name of the variable that the value is.
        updated: by running statistic, its new value.
    """

    layout: Layout
    forward: tuple[Assignment, ...]
    backward: tuple[Assignment, ...]
    saved: tuple[int, ...]
    results: Mapping[Variable, int]
    gradients: Mapping[Variable, int]
    inputs: frozenset[int]
    forward_names: Mapping[int, str]
    backward_names: Mapping[int, str]
    variables: Mapping[int, str]
    updated: Mapping[Variable, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class HeadFunction:
    """A function of output and target: assignments, then the value that it returns."""

    assignments: tuple[Assignment, ...]
    result: Value
    names: Mapping[int, str]


@dataclass(frozen=True)
class HeadProgram:
    """The loss for one form of the target, and its gradient for the network's output.

    ``variables``: by value number, the name of the variable that the value is.
    """

    target: Variable
    layout: Layout
    loss: HeadFunction
    gradient: HeadFunction
    variables: Mapping[int, str]


@dataclass(frozen=True)
class Buffer:
    """An array that a step writes.

    Attributes:
        shape: extents in memory order; ``None`` stands for the batch.
        offset: where it starts in the arena of its kind, in elements (per sample, where it has
            a batch axis).
        ones: one more row than ``shape`` says, filled with 1.
        section: the head whose own it is, or empty.
    """

    name: str
    shape: tuple[Whole | None, ...]
    kind: Kind
    offset: Whole
    ones: bool = False
    section: str = ""

    @property
    def per_sample(self) -> Whole:
        """Elements for one sample (or in all, without a batch axis)."""
        size: Whole = 1
        for position, extent in enumerate(self.shape):
            if extent is not None:
                size *= extent + (self.ones and position == 0)
        return size

    @property
    def batched(self) -> bool:
        """Whether it grows with the batch."""
        return None in self.shape


@dataclass(frozen=True)
class Statement:
    """One operation that writes ``target`` (or, without one, binds the name of a number).

    Attributes:
        operation: of ``value``, or ``affine`` / ``affine_gradient``: a contraction with the
            bias as one more row.
        reused: the operand whose memory the target is, or None.
        place: the array of positions that a look-up goes by, or room for what is in between.
    """

    value: Value
    target: str
    operation: str
    owner: int
    source: Equation | Adjoint | None
    reused: int | None = None
    place: str = ""


@dataclass(frozen=True)
class Part:
    """A view of an array: one place along an axis, or all but one.

    Where it is a ``number``, a bare place would copy it.
    """

    array: str
    axis: int
    place: str
    number: bool = False

    @property
    def source(self) -> str:
        """The expression of the view."""
        places = [*[":"] * self.axis, self.place, *(["..."] if self.number else [])]
        return f"{self.array}[{', '.join(places)}]"


@dataclass(frozen=True)
class LoopStatement:
    """Statements that run once for each step of a recurrence.

    Attributes:
        starts: where the first step reads, and what: a value, or None for 0.
        parts: by the names that stand in the statements, the step ``k`` of an array.
    """

    loop: Loop
    starts: tuple[tuple[Part, Labelled | None], ...]
    statements: tuple[Statement, ...]
    parts: Mapping[str, Part]
    owner: int


@dataclass(frozen=True)
class Section:
    """Statements that run together: one of ``COMMON``, or a head's form."""

    name: str
    statements: tuple[Statement | LoopStatement, ...]
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ArrayProgram:
    """A scheduled training step with its storage plan.

    Attributes:
        names: by section and value number, the array or number that holds the value.
        scaled: the mean's 1/N is left to the very end, to the flat gradient.
        fused: parameters whose layer reads [W|b] as one block.
        copied: by the name of its array, how the axes of an input lie in its copy.
        views: names of views of arrays, by section.
    """

    layout: Layout
    sections: tuple[Section, ...]
    buffers: tuple[Buffer, ...]
    names: Mapping[tuple[str, int], str]
    scaled: bool
    fused: bool
    copied: Mapping[str, tuple[int, ...]]
    views: Mapping[str, Part]
