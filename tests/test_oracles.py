"""Emitted modules on fifty digits and against PyTorch; the oracles are tried on a wrong one."""

import types

import numpy as np
import pytest
from handmade import PERCEPTRON
from oracles import Point, errors_on_fifty_digits, torch_gradients

# Differences of step 1e-15 on fifty digits are right to about 1e-29.
EXACT = 1e-27


def module_of(text):
    module = types.ModuleType("emitted")
    exec(compile(text, "emitted.py", "exec"), module.__dict__)
    return module


def point_of(text, features, target=None, size=3, seed=0):
    """Return a general point of a module, its target uniform where none is given."""
    module, rng = module_of(text), np.random.default_rng(seed)
    params = module.initialize(seed)
    for value in params.values():
        value[...] += 0.3 * rng.standard_normal(value.shape)
    x = rng.standard_normal((size, features))
    output, _ = module.forward(params, x)
    y = rng.uniform(0.05, 0.95, output.shape) if target is None else target(rng, output)
    return Point(params, x, y, rng.standard_normal(output.shape))


def worst(errors):
    return max(error for tensors in errors.values() for error in tensors.values())


def test_fifty_digits_of_a_right_module_agree():
    errors = errors_on_fifty_digits(PERCEPTRON, point_of(PERCEPTRON, 2))
    assert sorted(errors) == ["backward", "loss_gradient", "training", "value"]
    assert worst(errors) < EXACT


@pytest.mark.parametrize(
    ("right", "wrong", "path"),
    [
        ("(1.0 + e) ** 2", "(1.0 + 1.00000000001 * e) ** 2", "backward"),
        ("p *= 1.0 / n", "p *= 1.00000000001 / n", "training"),
        ("(1.0 - output) - y / output)", "(1.0 - output) - y / (output + 1e-12))", "loss_gradient"),
        ("np.log1p(e, out=p)", "np.multiply(e, 1, out=p)", "value"),
    ],
)
def test_fifty_digits_find_what_float64_cannot(right, wrong, path):
    assert right in PERCEPTRON
    errors = errors_on_fifty_digits(PERCEPTRON.replace(right, wrong), point_of(PERCEPTRON, 2))
    assert worst({path: errors[path]}) > 1e-16


def test_pytorch_agrees_with_the_handmade_module():
    point, module = point_of(PERCEPTRON, 2), module_of(PERCEPTRON)
    value, gradients = torch_gradients(["relu", "sigmoid"], "binary_cross_entropy", point)
    ours, grads = module.loss_and_gradients(point.params, point.x, point.y, input_gradient=True)
    assert ours == pytest.approx(value, rel=1e-13)
    for name, expected in gradients.items():
        np.testing.assert_allclose(grads[name], expected, rtol=1e-12, atol=1e-15)
