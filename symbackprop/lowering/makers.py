"""Which unit of a network makes a variable: what turns of a block hand on, and to whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from symbackprop.equations import Variable
from symbackprop.lowering.runs import EqualUnits, Unit
from symbackprop.network import Network


class Makers:
    """Tells the unit that makes a variable, and whose names its parts have."""

    def __init__(self, network: Network, equal: EqualUnits) -> None:
        self.equal = equal
        self.positions = {layer.owner: layer.position for layer in network.layers}

    def unit(self, variable: Variable) -> Unit:
        """Return the unit; an adjoint that is handed on is made by the unit that hands it on."""
        position = self.positions.get(variable.owner, 0)
        if variable.adjoint:
            position = self.equal.handed.get(replace(variable, adjoint=False), position)
        return self.equal.unit(position)

    def stream(self, lived: Iterable[Variable], variable: Variable) -> str:
        """Return the name of an array that turns of a block write one after the other, or ""."""
        units = dict.fromkeys(map(self.unit, lived))
        blocks = [unit.block for unit in units if unit.block]
        return f"{variable.symbol}_{blocks[0]}" if blocks and len(units) > 2 else ""

    def leaves(self, lived: Iterable[Variable], made: Variable) -> bool:
        """Whether a turn of a block made what an array has, and no turn makes this.

        It gets an array of its own then: the last turn's is like that of all others.
        """
        return any(self.unit(v).block for v in lived) and not self.unit(made).block
