"""What each value was made from, and whose names its parts have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.equations import Adjoint, Equation, Variable
from symbackprop.lowering.loops import Loop
from symbackprop.lowering.lower import Lowering
from symbackprop.lowering.runs import EqualUnits, Unit
from symbackprop.lowering.values import Value
from symbackprop.network import Network


@dataclass
class Sources:
    """Which equation or adjoint each value was first made for."""

    of: dict[int, tuple[Equation | Adjoint, Variable]] = field(default_factory=dict)

    def note(
        self, lowering: Lowering, made_from: int, source: Equation | Adjoint, variable: Variable
    ) -> None:
        """Attribute all nodes made since ``made_from`` to the source."""
        for node in lowering.graph.nodes[made_from:]:
            self.of[node.number] = (source, variable)

    def note_loop(self, loop: Loop, made: Mapping[int, Value]) -> None:
        """Attribute what a loop computes in a step, and over all steps, as what it stands for."""
        some = next(self.of[w.number] for w, _ in loop.wholes.values() if w.number in self.of)
        for number, (whole, _) in loop.wholes.items():
            source = self.of.get(whole.number, some)
            self.of[number] = self.of[loop.results[number].number] = source
        for number, value in made.items():
            self.of.setdefault(value.number, self.of.get(number, some))


def between_turns(
    sources: Sources,
    values: Sequence[Value],
    named: Collection[int],
    network: Network,
    equal: EqualUnits,
) -> Sources:
    """Take from a turn what it computes for all, like a mask of the network's input.

    Turns are alike only where each reads the same of the others.

    Args:
        sources: what each value was made from, and whose names its parts have.
        values: all of them, operands first.
        named: numbers of those that have a variable's name, and stay its layer's.
        network: whose layers they are of.
        equal: runs of units.

    Returns:
        The sources, but of what several turns read, made of what stands before all of them.
    """
    unit_of = _units(sources, values, network, equal)
    before: set[int] = set()
    readers: dict[int, set[Unit]] = {}
    for value in values:
        unit = unit_of[value.number]
        read = {operand.number for operand in value.operands}
        of_turn = any(unit_of[n].block == unit.block for n in read - before)
        if unit.block and not of_turn and value.number not in named:
            before.add(value.number)
        for number in read & before:
            readers.setdefault(number, set()).add(unit)
    found = dict(sources.of)
    for value in reversed(values):
        if len(readers.get(value.number, ())) > 1:
            del found[value.number]
            for number in {operand.number for operand in value.operands} & before:
                readers[number].add(Unit("", 0))
    return Sources(found)


def _units(
    sources: Sources, values: Sequence[Value], network: Network, equal: EqualUnits
) -> dict[int, Unit]:
    positions = {layer.owner: layer.position for layer in network.layers}
    found = {}
    for value in values:
        source, variable = sources.of.get(value.number, (None, None))
        position = positions.get(variable.owner, 0) if variable else 0
        found[value.number] = equal.unit(position, source)
    return found
