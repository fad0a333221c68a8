"""One use of a layer's definition: its fields checked, the extents of what it reads bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symbackprop.building.settings import check_fields, settled, size
from symbackprop.definition import Layer, Parameter, Reading
from symbackprop.equations import Extent, Index, Role, Variable, extent_expression
from symbackprop.errors import SymbackpropError
from symbackprop.instantiate import Scope, extent_of
from symbackprop.instantiate.polynomials import same_extent
from symbackprop.instantiate.scope import constant_numbers, shape_text
from symbackprop.network import BATCH
from symbackprop.scalar import Expression, number
from symbackprop.sizing import extent_text

Numbers = Mapping[str, Expression | None]

PARAMETER_LETTERS = "ijklmopq"


def as_used(entry: Layer, given: Mapping[str, Any], sources: Sequence[Variable]) -> Layer:
    """Return the definition as this use writes it.

    Args:
        entry: of the catalogue.
        given: the fields as written.
        sources: what the layer reads, batch axis included.

    Raises:
        SymbackpropError: a field that the layer does not take, or that does not fit.
    """
    check_fields(entry, given, [*entry.sizes, *entry.defaults])
    fields = _fields(entry, given)
    if entry.written:
        _check_count(entry, len(sources) - sum(bool(fields[name]) for name in entry.named))
    shapes = tuple(tuple(axis.extent for axis in source.axes[1:]) for source in sources)
    try:
        return entry.at(Reading(shapes, fields))
    except SymbackpropError as error:
        raise _with_shapes(error, sources) from None


def _check_count(entry: Layer, count: int) -> None:
    least, most = entry.reads
    if count < least or (most is not None and count > most):
        several = f"{least} values or more" if most is None else f"{least} to {most} values"
        allowed = f"{least} value{'s' if least > 1 else ''}" if least == most else several
        raise SymbackpropError(f"{entry.name} reads {allowed}, from names {count}")


def _fields(entry: Layer, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that is set, with defaults, checked."""
    found: dict[str, Any] = settled(entry, given)
    for name, default in entry.options.items():
        found[name] = _option(name, given.get(name, default))
    for name in entry.sizes:
        if name not in given:
            raise SymbackpropError(f"{entry.name} needs the field {name!r}")
        found[name] = size(name, given[name])
    for name, field in entry.fields.items():
        if field.required and name not in given:
            raise SymbackpropError(f"{entry.name} needs the field {name!r}")
        value = given.get(name, field.default)
        if demand := field.demand(value):
            raise SymbackpropError(f"{name} is {value!r}; it must be {demand}")
        found[name] = tuple(value) if isinstance(value, list) else value
    return found


def _option(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SymbackpropError(f"{name} is {value!r}; it must be true or false")
    return value


def scope_of(
    definition: Layer,
    given: Mapping[str, Any],
    sources: Sequence[Variable],
    owner: str,
    shared: Mapping[str, Variable],
) -> Scope:
    """Return what the names of the definition's equations stand for in this use.

    Args:
        definition: as this use writes it.
        given: the fields as written.
        sources: what the layer reads, batch axis included.
        owner: of every variable that the equations define.
        shared: parameters of another layer, by symbol, that stand for the layer's own.

    Raises:
        SymbackpropError: shapes that do not fit.
    """
    try:
        return _scope(definition, given, sources, owner, shared)
    except SymbackpropError as error:
        raise _with_shapes(error, sources) from None


def _scope(
    definition: Layer,
    given: Mapping[str, Any],
    sources: Sequence[Variable],
    owner: str,
    shared: Mapping[str, Variable],
) -> Scope:
    fields = _fields(definition, given)
    extents, leading = _extents(definition, sources)
    numbers: dict[str, Expression | None] = {
        **constant_numbers({k: v for k, v in fields.items() if k not in definition.named}),
        **{name: extent_expression(fields[name]) for name in definition.sizes},
        **{name: extent_expression(extent) for name, extent in extents.items()},
    }
    parameters = parameter_variables(definition.parameters, owner, numbers, shared)
    off = {
        name: number(0 if isinstance(parameter.initial, str) else parameter.initial)
        for name, parameter in definition.parameters.items()
        if parameter.option is not None and not fields[parameter.option]
    }
    return Scope(
        owner=owner,
        variables={**dict(zip(definition.inputs, sources, strict=True)), **parameters},
        batched=frozenset(definition.inputs),
        leading=leading,
        numbers=numbers,
        off=off,
        output=tuple(extent_of(text, numbers) for text in definition.output),
        ranges={name: extent_of(text, numbers) for name, text in definition.ranges.items()},
        roles=tuple(map(Role, definition.roles)),
    )


def _extents(
    definition: Layer, sources: Sequence[Variable]
) -> tuple[dict[str, Extent], tuple[Index, ...]]:
    """Return the extents by name, and the axes before those that the definition names."""
    if len(sources) != len(definition.inputs):
        wanted = ", ".join(definition.inputs)
        count = len(definition.inputs)
        raise SymbackpropError(
            f"{definition.name} reads {count} value{'s' if count > 1 else ''} ({wanted}), "
            f"from names {len(sources)}"
        )
    extents: dict[str, tuple[Extent, str]] = {}
    leading: tuple[Index, ...] | None = None
    for (name, declared), source in zip(definition.inputs.items(), sources, strict=True):
        count = len(source.axes) - len(declared)
        if count != 0 if declared[0] == BATCH.name else count < 1:
            raise SymbackpropError(
                f"{definition.name} reads {name}[{', '.join(declared)}], "
                f"its input has the shape {shape_text(source.axes)}"
            )
        before = source.axes[:count]
        leading = before if leading is None else leading
        if not _alike(leading, before):
            raise SymbackpropError(
                f"{definition.name} reads inputs of the shapes "
                f"{' and '.join(shape_text(source.axes) for source in sources)}: the axes before "
                f"{name}[{', '.join(declared)}] must be the same"
            )
        for extent, axis in zip(declared, source.axes[count:], strict=True):
            known, first = extents.setdefault(extent, (axis.extent, name))
            if not same_extent(known, axis.extent):
                raise SymbackpropError(
                    f"{extent} of {definition.name} is {extent_text(known)} in {first} and "
                    f"{extent_text(axis.extent)} in {name}; they must be the same"
                )
    assert leading is not None
    return {name: extent for name, (extent, _) in extents.items()}, leading


def _alike(one: Sequence[Index], other: Sequence[Index]) -> bool:
    return len(one) == len(other) and all(
        same_extent(a.extent, b.extent) for a, b in zip(one, other, strict=True)
    )


def _with_shapes(error: SymbackpropError, sources: Sequence[Variable]) -> SymbackpropError:
    """Return the error with the shapes that are read, where it does not say them."""
    if any(shape_text(source.axes) in str(error) for source in sources):
        return error
    return SymbackpropError(f"{error}; it reads {_shapes(sources)}")


def _shapes(sources: Sequence[Variable]) -> str:
    shapes = " and ".join(shape_text(source.axes) for source in sources)
    return f"inputs of shapes {shapes}" if len(sources) > 1 else f"an input of shape {shapes}"


def parameter_variables(
    parameters: Mapping[str, Parameter],
    owner: str,
    numbers: Numbers,
    shared: Mapping[str, Variable],
) -> dict[str, Variable]:
    """Return a variable for every parameter, its extents bound; a shared one where there is one.

    Raises:
        SymbackpropError: a name or an extent that is not allowed, or not the shared one's.
    """
    found = {}
    for symbol, parameter in parameters.items():
        if not (symbol.isascii() and symbol.isalpha()):
            raise SymbackpropError(f"parameter {symbol!r}: its name is made of letters only")
        found[symbol] = array_variable(symbol, parameter.extents, owner, numbers)
        if symbol in shared:
            if not _alike(found[symbol].axes, shared[symbol].axes):
                raise SymbackpropError(
                    f"share: {shared[symbol].name} is {shape_text(shared[symbol].axes)}, "
                    f"this layer needs {shape_text(found[symbol].axes)}"
                )
            found[symbol] = shared[symbol]
    return found


def array_variable(symbol: str, extents: Sequence[str], owner: str, numbers: Numbers) -> Variable:
    """Return the variable of an array without samples, its extents bound."""
    if len(extents) > len(PARAMETER_LETTERS):
        raise SymbackpropError(f"parameter {symbol!r} has more than {len(PARAMETER_LETTERS)} axes")
    bound = [extent_of(text, numbers) for text in extents]
    axes = tuple(Index(*pair) for pair in zip(PARAMETER_LETTERS, bound, strict=False))
    return Variable(symbol, owner, axes)
