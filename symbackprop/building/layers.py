"""One layer of an architecture, made from its definition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from symbackprop import definition as kinds
from symbackprop import scalar
from symbackprop.architecture import LayerUse, Use
from symbackprop.building.modes import Modes, instantiate_modes, with_draws_and_state
from symbackprop.building.reading import as_used, parameter_variables, scope_of
from symbackprop.building.settings import check_fields, settled, written_rank
from symbackprop.catalog import Catalog, look_up
from symbackprop.equations import (
    Access,
    Affine,
    Equation,
    Extent,
    Index,
    Role,
    Variable,
    accesses_of,
)
from symbackprop.errors import SymbackpropError
from symbackprop.instantiate import Names, Scope, instantiate
from symbackprop.instantiate.polynomials import same_extent
from symbackprop.instantiate.scope import constant_numbers, shape_text
from symbackprop.network import Layer, LearnedArray
from symbackprop.scalar import Expression
from symbackprop.sizing import extent_text

Numbers = Mapping[str, Expression | None]


@dataclass(frozen=True)
class _Part:
    """The equations of a layer's own part, or of its activation, and what they learn."""

    modes: Modes = field(default_factory=lambda: Modes(()))
    parameters: tuple[LearnedArray, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def equations(self) -> tuple[Equation, ...]:
        """The equations in training."""
        return self.modes.equations


@dataclass(frozen=True)
class _Setting:
    """What both parts of a layer are built from: the names given out, and shared parameters."""

    names: Names
    catalog: Catalog
    shared: Mapping[str, Variable]


def build_layer(
    position: int,
    use: LayerUse,
    sources: Sequence[Variable],
    catalog: Catalog,
    *,
    relu_like: bool = False,
    shared: Layer | None = None,
) -> Layer:
    """Return the layer that ``use`` writes.

    Args:
        position: counted from 1.
        use: what was written.
        sources: what the layer reads, batch axis included.
        catalog: where its type and activation are looked up.
        relu_like: whether the activation that follows asks for He initialisation.
        shared: the layer whose parameters it uses.

    Raises:
        SymbackpropError: anything that does not fit, with the layer's place.
    """
    try:
        return _layer(position, use, sources, catalog, relu_like=relu_like, shared=shared)
    except SymbackpropError as error:
        raise error.at(use.place) from None


def _layer(
    position: int,
    use: LayerUse,
    sources: Sequence[Variable],
    catalog: Catalog,
    *,
    relu_like: bool,
    shared: Layer | None,
) -> Layer:
    owner = use.name or str(position)
    activation = use.activation
    arrays = (
        {array.variable.symbol: array.variable for array in shared.parameters} if shared else {}
    )
    setting = _Setting(Names(owner, {"x", "z", "a"}), catalog, arrays)
    before, own = sources[0], _Part()
    if use.type != "activation":
        result = "z" if activation else "a"
        own = _own_part(use, sources, setting, result=result, relu_like=relu_like)
        before = own.equations[-1].target.variable
    elif activation is None:
        raise SymbackpropError("type 'activation' needs a function: the name of an activation")
    elif len(sources) > 1:
        raise SymbackpropError(f"an activation reads one value, from names {len(sources)}")
    applied = _activate(activation, before, setting) if activation else _Part()
    for part, read in ((own, sources), (applied, [before])):
        if part.equations and not all(reads(part.equations, source) for source in read):
            which = "the input" if len(read) == 1 else "every input"
            raise SymbackpropError(f"the output does not depend on {which}")
    parameters = own.parameters + applied.parameters
    if shared:
        _check_shared(shared, parameters)
    titles = [] if use.type == "activation" else [use.type]
    return Layer(
        position=position,
        owner=owner,
        kind=", ".join([*titles, *([activation.name] if activation else [])]),
        inputs=tuple(sources),
        equations=own.equations,
        activation=applied.equations,
        preactivation=before if own.equations and applied.equations else None,
        output=(applied.equations or own.equations)[-1].target.variable,
        parameters=() if shared else parameters,
        place=use.place,
        share=shared.owner if shared else "",
        texts=own.texts,
        draws=own.modes.draws,
        state=own.modes.state,
        updates=own.modes.updates,
        evaluation=own.modes.evaluation,
    )


def _check_shared(shared: Layer, parameters: Iterable[LearnedArray]) -> None:
    there = [array.variable.symbol for array in shared.parameters]
    here = [array.variable.symbol for array in parameters]
    if not there:
        raise SymbackpropError(f"share: {shared.owner!r} has no parameters")
    if sorted(there) != sorted(here):
        raise SymbackpropError(
            f"share: {shared.owner!r} has the parameters {', '.join(there)}, this layer has "
            f"{', '.join(here) or 'none'}"
        )


def reads(equations: Iterable[Equation], variable: Variable) -> bool:
    """Whether any of the equations reads the variable."""
    operands = (operand for equation in equations for operand in equation.operands)
    return any(access.variable == variable for o in operands for access in accesses_of(o))


def _own_part(
    use: LayerUse,
    sources: Sequence[Variable],
    setting: _Setting,
    *,
    result: str,
    relu_like: bool,
) -> _Part:
    """Return the layer's equations before its activation."""
    names, functions = setting.names, setting.catalog.activations
    entry = look_up(setting.catalog.layers, use.type, "layer", ["activation"])
    definition = as_used(entry, use.fields, sources)
    for symbol in (*definition.parameters, *definition.draws, *definition.state):
        names.claim(symbol)
    scope = scope_of(definition, use.fields, sources, names.owner, setting.shared)
    scope = with_draws_and_state(definition, scope, sources)
    scope = replace(scope, result=result, functions=functions)
    modes = instantiate_modes(definition, scope, names)
    learned = _learned(definition.parameters, scope, modes.equations, relu_like)
    texts = (*definition.equations, *definition.updates, *definition.evaluation)
    return _Part(modes, learned, texts)


def _learned(
    parameters: Mapping[str, kinds.Parameter],
    scope: Scope,
    equations: tuple[Equation, ...],
    relu_like: bool,
) -> tuple[LearnedArray, ...]:
    arrays = []
    for symbol, parameter in parameters.items():
        if symbol in scope.off:
            continue
        variable = scope.variables[symbol]
        if parameter.initial == "weight":
            fans = _fans(variable, equations)
            arrays.append(LearnedArray(variable, "he" if relu_like else "glorot", *fans))
        else:
            arrays.append(LearnedArray(variable, float(parameter.initial)))
    return tuple(arrays)


def _fans(variable: Variable, equations: tuple[Equation, ...]) -> tuple[int, int]:
    """Return how many numbers one unit is summed from, and how many units one number feeds."""
    for equation in equations:
        for operand in equation.operands:
            if isinstance(operand, Access) and operand.variable == variable and equation.reduced:
                return _fans_at(operand, equation)
    extents = [axis.extent for axis in variable.axes]
    return _count(extents[:1]), _count(extents[-1:])


def _fans_at(read: Access, equation: Equation) -> tuple[int, int]:
    shifted = {
        index
        for operand in equation.operands
        if isinstance(operand, Access)
        for item in operand.indices
        if isinstance(item, Affine)
        for _, index in item.terms
    }
    summed = [index for index in read.indices if index in equation.reduced]
    feeding = [index for index in read.indices if index not in summed or index in shifted]
    axes = dict(zip(read.indices, read.variable.axes, strict=True))
    return _count([axes[i].extent for i in summed]), _count([axes[i].extent for i in feeding])


def _count(extents: list[Extent]) -> int:
    return prod(extent if isinstance(extent, int) else 0 for extent in extents)


def _activate(use: Use, source: Variable, setting: _Setting) -> _Part:
    if use.undetermined:
        return _Part(Modes((_undetermined(use.name, source, setting.names.owner),)))
    definition = look_up(setting.catalog.activations, use.name, "activation")
    try:
        return _activated(definition, use.constants, source, setting)
    except SymbackpropError as error:
        raise error.at(f"activation {use.name!r}") from None


def _undetermined(function: str, source: Variable, owner: str) -> Equation:
    target = Access(Variable("a", owner, source.axes), source.axes)
    value = scalar.Apply(function, (scalar.Slot(0),))
    return Equation(target, value, (Access(source, source.axes),))


def _activated(
    definition: kinds.Activation,
    given: Mapping[str, Any],
    source: Variable,
    setting: _Setting,
) -> _Part:
    names, functions = setting.names, setting.catalog.activations
    rank = written_rank(definition.equations, "z", functions)
    takes_axis = rank == 1 and not definition.channels
    check_fields(definition, given, [*definition.constants, *(["axis"] if takes_axis else [])])
    axis = 1 if definition.channels else given.get("axis")
    leading, insert = split_axes(source, rank, axis)
    numbers = constant_numbers(settled(definition, given))
    parameters = parameter_variables(definition.parameters, names.owner, numbers, setting.shared)
    if definition.channels:
        _check_channels(parameters, source)
    scope = Scope(
        owner=names.owner,
        variables={"z": source, **parameters},
        batched=frozenset({"z"}),
        leading=leading,
        insert=insert,
        numbers=numbers,
        result="a",
        functions=functions,
        calling=(definition.name,),
    )
    equations = instantiate(definition.equations, scope, names)
    return _Part(Modes(equations), _learned(definition.parameters, scope, equations, False))


def _check_channels(parameters: Mapping[str, Variable], source: Variable) -> None:
    channels = source.axes[1].extent
    for symbol, variable in parameters.items():
        for axis in variable.axes:
            if axis.extent != 1 and not same_extent(axis.extent, channels):
                raise SymbackpropError(
                    f"{symbol} has {extent_text(axis.extent)} numbers; allowed: 1, or one for "
                    f"each of the {extent_text(channels)} channels"
                )


def split_axes(source: Variable, rank: int, axis: Any) -> tuple[tuple[Index, ...], int]:
    """Return the leading axes and how many of them stand before the written ones.

    Args:
        source: the variable that is read, batch axis included.
        rank: how many of its axes the notation writes.
        axis: the one axis written, counting the batch as 0; None is the last.

    Raises:
        SymbackpropError: too few axes, or an axis that is not there or has to be named.
    """
    axes = source.axes
    if rank > len(axes) - 1:
        raise SymbackpropError(
            f"{rank} indices are written, the shape is {shape_text(axes)} with the batch first"
        )
    if rank != 1:
        return axes[: len(axes) - rank], len(axes) - rank
    if axis is None and any(index.role is Role.SPACE for index in axes):
        raise SymbackpropError(
            f"a value of shape {shape_text(axes)} has channels and space: axis has to be given"
        )
    place = _checked_axis(-1 if axis is None else axis, len(axes))
    return (*axes[:place], *axes[place + 1 :]), place


def _checked_axis(axis: Any, count: int) -> int:
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise SymbackpropError(f"axis is {axis!r}; it must be a whole number")
    place = axis + count if axis < 0 else axis
    if not 1 <= place < count:
        raise SymbackpropError(
            f"axis is {axis}; allowed: 1 to {count - 1} (the batch is 0), or negative from the end"
        )
    return place
