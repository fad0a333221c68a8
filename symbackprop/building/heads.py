"""The loss for each form of its target, down to one number, and the penalties on weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from symbackprop import scalar
from symbackprop.architecture import Use
from symbackprop.building.layers import reads, split_axes
from symbackprop.building.settings import check_fields, settled, vector, written_rank
from symbackprop.catalog import Catalog, look_up
from symbackprop.definition import Loss, Penalty
from symbackprop.equations import Access, Equation, Extent, Index, Variable, extent_expression
from symbackprop.errors import SymbackpropError
from symbackprop.formula import references
from symbackprop.formula_reader import read_expression
from symbackprop.instantiate import Names, Scope, instantiate, polynomials
from symbackprop.instantiate.extents import polynomial
from symbackprop.instantiate.scope import constant_numbers, shape_text
from symbackprop.network import BATCH, Head, LearnedArray
from symbackprop.scalar import Expression, Named, Number, Slot, number
from symbackprop.sizing import extent_text

Mean = Literal["mean", "sum"]


def build_heads(
    use: Use, output: Variable, place: str, reduction: Mean, catalog: Catalog
) -> tuple[Head, ...]:
    """Return a head for targets of the output's kind and, where the loss has one, for indices.

    Args:
        use: the loss with its constants.
        output: what the last layer gives.
        place: the last layer's, for messages.
        reduction: over the batch.
        catalog: where the loss is looked up.

    Raises:
        SymbackpropError: an unknown loss, or one that does not fit the output.
    """
    loss = look_up(catalog.losses, use.name, "loss")

    try:
        scope = _scope(loss, use.constants, output, catalog)
    except SymbackpropError as error:
        shape = shape_text(output.axes)
        raise error.at(f"{loss.name} on the output of {place}, shape {shape}") from None
    heads = [_head("values", loss, scope, reduction)]
    if loss.indices:
        target = Variable("y", axes=scope.leading, integer=True)
        scope = replace(scope, variables={"a": output, "y": target})
        heads.append(_head("indices", loss, scope, reduction))
    return tuple(heads)


def _scope(loss: Loss, given: Mapping[str, Any], output: Variable, catalog: Catalog) -> Scope:
    rank = written_rank(loss.equations, "a", catalog.activations)
    check_fields(loss, given, [*loss.constants, *loss.vectors, *(["axis"] if rank == 1 else [])])
    leading, insert = split_axes(output, rank, given.get("axis"))
    if loss.within == "written" and len(leading) > 1:
        raise SymbackpropError(
            f"the loss is written for {rank} indices, a sample of the output has "
            f"{len(output.axes) - 1}: sum over them, as in total(i, (a[i] - y[i])**2), or add "
            'within = "sum" or "mean" to its definition'
        )
    numbers = constant_numbers(settled(loss, given))
    own = output.axes[insert : insert + rank]
    extents = _bind_extents(loss, own, numbers)
    vectors = {name: vector(name, given.get(name)) for name in loss.vectors}
    for name, weights in vectors.items():
        if weights and len(weights) != own[0].extent:
            classes = extent_text(own[0].extent)
            raise SymbackpropError(f"{name} has {len(weights)} numbers; the classes are {classes}")
        ignored = numbers.get("ignore_index")
        if weights and not any(w for k, w in enumerate(weights) if number(k) != ignored):
            raise SymbackpropError(
                f"{name} is 0 for every class but the one that ignore_index leaves out; at least "
                "one that counts must be greater than 0"
            )
    axes = (
        *leading[:insert],
        *(replace(axis, extent=extent) for axis, extent in zip(own, extents, strict=True)),
        *leading[insert:],
    )

    return Scope(
        owner="",
        variables={"a": output, "y": Variable("y", axes=axes)},
        batched=frozenset({"a", "y"}),
        leading=leading,
        insert=insert,
        numbers=numbers,
        vectors=vectors,
        functions=catalog.activations,
    )


def _bind_extents(
    loss: Loss, own: tuple[Index, ...], numbers: dict[str, Expression | None]
) -> tuple[Extent, ...]:
    """Enter the names of the output's extents into ``numbers``; return the target's extents."""
    if len(loss.output) != len(own):
        return tuple(axis.extent for axis in own)
    for text, axis in zip(loss.output, own, strict=True):
        _solve(text, axis.extent, numbers)
    extents = []
    for text in loss.target:
        value = polynomial(read_expression(text), {}, numbers)
        if value is None:
            raise SymbackpropError(f"the target's extent {text!r} does not follow from the output")
        extents.append(polynomials.to_extent(value))
    return tuple(extents)


def _solve(text: str, extent: Extent, numbers: dict[str, Expression | None]) -> None:
    """Enter the one unknown name of the text, so that the text gives the extent."""
    formula = read_expression(text)
    unknown = [r.name for r in references(formula) if r.name not in numbers]
    trial = {**numbers, **{name: Named(name) for name in unknown}}
    value = polynomial(formula, {}, trial)
    factor = value.get((Named(unknown[0]),)) if value and len(unknown) == 1 else None
    if value is None or factor is None:
        raise SymbackpropError(f"extent {text!r} does not give one size")
    rest = polynomials.add(polynomials.of_extent(extent), value, -1)
    rest = polynomials.add(rest, {(Named(unknown[0]),): factor})
    solution = polynomials.multiply(rest, {(): 1 / factor})
    found = polynomials.to_extent(solution)
    if not polynomials.is_whole(solution) or (isinstance(found, int) and found < 1):
        raise SymbackpropError(f"the axis must have the extent {text}, found {extent_text(extent)}")
    numbers[unknown[0]] = extent_expression(found)


def _head(form: Literal["values", "indices"], loss: Loss, scope: Scope, reduction: Mean) -> Head:
    names = Names("", {"x", "y", "a", "z", "L"})
    scope = replace(scope, result="_l")
    texts, weight = loss.equations, loss.weight
    if form == "indices":
        texts, weight = loss.indices, loss.indices_weight
    equations = list(instantiate(texts, scope, names))
    if not reads(equations, scope.variables["a"]):
        raise SymbackpropError("the loss does not depend on the output")
    weights = _weights(weight, scope, names) if reduction == "mean" else ()
    if not weights:
        equations = _within(equations, loss, names)
    sample = equations[-1].target
    if weights:
        equations += _weighted(equations, weights, names)
    else:
        equations += _over_batch(sample, reduction, names)
    ignored = scope.numbers.get("ignore_index") if form == "indices" else None
    return Head(
        form,
        scope.variables["y"],
        tuple(equations),
        sample.variable,
        equations[-1].target.variable,
        int(ignored.value) if isinstance(ignored, Number) else None,
    )


def _weights(text: str, scope: Scope, names: Names) -> tuple[Equation, ...]:
    """Return the equations of a sample's weight; none where it is a constant."""
    if not text:
        return ()
    equations = instantiate([f"weight_of_sample = {text}"], replace(scope, result="_w"), names)
    return () if isinstance(equations[-1].function, Number) else equations


def _weighted(
    equations: list[Equation], weights: tuple[Equation, ...], names: Names
) -> list[Equation]:
    sums = [_total(part[-1].target, part[-1].free, names) for part in (equations, weights)]
    target = Access(Variable("L"))
    quotient = scalar.apply("divide", Slot(0), Slot(1))
    operands = (sums[0].target, sums[1].target)
    return [*weights, *sums, Equation(target, quotient, operands)]


def _within(equations: list[Equation], loss: Loss, names: Names) -> list[Equation]:
    """Combine the units or positions of each sample."""
    last = equations[-1]
    batch, others = last.free[:1], last.free[1:]
    if not others:
        return equations
    count = scalar.apply("multiply", *(extent_expression(index.extent) for index in others))
    mean = loss.within == "mean" and count != scalar.ONE
    sample = Access(Variable(names.fresh() if mean else "_l", "", batch), batch)
    total = summed(last, sample, others)
    result = [*equations[:-1], *total]
    if mean:
        target = Access(Variable("_l", "", batch), batch)
        result.append(Equation(target, scalar.apply("divide", Slot(0), count), (sample,)))
    return result


def summed(equation: Equation, target: Access, over: tuple[Index, ...]) -> list[Equation]:
    """Return what sums the equation's values, in one equation where it has no reduction yet."""
    if equation.reduction is None:
        return [replace(equation, target=target, reduction="total", reduced=over)]
    partial = Variable("_e", "", equation.target.variable.axes)
    read = Access(partial, equation.target.indices)
    return [replace(equation, target=read), Equation(target, Slot(0), (read,), "total", over)]


def _total(read: Access, over: tuple[Index, ...], names: Names) -> Equation:
    return Equation(Access(Variable(names.fresh())), Slot(0), (read,), "total", over)


def _over_batch(read: Access, reduction: Mean, names: Names) -> list[Equation]:
    batch = tuple(index for index in read.indices if isinstance(index, Index))
    cost = Access(Variable("L"))
    if reduction == "sum":
        return [Equation(cost, Slot(0), (read,), "total", batch)]
    total = _total(read, batch, names)
    return [total, Equation(cost, scalar.apply("divide", Slot(0), BATCH), (total.target,))]


def build_penalties(
    rates: dict[str, float], parameters: Iterable[LearnedArray], catalog: Catalog
) -> tuple[tuple[Equation, ...], ...]:
    """Return each penalty on each weight: equations that end in a variable of rank 0.

    Weights are the parameters of two or more axes, but embeddings (E) and positions (P).
    """
    weights = [
        array.variable
        for array in parameters
        if len(array.variable.axes) > 1 and array.variable.symbol not in ("E", "P")
    ]
    return tuple(
        _penalty(look_up(catalog.penalties, name, "penalty"), rate, weight, catalog)
        for name, rate in rates.items()
        if rate
        for weight in weights
    )


def _penalty(
    penalty: Penalty, rate: float, weight: Variable, catalog: Catalog
) -> tuple[Equation, ...]:
    owner = f"{penalty.name}.{weight.name}"
    numbers = constant_numbers(settled(penalty, {"rate": rate}))
    scope = Scope(
        owner=owner,
        variables={"w": weight},
        batched=frozenset({"w"}),
        leading=weight.axes,
        numbers=numbers,
        result="_r",
        functions=catalog.activations,
        generated=True,
    )
    equations = instantiate(penalty.equations, scope, Names(owner))
    last = equations[-1]
    target = Access(Variable("_R", owner))
    return (*equations[:-1], *summed(last, target, last.free))
