"""Reader of architecture files: TOML of at most 64 KiB, ``spec = 1``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import msgspec

from symbackprop.architecture import Architecture, InputUse, LayerUse, Use
from symbackprop.catalog import CATALOG, Catalog, known_as, look_up
from symbackprop.definition import Definition, Layer
from symbackprop.errors import SymbackpropError
from symbackprop.notation.blocks import expanded
from symbackprop.notation.definitions import read_definition
from symbackprop.notation.tables import convert
from symbackprop.notation.uses import (
    MOST_BYTES,
    check_choice,
    check_constant,
    check_field,
    check_flag,
    check_list,
    check_name,
    check_number,
    check_size,
    read_activation,
    read_loss,
    shown,
)
from symbackprop.wiring import ABOVE, wiring

MOST_AXES = 16
# What any layer may have besides the fields of its type.
KEYS = ("type", "name", "activation", "from", "share")

_REDUCTIONS: Mapping[str, Literal["mean", "sum"]] = {"mean": "mean", "sum": "sum"}
# tomllib takes time in the square of a dotted key's parts.
_LONG_KEY = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}"""
)


class _File(msgspec.Struct):
    spec: int
    network: dict[str, Any]
    layer: list[dict[str, Any]] = []
    block: list[dict[str, Any]] = []
    define: list[dict[str, Any]] = []
    input: list[dict[str, Any]] = []


class _Input(msgspec.Struct):
    name: Any
    shape: list[Any]
    dtype: str = "real"


class _Network(msgspec.Struct):
    input: list[Any] | msgspec.UnsetType = msgspec.UNSET
    name: str = "network"
    loss: Any = None
    reduction: str = "mean"
    l1: Any = 0.0
    l2: Any = 0.0


class _Activation(msgspec.Struct, rename={"sources": "from"}):
    type: str
    function: Any
    name: Any = ""
    sources: Any = ""
    share: Any = ""


def read_toml(text: str, path: str, catalog: Catalog = CATALOG) -> Architecture:
    """Return the architecture that the text of a file describes.

    Args:
        text: the text of the file.
        path: what errors and ``Architecture.text`` call it.
        catalog: the entries that the file may use besides its own.

    Raises:
        SymbackpropError: the text is no TOML or not of the form; the message gives line or field.
    """
    try:
        return _architecture(text, path, catalog)
    except SymbackpropError as error:
        raise error.at(path) from None


def _parse(text: str) -> dict[str, Any]:
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise SymbackpropError(f"more than {MOST_BYTES} bytes")
    if _LONG_KEY.search(text):
        raise SymbackpropError("a dotted name has more than 32 parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SymbackpropError("arrays or tables are nested too deeply") from None
    except ValueError as error:
        raise SymbackpropError(f"not valid TOML: {error}") from None


def _architecture(text: str, path: str, catalog: Catalog) -> Architecture:
    document = _parse(text)
    if document.get("spec", 1) != 1:
        raise SymbackpropError(f"spec: found {shown(document['spec'])}; allowed: 1")
    file = convert(document, _File, "")
    definitions: list[Definition] = []
    for position, table in enumerate(file.define, start=1):
        # A definition sees those above it, so none can call itself.
        definition = read_definition(table, f"define {position}", catalog.functions)
        catalog = _extended(catalog, definition, f"define {position}")
        definitions.append(definition)
    inputs = [_input(table, place) for place, table in enumerate(file.input, start=1)]
    layers = expanded(text, file.layer, file.block, inputs, partial(_layer, catalog=catalog))
    if not layers:
        raise SymbackpropError("layer: found none; a network has at least one [[layer]]")
    network = convert(file.network, _Network, "network")
    try:
        architecture = Architecture(
            name=check_name(network.name, "name"),
            input=_one_shape(network.input, inputs),
            layers=tuple(layers),
            loss=None if network.loss is None else read_loss(network.loss, catalog.losses),
            reduction=check_choice(network.reduction, _REDUCTIONS, "reduction"),
            l1=_rate(network.l1, "l1"),
            l2=_rate(network.l2, "l2"),
            definitions=tuple(definitions),
            text=path,
            place=path,
            inputs=tuple(inputs),
        )
    except SymbackpropError as error:
        raise error.at("network") from None
    wiring(architecture)
    return architecture


def _extended(catalog: Catalog, definition: Definition, place: str) -> Catalog:
    try:
        return catalog.with_definitions((definition,))
    except SymbackpropError as error:
        raise error.at(place) from None


def _one_shape(
    extents: list[Any] | msgspec.UnsetType, inputs: list[InputUse]
) -> tuple[int | str, ...]:
    """Return the shape of the one input, empty where there are tables of inputs."""
    if extents is not msgspec.UNSET and inputs:
        raise SymbackpropError("found input, and [[input]] tables besides; allowed: one of them")
    if inputs:
        return ()
    if extents is msgspec.UNSET:
        raise SymbackpropError("input is missing: the shape of a sample, or [[input]] tables")
    return _shape(extents, "input")


def _shape(extents: list[Any], what: str) -> tuple[int | str, ...]:
    if not 1 <= len(extents) <= MOST_AXES:
        raise SymbackpropError(f"{what}: found {len(extents)} axes; allowed: 1 to {MOST_AXES}")
    return tuple(check_size(extent, what) for extent in extents)


def _input(table: dict[str, Any], position: int) -> InputUse:
    place = f"input {position}"
    try:
        found = convert(table, _Input, "")
        name = check_name(found.name, "name")
        place = f"input {name!r}"
        integer = check_choice(found.dtype, {"real": False, "integer": True}, "dtype")
        return InputUse(name, _shape(found.shape, "shape"), integer)
    except SymbackpropError as error:
        raise error.at(place) from None


def _rate(value: object, what: str) -> float:
    if check_number(value, what) < 0:
        raise SymbackpropError(f"{what}: found {shown(value)}; allowed: a number of 0 or more")
    return check_number(value, what)


def _layer(table: dict[str, Any], position: int, catalog: Catalog) -> LayerUse:
    place = f"layer {position}"
    try:
        if "type" not in table:
            found = ", ".join(repr(field[:64]) for field in list(table)[:8])
            raise SymbackpropError(f"type is missing; found {found or 'no field'}")
        kind = table["type"]
        if not isinstance(kind, str):
            raise SymbackpropError(f"type: found {shown(kind)}; allowed: the name of a type")
        definition = None
        if kind not in catalog.layers and kind != "activation":
            _check_no_function(kind[:64], catalog)
        if kind != "activation":
            definition = look_up(catalog.layers, kind[:64], "type", ("activation",))
        name = check_name(table["name"], "name") if "name" in table else ""
        place = f"layer {name!r}" if name else f"layer {position} ({kind})"
        if definition is None:
            use = _activation_layer(table, catalog)
            return LayerUse("activation", place, name, activation=use, **_wires(table))
        activation = table.get("activation")
        return LayerUse(
            kind,
            place,
            name,
            fields=_fields(definition, table),
            activation=None
            if activation is None
            else read_activation(activation, catalog.activations),
            **_wires(table, definition),
        )
    except SymbackpropError as error:
        raise error.at(place) from None


def _wires(table: Mapping[str, object], definition: Layer | None = None) -> dict[str, Any]:
    """Return what a layer reads, in ``from`` and in fields of its own; whose parameters it uses."""
    found: dict[str, Any] = {}
    if "from" in table:
        sources = table["from"]
        names = sources if isinstance(sources, list) else [sources]
        if not names:
            raise SymbackpropError("from: found an empty list; allowed: a name, or a list of names")
        found["sources"] = tuple(_reference(name, "from") for name in names)
    further = [name for name in (definition.named if definition else ()) if name in table]
    if further:
        others = (_reference(table[name], name) for name in further)
        found["sources"] = (*found.get("sources", (ABOVE,)), *others)
        found["named"] = tuple(further)
    if "share" in table:
        found["share"] = _reference(table["share"], "share")
    return found


def _reference(name: object, what: str) -> str:
    """Return the name of a layer: a name, or of a layer of a block block.3.inner."""
    if isinstance(name, str) and re.fullmatch(r"\w{1,64}\.[0-9]{1,5}\.\w{1,64}", name):
        return name
    return check_name(name, what)


def _check_no_function(kind: str, catalog: Catalog) -> None:
    """Refuse an activation as a layer's type: ReLU is a layer in other libraries."""
    name = known_as(catalog.activations, kind)
    if name and not known_as(catalog.layers, kind):
        raise SymbackpropError(
            f'type {shown(kind)} is an activation: type = "activation", function = "{name}"'
        )


def _activation_layer(table: dict[str, Any], catalog: Catalog) -> Use:
    return read_activation(convert(table, _Activation, "").function, catalog.activations)


def _fields(definition: Layer, table: Mapping[str, object]) -> dict[str, Any]:
    """Return sizes, options and constants as written, checked."""
    own = dict.fromkeys((*definition.sizes, *definition.defaults))
    written = {key: table[key] for key in table if key not in KEYS}
    for key in written:
        check_field(definition, key, {**own, **dict.fromkeys(KEYS)})
    required = [name for name, field in definition.fields.items() if field.required]
    for name in (*definition.sizes, *required):
        if name not in written:
            raise SymbackpropError(f"{name} is missing; {definition.name} needs it")
    return {key: _field(definition, key, value) for key, value in written.items()}


def _field(definition: Layer, key: str, value: object) -> Any:
    if key in definition.sizes:
        return check_size(value, key)
    if key in definition.options:
        return check_flag(value, key)
    if key in definition.named:
        return True
    if key in definition.fields:
        return check_list(definition.fields[key], value, key)
    return check_constant(definition, key, value)
