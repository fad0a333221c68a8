"""Prints networks and catalogue entries as plain text for people."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import prod

from symbackprop.catalog import Catalog, known_as
from symbackprop.definition import Activation, Definition, Layer, Loss, Reading
from symbackprop.equations import Equation, Extent, Variable
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.network import Layer as NetworkLayer
from symbackprop.network import Network
from symbackprop.printing.equations import equation_lines, scalar_text

_AFTER_TRAINING, _OUTSIDE_TRAINING = "after a step of training", "outside training"


def network_text(network: Network) -> str:
    """Return shapes, parameter counts and equations; equal layers share a line."""
    blocks = ["\n".join(_overview(network)), *_layer_equations(network.layers)]
    for head in network.heads:
        form = "class indices" if head.form == "indices" else "values"
        title = f"loss {network.loss}, {network.reduction} over the batch, y {_shape(head.target)}"
        blocks.append(_block(f"{title} of {form}", head.equations))
    if network.penalties:
        equations = [equation for penalty in network.penalties for equation in penalty]
        blocks.append(_block("penalties", equations))
    return "\n\n".join(blocks) + "\n"


def _overview(network: Network) -> Iterator[str]:
    rows = [("layer", "kind", "output", "parameters", "count")]
    for variable in network.inputs:
        rows.append((variable.owner, "input", _shape(variable), "", ""))
    for _, equal in groupby(network.layers, lambda layer: _signature(network, layer)):
        rows.append(_row(network, list(equal)))
    counts = [_count(array.variable) for array in network.parameters]
    rows.append(("", "", "", "all", _sum_text(counts)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    yield network.name if network.name == network.text else f"{network.name}: {network.text}"
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        yield "  ".join([*cells, row[-1].rjust(widths[-1])]).rstrip()


def _row(network: Network, equal: Sequence[NetworkLayer]) -> tuple[str, str, str, str, str]:
    first, last = equal[0], equal[-1]
    label = first.owner if len(equal) == 1 else f"{first.owner}–{last.owner}"
    parameters = "  ".join(
        f"{array.variable.name} {_shape(array.variable)}" for array in first.parameters
    )
    each = "" if len(equal) == 1 else " each"
    count = _sum_text([_count(array.variable) for array in first.parameters])
    read = network.read_by(first)
    kind = f"{first.kind} from {', '.join(read)}" if read else first.kind
    parameters = f"those of {first.share}" if first.share else parameters
    return label, kind, _shape(first.output), parameters, count + each


def _signature(network: Network, layer: NetworkLayer) -> tuple[object, ...]:
    shapes = tuple(_shape(array.variable) for array in layer.parameters)
    read = network.read_by(layer)
    return layer.form, _shape(layer.input), _shape(layer.output), shapes, read, layer.share


def _layer_equations(layers: Sequence[NetworkLayer]) -> Iterator[str]:
    kinds: dict[Hashable, list[NetworkLayer]] = {}
    for layer in layers:
        kinds.setdefault(layer.form, []).append(layer)
    for alike in kinds.values():
        first = alike[0]
        title = f"layer {first.owner} ({first.kind})"
        if len(alike) > 1:
            title += f", and likewise {_ranges([layer.position for layer in alike[1:]])}"
        yield "\n".join([_block(title, (*first.equations, *first.activation)), *_modes(first)])


def _modes(layer: NetworkLayer) -> Iterator[str]:
    """Yield what a step of training renews, and which equations others replace in evaluation."""
    if layer.updates:
        yield _block(f"  {_AFTER_TRAINING}", layer.updates, "    ")
    if layer.evaluation is not None:
        yield _block(f"  {_OUTSIDE_TRAINING}", layer.evaluation, "    ")


def _ranges(positions: Sequence[int]) -> str:
    runs = [
        [position for _, position in run]
        for _, run in groupby(enumerate(positions), lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def _block(title: str, equations: Sequence[Equation], indent: str = "  ") -> str:
    return "\n".join([title, *(f"{indent}{line}" for line in equation_lines(equations))])


def _shape(variable: Variable) -> str:
    extents = [_extent(index.extent) for index in variable.axes]
    return f"({', '.join(extents)}{',' if len(extents) == 1 else ''})"


def _extent(extent: Extent) -> str:
    return str(extent) if isinstance(extent, int) else scalar_text(extent)


def _count(variable: Variable) -> int | str:
    extents = [index.extent for index in variable.axes]
    known = [extent for extent in extents if isinstance(extent, int)]
    if len(known) == len(extents):
        return prod(known)
    return "·".join(_extent(extent) for extent in extents)


def _sum_text(counts: Iterable[int | str]) -> str:
    counts = list(counts)
    known = sum(count for count in counts if isinstance(count, int))
    named = [count for count in counts if isinstance(count, str)]
    return " + ".join([*named, *([f"{known:,}"] if known or not named else [])])


def catalog_text(catalog: Catalog, name: str | None = None) -> str:
    """Return every entry, or those called ``name``, with equations, constants and source.

    Raises:
        SymbackpropError: no entry has the name.
    """
    tables: Mapping[str, Mapping[str, Definition]] = {
        "layers": catalog.layers,
        "activations": catalog.activations,
        "losses": catalog.losses,
        "penalties": catalog.penalties,
        "optimizers": catalog.optimizers,
    }
    if name is not None and not any(name in table for table in tables.values()):
        for table in tables.values():
            if ours := known_as(table, name):
                raise SymbackpropError(f"catalog: {name!r} is called {ours!r} here")
        names = {entry for table in tables.values() for entry in table}
        raise SymbackpropError(f"catalog: no entry {name!r}; {allowed(name, names)}")
    blocks = []
    for title, table in tables.items():
        entries = [entry for entry in table.values() if name in (None, entry.name)]
        if entries:
            blocks.append("\n\n".join([title, *(_entry(entry) for entry in entries)]))
    return "\n\n".join(blocks) + "\n"


def _entry(entry: Definition) -> str:
    lines = [f"  {entry.name}", *(f"      {equation}" for equation in entry.equations)]
    if isinstance(entry, Layer) and entry.example:
        lines.append(f"      for {_example(entry.example)}; others follow their shapes and fields")
    further: dict[str, Sequence[str]] = {}
    if isinstance(entry, Loss):
        further = {"for class indices y": entry.indices}
    elif isinstance(entry, Layer):
        further = {_AFTER_TRAINING: entry.updates, _OUTSIDE_TRAINING: entry.evaluation}
    for title, equations in further.items():
        if equations:
            lines.append(f"      {title}:")
            lines.extend(f"        {equation}" for equation in equations)
    lines.extend(f"    {fact}" for fact in _facts(entry))
    return "\n".join(lines)


def _extents_of(layer: Layer) -> Mapping[str, tuple[str, ...]]:
    return {name: state.extents for name, state in layer.state.items()}


def _example(example: Reading) -> str:
    shapes = " and ".join(str(("N", *shape)).replace("'", "") for shape in example.shapes)
    return ", ".join([shapes, *(f"{key} = {_value(v)}" for key, v in example.fields.items())])


def _facts(entry: Definition) -> Iterator[str]:
    if entry.doc:
        yield entry.doc
    if isinstance(entry, Activation | Layer) and entry.parameters:
        shapes = (f"{key} ({', '.join(p.extents)})" for key, p in entry.parameters.items())
        yield f"parameters: {', '.join(shapes)}"
    if isinstance(entry, Layer):
        for title, arrays in (("draws", entry.draws), ("state", _extents_of(entry))):
            if arrays:
                shown = (f"{key} ({', '.join(extents)})" for key, extents in arrays.items())
                yield f"{title}: {', '.join(shown)}"
    if isinstance(entry, Layer) and entry.sizes:
        yield f"sizes: {', '.join(entry.sizes)}"
    settings: dict[str, object] = dict(entry.constants)
    if isinstance(entry, Layer):
        required = [name for name, field in entry.fields.items() if field.required]
        if required:
            yield f"fields: {', '.join(required)}"
        settings = {key: v for key, v in entry.defaults.items() if key not in required}
    if isinstance(entry, Loss):
        settings.update(dict.fromkeys(entry.vectors))
    if settings:
        yield f"constants: {', '.join(f'{key} = {_value(v)}' for key, v in settings.items())}"
    if entry.source:
        yield f"source: {entry.source}"


def _value(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)
