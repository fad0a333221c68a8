"""The training step as source: what a workspace binds, and the statements of a step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from symbackprop.emit.body import Body
from symbackprop.emit.comments import Comments
from symbackprop.emit.layers import Shared
from symbackprop.emit.lines import WIDTH
from symbackprop.equations import Variable
from symbackprop.lowering.program import ArrayProgram, Buffer, Section
from symbackprop.lowering.training import TrainingValues
from symbackprop.network import Network
from symbackprop.numpy_printer import NumpyPrinter
from symbackprop.statement_printer import section_printer, with_row

_ARENAS = {"float": "floats", "bool": "masks", "index": "places"}


_Written = tuple[int, list[str], Variable | None]  # layer, lines, what they compute


@dataclass
class StepSource:
    """The step's parts, as the frame of the module needs them.

    Attributes:
        body: of ``loss_and_gradients``, after the batch has been bound.
        binding: of ``Workspace._bind``.
        sizes: elements per sample of each arena.
        input_gradient: the expression of ∂E/∂x.
    """

    body: Body = field(default_factory=Body)
    binding: Body = field(default_factory=lambda: Body(depth=2))
    sizes: dict[str, int] = field(default_factory=dict)
    batch_last: bool = False
    input_gradient: str = ""


class StepWriter:
    """Prints the sections and collects what they read, so that the workspace can bind it."""

    def __init__(
        self,
        network: Network,
        program: ArrayProgram,
        training: TrainingValues,
        comments: Comments,
        shared: Shared,
    ) -> None:
        self.network, self.program = network, program
        self.variables, self.inputs = training.variables, training.inputs
        self.input_cotangent = training.input_cotangent
        self.comments, self.shared = comments, shared
        self.bound: dict[str, dict[str, str]] = {"": {}}
        self.groups: dict[str, list[str]] = {}
        self.rows_of_ones: set[str] = set()
        self.source = StepSource()
        self.arrays = self._arrays()

    def write(self) -> StepSource:
        """Return the step's source."""
        body = self.source.body
        sections = {section.name: section for section in self.program.sections}
        heads = [head for head in self.network.heads if head.form in sections]
        seen: set[str] = set()
        self._section(body, sections["forward"], seen)
        for k, head in enumerate(heads):
            if len(heads) == 1:
                self._section(body, sections[head.form], seen)
            else:
                inner = Body(depth=2)
                self._section(inner, sections[head.form], set(seen))
                test = f"if y.ndim == {len(head.target.axes)}:" if k == 0 else "else:"
                body.nested(test, inner)
        self._section(body, sections["backward"], seen)
        if self.program.scaled:
            share = self._bind("", "share", "np.array(1 / n, dtype)")
            self._group(body, "mean", [share, "gradient"], seen)
            body.add([f"np.multiply(gradient, {share}, gradient)"], remark="the mean's 1/N")
        if "penalty" in sections:
            self._section(body, sections["penalty"], seen)
            body.add([f"loss += {name}" for name in self._penalty_costs(sections["penalty"])])
        self._binding()
        self.source.batch_last = self.program.layout.batch_last
        self.source.input_gradient = self._input_gradient()
        return self.source

    def _input_gradient(self) -> str:
        """Return ∂E/∂x, which is not computed with the rest, as an expression over what is."""
        printer = section_printer(self.program, "backward", self.inputs, {})
        learned = {p.variable.name for p in self.network.parameters}
        names = {n: f'params["{name}"]' if name in learned else name for n, name in printer.names.items()}
        plain = NumpyPrinter(printer.layout, names, self.shared.constants, self.shared.helpers)
        value, labels = self.input_cotangent
        text = plain.aligned(value, labels, list(range(value.rank)))
        return f"{text.within(4)} / n" if self.program.scaled else text.source

    def _penalty_costs(self, section: Section) -> list[str]:
        gradients = {p.variable.bar().name for p in self.network.parameters}
        return [target for name, target in section.outputs.items() if name not in gradients]

    def _section(self, body: Body, section: Section, seen: set[str]) -> None:
        head = section.name if any(h.form == section.name for h in self.network.heads) else ""
        printer = section_printer(self.program, section.name, self.inputs, self._names(head))
        printer.constants, printer.helpers = self.shared.constants, self.shared.helpers
        written: list[_Written] = []
        for statement in section.statements:
            lines = printer.statement(statement)
            written.append((statement.owner, lines, self.variables.get(statement.value.number)))
        if printer.aliases:
            aliases = [f"{name} = {view}" for name, view in printer.aliases.items()]
            written.insert(0, (written[0][0], aliases, None))
        if section.name == "forward" and self.program.layout.batch_last:
            written.insert(0, (1, ["xT[...] = x.T"], None))
        if head:
            cost = next(h.cost.name for h in self.network.heads if h.form == head)
            old = section.outputs[cost]
            written = [(o, [_renamed(t, old, "loss") for t in lines], v) for o, lines, v in written]
        for owner, run in groupby(written, key=lambda entry: 0 if head else entry[0]):
            self._run(body, section.name, owner, list(run), head, seen)

    def _run(
        self, body: Body, section: str, owner: int, run: list[_Written], head: str, seen: set[str]
    ) -> None:
        """Write statements of one layer: fetch their arrays, then block by block."""
        names = _tokens(line for _, lines, _ in run for line in lines)
        label = f"{section}{owner}" if owner else section
        while label in self.groups:
            label += "b"
        self._group(body, label, [n for n in names if self._is_bound(n, head)], seen)
        pending: list[str] = []
        for _, lines, variable in run:
            pending += lines
            remark = self.comments.of(variable)
            if remark and variable:
                body.add(pending, variable.name, remark)
                pending = []
        body.add(pending)

    def _names(self, head: str) -> dict[str, str]:
        """Return the bindings that a section may add to; a head's own stay apart."""
        return self.bound.setdefault(head, {})

    def _is_bound(self, name: str, head: str) -> bool:
        return name in self.arrays[""] or name in self.arrays.get(head, {}) or name in self.bound[""] or name in self.bound.get(head, {})

    def _bind(self, head: str, name: str, expression: str) -> str:
        self.bound[head].setdefault(name, expression)
        return name

    def _group(self, body: Body, label: str, names: list[str], seen: set[str]) -> None:
        """Fetch arrays that the statements below read for the first time."""
        fresh = [name for name in names if name not in seen]
        seen.update(fresh)
        for k, chunk in enumerate(_chunks(fresh, label, body.depth)):
            attribute = label if k == 0 else f"{label}_{k}"
            self.groups[attribute] = chunk
            targets = f"({chunk[0]},)" if len(chunk) == 1 else ", ".join(chunk)
            body.add([f"{targets} = work.{attribute}"])

    def _arrays(self) -> dict[str, dict[str, str]]:
        """Return, for each head and for all, the arrays by name and how they are bound."""
        found: dict[str, dict[str, str]] = {"": {}}
        common = found[""]
        for parameter in self.network.parameters:
            name = parameter.variable.name
            common[name] = f'self.parameters["{name}"]'
            common[parameter.variable.bar().name] = f'self.gradients["{name}"]'
        common["gradient"] = "self.gradient"
        start = 0
        previous = None
        for parameter in self.network.parameters:
            shape = [_number(axis.extent) for axis in parameter.variable.axes]
            if previous and self.program.fused and len(shape) == 1 and len(previous[1]) == 2 and previous[1][1] == shape[0]:
                block = re.sub("^W", "Wb", previous[0])
                rows = previous[1][0] + 1
                end = previous[2] + rows * shape[0]
                place = f"[{previous[2]}:{end}].reshape({rows}, {shape[0]})"
                common[block] = f"self.flat{place}"
                common[f"d{block}"] = f"self.gradient{place}"
            size = 1
            for extent in shape:
                size *= extent
            previous = (parameter.variable.name, shape, start)
            start += size
        for buffer in self.program.buffers:
            found.setdefault(buffer.section, {}).update(self._buffer(buffer))
        return found

    def _buffer(self, buffer: Buffer) -> dict[str, str]:
        arena = _ARENAS[buffer.kind]
        end = buffer.offset + buffer.per_sample
        self.source.sizes[arena] = max(self.source.sizes.get(arena, 0), end)
        def times(count: int) -> str:
            return f"{count} * n" if buffer.batched and count > 1 else "n" if buffer.batched else str(count)

        ends = [times(buffer.offset) if buffer.offset else "", times(end)]
        space = " " if any(" " in text for text in ends) else ""
        place = f"{space}:{space}".join(ends).lstrip() if ends[0] else f":{space}{ends[1]}"
        shape = ["n" if extent is None else str(extent) for extent in buffer.shape]
        memory = f"self.{arena}[{place}]"
        if buffer.ones:
            with_ones = f"{memory}.reshape({int(shape[0]) + 1}, {', '.join(shape[1:])})"
            both = with_row(buffer.name)
            self.rows_of_ones.add(both)
            return {both: with_ones, buffer.name: f"{both}[:-1]"}
        return {buffer.name: memory if len(shape) == 1 else f"{memory}.reshape({', '.join(shape)})"}

    def _binding(self) -> None:
        """Write what binds the arrays for n samples, those that statements read alone."""
        body = self.source.binding
        for head in self.bound:
            known = {**self.arrays[""], **self.bound[""]}
            own = {**self.arrays.get(head, {}), **self.bound.get(head, {})}
            labels = [label for label in self.groups if self._head_of(label) == head]
            wanted = {n for label in (labels if head else self.groups) for n in self.groups[label]}
            needed = _closure(wanted, {**known, **own})
            apart = {n for n, e in own.items() if head == "" or known.get(n) != e}
            order = [n for n in {**known, **own} if n in needed and n in apart]
            for name in _sorted(order, {**known, **own}):
                expression = (own if name in own else known)[name]
                body.add([f"{name} = {expression.replace(', dtype)', ', self.dtype)')}"])
                if name in self.rows_of_ones:
                    body.add([f"{name}[-1] = 1"])
            for label in labels:
                comma = "," if len(self.groups[label]) == 1 else ""
                body.add([f"self.{label} = ({', '.join(self.groups[label])}{comma})"])

    def _head_of(self, label: str) -> str:
        stem = label.split("_")[0].rstrip("0123456789b")
        return stem if stem in self.bound else ""


def _renamed(line: str, old: str, new: str) -> str:
    return re.sub(rf"\b{old}\b", new, line) if old else line


def _tokens(lines: Iterable[str]) -> list[str]:
    """Return the names in the lines, in order of first appearance, attributes left out."""
    found: dict[str, None] = {}
    for line in lines:
        for match in re.finditer(r"(?<![\w.\"])[A-Za-z_]\w*", line):
            found[match.group()] = None
    return list(found)


def _closure(wanted: set[str], definitions: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    stack = sorted(wanted)
    while stack:
        name = stack.pop()
        if name in definitions and name not in found:
            found.add(name)
            stack.extend(_tokens([definitions[name]]))
    return found


def _sorted(names: list[str], definitions: Mapping[str, str]) -> list[str]:
    """Return the names, each after those that its definition reads."""
    done: dict[str, None] = {}
    stack = list(reversed(names))
    while stack:
        name = stack[-1]
        waiting = [t for t in _tokens([definitions[name]]) if t in names and t not in done]
        if waiting and name not in done:
            stack.extend(waiting)
        else:
            done[stack.pop()] = None
    return list(done)


def _chunks(names: list[str], label: str, depth: int) -> Iterable[list[str]]:
    """Split so that every line that fetches them fits."""
    room = WIDTH - 4 * depth - len(f" = work.{label}_9")
    chunk: list[str] = []
    for name in names:
        if chunk and len(", ".join([*chunk, name])) > room:
            yield chunk
            chunk = []
        chunk.append(name)
    if chunk:
        yield chunk


def _number(extent: object) -> int:
    assert isinstance(extent, int)
    return extent
