"""Runs of equal layers: what may share one loop, and names that carry a layer's number."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from symbackprop.equations import Role, Variable
from symbackprop.lowering.recurrences import in_units, is_recurrence
from symbackprop.network import Layer, Network

SHORTEST_RUN = 4  # fewer layers read better one by one
_NUMBERED = re.compile(r"([A-Za-z]+)(\d+)((?:_\w+)?)")


class Numbered(NamedTuple):
    """A name of one layer's: ``a4_and_1`` is symbol a, layer 4, suffix _and_1."""

    symbol: str
    layer: int
    suffix: str

    @property
    def name(self) -> str:
        """The name itself."""
        return f"{self.symbol}{self.layer}{self.suffix}"

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return f"{self.symbol}{self.layer}"


def numbered(name: str) -> Numbered | None:
    """Split a name into symbol, layer and suffix, if it looks like a layer's."""
    match = _NUMBERED.fullmatch(name)
    return Numbered(match[1], int(match[2]), match[3]) if match else None


@dataclass(frozen=True)
class EqualLayers:
    """Positions of consecutive layers of equal kind, sizes and parameters.

    Attributes:
        runs: positions, run by run.
        shortest: a loop over fewer layers is not worth it.
    """

    runs: tuple[range, ...]
    shortest: int


def equal_layers(network: Network, shortest: int = SHORTEST_RUN) -> EqualLayers:
    """Return the runs of equal layers, each of which reads the one before it.

    Layers named by the user stand alone: others may read them, or use their parameters. So do
    layers that differ between training and evaluation, each of which keeps other arrays.
    """
    keys = [
        (layer.position, None if network.read_by(layer) else _likeness(layer))
        for layer in network.layers
    ]
    return EqualLayers(tuple(consecutive(keys, shortest)), shortest)


def consecutive(layers: Iterable[tuple[int, Hashable]], shortest: int) -> list[range]:
    """Return runs of consecutive layers whose keys are equal and not None."""
    found = []
    for key, entries in groupby(layers, key=lambda entry: entry[1]):
        positions = [position for position, _ in entries]
        if key is not None and len(positions) >= shortest:
            found.append(range(positions[0], positions[-1] + 1))
    return found


def _likeness(layer: Layer) -> Hashable:
    apart = layer.share or layer.evaluation is not None or _recurs(layer)
    if layer.owner != str(layer.position) or apart:
        return None
    arrays = tuple((a.variable.symbol, _shape(a.variable), a.initial) for a in layer.parameters)
    return (layer.form, _shape(layer.input), _shape(layer.output), arrays)


def _recurs(layer: Layer) -> bool:
    """Whether the layer is a loop itself."""
    return any(map(is_recurrence, in_units((*layer.equations, *layer.activation))))


def _shape(variable: Variable) -> tuple[Hashable, ...]:
    return tuple(None if axis.role is Role.BATCH else axis.extent for axis in variable.axes)
