"""A module that computes another network than its architecture is told by its forward."""

import types

import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.catalog import CATALOG
from symbackprop.checking.forward import compare_forward
from symbackprop.checking.samples import sampled
from symbackprop.checking.subject import Subject
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError

LOSS = "binary_cross_entropy"
ACTIVATIONS = sorted(CATALOG.activations)
SAME = [{"celu", "elu"}]  # with their default constants
ALIKE = ("leaky_relu", "relu6", "identity", "tanh", "prelu")
CLOSE = ("binary_cross_entropy", "cross_entropy")  # logarithms of what may be close to 0
FRAMES = ("2-4:{}-3:relu-1:sigmoid", "2-4:tanh-3:{}-1:sigmoid")


def network_of(architecture):
    return build(architecture, loss=LOSS)


def module_of(architecture):
    module = types.ModuleType("generated_module")
    exec(compile(generate(network_of(architecture)).text, "module.py", "exec"), module.__dict__)
    return module


def saved(module, folder, seed=0):
    path = folder / "sample.npz"
    np.savez(path, **sampled(Subject(module), seed))
    return path


def told_apart(place, architecture):
    """Return whether the samples are found not to be of this architecture."""
    try:
        checks, _ = compare_forward(network_of(architecture), place, "module")
    except SymbackpropError:
        return True
    return not all(finding.passed for finding in checks.values())


def unnoticed(frame, right, others, folder):
    place = saved(module_of(frame.format(right)), folder)
    assert not told_apart(place, frame.format(right))
    others = [a for a in others if a != right and {a, right} not in SAME]
    return [a for a in others if not told_apart(place, frame.format(a))]


@pytest.mark.parametrize("frame", FRAMES)
def test_activations_that_share_a_piece_are_told_apart(frame, tmp_path):
    assert unnoticed(frame, "relu", ALIKE, tmp_path) == []


@pytest.mark.grid
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("right", ACTIVATIONS)
def test_every_other_activation_is_noticed(frame, right, tmp_path):
    assert unnoticed(frame, right, ACTIVATIONS, tmp_path) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("2-3:relu-3:relu-3:relu-1", "2-3:relu-3:relu-3:leaky_relu-1"),
        ("2-3:relu-3:relu-3:relu-1", "2-3:relu-3:leaky_relu-3:relu-1"),
        ("2-3:relu-3:relu-3:relu-1", "2-3:leaky_relu-3:relu-3:relu-1"),
        ("2-3:relu-3:relu-3:relu-1", "2-3-3:relu-3:relu-1"),
        ("2-3:relu-3:relu-3:relu-1", "2-3:relu-3:relu-3:relu6-1"),
        ("2-1x9:relu", "2-1x8:relu-1:leaky_relu"),
        ("2-1x9:relu", "2-1x4:relu-1:leaky_relu-1x4:relu"),
        ("4-4x12:tanh-1", "4-4x11:tanh-4:softsign-1"),
        ("4-4x12:relu-1", "4-4x6:relu-4:leaky_relu-4x5:relu-1"),
    ],
)
def test_one_layer_s_activation_is_noticed_in_a_chain(right, wrong, tmp_path):
    text = generate(build(right, loss="mean_squared_error")).text
    module = types.ModuleType("generated_module")
    exec(compile(text, "module.py", "exec"), module.__dict__)
    place = saved(module, tmp_path)
    checks, notes = compare_forward(build(right, loss="mean_squared_error"), place, "module")
    assert all(finding.passed for finding in checks.values())
    assert notes == ()
    checks, _ = compare_forward(build(wrong, loss="mean_squared_error"), place, "module")
    assert not checks["forward"].passed


OFF = """
spec = 1
[network]
name = "off"
input = [2]
loss = "mean_squared_error"
[[layer]]
type = "dense"
units = 3
[[layer]]
type = "dense"
units = 1
activation = "off"
[[define]]
kind = "activation"
name = "off"
equations = ["a = maximum(0, -1 - z**2)"]
"""


def test_what_was_never_alive_is_said(tmp_path):
    path = tmp_path / "off.toml"
    path.write_text(OFF)
    module = types.ModuleType("generated_module")
    exec(compile(generate(build(path)).text, "module.py", "exec"), module.__dict__)
    _, notes = compare_forward(build(path), saved(module, tmp_path), "module")
    assert notes == ("forward not compared behind W1, W2, b1, b2: never alive at any point",)


@pytest.mark.parametrize(
    "loss",
    [a if a in CLOSE else pytest.param(a, marks=pytest.mark.grid) for a in sorted(CATALOG.losses)],
)
def test_no_right_loss_fails_at_loud_points(loss, tmp_path):
    for last in ("", ":sigmoid", ":softmax", ":log_softmax"):
        architecture = f"2-4:relu-2{last}"
        try:
            network = build(architecture, loss=loss)
        except SymbackpropError:
            continue
        module = types.ModuleType("generated_module")
        exec(compile(generate(network).text, "module.py", "exec"), module.__dict__)
        for seed in range(2):
            checks, _ = compare_forward(network, saved(module, tmp_path, seed), "module")
            assert all(finding.passed for finding in checks.values()), (last, seed, checks)


CANCELLING = """
spec = 1
[network]
input = [3]
loss = "squared_error"
[[layer]]
type = "dense"
units = 4
activation = "own"
[[define]]
kind = "activation"
name = "own"
equations = ["a = {}"]
"""


@pytest.mark.parametrize(
    "equation", ["log(1 - 1/(1 + exp(-z)))", "log((1 + tanh(z))/2)", "log(1 - tanh(z)**2)"]
)
def test_equations_that_cancel_in_float64_are_compared_in_many_digits(equation, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(CANCELLING.format(equation))
    network = build(path)
    module = types.ModuleType("generated_module")
    exec(compile(generate(network).text, "module.py", "exec"), module.__dict__)
    place = saved(module, tmp_path)
    checks, _ = compare_forward(network, place, "module")
    assert all(finding.passed for finding in checks.values())
    with np.load(place) as samples:
        arrays = dict(samples)
    key = next(name for name in arrays if name.endswith(" output"))
    arrays[key].flat[np.abs(arrays[key]).argmax()] *= 1 + 1e-8
    np.savez(place, **arrays)
    checks, _ = compare_forward(network, place, "module")
    assert not checks["forward"].passed
