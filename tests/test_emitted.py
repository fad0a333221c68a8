"""Every activation and loss, emitted: by differences, on fifty digits, by PyTorch.

A sample with each of them, and with each option, always runs; the grid has each activation
before every loss, and every loss and option in both layouts.
"""

import shutil
import subprocess
import types
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from oracles import Point, errors_on_fifty_digits, torch_gradients

from symbackprop.api import build
from symbackprop.architecture import Use
from symbackprop.catalog import CATALOG
from symbackprop.checking.gradients import examine
from symbackprop.checking.subject import Subject
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.notation import load

# Differences of step 1e-15 on fifty digits are right to about 1e-29.
EXACT = 1e-25
ON_PROBABILITIES = ("binary_cross_entropy", "cross_entropy")
FITTING = {
    "binary_cross_entropy": "sigmoid",
    "cross_entropy": "softmax",
    "nll": "log_softmax",
    "kl_divergence": "log_softmax",
}
WEIGHT = (0.5, 2.0, 1.25)


@dataclass(frozen=True)
class Case:
    """A perceptron, its loss, and what is set."""

    text: str
    loss: str
    options: tuple[tuple[str, object], ...] = ()
    reduction: str = "mean"
    l1: float = 0.0
    l2: float = 0.0

    def __str__(self):
        settings = [f"{k}={v}" for k, v in self.options]
        settings += [self.reduction] if self.reduction != "mean" else []
        settings += [f"{k}={v}" for k, v in (("l1", self.l1), ("l2", self.l2)) if v]
        return " ".join([self.text, self.loss, *settings])


def pairwise():
    """Return every activation once as the hidden one, and every loss at least once."""
    losses = list(CATALOG.losses)
    for k, hidden in enumerate(CATALOG.activations):
        loss = losses[k % len(losses)]
        yield Case(f"3-4:{hidden}-2:{FITTING.get(loss, 'identity')}", loss)


def last_ones():
    """Return every activation once as the last one, before a loss that reads any number."""
    anything = ("mean_squared_error", "huber", "log_cosh", "poisson_nll")
    for k, last in enumerate(CATALOG.activations):
        yield Case(f"2-3:sine-2:{last}", anything[k % len(anything)])


def with_options(hidden="4:tanh"):
    """Return every option of every loss."""
    for loss, last in (
        ("cross_entropy", "softmax"),
        ("cross_entropy_with_logits", "identity"),
        ("nll", "log_softmax"),
    ):
        every = {"ignore_index": -100, "weight": WEIGHT, "label_smoothing": 0.1}
        if loss == "nll":
            del every["label_smoothing"]
        sets = [{key: value} for key, value in every.items()]
        sets += [every, {"ignore_index": 0}, {**every, "ignore_index": 0}]
        for options in sets:
            yield Case(f"3-{hidden}-3:{last}", loss, tuple(options.items()))
        yield Case(f"3-{hidden}-3:{last}", loss, tuple(every.items()), "sum")
    for loss in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        last = FITTING.get(loss, "identity")
        yield Case(f"3-{hidden}-3:{last}", loss, (("pos_weight", 2.5),))
    yield Case(f"3-{hidden}-2", "huber", (("delta", 0.3),))
    yield Case(f"3-{hidden}-2", "focal", (("gamma", 1.5), ("alpha", 0.4)))
    yield Case(f"3-{hidden}-6", "gaussian_nll")
    yield Case(f"3-{hidden}-2", "mean_squared_error", l1=0.1)
    yield Case(f"3-{hidden}-2:softmax", "cross_entropy", l2=0.1)
    yield Case(f"3-{hidden}-2:sigmoid", "binary_cross_entropy", (), "sum", 0.1, 0.03)


SHAPES = [
    Case("1-1:relu-1:sigmoid", "binary_cross_entropy"),
    Case("2-3:relu-1:softmax", "cross_entropy"),
    Case("2-3:relu-1", "cross_entropy_with_logits"),
    Case("4-1", "mean_squared_error"),
    Case("1-1", "squared_error"),
    Case("2-3:relu-3:tanh-3:gelu-2:silu-1:sigmoid", "binary_cross_entropy"),
    Case("3-4-5-2", "mean_squared_error"),
    Case("3-4:tanh-2:prelu", "log_cosh"),
    Case("3-5:softmax-4:softmax-2:softmax", "cross_entropy"),
]
WIDE = [
    Case("2-34:relu-2:softmax", "cross_entropy"),
    Case("2-34:gelu-1:sigmoid", "binary_cross_entropy"),
    Case("2-34:tanh-3", "cross_entropy_with_logits", (("ignore_index", -100), ("weight", WEIGHT))),
    Case("2-33:softmax-2:log_softmax", "nll", l2=0.1),
    Case("34-1:sigmoid", "binary_cross_entropy"),
    Case("2-33:log_softmax-2:log_softmax", "kl_divergence"),
    Case("3-33:log_softmax-4:softmax-2:softmax", "cross_entropy"),
]
SAMPLE = [*dict.fromkeys([*pairwise(), *last_ones(), *with_options(), *SHAPES, *WIDE])]
EACH = [
    *(Case(f"3-4:tanh-2:{a}", loss) for a in CATALOG.activations for loss in CATALOG.losses),
    *(Case(f"3-33:{a}-2:{a}", "huber") for a in CATALOG.activations),
    *(replace(case, text=case.text.replace("3-4:", "2-33:", 1)) for case in pairwise()),
    *(replace(case, reduction="sum") for case in pairwise()),
    *with_options("33:tanh"),
]
GRID = [pytest.param(c, marks=pytest.mark.grid) for c in dict.fromkeys(EACH) if c not in SAMPLE]
# Fifty digits are slow on wide layers: the grid has them.
NARROW = [pytest.param(c, marks=pytest.mark.grid) if c in WIDE else c for c in SAMPLE]
every_case = pytest.mark.parametrize("case", [*SAMPLE, *GRID], ids=str)


@cache
def emitted(case):
    architecture = replace(
        load(case.text),
        loss=Use(case.loss, dict(case.options)),
        reduction=case.reduction,
        l1=case.l1,
        l2=case.l2,
    )
    try:
        network = build(architecture)
    except SymbackpropError:
        expects = CATALOG.losses[case.loss].expects
        if not expects or case.text.endswith(f":{FITTING[case.loss]}"):
            raise
        pytest.skip(f"the output is not what {case.loss} reads: {expects}")
    return generate(network).text


def module_of(text):
    module = types.ModuleType("emitted")
    exec(compile(text, "emitted.py", "exec"), module.__dict__)
    return module


def points(case):
    """Return a general point for every form of target, where the loss reads such outputs."""
    subject = Subject(module_of(emitted(case)))
    params = subject.parameters(0)
    sample = subject.sample(params, 0, 3)
    output, _ = subject.forward(params, sample.x)
    if case.loss in ON_PROBABILITIES and not np.all((output > 0) & (output <= 1)):
        pytest.skip("the outputs are no probabilities")
    ignored = dict(case.options).get("ignore_index")
    if case.loss == "cosine_similarity" and not output.any(axis=1).all():
        pytest.skip("an output has no direction")

    def marked(y):
        """Let the second sample be the only one that is ignored."""
        if ignored is None or y.ndim > 1:
            return y
        return np.where(np.arange(len(y)) == 1, ignored, np.maximum(y, 1))

    return [Point(params, sample.x, marked(y), sample.cotangent) for y in sample.targets]


@every_case
def test_differences_agree(case):
    module = module_of(emitted(case))
    points(case)
    errors = module.gradient_check()
    assert all(error <= 1e-8 for error in errors.values()), errors
    report = examine(module)
    assert report.passed, report.as_json()


@pytest.mark.parametrize("case", [*NARROW, *GRID], ids=str)
def test_fifty_digits_agree(case):
    for point in points(case):
        for path, errors in errors_on_fifty_digits(emitted(case), point).items():
            if path == "value" and (case.l1 or case.l2):
                continue  # the training path adds the penalties
            assert all(error < EXACT for error in errors.values()), (path, errors)


@every_case
def test_pytorch_agrees(case):
    if case.loss == "focal":
        pytest.skip("PyTorch has no focal loss")
    layers = [unit.partition(":")[2] or "identity" for unit in case.text.split("-")[1:]]

    def penalty(weights):
        return case.l1 * weights.abs().sum() + case.l2 / 2 * (weights**2).sum()

    for point in points(case):
        value, gradients = torch_gradients(
            layers,
            case.loss,
            point,
            options=dict(case.options),
            reduction=case.reduction,
            penalty=penalty,
        )
        module = module_of(emitted(case))
        for workspace in (None, module.Workspace(5)):
            ours, grads = module.loss_and_gradients(
                point.params, point.x, point.y, workspace=workspace, input_gradient=True
            )
            assert ours == pytest.approx(value, rel=1e-11, abs=1e-13)
            for name, expected in gradients.items():
                scale = np.abs(expected).max(initial=0)
                atol = 1e-10 * scale + 1e-14
                np.testing.assert_allclose(grads[name], expected, rtol=0, atol=atol, err_msg=name)


def test_every_entry_is_in_the_sample():
    hidden = {case.text.split("-")[1].partition(":")[2] for case in SAMPLE}
    last = {case.text.split("-")[-1].partition(":")[2] for case in SAMPLE}
    assert set(CATALOG.activations) <= hidden
    assert set(CATALOG.activations) <= last
    assert set(CATALOG.losses) == {case.loss for case in SAMPLE}


def test_formatted_and_linted_clean(tmp_path):
    ruff = shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    for k, case in enumerate(SAMPLE):
        tmp_path.joinpath(f"module_{k}.py").write_text(emitted(case), encoding="utf-8")
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [ruff, *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]
