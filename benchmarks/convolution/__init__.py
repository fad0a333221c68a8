"""CONV: one wide convolution alone, with the gradient of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from convolutional.tutorial import Conv
from numpy.typing import DTypeLike
from workload import Array, Contender, Gradients, Parameters, Workload

from convolution.handwritten import build


@dataclass(frozen=True)
class Convolution(Workload):
    """64 channels to 64 on 28 × 28 pixels, a kernel of 3 × 3, padded by 1."""

    @property
    def description(self) -> str:
        return """spec = 1

[network]
name = "convolution"
input = [64, 28, 28]

[[layer]]
type = "conv2d"
channels = 64
kernel_size = 3
padding = 1
"""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"W1": (64, 64, 3, 3), "b1": (64,)}

    def fan_in(self, name: str) -> int:
        return 576

    def data(self, dtype: DTypeLike, seed: int = 0) -> tuple[Array, Array]:
        """Return x and the cotangent of the output, both of shape (batch, 64, 28, 28)."""
        rng = np.random.default_rng(seed)
        x, cotangent = rng.standard_normal((2, self.batch, 64, 28, 28)).astype(dtype)
        return x, cotangent

    def handwritten(self, params: Parameters, x: Array, y: Array) -> Contender:
        forward, backward = build(params, self.batch)

        def evaluate() -> tuple[float, Gradients]:
            output = forward(x)
            return float(np.vdot(output, y)), backward(y)

        return Contender(lambda: evaluate()[0], evaluate)

    def tutorial(self, params: Parameters, x: Array, y: Array) -> Contender:
        layer = Conv(params["W1"], params["b1"], padding=1)

        def evaluate() -> tuple[float, Gradients]:
            output = layer.forward(x)
            dx = layer.backward(y)
            return float(np.sum(output * y)), {"W1": layer.dW, "b1": layer.db, "x": dx}

        return Contender(lambda: evaluate()[0], evaluate)

    def torch_loss(self, params: Any, x: Any, y: Any) -> Any:
        from torch.nn import functional

        return (functional.conv2d(x, params["W1"], params["b1"], padding=1) * y).sum()

    def jax_loss(self, params: Any, x: Any, y: Any) -> Any:
        import jax

        z = jax.lax.conv(x, params["W1"], (1, 1), "SAME") + params["b1"][:, None, None]
        return (z * y).sum()
