"""Reader of ``[[define]]``: a user's own activation, loss or layer, in the catalogue's notation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from symbackprop.catalog import WORDS
from symbackprop.definition import Activation, Definition, Layer, Loss, Parameter, Value
from symbackprop.errors import SymbackpropError
from symbackprop.formula_reader import read_equation, read_expression
from symbackprop.notation.tables import convert
from symbackprop.notation.uses import check_choice, check_name, check_number, shown

MOST_EQUATIONS = 64
# Keys of a [[layer]] that are no fields of its type, now or in a later version.
LAYER_KEYS = ("type", "name", "activation", "function", "from", "share", "mask", "axis")

_WITHIN: Mapping[str, Literal["mean", "sum", "written"]] = {
    "mean": "mean",
    "sum": "sum",
    "written": "written",
}


class _Definition(msgspec.Struct, kw_only=True):
    kind: str
    name: str
    equations: list[str]
    doc: str = ""
    source: str = ""
    constants: dict[str, Any] = {}


class _Activation(_Definition, kw_only=True):
    parameters: dict[str, Any] = {}
    channels: bool = False
    relu_like: bool = False


class _Loss(_Definition, kw_only=True):
    within: str = "written"
    indices: list[str] = []


class _Layer(_Definition, kw_only=True):
    input: list[str] | None = None
    inputs: dict[str, list[str]] | None = None
    sizes: list[str] = []
    parameters: dict[str, Any] = {}
    options: dict[str, bool] = {}
    output: list[str] = []
    ranges: dict[str, str] = {}


class _Parameter(msgspec.Struct):
    extents: list[str]
    initial: Any = None
    option: str | None = None


def read_definition(table: dict[str, Any], place: str, functions: Collection[str]) -> Definition:
    """Return the entry that a table defines.

    Args:
        table: one ``[[define]]``.
        place: what errors call it.
        functions: the activations that its equations may call.

    Raises:
        SymbackpropError: a key, a name, a value or an equation is not allowed.
    """
    try:
        kind = table.get("kind")
        if not isinstance(kind, str):
            raise SymbackpropError(f"kind: found {shown(kind)}; allowed: {', '.join(_READERS)}")
        read = check_choice(kind, _READERS, "kind")
        name = check_name(table.get("name"), "name")
        place = f"{place} ({name})"
        definition = read(table)
        for text in _equations_of(definition):
            read_equation(text, functions)
        for text in _extents_of(definition):
            read_expression(text)
    except SymbackpropError as error:
        raise error.at(place) from None
    return definition


def _activation(table: dict[str, Any]) -> Activation:
    found = convert(table, _Activation, "")
    constants = _constants(found.constants)
    parameters = _parameters(found.parameters, {})
    _check_apart(["a", "z"], parameters, constants)
    _check_free(constants, ("name", "axis"))
    return Activation(
        **_common(found, constants),
        parameters=parameters,
        channels=found.channels,
        relu_like=found.relu_like,
    )


def _loss(table: dict[str, Any]) -> Loss:
    found = convert(table, _Loss, "")
    constants = _constants(found.constants)
    _check_apart(["L", "a", "y"], constants)
    _check_free(constants, ("name", "axis"))
    return Loss(
        **_common(found, constants),
        within=check_choice(found.within, _WITHIN, "within"),
        indices=_equations(found.indices, "indices") if found.indices else (),
    )


def _layer(table: dict[str, Any]) -> Layer:
    found = convert(table, _Layer, "")
    constants = _constants(found.constants)
    inputs = _inputs(found)
    parameters = _parameters(found.parameters, found.options)
    for name in (*found.sizes, *found.options):
        check_name(name, "sizes and options")
    extents = sorted({extent for shape in inputs.values() for extent in shape})
    _check_apart(inputs, extents, parameters, found.sizes, found.options, constants)
    _check_free((*found.sizes, *found.options, *constants), LAYER_KEYS)
    return Layer(
        **_common(found, constants),
        inputs=inputs,
        parameters=parameters,
        sizes=tuple(found.sizes),
        options=found.options,
        output=tuple(found.output),
        ranges=found.ranges,
    )


_READERS: Mapping[str, Callable[[dict[str, Any]], Definition]] = {
    "activation": _activation,
    "loss": _loss,
    "layer": _layer,
}


def _equations_of(definition: Definition) -> tuple[str, ...]:
    return definition.equations + (definition.indices if isinstance(definition, Loss) else ())


def _extents_of(definition: Definition) -> Iterator[str]:
    if isinstance(definition, Layer):
        yield from definition.output
        yield from definition.ranges.values()
    if isinstance(definition, Layer | Activation):
        for parameter in definition.parameters.values():
            yield from parameter.extents


def _common(found: _Definition, constants: Mapping[str, Value]) -> dict[str, Any]:
    return {
        "name": found.name,
        "equations": _equations(found.equations, "equations"),
        "doc": found.doc,
        "source": found.source,
        "constants": constants,
    }


def _equations(texts: list[str], what: str) -> tuple[str, ...]:
    if not 1 <= len(texts) <= MOST_EQUATIONS:
        raise SymbackpropError(f"{what}: found {len(texts)}; allowed: 1 to {MOST_EQUATIONS}")
    return tuple(texts)


def _constants(found: Mapping[str, object]) -> dict[str, Value]:
    """Return the constants; an integer is read as a number, so that 2.5 may be set for 2."""
    return {
        check_name(name, "constants"): float(check_number(value, name))
        for name, value in found.items()
    }


def _parameters(found: Mapping[str, object], options: Mapping[str, bool]) -> dict[str, Parameter]:
    return {name: _parameter(name, value, options) for name, value in found.items()}


def _parameter(name: str, value: object, options: Mapping[str, bool]) -> Parameter:
    place = f"parameter {shown(name)}"
    if not (name.isascii() and name.isalpha()):
        raise SymbackpropError(f"{place}: the name of a parameter is letters only")
    check_name(name, "parameters")
    table = value if isinstance(value, dict) else {"extents": value}
    found = convert(table, _Parameter, place)
    if found.option is not None and found.option not in options:
        raise SymbackpropError(f"{place}: option {shown(found.option)} is not in options")
    initial: Literal["weight"] | float = "weight" if len(found.extents) > 1 else 0.0
    if found.initial is not None and found.initial != "weight":
        initial = check_number(found.initial, f"{place}: initial")
    return Parameter(tuple(found.extents), initial, found.option)


def _inputs(found: _Layer) -> dict[str, tuple[str, ...]]:
    if found.input is not None and found.inputs is not None:
        raise SymbackpropError("found input and inputs; allowed: one of them")
    inputs = found.inputs or {"x": found.input or ["features"]}
    for name, extents in inputs.items():
        check_name(name, "inputs")
        for extent in extents:
            check_name(extent, f"extents of {name}")
    return {name: tuple(extents) for name, extents in inputs.items()}


def _check_apart(*groups: Iterable[str]) -> None:
    """Check that no name stands for two things, nor for a function of the notation."""
    seen: set[str] = set()
    for name in (name for group in groups for name in group):
        if name in seen:
            raise SymbackpropError(f"the name {name!r} stands for two things")
        if name in WORDS:
            raise SymbackpropError(f"the name {name!r} is a word of the notation; choose another")
        seen.add(name)


def _check_free(names: Iterable[str], taken: tuple[str, ...]) -> None:
    for name in names:
        if name in taken:
            raise SymbackpropError(f"the name {name!r} is reserved; choose another")
