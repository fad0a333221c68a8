"""Equations run element by element with plain loops: the oracle for all that is lowered.

Every element of every array has one rule; a rule that reads an element which is
not there yet is tried again later. So recurrences, forward and backward, need no
schedule. Nothing here is fast, and nothing here is shared with the lowering.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symbackprop.checking.arithmetic import FLOAT64, Arithmetic, added, decimal_arithmetic
from symbackprop.checking.elements import Elements, objects
from symbackprop.equations import Adjoint, Equation
from symbackprop.network import Head, Network

__all__ = [
    "FLOAT64",
    "Arithmetic",
    "accumulate",
    "decimal_arithmetic",
    "directional_difference",
    "evaluate",
    "forward_equations",
    "work",
]


def evaluate(
    equations: Sequence[Equation],
    values: Mapping[str, Any],
    sizes: Mapping[str, int],
    arithmetic: Arithmetic = FLOAT64,
) -> dict[str, np.ndarray[Any, Any]]:
    """Run equations in any order that their reads allow.

    Args:
        equations: a network's, or any others.
        values: arrays by ``Variable.name`` for what no equation defines; where an
            equation's target is among them, the value stands and the equation is skipped.
        sizes: the values of ``Named`` sizes and constants; ``N`` is the batch.
        arithmetic: float64, or ``decimal_arithmetic()``.

    Returns:
        Object arrays of numbers by name, ``values`` included.

    Raises:
        SymbackpropError: a value is missing or has the wrong shape, an index leaves its
            extent where no fill is declared, or equations wait for each other for ever.
    """
    run = Elements(values, sizes, arithmetic)
    wanted = [e for e in equations if e.target.variable.name not in values]
    for equation in wanted:
        run.allocate(equation.target.variable)
    with np.errstate(all="ignore"):
        run.settle([cell for equation in wanted for cell in run.cells(equation)])
    return run.arrays


def accumulate(
    adjoints: Iterable[Adjoint],
    values: Mapping[str, Any],
    seeds: Mapping[str, Any],
    sizes: Mapping[str, int],
    arithmetic: Arithmetic = FLOAT64,
) -> dict[str, np.ndarray[Any, Any]]:
    """Run adjoint terms the same way: the sum of what reaches each place.

    Args:
        adjoints: in any order.
        values: every primal array that the terms read, by name, as ``evaluate`` gives them.
        seeds: what each adjoint starts from, by the primal's name: ``{"L": 1}``, or a cotangent.
        sizes: as in ``evaluate``.
        arithmetic: as in ``evaluate``.

    Returns:
        Adjoint arrays by the primal's name.

    Raises:
        SymbackpropError: as in ``evaluate``, or where an assigned term is not the only one.
    """
    adjoints = list(adjoints)
    bars = {adjoint.variable.bar().name: adjoint for adjoint in adjoints}
    derived = {adjoint.variable.name for adjoint in adjoints}
    alone = {f"d{name}": seed for name, seed in seeds.items() if name not in derived}
    run = Elements({**values, **alone}, sizes, arithmetic)
    for adjoint in adjoints:
        run.allocate(adjoint.variable.bar())
    with np.errstate(all="ignore"):
        cells = [
            cell
            for adjoint in adjoints
            for cell in run.adjoint_cells(adjoint, seeds.get(adjoint.variable.name))
        ]
        run.settle(cells)
    return {adjoint.variable.name: run.arrays[name] for name, adjoint in bars.items()}


def directional_difference(
    equations: Sequence[Equation],
    values: Mapping[str, Any],
    direction: Mapping[str, Any],
    seeds: Mapping[str, Any],
    sizes: Mapping[str, int],
    *,
    digits: int = 50,
    step: str = "1e-15",
) -> Any:
    """Return the derivative of ``sum(seed * array)`` along ``direction``, by a central difference.

    Equations that are held constant keep the values they have at ``values``.

    Args:
        equations: as in ``evaluate``.
        values: the point, by name.
        direction: how much each value moves per unit step, by name.
        seeds: the weight of every element of the arrays that count, by name.
        sizes: as in ``evaluate``.
        digits: decimal digits of the arithmetic.
        step: how far the two points are from the middle.

    Returns:
        One number; its error is about the step squared.
    """
    arithmetic = decimal_arithmetic(digits)
    middle = evaluate(equations, values, sizes, arithmetic)
    held = {e.target.variable.name for e in equations if e.held}
    kept = {name: middle[name] for name in sorted(held)}
    length = arithmetic.number(step)

    def cost(way: int) -> Any:
        moved = {
            name: middle[name] + way * length * objects(v, arithmetic.number)
            for name, v in direction.items()
        }
        arrays = evaluate(equations, {**values, **kept, **moved}, sizes, arithmetic)
        return added(
            *(
                np.sum(objects(seed, arithmetic.number) * arrays[name])
                for name, seed in seeds.items()
            )
        )

    return (cost(1) - cost(-1)) / (2 * length)


def work(equations: Iterable[Equation], sizes: Mapping[str, int]) -> int:
    """Return how many points ``evaluate`` visits: of all equations, free and reduced indices."""
    elements = Elements({}, sizes, FLOAT64)
    return sum(
        math.prod(elements.extent(index.extent) for index in (*e.free, *e.reduced))
        for e in equations
    )


def forward_equations(network: Network, head: Head | None = None) -> tuple[Equation, ...]:
    """Return the network's equations in order, those of one of its losses and penalties last."""
    layers = [e for layer in network.layers for e in layer.all_equations]
    if head is None:
        return tuple(layers)
    return (*layers, *head.equations, *itertools.chain.from_iterable(network.penalties))
