"""Which layer reads what: names resolved, and mistakes in them found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symbackprop.architecture import Architecture, LayerUse
from symbackprop.errors import SymbackpropError, allowed

# What `from` may say besides names: the network's one input, and what flows into a block.
WORDS = ("input", "block")
ABOVE = ""  # stands for the layer above


def wiring(architecture: Architecture) -> tuple[tuple[int, ...], ...]:
    """Return, for every layer, the places of what it reads.

    Places count the inputs first, then the layers from the top.

    Raises:
        SymbackpropError: a name that is unknown, taken, reserved or that of a layer below, an
            input or a layer that nothing reads, parameters shared with no layer above.
    """
    if not architecture.layers:
        raise SymbackpropError("the network has no layer")
    known = _inputs(architecture)
    positions = _positions(architecture.layers)
    shareable: dict[str, LayerUse] = {}
    found: list[tuple[int, ...]] = []
    first = len(architecture.all_inputs)
    for position, use in enumerate(architecture.layers, start=1):
        try:
            found.append(_sources(use, position, known, positions, first))
            _check_share(use, shareable, positions)
        except SymbackpropError as error:
            raise error.at(use.place) from None
        if use.name in known:
            raise SymbackpropError(f"{use.place}: the name {use.name!r} is that of an input")
        # A layer without a name goes by its position, which no name looks like.
        known[use.name or str(position)] = first + position - 1
        if use.name:
            shareable[use.name] = use
    _check_all_read(architecture, found)
    return tuple(found)


def _inputs(architecture: Architecture) -> dict[str, int]:
    """Return the place of every input by name."""
    known: dict[str, int] = {}
    several = len(architecture.inputs) > 1
    for place, use in enumerate(architecture.all_inputs):
        if use.name in known:
            raise SymbackpropError(f"two inputs have the name {use.name!r}")
        if use.name == "block" or (several and use.name == "input"):
            raise SymbackpropError(f"the name {use.name!r} is reserved in from; choose another")
        known[use.name] = place
    return known if several else {"input": 0, **known}


def _positions(layers: Sequence[LayerUse]) -> dict[str, int]:
    """Return the position of every named layer."""
    positions: dict[str, int] = {}
    for position, use in enumerate(layers, start=1):
        if use.name in WORDS:
            raise SymbackpropError(
                f"{use.place}: the name {use.name!r} is reserved in from; choose another"
            )
        first = positions.setdefault(use.name or str(position), position)
        if first != position:
            raise SymbackpropError(f"{use.place}: the name {use.name!r} is that of layer {first}")
    return {use.name: positions[use.name] for use in layers if use.name}


def _sources(
    use: LayerUse, position: int, known: Mapping[str, int], positions: Mapping[str, int], first: int
) -> tuple[int, ...]:
    names = use.sources or (ABOVE,)
    if ABOVE in names and position == 1 and first > 1:
        raise SymbackpropError(
            f"from is missing: the network has the inputs {', '.join(sorted(known))}"
        )
    known = {**known, ABOVE: first + position - 2}
    fields = [*["from"] * (len(names) - len(use.named)), *use.named]
    for field, name in zip(fields, names, strict=True):
        if name not in known:
            raise _unknown(field, name, use, known, positions)
    return tuple(known[name] for name in names)


def _unknown(
    field: str, name: str, use: LayerUse, known: Mapping[str, int], positions: Mapping[str, int]
) -> SymbackpropError:
    """Return the error for a name that no value above has."""
    if name == use.name:
        return SymbackpropError(f"{field}: a layer cannot read itself")
    if name in positions:
        return SymbackpropError(
            f"{field}: {name!r} stands below (layer {positions[name]}); a layer reads those above"
        )
    named = [other for other in known if other and not other.isdigit()]
    names = allowed(name[:64], named) if named else "no layer above has a name"
    return SymbackpropError(f"{field}: {name[:64]!r} is not known; {names}")


def _check_share(
    use: LayerUse, shareable: Mapping[str, LayerUse], positions: Mapping[str, int]
) -> None:
    if not use.share:
        return
    if use.share not in shareable:
        if use.share == use.name:
            raise SymbackpropError("share: a layer cannot share its own parameters")
        raise _unknown("share", use.share, use, dict.fromkeys(shareable, 0), positions)
    other = shareable[use.share]
    if other.type != use.type:
        raise SymbackpropError(
            f"share: {use.share!r} is of type {other.type!r}, this layer is of type {use.type!r}"
        )


def _check_all_read(architecture: Architecture, found: Sequence[tuple[int, ...]]) -> None:
    """Refuse inputs and layers that nothing reads: the output would not depend on them."""
    read = {place for wire in found for place in wire}
    inputs = architecture.all_inputs
    for place, use in enumerate(inputs):
        if place not in read:
            raise SymbackpropError(f"input {use.name!r}: no layer reads it")
    for place, layer in enumerate(architecture.layers[:-1], start=len(inputs)):
        if place not in read:
            raise SymbackpropError(
                f"{layer.place}: no layer reads it; the network's output is that of the last layer"
            )
