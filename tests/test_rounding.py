"""What rounding may do to a module's results: what is more than that is an error, however small."""

import functools
import types
from dataclasses import replace

import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.checking.gradients import examine
from symbackprop.checking.points import candidates
from symbackprop.checking.rounding import LEAST, MOST, TIMES, rounding
from symbackprop.checking.subject import Sample, Subject
from symbackprop.checking.variants import variants
from symbackprop.emit import generate
from symbackprop.notation.toml import read_toml

EPSILON = float(np.finfo(np.float64).eps)

# The gradient of the first layer is a ten-millionth of the second's.
SMALL = """
spec = 1
[network]
input = [3]
loss = "squared_error"
[[layer]]
type = "dense"
units = 4
activation = "small"
[[layer]]
type = "dense"
units = 2
[[define]]
kind = "activation"
name = "small"
equations = ["a = tanh(z) / 10000000"]
"""


def module_of(text):
    module = types.ModuleType("module")
    exec(compile(text, "module.py", "exec"), module.__dict__)
    return module


def emitted(toml):
    return module_of(generate(build(read_toml(toml, "net.toml"))).text)


def findings(module):
    subject = Subject(module)
    point = candidates(subject, 0)[0].point
    params = point.parameters(subject)
    return variants(subject, params, [subject.sample(params, 0, size) for size in (3, 5)])


def planted(module, name, factor, only):
    """Return the module with one gradient of the training path wrong where ``only`` says."""
    right = module.loss_and_gradients

    @functools.wraps(right)
    def wrong(params, x, y, **keywords):
        value, gradients = right(params, x, y, **keywords)
        if name in gradients and only(params, keywords):
            gradients = {**gradients, name: gradients[name] * factor}
        return value, gradients

    module.loss_and_gradients = wrong
    return module


def is_double(params):
    return params["W1"].dtype == np.float64


def test_a_right_module_passes():
    module = emitted(SMALL)
    assert all(finding.passed for finding in findings(module).values())
    _, gradients = module.loss_and_gradients(
        module.initialize(), np.ones((2, 3)), np.ones((2, 2)), input_gradient=True
    )
    assert 0 < np.abs(gradients["W1"]).max() < 1e-6 * np.abs(gradients["b2"]).max()


@pytest.mark.parametrize("name", ["W1", "b1", "x"])
@pytest.mark.parametrize(
    ("checks", "only"),
    [
        (["paths agree"], lambda params, keywords: is_double(params)),
        (
            ["workspace", "training steps"],
            lambda params, keywords: keywords.get("workspace") is not None,
        ),
    ],
)
def test_a_ten_thousandth_of_a_small_gradient_is_seen(name, checks, only):
    found = findings(planted(emitted(SMALL), name, 1.0001, only))
    checks = [check for check in checks if check != "training steps" or name != "x"]
    assert [key for key, finding in found.items() if not finding.passed] == checks


def test_a_hundredth_of_a_small_gradient_is_seen_in_single_precision():
    toml = SMALL.replace("10000000", "1000")
    found = findings(planted(emitted(toml), "W1", 1.01, lambda p, _: not is_double(p)))
    assert [key for key, finding in found.items() if not finding.passed] == ["float32"]


CHANNELS = """
spec = 1
[network]
input = [2, 5, 6]
loss = "squared_error"
[[layer]]
type = "conv2d"
channels = 4
kernel_size = 3
[[layer]]
type = "instance_norm"
[[layer]]
type = "dense"
units = 3
activation = "tanh"
"""

ZERO = {
    "a constant": SMALL.replace("tanh(z) / 10000000", "cos(z)**2 + sin(z)**2"),
    "a mean taken out": SMALL.replace("a = tanh(z) / 10000000", "a[i] = z[i] - total(j, z[j]) / 4"),
    "one number's direction": SMALL.replace("units = 4", "units = 1").replace(
        'activation = "small"', '[[layer]]\ntype = "l2_normalize"'
    ),
    "the mean of each channel": CHANNELS,
}


@pytest.mark.parametrize("toml", ZERO.values(), ids=ZERO)
def test_gradients_that_are_zero_but_for_rounding(toml):
    module = emitted(toml)
    report = examine(module)
    assert report.passed, report.as_json()
    for seed in range(3):
        errors = module.gradient_check(seed)
        assert max(errors.values()) <= module.TOLERANCE, errors


def sample(x):
    return Sample(np.asarray(x), np.ones((1, 1)), ())


def test_what_a_nudge_does_is_what_rounding_may_do():
    x, b = np.array([[0.1, 0.2, -0.3]]), {"b": np.array(1.0)}
    found = rounding(lambda p, s: {"sum": 8 * s.x.sum() + p["b"], "one": np.ones(1)}, b, sample(x))
    assert found["one"] == pytest.approx(LEAST * EPSILON, rel=1e-12)
    assert TIMES * EPSILON / 8 <= found["sum"] <= TIMES * 16 * EPSILON


def test_a_jump_is_no_rounding():
    x = np.array([[1.0]])
    found = rounding(lambda p, s: {"jump": np.where(s.x > 1, 1e6, -s.x)}, {}, sample(x))
    assert found["jump"] <= TIMES * MOST * EPSILON


def test_the_rounding_of_single_precision():
    x = np.array([[0.1]], np.float32)
    double = sample(x.astype(np.float64))
    single = replace(double, x=x, cotangent=double.cotangent.astype(np.float32))
    small, large = (
        rounding(lambda p, s: {"y": 3 * s.x}, {}, each)["y"] for each in (double, single)
    )
    assert 1e7 < large / small < 1e10


def test_whole_numbers_stay():
    seen = []
    rounding(lambda p, s: seen.append(s.x) or {"y": s.x}, {}, sample([[3, 4]]))
    assert all((x == [[3, 4]]).all() for x in seen)
