"""Runs of equal layers, or of equal turns of a block: what may share one loop, and their names.

A unit is a layer, or a turn of a block, and has a number: the layer's position, or which turn it
is. Names carry it: ``a4_and_1``, or ``W_encoder_4_mlp`` of the fourth turn of a block.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from symbackprop.equations import Adjoint, Equation, Role, Variable
from symbackprop.lowering.recurrences import in_units, is_recurrence
from symbackprop.network import Layer, Network

SHORTEST_RUN = 4  # fewer layers read better one by one
_NUMBERED = re.compile(r"([A-Za-z]+)(\d+)((?:_\w+)?)")


class Unit(NamedTuple):
    """A layer by its position, or a turn of a block by its number."""

    block: str
    number: int


class Numbered(NamedTuple):
    """A name of one unit's: ``a4_and_1`` is symbol a, layer 4, suffix _and_1."""

    symbol: str
    unit: Unit
    suffix: str

    @property
    def name(self) -> str:
        """The name itself."""
        return f"{self.stem}{self.suffix}"

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return f"{self.symbol}{infix(self.unit.block)}{self.unit.number}"


def infix(block: str) -> str:
    """Return what stands between a symbol and its unit's number."""
    return f"_{block}_" if block else ""


@dataclass(frozen=True)
class Run:
    """Units that follow one another and are equal but for their names.

    Attributes:
        block: its name; "" where the units are layers.
        numbers: of the units.
        layers: of the first unit.
        entering: of what flows into the first turn of a block, the owner's part of its names
            and that of what flows into the others: ``("4", "_mlp")``; nothing where none of the
            names tell.
    """

    block: str
    numbers: range
    layers: tuple[Layer, ...] = field(compare=False)
    entering: tuple[str, str] | None = None

    @property
    def units(self) -> list[Unit]:
        """The units, from first to last."""
        return [Unit(self.block, number) for number in self.numbers]


@dataclass(frozen=True)
class EqualUnits:
    """Runs of equal units of a network.

    Attributes:
        runs: run by run.
        shortest: a loop over fewer layers is not worth it.
        units: of each layer that stands in a turn, by position; ``owners``, its own name.
        handed: the position of the layer that derives the adjoint of what it reads, where that
            is what turns of blocks hand on; of all others the layer that makes a value does.
    """

    runs: tuple[Run, ...]
    shortest: int
    units: Mapping[int, Unit] = field(default_factory=dict)
    owners: Mapping[int, str] = field(default_factory=dict)
    handed: Mapping[Variable, int] = field(default_factory=dict)

    def unit(self, position: int, source: Equation | Adjoint | None = None) -> Unit:
        """Return the unit of a layer's statement, made from ``source``; position 0 is none's."""
        if isinstance(source, Adjoint):
            position = self.handed.get(source.variable, position)
        return self.units.get(position, Unit("", position))

    def owner(self, source: Equation | Adjoint | None, variable: Variable) -> str:
        """Return whose names the parts of a variable have: those of the layer that makes it."""
        handed = self.handed.get(source.variable) if isinstance(source, Adjoint) else None
        return self.owners[handed] if handed else variable.owner

    def run(self, unit: Unit) -> Run | None:
        """Return the run of a unit."""
        return self._by_unit.get(unit)

    def numbered(self, name: str) -> Numbered | None:
        """Split a name into symbol, unit and suffix, if it looks like a unit's."""
        match = self._of_block.fullmatch(name) if self._of_block else None
        if match:
            return Numbered(match[1], Unit(match[2], int(match[3])), match[4])
        match = _NUMBERED.fullmatch(name)
        return Numbered(match[1], Unit("", int(match[2])), match[3]) if match else None

    def width(self, text: str, unit: Unit) -> int:
        """Return how wide a unit's text is; of what all units of a run say, the same."""
        run = self.run(unit) if unit.block else None
        if run is None:
            return len(text)
        if run.entering and unit.number == run.numbers[0]:
            owner, last = run.entering
            own = rf"\g<0>{infix(run.block)}0{last}"
            text = re.sub(rf"\b[A-Za-z]+(?={owner}(?:_|\b))", own, text).replace(
                f"{last}{owner}", last
            )
        return len(re.sub(rf"{infix(run.block)}\d+_", f"{infix(run.block)}0_", text))

    @cached_property
    def _by_unit(self) -> dict[Unit, Run]:
        return {unit: run for run in self.runs for unit in run.units}

    @cached_property
    def _of_block(self) -> re.Pattern[str] | None:
        blocks = "|".join(sorted({run.block for run in self.runs if run.block}))
        return re.compile(rf"(\w+?)_({blocks})_(\d+)(_\w+)") if blocks else None


NO_RUNS = EqualUnits((), 0)


def equal_units(network: Network, shortest: int = SHORTEST_RUN) -> EqualUnits:
    """Return the runs of equal layers, each of which reads the one before it, and of blocks.

    Layers named by the user stand alone: others may read them, or use their parameters.
    """
    keys = [
        (layer.position, None if network.read_by(layer) else _of_layer(layer))
        for layer in network.layers
    ]
    found = [
        Run("", numbers, (network.layers[numbers[0] - 1],))
        for numbers in consecutive(keys, shortest)
    ]
    units: dict[int, Unit] = {}
    for block, turns in _turns(network).items():
        alike = [(k, _of_turn(layers)) for k, layers in turns.items()]
        for numbers in consecutive(alike, fewest_units(block, shortest)):
            found.append(_run_of_turns(network, block, turns, numbers))
            units |= {layer.position: Unit(block, k) for k in numbers for layer in turns[k]}
    owners = {layer.position: layer.owner for layer in network.layers}
    return EqualUnits(tuple(found), shortest, units, owners, _handed(network, units))


def fewest_units(block: str, shortest: int) -> int:
    """Return how many units make a loop: a turn of a block is longer than a layer."""
    return max(2, shortest // 2) if block else shortest


def consecutive(units: Iterable[tuple[int, Hashable]], shortest: int) -> list[range]:
    """Return runs of consecutive units whose keys are equal and not None."""
    found = []
    for key, entries in groupby(units, key=lambda entry: entry[1]):
        numbers = [number for number, _ in entries]
        if key is not None and len(numbers) >= shortest:
            found.append(range(numbers[0], numbers[-1] + 1))
    return found


def _turns(network: Network) -> dict[str, dict[int, tuple[Layer, ...]]]:
    """Return the layers of every turn of every block."""
    found: dict[str, dict[int, tuple[Layer, ...]]] = {}
    for layer in network.layers:
        block, *inner = layer.owner.split(".")
        if inner:
            turns = found.setdefault(block, {})
            turns[int(inner[0])] = (*turns.get(int(inner[0]), ()), layer)
    return found


def _of_turn(layers: Sequence[Layer]) -> Hashable:
    return None if any(map(_recurs, layers)) else tuple(map(_likeness, layers))


def _run_of_turns(
    network: Network, block: str, turns: Mapping[int, tuple[Layer, ...]], numbers: range
) -> Run:
    """Return the run; what flows into its first turn has a name like that of all others."""
    layers, entering = turns[numbers[0]], None
    before = layers[0].position - 1
    if before and numbers[0] - 1 not in turns:
        last = Variable("", layers[-1].owner).name.removeprefix(f"{infix(block)}{numbers[0]}")
        entering = (Variable("", network.layers[before - 1].owner).name, last)
    return Run(block, numbers, layers, entering)


def _handed(network: Network, units: Mapping[int, Unit]) -> dict[Variable, int]:
    """Return what turns read, or make for others alone, and the lowest layer that reads it."""
    readers: dict[Variable, list[int]] = {}
    for layer in network.layers:
        for variable in layer.inputs:
            readers.setdefault(variable, []).append(layer.position)
    found = {}
    for layer in network.layers:
        positions = readers.get(layer.output, [])
        read_by = {units.get(position, Unit("", position)) for position in positions}
        own = units.get(layer.position)
        of_turns = own is not None or any(unit.block for unit in read_by)
        if of_turns and read_by and own not in read_by:
            found[layer.output] = positions[0]
    return found


def _of_layer(layer: Layer) -> Hashable:
    apart = layer.share or layer.evaluation is not None or _recurs(layer)
    if layer.owner != str(layer.position) or apart:
        return None
    return _likeness(layer)


def _likeness(layer: Layer) -> Hashable:
    arrays = tuple((a.variable.symbol, _shape(a.variable), a.initial) for a in layer.parameters)
    return (layer.form, _shape(layer.input), _shape(layer.output), arrays)


def _recurs(layer: Layer) -> bool:
    """Whether the layer is a loop itself."""
    return any(map(is_recurrence, in_units((*layer.equations, *layer.activation))))


def _shape(variable: Variable) -> tuple[Hashable, ...]:
    return tuple(None if axis.role is Role.BATCH else axis.extent for axis in variable.axes)
