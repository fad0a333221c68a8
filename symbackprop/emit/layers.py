"""The plain path as source: forward, backward, loss and its gradient."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symbackprop.emit.body import Body
from symbackprop.emit.comments import Comments
from symbackprop.equations import Variable
from symbackprop.lowering.plain import FREE
from symbackprop.lowering.program import Assignment, HeadFunction, HeadProgram, PlainProgram, unused
from symbackprop.lowering.values import Value
from symbackprop.network import Network
from symbackprop.numpy_printer import NumpyPrinter, place


@dataclass
class Shared:
    """What the printed functions need from the module: constants and helper functions."""

    constants: dict[str, str]
    helpers: set[str]


def forward_body(
    network: Network, program: PlainProgram, comments: Comments, shared: Shared
) -> Body:
    """Return forward: every layer, then the output and the cache."""
    body = Body()
    printer = _printer(network, program, program.forward_names, shared)
    _assignments(body, printer, program.forward, comments)
    cache = cached_names(network, program)
    entries = ", ".join(f'"{key}": {name}' for key, name in cache.items())
    body.add([f"cache = {{{entries}}}", f"return {cache[network.output.name]}, cache"])
    return body


def cached_names(network: Network, program: PlainProgram) -> dict[str, str]:
    """Return what forward leaves for backward, x, every z and a, and what is costly: key to name."""
    kept = {v.name: program.forward_names[program.results[v]] for v in program.results}
    saved = [program.forward_names[number] for number in program.saved]
    return {network.input.name: network.input.name, **kept, **{name: name for name in saved}}


def backward_body(
    network: Network, program: PlainProgram, comments: Comments, shared: Shared
) -> Body:
    """Return backward: from ∂E/∂output to all gradients."""
    body = Body()
    printer = _printer(network, program, program.backward_names, shared)
    inner = Body()
    _assignments(inner, printer, program.backward, comments)
    cached = dict.fromkeys(cached_names(network, program).values())
    read = [name for name in cached if reads(inner.text, name)]
    body.add(f'{name} = cache["{name}"]' for name in read)
    body.append(inner)
    learned = [(p.variable.name, p.variable.bar()) for p in network.parameters]
    entries = [(name, _gradient(program, v)) for name, v in (*learned, ("x", network.input.bar()))]
    pairs = ", ".join(f'"{name}": {text}' for name, text in entries if text)
    body.add([f"return {{{pairs}}}"])
    return body


def _gradient(program: PlainProgram, variable: Variable) -> str:
    number = program.gradients.get(variable)
    return "" if number is None else program.backward_names[number]


def head_bodies(
    heads: Sequence[HeadProgram], comments: Comments, shared: Shared
) -> tuple[Body, Body]:
    """Return loss and loss_gradient; forms of the target are told apart by its number of axes."""
    loss = _by_form([(head, head.loss) for head in heads], comments, shared)
    gradient = _by_form([(head, head.gradient) for head in heads], comments, shared)
    return loss, gradient


def _by_form(
    functions: Sequence[tuple[HeadProgram, HeadFunction]], comments: Comments, shared: Shared
) -> Body:
    body = Body()
    for k, (head, function) in enumerate(functions):
        last = k == len(functions) - 1
        inner = Body(depth=1 if last else 2)
        names = dict(function.names)
        printer = NumpyPrinter(head.layout, names, shared.constants, shared.helpers)
        _assignments(inner, printer, function.assignments, comments)
        named = function.result.number in printer.names
        result = printer.value(function.result).source
        inner.add([f"return {result}"] if named else short(printer, function.result, "return "))
        if last:
            body.append(inner)
        else:
            body.nested(f"if y.ndim == {len(head.target.axes)}:", inner)
    return body


def reads(text: str, name: str) -> bool:
    """Whether the source reads the name."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return re.search(rf"(?<![\w\".]){re.escape(name)}(?![\w\"])", code) is not None


def _printer(
    network: Network, program: PlainProgram, given: Mapping[int, str], shared: Shared
) -> NumpyPrinter:
    names = dict(given)
    parameters = {p.variable.name for p in network.parameters}
    for number, name in names.items():
        if name in parameters and number in program.inputs:
            names[number] = f'params["{name}"]'
    return NumpyPrinter(program.layout, names, shared.constants, shared.helpers)


def _assignments(
    body: Body, printer: NumpyPrinter, assignments: Sequence[Assignment], comments: Comments
) -> None:
    for assignment in assignments:
        remark = comments.of(assignment.variable)
        computes = assignment.variable.name if assignment.variable else ""
        body.add(_statements(printer, assignment), computes, remark)


def _statements(printer: NumpyPrinter, assignment: Assignment) -> list[str]:
    value, name = assignment.value, assignment.name
    printer.names[value.number] = name
    if value.operation not in ("put", "add_at"):
        return short(printer, value, f"{name} = ")
    base = printer.value(value.operands[0])
    fresh = value.operands[0].number not in printer.names
    start = base.source if fresh else f"{base.source}.copy()"
    sign = "=" if value.operation == "put" else "+="
    new = printer.value(value.operands[2]).source
    return [f"{name} = {start}", f"{name}[{place(printer, value)}] {sign} {new}"]


def short(printer: NumpyPrinter, value: Value, start: str, room: int = 80) -> list[str]:
    """Return the statement ``start value``, its longest parts named first where it is too long."""
    lines: list[str] = []
    while len(text := f"{start}{printer.computed(value).source}") > room:
        parts = _inline(printer, value)
        if not parts:
            break
        part = max(parts, key=lambda o: (len(printer.computed(o).source), -o.number))
        name = unused("t", set(printer.names.values()))
        lines += short(printer, part, f"{name} = ", room)
        printer.names[part.number] = name
    return [*lines, text]


def _inline(printer: NumpyPrinter, value: Value) -> list[Value]:
    """Return the operands that are printed in place and worth a name."""
    return [o for o in value.operands if o.number not in printer.names and o.operation not in FREE]
