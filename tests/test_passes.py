"""Derivations of whole networks: every activation with every loss, from the catalogue."""

import hashlib
import importlib
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.architecture import Use
from symbackprop.build import build_network
from symbackprop.calculus import derive_head, derive_layers, derive_penalty, passes
from symbackprop.notation import load
from symbackprop.reference import (
    FLOAT64,
    accumulate,
    decimal_arithmetic,
    directional_difference,
    evaluate,
    forward_equations,
)
from symbackprop.scalar import Apply, apply, number, walk

ACTIVATIONS, LOSSES = (
    [entry.name for entry in importlib.import_module(f"symbackprop.catalog.{kind}").ENTRIES]
    for kind in ("activations", "losses")
)
ARITHMETIC = decimal_arithmetic(50)
SIZES = {"N": 3}


def shape(variable):
    return tuple(a.extent if isinstance(a.extent, int) else SIZES["N"] for a in variable.axes)


def largest_error(derivation, equations, values, output, cotangent):
    """Compare adjoints with differences of the original equations, on 50 digits."""
    rng = np.random.default_rng(1)
    primal = evaluate(derivation.equations, values, SIZES, ARITHMETIC)
    original = evaluate(equations, values, SIZES, ARITHMETIC)
    errors = [float(np.abs(np.atleast_1d(primal[output] - original[output])).max())]
    seeds = {output: cotangent}
    bars = accumulate(derivation.adjoints, primal, seeds, SIZES, ARITHMETIC)
    for variable in [a.variable for a in derivation.adjoints if a.variable.name in values]:
        direction = rng.standard_normal(shape(variable))
        found = (bars[variable.name] * direction).sum()
        expected = directional_difference(
            equations, values, {variable.name: direction}, seeds, SIZES
        )
        errors.append(float(abs(found - expected) / (abs(expected) + 1e-10)))
    return max(errors)


def head_case(network, head, fused):
    rng = np.random.default_rng(0)
    last = network.layers[-1]
    whole = fused and last.preactivation is not None
    equations = (*last.activation, *head.equations) if whole else head.equations
    source = last.preactivation if whole else network.output
    values = {
        source.name: rng.standard_normal(shape(source))
        if whole
        else rng.uniform(0.05, 0.95, shape(source)),
        head.target.name: rng.integers(0, 4, shape(head.target))
        if head.target.integer
        else rng.uniform(0.1, 0.9, shape(head.target)),
    }
    for array in last.parameters:
        values[array.variable.name] = rng.standard_normal(shape(array.variable))
    return equations, values


def head_error(network, head, fused):
    derivation = derive_head(network, head, fused=fused)
    equations, values = head_case(network, head, fused)
    return largest_error(derivation, equations, values, head.cost.name, 1)


def unchecked(text, loss):
    """Return the network, also where the loss does not suit the output: it derives all the same."""
    return build_network(replace(load(text), loss=Use(loss)))


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_with_every_activation(loss):
    for activation in ACTIVATIONS:
        network = unchecked(f"3-4:{activation}", loss)
        for head in network.heads:
            assert not head_error(network, head, True) > 1e-15, (activation, head.form)
    for head in network.heads:
        assert not head_error(network, head, False) > 1e-15, head.form


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_within_layers(activation):
    network = build(f"2-3:{activation}-4")
    rng = np.random.default_rng(0)
    variables = [network.input, *(array.variable for array in network.parameters)]
    values = {v.name: rng.standard_normal(shape(v)) for v in variables}
    cotangent = rng.standard_normal(shape(network.output))
    derivation = derive_layers(network)
    equations = forward_equations(network)
    assert {v.name for v in variables} <= {a.variable.name for a in derivation.adjoints}
    error = largest_error(derivation, equations, values, network.output.name, cotangent)
    assert not error > 1e-15


def test_a_planted_fault_is_caught(monkeypatch):
    right = passes.stable_form
    monkeypatch.setattr(
        passes, "stable_form", lambda *given: apply("multiply", number(1.0001), right(*given))
    )
    network = build("3-4:softmax", loss="cross_entropy")
    assert head_error(network, network.heads[0], True) > 1e-6


@pytest.mark.parametrize("logit", [-700.0, -40.0, -1.0, 0.0, 1e-9, 3.0, 40.0, 700.0])
@pytest.mark.parametrize("target", [0.0, 1.0, 0.25])
def test_sigmoid_with_binary_cross_entropy_keeps_every_digit(logit, target):
    network = build("1-1:sigmoid", loss="binary_cross_entropy")
    (head,) = network.heads
    derivation = derive_head(network, head, fused=True)
    z = network.layers[-1].preactivation.name
    values = {z: np.full((3, 1), logit), head.target.name: np.full((3, 1), target)}
    results = []
    for arithmetic in (FLOAT64, decimal_arithmetic(400)):
        primal = evaluate(derivation.equations, values, SIZES, arithmetic)
        bars = accumulate(derivation.adjoints, primal, {"L": 1}, SIZES, arithmetic)
        results.append((primal["L"].item(), bars[z].flat[0]))
    for got, exact in zip(*results, strict=True):
        assert abs(got - exact) <= 1e-15 * abs(exact)


def test_the_activation_is_pruned_where_it_collapses():
    for text, loss in (("2-1:sigmoid", "binary_cross_entropy"), ("2-3:softmax", "cross_entropy")):
        network = build(text, loss=loss)
        for head in network.heads:
            fused = derive_head(network, head, fused=True)
            assert network.output not in {e.target.variable for e in fused.equations}
            assert {"compose", "prune", "chain rule"} <= {step.rule for step in fused.steps}


def test_penalties():
    rng = np.random.default_rng(0)
    network = build(replace(load("3-4:tanh-2"), l1=0.1, l2=0.3), loss="squared_error")
    assert network.penalties
    weights = {array.variable.name: array.variable for array in network.parameters}
    for equations in network.penalties:
        (read,) = {
            o.variable
            for e in equations
            for o in e.operands
            if getattr(o, "variable", None) in weights.values()
        }
        values = {read.name: rng.standard_normal(shape(read))}
        derivation = derive_penalty(equations, read)
        output = equations[-1].target.variable.name
        assert not largest_error(derivation, equations, values, output, 1) > 1e-15


def test_an_undetermined_activation():
    derivation = derive_layers(build("2-3:f-1"))
    functions = {
        node.function
        for adjoint in derivation.adjoints
        for term in adjoint.terms
        for factor in term.factors
        for node in walk(factor.function)
        if isinstance(node, Apply)
    }
    assert "f'" in functions


def test_a_thousand_layers():
    network = build("8-8x1000:tanh-1")
    start = time.process_time()
    derive_layers(network)
    assert time.process_time() - start < 4


SCRIPT = """
from symbackprop.api import build
from symbackprop.architecture import Use
from symbackprop.build import build_network
from symbackprop.calculus import derive_head, derive_layers
network = build("3-4:mish-5:softmax", loss="cross_entropy")
print(repr([derive_layers(network), *(derive_head(network, h, fused=True) for h in network.heads)]))
"""


def test_no_hash_seed_changes_the_derivation():
    digests = set()
    for seed in ("0", "1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        digests.add(hashlib.sha256(run.stdout).hexdigest())
    assert len(digests) == 1
