"""What a workspace binds once for a batch size: every array and view that a step reads.

Arrays of a run of equal layers are bound as one dict by layer, and what a loop over them reads
in each turn as one list.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

from symbackprop.emit.body import Body
from symbackprop.emit.places import Place
from symbackprop.emit.runs import tokens
from symbackprop.equations import Variable
from symbackprop.lowering.affine import block_name
from symbackprop.lowering.program import ArrayProgram, Buffer
from symbackprop.network import Network
from symbackprop.printing.statements import with_row
from symbackprop.sizes import MODERATE, Whole, at, at_least_both, is_certain

_ARENAS = {"float": "floats", "bool": "masks", "index": "places"}


@dataclass(frozen=True)
class Bound:
    """How a name is bound: by an expression or a place, and what is done to it at once."""

    by: str | Place
    after: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The expression."""
        text = self.by if isinstance(self.by, str) else self.by.source
        return text.replace(", dtype)", ", self.dtype)")

    @property
    def reads(self) -> dict[str, None]:
        """The names in all of it."""
        return tokens([self.source, *self.after])


@dataclass
class Binding:
    """Collects what the statements of a step read.

    Attributes:
        arrays: by head ("" for what all share) and name.
        views: the same for what printing statements asked for, as expressions.
        groups: names that a step fetches at once, by the workspace's attribute.
        turns: of a loop: the range of its turns and the names, as fetched line by line in a turn.
        sizes: elements of each arena, per sample.
    """

    arrays: dict[str, dict[str, Bound]]
    views: dict[str, dict[str, str]] = field(default_factory=lambda: {"": {}})
    groups: dict[str, list[str]] = field(default_factory=dict)
    turns: dict[str, tuple[str, list[list[str]]]] = field(default_factory=dict)
    sizes: dict[str, Whole] = field(default_factory=dict)

    def names(self, head: str) -> MutableMapping[str, str]:
        """Return the views that a section may add to, before those that it runs together with.

        A head's own stay apart from another's.
        """
        own = self.views.setdefault(head, {})
        others = [""] if head else [name for name in self.views if name]
        return ChainMap(own, *(self.views[name] for name in others))

    def has(self, name: str, head: str) -> bool:
        """Whether the name is bound for all, or for this head."""
        return any(
            name in found.get(h, {}) for found in (self.arrays, self.views) for h in ("", head)
        )

    def of(self, head: str) -> dict[str, Bound]:
        """Return what is bound for a head alone."""
        views = {name: Bound(text) for name, text in self.views.get(head, {}).items()}
        return {**self.arrays.get(head, {}), **views}

    def body(self) -> Body:
        """Return the statements that bind the arrays for n samples, in an order that works."""
        body = Body(depth=2)
        common = self.of("")
        rows = (line for _, lines in self.turns.values() for line in lines)
        fetched = set(tokens(text for line in rows for text in line))
        fetched |= {name for names in self.groups.values() for name in names}
        for head in self.views:
            own = self.of(head)
            known = {**common, **own}
            labels = [label for label in self.groups if self._head_of(label) == head]
            read = {n for label in labels for n in self.groups[label]} if head else fetched
            needed = _closure(read, known)
            apart = [n for n in known if n in needed and n in own]
            for name in _sorted([n for n in apart if not head or common.get(n) != own[n]], known):
                body.add([f"{name} = {known[name].source}", *known[name].after])
            for label in labels:
                comma = "," if len(self.groups[label]) == 1 else ""
                body.add([f"self.{label} = ({', '.join(self.groups[label])}{comma})"])
            if not head:
                body.add(f"self.{label} = {_list(*turn)}" for label, turn in self.turns.items())
        return body

    def _head_of(self, label: str) -> str:
        stem = label.split("_", 1)[0].rstrip("0123456789b")
        return stem if stem in self.views else ""


def _list(turns: str, lines: Sequence[Sequence[str]]) -> str:
    rows = [f"({', '.join(line)}{',' if len(line) == 1 else ''})" for line in lines]
    turn = rows[0] if len(rows) == 1 else f"({', '.join(rows)})"
    return f"[{turn} for k in {turns}]"


def step_binding(network: Network, program: ArrayProgram) -> Binding:
    """Return the arrays of a step: parameters, gradients, [W|b] blocks, buffers."""
    found = Binding({"": {}})
    common = found.arrays[""]
    for parameter in network.parameters:
        name = parameter.variable.name
        common[name] = Bound(f'self.parameters["{name}"]')
        common[parameter.variable.bar().name] = Bound(f'self.gradients["{name}"]')
    for constant in network.constants:
        common[constant.name] = Bound(f"{constant.name.upper()}.astype(self.dtype)")
    common["gradient"] = Bound("self.gradient")
    if program.fused:
        common |= _blocks([parameter.variable for parameter in network.parameters])
    common |= {name: Bound(part.source) for name, part in program.views.items()}
    for buffer in program.buffers:
        arena = _arena(buffer)
        end = buffer.offset + buffer.per_sample
        found.sizes[arena] = at_least_both(found.sizes.get(arena, 0), end)
        found.arrays.setdefault(buffer.section, {}).update(_buffer(buffer))
    for section, own in found.arrays.items():
        own.update(_with_starts(section, own))
    return found


def _with_starts(section: str, arrays: Mapping[str, Bound]) -> dict[str, Bound]:
    """Return the arrays whose places extents with names move, and where each of them starts."""
    found: dict[str, Bound] = {}
    starts: dict[str, dict[Whole, str]] = {}
    moving = [(n, b, b.by) for n, b in arrays.items() if isinstance(b.by, Place) and _moves(b.by)]
    for name, bound, place in sorted(moving, key=lambda m: (m[2].memory, at(m[2].start, MODERATE))):
        known = starts.setdefault(place.memory, {})
        if place.start not in known:
            label = "_".join([place.memory.removeprefix("self."), *filter(None, [section]), "at"])
            ways = [place.elements(place.start)]
            for start, other in known.items():
                further = place.start - start
                if is_certain(lambda more=further: more >= 0):  # type: ignore[misc]
                    ways.append(f"{other} + {place.elements(further)}")
            known[place.start] = f"{label}_{len(known) + 1}"
            found[known[place.start]] = Bound(min(ways, key=len))
        found[name] = Bound(replace(place, label=known[place.start]), bound.after)
    return found


def _moves(place: Place) -> bool:
    return not (isinstance(place.start, int) and isinstance(place.size, int))


def _blocks(parameters: Sequence[Variable]) -> dict[str, Bound]:
    """Return [W|b] as one matrix, wherever b follows its W in the flat buffer."""
    found: dict[str, Bound] = {}
    start = 0
    before: tuple[str, list[int], int] = ("", [], 0)
    for variable in parameters:
        shape = [_number(axis.extent) for axis in variable.axes]
        weight, rows, place = before
        if len(shape) == 1 and len(rows) == 2 and rows[1] == shape[0]:
            block = block_name(weight)
            size, extents = (rows[0] + 1) * rows[1], (str(rows[0] + 1), str(rows[1]))
            found[block] = Bound(Place("self.flat", place, size, extents, batched=False))
            found[f"d{block}"] = Bound(Place("self.gradient", place, size, extents, batched=False))
        before = (variable.name, shape, start)
        size = 1
        for extent in shape:
            size *= extent
        start += size
    return found


def _arena(buffer: Buffer) -> str:
    return _ARENAS[buffer.kind] if buffer.batched else f"fixed_{_ARENAS[buffer.kind]}"


def _buffer(buffer: Buffer) -> dict[str, Bound]:
    rows, *rest = buffer.shape
    rows = rows + 1 if buffer.ones and rows is not None else rows
    shape = tuple("n" if extent is None else str(extent) for extent in (rows, *rest))
    memory = f"self.{_arena(buffer)}"
    place = Place(memory, buffer.offset, buffer.per_sample, shape, buffer.batched)
    if not buffer.ones:
        return {buffer.name: Bound(place)}
    both = with_row(buffer.name)
    return {both: Bound(place, (f"{both}[-1] = 1",)), buffer.name: Bound(f"{both}[:-1]")}


def _closure(wanted: Iterable[str], definitions: Mapping[str, Bound]) -> set[str]:
    """Return all names that are read, directly or by what binds those that are."""
    found: set[str] = set()
    stack = sorted(wanted)
    while stack:
        name = stack.pop()
        if name in definitions and name not in found:
            found.add(name)
            stack.extend(definitions[name].reads)
    return found


def _sorted(names: Sequence[str], definitions: Mapping[str, Bound]) -> list[str]:
    """Return the names, each after those that its definition reads."""
    done: dict[str, None] = {}
    wanted = set(names)
    stack = list(reversed(names))
    while stack:
        name = stack[-1]
        reads = definitions[name].reads
        waiting = [t for t in reads if t != name and t in wanted and t not in done]
        if waiting and name not in done:
            stack.extend(waiting)
        else:
            done[stack.pop()] = None
    return list(done)


def _number(extent: object) -> int:
    assert isinstance(extent, int)
    return extent
