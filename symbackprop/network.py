"""A network as equations in topological order: what the derivation starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from symbackprop.equations import Equation, Variable
from symbackprop.scalar import Named

BATCH = Named("N")


@dataclass(frozen=True)
class LearnedArray:
    """A parameter of the network: its variable (axes without batch) and how it starts.

    ``initial`` is ``"he"``, ``"glorot"`` or a number; fans count units, for the former two.
    """

    variable: Variable
    initial: Literal["he", "glorot"] | float
    fan_in: int = 0
    fan_out: int = 0


@dataclass(frozen=True)
class Layer:
    """One layer, instantiated with its sizes.

    Attributes:
        position: counts every layer from 1.
        owner: ``str(position)`` or the layer's name; suffix of its variables.
        kind: what equal layers share, for titles: ``"dense, relu"``.
        equations: affine part, then ``activation`` ones; both normalised, batch index included.
        output: ``a``; ``preactivation``: ``z``, None where the layer has no activation.
        place: for errors.
    """

    position: int
    owner: str
    kind: str
    input: Variable
    equations: tuple[Equation, ...]
    activation: tuple[Equation, ...]
    preactivation: Variable | None
    output: Variable
    parameters: tuple[LearnedArray, ...]
    place: str


@dataclass(frozen=True)
class Head:
    """The loss for one form of the target.

    ``equations`` go from the network's output ``a`` (of the last layer) and ``target`` (``y``) to
    the scalar ``cost`` (rank 0), batch reduction included. ``form`` is ``"values"`` or ``"indices"``.
    """

    form: Literal["values", "indices"]
    target: Variable
    equations: tuple[Equation, ...]
    cost: Variable


@dataclass(frozen=True)
class Network:
    """The whole network. ``penalties`` end in rank-0 variables that add to the cost."""

    name: str
    text: str
    input: Variable
    layers: tuple[Layer, ...]
    loss: str | None
    reduction: Literal["mean", "sum"]
    heads: tuple[Head, ...] = ()
    penalties: tuple[tuple[Equation, ...], ...] = ()

    @property
    def output(self) -> Variable:
        """The output of the last layer."""
        return self.layers[-1].output

    @property
    def parameters(self) -> tuple[LearnedArray, ...]:
        """All parameters, in layer order."""
        return tuple(array for layer in self.layers for array in layer.parameters)


