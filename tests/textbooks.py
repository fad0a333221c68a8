"""Totals of a textbook derivation, run by plain loops against differences of the equations."""

from __future__ import annotations

import importlib
from functools import cache

import numpy as np

from symbackprop.api import build
from symbackprop.calculus import derive_layers
from symbackprop.calculus.textbook import textbook
from symbackprop.errors import SymbackpropError
from symbackprop.reference import (
    accumulate,
    decimal_arithmetic,
    directional_difference,
    evaluate,
    forward_equations,
)

ACTIVATIONS, LOSSES = (
    [entry.name for entry in importlib.import_module(f"symbackprop.catalog.{kind}").ENTRIES]
    for kind in ("activations", "losses")
)
ARITHMETIC = decimal_arithmetic(50)
SIZES = {"N": 2}
EXACT = 1e-20  # differences on fifty digits are off by 1e-30


@cache
def written(text, loss=None):
    """Return a network and its textbook derivation."""
    network = build(text, loss=loss)
    return network, textbook(network, derive_layers(network))


@cache
def fitting():
    """Return every activation with every loss that takes its output."""
    return [(a, loss) for loss in LOSSES for a in ACTIVATIONS if _fits(a, loss)]


def _fits(activation, loss):
    try:
        build(f"3-4:{activation}", loss=loss)
    except SymbackpropError:
        return False
    return True


def shape(variable):
    return tuple(a.extent if isinstance(a.extent, int) else SIZES["N"] for a in variable.axes)


def point(network, head=None, seed=0):
    """Return values of the input, the parameters and, where there is a loss, its target."""
    rng = np.random.default_rng(seed)
    given = [network.input, *(array.variable for array in network.parameters)]
    values = {v.name: rng.standard_normal(shape(v)) for v in given}
    values |= {c.name: np.reshape(c.values, shape(c)) for c in network.constants}
    if head is not None:
        target = shape(head.target)
        indices = rng.integers(0, 4, target)
        values[head.target.name] = indices if head.target.integer else rng.uniform(0.1, 0.9, target)
    return values


def run(equations, values):
    return evaluate(equations, values, SIZES, ARITHMETIC)


def layer_equations(network):
    return forward_equations(network)


def errors(adjoints, equations, values, seeds, variables):
    """Return by name how far adjoints are from differences along a random direction.

    ``values`` also hold what the directions move; ``seeds`` the adjoints given, by name.
    """
    rng = np.random.default_rng(1)
    primal = run(equations, values)
    bars = accumulate(adjoints, primal, seeds, SIZES, ARITHMETIC)
    found = {}
    for variable in variables:
        direction = rng.standard_normal(shape(variable))
        derived = np.sum(bars[variable.name] * direction)
        given = {**values, variable.name: primal[variable.name]}
        numeric = directional_difference(equations, given, {variable.name: direction}, seeds, SIZES)
        found[variable.name] = float(abs(derived - numeric) / (abs(numeric) + 1e-10))
    return found
