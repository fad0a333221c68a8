"""From an architecture, as written, to a network of equations."""

from __future__ import annotations

from math import isfinite, prod

from symbackprop.architecture import Architecture, LayerUse
from symbackprop.building.heads import build_heads, build_penalties
from symbackprop.building.layers import build_layer
from symbackprop.building.settings import size
from symbackprop.catalog import CATALOG, Catalog
from symbackprop.equations import Equation, Index, Role, Variable
from symbackprop.errors import SymbackpropError
from symbackprop.network import BATCH, Head, Layer, Network

MAX_PARAMETERS = 2**31

# Letters and roles of a sample's axes by its rank: features; a sequence; channels and space.
_AXES = {
    1: (("i", Role.FEATURE),),
    2: (("t", Role.TIME), ("i", Role.FEATURE)),
}


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
    source = _input(architecture.input)
    layers = _layers(architecture.layers, source, catalog)
    _check_names(layers)
    _check_count(layers)
    learned = [array for layer in layers for array in layer.parameters]
    return Network(
        name=architecture.name,
        text=architecture.text,
        input=source,
        layers=layers,
        loss=architecture.loss.name if architecture.loss else None,
        reduction=architecture.reduction,
        heads=_heads(architecture, layers[-1], catalog),
        penalties=build_penalties(_rates(architecture), learned, catalog),
    )


def _input(shape: tuple[int | str, ...]) -> Variable:
    if not shape:
        raise SymbackpropError("input: a sample needs at least one extent")
    letters = _AXES.get(len(shape)) or (
        ("c", Role.CHANNEL),
        *((letter, Role.SPACE) for letter in "hwdefg"[: len(shape) - 1]),
    )
    if len(letters) < len(shape):
        raise SymbackpropError(f"input: {len(shape)} extents; at most {len(letters)} are read")
    extents = [size(f"input: extent {axis}", value) for axis, value in enumerate(shape, start=1)]
    pairs = zip(letters, extents, strict=True)
    axes = [Index(letter, extent, role) for (letter, role), extent in pairs]
    return Variable("x", "", (Index("n", BATCH, Role.BATCH), *axes))


def _layers(uses: tuple[LayerUse, ...], source: Variable, catalog: Catalog) -> tuple[Layer, ...]:
    if not uses:
        raise SymbackpropError("the network has no layer")
    layers: list[Layer] = []
    for position, use in enumerate(uses, start=1):
        he = _relu_like(uses[position - 1 : position + 1], catalog)
        layers.append(build_layer(position, use, source, catalog, he))
        source = layers[-1].output
    return tuple(layers)


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
        learned = [array.variable for array in layer.parameters]
        equations: tuple[Equation, ...] = layer.equations + layer.activation
        for variable in (*learned, *(equation.target.variable for equation in equations)):
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
