"""A small network with the same kinds of layer, on which every gradient entry can be checked."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from math import lcm
from typing import Any

from symbackprop.architecture import Architecture, InputUse, LayerUse
from symbackprop.equations import Role, Variable
from symbackprop.network import Network

TURNS = 2  # of a block: one reads what flows in, the other what a turn hands on
SMALL = (5, 3, 4)  # unequal widths, so that a transposed axis cannot hide
WIDTHS = ("units", "hidden", "embedding_dim")  # fields that say how wide a layer is
SIZES = (*WIDTHS, "channels", "num_embeddings", "normalized_shape")
PARTS = ("heads", "groups", "num_groups")  # fields that say into how many parts a width is cut
# Of the input's maps, so many times what leaves the smallest one place; without equal blocks fewer
# do, and windows without padding need more.
PARTS_OF_SPACE = (0.3, 0.6, 1.2, 2.4, 3.6)


def small_instances(architecture: Architecture, network: Network) -> Iterator[Architecture]:
    """Yield networks with each kind of layer, a few units wide; of maps the smallest first.

    A chain on vectors has each kind once, in order. The last layer keeps its units, which the loss
    may depend on (class weights, pairs of means and variances); so does a layer whose activation
    has one parameter per unit. Any other network keeps all its layers, so that what is joined
    still fits, and of a block the first turns. Layers that fit in few sizes alone may fit in none.

    Args:
        architecture: as written.
        network: its equations.
    """
    whole = _shortened(architecture, once=False)
    if not _is_graph(whole) and len(whole.input) == 1:
        yield _chain(whole)
        return
    shorter = _shortened(architecture, once=True)
    for graph in [shorter, whole] if shorter.layers != whole.layers else [whole]:
        for part in PARTS_OF_SPACE:
            yield _narrow(graph, _spaces(network, part))


def keeps_maps(small: Network, network: Network) -> bool:
    """Whether maps of more than one number are so in the small network as well."""
    return (_least_space(small) > 1) >= (_least_space(network) > 1)


def _chain(architecture: Architecture) -> Architecture:
    kinds: dict[Hashable, LayerUse] = {}
    for layer in architecture.layers[:-1]:
        kinds.setdefault(_kind(layer), layer)
    step = lcm(*(n for layer in architecture.layers for n in _numbers(layer, PARTS)))
    layers = [narrowed(layer, step * SMALL[k % 3]) for k, layer in enumerate(kinds.values())]
    extents = (min(e, SMALL[0]) if isinstance(e, int) else e for e in architecture.input)
    return replace(architecture, input=tuple(extents), layers=(*layers, architecture.layers[-1]))


def _spaces(network: Network, part: float) -> dict[int | str, int]:
    """Return the extents of the inputs' maps, each with a smaller one."""
    least = _least_space(network)
    extents = [e for variable in network.inputs for e in _space(variable)]
    return {e: min(e, int(part * e / least) + 1) for e in extents}


def _least_space(network: Network) -> int:
    """Return the smallest extent of a map, but for those of one place."""
    maps = [[e for e in _space(layer.output) if e > 1] for layer in network.layers]
    return min((e for extents in maps for e in extents), default=1)


def _space(variable: Variable) -> list[int]:
    return [a.extent for a in variable.axes if a.role is Role.SPACE and isinstance(a.extent, int)]


def _shortened(architecture: Architecture, *, once: bool) -> Architecture:
    """Return the network with the first turns of every block alone, which have every wire.

    With ``once``, of blocks of the same kind only the first is kept.
    """
    stands: dict[str, str] = {}  # for a name, or a position, that of what is kept in its place
    kept: list[LayerUse] = []
    seen: set[Hashable] = set()
    uses = [(use.name or str(k), use) for k, use in enumerate(architecture.layers, start=1)]
    for _, group in groupby(uses, key=lambda entry: _block(*entry)):
        entries = list(group)
        kind = _kind_of_block(entries)
        if once and kind in seen and kept:
            stands[entries[-1][0]] = kept[-1].name or str(len(kept))
            continue
        seen |= {kind} if "." in entries[0][0] else set()
        for name, use in entries:
            early = _early(name)
            if early == name:
                sources = tuple(stands.get(source, source) for source in use.sources)
                share = stands.get(use.share, use.share)
                kept.append(replace(use, sources=sources, share=share))
                stands[name] = use.name or str(len(kept))
            else:
                stands[name] = stands[early]
    return replace(architecture, layers=tuple(kept))


def _block(name: str, use: LayerUse) -> str:
    return name.partition(".")[0] if "." in use.name else f".{name}"


def _early(name: str) -> str:
    """Return the same layer of a turn that is kept."""
    block, *inner = name.split(".")
    return ".".join([block, str(min(int(inner[0]), TURNS)), inner[1]]) if inner else name


def _kind_of_block(entries: Sequence[tuple[str, LayerUse]]) -> Hashable:
    """Return what blocks of a kind have in common: layers and wires, names and sizes left out."""
    places = {name: place for place, (name, _) in enumerate(entries)}
    first = entries[0][0].rpartition(".")[0]
    own = [use for name, use in entries if name.rpartition(".")[0] == first]
    return tuple((_kind(use), tuple(places.get(s) for s in use.sources)) for use in own)


def _is_graph(architecture: Architecture) -> bool:
    wired = any(layer.sources or layer.share for layer in architecture.layers)
    return wired or len(architecture.inputs) > 0


def _narrow(architecture: Architecture, space: Mapping[int | str, int]) -> Architecture:
    """Return the same graph with every size replaced by a small one, equal ones by equal ones.

    What is cut into parts is cut into two, as long as there are that many.
    """
    parts = {e for layer in architecture.layers for e in _numbers(layer, PARTS)}
    sizes = {e for layer in architecture.layers for e in _numbers(layer, SIZES)}
    sizes |= {e for use in architecture.all_inputs for e in use.shape if isinstance(e, int)}
    parts -= sizes  # a part for each channel
    small: dict[int | str, int] = {}
    least = 2
    for size in sorted(sizes):
        even = any(part > 1 and size % part == 0 for part in parts)
        least += even and least % 2
        small[size] = min(size, least)
        least += 1
    small |= {size: size for size in _numbers(architecture.layers[-1], SIZES)}
    of_parts: dict[int | str, int] = {part: min(part, 2) for part in parts}
    of_parts |= small
    maps: dict[int | str, int] = {**small, **space}

    def shape(use: InputUse) -> InputUse:
        of_maps = [maps.get(e, e) for e in use.shape[1:]] if len(use.shape) > 2 else []
        first = [small.get(e, e) for e in use.shape[: len(use.shape) - len(of_maps)]]
        return replace(use, shape=(*first, *of_maps))

    inputs = [shape(use) for use in architecture.all_inputs]
    return replace(
        architecture,
        input=inputs[0].shape if architecture.input else (),
        inputs=tuple(inputs) if architecture.inputs else (),
        layers=tuple(
            _with(_with(layer, SIZES, small), PARTS, of_parts) for layer in architecture.layers
        ),
    )


def _numbers(layer: LayerUse, names: Sequence[str]) -> list[int]:
    return [n for name in names for n in _listed(layer.fields.get(name)) if isinstance(n, int)]


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _with(layer: LayerUse, names: Sequence[str], to: Mapping[int | str, int]) -> LayerUse:
    fields = {}
    for name, value in layer.fields.items():
        several = isinstance(value, list | tuple)
        found = tuple(to.get(n, n) for n in _listed(value)) if name in names else (value,)
        fields[name] = found if several and name in names else found[0]
    return replace(layer, fields=fields)


def _kind(layer: LayerUse) -> Hashable:
    options = {name: value for name, value in layer.fields.items() if name not in SIZES}
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
