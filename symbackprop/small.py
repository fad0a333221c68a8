"""A small network with the same kinds of layer, on which every gradient entry can be checked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

from symbackprop.architecture import Architecture, LayerUse

SMALL = (5, 3, 4)  # unequal widths, so that a transposed axis cannot hide


def small_instance(architecture: Architecture) -> Architecture:
    """Return a network with each kind of layer once, in order, a few units wide.

    The last layer keeps its units, which the loss may depend on (class weights, pairs of means
    and variances); so does a layer whose activation has one parameter per unit.
    """
    kinds: dict[Hashable, LayerUse] = {}
    for layer in architecture.layers[:-1]:
        kinds.setdefault(_kind(layer), layer)
    layers = [narrowed(layer, SMALL[k % 3]) for k, layer in enumerate(kinds.values())]
    extents = (min(e, SMALL[0]) if isinstance(e, int) else e for e in architecture.input)
    return replace(architecture, input=tuple(extents), layers=(*layers, architecture.layers[-1]))


def _kind(layer: LayerUse) -> Hashable:
    options = {name: value for name, value in layer.fields.items() if name != "units"}
    use = layer.activation
    return layer.type, _frozen(options), use and (use.name, _frozen(use.constants))


def _frozen(values: Mapping[str, Any]) -> Hashable:
    return tuple(sorted((name, repr(value)) for name, value in values.items()))


def narrowed(layer: LayerUse, units: int) -> LayerUse:
    """Return the layer with at most so many units, where nothing else depends on them."""
    own = layer.activation.constants.get("num_parameters", 1) if layer.activation else 1
    if own != 1 or not isinstance(layer.fields.get("units"), int):
        return layer
    return replace(layer, fields={**layer.fields, "units": min(units, layer.fields["units"])})
