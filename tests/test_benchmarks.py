"""The benchmarks' own checks: every contender's gradients, exact losses, nothing allocated."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import mpmath
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import contenders
import run
from perceptrons import handwritten
from workloads import WORKLOADS

SMALL = {name: workload for name, workload in WORKLOADS.items() if name != "W3"}
SMALL["CONV"] = replace(WORKLOADS["CONV"], batch=1)
EXACT = ("W1", "W2")
CAST_BUFFER = 8192 * 8
"""What NumPy itself takes for the time of a product of a bool and a float array."""


def contender(name, workload, dtype):
    x, y = workload.data(dtype)
    return contenders.BUILDERS[name](workload, workload.parameters(dtype), x, y)


@pytest.mark.parametrize("workload", SMALL)
@pytest.mark.parametrize("dtype", run.DTYPES)
def test_handwritten_and_tutorial_agree(workload, dtype):
    names = ("handwritten", "tutorial")
    entries = {name: contender(name, SMALL[workload], dtype) for name in names}
    errors = run.compare_gradients(entries, run.TOLERANCES[dtype])
    assert set(errors) == set(entries)


@pytest.mark.parametrize("key", ["loss", "W1", "b3"])
def test_a_contender_with_another_gradient_is_not_timed(key):
    right = contender("handwritten", WORKLOADS["W1"], "float64")

    def faulty():
        loss, grads = right.evaluate()
        grads = {name: value.copy() for name, value in grads.items()}
        if key == "loss":
            return loss * (1 + 1e-8), grads
        grads[key].flat[0] *= 1 + 1e-6
        return loss, grads

    entries = {"handwritten": right, "faulty": contenders.Contender(right.step, faulty)}
    with pytest.raises(SystemExit, match="faulty"):
        run.compare_gradients(entries, run.TOLERANCES["float64"])


def test_nan_is_no_agreement():
    right = contender("handwritten", WORKLOADS["W1"], "float64")
    wrong = contenders.Contender(right.step, lambda: (float("nan"), right.evaluate()[1]))
    with pytest.raises(SystemExit, match="wrong"):
        run.compare_gradients({"handwritten": right, "wrong": wrong}, 1.0)


@pytest.mark.parametrize("key", ["x", "W1"])
def test_the_gradient_of_a_layers_input_is_compared(key):
    right = contender("handwritten", SMALL["CONV"], "float32")

    def faulty():
        loss, grads = right.evaluate()
        return loss, grads | {key: grads[key] * np.float32(1.01)}

    entries = {"handwritten": right, "faulty": contenders.Contender(right.step, faulty)}
    with pytest.raises(SystemExit, match="faulty"):
        run.compare_gradients(entries, run.TOLERANCES["float32"])


@pytest.mark.parametrize("workload", EXACT)
def test_the_handwritten_step_lowers_the_loss_and_allocates_nothing(workload):
    entry = contender("handwritten", WORKLOADS[workload], "float64")
    first = entry.step()
    assert min(entry.step() for _ in range(50)) < first
    assert run.transient_bytes(entry.step) < CAST_BUFFER + 2000


def test_transient_memory_is_seen():
    assert run.transient_bytes(lambda: float(np.empty(100_000).size)) >= 800_000


def at_logits(workload, logits, target):
    """The handwritten loss and ∂L/∂b3 where every sample has these logits and this target."""
    params = workload.parameters("float64")
    params["W3"][...] = 0
    params["b3"][...] = logits
    x, y = workload.data("float64")
    y[...] = target
    loss, grads = handwritten.build(workload, params).loss_and_gradients(x, y)
    return loss, grads["b3"]


@pytest.mark.parametrize("z", [0.0, 1e-9, -3.0, 36.5, -36.5, 300.0, -300.0, 700.0])
@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_is_exact(z, target):
    loss, gradient = at_logits(WORKLOADS["W1"], z, target)
    with mpmath.workdps(700):
        e = mpmath.exp(mpmath.mpf(z))
        exact = mpmath.log(1 + e) - target * mpmath.mpf(z)
        assert loss == pytest.approx(float(exact), rel=1e-14, abs=0)
        assert gradient == pytest.approx(float(e / (1 + e) - target), rel=1e-14, abs=0)


@pytest.mark.parametrize("spread", [0.0, 1.0, 40.0, 300.0, 700.0])
@pytest.mark.parametrize("target", [0, 4, 9])
def test_cross_entropy_is_exact(spread, target):
    logits = spread * np.linspace(-1, 0, 10)
    loss, gradient = at_logits(WORKLOADS["W2"], logits, target)
    with mpmath.workdps(700):
        e = [mpmath.exp(mpmath.mpf(float(z))) for z in logits]
        p = [value / sum(e) for value in e]
        assert loss == pytest.approx(float(-mpmath.log(p[target])), rel=1e-14, abs=0)
        expected = [float(value - (index == target)) for index, value in enumerate(p)]
        np.testing.assert_allclose(gradient, expected, rtol=1e-14)
