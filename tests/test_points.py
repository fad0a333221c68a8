"""Where modules are checked: at points whose gradients are alive, near and far from the output."""

import types

import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.checking.gradients import examine
from symbackprop.checking.points import BALANCE, Point, balanced, candidates
from symbackprop.checking.subject import Subject
from symbackprop.emit import generate


def text_of(architecture):
    return generate(build(architecture, loss="mean_squared_error")).text


def module_of(text):
    module = types.ModuleType("generated_module")
    exec(compile(text, "generated_module.py", "exec"), module.__dict__)
    return module


@pytest.fixture(scope="module")
def chain():
    return text_of("2-1x9:relu")


def test_a_chain_of_units_that_are_mostly_off_is_lifted(chain):
    subject = Subject(module_of(chain))
    first = candidates(subject, 0)[0]
    assert not first.dead
    assert first.point.lifted
    report = examine(subject.module)
    assert report.passed
    assert all(finding.tested for finding in report.tensors.values())


def test_a_fault_in_such_a_chain_is_found(chain):
    wrong = chain.replace("dW = a_below.T @ dz", "dW = 1.0001 * a_below.T @ dz")
    assert wrong != chain
    assert not examine(module_of(wrong)).passed


OFF = """
spec = 1
[network]
name = "off"
input = [2]
loss = "mean_squared_error"
[[layer]]
type = "dense"
units = 1
activation = "off"
[[define]]
kind = "activation"
name = "off"
equations = ["a = maximum(0, -1 - z**2)"]
"""


def test_what_is_zero_everywhere_passes_as_not_tested(tmp_path):
    path = tmp_path / "off.toml"
    path.write_text(OFF)
    report = examine(module_of(generate(build(path)).text))
    assert report.passed
    assert not any(finding.tested for finding in report.tensors.values())


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradients_of_a_deep_network_are_comparable_from_end_to_end(activation):
    subject = Subject(module_of(text_of(f"2-16x300:{activation}")))
    with np.errstate(all="ignore"):
        first = candidates(subject, 0)[0]
        found = balanced(subject, first)
    assert first.balance < 1e-6
    assert found.balance >= BALANCE
    assert found.point.parameters(subject)["W1"].shape == (2, 16)


@pytest.mark.parametrize(
    "architecture",
    [
        "2-4x80:exponential",
        "4-4x80:square",
        "4-4x80:sigmoid",
        *(
            pytest.param(each, marks=pytest.mark.grid)
            for each in (
                "8-8x1000:relu",
                "8-8x999:relu-1",
                "8-8x1000:tanh",
                "4-4x500:sigmoid",
                "16-16x400:gelu",
                "2-1x300:relu",
                "4-4x200:elu",
                "4-4x200:softmax",
                "16-16x300:relu-3:softmax",
            )
        ),
    ],
)
def test_no_right_module_fails_for_overflow_or_underflow(architecture):
    text = text_of(architecture)
    report = examine(module_of(text))
    assert report.passed
    assert all(finding.tested for finding in report.tensors.values())
    wrong = text.replace("dW = a_below.T @ dz", "dW = 1.0001 * a_below.T @ dz")
    assert wrong != text
    assert not examine(module_of(wrong)).passed


@pytest.mark.parametrize("architecture", ["2-4x80:exponential", "4-4x80:square"])
def test_a_point_that_overflows_is_scaled_down(architecture):
    subject = Subject(module_of(text_of(architecture)))
    with np.errstate(all="ignore"):
        first = candidates(subject, 0)[0]
        found = balanced(subject, first)
    assert not first.finite
    assert found.finite
    assert found.point.gain < 1


def test_points_are_the_same_every_time(chain):
    subject = Subject(module_of(chain))
    assert candidates(subject, 3) == candidates(subject, 3)
    lifted = Point(3, lifted=True, gain=2.0).parameters(subject)
    assert all((value >= 0).all() for value in lifted.values())


def test_a_gradient_that_is_zero_everywhere_is_rounding_and_a_fault_in_it_is_found():
    network = build("3-1", loss="cosine_similarity")  # the cosine of numbers is 1 or -1
    for optimizer in ("sgd", "momentum", "adam"):
        text = generate(network, optimizer=optimizer).text
        assert all(examine(module_of(text), seed).passed for seed in range(3))
    wrong = text.replace("* (t > 1e-16) * 0.5\n", "* (t > 1e-16) * 0.5001\n")
    assert wrong != text
    assert not examine(module_of(wrong)).passed


def test_a_bias_that_a_softmax_over_positions_takes_away(tmp_path):
    path = tmp_path / "positions.toml"
    path.write_text(POSITIONS)
    text = generate(build(path)).text
    assert all(examine(module_of(text), seed).passed for seed in range(3))


POSITIONS = """
spec = 1
[network]
name = "positions"
input = [4, 3]
loss = "mean_squared_error"
[[layer]]
type = "dense"
units = 5
activation = { name = "softmax", axis = 1 }
"""
