"""Activations that decide by constants, are defined in parts, or turn out to be constant."""

import types
import warnings

import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.calculus.stable import guards
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.notation import load
from symbackprop.scalar import ONE, ZERO, Named, Slot, apply, number

TEXT = """
spec = 1
[network]
input = [1]
loss = "{loss}"
[[define]]
kind = "activation"
name = "own"
constants = {{ beta = 2.0 }}
equations = ["a = {equation}"]
[[layer]]
type = "dense"
units = 1
activation = "own"
"""


def module_of(path, equation, loss="squared_error"):
    file = path / "own.toml"
    file.write_text(TEXT.format(equation=equation, loss=loss), encoding="utf-8")
    module = types.ModuleType("emitted")
    exec(generate(build(load(str(file)))).text, module.__dict__)
    return module


def computed(module, z):
    """Both paths' values and ∂L/∂x of one number, where warnings are errors."""
    params = module.initialize()
    params["W1"][...], params["b1"][...] = 1, 0
    x = np.full((1, 1), z)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output, cache = module.forward(params, x)
        y = output - 0.5  # the squared error's gradient is then 1
        plain = module.backward(params, cache, module.loss_gradient(output, y))["x"]
        trained = module.loss_and_gradients(params, x, y, input_gradient=True)[1]["x"]
    return output.item(), plain.item(), trained.item()


PARTS = [
    ("where(z > 0, sqrt(z), -sqrt(-z))", lambda z: np.sign(z) * abs(z) ** 0.5),
    ("where(z > 0, log(z), log(-z))", lambda z: np.log(abs(z))),
    ("where(z > 1, 1/(z - 1), 1/(z - 2))", lambda z: 1 / (z - 1) if z > 1 else 1 / (z - 2)),
    ("where(z < 0, (-z)**1.5, z)", lambda z: (-z) ** 1.5 if z < 0 else z),
    ("where(z > 1, log(log(z)), z)", lambda z: np.log(np.log(z)) if z > 1 else z),
]


@pytest.mark.parametrize(("equation", "value"), PARTS)
@pytest.mark.parametrize("z", [-3.0, -1.0, 0.5, 1.0, 2.0, 3.0])
def test_what_one_branch_defines_is_not_read_where_the_other_holds(tmp_path, equation, value, z):
    output, plain, trained = computed(module_of(tmp_path, equation), z)
    slope = (value(z + 1e-6) - value(z - 1e-6)) / 2e-6
    assert output == pytest.approx(value(z), rel=1e-14)
    if z != 1:  # a kink of some of them
        assert plain == pytest.approx(slope, rel=1e-7)
    assert trained == pytest.approx(plain, rel=1e-13)


def test_without_the_guard_it_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(guards, "_kept", lambda tree, told, guard: tree)
    with pytest.raises(RuntimeWarning, match="invalid value"):
        computed(module_of(tmp_path, "where(z > 0, sqrt(z - 0*z), -sqrt(-2*z))"), 1.0)


@pytest.mark.parametrize(
    ("equation", "loss"),
    [
        ("where(exp(beta) > 1, relu(z), z)", "squared_error"),
        ("where(log(beta) > 0.7, z, -z)", "squared_error"),
        ("where(log(1 + abs(z - z)) > -1, z, -z)", "squared_error"),
        ("2*z + sigmoid(1)", "binary_cross_entropy_with_logits"),
        ("z + sigmoid(beta)", "binary_cross_entropy_with_logits"),
        ("z*sign(exp(beta) - 8) + tanh(sigmoid(beta))", "squared_error"),
    ],
)
def test_constants_decide(tmp_path, equation, loss):
    assert max(module_of(tmp_path, equation, loss).gradient_check().values()) < 1e-6


@pytest.mark.parametrize(
    "equation",
    [
        "log(exp(z)) - z",
        "log(1 + exp(z)) - log(1 + exp(-z)) - z",
        "tanh(z) - (exp(z) - exp(-z))/(exp(z) + exp(-z))",
    ],
)
def test_what_is_constant_is_refused(tmp_path, equation):
    with pytest.raises(SymbackpropError, match="layer 1: a is a constant, whatever it reads"):
        module_of(tmp_path, equation)


E = apply("exp", number(1))


def test_signs_of_constants():
    assert apply("greater", E, number(2)) == apply("greater", number(3), number(2))
    assert apply("where", apply("less", Named("pi"), E), ONE, ZERO) == ZERO
    assert apply("sign", apply("add", E, number(-3))) == number(-1)
    assert apply("copysign", ONE, apply("add", E, number(-3))) == number(-1)
    near = apply("add", E, apply("negative", apply("exp", number(1))))
    for undecided in (apply("greater", near, ZERO), apply("sign", near), apply("sign", Slot(0))):
        assert undecided.arguments
