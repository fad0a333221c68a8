"""Storage: which array every value of a training step is written to.

    in place    an elementwise operation writes over an operand that nobody reads any more
    arena       everything else shares one allocation by lifetime, in elements per sample
    gradients   parameter gradients are written where the flat gradient has them
    one block   where samples are innermost, [W|b] is one matrix and its input carries a row of
                ones: bias and its gradient come with the products

Sections are planned as if they ran one after the other; of the heads only one does.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from itertools import count, groupby

from symbackprop.equations import Variable
from symbackprop.lowering.affine import AffineBlocks, affine_blocks
from symbackprop.lowering.arena import Tenant, lay_out
from symbackprop.lowering.homes import (
    STEP,
    Home,
    Key,
    Planned,
    kind_of,
    shape_of,
    spans,
    unrolled,
)
from symbackprop.lowering.lookups import places
from symbackprop.lowering.loop_storage import LoopHomes, loop_statement
from symbackprop.lowering.loops import Loop, collected
from symbackprop.lowering.makers import Makers
from symbackprop.lowering.naming import Naming
from symbackprop.lowering.program import (
    COMMON,
    ROOMY,
    STEMS,
    ArrayProgram,
    Buffer,
    LoopStatement,
    Section,
    Statement,
    visible_from,
)
from symbackprop.lowering.runs import NO_RUNS, EqualUnits
from symbackprop.lowering.tile_storage import Tiles
from symbackprop.lowering.training import SectionValues, TrainingValues, inputs_of
from symbackprop.lowering.values import Value
from symbackprop.lowering.views import OUT_OF_PLACE
from symbackprop.network import Network

_LOOK_UPS = frozenset({"take", "put", "add_at"})


def plan_storage(
    network: Network, training: TrainingValues, equal: EqualUnits = NO_RUNS
) -> ArrayProgram:
    """Return the training step with a place for every value.

    Args:
        network: what is trained.
        training: the values of a step.
        equal: runs of units; their arrays lie at regular distances.
    """
    return _Planner(network, training, equal).program()


class _Planner:
    def __init__(self, network: Network, training: TrainingValues, equal: EqualUnits) -> None:
        self.network, self.equal = network, equal
        self.makers = Makers(network, equal)
        self.training = training
        self.layout, self.through = training.layout, training.layout.through_views
        self.positions = {layer.owner: layer.position for layer in network.layers}
        self.homes: dict[Key, Home] = {}
        self.loops = {
            loop: (s.name, results)
            for s in training.sections
            for loop, results in collected(s.values).items()
        }
        self.order = [e for s in training.sections for e in unrolled(s)]
        self.spans = spans(self.order)
        self.own = {s.name: {v.number for v in s.values} for s in training.sections}
        for section, value, loop in self.order:
            if loop:
                self.own[section].add(value.number)
        self.copied: dict[str, tuple[int, ...]] = {}
        self.inlined = self._inlined()
        self.last_use = self._last_uses()
        learned = [p.variable for p in network.parameters]
        narrow = self.layout.batch_last
        self.affine = (
            affine_blocks(training.sections, learned, self.layout) if narrow else AffineBlocks()
        )
        self.learned = {variable.bar() for variable in learned}
        self.outputs: dict[Key, list[Variable]] = {}
        for part in training.sections:
            for variable, value in part.outputs.items():
                self.outputs.setdefault((part.name, value.number), []).append(variable)
        self.heads = [s.name for s in training.sections if s.name not in COMMON]
        self.cotangents = self._cotangent_chains()
        self.tiles = Tiles(self.order, training, [number for _, number in self.outputs])
        self.planned: list[Planned] = []
        self.places: dict[Hashable, Key] = {}
        self.origins: dict[int, int] = {}

    def program(self) -> ArrayProgram:
        """Walk the sections in order, then lay out the arenas and choose names."""
        self._inputs()
        for position, (section, value, loop) in enumerate(self.order):
            if loop and self.spans[loop][0] == position:
                self._open(loop)
            start = len(self.planned)
            self._plan(position, section, value)
            for item in self.planned[start:]:
                item.loop = loop
        self._share_cotangent()
        names = self._names()
        buffers = self._arena()
        sections = tuple(self._section(section, names) for section in self.training.sections)
        fused = bool(self.affine.totals)
        views = {h.name: h.view for h in self.homes.values() if h.view and h.part != STEP}
        scaled = self.training.scaled
        return ArrayProgram(
            self.layout, sections, buffers, names, scaled, fused, self.copied, views
        )

    def key(self, section: str, value: Value) -> Key:
        """Return where the value lives: its own section's array, or the shared forward one."""
        makers = visible_from(section)[::-1]
        made = (name for name in makers if value.number in self.own[name])
        return next(made, "forward"), value.number

    def _last_uses(self) -> dict[Key, int]:
        uses: dict[Key, int] = {}
        printed: dict[int, int] = {}  # where the reader of an inlined number stands
        for position, (section, value, loop) in reversed([*enumerate(self.order)]):
            at = printed.get(value.number, position) if value.number in self.inlined else position
            for operand in value.operands:
                printed.setdefault(operand.number, at)
                for held in self.through(operand):
                    key = self.key(section, held)
                    own = loop is None or held.number in loop.wholes
                    until = at if own or loop is None else self.spans[loop][1]
                    uses[key] = max(uses.get(key, until), until)
        for loop, (section, _) in self.loops.items():
            for carry in loop.carries:
                for held in self.through(carry.start.value) if carry.start else ():
                    key = self.key(section, held)
                    uses[key] = max(uses.get(key, 0), self.spans[loop][1])
        last = self.training.last
        left = [(part.name, v) for part in self.training.sections for v in part.outputs.values()]
        left += [("input", held) for v in (*last, *inputs_of(last)) for held in self.through(v)]
        for section, value in left:
            uses[self.key(section, value)] = len(self.order)
        return uses

    def _cotangent_chains(self) -> set[int]:
        """Return the heads' cotangents and what they are scattered into."""
        found: set[int] = set()
        for section in self.training.sections:
            value = section.outputs.get(self.training.boundary.bar())
            while value is not None and value.number not in found:
                found.add(value.number)
                value = value.operands[0] if value.operation in ("put", "add_at") else None
        return found

    def _share_cotangent(self) -> None:
        """Every head leaves the cotangent of the boundary in one and the same array."""
        cotangent = self.training.boundary.bar()
        keys = [
            self.key(section.name, section.outputs[cotangent])
            for section in self.training.sections
            if cotangent in section.outputs
        ]
        homes = [self.homes[key] for key in keys]
        for home in homes[1:]:
            homes[0].start, homes[0].end = (
                min(homes[0].start, home.start),
                max(homes[0].end, home.end),
            )
            for key, other in self.homes.items():
                if other is home:
                    self.homes[key] = homes[0]
        if homes:
            homes[0].name = cotangent.name

    def _inlined(self) -> set[int]:
        """Numbers that only one other number reads are printed where it reads them."""
        readers: dict[int, list[Value]] = {}
        for _, value, _ in self.order:
            for operand in value.operands:
                readers.setdefault(operand.number, []).append(value)
        kept = {o.number for s in self.training.sections for o in s.outputs.values()}
        return {
            value.number
            for _, value, _ in self.order
            if value.rank == 0
            and value.number not in kept
            and all(reader.rank == 0 for reader in readers.get(value.number, ()))
            and len({reader.number for reader in readers.get(value.number, ())}) == 1
        }

    def _inputs(self) -> None:
        """The batch is copied in where it lies otherwise; else it is read as it is."""
        read = (held for _, v, _ in self.order for o in v.operands for held in self.through(o))
        for value in {held.number: held for held in read}.values():
            moved = self.layout.batch_last or value.number in self.layout.outer
            real = value.operation == "input" and value.variable in self.network.real_inputs
            if moved and real:
                end = max(self.last_use.get((name, value.number), 0) for name in self.own)
                home = Home(shape_of(self.layout, value), "float", -1, end)
                home.name = replace(value.variable, symbol="xT").name
                self.copied[home.name] = self.layout.order(value)
                self.homes["forward", value.number] = home
        for source in self.affine.sources:
            if ("forward", source) in self.homes:
                self.homes["forward", source].ones = True

    def _open(self, loop: Loop) -> None:
        """Plan the arrays of a loop."""
        section, results = self.loops[loop]
        planned = LoopHomes(self.layout, section, loop, self.spans[loop], self.last_use)
        numbers = count(-1 - len(self.origins), -1)
        planned.plan(results, lambda: next(numbers), self.training.variables)
        self.homes |= planned.homes
        self.origins |= planned.origins

    def _plan(self, position: int, section: str, value: Value) -> None:
        none = (self.affine.absorbed, self.tiles.spread, self.inlined)
        if any(value.number in numbers for numbers in none):
            return
        if tiled := self.tiles.plan((section, value), position, self.homes, self.last_use):
            self.planned.append(tiled)
            return
        gradients = [v for v in self.outputs.get((section, value.number), []) if v in self.learned]
        if value.rank == 0:
            self.planned.append(Planned(section, value, value.operation))
            self.planned += [Planned(section, value, "copy", None, other) for other in gradients]
            return
        flattened = self._is_flattened(value)
        place = self._place(position, section, value) if flattened else None
        place = self._room(position, section, value) if value.operation in ROOMY else place
        key = (section, value.number)
        operation = self._operation(value)
        if key in self.homes:  # a step of an array
            self.planned.append(Planned(section, value, operation, None, None, place))
            return
        reused = None if gradients else self._reusable(position, section, value)
        if reused is not None:
            home = self.homes[self.key(section, value.operands[reused])]
            home.end = max(home.end, self.last_use.get(key, position))
        else:
            home = Home(
                shape_of(self.layout, value),
                kind_of(value),
                position,
                self.last_use.get(key, position),
            )
            home.gradient = gradients[0] if gradients else None
        home.ones = home.ones or value.number in self.affine.sources
        self.homes[key] = home
        home.stem = STEMS.get(value.operation, "t")
        variable = self.training.variables.get(value.number)
        if variable is not None:
            home.variables.append(variable)
        home.variables.extend(self.outputs.get((section, value.number), []))
        self.planned.append(Planned(section, value, operation, reused, None, place))
        for other in gradients[1:]:
            self.planned.append(Planned(section, value, "copy", None, other))

    def _place(self, position: int, section: str, value: Value) -> Key:
        """Plan the positions of looked-up elements in the flattened array, once for all uses."""
        made = places(-1 - len(self.origins), self.layout, value)
        kind = (section, value.operands[1].number, made.subscripts, made.dimensions, made.attribute)
        found = self.places.get(kind)
        if found is None:
            found = self.places[kind] = (section, made.number)
            self.origins[made.number] = value.number
            self.homes[found] = Home(shape_of(self.layout, made), "index", position, position)
            self.planned.append(Planned(section, made, "place"))
        self.homes[found].end = position
        return found

    def _is_flattened(self, value: Value) -> bool:
        """Whether a look-up goes by positions in the flattened array: not along a whole axis."""
        if value.operation not in _LOOK_UPS or value.operands[0].rank == 1:
            return False
        base, index = (set(subscript) for subscript in value.subscripts[:2])
        return value.operation != "take" or bool(base & index)

    def _room(self, position: int, section: str, value: Value) -> Key:
        """Plan room for what the operation has in between."""
        found = (section, -1 - len(self.origins))
        self.origins[found[1]] = value.number
        kind = ROOMY[value.operation]
        self.homes[found] = Home(
            shape_of(self.layout, value), kind, position, position, stem="room"
        )
        return found

    def _operation(self, value: Value) -> str:
        if value.number in self.affine.totals:
            return "affine"
        if value.number in self.affine.gradients:
            return "affine_gradient"
        return value.operation

    def _reusable(self, position: int, section: str, value: Value) -> int | None:
        """Return the operand that dies here and has the result's very shape."""
        if value.operation in OUT_OF_PLACE or value.number in self.affine.totals:
            return None
        candidates = {"where": [2], "put": [0], "add_at": [0]}.get(
            value.operation, range(len(value.operands))
        )
        identity = tuple(range(value.rank))
        for k in candidates:
            operand = value.operands[k]
            key = self.key(section, operand)
            if value.number in self.cotangents and operand.number not in self.cotangents:
                continue  # all heads write their cotangent to the same array, none else
            home = self.homes.get(key)
            if home is None or home.gradient is not None or home.kind != kind_of(value):
                continue
            if home.base is not None:
                continue
            made = self.training.variables.get(value.number)
            if made is not None and self.makers.leaves(home.variables, made):
                continue
            dies = self.last_use.get(key) == position and operand.operation != "input"
            same = operand.rank == value.rank and sorted(value.subscripts[k]) == list(identity)
            order = (
                [value.subscripts[k][axis] for axis in self.layout.order(operand)] if same else []
            )
            others = [o for j, o in enumerate(value.operands) if j != k and o is not operand]
            aliased = any(
                self.homes.get(self.key(section, held)) is home
                for o in others
                for held in self.through(o)
            )
            if dies and same and order == list(self.layout.order(value)) and not aliased:
                return k
        return None

    def _arena(self) -> tuple[Buffer, ...]:
        """Return every array with a place for its whole life."""
        found: dict[int, tuple[Home, dict[str, None]]] = {}
        for (section, _), home in self.homes.items():
            if not home.gradient and not home.base:
                found.setdefault(id(home), (home, {}))[1][section] = None
        tenants = []
        for home, sections in found.values():
            owner = self._owner(home, list(sections))
            buffer = Buffer(home.name, home.shape, home.kind, 0, home.ones, owner)
            tenants.append(Tenant(buffer, home.start, home.end))
        return lay_out(tenants, self.equal)

    def _owner(self, home: Home, sections: list[str]) -> str:
        """Return the head whose own the array is, or nothing."""
        common = len(sections) > 1 or sections[0] in COMMON
        return "" if common or home.name == self.training.boundary.bar().name else sections[0]

    def _names(self) -> dict[Key, str]:
        learned = [p.variable for p in self.network.parameters]
        fixed = {v.name for p in learned for v in (p, p.bar())}
        scalars = [(i.section, i.value.number) for i in self.planned if i.value.rank == 0]
        owners = {}
        for key in (*self.homes, *scalars):
            source = self.training.sources.of.get(self.origins.get(key[1], key[1]))
            owners[key] = self.equal.owner(*source) if source else ""
        return Naming(
            self.homes, scalars, self.heads, frozenset(fixed), self.outputs, owners, self.makers
        ).names()

    def _section(self, section: SectionValues, names: Mapping[Key, str]) -> Section:
        statements: list[Statement | LoopStatement] = []
        own = [item for item in self.planned if item.section == section.name]
        for loop, items in groupby(own, key=lambda item: item.loop):
            made = [self._statement(item, names) for item in items]
            statements += [loop_statement(loop, section.name, self.homes, made)] if loop else made
        outputs = {}
        for variable, value in section.outputs.items():
            if value.number not in self.affine.absorbed or value.rank == 0:
                outputs[variable.name] = names.get(self.key(section.name, value), "")
        return Section(section.name, tuple(statements), outputs)

    def _statement(self, item: Planned, names: Mapping[Key, str]) -> Statement:
        number = self.origins.get(item.value.number, item.value.number)
        source, variable = self.training.sources.of.get(number, (None, None))
        owner = self.positions.get(variable.owner, 0) if variable else 0
        target = item.copied.name if item.copied else names[item.section, item.value.number]
        place = names[item.place] if item.place else ""
        return Statement(item.value, target, item.operation, owner, source, item.reused, place)
