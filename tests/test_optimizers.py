"""Emitted updates follow PyTorch's optimizers step by step, on flat buffers and on any arrays."""

import types
from functools import cache

import numpy as np
import pytest
from oracles import torch_or_skip

from symbackprop.api import build
from symbackprop.catalog import CATALOG
from symbackprop.emit import generate

STEPS, ETA = 5, 0.05


@cache
def emitted(optimizer, loss="binary_cross_entropy"):
    return generate(build("3-4:tanh-2:sigmoid", loss=loss), optimizer).text


def module_of(optimizer, loss="binary_cross_entropy"):
    module = types.ModuleType("emitted")
    exec(compile(emitted(optimizer, loss), "emitted.py", "exec"), module.__dict__)
    return module


def torch_optimizer(name, parameters):
    torch = torch_or_skip()
    beta = CATALOG.optimizers["momentum"].constants
    return {
        "sgd": lambda: torch.optim.SGD(parameters, lr=ETA),
        "momentum": lambda: torch.optim.SGD(parameters, lr=ETA, momentum=next(iter(beta.values()))),
        "adam": lambda: torch.optim.Adam(parameters, lr=ETA),
    }[name]()


def torch_trajectory(name, params, x, y):
    """Return the parameters after each step."""
    torch = torch_or_skip()
    leaves = {key: torch.tensor(value, requires_grad=True) for key, value in params.items()}
    optimizer = torch_optimizer(name, list(leaves.values()))
    found = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        hidden = torch.tanh(torch.tensor(x) @ leaves["W1"] + leaves["b1"])
        output = torch.sigmoid(hidden @ leaves["W2"] + leaves["b2"])
        torch.nn.functional.binary_cross_entropy(output, torch.tensor(y)).backward()
        optimizer.step()
        found.append({key: leaf.detach().numpy().copy() for key, leaf in leaves.items()})
    return found


def trajectory(module, params, x, y, space, *, extra=False):
    """Return the parameters after each step of the module's own training."""
    memory = {"moments": module.initial_moments()} if hasattr(module, "initial_moments") else {}
    found = []
    for _ in range(STEPS):
        _, grads = module.loss_and_gradients(params, x, y, workspace=space, input_gradient=extra)
        module.update(params, grads, ETA, workspace=space, **memory)
        found.append({key: value.copy() for key, value in params.items()})
    return found


def example(module):
    rng = np.random.default_rng(0)
    params = module.initialize(1, scale=0.6)
    return params, rng.standard_normal((6, 3)), rng.uniform(size=(6, 2))


every_optimizer = pytest.mark.parametrize("name", CATALOG.optimizers)


@every_optimizer
@pytest.mark.parametrize("arrays", ["views", "apart"])
@pytest.mark.parametrize("workspace", [True, False])
def test_steps_are_pytorchs(name, arrays, workspace):
    module = module_of(name)
    params, x, y = example(module)
    expected = torch_trajectory(name, params, x, y)
    if arrays == "apart":
        params = {key: value.copy() for key, value in params.items()}
    space = module.Workspace(8) if workspace else None
    for ours, theirs in zip(trajectory(module, params, x, y, space), expected, strict=True):
        for key, value in theirs.items():
            np.testing.assert_allclose(ours[key], value, rtol=1e-11, atol=1e-13)


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_way_is_the_same(name, dtype):
    """Views, any arrays, with and without a workspace, dx among the gradients."""
    module = module_of(name)
    params, x, y = example(module)
    ways = []
    for apart in (False, True):
        for space in (None, module.Workspace(6, dtype)):
            for extra in (False, True):
                mine = module.initialize(dtype=dtype)
                for key, value in params.items():
                    mine[key][...] = value
                mine = {k: v.copy() for k, v in mine.items()} if apart else mine
                ways.append(trajectory(module, mine, x, y, space, extra=extra)[-1])
                assert all(value.dtype == dtype for value in mine.values())
    for way in ways[1:]:
        for key, value in ways[0].items():
            scale = np.finfo(dtype).eps * np.abs(value).max()
            np.testing.assert_allclose(way[key], value, rtol=0, atol=64 * scale)


@every_optimizer
def test_keys_that_are_no_parameter_are_ignored(name):
    module = module_of(name)
    memory = {"moments": module.initial_moments()} if hasattr(module, "initial_moments") else {}
    params, _, _ = example(module)
    before = {key: value.copy() for key, value in params.items()}
    grads = {"x": np.ones((6, 3)), "other": None, "b1": np.ones(4)}
    module.update(params, grads, ETA, **memory)
    assert all(np.array_equal(params[k], before[k]) for k in params if k != "b1")
    assert (params["b1"] < before["b1"]).all()


@every_optimizer
def test_gradients_are_not_changed(name):
    module = module_of(name)
    memory = {"moments": module.initial_moments()} if hasattr(module, "initial_moments") else {}
    params, x, y = example(module)
    for space in (None, module.Workspace(6)):
        _, grads = module.loss_and_gradients(params, x, y, workspace=space)
        before = {key: value.copy() for key, value in grads.items()}
        module.update(params, grads, ETA, workspace=space, **memory)
        assert all(np.array_equal(grads[key], before[key]) for key in before)


@every_optimizer
def test_a_workspace_of_other_gradients_is_not_used(name):
    """Gradients or parameters that the workspace does not hold are taken as they are."""
    module = module_of(name)
    memory = {"moments": module.initial_moments()} if hasattr(module, "initial_moments") else {}
    params, x, y = example(module)
    space = module.Workspace(6)
    module.loss_and_gradients(params, x, y, workspace=space)
    still = {key: np.zeros_like(value) for key, value in params.items()}
    before = {key: value.copy() for key, value in params.items()}
    module.update(params, still, ETA, workspace=space, **memory)
    assert all(np.array_equal(params[key], before[key]) for key in params)
    others, kept = module.initialize(5), module.initialize(5)
    _, grads = module.loss_and_gradients(params, x, y, workspace=space)
    module.update(others, grads, ETA, workspace=space, **memory)
    assert all(np.array_equal(params[key], before[key]) for key in params)
    assert not np.array_equal(others["W1"], kept["W1"])
