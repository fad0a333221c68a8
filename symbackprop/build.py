"""From an architecture, as written, to a network of equations."""

from __future__ import annotations

from math import isfinite, prod

from symbackprop.architecture import Architecture, LayerUse
from symbackprop.building.heads import build_heads, build_penalties
from symbackprop.building.layers import build_layer
from symbackprop.building.settings import size
from symbackprop.catalog import CATALOG, Catalog
from symbackprop.definition import index_letters
from symbackprop.equations import Index, Role, Variable
from symbackprop.errors import SymbackpropError
from symbackprop.network import BATCH, Head, Layer, Network
from symbackprop.wiring import wiring

MAX_PARAMETERS = 2**31

# What a sample's axes stand for by its rank: features; a sequence; else channels and space.
_ROLES = {1: (Role.FEATURE,), 2: (Role.TIME, Role.FEATURE)}


def build_network(architecture: Architecture, catalog: Catalog = CATALOG) -> Network:
    """Return the network of an architecture, its own definitions included.

    Shapes follow from the input's; nothing is allocated.

    Raises:
        SymbackpropError: with the place, for whatever does not fit.
    """
    try:
        return _network(architecture, catalog)
    except SymbackpropError as error:
        raise error.at(architecture.place) from None


def _network(architecture: Architecture, catalog: Catalog) -> Network:
    catalog = catalog.with_definitions(architecture.definitions)
    inputs = _inputs(architecture)
    layers = _layers(architecture, inputs, catalog)
    _check_names(layers)
    _check_count(layers)
    learned = [array for layer in layers for array in layer.parameters]
    return Network(
        name=architecture.name,
        text=architecture.text,
        inputs=inputs,
        layers=layers,
        loss=architecture.loss.name if architecture.loss else None,
        reduction=architecture.reduction,
        heads=_heads(architecture, layers[-1], catalog),
        penalties=build_penalties(_rates(architecture), learned, catalog),
    )


def _inputs(architecture: Architecture) -> tuple[Variable, ...]:
    """Return a variable for every input: x, or of several x_name."""
    if architecture.inputs and architecture.input:
        raise SymbackpropError("found input and inputs; allowed: one of them")
    uses = architecture.all_inputs
    if len(uses) == 1:
        place = f"input {uses[0].name!r}" if architecture.inputs else "input"
        return (_input(place, uses[0].shape, "", uses[0].integer),)
    return tuple(_input(f"input {u.name!r}", u.shape, u.name, u.integer) for u in uses)


def _input(place: str, shape: tuple[int | str, ...], owner: str, integer: bool) -> Variable:
    if not shape:
        raise SymbackpropError(f"{place}: a sample needs at least one extent")
    letters = index_letters(len(shape))
    if len(letters) < len(shape):
        raise SymbackpropError(f"{place}: {len(shape)} extents; at most {len(letters)} are read")
    extents = [size(f"{place}: extent {axis}", value) for axis, value in enumerate(shape, start=1)]
    roles = _ROLES.get(len(shape)) or (Role.CHANNEL, *(Role.SPACE,) * (len(shape) - 1))
    axes = map(Index, letters, extents, roles)
    return Variable("x", owner, (Index("n", BATCH, Role.BATCH), *axes), integer=integer)


def _layers(
    architecture: Architecture, inputs: tuple[Variable, ...], catalog: Catalog
) -> tuple[Layer, ...]:
    values = list(inputs)
    layers: dict[str, Layer] = {}
    wires = wiring(architecture)
    for position, (use, wire) in enumerate(zip(architecture.layers, wires, strict=True), start=1):
        follows = len(values) in wires[position] if position < len(wires) else False
        he = _relu_like(architecture.layers[position - 1 : position + follows], catalog)
        sources = tuple(values[place] for place in wire)
        shared = layers[use.share] if use.share else None
        if shared and shared.share:
            shared = layers[shared.share]
        layer = build_layer(position, use, sources, catalog, relu_like=he, shared=shared)
        layers[use.name or str(position)] = layer
        values.append(layer.output)
    return tuple(layers.values())


def _relu_like(uses: tuple[LayerUse, ...], catalog: Catalog) -> bool:
    """Whether the layer's activation, or else the layer after it, asks for He initialisation."""
    use = uses[0].activation
    if use is None and len(uses) > 1 and uses[1].type == "activation":
        use = uses[1].activation
    definition = catalog.activations.get(use.name) if use else None
    return definition is not None and definition.relu_like


def _heads(architecture: Architecture, last: Layer, catalog: Catalog) -> tuple[Head, ...]:
    if architecture.loss is None:
        return ()
    if architecture.reduction not in ("mean", "sum"):
        raise SymbackpropError(f"reduction: {architecture.reduction!r}; allowed: mean, sum")
    try:
        return build_heads(
            architecture.loss, last.output, last.place, architecture.reduction, catalog
        )
    except SymbackpropError as error:
        raise error.at("loss") from None


def _rates(architecture: Architecture) -> dict[str, float]:
    rates = {"l1": architecture.l1, "l2": architecture.l2}
    for name, rate in rates.items():
        if not isfinite(rate) or rate < 0:
            raise SymbackpropError(f"{name}: {rate}; it must be a finite number from 0")
    return rates


def _check_names(layers: tuple[Layer, ...]) -> None:
    """Refuse two variables of one name, such as s1 of layer 2 and s of layer 12."""
    seen: dict[str, Variable] = {}
    for layer in layers:
        defined = [equation.target.variable for equation in layer.all_equations]
        for variable in (*layer.given, *defined):
            if variable.name in seen:
                raise SymbackpropError(
                    f"{layer.place}: the name {variable.name} stands for two variables; "
                    "name the layer, or the definition's variable, another way"
                )
            seen[variable.name] = variable


def _check_count(layers: tuple[Layer, ...]) -> None:
    total = 0
    for layer in layers:
        for array in layer.parameters:
            extents = [axis.extent for axis in array.variable.axes]
            total += prod(extent for extent in extents if isinstance(extent, int))
    if total > MAX_PARAMETERS:
        raise SymbackpropError(
            f"the network has {total} parameters; at most {MAX_PARAMETERS} are allowed"
        )
