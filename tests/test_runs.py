"""Equal layers as a loop: the same results as layer by layer, and no more lines for more layers."""

import re
import subprocess
import sys
import types
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from symbackprop.api import build, load
from symbackprop.checking.gradients import examine
from symbackprop.emit import generate
from symbackprop.lowering.runs import equal_units

NEVER = 10**9
RUFF = Path(sys.executable).with_name("ruff")
PENALIZED = (
    """
spec = 1
[network]
input = [5]
loss = "mean_squared_error"
l2 = 0.01
"""
    + '[[layer]]\ntype = "dense"\nunits = 5\nactivation = "relu"\n' * 7
)
NETWORKS = {
    "relu, narrow": ("8-8x6:relu-1:sigmoid", "binary_cross_entropy", "sgd"),
    "relu, wide": ("2-40x12:relu-3:softmax", "cross_entropy", "sgd"),
    "tanh, narrow": ("2-6x12:tanh-3:softmax", "cross_entropy", "adam"),
    "tanh, wide": ("3-33x40:tanh-2", "huber", "sgd"),
    "no activation": ("5-5x7-2", "mean_squared_error", "sgd"),
    "softmax": ("3-3x7:softmax", "cross_entropy", "sgd"),
    "a parameter of its own": ("40-40x7:prelu-2", "huber", "momentum"),
    "with gaps between blocks": ("6-6x7:prelu-2", "huber", "sgd"),
    "long formulas": ("4-4x6:gelu-4x5:mish-2:tanh-4x4:silu", "huber", "adam"),
    "neighbours": ("4-4x6:relu-4x6:tanh-4x6:relu-1", "mean_squared_error", "sgd"),
    "the last layers": ("4-4x6:relu", "mean_squared_error", "sgd"),
    "penalties": (PENALIZED, None, "adam"),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def module_of(text):
    module = types.ModuleType("emitted")
    exec(compile(text, "emitted.py", "exec"), module.__dict__)
    return module


@cache
def network_of(name, folder=None):
    source, loss, _ = NETWORKS[name]
    if source.lstrip().startswith("spec"):
        file = folder / "network.toml"
        file.write_text(source)
        return build(file)
    return build(source, loss=loss)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Return a function: the module of a network, with loops and without."""
    folder = tmp_path_factory.mktemp("networks")

    @cache
    def emitted(name):
        network, optimizer = network_of(name, folder), NETWORKS[name][2]
        return tuple(generate(network, optimizer, shortest_run=k).text for k in (4, NEVER))

    return emitted


def assert_same(found, wanted):
    assert set(found) == set(wanted)
    for name in wanted:
        scale = np.abs(wanted[name]).max()
        assert np.abs(found[name] - wanted[name]).max() <= 1e-12 * scale, name


@every_network
def test_loops_compute_what_layers_one_by_one_do(name, texts):
    loops, plain = map(module_of, texts(name))
    params = plain.initialize(3)
    assert_same(loops.initialize(3), params)
    kept = [loops.Workspace(7), plain.Workspace(7)]
    for samples in (3, 7, 1):
        rng = np.random.default_rng(samples)
        x = rng.standard_normal((samples, plain.PARAMETER_SHAPES["W1"][0]))
        (output, cached), (wanted, plainly) = loops.forward(params, x), plain.forward(params, x)
        assert_same({"output": output, **cached}, {"output": wanted, **plainly})
        cotangent = rng.standard_normal(wanted.shape)
        grads = plain.backward(params, plainly, cotangent)
        assert_same(loops.backward(params, cached, cotangent), grads)
        for y in plain._example_targets(rng, wanted):
            for workspaces in (kept, [None, None]):
                results = []
                for module, workspace in zip((loops, plain), workspaces, strict=True):
                    cost, found = module.loss_and_gradients(
                        params, x, y, workspace=workspace, input_gradient=True
                    )
                    results.append({"loss": np.array(cost), **found})
                assert_same(*results)


@every_network
def test_every_path_has_loops(name, texts):
    text = texts(name)[0]
    for function in ("forward", "backward"):
        assert re.search(rf"def {function}\(.*?for k in range", text, re.DOTALL)
        assert re.search(rf"in work\.{function}_\d+_to_\d+:", text)


@every_network
def test_the_formatter_and_the_linter_have_nothing_to_say(name, texts, tmp_path):
    file = tmp_path / "module.py"
    file.write_text(texts(name)[0])
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [RUFF, *command, "--isolated", "--no-cache", file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("source", ["8-8x{}:relu-1:sigmoid", "2-40x{}:tanh-1:sigmoid"])
def test_length_does_not_grow_with_the_number_of_layers(source):
    few, many = (
        generate(build(source.format(n), loss="binary_cross_entropy")).text for n in (12, 40)
    )
    assert few.count("\n") == many.count("\n")


def test_three_equal_units_are_written_one_by_one():
    network = build("4-4x3:relu-1", loss="mean_squared_error")
    assert generate(network).text == generate(network, shortest_run=NEVER).text


def test_named_layers_stand_alone(tmp_path):
    layer = '[[layer]]\ntype = "dense"\nname = "{}"\nunits = 4\n'
    file = tmp_path / "named.toml"
    layers = "".join(layer.format(name) for name in ("p", "q", "r", "s", "t"))
    file.write_text(f"spec = 1\n[network]\ninput = [4]\nloss = 'mean_squared_error'\n{layers}")
    assert equal_units(build(load(file))).runs == ()


def test_a_loop_computes_the_variables_of_all_its_layers():
    emitted = generate(build("4-4x6:relu-1", loss="mean_squared_error"))
    lines = emitted.text.splitlines()
    found = {(place.variable, place.function): place for place in emitted.source_map}
    place = found["a2 to a6", "forward"]
    assert "np.maximum(z, 0)" in lines[place.last - 1]
    assert ("dW2 to dW5", "backward") in found


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("for k in range(2, 7):\n", "for k in range(3, 7):\n"),
        ('params[f"W{k + 1}"]', 'params[f"W{k}"]'),
        ('cache[f"a{k - 1}"]', 'cache[f"a{k}"]'),
        ("a_and_1[k - 1], dz_T[k]", "a_and_1[k], dz_T[k]"),
        ("W[k + 1], dz[k + 1]", "W[k + 1], dz[k]"),
        ("72 * k - 72 : 72 * k]", "72 * k : 72 * k + 72]"),
    ],
)
def test_a_wrong_offset_is_caught(right, wrong, texts):
    text = texts("relu, narrow")[0]
    assert right in text
    broken = module_of(text.replace(right, wrong))
    try:
        report = examine(broken)
    except Exception:
        return  # an array that does not fit
    assert not report.passed
