"""W4: a small convolutional network for images of 28 × 28 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from workload import Array, Contender, Parameters, Workload, trained

from convolutional.handwritten import build
from convolutional.tutorial import TutorialNetwork


@dataclass(frozen=True)
class ConvolutionalNetwork(Workload):
    """Twice a convolution of 3 × 3, relu and pooling by 2; then ten classes."""

    @property
    def description(self) -> str:
        pooled = """
[[layer]]
type = "conv2d"
channels = {}
kernel_size = 3
activation = "relu"

[[layer]]
type = "max_pool2d"
kernel_size = 2
"""
        return f"""spec = 1

[network]
name = "images"
input = [1, 28, 28]
loss = "cross_entropy"
{pooled.format(8)}{pooled.format(16)}
[[layer]]
type = "flatten"

[[layer]]
type = "dense"
units = 10
activation = "softmax"
"""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "W1": (8, 1, 3, 3),
            "b1": (8,),
            "W3": (16, 8, 3, 3),
            "b3": (16,),
            "W6": (400, 10),
            "b6": (10,),
        }

    def fan_in(self, name: str) -> int:
        return {"W1": 9, "W3": 72, "W6": 400}[name]

    def data(self, dtype: DTypeLike, seed: int = 0) -> tuple[Array, Array]:
        """Return x of shape (batch, 1, 28, 28), and class indices."""
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((self.batch, 1, 28, 28)).astype(dtype)
        return x, rng.integers(0, 10, self.batch)

    def handwritten(self, params: Parameters, x: Array, y: Array) -> Contender:
        loss_and_gradients, update = build(params, self.batch, self.rate)
        return trained(lambda: loss_and_gradients(x, y), update)

    def tutorial(self, params: Parameters, x: Array, y: Array) -> Contender:
        model = TutorialNetwork(params, self.rate)
        return trained(lambda: model.loss_and_gradients(x, y), model.update)

    def torch_loss(self, params: Any, x: Any, y: Any) -> Any:
        from torch.nn import functional

        for layer in (1, 3):
            x = functional.conv2d(x, params[f"W{layer}"], params[f"b{layer}"])
            x = functional.max_pool2d(functional.relu(x), 2)
        x = functional.linear(x.flatten(1), params["W6"].T, params["b6"])
        return functional.cross_entropy(x, y)

    def jax_loss(self, params: Any, x: Any, y: Any) -> Any:
        import jax
        import jax.numpy as jnp

        window = (1, 1, 2, 2)
        for layer in (1, 3):
            x = jax.lax.conv(x, params[f"W{layer}"], (1, 1), "VALID")
            x = jnp.maximum(x + params[f"b{layer}"][:, None, None], 0)
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
        x = x.reshape(len(x), -1) @ params["W6"] + params["b6"]
        return -jnp.mean(jax.nn.log_softmax(x)[jnp.arange(len(y)), y])
