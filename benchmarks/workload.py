"""What is timed: a network with data and initial parameters, and how it is written elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.generic]
Parameters = dict[str, Array]
Gradients = dict[str, Array]


class Contender(NamedTuple):
    """`step` trains once and returns the loss; `evaluate` gives loss and gradients, no update."""

    step: Callable[[], float]
    evaluate: Callable[[], tuple[float, Gradients]]


@dataclass(frozen=True)
class Workload(ABC):
    """A network and the batch that it is trained on.

    Attributes:
        name: in tables.
        batch: samples.
        rate: of the update; None for a layer alone, whose y is the cotangent of its output, and
            whose gradients have ∂E/∂x, too: E is then the sum of output times y.
    """

    name: str
    batch: int
    rate: float | None

    @property
    @abstractmethod
    def description(self) -> str:
        """The network as symbackprop reads it: compact text or a TOML file."""

    @property
    def options(self) -> list[str]:
        """What `symbackprop generate` needs beside the description."""
        return []

    @abstractmethod
    def data(self, dtype: DTypeLike, seed: int = 0) -> tuple[Array, Array]:
        """Return one batch, x and y, samples first."""

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, by the name that the generated module gives it."""

    @abstractmethod
    def fan_in(self, name: str) -> int:
        """Return how many inputs a unit has that a parameter of two or more axes weighs."""

    def parameters(self, dtype: DTypeLike, seed: int = 42) -> Parameters:
        """Return initial parameters: He normal; biases are not zero, so that errors show."""
        rng = np.random.default_rng(seed)
        values: Parameters = {}
        for name, shape in self.shapes.items():
            scale = np.sqrt(2 / self.fan_in(name)) if len(shape) > 1 else 0.1
            start = 1 if name.startswith("gamma") else 0
            values[name] = (start + scale * rng.standard_normal(shape)).astype(dtype)
        return values

    @abstractmethod
    def handwritten(self, params: Parameters, x: Array, y: Array) -> Contender:
        """Return the best NumPy that we could write by hand."""

    @abstractmethod
    def tutorial(self, params: Parameters, x: Array, y: Array) -> Contender:
        """Return the step as tutorials write it."""

    @abstractmethod
    def torch_loss(self, params: Any, x: Any, y: Any) -> Any:
        """Return the loss as one writes it with PyTorch."""

    @abstractmethod
    def jax_loss(self, params: Any, x: Any, y: Any) -> Any:
        """Return the loss as one writes it with JAX."""

    def autograd_loss(self, params: Any, x: Any, y: Any) -> Any:
        """Return the loss as one writes it with autograd, which has no convolution of its own."""
        raise ImportError("autograd has no such layer")


def flat_copy(params: Parameters) -> tuple[Array, Parameters]:
    """Return one buffer with all parameters, and its views by name."""
    flat = np.concatenate([value.ravel() for value in params.values()])
    return flat, flat_views(flat, params)


def flat_views(flat: Array, params: Parameters) -> Parameters:
    """Return views of a flat buffer, shaped as the parameters."""
    ends = np.cumsum([value.size for value in params.values()])
    parts = np.split(flat, ends[:-1])
    return {
        name: part.reshape(params[name].shape) for name, part in zip(params, parts, strict=True)
    }


def trained(
    loss_and_gradients: Callable[[], tuple[float, Gradients]], update: Callable[[], None]
) -> Contender:
    """Return the contender that takes a step after its gradients."""

    def step() -> float:
        loss, _ = loss_and_gradients()
        update()
        return loss

    return Contender(step, loss_and_gradients)


def descent(flat: Array, gradient: Array, rate: float, size: int = 1 << 16) -> Callable[[], None]:
    """Return a step down the gradient, in runs whose scaled gradient stays in the cache."""
    cuts = range(size, flat.size, size)
    scaled, factor = np.empty(min(size, flat.size), flat.dtype), np.array(rate, flat.dtype)
    parts = zip(np.split(flat, cuts), np.split(gradient, cuts), strict=True)
    chunks = [(part, part_gradient, scaled[: part.size]) for part, part_gradient in parts]
    multiply, subtract = np.multiply, np.subtract

    def update() -> None:
        for part, part_gradient, product in chunks:
            multiply(part_gradient, factor, product)
            subtract(part, product, part)

    return update
