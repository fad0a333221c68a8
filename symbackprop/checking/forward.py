"""Compares a module's forward and loss with the per-unit equations, run by plain loops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symbackprop.checking.report import Finding
from symbackprop.errors import SymbackpropError
from symbackprop.network import BATCH, Head, Network
from symbackprop.reference import evaluate, forward_equations, work
from symbackprop.scalar import Named

# Points of all equations together: about ten seconds of plain loops.
LIMIT = 2_000_000
TOLERANCE = 1e-9

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
        Findings by name (``forward``, ``loss``), and a note where the network is too large.

    Raises:
        SymbackpropError: parameters or input are not those of the network.
    """
    with np.load(place, allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in saved.files}
    values = _values(network, arrays)
    sizes = _sizes(network, arrays["input x"])
    equations = forward_equations(network)
    count = work(equations, sizes)
    if count > LIMIT:
        return {}, (f"forward not compared with the equations: {count} points, at most {LIMIT}",)
    try:
        run = evaluate(equations, values, sizes)
        expected = {"forward": run[network.output.name]}
        for key, head in _heads(network, arrays):
            target = {head.target.name: arrays[f"target {key}"]}
            costs = evaluate(head.equations, {**run, **target}, sizes)
            expected[f"loss {key}"] = costs[head.cost.name]
    except SymbackpropError as error:
        raise SymbackpropError(f"{module} is not this network: {error}") from error
    found = {**arrays, "forward": arrays["output"]}
    checks: dict[str, Finding] = {}
    for key, value in expected.items():
        name = key.split()[0]
        apart = _error(found[key], value.astype(np.float64))
        worst = float(np.maximum(apart, checks[name].error)) if name in checks else apart
        checks[name] = Finding(worst, TOLERANCE)
    return checks, ()


def _values(network: Network, arrays: Arrays) -> dict[str, np.ndarray[Any, Any]]:
    """Return parameters and input by the names that the equations use."""
    names = {f"param {p.variable.name}": p.variable.name for p in network.parameters}
    names["input x"] = network.input.name
    return {name: arrays[key] for key, name in names.items() if key in arrays}


def _sizes(network: Network, x: np.ndarray[Any, Any]) -> dict[str, int]:
    """Return the batch size, and every extent that the input leaves open."""
    axes = zip(network.input.axes, x.shape, strict=False)
    named = {a.extent.name: size for a, size in axes if isinstance(a.extent, Named)}
    return {BATCH.name: len(x), **named}


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
