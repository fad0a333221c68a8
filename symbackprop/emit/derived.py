"""What a module is emitted from: a network and its derivations, with extents as sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from symbackprop import calculus
from symbackprop.building.extents import least_extents
from symbackprop.equations import Derivation, Equation, Variable, accesses_of
from symbackprop.network import Head, Network
from symbackprop.sizing import sized


class Derived:
    """Derives the parts of a network.

    A network of numbers is derived as it is. One with named extents is derived as it was written,
    and what is derived has a size for each of its extents, by which lowering computes.

    Attributes:
        written: the network as it was built.
        network: the network with its extents as sizes.
        least: by name, the smallest extent that the layers take.
    """

    def __init__(self, network: Network) -> None:
        self.written = network
        self.least = least_extents(network)
        self._sized: Callable[[Any], Any] = _as_it_is
        if self.least:
            self._sized = partial(sized, least=self.least)
        self.network: Network = self._sized(network)

    def layers(self) -> Derivation:
        """Return the adjoints of the layers, from the cotangent of the output."""
        return self._of_layers(self.written)

    def evaluated(self) -> tuple[Network, Derivation]:
        """Return the network as it is outside training, and the adjoints of its layers."""
        evaluated = self.written.evaluated()
        return self._sized(evaluated), self._of_layers(evaluated)

    def heads(self, *, fused: bool) -> list[tuple[Head, Derivation]]:
        """Return each head with its derivation, the last activation's along with it if fused."""
        found = [
            (h, calculus.derive_head(self.written, h, fused=fused)) for h in self.written.heads
        ]
        return [(self._sized(head), self._sized(derivation)) for head, derivation in found]

    def penalties(self) -> list[tuple[Variable, Derivation]]:
        """Return each parameter that a penalty reads with the derivation of that penalty."""
        pairs = [(_penalized(equations), equations) for equations in self.written.penalties]
        return [(p, calculus.derive_penalty(equations, p)) for p, equations in pairs]

    def step(self, runs: Callable[[Network], Sequence[Variable]]) -> Derivation:
        """Return the derivation of a training step.

        Args:
            runs: returns what equal units of a network hand on.
        """
        derivation: Derivation = self._sized(calculus.derive_step(self.written, runs(self.written)))
        return derivation

    def _of_layers(self, network: Network) -> Derivation:
        derivation: Derivation = self._sized(calculus.derive_layers(network))
        return derivation


def _as_it_is(record: Any) -> Any:
    return record


def _penalized(equations: Sequence[Equation]) -> Variable:
    """Return the parameter that a penalty reads."""
    return next(a.variable for e in equations for o in e.operands for a in accesses_of(o))
