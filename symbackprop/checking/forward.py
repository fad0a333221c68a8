"""Compares a module's forward and loss with the per-unit equations, run by plain loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symbackprop.checking.elements import Elements
from symbackprop.checking.report import Finding
from symbackprop.checking.samples import DEAD, EVALUATED
from symbackprop.checking.subject import draws, moved
from symbackprop.equations import Variable
from symbackprop.errors import SymbackpropError
from symbackprop.network import Head, Network
from symbackprop.reference import (
    FLOAT64,
    Arithmetic,
    decimal_arithmetic,
    evaluate,
    forward_equations,
    work,
)
from symbackprop.scalar import Named

# Elements of all equations together: about ten seconds of plain loops at the first point, and
# two and a half at all others.
LIMIT, FURTHER = 2_000_000, 500_000
# Elements of all equations at a point where 50 digits decide: a few seconds.
OF_DIGITS = 50_000
TOLERANCE = 1e-9
# Numbers beyond this may overflow in one order of operations and not in another.
LARGEST = 1e100

Arrays = Mapping[str, np.ndarray[Any, Any]]


def compare_forward(
    network: Network, place: Path, module: str
) -> tuple[dict[str, Finding], tuple[str, ...]]:
    """Compare what a module computed at one point with the equations.

    Args:
        network: what the module claims to be.
        place: the arrays that the driver saved.
        module: the module's name, for errors.

    Returns:
        Findings by name (``forward``, ``loss``; ``statistics`` and ``forward in evaluation``
        where training differs), and a note where the network is too large.

    Raises:
        SymbackpropError: parameters or input are not those of the network.
    """
    if not place.exists():
        return {}, ("forward not compared with the equations: too large",)
    points = _points(place)
    modes = [network, network.evaluated()] if network.varies else [network]
    equations = [equation for mode in modes for equation in forward_equations(mode)]
    try:
        count = work(equations, _sizes(network, points[0]))
    except SymbackpropError as error:
        raise SymbackpropError(f"{module} is not this network: {error}") from error
    if count > LIMIT:
        return {}, (f"forward not compared with the equations: {count} points, at most {LIMIT}",)
    errors: dict[str, float] = {}
    dead: list[set[str]] = []
    left = FURTHER
    for arrays in points:
        if dead:
            left -= work(equations, _sizes(network, arrays))
            if left < 0:
                break
        try:
            found = _compared(modes, arrays)
        except SymbackpropError as error:
            raise SymbackpropError(f"{module} is not this network: {error}") from error
        if found or not dead:
            dead.append(set(arrays[DEAD].tolist()))
        for name, apart in found.items():
            errors[name] = float(np.maximum(apart, errors.get(name, 0.0)))
    checks = {name: Finding(worst, TOLERANCE) for name, worst in errors.items()}
    return checks, _unreached(set.intersection(*dead))


def _points(place: Path) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Return the saved arrays by point, without its number."""
    points: dict[int, dict[str, np.ndarray[Any, Any]]] = {}
    with np.load(place, allow_pickle=False) as saved:
        for key in saved.files:
            number, _, name = key.partition(" ")
            points.setdefault(int(number), {})[name] = saved[key]
    return [points[number] for number in sorted(points)]


def _unreached(dead: set[str]) -> tuple[str, ...]:
    """Return a note about parameters that changed nothing: what reads them is not compared."""
    if not dead:
        return ()
    return (f"forward not compared behind {', '.join(sorted(dead))}: never alive at any point",)


def _compared(modes: Sequence[Network], arrays: Arrays) -> dict[str, float]:
    """Return the errors at one point, of those that are moderate numbers.

    In float64 the equations may cancel, as 1 - 1/(1 + exp(-z)) does, where the module does not:
    where the two are apart, the equations in many digits decide.
    """
    errors = _errors(modes, arrays, FLOAT64)
    if all(error <= TOLERANCE for error in errors.values()):
        return errors
    equations = [equation for mode in modes for equation in forward_equations(mode)]
    if work(equations, _sizes(modes[0], arrays)) > OF_DIGITS:
        return errors
    return _errors(modes, arrays, decimal_arithmetic())


def _errors(modes: Sequence[Network], arrays: Arrays, arithmetic: Arithmetic) -> dict[str, float]:
    """Return how far the module is from the equations; the first of the modes is training."""
    network = modes[0]
    sizes = _sizes(network, arrays)
    values = _values(network, arrays, sizes)
    run, *others = (evaluate(forward_equations(mode), values, sizes, arithmetic) for mode in modes)
    output = network.output.name
    pairs = [("forward", arrays["output"], run[output])]
    pairs += [("forward in evaluation", _of(arrays, EVALUATED), other[output]) for other in others]
    for statistic in network.state:
        new = run[statistic.updated.name] if statistic.updated else values[statistic.variable.name]
        pairs.append(("statistics", _of(arrays, f"state {statistic.variable.name}"), new))
    for key, head in _heads(network, arrays):
        # The loss of the module's own output: of p near 1, 1 - p magnifies rounding.
        given = {**run, output: arrays["output"], head.target.name: arrays[f"target {key}"]}
        costs = evaluate(head.equations, given, sizes, arithmetic)
        pairs.append(("loss", arrays[f"loss {key}"], costs[head.cost.name]))
    errors: dict[str, float] = {}
    for name, found, expected in pairs:
        numbers = expected.astype(np.float64)
        if not np.abs(numbers).max(initial=0.0) <= LARGEST:
            break
        errors[name] = float(np.maximum(_error(found, numbers), errors.get(name, 0.0)))
    return errors


def _of(arrays: Arrays, key: str) -> np.ndarray[Any, Any]:
    if key not in arrays:
        raise SymbackpropError(f"it has no {key}")
    return arrays[key]


def _values(
    network: Network, arrays: Arrays, sizes: Mapping[str, int]
) -> dict[str, np.ndarray[Any, Any]]:
    """Return parameters, input, statistics and draws by the names that the equations use."""
    names = {f"param {p.variable.name}": p.variable.name for p in network.parameters}
    names |= {_saved(variable): variable.name for variable in network.inputs}
    values = {name: arrays[key] for key, name in names.items() if key in arrays}
    state = {
        s.variable.name: np.full([a.extent for a in s.variable.axes], s.initial)  # type: ignore[misc]
        for s in network.state
    }
    return {**values, **moved(state), **_drawn(network, sizes)}


def _drawn(network: Network, sizes: Mapping[str, int]) -> dict[str, np.ndarray[Any, Any]]:
    """Return what the module drew: layer by layer, samples first."""
    rng, extent = draws(), Elements({}, sizes, FLOAT64).extent
    return {v.name: rng.random([extent(axis.extent) for axis in v.axes]) for v in network.draws}


def _saved(variable: Variable) -> str:
    """Return under which key the driver saved an input: of several, each by its name."""
    return f"input {variable.owner or 'x'}"


def _sizes(network: Network, arrays: Arrays) -> dict[str, int]:
    """Return the batch size, and every extent that the inputs leave open."""
    found: dict[str, int] = {}
    for variable in network.inputs:
        if _saved(variable) not in arrays:
            raise SymbackpropError(f"its input is not {variable.owner or 'x'}")
        axes = zip(variable.axes, arrays[_saved(variable)].shape, strict=False)
        found |= {a.extent.name: size for a, size in axes if isinstance(a.extent, Named)}
    return found


def _heads(network: Network, arrays: Arrays) -> list[tuple[str, Head]]:
    """Return the number of each saved target with the form of the loss that reads it."""
    found = []
    for name, target in arrays.items():
        kind, _, key = name.partition(" ")
        form = "indices" if target.dtype.kind in "iu" else "values"
        if kind == "target":
            found += [(key, head) for head in network.heads if head.form == form]
    return found


def _error(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> float:
    """Return the largest difference relative to the largest number; NaN where there is one."""
    if found.shape != expected.shape:
        return np.inf
    worst = float(np.abs(found - expected).max(initial=0.0))
    return 0.0 if worst == 0 else float(np.divide(worst, np.abs(expected).max(initial=0.0)))
