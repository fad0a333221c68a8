"""W5: one block of a transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from workload import Array, Contender, Parameters, Workload, trained

from transformer.handwritten import build
from transformer.tutorial import TutorialBlock

WIDTH, LENGTH, HIDDEN = 64, 32, 256


@dataclass(frozen=True)
class Block(Workload):
    """Layer norm, attention of one head, layer norm, two dense layers; both parts residual."""

    @property
    def description(self) -> str:
        return f"""spec = 1

[network]
name = "block"
input = [{LENGTH}, {WIDTH}]
loss = "mean_squared_error"

[[layer]]
type = "layer_norm"

[[layer]]
type = "multi_head_attention"
name = "heads"
heads = 1

[[layer]]
type = "add"
name = "attended"
from = ["input", "heads"]

[[layer]]
type = "layer_norm"

[[layer]]
type = "dense"
units = {HIDDEN}
activation = "gelu_tanh"

[[layer]]
type = "dense"
name = "fed"
units = {WIDTH}

[[layer]]
type = "add"
from = ["attended", "fed"]
"""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        projections = {f"W{k}_heads": (WIDTH, WIDTH) for k in "qkvo"}
        biases = {f"b{k}_heads": (WIDTH,) for k in "qkvo"}
        return {
            "gamma1": (WIDTH,),
            "beta1": (WIDTH,),
            **projections,
            **biases,
            "gamma4": (WIDTH,),
            "beta4": (WIDTH,),
            "W5": (WIDTH, HIDDEN),
            "b5": (HIDDEN,),
            "W_fed": (HIDDEN, WIDTH),
            "b_fed": (WIDTH,),
        }

    def fan_in(self, name: str) -> int:
        return self.shapes[name][0]

    def data(self, dtype: DTypeLike, seed: int = 0) -> tuple[Array, Array]:
        """Return x and the target, both of shape (batch, places, width)."""
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((2, self.batch, LENGTH, WIDTH)).astype(dtype)
        return x, y

    def handwritten(self, params: Parameters, x: Array, y: Array) -> Contender:
        loss_and_gradients, update = build(params, self.batch, LENGTH, self.rate)
        return trained(lambda: loss_and_gradients(x, y), update)

    def tutorial(self, params: Parameters, x: Array, y: Array) -> Contender:
        model = TutorialBlock(params, self.rate)
        return trained(lambda: model.loss_and_gradients(x, y), model.update)

    def torch_loss(self, params: Any, x: Any, y: Any) -> Any:
        from torch.nn import functional

        def linear(x: Any, name: str) -> Any:
            return functional.linear(x, params[f"W{name}"].T, params[f"b{name}"])

        h = functional.layer_norm(x, (WIDTH,), params["gamma1"], params["beta1"])
        q, k, v = (linear(h, f"{letter}_heads") for letter in "qkv")
        h = functional.scaled_dot_product_attention(q, k, v)
        x = x + linear(h, "o_heads")
        h = functional.layer_norm(x, (WIDTH,), params["gamma4"], params["beta4"])
        h = functional.gelu(linear(h, "5"), approximate="tanh")
        return functional.mse_loss(x + linear(h, "_fed"), y)

    def jax_loss(self, params: Any, x: Any, y: Any) -> Any:
        import jax

        return self._mean_loss(jax.numpy, params, x, y)

    def autograd_loss(self, params: Any, x: Any, y: Any) -> Any:
        import autograd.numpy

        return self._mean_loss(autograd.numpy, params, x, y)

    def _mean_loss(self, xp: Any, params: Any, x: Any, y: Any) -> Any:
        """The loss as one writes it for automatic differentiation, with NumPy's names."""

        def normalized(x: Any, layer: str) -> Any:
            u = x - xp.mean(x, axis=-1, keepdims=True)
            variance = xp.mean(u * u, axis=-1, keepdims=True)
            return u / xp.sqrt(variance + 1e-5) * params[f"gamma{layer}"] + params[f"beta{layer}"]

        def linear(x: Any, name: str) -> Any:
            return xp.matmul(x, params[f"W{name}"]) + params[f"b{name}"]

        h = normalized(x, "1")
        q, k, v = (linear(h, f"{letter}_heads") for letter in "qkv")
        scores = xp.matmul(q, xp.swapaxes(k, 1, 2)) / np.sqrt(WIDTH).astype(x.dtype)
        e = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
        h = xp.matmul(e / xp.sum(e, axis=-1, keepdims=True), v)
        x = x + linear(h, "o_heads")
        z = linear(normalized(x, "4"), "5")
        t = xp.tanh(np.sqrt(2 / np.pi).astype(x.dtype) * (z + 0.044715 * z**3))
        error = x + linear(0.5 * z * (1 + t), "_fed") - y
        return xp.mean(error * error)
