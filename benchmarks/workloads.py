"""The networks that are timed, with data and initial parameters made from a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Workload:
    """A perceptron with ReLU hidden layers, its batch size and the rate it is trained with."""

    name: str
    sizes: tuple[int, ...]
    head: str
    loss: str
    batch: int
    rate: float

    @property
    def architecture(self) -> str:
        """The network in symbackprop's compact text."""
        hidden = [f"{units}:relu" for units in self.sizes[1:-1]]
        return "-".join([str(self.sizes[0]), *hidden, f"{self.sizes[-1]}:{self.head}"])

    @property
    def layers(self) -> range:
        """Numbers of the layers, counted from 1 as in the names of the parameters."""
        return range(1, len(self.sizes))

    def data(self, dtype: DTypeLike, seed: int = 0) -> tuple[Array, Array]:
        """One batch: x of shape (batch, features); y is (batch, 1) in 0 and 1, or class indices."""
        rng = np.random.default_rng(seed)
        if self.head == "sigmoid":
            return two_circles(self.batch, rng, dtype)
        x = rng.standard_normal((self.batch, self.sizes[0])).astype(dtype)
        return x, rng.integers(0, self.sizes[-1], self.batch)

    def parameters(self, dtype: DTypeLike, seed: int = 42) -> dict[str, Array]:
        """Initial W1 (in, out), b1 (out,), …, He normal; biases are not zero, so errors show."""
        rng = np.random.default_rng(seed)
        values: dict[str, Array] = {}
        for layer in self.layers:
            fan_in, units = self.sizes[layer - 1 : layer + 1]
            spread = math.sqrt(2 / fan_in)
            values[f"W{layer}"] = (spread * rng.standard_normal((fan_in, units))).astype(dtype)
            values[f"b{layer}"] = (0.1 * rng.standard_normal(units)).astype(dtype)
        return values


def two_circles(count: int, rng: np.random.Generator, dtype: DTypeLike) -> tuple[Array, Array]:
    """Points on a circle of radius 1 (label 0) and on one of radius 0.5 (label 1), with noise."""
    label = np.arange(count) % 2
    angle = rng.uniform(0, 2 * np.pi, count)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = circle * (1 - 0.5 * label[:, None]) + 0.1 * rng.standard_normal((count, 2))
    return x.astype(dtype), label[:, None].astype(dtype)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", (2, 4, 3, 1), "sigmoid", "binary_cross_entropy", 1000, 0.5),
        Workload("W2", (784, 128, 64, 10), "softmax", "cross_entropy", 64, 0.01),
        Workload("W3", (1024, 1024, 1024, 10), "softmax", "cross_entropy", 256, 0.001),
    )
}
