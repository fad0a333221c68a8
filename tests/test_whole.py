"""What is too large to be run often: one point, two directions, and faults are still found."""

import types
from functools import cache, wraps

import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.checking import effort, gradients, whole
from symbackprop.checking.forward import compare_forward
from symbackprop.checking.gradients import TOGETHER, examine
from symbackprop.emit import generate
from symbackprop.notation.toml import read_toml

PENALIZED = """
spec = 1
[network]
input = [6]
loss = "mean_squared_error"
l2 = 0.01
[[layer]]
type = "dense"
units = 9
activation = "relu"
[[layer]]
type = "dense"
units = 3
"""
KINKED = """
spec = 1
[network]
input = [2, 12, 12]
loss = "cross_entropy"
[[layer]]
type = "conv2d"
channels = 6
kernel_size = 3
bias = false
[[layer]]
type = "batch_norm"
activation = "relu"
[[layer]]
type = "max_pool2d"
kernel_size = 2
[[layer]]
type = "conv2d"
channels = 4
kernel_size = 3
activation = "relu"
[[layer]]
type = "global_avg_pool"
[[layer]]
type = "dense"
units = 5
activation = "softmax"
"""


@pytest.fixture(autouse=True)
def every_module_is_large(monkeypatch):
    monkeypatch.setattr(whole, "LARGE", 0)


@cache
def text(source, loss):
    """Return the module of compact text, or of a description."""
    if "spec" not in source:
        return generate(build(source, loss=loss)).text
    return generate(build_network(read_toml(source, "network.toml", CATALOG))).text


def module_of(source, loss=None):
    module = types.ModuleType("emitted")
    exec(compile(text(source, loss), "emitted.py", "exec"), module.__dict__)
    return module


def planted(module, function, change):
    """Let a function of the module change its gradients."""
    original = getattr(module, function)

    def wrong(*arguments, **keywords):
        found = original(*arguments, **keywords)
        if function == "backward":
            return change({k: np.array(v) for k, v in found.items()})
        return found[0], change({k: np.array(v) for k, v in found[1].items()})

    setattr(module, function, wraps(original)(wrong))
    return module


@pytest.mark.parametrize("source", ["6-20x3:relu-4:softmax", KINKED])
def test_a_right_module_passes_and_says_what_was_run(source):
    report = examine(module_of(source, "cross_entropy"))
    assert report.passed
    assert report.tensors[TOGETHER].tested
    assert report.tensors[TOGETHER].error < 3e-7
    assert "one batch of 2 samples" in report.notes[0]


def test_penalties_are_no_difference_of_the_paths():
    report = examine(module_of(PENALIZED))
    assert report.passed
    assert report.checks["paths agree"].error > 0


@pytest.mark.parametrize("function", ["backward", "loss_and_gradients"])
@pytest.mark.parametrize(
    "fault",
    [
        lambda v: v * (1 + 1e-3),
        np.zeros_like,
        np.negative,
        lambda v: np.roll(v.reshape(-1), 1).reshape(v.shape),
        lambda v: np.full_like(v, np.nan),
        lambda v: v[..., :1],
    ],
    ids=["a thousandth too much", "nothing", "the wrong sign", "shifted", "nan", "another shape"],
)
def test_a_fault_in_any_gradient_is_found(function, fault):
    for name in (*module_of(KINKED).PARAMETER_SHAPES, "x"):
        module = module_of(KINKED)

        def change(found, name=name):
            return {k: fault(v) if k == name else v for k, v in found.items()}

        assert not examine(planted(module, function, change)).passed, name


def test_a_large_module_leaves_no_sample_for_the_equations(tmp_path):
    checks, notes = compare_forward(build("2-3"), tmp_path / "none.npz", "it")
    assert not checks
    assert "too large" in notes[0]


@pytest.mark.parametrize(
    "fault", [lambda v: v * (1 + 1e-3), np.flip], ids=["a thousandth", "turned round"]
)
def test_one_direction_a_tensor_finds_a_fault_in_any(monkeypatch, fault):
    monkeypatch.setattr(whole, "LARGE", 10**9)
    monkeypatch.setattr(effort, "ENTRIES", 10**6)  # more lines than any work allows
    monkeypatch.setattr(effort, "DIRECTIONS", 1)
    monkeypatch.setattr(gradients, "ATTEMPTS", 2)
    assert examine(module_of(KINKED)).passed
    for name in (*module_of(KINKED).PARAMETER_SHAPES, "x"):
        module = module_of(KINKED)

        def change(found, name=name):
            return {k: fault(v) if k == name else v for k, v in found.items()}

        assert not examine(planted(module, "backward", change)).passed, name


@pytest.mark.parametrize("source", ["6-20x3:relu-4:softmax", KINKED])
def test_all_comparisons_at_a_point_share_one_limit_of_work(monkeypatch, source):
    monkeypatch.setattr(whole, "LARGE", 10**9)
    efforts = []
    original = effort.Effort.moves

    def noted(self, *arguments):
        efforts.append(self)
        return original(self, *arguments)

    monkeypatch.setattr(effort.Effort, "moves", noted)
    monkeypatch.setattr(gradients, "ATTEMPTS", 1)
    examine(module_of(source, "cross_entropy"))
    assert sum(each.work for each in efforts) <= effort.WORK
    assert len({each.seed for each in efforts}) == len(efforts) / len(gradients.BATCHES)
