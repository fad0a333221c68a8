"""The training step as source: what a workspace binds, and the statements of a step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple

from symbackprop.emit.binding import step_binding
from symbackprop.emit.body import Body
from symbackprop.emit.comments import Comments
from symbackprop.emit.families import Families
from symbackprop.emit.layers import Shared, input_entries
from symbackprop.emit.modes import fetching
from symbackprop.emit.plain_loops import loop_remark
from symbackprop.emit.runs import (
    Names,
    Piece,
    Relative,
    Segment,
    local_names,
    looped,
    repeated,
    tokens,
    variable_names,
    whole_turns,
)
from symbackprop.emit.step_loops import printed_loop
from symbackprop.emit.unpacking import chunks, unpacked
from symbackprop.equations import Variable, is_known
from symbackprop.lowering.program import ArrayProgram, LoopStatement, Section, unused
from symbackprop.lowering.runs import EqualUnits, Run, Unit, infix
from symbackprop.lowering.training import TrainingValues
from symbackprop.network import Network
from symbackprop.printing.contractions import transposition
from symbackprop.printing.expressions import NumpyPrinter
from symbackprop.printing.statements import StatementPrinter, section_printer
from symbackprop.sizes import Whole

_RESERVED = frozenset({"k", "n", "x", "y", "loss", "work", "params", "np", "math"})


class _Written(NamedTuple):
    """Lines of a unit, what they compute, and in how many loops they stand."""

    unit: Unit
    lines: list[str]
    variable: Variable | None
    depth: int = 0


@dataclass
class StepSource:
    """The step's parts, as the frame of the module needs them.

    Attributes:
        body: of ``loss_and_gradients``, after the batch has been bound.
        binding: of ``Workspace._bind``.
        sizes: elements of each arena, per sample but for those that hold arrays without samples.
    """

    body: Body = field(default_factory=Body)
    binding: Body = field(default_factory=lambda: Body(depth=2))
    sizes: dict[str, Whole] = field(default_factory=dict)
    batch_last: bool = False


@dataclass(frozen=True)
class Turns:
    """A run of equal units in a step.

    Attributes:
        run: the units, from first to last.
        elements: of the arrays that its loops read, the expression for unit k.
    """

    run: Run
    elements: Mapping[Relative, str]


class StepWriter:
    """Prints the sections and collects what they read, so that the workspace can bind it."""

    def __init__(
        self,
        network: Network,
        program: ArrayProgram,
        training: TrainingValues,
        comments: Comments,
        shared: Shared,
        *,
        equal: EqualUnits,
    ) -> None:
        self.network, self.program, self.equal = network, program, equal
        self.variables, self.inputs = training.variables, training.inputs
        self.input_cotangents = training.input_cotangents
        self.comments, self.shared = comments, shared
        fetched = (*network.draws, *(s.variable for s in network.state))
        self.fetched = frozenset(variable.name for variable in fetched)
        self.given = frozenset({"y", *(v.name for v in network.inputs), *self.fetched})
        self.source = StepSource()
        self.binding = step_binding(network, program)
        if any(not is_known(size) for size in self.binding.sizes.values()):
            shared.helpers.add("piece")
        self.sections = {section.name: section for section in program.sections}
        self.segments = {name: self._printed(self.sections[name]) for name in self._order()}
        names = (variable_names(network), program.names.values(), self.binding.arrays[""])
        self.names = Names((name for group in names for name in group), equal)
        self.taken = {*_RESERVED, *self.binding.of("")}
        self.loops = self._loops()

    def write(self) -> StepSource:
        """Return the step's source."""
        body = self.source.body
        heads = [head for head in self.network.heads if head.form in self.sections]
        seen: set[str] = set()
        self._section(body, "forward", seen)
        for k, head in enumerate(heads):
            if len(heads) == 1:
                self._section(body, head.form, seen)
            else:
                inner = Body(depth=2)
                self._section(inner, head.form, set(seen))
                test = f"if y.ndim == {len(head.target.axes)}:" if k == 0 else "else:"
                body.nested(test, inner)
        self._section(body, "backward", seen)
        if self.program.scaled:
            self.binding.names("").setdefault("share", "np.array(1 / n, dtype)")
            self._group(body, "mean", ["share", "gradient"], seen)
            self.shared.functions.add("multiply")
            body.add(["multiply(gradient, share, gradient)"], remark="the mean's 1/N")
        if "penalty" in self.sections:
            self._section(body, "penalty", seen)
        self._input_section(body, seen)
        self.source.binding = self.binding.body()
        self.source.sizes = self.binding.sizes
        self.source.batch_last = self.program.layout.batch_last
        return self.source

    def _input_section(self, body: Body, seen: set[str]) -> None:
        """Write what is returned, ∂E/∂x only where it is asked for."""
        body.add(["if not input_gradient:", "    return loss, work.gradients"])
        for segment in self.segments["input"]:
            self._segment(body, "input", segment, "", seen)
        values = {v: self._input_gradient(v) for v in self.network.inputs}
        names = [found for found in tokens(values.values()) if self.binding.has(found, "")]
        self._group(body, "input_gradient", names, seen)
        pairs = [f'"{key}": {value}' for key, value in input_entries(values).items()]
        body.add([f"return loss, {{{', '.join(['**work.gradients', *pairs])}}}"])

    def _order(self) -> list[str]:
        """Return the sections as they run; of the heads only one does."""
        heads = [head.form for head in self.network.heads if head.form in self.sections]
        names = ["forward", *heads, "backward", "penalty", "input"]
        return [name for name in names if name in self.sections]

    def _is_head(self, section: str) -> bool:
        return any(head.form == section for head in self.network.heads)

    def _loops(self) -> dict[Unit, Turns]:
        """Return for every unit of a run what its loops read."""
        once = [name for name in self._order() if name != "input" and not self._is_head(name)]
        common = [self.segments[name] for name in once]
        found: dict[Unit, Turns] = {}
        for run in repeated(self.equal, common, self.names):
            first = run.units[0]
            own = [s for segments in common for s in segments if s.unit == first]
            lines = [line for segment in own for line in segment.lines]
            read = {
                name: self.names.at(name, first.number) for name in self.names.read(lines, first)
            }
            arrays = [name for name, text in read.items() if self.binding.has(text, "")]
            families = Families(self.binding, self.names, run, arrays)
            late = (line for s in own if s not in self.segments["forward"] for line in s.lines)
            local = all(n in arrays or not n.offset for n in read)
            if families.regular and local and not self.fetched & tokens(late).keys():
                found |= dict.fromkeys(run.units, Turns(run, families.bind()))
        return found

    def _input_gradient(self, variable: Variable) -> str:
        """Return ∂E/∂x, samples first and on the scale of the loss; "" where there is none."""
        if variable not in self.input_cotangents:
            return ""
        printer = section_printer(self.program, "input", self.inputs, {}, self.given)
        learned = {p.variable.name for p in self.network.parameters}
        names = {
            n: f'params["{name}"]' if name in learned else name for n, name in printer.names.items()
        }
        plain = NumpyPrinter(printer.layout, names, self.shared.constants, self.shared.helpers)
        value, labels = self.input_cotangents[variable]
        positions = [int(str(label)) for label in labels]  # the full value's labels are its axes
        text = plain.aligned(value, positions, list(range(value.rank)))
        return f"{text.within(4)} / n" if self.program.scaled else text.source

    def _penalty_costs(self, section: Section) -> set[str]:
        gradients = {p.variable.bar().name for p in self.network.parameters}
        return {target for name, target in section.outputs.items() if name not in gradients}

    def _turned(self) -> list[str]:
        """Return statements that transpose the batch into its place."""
        lines = []
        for variable in self.network.inputs:
            place = replace(variable, symbol="xT").name
            if place in self.program.copied:
                turned = transposition(self.program.copied[place])
                lines.append(f"{place}[...] = {variable.name}{turned}")
        return lines

    def _printed(self, section: Section) -> list[Segment]:
        """Return what every layer contributes to the section; a head is one segment."""
        head = section.name if self._is_head(section.name) else ""
        views = self.binding.names(head)
        printer = section_printer(self.program, section.name, self.inputs, views, self.given)
        printer.constants, printer.helpers = self.shared.constants, self.shared.helpers
        printer.functions = self.shared.functions
        costs = self._penalty_costs(section) if section.name == "penalty" else set()
        written: list[_Written] = []
        renewed = {s.updated: s.variable for s in self.network.state}
        for statement in section.statements:
            if isinstance(statement, LoopStatement):
                written += self._steps(printer, statement, section.name)
                continue
            lines = printer.statement(statement)
            if statement.target in costs:
                lines.append(f"loss += {statement.target}")
            variable = self.variables.get(statement.value.number)
            unit = self.equal.unit(statement.owner, statement.source)
            written.append(_Written(unit, lines, renewed.get(variable, variable)))
        aliases = {name: f"{name} = {view}" for name, view in printer.aliases.items()}
        of_draws = {n: line for n, line in aliases.items() if self.fetched & tokens([line]).keys()}
        if others := [line for name, line in aliases.items() if name not in of_draws]:
            written.insert(0, _Written(written[0].unit, others, None))
        if section.name == "forward":
            written = self._with_state(section, written, list(of_draws.values()))
            if self.program.copied:
                written.insert(0, _Written(written[0].unit, self._turned(), None))
        if head:
            cost = next(h.cost.name for h in self.network.heads if h.form == head)
            old, none = section.outputs[cost], self.equal.unit(0)
            written = [
                w._replace(unit=none, lines=[_renamed(t, old, "loss") for t in w.lines])
                for w in written
            ]
        written = [written[k] for k in whole_turns([entry.unit for entry in written])]
        groups = groupby(written, key=lambda entry: entry.unit)
        comments = self.comments.section(section.name)
        return [Segment(unit, _pieces(entries, comments)) for unit, entries in groups]

    def _with_state(
        self, section: Section, written: list[_Written], views: list[str]
    ) -> list[_Written]:
        """Return the statements, each unit's between its draws and its new statistics.

        ``views`` are statements that turn draws.
        """
        starts: dict[Unit, list[str]] = {}
        ends: dict[Unit, list[str]] = {}
        read = tokens([line for entry in written for line in entry.lines] + views)
        for layer in self.network.layers:
            unit = self.equal.unit(layer.position)
            starts.setdefault(unit, []).extend(fetching(layer, read, "work.dtype"))
            own = {variable.name for variable in layer.draws}
            starts[unit] += [line for line in views if own & tokens([line]).keys()]
            new = {s.variable.name: s.updated.name for s in layer.state if s.updated}
            lines = [f'state["{k}"][...] = {section.outputs[name]}' for k, name in new.items()]
            ends.setdefault(unit, []).extend(lines)
        last = {entry.unit: place for place, entry in enumerate(written)}
        found: list[_Written] = []
        for place, entry in enumerate(written):
            unit = entry.unit
            if starts.get(unit):
                found.append(_Written(unit, starts.pop(unit), None))
            found.append(entry)
            if last[unit] == place and ends.get(unit):
                found.append(_Written(unit, ends.pop(unit), None))
        return found

    def _steps(
        self, printer: StatementPrinter, statement: LoopStatement, section: str
    ) -> list[_Written]:
        """Return a loop over steps, and let the workspace bind what it fetches."""
        loop = printed_loop(printer, statement, lambda v: self.variables.get(v.number))
        owner = statement.owner
        label = unused(f"{section}{owner}_steps", self.binding.turns)
        lines = list(chunks(list(loop.bound), label, 2))
        self.binding.turns[label] = (loop.order, [[loop.bound[n] for n in line] for line in lines])
        header, parts = unpacked(lines, label, 1)
        unit = self.equal.unit(owner)
        written = [_Written(unit, [*loop.starts, header], None)]
        written += [_Written(unit, parts, None, 1), _Written(unit, [], None)] if parts else []
        return written + [_Written(unit, *step, 1) for step in loop.steps]

    def _section(self, body: Body, name: str, seen: set[str]) -> None:
        """Write a section: layer by layer, equal layers as loops."""
        head = name if self._is_head(name) else ""
        before: Turns | None = None
        for segment in self.segments[name]:
            turns = self.loops.get(segment.unit)
            if turns is None:
                self._segment(body, name, segment, head, seen)
            elif turns is not before:
                self._loop(body, name, segment, turns, seen)
            before = turns

    def _segment(
        self, body: Body, section: str, segment: Segment, head: str, seen: set[str]
    ) -> None:
        """Write statements of one layer after what fetches their arrays."""
        label = f"{section}{_label(segment.unit)}"
        while label in self.binding.groups:
            label += "b"
        names = [name for name in tokens(segment.lines) if self.binding.has(name, head)]
        self._group(body, label, names, seen)
        body.pieces(segment.pieces)

    def _loop(
        self, body: Body, section: str, segment: Segment, turns: Turns, seen: set[str]
    ) -> None:
        """Write a loop over equal layers, the first of which has the segment."""
        run, unit = turns.run, segment.unit
        numbers = run.numbers if unit == run.units[0] else run.numbers[::-1]
        own = self.names.read(segment.lines, unit)
        local = local_names(own, self.taken)
        names = [n for n in tokens(segment.lines) if self.names.relative(n, unit) is None]
        shared = [name for name in names if self.binding.has(name, "")]
        self._group(body, f"{section}{_label(unit)}", shared, seen)
        label = f"{section}{infix(run.block) or '_'}{numbers[0]}_to_{numbers[-1]}"
        arrays = {local[name]: turns.elements[name] for name in own if name in turns.elements}
        lines = list(chunks(list(arrays), label, body.depth + 1))
        fetched = [[arrays[name] for name in line] for line in lines]
        self.binding.turns[label] = (repr(numbers), fetched)
        turn = Body(depth=body.depth + 1)
        first = numbers[0] if any("state[" in line for line in segment.lines) else None
        header, parts = unpacked(lines, label, body.depth, first)  # the state's key has the number
        body.add([header], remark=loop_remark(run))
        turn.add(parts)
        turn.pieces(looped(segment, self.names, local, numbers[-1]))
        body.append(turn)

    def _group(self, body: Body, label: str, names: list[str], seen: set[str]) -> None:
        """Fetch arrays that the statements below read for the first time."""
        fresh = [name for name in names if name not in seen]
        seen.update(fresh)
        for k, chunk in enumerate(chunks(fresh, label, body.depth)):
            attribute = label if k == 0 else f"{label}_{k}"
            self.binding.groups[attribute] = chunk
            targets = f"({chunk[0]},)" if len(chunk) == 1 else ", ".join(chunk)
            body.add([f"{targets} = work.{attribute}"])


def _label(unit: Unit) -> str:
    """Return what an attribute of the workspace has for a unit; nothing for none."""
    return f"{infix(unit.block)}{unit.number}" if unit.number else ""


def _pieces(written: Iterable[_Written], comments: Comments) -> tuple[Piece, ...]:
    """Return statements block by block, each under the comment of what it computes."""
    pieces: list[Piece] = []
    pending: list[str] = []
    depth = 0
    for _, lines, variable, inner in written:
        if inner != depth:  # statements of one depth stand together
            pieces.append(Piece(tuple(pending), depth=depth))
            pending, depth = [], inner
        pending += lines
        remark = comments.of(variable)
        if remark and variable:
            if pieces and pieces[-1].variable == variable.name and pieces[-1].depth == depth:
                pending[:0] = pieces.pop().lines
            pieces.append(Piece(tuple(pending), variable.name, remark, depth))
            pending = []
    return (*pieces, Piece(tuple(pending), depth=depth))


def _renamed(line: str, old: str, new: str) -> str:
    return re.sub(rf"\b{old}\b", new, line) if old else line
