"""The check is checked: every single planted fault that changes a result is reported."""

import types

import numpy as np
import pytest
from faults import faults
from handmade import PERCEPTRON

from symbackprop.api import build
from symbackprop.checking.gradients import examine
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.notation.toml import read_toml

POINTS = 8
ROUNDING = 64  # units in the last place
PARTS = 8  # of all faults; the first part always runs


def module_of(text):
    module = types.ModuleType("planted")
    exec(compile(text, "planted.py", "exec"), module.__dict__)
    return module


def results(module):
    """Return everything that a module computes at many points."""
    found = []
    for seed in range(POINTS):
        rng = np.random.default_rng(seed)
        size, dtype = 2 + seed % 4, np.float32 if seed % 4 == 3 else np.float64
        params = module.initialize(seed, scale=0.5 + seed / 16, dtype=dtype)
        x = rng.standard_normal((size, 2))
        output, cache = module.forward(params, x)
        y = rng.uniform(size=output.shape).astype(dtype)
        found += [
            output,
            *module.backward(
                params, cache, rng.standard_normal(output.shape).astype(dtype)
            ).values(),
        ]
        found += [module.loss(output, y), module.loss_gradient(output, y)]
        space = module.Workspace(size + seed % 2, dtype)
        for workspace in (None, space, space):
            value, grads = module.loss_and_gradients(
                params, x, y, workspace=workspace, input_gradient=True
            )
            found += [value, *(array.copy() for array in grads.values())]
        module.update(params, grads, 0.1)
        found += [value.copy() for value in params.values()]
        found += [x, y]
    return [np.array(value) for value in found]


def same(found, expected):
    """Whether results are equal bit by bit, or differ by no more than an identity's rounding.

    exp(z) in place of exp(-z) in e / (1 + e)**2 is the same number until it overflows; tests of
    extreme logits see that, differences cannot.
    """
    if [a.shape for a in found] != [a.shape for a in expected]:
        return False
    if [a.dtype for a in found] != [a.dtype for a in expected]:
        return False
    return all(
        np.abs(a - b).max(initial=0) <= ROUNDING * np.finfo(b.dtype).eps * np.abs(b).max(initial=0)
        for a, b in zip(found, expected, strict=True)
    )


def verdict(text, expected):
    """Return how the check meets a module: reported, unchanged, or missed."""
    with np.errstate(all="ignore"):
        try:
            module = module_of(text)
            if examine(module).passed:
                return "unchanged" if same(results(module), expected) else "missed"
        except SymbackpropError:
            return "reported"
    return "reported"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.grid) for part in range(1, PARTS))]
)
@pytest.mark.parametrize("text", [PERCEPTRON], ids=["handmade"])
def test_every_planted_fault_is_reported(text, part):
    expected = results(module_of(text))
    assert verdict(text, expected) == "unchanged"
    planted = list(faults(text))[part::PARTS]
    verdicts = [(what, verdict(plant(), expected)) for what, plant in planted]
    missed = [what for what, found in verdicts if found == "missed"]
    assert not missed, "\n".join(missed)
    reported = sum(found == "reported" for _, found in verdicts)
    assert reported > 90
    assert reported > 0.9 * len(verdicts)


WORKSPACE = {
    "a step twice as long": ("workspace.eta[...] = eta", "workspace.eta[...] = eta * 2"),
    "parameters of the step before": ("elif self.copied:", "elif False:"),
    "gradients of the step before": ("return same and not self.copied", "return not self.copied"),
    "gradients that are asked for alone": (
        "return loss, work.gradients\n",
        "return loss, {k: 1.01 * v for k, v in work.gradients.items()}\n",
    ),
}


@pytest.mark.parametrize("fault", WORKSPACE.values(), ids=WORKSPACE)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_fault_in_steps_with_a_workspace_is_reported(fault, optimizer):
    text = generate(build("2-3:tanh-1", loss="squared_error"), optimizer=optimizer).text
    right, wrong = fault
    assert text.count(right) == 1
    assert examine(module_of(text)).passed
    report = examine(module_of(text.replace(right, wrong)))
    failed = [name for name, finding in report.checks.items() if not finding.passed]
    assert failed == ["training steps"]


STEEP = """
spec = 1
[network]
input = [2]
loss = "squared_error"
[[define]]
kind = "activation"
name = "steep"
equations = ["a = {}"]
[[layer]]
type = "dense"
units = 2
activation = "steep"
"""


@pytest.mark.parametrize("equation", ["z*z*z*z*z", "(exp(z) - exp(-z)) / 2"])
def test_steps_down_a_steep_loss_stay_finite(equation):
    text = generate(build(read_toml(STEEP.format(equation), "net.toml"))).text
    assert examine(module_of(text)).passed
    for right, wrong in WORKSPACE.values():
        assert not examine(module_of(text.replace(right, wrong))).passed
