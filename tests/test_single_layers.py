"""Every layer of the catalogue alone: ∂E/∂Y in, ∂E/∂X and ∂E/∂W out, and nothing else."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import chain
import numpy as np
import pytest
from layer_cases import TOLERANCE, looks_up, module_of

from symbackprop import calculus
from symbackprop.architecture import Architecture, InputUse, LayerUse
from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.emit import generate
from symbackprop.notation import load
from symbackprop.numeric import check_module
from symbackprop.reference import accumulate, evaluate, forward_equations

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
each_layer = pytest.mark.parametrize("name", CATALOG.layers)


def alone(name):
    """The network of this layer alone, without a loss, as its definition's example uses it."""
    entry = CATALOG.layers[name]
    example = entry.example
    shapes = example.shapes if example else [(4,)] * len(entry.inputs)
    fields = dict(example.fields) if example else dict.fromkeys(entry.sizes, 3)
    names = ("x",) if len(shapes) == 1 else tuple(f"x{k}" for k in range(1, len(shapes) + 1))
    pairs = zip(names, shapes, strict=True)
    inputs = tuple(InputUse(*pair, integer=looks_up(name)) for pair in pairs)
    use = LayerUse(name, f"layer 1 ({name})", fields=fields, sources=names)
    return build_network(Architecture(name, (), (use,), inputs=inputs, text=name))


@each_layer
def test_a_layer_alone_is_a_module(name):
    text = generate(alone(name)).text
    assert "def loss" not in text
    errors = module_of(text).gradient_check()
    assert errors
    assert max(errors.values()) <= 1e-6


@each_layer
def test_a_layer_alone_has_no_function_that_nothing_calls(name):
    text = generate(alone(name)).text
    assert not uncalled(text)
    assert uncalled(f"{text}\n\ndef _more():\n    pass\n") == {"_more"}


def uncalled(text):
    tree = ast.parse(text)
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return defined - named - {"initial_state", "update"}


def test_the_formatter_changes_nothing(tmp_path):
    ruff = shutil.which("ruff", path=f"{sys.prefix}/bin") or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    for name in CATALOG.layers:
        (tmp_path / f"{name}.py").write_text(generate(alone(name)).text, encoding="utf-8")
    for name in ("lenet", "decoder"):
        network = build_network(load(str(EXAMPLES / f"{name}.toml")))
        (tmp_path / f"{name}.py").write_text(generate(network, "adam").text, encoding="utf-8")
    for command in (["format", "--diff"], ["check"]):
        done = subprocess.run(
            [ruff, *command, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("name", [n for n in CATALOG.layers if not alone(n).parameters])
def test_without_parameters_the_input_says_the_dtype(name):
    module, rng = module_of(generate(alone(name)).text), np.random.default_rng(0)
    state = module.initial_state(np.float32) if hasattr(module, "initial_state") else {}
    held = {"state": state, "training": True, "rng": np.random.default_rng(0)}
    for dtype in (np.float32, np.float64):
        inputs = {
            v.owner: rng.standard_normal((2, *(a.extent for a in v.axes[1:]))).astype(dtype)
            for v in alone(name).inputs
        }
        x = inputs if len(inputs) > 1 else inputs[""]
        output, cache = module.forward({}, x, **held)
        gradients = module.backward({}, cache, np.ones(output.shape))["x"]
        gradients = gradients if isinstance(gradients, dict) else {"": gradients}
        assert {output.dtype, *(g.dtype for g in gradients.values())} == {np.dtype(dtype)}


@each_layer
def test_a_layer_alone_gives_the_gradients_of_its_equations(name):
    network = alone(name)
    module, rng = module_of(generate(network).text), np.random.default_rng(0)
    params = module.initialize(0)
    draws = {v.name: [axis.extent for axis in v.axes[1:]] for v in network.draws}
    state = module.initial_state() if network.state else {}
    x = {v.owner: drawn(v, params, rng) for v in network.inputs}
    arrays = {v.name: x[v.owner] for v in network.inputs}
    given = {name: np.random.default_rng(0).random((2, *shape)) for name, shape in draws.items()}
    x = x[""] if len(x) == 1 else x
    held = {"state": state, "training": True, "rng": np.random.default_rng(0)}
    known = {**params, **arrays, **given, **{k: v.copy() for k, v in state.items()}}
    output, cache = module.forward(params, x, **held)
    cotangent = rng.standard_normal(output.shape)
    found = module.backward(params, cache, cotangent)
    run = evaluate(forward_equations(network), known, {"N": 2})
    derivation = calculus.derive_layers(network)
    run |= evaluate(derivation.equations, {**known, **run}, {"N": 2})
    seeds = {network.output.name: cotangent}
    adjoints = accumulate(derivation.adjoints, run, seeds, {"N": 2})
    several = len(network.inputs) > 1
    wanted = {v.name: found["x"][v.owner] if several else found["x"] for v in network.real_inputs}
    wanted |= {k: v for k, v in found.items() if k in params}
    assert set(wanted) == {v.name for v in network.real_inputs} | set(params)
    for variable, gradient in wanted.items():
        expected = adjoints[variable].astype(np.float64)
        assert np.abs(gradient - expected).max() <= TOLERANCE * max(np.abs(expected).max(), 1e-2)


def drawn(variable, params, rng):
    shape = (2, *(axis.extent for axis in variable.axes[1:]))
    rows = min((len(table) for table in params.values()), default=0)
    return rng.integers(0, rows, shape) if variable.integer else rng.standard_normal(shape)


def test_layers_generated_apart_are_chained(capsys):
    chain.main()
    shown = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert shown == [
        ["∂E/∂W1", "(4, 1, 3, 3)"],
        ["∂E/∂b1", "(4,)"],
        ["∂E/∂x", "(32, 1, 8, 8)"],
    ]


def test_results_are_not_the_callers_arrays():
    module = module_of(generate(alone("slice")).text)
    x, cotangent = np.ones((2, 5, 4)), np.ones((2, 5, 4))
    output, cache = module.forward({}, x)
    gradient = module.backward({}, cache, cotangent)["x"]
    assert output.dtype == gradient.dtype == np.float64
    assert not np.shares_memory(output, x)
    assert not np.shares_memory(gradient, cotangent)


@pytest.mark.parametrize("name", ["flatten", "multi_head_attention", "dropout"])
def test_the_command_checks_a_layer_alone(name, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(generate(alone(name)).text, encoding="utf-8")
    assert check_module(path).passed
