"""What an architecture file or the compact text says, checked for form but not yet for shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from symbackprop.definition import Definition


@dataclass(frozen=True)
class Use:
    """A catalogue entry as used: its name and the constants set there.

    ``undetermined`` marks a function left open (``f``, ``g``, ``f_1`` in the compact text).
    """

    name: str
    constants: Mapping[str, Any] = field(default_factory=dict)
    undetermined: bool = False


@dataclass(frozen=True)
class InputUse:
    """One of several inputs: its name, the shape of one sample, whether it holds whole numbers."""

    name: str
    shape: tuple[int | str, ...]
    integer: bool = False


@dataclass(frozen=True)
class LayerUse:
    """One layer as written.

    Attributes:
        type: a layer of the catalogue, or ``activation``.
        place: where it stands, for errors: ``layer 3 (dense)``, or its name.
        name: as given, or "".
        fields: what its type takes (units, bias, ...).
        activation: what acts on its output.
        sources: the names of what it reads, layers above or inputs (``input`` is the network's
            one input); empty is the layer above, and so is an empty name.
        named: the fields that say the last of those; ``from`` says the others.
        share: the name of the layer above whose parameters it uses, or "".
    """

    type: str
    place: str
    name: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    activation: Use | None = None
    sources: tuple[str, ...] = ()
    share: str = ""
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """A network as written.

    Attributes:
        name: of the network.
        input: the shape of one sample; an extent may be a name. Empty where ``inputs`` says it.
        layers: each reads those above it.
        inputs: with names; ``input`` then is empty.
        text: what reproduces it, the compact text or the file's name.
        place: what errors call it; "" is nothing.
    """

    name: str
    input: tuple[int | str, ...]
    layers: tuple[LayerUse, ...]
    loss: Use | None = None
    reduction: Literal["mean", "sum"] = "mean"
    l1: float = 0.0
    l2: float = 0.0
    definitions: tuple[Definition, ...] = ()
    text: str = ""
    place: str = ""
    inputs: tuple[InputUse, ...] = ()

    @property
    def all_inputs(self) -> tuple[InputUse, ...]:
        """What flows in, the one input without a name of its own as ``input``."""
        return self.inputs or (InputUse("input", self.input),)
