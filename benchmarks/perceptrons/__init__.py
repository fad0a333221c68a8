"""W1, W2, W3: perceptrons with ReLU hidden layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from workload import Array, Contender, Parameters, Workload, trained

from perceptrons.handwritten import build
from perceptrons.tutorial import Perceptron as TutorialPerceptron


@dataclass(frozen=True)
class Perceptron(Workload):
    """A perceptron that ends in a sigmoid or a softmax, with the cross-entropy that fits."""

    sizes: tuple[int, ...]
    head: str
    loss: str

    @property
    def description(self) -> str:
        hidden = [f"{units}:relu" for units in self.sizes[1:-1]]
        return "-".join([str(self.sizes[0]), *hidden, f"{self.sizes[-1]}:{self.head}"])

    @property
    def options(self) -> list[str]:
        return ["--loss", self.loss]

    @property
    def layers(self) -> range:
        """Numbers of the layers, counted from 1 as in the names of the parameters."""
        return range(1, len(self.sizes))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            found[f"W{layer}"] = self.sizes[layer - 1 : layer + 1]
            found[f"b{layer}"] = self.sizes[layer : layer + 1]
        return found

    def fan_in(self, name: str) -> int:
        return self.shapes[name][0]

    def data(self, dtype: DTypeLike, seed: int = 0) -> tuple[Array, Array]:
        """Return x of shape (batch, features), and y: (batch, 1) in 0 and 1, or class indices."""
        rng = np.random.default_rng(seed)
        if self.head == "sigmoid":
            return two_circles(self.batch, rng, dtype)
        x = rng.standard_normal((self.batch, self.sizes[0])).astype(dtype)
        return x, rng.integers(0, self.sizes[-1], self.batch)

    def handwritten(self, params: Parameters, x: Array, y: Array) -> Contender:
        _, loss_and_gradients, update = build(self, params)
        return trained(lambda: loss_and_gradients(x, y), update)

    def tutorial(self, params: Parameters, x: Array, y: Array) -> Contender:
        model = TutorialPerceptron(self, params)
        return trained(lambda: (model.loss_and_gradients(x, y), model.gradients()), model.update)

    def torch_loss(self, params: Any, x: Any, y: Any) -> Any:
        from torch.nn import functional

        for layer in self.layers:
            x = functional.linear(x, params[f"W{layer}"].T, params[f"b{layer}"])
            x = functional.relu(x) if layer < self.layers[-1] else x
        if self.head == "sigmoid":
            return functional.binary_cross_entropy_with_logits(x, y)
        return functional.cross_entropy(x, y)

    def jax_loss(self, params: Any, x: Any, y: Any) -> Any:
        import jax.numpy

        return self._mean_loss(jax.numpy, params, x, y)

    def autograd_loss(self, params: Any, x: Any, y: Any) -> Any:
        import autograd.numpy

        return self._mean_loss(autograd.numpy, params, x, y)

    def _mean_loss(self, xp: Any, params: Any, x: Any, y: Any) -> Any:
        """The mean loss as one writes it for automatic differentiation, with NumPy's names."""
        for layer in self.layers:
            x = xp.dot(x, params[f"W{layer}"]) + params[f"b{layer}"]
            x = xp.maximum(x, 0) if layer < self.layers[-1] else x
        if self.head == "sigmoid":
            return xp.mean(xp.maximum(x, 0) - x * y + xp.log1p(xp.exp(-xp.abs(x))))
        shifted = x - xp.max(x, axis=1, keepdims=True)
        target = shifted[xp.arange(len(y)), y]
        return xp.mean(xp.log(xp.sum(xp.exp(shifted), axis=1)) - target)


def two_circles(count: int, rng: np.random.Generator, dtype: DTypeLike) -> tuple[Array, Array]:
    """Points on a circle of radius 1 (label 0) and on one of radius 0.5 (label 1), with noise."""
    label = np.arange(count) % 2
    angle = rng.uniform(0, 2 * np.pi, count)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = circle * (1 - 0.5 * label[:, None]) + 0.1 * rng.standard_normal((count, 2))
    return x.astype(dtype), label[:, None].astype(dtype)
