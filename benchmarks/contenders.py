"""Everything that is timed, behind one interface: one training step, and the gradients it takes.

Each builder imports its library itself, so a library that is not installed is only reported.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from workloads import Array, Workload

Gradients = dict[str, Array]


class Contender(NamedTuple):
    """`step` trains once and returns the loss; `evaluate` gives loss and gradients, no update."""

    step: Callable[[], float]
    evaluate: Callable[[], tuple[float, Gradients]]


Builder = Callable[[Workload, dict[str, Array], Array, Array], Contender]


def handwritten(workload: Workload, params: dict[str, Array], x: Array, y: Array) -> Contender:
    from handwritten import build

    _, loss_and_gradients, update = build(workload, params)

    def step() -> float:
        loss, _ = loss_and_gradients(x, y)
        update()
        return loss

    return Contender(step, lambda: loss_and_gradients(x, y))


def tutorial(workload: Workload, params: dict[str, Array], x: Array, y: Array) -> Contender:
    from tutorial import Perceptron

    model = Perceptron(workload, params)

    def step() -> float:
        loss = model.loss_and_gradients(x, y)
        model.update()
        return loss

    return Contender(step, lambda: (model.loss_and_gradients(x, y), model.gradients()))


def autograd(workload: Workload, params: dict[str, Array], x: Array, y: Array) -> Contender:
    import autograd.numpy as anp
    from autograd import value_and_grad

    values = {name: value.copy() for name, value in params.items()}
    differentiate = value_and_grad(_functional_loss(workload, anp))

    def evaluate() -> tuple[float, Gradients]:
        loss, grads = differentiate(values, x, y)
        return float(loss), grads

    def step() -> float:
        loss, grads = evaluate()
        for name in values:
            values[name] -= workload.rate * grads[name]
        return loss

    return Contender(step, evaluate)


def _functional_loss(workload: Workload, xp: Any) -> Callable[[Any, Any, Any], Any]:
    """The mean loss as one writes it for automatic differentiation, with NumPy's names."""
    last = len(workload.sizes) - 1

    def loss(params: Any, x: Any, y: Any) -> Any:
        for layer in workload.layers:
            x = xp.dot(x, params[f"W{layer}"]) + params[f"b{layer}"]
            x = xp.maximum(x, 0) if layer < last else x
        if workload.head == "sigmoid":
            return xp.mean(xp.maximum(x, 0) - x * y + xp.log1p(xp.exp(-xp.abs(x))))
        shifted = x - xp.max(x, axis=1, keepdims=True)
        target = shifted[xp.arange(len(y)), y]
        return xp.mean(xp.log(xp.sum(xp.exp(shifted), axis=1)) - target)

    return loss


def pytorch(workload: Workload, params: dict[str, Array], x: Array, y: Array) -> Contender:
    import torch
    from torch.nn import functional

    torch.set_num_threads(_threads())
    modules: list[Any] = []
    for layer in workload.layers:
        weight = torch.from_numpy(params[f"W{layer}"].copy())
        linear = torch.nn.Linear(*weight.shape, dtype=weight.dtype)
        with torch.no_grad():
            linear.weight.copy_(weight.T)
            linear.bias.copy_(torch.from_numpy(params[f"b{layer}"]))
        modules += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=workload.rate)
    criterion = {
        "sigmoid": functional.binary_cross_entropy_with_logits,
        "softmax": functional.cross_entropy,
    }[workload.head]
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def backward() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(inputs), targets)
        loss.backward()
        return loss.item()

    def step() -> float:
        loss = backward()
        optimizer.step()
        return loss

    def evaluate() -> tuple[float, Gradients]:
        loss, grads = backward(), {}
        for layer, linear in zip(workload.layers, model[::2], strict=True):
            grads[f"W{layer}"] = linear.weight.grad.numpy().T.copy()
            grads[f"b{layer}"] = linear.bias.grad.numpy().copy()
        return loss, grads

    return Contender(step, evaluate)


def jax(workload: Workload, params: dict[str, Array], x: Array, y: Array) -> Contender:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", x.dtype == np.float64)
    values = {name: jnp.array(value) for name, value in params.items()}
    inputs, targets = jnp.array(x), jnp.array(y)
    differentiate = jax.value_and_grad(_functional_loss(workload, jnp))

    def train(values: Any, inputs: Any, targets: Any) -> Any:
        loss, grads = differentiate(values, inputs, targets)
        return loss, {name: value - workload.rate * grads[name] for name, value in values.items()}

    compiled = jax.jit(train, donate_argnums=0)
    once = jax.jit(differentiate)

    def step() -> float:
        nonlocal values
        loss, values = compiled(values, inputs, targets)
        return float(loss)

    def evaluate() -> tuple[float, Gradients]:
        loss, grads = once(values, inputs, targets)
        return float(loss), {name: np.asarray(value) for name, value in grads.items()}

    return Contender(step, evaluate)


def generated(path: Path) -> Builder:
    """The contender for a module written by `symbackprop generate`."""
    module = _load(path)

    def build(workload: Workload, initial: dict[str, Array], x: Array, y: Array) -> Contender:
        params = module.initialize(dtype=x.dtype)
        for name, value in params.items():
            value[...] = initial[name]
        workspace = module.Workspace(len(x), dtype=x.dtype)
        loss_and_gradients, update = module.loss_and_gradients, module.update

        def step() -> float:
            loss, grads = loss_and_gradients(params, x, y, workspace=workspace)
            update(params, grads, workload.rate, workspace=workspace)
            return loss

        def evaluate() -> tuple[float, Gradients]:
            return loss_and_gradients(params, x, y, workspace=workspace)

        return Contender(step, evaluate)

    return build


def _load(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        sys.exit(f"{path}: not a Python module")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _threads() -> int:
    return int(os.environ["OMP_NUM_THREADS"])


BUILDERS: dict[str, Builder] = {
    "handwritten": handwritten,
    "tutorial": tutorial,
    "autograd": autograd,
    "pytorch": pytorch,
    "jax": jax,
}
