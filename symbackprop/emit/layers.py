"""The plain path as source: forward, backward, loss and its gradient."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from symbackprop.emit.body import Body
from symbackprop.emit.comments import Comments
from symbackprop.emit.modes import Mode, branched, common, merged, with_state
from symbackprop.emit.plain_loops import Kept, in_loops, plain_loops, write_segments
from symbackprop.emit.runs import Names, Piece, Segment, tokens, variable_names
from symbackprop.emit.steps import loop_pieces
from symbackprop.equations import Variable
from symbackprop.lookup_printer import is_repeated, place
from symbackprop.lowering.plain import FREE
from symbackprop.lowering.program import Assignment, HeadFunction, HeadProgram, PlainProgram, unused
from symbackprop.lowering.runs import EqualLayers
from symbackprop.lowering.values import Value
from symbackprop.network import Network
from symbackprop.numpy_printer import NumpyPrinter
from symbackprop.sample_products import added_by_sample
from symbackprop.window_printer import added_windows


@dataclass
class Shared:
    """What the printed functions need from the module: constants, helpers, bare NumPy functions."""

    constants: dict[str, str]
    helpers: set[str]
    functions: set[str]


def forward_body(modes: Sequence[Mode], shared: Shared, equal: EqualLayers) -> Body:
    """Return forward: every layer, then the output and the cache."""
    network = modes[0].network
    printers = [_printer(m.network, m.program, m.program.forward_names, shared) for m in modes]
    caches = [cached_names(mode.network, mode.program) for mode in modes]
    pairs = zip(modes, printers, caches, strict=True)
    segments = merged([_forward_segments(mode, printer, kept) for mode, printer, kept in pairs])
    cache = common(caches)
    names = _names(network, printers)
    loops = plain_loops(segments, names, equal, Kept("cache", cache, _parameters(network)))
    body = Body()
    given = {v.name: cache.pop(v.name) for v in network.inputs}
    if len(modes) > 1:
        given["training"] = "training"
    if loops:
        body.add([f"cache = {{{_pairs(given)}}}"])
    result = cache[network.output.name]
    rest = {key: name for key, name in cache.items() if not in_loops(loops, key)}
    own = _own(caches)
    wanted = [result, *rest.values(), *(name for entries in own for name in entries.values())]
    write_segments(body, segments, loops, wanted)
    body.add([f"cache |= {{{_pairs(rest)}}}" if loops else f"cache = {{{_pairs(given | rest)}}}"])
    body.add(branched([_kept("cache", entries) for entries in own]))
    body.add([f"return {result}, cache"])
    return body


def _forward_segments(mode: Mode, printer: NumpyPrinter, cache: Mapping[str, str]) -> list[Segment]:
    """Return what every layer contributes to forward, draws and running statistics included."""
    segments = _segments(printer, mode.program.forward, mode.comments)
    positions = {layer.owner: layer.position for layer in mode.network.layers}
    updates: dict[int, list[Piece]] = {}
    for variable, value in mode.program.updated.items():
        position, remark = positions[variable.owner], mode.comments.of_update(variable)
        lines = short(printer, value, f'state["{variable.name}"][...] = ', f"t{position}")
        updates.setdefault(position, []).append(Piece(tuple(lines), "", remark))
    return with_state(mode.network, segments, updates, cache.values())


def _own(modes: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the entries of each mode that are not those of all."""
    shared = common(modes)
    return [{k: v for k, v in entries.items() if k not in shared} for entries in modes]


def _kept(where: str, entries: Mapping[str, str]) -> list[str]:
    return [f"{where} |= {{{_pairs(entries)}}}"] if entries else []


def _names(network: Network, printers: Sequence[NumpyPrinter]) -> Names:
    used = (name for printer in printers for name in printer.names.values())
    return Names({*variable_names(network), *used})


def cached_names(network: Network, program: PlainProgram) -> dict[str, str]:
    """Return what forward leaves for backward, key to name: x, every z and a, what is costly."""
    kept = {v.name: program.forward_names[program.results[v]] for v in program.results}
    saved = [program.forward_names[number] for number in program.saved]
    given = {variable.name: variable.name for variable in network.inputs}
    return {**given, **kept, **{name: name for name in saved}}


def backward_body(modes: Sequence[Mode], shared: Shared, equal: EqualLayers) -> Body:
    """Return backward: from ∂E/∂output to all gradients."""
    network = modes[0].network
    printers = [_printer(m.network, m.program, m.program.backward_names, shared) for m in modes]
    pairs = zip(modes, printers, strict=True)
    every = [_segments(printer, mode.program.backward, mode.comments) for mode, printer in pairs]
    segments = merged(every)
    found = [_gradients(mode) for mode in modes]
    grads = common(found)
    caches = [cached_names(mode.network, mode.program).values() for mode in modes]
    cached = common([dict.fromkeys(names, "") for names in caches])
    names = _names(network, printers)
    kept = Kept("grads", grads, _parameters(network), frozenset(cached))
    loops = plain_loops(segments, names, equal, kept)
    inner = Body()
    rest = {key: name for key, name in grads.items() if not in_loops(loops, key)}
    own = _own(found)
    wanted = [*rest.values(), *(name for entries in own for name in entries.values())]
    write_segments(inner, segments, loops, wanted)
    read = tokens(line for s in segments if not in_loops(loops, s.layer) for line in s.lines)
    body = Body()
    if "training" in read:
        body.add(['training = cache["training"]'])
    body.add(f'{name} = cache["{name}"]' for name in cached if name in read)
    apart = [
        [name for name in dict.fromkeys(names) if name not in cached and name in _read(segments)]
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
                body.add(_statements(printer, assignment, "t"))
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
    printer: NumpyPrinter, assignments: Sequence[Assignment], comments: Comments
) -> list[Segment]:
    """Return what every layer contributes, in order."""
    found = []
    together = _together(assignments, printer.names)
    for owner, group in groupby(together, key=lambda assignment: assignment.owner):
        pieces = [p for assignment in group for p in _pieces(printer, assignment, comments)]
        found.append(Segment(owner, tuple(pieces)))
    return found


def _together(assignments: Sequence[Assignment], names: Mapping[int, str]) -> list[Assignment]:
    """Move what a layer computes early to its last block, unless it is read before that."""
    places = {number: k for k, a in enumerate(assignments) for number in _made_by(a)}
    owners = [assignment.owner for assignment in assignments]
    start = {owner: k for k, owner in enumerate(owners) if k == 0 or owners[k - 1] != owner}
    keys = [(start[owner] if owner else k, k) for k, owner in enumerate(owners)]
    for reader in reversed(range(len(assignments))):
        for number in _read_by(assignments[reader].value, names):
            k = places.get(number, reader)
            if keys[reader][0] < keys[k][0]:
                keys[k] = (k, k)
    return [assignments[k] for _, k in sorted(keys)]


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


def _pieces(printer: NumpyPrinter, assignment: Assignment, comments: Comments) -> tuple[Piece, ...]:
    stem = f"t{assignment.owner}" if assignment.owner else "t"
    if assignment.steps:

        def write(inner: Assignment, name: str) -> list[str]:
            return _statements(printer, replace(inner, name=name), stem)

        return loop_pieces(printer, assignment.steps, comments, write)
    computes = assignment.variable.name if assignment.variable else ""
    lines = _statements(printer, assignment, stem)
    return (Piece(tuple(lines), computes, comments.of(assignment.variable)),)


def _assignments(
    body: Body, printer: NumpyPrinter, assignments: Sequence[Assignment], comments: Comments
) -> None:
    for segment in _segments(printer, assignments, comments):
        body.pieces(segment.pieces)


def _statements(printer: NumpyPrinter, assignment: Assignment, stem: str) -> list[str]:
    value, name = assignment.value, assignment.name
    printer.names[value.number] = name
    if value.operation == "unwindow":
        return _sum_of_windows(printer, value, name, stem)
    if value.operation not in ("put", "add_at"):
        return short(printer, value, f"{name} = ", stem)
    base, _, new = value.operands
    if base.number in printer.names:
        lines = [f"{name} = {printer.operand(value, 0).source}.copy()"]
    else:
        lines = short(printer, base, f"{name} = ", stem)
    subscript, order = place(printer, value)
    if value.operation == "add_at" and is_repeated(value):
        start, end = f"np.add.at({name}, {_indexed(subscript)}, ", ")"
    else:
        start, end = f"{name}[{subscript}] {'=' if value.operation == 'put' else '+='} ", ""
    named = new.number in printer.names
    text = printer.operand(value, 2, order).source
    if named or end or text != printer.value(new).source:
        if not named:
            part = unused(stem, set(printer.names.values()))
            lines += short(printer, new, f"{part} = ", stem)
            printer.names[new.number] = part
            text = printer.operand(value, 2, order).source
        return [*lines, f"{start}{text}{end}"]
    return [*lines, *short(printer, new, start, stem)]


def _indexed(subscript: str) -> str:
    return f"np.s_[{subscript}]" if "," in subscript else subscript


def _sum_of_windows(printer: NumpyPrinter, value: Value, name: str, stem: str) -> list[str]:
    shape = printer.shape(value)
    (part,) = value.operands
    added = "" if part.number in printer.names else added_by_sample(printer, value, name)
    if added:
        return [f"{name} = np.zeros({shape}, dtype)", added]
    view, order, count = added_windows(printer, value, name)
    printer.helpers.add("add_to_windows")
    lines = [] if part.number in printer.names else short(printer, part, f"{stem}_parts = ", stem)
    printer.names.setdefault(part.number, f"{stem}_parts")
    values = printer.operand(value, 0, order).source
    lines += [f"{name} = np.zeros({shape}, dtype)", f"add_to_windows({view}, {values}, {count})"]
    return lines


def short(
    printer: NumpyPrinter, value: Value, start: str, stem: str = "t", room: int = 80
) -> list[str]:
    """Return the statement ``start value``; where it is too long, parts that fit come first.

    A part is named after the variable that it is, if any, else by the stem.
    """
    lines: list[str] = []
    while len(text := f"{start}{printer.computed(value).source}") > room:
        part = _longest(printer, value)
        if part is None:
            break
        while len(printer.computed(part).source) + len(stem) + 5 > room:
            inner = _longest(printer, part)
            if inner is None:
                break
            part = inner
        name = unused(printer.variables.get(part.number, stem), set(printer.names.values()))
        lines.append(f"{name} = {printer.computed(part).source}")
        printer.names[part.number] = name
    return [*lines, text]


def _longest(printer: NumpyPrinter, value: Value) -> Value | None:
    """Return the longest of the operands that are printed in place and worth a name."""
    parts: list[Value] = []
    stack = list(value.operands)
    while stack:
        operand = stack.pop()
        if operand.number not in printer.names:
            stack.extend(operand.operands if operand.operation in FREE else ())
            parts.extend([] if operand.operation in FREE else [operand])
    return max(parts, key=lambda o: (len(printer.computed(o).source), -o.number), default=None)
