"""The training path keeps the digits that forward and backward keep, far out too."""

import types

import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.calculus import logarithms, stable
from symbackprop.catalog import CATALOG
from symbackprop.emit import generate
from symbackprop.notation import load

FAR = (-300.0, -38.0, -30.0, -17.0, -5.0, -0.5, 0.5, 5.0, 17.0, 30.0, 38.0, 300.0)
TARGETS = (0.0, 0.3)
# Near the target, a difference of the two is what they round to; losses that read it alone.
LOSSES = ("log_cosh", "squared_error", "huber")
OWN = {
    "logish": "a = z*log(1 + sigmoid(z))",
    "near one": "a = log(1 + sigmoid(z))",
    "two logarithms": "a = log(2 + exp(-z)) - log(1 + exp(-z))",
    "the other way": "a = log(1 + exp(z)) - log(1 + 2*exp(z))",
}
PLAIN = """
spec = 1
[network]
input = [1]
loss = "{loss}"
[[layer]]
type = "dense"
units = 1
activation = "{activation}"
"""
DEFINED = """
[[define]]
kind = "activation"
name = "own"
equations = ["{equation}"]
"""


def module_of(path, activation, loss):
    text = PLAIN.format(loss=loss, activation=activation if activation not in OWN else "own")
    if activation in OWN:
        text += DEFINED.format(equation=OWN[activation])
    file = path / "own.toml"
    file.write_text(text, encoding="utf-8")
    module = types.ModuleType("emitted")
    exec(generate(build(load(str(file)))).text, module.__dict__)
    return module


def apart(module):
    """The largest relative difference of ∂L/∂x between the two paths, and where it is."""
    params = module.initialize()
    params["W1"][...], params["b1"][...] = 1, 0
    worst = (0.0, 0.0, 0.0)
    for z in FAR:
        for target in TARGETS:
            x, y = np.full((1, 1), z), np.full((1, 1), target)
            with np.errstate(all="ignore"):
                output, cache = module.forward(params, x)
                plain = module.backward(params, cache, module.loss_gradient(output, y))["x"]
                trained = module.loss_and_gradients(params, x, y, input_gradient=True)[1]["x"]
            if np.isfinite(plain).all() and np.abs(plain).max() > 1e-300:
                difference = np.abs(plain - trained).max() / np.abs(plain).max()
                worst = max(worst, (float(difference), z, target))
    return worst


CASES = [
    pytest.param(
        activation,
        loss,
        marks=() if activation in OWN or loss == "log_cosh" else pytest.mark.grid,
        id=f"{activation}-{loss}",
    )
    for loss in LOSSES
    for activation in (*OWN, *CATALOG.activations)
]


@pytest.mark.parametrize(("activation", "loss"), CASES)
def test_both_paths_agree(tmp_path, activation, loss):
    error, *place = apart(module_of(tmp_path, activation, loss))
    assert error < 1e-12, place


@pytest.mark.parametrize(
    ("activation", "loss", "without"),
    [
        ("logish", "squared_error", (stable, "joined", lambda region, quotient: quotient)),
        ("log_sigmoid", "log_cosh", (logarithms, "_holds_logarithm", lambda *_: False)),
    ],
)
def test_without_the_rules_they_do_not(monkeypatch, tmp_path, activation, loss, without):
    monkeypatch.setattr(*without)
    for form in (stable.stable_form, stable._stable_form):
        form.cache_clear()
    try:
        assert apart(module_of(tmp_path, activation, loss))[0] > 1e-6
    finally:
        for form in (stable.stable_form, stable._stable_form):
            form.cache_clear()
