"""One comparison for all relu masks: activations lie side by side, so their masks can too.

On short rows a call costs as much as its arithmetic. Where samples are innermost, every
``a > 0`` of the backward pass becomes rows of one comparison over the memory that holds all
these activations, converted to numbers once, since a product with truth values converts
them anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from symbackprop.equations import is_known
from symbackprop.lowering.program import (
    ArrayProgram,
    Buffer,
    LoopStatement,
    Section,
    Statement,
    unused,
)
from symbackprop.lowering.spans import known
from symbackprop.scalar import ZERO


def join_masks(program: ArrayProgram) -> ArrayProgram:
    """Return the program with the masks of ``backward`` computed together, where they can be."""
    buffers = {buffer.name: buffer for buffer in program.buffers if not buffer.section}
    backward = next((s for s in program.sections if s.name == "backward"), None)
    if backward is None or not program.layout.batch_last:
        return program
    if not all(is_known(buffer.per_sample) for buffer in program.buffers):
        return program
    sources = {
        statement.target: buffers[name]
        for statement in _alone(backward)
        if (name := _compared(statement, program, buffers)) is not None
    }
    if len(sources) < 2 or not _worthwhile(list(sources.values())):
        return program
    return _joined(program, backward, sources)


def _alone(section: Section) -> Iterator[Statement]:
    """Yield the statements that stand in no loop."""
    return (s for s in section.statements if isinstance(s, Statement))


def _compared(
    statement: Statement, program: ArrayProgram, buffers: Mapping[str, Buffer]
) -> str | None:
    """Return the activation that the statement compares with 0, if it carries a row of ones."""
    value = statement.value
    if statement.operation != "greater" or value.operands[1].attribute != ZERO:
        return None
    name = program.names.get(("forward", value.operands[0].number))
    buffer = buffers.get(name or "")
    return name if buffer is not None and buffer.ones else None


def _worthwhile(sources: Sequence[Buffer]) -> bool:
    """Whether most of the memory from the first to the last is compared anyway."""
    start, end = _span(sources)
    return end - start <= 2 * sum(known(buffer.per_sample) for buffer in sources)


def _span(sources: Sequence[Buffer]) -> tuple[int, int]:
    start = min(known(buffer.offset) for buffer in sources)
    return start, max(_end(buffer) for buffer in sources)


def _end(buffer: Buffer) -> int:
    return known(buffer.offset + buffer.per_sample)


def _joined(
    program: ArrayProgram, backward: Section, sources: Mapping[str, Buffer]
) -> ArrayProgram:
    start, end = _span(list(sources.values()))
    taken = {buffer.name for buffer in program.buffers}
    shape = (end - start, None)
    free = max(_end(b) for b in program.buffers if b.kind == "float" and b.batched)
    hidden = Buffer(unused("hidden", taken), shape, "float", start)
    active = Buffer(unused("active", taken), shape, "bool", 0)
    masks = Buffer(unused("masks", taken), shape, "float", free)
    moved = [
        replace(b, kind="float", offset=free + sources[b.name].offset - start)
        if b.name in sources
        else b
        for b in program.buffers
    ]
    compare = next(s for s in _alone(backward) if s.target in sources)
    joint = replace(
        compare, operation="masks", target=masks.name, place=f"{hidden.name} {active.name}", owner=0
    )
    rest = tuple(
        s
        for s in backward.statements
        if isinstance(s, LoopStatement) or s.target not in sources or s.operation != "greater"
    )
    sections = tuple(
        replace(s, statements=(joint, *rest)) if s is backward else s for s in program.sections
    )
    return replace(program, sections=sections, buffers=(*moved, hidden, active, masks))
