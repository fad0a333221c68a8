"""Loops over the steps of a recurrence, as source of the plain path."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symbackprop.emit.comments import Comments
from symbackprop.emit.runs import Piece
from symbackprop.equations import Equation
from symbackprop.lowering.loops import Carry, step_of
from symbackprop.lowering.program import Assignment, Steps
from symbackprop.lowering.values import Labelled, Value
from symbackprop.printing.expressions import NumpyPrinter

Write = Callable[[Assignment, str], list[str]]


def loop_pieces(
    printer: NumpyPrinter, steps: Steps, comments: Comments, write: Write
) -> tuple[Piece, ...]:
    """Return the statements of a loop: its arrays, what the first step reads, the steps.

    Args:
        printer: knows the names of all that is made before it.
        steps: the loop.
        comments: of what it computes.
        write: returns the statements of an assignment under this name.
    """
    names = {assignment.value.number: assignment.name for assignment in steps.arrays}
    lines: list[str] = []
    made: set[str] = set()
    for carry, whole in steps.carries:
        lines += _handed_on(printer, steps, carry, whole, names)
        made |= {names[steps.loop.results[v.number].number] for v in (carry.before, carry.after)}
    for array in steps.arrays:
        if array.name not in made:
            lines.append(f"{array.name} = np.empty({printer.shape(array.value)}, dtype)")
    for array in steps.arrays:
        printer.names[array.value.number] = array.name
        place = _at(printer, steps, array.value, "t")
        printer.names[step_of(array.value).number] = f"{array.name}{place}"
    count = f"range({steps.loop.extent})"
    lines.append(f"for t in {f'reversed({count})' if steps.loop.backwards else count}:")
    pieces = [Piece(tuple(lines))]
    for assignment in steps.assignments:
        name = printer.names.get(assignment.value.number, assignment.name)
        own = assignment.variable.name if assignment.variable else ""
        text = (*write(assignment, name), *(_given(name) if _is_held(assignment) else ()))
        pieces.append(Piece(text, own, comments.of(assignment.variable), depth=1))
    return tuple(pieces)


def _is_held(assignment: Assignment) -> bool:
    """Whether a step of a recurrence holds this constant."""
    source, variable = assignment.source, assignment.variable
    return isinstance(source, Equation) and source.held and source.target.variable == variable


def _given(name: str) -> list[str]:
    array, _, place = name.partition("[")
    return ["if held is not None:", f'    {name} = held["{array}"][{place}']


def _handed_on(
    printer: NumpyPrinter, steps: Steps, carry: Carry, whole: str, names: dict[int, str]
) -> Sequence[str]:
    """Return what makes the array of the start and of every step after it, and its two views."""
    before, after = (steps.loop.results[v.number] for v in (carry.before, carry.after))
    shape = _longer(printer, steps, after)
    early, late = (_at(printer, steps, after, part) for part in (":-1", "1:"))
    views = (late, early) if steps.loop.backwards else (early, late)
    lines = [f"{whole} = np.{'zeros' if carry.start is None else 'empty'}({shape}, dtype)"]
    lines.append(
        f"{names[before.number]}, {names[after.number]} = {whole}{views[0]}, {whole}{views[1]}"
    )
    if carry.start is not None:
        first = _at(printer, steps, before, "-1" if steps.loop.backwards else "0")
        lines.append(f"{names[before.number]}{first} = {_start(printer, carry.start, carry)}")
    return lines


def _start(printer: NumpyPrinter, start: Labelled, carry: Carry) -> str:
    axes = [int(str(label)) for label in start.labels]
    return printer.aligned(start.value, axes, list(printer.layout.order(carry.before))).source


def _axis(printer: NumpyPrinter, steps: Steps, result: Value) -> int:
    """Return the axis of the steps, as the array lies in memory."""
    whole, _ = steps.loop.wholes[step_of(result).number]
    return printer.layout.order(result).index(steps.loop.axes[whole.number])


def _at(printer: NumpyPrinter, steps: Steps, result: Value, place: str) -> str:
    return f"[{', '.join([':'] * _axis(printer, steps, result) + [place])}]"


def _longer(printer: NumpyPrinter, steps: Steps, result: Value) -> str:
    extents = [printer.extent(result.axes[axis].extent) for axis in printer.layout.order(result)]
    extents[_axis(printer, steps, result)] = str(steps.loop.extent + 1)
    return f"({', '.join(extents)}{',' if len(extents) == 1 else ''})"
