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
from typing import Any

import numpy as np
from workload import Array, Contender, Gradients, Parameters, Workload

Builder = Callable[[Workload, Parameters, Array, Array], Contender]


def handwritten(workload: Workload, params: Parameters, x: Array, y: Array) -> Contender:
    return workload.handwritten(params, x, y)


def tutorial(workload: Workload, params: Parameters, x: Array, y: Array) -> Contender:
    return workload.tutorial(params, x, y)


def autograd(workload: Workload, params: Parameters, x: Array, y: Array) -> Contender:
    from autograd import value_and_grad

    values = {name: value.copy() for name, value in params.items()}
    differentiate = value_and_grad(workload.autograd_loss)

    def evaluate() -> tuple[float, Gradients]:
        loss, grads = differentiate(values, x, y)
        return float(loss), grads

    def step() -> float:
        loss, grads = evaluate()
        for name in values:
            values[name] -= workload.rate * grads[name]
        return loss

    evaluate()
    return Contender(step, evaluate)


def pytorch(workload: Workload, params: Parameters, x: Array, y: Array) -> Contender:
    import torch

    torch.set_num_threads(_threads())
    alone = workload.rate is None
    values = {name: torch.from_numpy(value.copy()) for name, value in params.items()}
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    differentiated = values | ({"x": inputs} if alone else {})
    for value in differentiated.values():
        value.requires_grad_()
    optimizer = torch.optim.SGD(differentiated.values(), lr=workload.rate or 0)

    def backward() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = workload.torch_loss(values, inputs, targets)
        loss.backward()
        return loss.item()

    def step() -> float:
        loss = backward()
        if not alone:
            optimizer.step()
        return loss

    def evaluate() -> tuple[float, Gradients]:
        loss = backward()
        return loss, {name: value.grad.numpy().copy() for name, value in differentiated.items()}

    return Contender(step, evaluate)


def jax(workload: Workload, params: Parameters, x: Array, y: Array) -> Contender:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", x.dtype == np.float64)
    rate = workload.rate
    values = {name: jnp.array(value) for name, value in params.items()}
    inputs, targets = jnp.array(x), jnp.array(y)
    over = (0, 1) if rate is None else 0
    once = jax.jit(jax.value_and_grad(workload.jax_loss, over))

    def train(values: Any, inputs: Any, targets: Any) -> Any:
        loss, grads = once(values, inputs, targets)
        return loss, {name: value - rate * grads[name] for name, value in values.items()}

    compiled = jax.jit(train, donate_argnums=0)

    def step() -> float:
        nonlocal values
        if rate is None:
            loss, grads = once(values, inputs, targets)
            jax.block_until_ready(grads)
        else:
            loss, values = compiled(values, inputs, targets)
        return float(loss)

    def evaluate() -> tuple[float, Gradients]:
        loss, found = once(values, inputs, targets)
        grads = found[0] | {"x": found[1]} if rate is None else found
        return float(loss), {name: np.asarray(value) for name, value in grads.items()}

    return Contender(step, evaluate)


def generated(path: Path) -> Builder:
    """The contender for a module written by `symbackprop generate`."""
    module = _load(path)

    def build(workload: Workload, initial: Parameters, x: Array, y: Array) -> Contender:
        params = module.initialize(dtype=x.dtype)
        for name, value in params.items():
            value[...] = initial[name]
        if workload.rate is None:
            return _alone(module, params, x, y)
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


def _alone(module: ModuleType, params: Parameters, x: Array, y: Array) -> Contender:
    """The layer's own forward and backward."""

    def evaluate() -> tuple[float, Gradients]:
        output, cache = module.forward(params, x)
        return float(np.vdot(output, y)), module.backward(params, cache, y)

    return Contender(lambda: evaluate()[0], evaluate)


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
