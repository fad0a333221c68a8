"""Every activation and every loss, emitted: by differences, on fifty digits, by PyTorch.

A few always run; the grid has each activation in every layer, and before every loss.
"""

import types
from functools import cache

import numpy as np
import pytest
from oracles import Point, errors_on_fifty_digits, torch_gradients

from symbackprop.api import build
from symbackprop.catalog import CATALOG
from symbackprop.checking.gradients import examine
from symbackprop.checking.subject import Subject
from symbackprop.emit import generate

# Differences of step 1e-15 on fifty digits are right to about 1e-29.
EXACT = 1e-25
ON_PROBABILITIES = ("binary_cross_entropy", "cross_entropy")
SAMPLE = [
    ("relu", "sigmoid", "binary_cross_entropy"),
    ("tanh", "softmax", "cross_entropy"),
    ("gelu", "identity", "cross_entropy_with_logits"),
    ("prelu", "hard_tanh", "huber"),
    ("softmax", "log_softmax", "kl_divergence"),
]
EACH = [
    *((name, name, "mean_squared_error") for name in CATALOG.activations),
    *(("tanh", last, loss) for last in CATALOG.activations for loss in CATALOG.losses),
]
GRID = [pytest.param(*each, marks=pytest.mark.grid) for each in EACH if each not in SAMPLE]
every_pair = pytest.mark.parametrize(("hidden", "last", "loss"), [*SAMPLE, *GRID])


@cache
def emitted(hidden, last, loss):
    return generate(build(f"3-4:{hidden}-2:{last}", loss=loss)).text


def module_of(text):
    module = types.ModuleType("emitted")
    exec(compile(text, "emitted.py", "exec"), module.__dict__)
    return module


def points(text, loss):
    """Return a general point for every form of target, where the loss reads such outputs."""
    subject = Subject(module_of(text))
    params = subject.parameters(0)
    sample = subject.sample(params, 0, 3)
    output, _ = subject.forward(params, sample.x)
    if loss in ON_PROBABILITIES and not np.all((output > 0) & (output < 1)):
        pytest.skip("the outputs are no probabilities")
    return [Point(params, sample.x, y, sample.cotangent) for y in sample.targets]


@every_pair
def test_differences_agree(hidden, last, loss):
    text = emitted(hidden, last, loss)
    points(text, loss)
    report = examine(module_of(text))
    assert report.passed, report.as_json()


@every_pair
def test_fifty_digits_agree(hidden, last, loss):
    text = emitted(hidden, last, loss)
    for point in points(text, loss):
        for path, errors in errors_on_fifty_digits(text, point).items():
            assert all(error < EXACT for error in errors.values()), (path, errors)


@every_pair
def test_pytorch_agrees(hidden, last, loss):
    if loss == "focal":
        pytest.skip("PyTorch has no focal loss")
    text = emitted(hidden, last, loss)
    for point in points(text, loss):
        value, gradients = torch_gradients([hidden, last], loss, point)
        ours, grads = module_of(text).loss_and_gradients(
            point.params, point.x, point.y, input_gradient=True
        )
        assert ours == pytest.approx(value, rel=1e-12)
        for name, expected in gradients.items():
            scale = np.abs(expected).max(initial=0)
            np.testing.assert_allclose(grads[name], expected, rtol=1e-10, atol=1e-12 * scale)
