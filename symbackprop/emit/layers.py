"""The plain path as source: forward, backward, loss and its gradient."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from symbackprop.emit.body import Body
from symbackprop.emit.comments import Comments
from symbackprop.emit.modes import Mode, branched, common, merged, with_state
from symbackprop.emit.plain_loops import Kept, Loop, in_loops, plain_loops, write_segments
from symbackprop.emit.runs import Names, Piece, Segment, tokens, variable_names, whole_turns
from symbackprop.emit.statements import short, statements
from symbackprop.emit.steps import loop_pieces
from symbackprop.equations import Variable
from symbackprop.lowering.program import Assignment, HeadFunction, HeadProgram, PlainProgram
from symbackprop.lowering.runs import NO_RUNS, EqualUnits, Unit
from symbackprop.lowering.values import Value
from symbackprop.network import Network
from symbackprop.printing.expressions import NumpyPrinter


@dataclass
class Shared:
    """What the printed functions need from the module: constants, helpers, bare NumPy functions."""

    constants: dict[str, str]
    helpers: set[str]
    functions: set[str]


def forward_body(modes: Sequence[Mode], shared: Shared, equal: EqualUnits) -> Body:
    """Return forward: every layer, then the output and the cache."""
    network = modes[0].network
    printers = [_printer(m.network, m.program, m.program.forward_names, shared) for m in modes]
    caches = [cached_names(mode.network, mode.program) for mode in modes]
    pairs = zip(modes, printers, caches, strict=True)
    segments = merged(
        [_forward_segments(mode, printer, kept, equal) for mode, printer, kept in pairs]
    )
    cache, own = common(caches), _own(caches)
    kept = Kept("cache", cache, _parameters(network), own=own)
    loops = plain_loops(segments, _names(network, printers, equal), equal, kept)
    body = Body()
    given = {v.name: cache.pop(v.name) for v in network.inputs}
    if len(modes) > 1:
        given["training"] = "training"
    if loops:
        body.add([f"cache = {{{_pairs(given)}}}"])
    result = cache[network.output.name]
    rest, *own = (_outside(loops, equal, entries) for entries in (cache, *own))
    wanted = [result, *rest.values(), *(name for entries in own for name in entries.values())]
    write_segments(body, segments, loops, wanted)
    body.add([f"cache |= {{{_pairs(rest)}}}" if loops else f"cache = {{{_pairs(given | rest)}}}"])
    body.add(branched([_kept("cache", entries) for entries in own]))
    body.add([f"return {result}, cache"])
    return body


def _forward_segments(
    mode: Mode, printer: NumpyPrinter, cache: Mapping[str, str], equal: EqualUnits
) -> list[Segment]:
    """Return what every layer contributes to forward, draws and running statistics included."""
    segments = _segments(printer, mode.program.forward, mode.comments, equal)
    units = {layer.owner: equal.unit(layer.position) for layer in mode.network.layers}
    updates: dict[Unit, list[Piece]] = {}
    for variable, value in mode.program.updated.items():
        unit, remark = units[variable.owner], mode.comments.of_update(variable)
        printer.width = partial(equal.width, unit=unit)
        lines = short(
            printer, value, f'state["{variable.name}"][...] = ', Variable("t", variable.owner).name
        )
        updates.setdefault(unit, []).append(Piece(tuple(lines), "", remark))
    return with_state(mode.network, segments, updates, cache.values(), equal)


def _own(modes: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the entries of each mode that are not those of all."""
    shared = common(modes)
    return [{k: v for k, v in entries.items() if k not in shared} for entries in modes]


def _outside(
    loops: Mapping[Unit, Loop], equal: EqualUnits, entries: Mapping[str, str]
) -> dict[str, str]:
    """Return the entries that no loop keeps."""
    return {key: name for key, name in entries.items() if not in_loops(loops, equal, key)}


def _kept(where: str, entries: Mapping[str, str]) -> list[str]:
    return [f"{where} |= {{{_pairs(entries)}}}"] if entries else []


def _names(network: Network, printers: Sequence[NumpyPrinter], equal: EqualUnits) -> Names:
    used = (name for printer in printers for name in printer.names.values())
    return Names({*variable_names(network), *used}, equal)


def cached_names(network: Network, program: PlainProgram) -> dict[str, str]:
    """Return what forward leaves for backward, key to name: x, every z and a, what is costly."""
    kept = {v.name: program.forward_names[program.results[v]] for v in program.results}
    saved = [program.forward_names[number] for number in program.saved]
    given = {variable.name: variable.name for variable in network.inputs}
    return {**given, **kept, **{name: name for name in saved}}


def backward_body(modes: Sequence[Mode], shared: Shared, equal: EqualUnits) -> Body:
    """Return backward: from ∂E/∂output to all gradients."""
    network = modes[0].network
    printers = [_printer(m.network, m.program, m.program.backward_names, shared) for m in modes]
    pairs = zip(modes, printers, strict=True)
    every = [
        _segments(printer, mode.program.backward, mode.comments, equal) for mode, printer in pairs
    ]
    segments = merged(every)
    found = [_gradients(mode) for mode in modes]
    grads = common(found)
    caches = [cached_names(mode.network, mode.program).values() for mode in modes]
    cached = common([dict.fromkeys(names, "") for names in caches])
    kept = Kept(
        "grads",
        grads,
        _parameters(network),
        frozenset(cached),
        _own(found),
        [frozenset(names) - cached.keys() for names in caches],
    )
    loops = plain_loops(segments, _names(network, printers, equal), equal, kept)
    inner = Body()
    rest, *own = (_outside(loops, equal, entries) for entries in (grads, *_own(found)))
    wanted = [*rest.values(), *(name for entries in own for name in entries.values())]
    write_segments(inner, segments, loops, wanted)
    alone = [segment for segment in segments if segment.unit not in loops]
    read = tokens(line for segment in alone for line in segment.lines)
    body = Body()
    if len(modes) > 1:
        body.add(['training = cache["training"]'])
    body.add(f'{name} = cache["{name}"]' for name in cached if name in read)
    apart = [
        [
            name
            for name in dict.fromkeys(names)
            if name not in cached and name in _read(s for s in segments if s.unit not in loops)
        ]
        for names, segments in zip(caches, every, strict=True)
    ]
    body.add(branched([[f'{name} = cache["{name}"]' for name in names] for names in apart]))
    if loops:
        body.add(["grads = {}"])
        inner.add([f"grads |= {{{_pairs(rest)}}}"])
    elif any(own):
        inner.add([f"grads = {{{_pairs(rest)}}}"])
    inner.add(branched([_kept("grads", entries) for entries in own]))
    inner.add(["return grads" if loops or any(own) else f"return {{{_pairs(rest)}}}"])
    body.append(inner)
    return body


def input_entries(gradients: Mapping[Variable, str]) -> dict[str, str]:
    """Return what a dict of gradients holds under "x", as source; of several inputs a dict."""
    found = {variable: text for variable, text in gradients.items() if text}
    if len(gradients) == 1:
        return dict(zip(["x"], found.values(), strict=False))
    pairs = ", ".join(f'"{variable.owner}": {text}' for variable, text in found.items())
    return {"x": f"{{{pairs}}}"}


def _read(segments: Iterable[Segment]) -> dict[str, None]:
    return tokens(line for segment in segments for line in segment.lines)


def _gradients(mode: Mode) -> dict[str, str]:
    """Return the name of each gradient that there is, under its key."""
    network, program = mode.network, mode.program
    learned = {p.variable.name: p.variable.bar() for p in network.parameters}
    found = {key: _gradient(program, variable) for key, variable in learned.items()}
    found |= input_entries({v: _gradient(program, v.bar()) for v in network.inputs})
    return {key: text for key, text in found.items() if text}


def _pairs(entries: Mapping[str, str]) -> str:
    return ", ".join(f'"{key}": {name}' for key, name in entries.items())


def _gradient(program: PlainProgram, variable: Variable) -> str:
    number = program.gradients.get(variable)
    return "" if number is None else program.backward_names[number]


def head_bodies(
    network: Network, heads: Sequence[HeadProgram], comments: Comments, shared: Shared
) -> tuple[Body, Body]:
    """Return loss and loss_gradient; forms of the target are told apart by its number of axes."""
    cost, slope = network.heads[0].cost.name, network.output.bar().name
    loss = _by_form([(head, head.loss) for head in heads], cost, comments, shared)
    gradient = _by_form([(head, head.gradient) for head in heads], slope, comments, shared)
    return loss, gradient


def _by_form(
    functions: Sequence[tuple[HeadProgram, HeadFunction]],
    computes: str,
    comments: Comments,
    shared: Shared,
) -> Body:
    body = Body()
    for k, (head, function) in enumerate(functions):
        last = k == len(functions) - 1
        inner = Body(depth=1 if last else 2)
        names = dict(function.names)
        printer = NumpyPrinter(head.layout, names, shared.constants, shared.helpers, head.variables)
        form = "indices" if head.target.integer else "values"
        _assignments(inner, printer, function.assignments, comments.section(form))
        named = function.result.number in printer.names
        result = printer.value(function.result).source
        end = [f"return {result}"] if named else short(printer, function.result, "return ")
        inner.add(end, computes)
        if last:
            body.append(inner)
        else:
            body.nested(f"if y.ndim == {len(head.target.axes)}:", inner)
    return body


def penalty_body(programs: Sequence[HeadProgram], shared: Shared) -> Body:
    """Return what adds penalties to the loss and to gradients that are there."""
    body = Body()
    for program in programs:
        starts = ("value += ", f'grads["{program.target.name}"] += ')
        for start, function in zip(starts, (program.loss, program.gradient), strict=True):
            names = dict(function.names)
            printer = NumpyPrinter(
                program.layout, names, shared.constants, shared.helpers, program.variables
            )
            for assignment in function.assignments:
                body.add(statements(printer, assignment, "t"))
            body.add(short(printer, function.result, start))
    return body


def begin_with_constants(body: Body, constants: Sequence[Variable]) -> None:
    """Cast the arrays of constant numbers that the body reads to the dtype of the rest."""
    names = [v.name for v in constants if reads(body.text, v.name)]
    body.begin([f"{name} = {name.upper()}.astype(dtype)" for name in names])


def reads(text: str, name: str) -> bool:
    """Whether the source reads the name."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return re.search(rf"(?<![\w\".]){re.escape(name)}(?![\w\"])", code) is not None


def _parameters(network: Network) -> frozenset[str]:
    return frozenset(array.variable.name for array in network.parameters)


def _printer(
    network: Network, program: PlainProgram, given: Mapping[int, str], shared: Shared
) -> NumpyPrinter:
    names = dict(given)
    parameters = _parameters(network)
    for number, name in names.items():
        if name in parameters and number in program.inputs:
            names[number] = f'params["{name}"]'
    return NumpyPrinter(program.layout, names, shared.constants, shared.helpers, program.variables)


def _segments(
    printer: NumpyPrinter,
    assignments: Sequence[Assignment],
    comments: Comments,
    equal: EqualUnits = NO_RUNS,
) -> list[Segment]:
    """Return what every unit contributes, in order."""
    units = [equal.unit(each.owner, each.source) for each in assignments]
    order = whole_turns(units)
    assignments, units = [assignments[k] for k in order], [units[k] for k in order]
    together = _together(assignments, printer.names, units)
    found = []
    for unit, group in groupby(together, key=lambda k: units[k]):
        printer.width = partial(equal.width, unit=unit)
        own = [assignments[k] for k in group]
        pieces = [p for each in own for p in _pieces(printer, each, comments, equal, unit)]
        found.append(Segment(unit, tuple(pieces)))
    return found


def _together(
    assignments: Sequence[Assignment], names: Mapping[int, str], owners: Sequence[Unit]
) -> list[int]:
    """Move what a unit computes early to its last block, unless it is read before that."""
    places = {number: k for k, a in enumerate(assignments) for number in _made_by(a)}
    start = {owner: k for k, owner in enumerate(owners) if k == 0 or owners[k - 1] != owner}
    keys = [(start[owner] if owner.number else k, k) for k, owner in enumerate(owners)]
    for reader in reversed(range(len(assignments))):
        for number in _read_by(assignments[reader].value, names):
            k = places.get(number, reader)
            if keys[reader][0] < keys[k][0]:
                keys[k] = (k, k)
    return [k for _, k in sorted(keys)]


def _made_by(assignment: Assignment) -> list[int]:
    """Return the numbers of the values that are there after it."""
    arrays = assignment.steps.arrays if assignment.steps else (assignment,)
    return [array.value.number for array in arrays]


def _read_by(value: Value, names: Mapping[int, str]) -> set[int]:
    """Return the numbers of what a value reads: named values, and all that is printed in it."""
    found: set[int] = set()
    stack = list(value.operands)
    while stack:
        operand = stack.pop()
        if operand.number not in found:
            found.add(operand.number)
            if operand.number not in names:
                stack.extend(operand.operands)
    return found


def _pieces(
    printer: NumpyPrinter,
    assignment: Assignment,
    comments: Comments,
    equal: EqualUnits,
    unit: Unit,
) -> tuple[Piece, ...]:
    stem = f"t{assignment.owner}" if assignment.owner else "t"
    if unit.block:
        own = Variable("", equal.owners[assignment.owner])
        stem = Variable("t", equal.owner(assignment.source, own)).name
    if assignment.steps:

        def write(inner: Assignment, name: str) -> list[str]:
            return statements(printer, replace(inner, name=name), stem)

        return loop_pieces(printer, assignment.steps, comments, write)
    computes = assignment.variable.name if assignment.variable else ""
    lines = statements(printer, assignment, stem)
    return (Piece(tuple(lines), computes, comments.of(assignment.variable)),)


def _assignments(
    body: Body, printer: NumpyPrinter, assignments: Sequence[Assignment], comments: Comments
) -> None:
    for segment in _segments(printer, assignments, comments):
        body.pieces(segment.pieces)
