"""Totals of exponentials that users write are shifted by the largest exponent, and only those."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop import generate
from symbackprop.api import load
from symbackprop.build import build_network
from symbackprop.calculus.exponentials import shift_exponentials
from symbackprop.calculus.held import invariances

ACTIVATION = """
spec = 1
[network]
input = [3]
loss = "{loss}"
[[define]]
kind = "activation"
name = "own"
constants = {{ T = 0.5 }}
equations = {equations}
[[layer]]
type = "dense"
units = 4
activation = "own"
{after}
"""
LAYER = '[[layer]]\ntype = "dense"\nunits = 2'
LOSS = """
spec = 1
[network]
input = [3]
loss = "own"
[[define]]
kind = "loss"
name = "own"
equations = {equations}
[[layer]]
type = "dense"
units = 4
"""
STATED = ["m = held(largest(i, {u}))", "e[i] = exp({u} - m)", "s = total(i, e[i])"]
SAME = {
    "softmax": (["a[i] = exp(z[i]) / total(j, exp(z[j]))"], "z[i]", "a[i] = e[i] / s"),
    "named": (
        ["e[i] = exp(z[i])", "s = total(j, e[j])", "a[i] = e[i] / s"],
        "z[i]",
        "a[i] = e[i] / s",
    ),
    "scaled": (["a[i] = exp(z[i]/T) / total(j, exp(z[j]/T))"], "z[i]/T", "a[i] = e[i] / s"),
    "one more": (
        ["a[i] = exp(-z[i]) / (1 + total(j, exp(-z[j])))"],
        "-z[i]",
        "a[i] = e[i] / (exp(-m) + s)",
    ),
    "logarithm": (["a[i] = z[i] - log(total(j, exp(z[j])))"], "z[i]", "a[i] = (z[i] - m) - log(s)"),
    "average": (
        ["q = total(j, z[j] * exp(z[j])) / total(k, exp(z[k]))", "a[i] = z[i] - q"],
        "z[i]",
        "a[i] = z[i] - total(j, z[j] * e[j]) / s",
    ),
}
NOT = [
    "a[i] = exp(z[i]) / total(j, exp(z[j]))**2",
    "a[i] = exp(z[i]) / total(j, exp(2*z[j]))",
    "a[i] = exp(z[i]) / sin(total(j, exp(z[j])))",
    "a[i] = exp(z[i]) / total(j, z[j] + exp(z[j]))",
    "a[i] = exp(-z[i]) / total(j, exp(z[j]))",
    "a[i] = z[i] * exp(z[3 - i]) / total(j, z[j] * exp(z[3 - j]))",
    "a[i] = z[i] + total(j, exp(z[j]))",
]


def _written(path: Path, text: str, equations: list[str], **more: str) -> Path:
    quoted = "[" + ", ".join(f'"{e}"' for e in equations) + "]"
    path.write_text(text.format(equations=quoted, **more))
    return path


def _module(path: Path) -> Any:
    module = types.ModuleType("module")
    exec(generate(path), module.__dict__)
    return module


def _results(module: Any, dtype: Any, scale: float, target: np.ndarray) -> list[np.ndarray]:
    params = module.initialize(0, dtype=dtype)
    params["W1"][...] = 0
    params["b1"][...] = np.array([1, 0.5, 0.001, -1]) * scale
    loss, gradients = module.loss_and_gradients(params, np.ones((1, 3)), target)
    output, _ = module.forward(params, np.ones((1, 3)))
    return [np.asarray(loss), output, *(gradients[name] for name in sorted(gradients))]


@pytest.mark.parametrize("name", SAME)
def test_the_form_that_states_the_shift(name: str, tmp_path: Path) -> None:
    own, exponent, last = SAME[name]
    more = {"loss": "squared_error", "after": LAYER}
    stated = [line.format(u=exponent) for line in STATED]
    if name == "one more":
        stated[0] = f"m = held(largest(i, maximum(0, {exponent})))"
    modules = [
        _module(_written(tmp_path / f"{k}.toml", ACTIVATION, equations, **more))
        for k, equations in enumerate((own, [*stated, last]))
    ]
    for dtype in (np.float64, np.float32):
        for scale in (0.1, 30, 100, 1000):
            found, expected = (_results(m, dtype, scale, np.zeros((1, 2))) for m in modules)
            largest = max(np.abs(array).max() for array in expected[1:])
            for ours, theirs in zip(found, expected, strict=True):
                assert np.isfinite(ours).all()
                top = max(largest, np.abs(theirs).max())  # what is summed may cancel
                np.testing.assert_allclose(ours, theirs, 0, 32 * np.finfo(dtype).eps * top)


ATTENTION = """
spec = 1
[network]
input = [5, 3]
loss = "squared_error"
[[define]]
kind = "layer"
name = "own"
inputs = { x = ["steps", "features"] }
output = ["steps", "features"]
parameters = { Q = ["features", "features"] }
equations = [
  "q[t, i] = total(k, Q[k, i] * x[t, k])",
  "s[t, u] = total(i, q[t, i] * x[u, i])",
  "o[t, i] = total(u, exp(s[t, u]) * x[u, i]) / total(v, exp(s[t, v]))",
]
[[layer]]
type = "own"
"""


def test_totals_over_the_same_row_share_its_shift(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(ATTENTION)
    module = _module(tmp_path / "a.toml")
    for dtype in (np.float64, np.float32):
        x = np.random.default_rng(0).standard_normal((2, 5, 3)) * 100
        loss, gradients = module.loss_and_gradients(module.initialize(0, dtype=dtype), x, 0 * x)
        assert np.isfinite(loss)
        assert all(np.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize(
    "equations",
    [
        ["L = log(total(i, exp(a[i]))) - total(i, y[i] * a[i])"],
        ["p[i] = exp(a[i]) / total(j, exp(a[j]))", "L = -total(i, y[i] * log(p[i]))"],
    ],
)
def test_a_loss_of_logits(equations: list[str], tmp_path: Path) -> None:
    module = _module(_written(tmp_path / "a.toml", LOSS, equations))
    target = np.array([[0, 0.5, 0.5, 0]])
    for dtype in (np.float64, np.float32):
        loss, _, gradient, *_ = _results(module, dtype, 1000, target)
        np.testing.assert_allclose(loss, 749.5, 1e-6)
        np.testing.assert_allclose(gradient, [[1, -0.5, -0.5, 0]] * 3, 1e-6)


def test_a_softmax_with_cross_entropy_collapses(tmp_path: Path) -> None:
    more = {"loss": "cross_entropy", "after": ""}
    module = _module(_written(tmp_path / "a.toml", ACTIVATION, SAME["softmax"][0], **more))
    for target in (np.array([2]), np.array([[0, 0.5, 0.5, 0]])):
        loss, _, _, gradient = _results(module, np.float64, 1000, target)
        wanted = np.array([1, 0, -1, 0]) if target.ndim == 1 else np.array([1, -0.5, -0.5, 0])
        np.testing.assert_allclose(gradient, wanted, atol=1e-12)
        assert loss > 700


@pytest.mark.parametrize("equation", NOT)
def test_what_depends_on_the_shift_is_left_alone(equation: str, tmp_path: Path) -> None:
    more = {"loss": "squared_error", "after": ""}
    path = _written(tmp_path / "a.toml", ACTIVATION, [equation], **more)
    layer = build_network(load(path)).layers[-1]
    assert shift_exponentials(layer.activation, [layer.output]) == (layer.activation, ())


def test_a_shift_that_is_stated_is_not_shifted_again() -> None:
    layer = build_network(load("3-4:softmax")).layers[-1]
    assert shift_exponentials(layer.activation, [layer.output]) == (layer.activation, ())


@pytest.mark.parametrize("name", ["softmax", "named", "scaled", "average"])
def test_its_derivative_vanishes(name: str, tmp_path: Path) -> None:
    more = {"loss": "squared_error", "after": ""}
    path = _written(tmp_path / "a.toml", ACTIVATION, SAME[name][0], **more)
    layer = build_network(load(path)).layers[-1]
    shifted, steps = shift_exponentials(layer.activation, [layer.output])
    held = {e.target.variable for e in shifted if e.held}
    assert len(held) == 1
    assert steps[0].rule == "shift"
    assert invariances(shifted, layer.output).keys() == held
