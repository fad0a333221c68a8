"""Turns of a block as a loop: the same results as turn by turn, no more lines for more turns."""

import re
import subprocess
import sys
import textwrap
import types
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.emit import generate
from symbackprop.lowering.runs import Unit, equal_units
from symbackprop.notation.toml import read_toml
from symbackprop.numeric import check_module

NEVER = 10**9
RUFF = Path(sys.executable).with_name("ruff")
HEAD = 'spec = 1\n[network]\nname = "turns"\nloss = "mean_squared_error"\n'
NETWORKS = {
    "encoder": """
        input = [3, 4]
        [[layer]]
        type = "dense"
        units = 4
        [[block]]
        name = "encoder"
        repeat = {}
        layer = [
            {{ type = "layer_norm" }},
            {{ type = "dense", units = 4 }},
            {{ type = "scaled_dot_product_attention" }},
            {{ type = "dense", name = "mixed", units = 4 }},
            {{ type = "add", name = "attended", from = ["block", "mixed"] }},
            {{ type = "layer_norm" }},
            {{ type = "dense", units = 5, activation = "gelu" }},
            {{ type = "dense", name = "mlp", units = 4 }},
            {{ type = "add", from = ["attended", "mlp"] }},
        ]
        [[layer]]
        type = "layer_norm"
        name = "head"
        """,
    "normalised and thinned": """
        input = [4]
        [[layer]]
        type = "dense"
        name = "stem"
        units = 5
        [[block]]
        name = "res"
        repeat = {}
        layer = [
            {{ type = "dense", units = 5 }},
            {{ type = "batch_norm", activation = "softplus" }},
            {{ type = "dropout", p = 0.2, name = "thinned" }},
            {{ type = "add", from = ["block", "thinned"] }},
        ]
        [[layer]]
        type = "dense"
        name = "head"
        units = 2
        """,
    "stages": """
        input = [2, 4, 4]
        [[layer]]
        type = "conv2d"
        channels = 3
        kernel_size = 3
        padding = "same"
        [[block]]
        name = "wide"
        repeat = {0}
        layer = [
            {{ type = "conv2d", channels = 2, kernel_size = 1, bias = false }},
            {{ type = "batch_norm", activation = "tanh" }},
            {{ type = "conv2d", name = "c", channels = 3, kernel_size = 3, padding = 1 }},
            {{ type = "add", from = ["block", "c"], activation = "softplus" }},
        ]
        [[block]]
        name = "enter"
        layer = [
            {{ type = "conv2d", name = "left", channels = 4, kernel_size = 1, stride = 2 }},
            {{ type = "avg_pool2d", name = "pooled", kernel_size = 2, from = "block" }},
            {{ type = "conv2d", name = "r", channels = 4, kernel_size = 1 }},
            {{ type = "add", from = ["left", "r"] }},
        ]
        [[block]]
        name = "deep"
        repeat = {0}
        layer = [
            {{ type = "conv2d", name = "c", channels = 4, kernel_size = 1, activation = "tanh" }},
            {{ type = "add", from = ["block", "c"] }},
        ]
        [[layer]]
        type = "global_avg_pool"
        name = "head"
        """,
    "on the input": """
        input = [4]
        [[block]]
        name = "row"
        repeat = {}
        layer = [
            {{ type = "dense", units = 4, activation = "tanh" }},
            {{ type = "layer_norm" }},
        ]
        """,
}
every_network = pytest.mark.parametrize("name", NETWORKS)


@cache
def network(name, turns=3):
    text = HEAD + textwrap.dedent(NETWORKS[name].format(turns))
    return build_network(read_toml(text, "turns.toml", CATALOG))


@cache
def text(name, turns=3, shortest=4):
    return generate(network(name, turns), shortest_run=shortest).text


def module_of(source):
    module = types.ModuleType("emitted")
    exec(compile(source, "emitted.py", "exec"), module.__dict__)
    return module


def assert_same(found, wanted):
    assert set(found) == set(wanted)
    scale = max(np.abs(value).max() for value in wanted.values())
    for name in wanted:
        assert np.abs(found[name] - wanted[name]).max() <= 1e-12 * scale, name


def held(module, training):
    state = module.initial_state() if hasattr(module, "initial_state") else {}
    return {"state": state, "training": training, "rng": np.random.default_rng(5)}


@pytest.mark.parametrize("training", [True, False])
@every_network
def test_loops_compute_what_turn_by_turn_does(name, training):
    loops, plain = module_of(text(name)), module_of(text(name, shortest=NEVER))
    params, rng = plain.initialize(3), np.random.default_rng(1)
    assert_same(loops.initialize(3), params)
    x = rng.standard_normal((4, *(axis.extent for axis in network(name).input.axes[1:])))
    results = []
    for module in (loops, plain):
        kept = held(module, training)
        output, cache = module.forward(params, x, **kept)
        cotangent = np.cos(np.arange(output.size)).reshape(output.shape)
        grads = module.backward(params, cache, cotangent)
        cost, step = module.loss_and_gradients(
            params, x, cotangent, **held(module, training), input_gradient=True
        )
        steps = {f"step {key}": value for key, value in step.items()}
        arrays = {"output": output, "cost": np.array(cost), **grads, **steps, **kept["state"]}
        results.append({**arrays, **{key: cache[key] for key in plain_keys(module, cache)}})
    assert_same(*results)


def plain_keys(module, cache):
    """Return what the cache has of z and a, the named arrays."""
    return [key for key in cache if re.match(r"[az]_?\w*\d|x$", key)]


@pytest.mark.parametrize("name", ["encoder", "normalised and thinned", "stages"])
def test_every_path_has_loops(name):
    for function in ("forward", "backward"):
        assert re.search(rf"def {function}\(.*?for k in range\(\d, \d(, -1)?\)", text(name), re.S)
        assert re.search(rf"in (enumerate\()?work\.{function}_\w+_\d_to_\d", text(name))


@pytest.mark.parametrize("name", ["encoder", "normalised and thinned", "stages"])
def test_length_does_not_grow_with_the_number_of_turns(name):
    few, many = (text(name, turns).count("\n") for turns in (4, 12))
    assert abs(many - few) < few / 50  # longer numbers break a line here and there


@pytest.mark.parametrize("name", ["encoder", "normalised and thinned", "on the input"])
def test_the_formatter_and_the_linter_have_nothing_to_say(name, tmp_path):
    file = tmp_path / "module.py"
    file.write_text(text(name))
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [RUFF, *command, "--isolated", "--no-cache", file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["encoder", "normalised and thinned"])
def test_the_check_passes(name, tmp_path):
    file = tmp_path / "module.py"
    file.write_text(text(name))
    report = check_module(file, architecture=network(name))
    assert report.passed, report


def test_turns_of_other_sizes_stand_alone():
    source = NETWORKS["on the input"].format(5).replace("input = [4]", "input = [3]")
    net = build_network(read_toml(HEAD + textwrap.dedent(source), "turns.toml", CATALOG))
    (run,) = equal_units(net).runs
    assert (run.block, run.numbers) == ("row", range(2, 6))


def test_names_tell_block_turn_and_place():
    equal = equal_units(network("encoder"))
    assert equal.numbered("da_encoder_2_mlp_T") == ("da", Unit("encoder", 2), "_mlp_T")
    assert equal.numbered("a12_and_1") == ("a", Unit("", 12), "_and_1")
    assert equal.numbered("W_other_2_mlp") is None
    assert equal.unit(2) == Unit("encoder", 1)
    assert equal.unit(1) == Unit("", 1)


def described(name, turns):
    """Return the network of an example whose block has so many turns."""
    source = (Path(__file__).parent.parent / "examples" / f"{name}.toml").read_text()
    source = re.sub(r"repeat = \d+", f"repeat = {turns}", source)
    return build_network(read_toml(source, f"{name}.toml", CATALOG))


@pytest.mark.parametrize("turns", [10, pytest.param(48, marks=pytest.mark.grid)])
def test_the_encoder_of_the_examples_is_as_long_with_more_turns(turns):
    few, many = (generate(described("encoder", k)).text.count("\n") for k in (6, turns))
    assert many - few < few / 20


def test_what_several_turns_read_is_no_turns():
    """A mask of the network's input is made once, before loops that have all turns."""
    lines = generate(described("encoder", 4)).text.splitlines()
    loops = [line.strip() for line in lines if "# turns of encoder" in line]
    assert loops == [f"# turns of encoder, {first} to 4" for first in (1, 1, 2, 2)]
    made = [line.strip() for line in lines if "x_kept == 0" in line or "equal(x_kept" in line]
    assert len(made) == 3
