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
class LayerUse:
    """One layer as written.

    ``fields`` holds what its type takes (units, bias, ...); ``place`` says where it stands, for
    errors: ``layer 3 (dense)``, or its name.
    """

    type: str
    place: str
    name: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    activation: Use | None = None


@dataclass(frozen=True)
class Architecture:
    """A network as written.

    ``input`` is the shape of one sample; an extent may be a name. ``text`` is what reproduces
    it: the compact text, or the file's name. ``place`` is what errors call it; "" is nothing.
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
