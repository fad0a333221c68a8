"""The smallest extents that a network takes, where extents are names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from symbackprop.equations import (
    Access,
    Equation,
    Extent,
    accesses_of,
    extent_expression,
    indices_of,
)
from symbackprop.errors import SymbackpropError
from symbackprop.instantiate import polynomials
from symbackprop.instantiate.reads import needed
from symbackprop.network import BATCH, Network
from symbackprop.scalar import Expression, Named, Number, substitute, walk
from symbackprop.sizes import shown
from symbackprop.sizing import size_of

MOST = 1 << 16  # no layer is seen to need more


def least_extents(network: Network) -> dict[str, int]:
    """Return by name the smallest extent with which every layer gives and reads something.

    Raises:
        SymbackpropError: there is none up to ``MOST``.
    """
    if not network.named_sizes:
        return {}
    extents = dict.fromkeys(_extents(network))
    return {name: _least(name, [e for e in extents if name in _names(e)]) for name in _all(extents)}


def _all(extents: Mapping[Expression, None]) -> list[str]:
    return sorted({name for extent in extents for name in _names(extent)} - {BATCH.name})


def _names(extent: Expression) -> set[str]:
    return {node.name for node in walk(extent) if isinstance(node, Named)}


def _extents(network: Network) -> Iterator[Expression]:
    """Yield what has to be 1 or more: extents, and how far reads stay inside."""
    for variable in network.inputs:
        yield from (extent_expression(axis.extent) for axis in variable.axes)
    equations = [e for layer in network.layers for e in layer.all_equations]
    for layer in network.layers:
        equations += layer.evaluation or ()
    for equation in (*equations, *(e for head in network.heads for e in head.equations)):
        yield from map(extent_expression, _of(equation))


def _of(equation: Equation) -> Iterator[Extent]:
    for index in (*equation.free, *equation.reduced):
        yield index.extent
    for operand in equation.operands:
        yield from (index.extent for index in indices_of(operand))
        for access in accesses_of(operand):
            if access.fill is None:
                yield from _room(access)


def _room(access: Access) -> Iterator[Extent]:
    """Yield one more than what is left on either side of a read that must stay inside."""
    for _, limit in needed(access):
        low = polynomials.least(limit)
        yield polynomials.to_extent(polynomials.add(low, polynomials.UNIT))


def _least(name: str, extents: list[Expression]) -> int:
    """Search by halves: more of an extent never leaves a layer less."""
    low, high = 1, MOST
    for extent in extents:
        if not _fits(extent, name, high):
            raise SymbackpropError(
                f"no extent {name} up to {MOST} serves the layers: {shown(size_of(extent, {}))} "
                "has to be 1 or more"
            )
    while low < high:
        middle = (low + high) // 2
        if all(_fits(extent, name, middle) for extent in extents):
            high = middle
        else:
            low = middle + 1
    return low


def _fits(extent: Expression, name: str, value: int) -> bool:
    """Whether the extent is 1 or more where the name has the value, and others are large."""
    values: dict[Expression, Expression] = {
        Named(other): Number(Fraction(value if other == name else MOST)) for other in _names(extent)
    }
    found = substitute(extent, values)
    return isinstance(found, Number) and found.value >= 1
