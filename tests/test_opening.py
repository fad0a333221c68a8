"""Exponentials that have a name of their own: as stable as written out."""

import types
import warnings

import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.calculus import passes
from symbackprop.calculus.passes import derive_layers
from symbackprop.checking.gradients import examine
from symbackprop.emit import generate
from symbackprop.notation.toml import read_toml

NETWORK = """
spec = 1
[network]
input = [2]
loss = "squared_error"
[[define]]
kind = "activation"
name = "named"
equations = {}
[[layer]]
type = "dense"
units = 2
activation = "named"
"""
NAMED = {
    "sigmoid": ["e = exp(z)", "a = e / (1 + e)"],
    "sigmoid of -z": ["e = exp(-z)", "a = 1 / (1 + e)"],
    "softplus": ["e = exp(z)", "s = 1 + e", "a = log(s)"],
    "tanh": ["u = exp(z)", "v = exp(-z)", "a = (u - v) / (u + v)"],
    "entropy": ["p = 1 / (1 + exp(-z))", "a = -p * log(p) - (1 - p) * log(1 - p)"],
    "entropy by a catalogue entry": [
        "a = -sigmoid(z) * log(sigmoid(z)) - (1 - sigmoid(z)) * log(1 - sigmoid(z))"
    ],
    "logarithm of a tanh": ["t = tanh(z)", "a = log(1 - t)"],
    "Gompertz": ["e = exp(z)", "a = exp(-e)"],
}
SUM = ["_t1_1", "z1"]  # the product, and the bias added to it
FAR = np.array([0, 1e-8, 1, 20, 88, 89, 104, 709, 746, 1e4])


def network(equations):
    return build(read_toml(NETWORK.format(equations), "net.toml"))


def module_of(equations):
    module = types.ModuleType("module")
    exec(compile(generate(network(equations)).text, "module.py", "exec"), module.__dict__)
    return module


def far_out(module, dtype):
    """Return output and gradients far out on both sides; a warning is an error."""
    params = module.initialize(dtype=dtype)
    params["W1"][...] = np.eye(2)
    x = np.stack([FAR, -FAR], axis=1).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output, cache = module.forward(params, x)
        by_layer = module.backward(params, cache, np.ones_like(output))["x"]
        _, gradients = module.loss_and_gradients(params, x, np.zeros_like(x))
    return output, by_layer, gradients["W1"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", NAMED)
def test_named_exponentials_stay_finite(name, dtype):
    for found in far_out(module_of(NAMED[name]), dtype):
        assert np.isfinite(found).all()


@pytest.mark.parametrize("name", NAMED)
def test_their_gradients_are_right(name):
    assert examine(module_of(NAMED[name])).passed


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh", "entropy"])
def test_without_the_rule_they_are_not_finite(name, monkeypatch):
    monkeypatch.setattr(passes, "open_exponentials", lambda equations, _: (tuple(equations), ()))
    module = module_of(NAMED[name])
    with pytest.raises((RuntimeWarning, AssertionError)):
        assert all(np.isfinite(found).all() for found in far_out(module, np.float32))


def test_definitions_that_nothing_reads_any_more_are_gone():
    derivation = derive_layers(network(NAMED["sigmoid"]))
    assert [e.target.variable.name for e in derivation.equations] == [*SUM, "a1"]
    (step,) = (step for step in derivation.steps if step.rule == "open")
    assert "stable form" in step.reason


def test_what_needs_no_other_form_keeps_its_name():
    equations = ["p = 1 / (1 + exp(-z))", "a = z * p + p * p"]
    derivation = derive_layers(network(equations))
    assert [e.target.variable.name for e in derivation.equations] == [*SUM, "p1", "a1"]
    assert not [step for step in derivation.steps if step.rule == "open"]
