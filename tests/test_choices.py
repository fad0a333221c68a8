"""Choices between exponentials that logarithms read, and the names of a user's loss."""

import io
import keyword
import tokenize
import types
import warnings
from pathlib import Path

import mpmath
import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.calculus import stable
from symbackprop.catalog import WORDS
from symbackprop.checking.gradients import examine
from symbackprop.emit import generate
from symbackprop.notation.toml import read_toml

NETWORK = """
spec = 1
[network]
input = [2]
loss = "own"
[[define]]
kind = "loss"
name = "own"
equations = {}
[[layer]]
type = "dense"
units = 2
"""
FOCAL = [
    "p[i] = sigmoid(a[i])",
    "pt[i] = where(y[i] == 1, p[i], 1 - p[i])",
    "L = -total(i, (1 - pt[i])**2 * log(pt[i]))",
]
LIKELIHOOD = [
    "p[i] = exp(a[i]) / (1 + exp(a[i]))",
    "L = -total(i, log(where(y[i] > 0, p[i], 1 - p[i])))",
]
FAR = np.array([0, 1e-8, 1, 10, 30, 37, 88, 104, 709, 746, 1e3])


def module_of(equations):
    module = types.ModuleType("module")
    network = build(read_toml(NETWORK.format(equations), "net.toml"))
    exec(compile(generate(network).text, "module.py", "exec"), module.__dict__)
    return module


def far_out(module, dtype):
    """Return losses and slopes at logits far out on both sides; a warning is an error."""
    params = module.initialize(dtype=dtype)
    params["W1"][...] = np.eye(2)
    found = []
    for z in (*FAR, *-FAR):
        x, y = np.array([[z, z]], dtype), np.array([[0, 1]], dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loss, gradients = module.loss_and_gradients(params, x, y)
            again = module.loss_gradient(x, y)[0]
        found.append([loss, *gradients["b1"], *again])
    return np.array(found)


def by_definition(power):
    """Return what ``far_out`` does, from the losses of one logit on many digits."""

    def cost(z, side):
        p = 1 / (1 + mpmath.exp(side * z))
        return -((1 - p) ** power) * mpmath.log(p)

    found = []
    with mpmath.workdps(1000):
        near = mpmath.mpf(10) ** -480
        for z in (mpmath.mpf(float(z)) for z in (*FAR, *-FAR)):
            losses = [cost(z, side) for side in (1, -1)]
            slopes = [
                (cost(z + near, side) - cost(z - near, side)) / (2 * near) for side in (1, -1)
            ]
            found.append([float(v) for v in (sum(losses), *slopes, *slopes)])
    return np.array(found)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("equations", "power"), [(FOCAL, 2), (LIKELIHOOD, 0)], ids=["focal", "log"]
)
def test_a_choice_that_a_logarithm_reads_is_exact_far_out(equations, power, dtype):
    found, true = far_out(module_of(equations), dtype), by_definition(power)
    tiny = 4 * np.finfo(dtype).tiny
    np.testing.assert_allclose(found, true, rtol=40 * np.finfo(dtype).eps, atol=tiny)


def test_without_the_rule_it_is_not(monkeypatch):
    stable.stable_form.cache_clear()
    monkeypatch.setattr(stable, "chosen_outside", lambda expression: expression)
    with pytest.raises((RuntimeWarning, AssertionError)):
        assert np.isfinite(far_out(module_of(FOCAL), np.float64)).all()
    stable.stable_form.cache_clear()


@pytest.mark.parametrize("equations", [FOCAL, LIKELIHOOD], ids=["focal", "log"])
def test_its_gradients_are_right(equations):
    assert examine(module_of(equations)).passed


def names_of_modules():
    """Return every name that generated modules use and a loss may give, and those of layers."""
    text = (Path(__file__).parents[1] / "generated" / "circles.py").read_text()
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = {token.string for token in tokens if token.type == tokenize.NAME}
    found |= {"da1", "dz1", "dt", "dl", "dL", "t_1", "mask", "at", "penalty", "half", "k"}
    given = {"L", "a", "y", "z", "x", "N", "pi", "classes", *WORDS, *keyword.kwlist}
    return sorted(name for name in found - given if not name.startswith("_"))


NAMES = names_of_modules()


@pytest.mark.parametrize("start", range(0, len(NAMES), 12))
def test_the_names_of_a_loss_are_its_own(start):
    names = NAMES[start : start + 12]
    equations = [
        f"{name} = sqrt(total(i, (a[i] - y[i] * {k + 2})**2 + 1))" for k, name in enumerate(names)
    ]
    module = module_of([*equations, "L = " + " + ".join(f"exp(-{n} / 9)" for n in names)])
    assert max(module.gradient_check().values()) < 1e-7
