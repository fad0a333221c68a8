"""A small network with the same kinds of layer, on which every gradient entry can be checked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from math import lcm
from typing import Any

from symbackprop.architecture import Architecture, LayerUse

TURNS = 2  # of a block: one reads what flows in, the other what a turn hands on
SMALL = (5, 3, 4)  # unequal widths, so that a transposed axis cannot hide
WIDTHS = ("units", "hidden", "embedding_dim")  # fields that say how wide a layer is
PARTS = ("heads", "num_groups")  # fields that say into how many parts a width is cut


def small_instance(architecture: Architecture) -> Architecture:
    """Return a network with each kind of layer once, in order, a few units wide.

    The last layer keeps its units, which the loss may depend on (class weights, pairs of means
    and variances); so does a layer whose activation has one parameter per unit. A graph keeps
    all its layers, so that what is joined still fits, and a block its first turns.
    """
    architecture = _shortened(architecture)
    if _is_graph(architecture):
        return _narrow_graph(architecture)
    kinds: dict[Hashable, LayerUse] = {}
    for layer in architecture.layers[:-1]:
        kinds.setdefault(_kind(layer), layer)
    step = _parts(architecture)
    layers = [narrowed(layer, step * SMALL[k % 3]) for k, layer in enumerate(kinds.values())]
    extents = (min(e, SMALL[0]) if isinstance(e, int) else e for e in architecture.input)
    return replace(architecture, input=tuple(extents), layers=(*layers, architecture.layers[-1]))


def _shortened(architecture: Architecture) -> Architecture:
    """Return the network with the first turns of every block alone, which have every wire."""

    def renamed(name: str) -> str:
        block, *inner = name.split(".")
        return ".".join([block, str(min(int(inner[0]), TURNS)), inner[1]]) if inner else name

    layers = tuple(
        replace(layer, sources=tuple(map(renamed, layer.sources)), share=renamed(layer.share))
        for layer in architecture.layers
        if renamed(layer.name) == layer.name
    )
    return replace(architecture, layers=layers)


def _is_graph(architecture: Architecture) -> bool:
    wired = any(layer.sources or layer.share for layer in architecture.layers)
    return wired or len(architecture.inputs) > 0


def _narrow_graph(architecture: Architecture) -> Architecture:
    """Return the same graph with every size replaced by a small one, equal ones by equal ones."""
    sizes = {width_of(layer) for layer in architecture.layers}
    sizes |= {extent for use in architecture.all_inputs for extent in use.shape}
    known = sorted(size for size in sizes if isinstance(size, int))
    step = _parts(architecture)
    small: dict[Any, Any] = {size: min(size, step * (2 + k)) for k, size in enumerate(known)}
    last = width_of(architecture.layers[-1])
    small[last] = last

    def shape(extents: tuple[int | str, ...]) -> tuple[int | str, ...]:
        return tuple(small.get(extent, extent) for extent in extents)

    return replace(
        architecture,
        input=shape(architecture.input),
        inputs=tuple(replace(use, shape=shape(use.shape)) for use in architecture.inputs),
        layers=tuple(
            with_width(layer, small[width]) if isinstance(width := width_of(layer), int) else layer
            for layer in architecture.layers
        ),
    )


def _parts(architecture: Architecture) -> int:
    """Return what every width has to be a multiple of, so that it can be cut into parts."""
    found = [layer.fields.get(name, 1) for layer in architecture.layers for name in PARTS]
    return lcm(*(number for number in found if isinstance(number, int)))


def _kind(layer: LayerUse) -> Hashable:
    options = {name: value for name, value in layer.fields.items() if name not in WIDTHS}
    use = layer.activation
    return layer.type, _frozen(options), use and (use.name, _frozen(use.constants))


def _frozen(values: Mapping[str, Any]) -> Hashable:
    return tuple(sorted((name, repr(value)) for name, value in values.items()))


def narrowed(layer: LayerUse, units: int) -> LayerUse:
    """Return the layer with at most so many units, where nothing else depends on them."""
    own = layer.activation.constants.get("num_parameters", 1) if layer.activation else 1
    width = width_of(layer)
    return with_width(layer, min(units, width)) if own == 1 and isinstance(width, int) else layer


def width_of(layer: LayerUse) -> Any:
    """Return how wide a layer is, as it is written; None where nothing says so."""
    return next((layer.fields[name] for name in WIDTHS if name in layer.fields), None)


def with_width(layer: LayerUse, width: int) -> LayerUse:
    """Return the layer with another width."""
    named = {name: width for name in WIDTHS if name in layer.fields}
    return replace(layer, fields={**layer.fields, **named})
