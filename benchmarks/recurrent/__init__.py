"""LSTM: a long short-term memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from workload import (
    Array,
    Contender,
    Gradients,
    Parameters,
    Workload,
    descent,
    flat_copy,
    flat_views,
    trained,
)

from recurrent.handwritten import LongShortTermMemory
from recurrent.tutorial import LSTM


@dataclass(frozen=True)
class Recurrent(Workload):
    """Sequences of 32 steps and 64 features, 128 units; mean squared error at every step.

    Attributes:
        steps: of a sequence.
        inputs: features at each.
        hidden: units.
    """

    steps: int = 32
    inputs: int = 64
    hidden: int = 128

    @property
    def description(self) -> str:
        return f"""spec = 1

[network]
name = "lstm"
input = [{self.steps}, {self.inputs}]
loss = "mean_squared_error"

[[layer]]
type = "lstm"
hidden = {self.hidden}
"""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        gates = 4 * self.hidden
        return {"Wx1": (self.inputs, gates), "Wh1": (self.hidden, gates), "b1": (gates,)}

    def fan_in(self, name: str) -> int:
        return self.inputs + self.hidden

    def data(self, dtype: DTypeLike, seed: int = 0) -> tuple[Array, Array]:
        """Return x of shape (batch, steps, inputs) and y of shape (batch, steps, hidden)."""
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((self.batch, self.steps, self.inputs))
        y = rng.standard_normal((self.batch, self.steps, self.hidden))
        return x.astype(dtype), y.astype(dtype)

    def handwritten(self, params: Parameters, x: Array, y: Array) -> Contender:
        flat, values = flat_copy(params)
        gradient = np.empty_like(flat)
        layer = LongShortTermMemory(values, flat_views(gradient, params), x.shape)
        assert self.rate is not None
        return trained(lambda: layer.loss_and_gradients(x, y), descent(flat, gradient, self.rate))

    def tutorial(self, params: Parameters, x: Array, y: Array) -> Contender:
        layer = LSTM(params)

        def evaluate() -> tuple[float, Gradients]:
            difference = layer.forward(x) - y
            layer.backward(2 * difference / difference.size)
            grads = {"Wx1": layer.dWx, "Wh1": layer.dWh, "b1": layer.db}
            return float(np.mean(difference**2)), grads

        return trained(evaluate, lambda: layer.update(self.rate))

    def torch_loss(self, params: Any, x: Any, y: Any) -> Any:
        import torch
        from torch.nn import functional

        start = torch.zeros(1, len(x), self.hidden, dtype=x.dtype)
        other = torch.zeros_like(params["b1"])  # PyTorch has two biases, which add up
        weights = [params["Wx1"].T, params["Wh1"].T, params["b1"], other]
        output, *_ = torch.lstm(x, (start, start), weights, True, 1, 0.0, True, False, True)
        return functional.mse_loss(output, y)

    def jax_loss(self, params: Any, x: Any, y: Any) -> Any:
        import jax
        from jax import numpy as jnp

        def step(state: Any, projected: Any) -> tuple[Any, Any]:
            h, c = state
            i, f, g, o = jnp.split(projected + h @ params["Wh1"], 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        projected = (x @ params["Wx1"] + params["b1"]).transpose(1, 0, 2)
        start = jnp.zeros((len(x), self.hidden), x.dtype)
        _, output = jax.lax.scan(step, (start, start), projected)
        return jnp.mean((output.transpose(1, 0, 2) - y) ** 2)

    def autograd_loss(self, params: Any, x: Any, y: Any) -> Any:
        from autograd import numpy as anp

        h = c = np.zeros((len(x), self.hidden), x.dtype)
        output = []
        for t in range(self.steps):
            s = anp.dot(x[:, t], params["Wx1"]) + anp.dot(h, params["Wh1"]) + params["b1"]
            i, f, g, o = anp.split(s, 4, axis=1)
            c = c / (1 + anp.exp(-f)) + anp.tanh(g) / (1 + anp.exp(-i))
            h = anp.tanh(c) / (1 + anp.exp(-o))
            output.append(h)
        return anp.mean((anp.stack(output, axis=1) - y) ** 2)
