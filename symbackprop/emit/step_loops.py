"""Loops over the steps of a recurrence, as source of a training step.

Every array that a step reads or writes is bound once, for all steps, as one list of tuples:
a step fetches its own and slices nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from symbackprop.emit.runs import tokens
from symbackprop.equations import Variable
from symbackprop.lowering.program import LoopStatement, Part, Statement
from symbackprop.lowering.values import Labelled, Value
from symbackprop.printing.statements import StatementPrinter


@dataclass(frozen=True)
class PrintedLoop:
    """A loop as source.

    Attributes:
        starts: statements before it.
        steps: the statements of a step, and what each computes.
        bound: the expression of each name that a step fetches, for step ``k``.
        order: the range of the steps.
    """

    starts: list[str]
    steps: list[tuple[list[str], Variable | None]]
    bound: Mapping[str, str]
    order: str


def printed_loop(
    printer: StatementPrinter,
    loop: LoopStatement,
    variable_of: Callable[[Value], Variable | None],
) -> PrintedLoop:
    """Print a loop; names that differ from step to step are taken from the printer's views."""
    starts = [line for first, start in loop.starts for line in _start(printer, loop, first, start)]
    steps = []
    for statement in loop.statements:
        steps.append((printer.statement(statement), _variable(loop, statement, variable_of)))
    parts = {name: part.source for name, part in {**loop.parts, **printer.parts}.items()}
    while inner := {n: e for n, e in printer.bound.items() if parts.keys() & tokens([e]).keys()}:
        for name, expression in inner.items():
            parts[name] = _replaced(expression, parts)
            del printer.bound[name]
    read = tokens(line for lines, _ in steps for line in lines)
    bound = {name: parts[name] for name in read if name in parts}
    count = loop.loop.extent
    order = f"range({count - 1}, -1, -1)" if loop.loop.backwards else f"range(0, {count})"
    return PrintedLoop(starts, steps, bound, order)


def _start(
    printer: StatementPrinter, loop: LoopStatement, first: Part, start: Labelled | None
) -> Iterable[str]:
    name = printer.bind(f"{first.array}_start", first.source)
    if start is None:
        return [f"{name}.fill(0)"]
    before = next(c.before for c in loop.loop.carries if c.start is start)
    axes = tuple(int(str(label)) for label in start.labels)
    text = printer.aligned(start.value, axes, list(printer.layout.order(before)))
    return [f"{name}[...] = {text.source}"]


def _variable(
    loop: LoopStatement, statement: Statement, variable_of: Callable[[Value], Variable | None]
) -> Variable | None:
    result = loop.loop.results.get(statement.value.number)
    return variable_of(result) if result else None


def _replaced(expression: str, parts: Mapping[str, str]) -> str:
    names = "|".join(sorted(map(re.escape, parts), key=len, reverse=True))
    return re.sub(rf"(?<![\w.])(?:{names})(?!\w)", lambda match: parts[match.group()], expression)
