"""Generates the module for two circles, checks its gradients and trains it.

    python examples/train_circles.py [--seed 0] [--module build/circles.py]

Data: 500 points on each of two circles around the origin, radii 1 (class 0) and 0.5
(class 1), Gaussian noise of 0.1 on each coordinate. Training: full batch, plain steps,
mean loss, rate 0.1, 3,000 epochs, He initialisation before relu, Glorot before sigmoid.
The biases of the hidden layers start at 0.1: with 0, a unit of so narrow a network may
be off for every point, and stays so.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from training import generated

ARCHITECTURE = Path(__file__).resolve().parent / "circles.toml"
POINTS, FACTOR, NOISE = 1000, 0.5, 0.1
RATE, EPOCHS, HIDDEN_BIAS = 0.1, 3000, 0.1


def circles(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points (1000, 2) and classes (1000, 1), shuffled."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, POINTS // 2, endpoint=False)
    outer = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x = np.concatenate([outer, FACTOR * outer])
    y = np.repeat([0.0, 1.0], POINTS // 2)[:, np.newaxis]
    order = rng.permutation(POINTS)
    return x[order] + rng.normal(scale=NOISE, size=x.shape), y[order]


def initialize(module: ModuleType, seed: int) -> dict[str, np.ndarray]:
    """Return the start: the module's own, with the hidden biases raised."""
    params = module.initialize(seed)
    for bias in ("b1", "b2"):
        params[bias][:] = HIDDEN_BIAS
    return params


def accuracy(module: ModuleType, params: dict, x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of points whose class is the likelier one."""
    output, _ = module.forward(params, x)
    return float(np.mean((output > 0.5) == y))


def train(module: ModuleType, seed: int, *, progress: bool = False) -> tuple[float, list[float]]:
    """Return the final accuracy and the loss before every step."""
    x, y = circles(seed)
    params = initialize(module, seed)
    workspace = module.Workspace(POINTS)
    losses = []
    for epoch in range(1, EPOCHS + 1):
        loss, grads = module.loss_and_gradients(params, x, y, workspace=workspace)
        module.update(params, grads, RATE, workspace=workspace)
        losses.append(float(loss))
        if progress and epoch % 300 == 0:
            share = accuracy(module, params, x, y)
            print(f"epoch {epoch:5}  loss {losses[-1]:.4f}  accuracy {share:.3f}", file=sys.stderr)
    return accuracy(module, params, x, y), losses


def main() -> None:
    """Generate, check, train."""
    parser = argparse.ArgumentParser(description="Train a generated network on two circles.")
    parser.add_argument("--seed", type=int, default=0, help="of the data and the start")
    parser.add_argument(
        "--module", type=Path, default=Path("build/circles.py"), help="file to write"
    )
    arguments = parser.parse_args()

    module = generated(ARCHITECTURE, arguments.module)
    print("gradient check: derived against numeric gradients, relative error")
    for name, error in module.gradient_check().items():
        print(f"  {name:4} {error:.1e}")
    final, _ = train(module, arguments.seed, progress=True)
    print(f"accuracy {final:.3f} after {EPOCHS:,} epochs")


if __name__ == "__main__":
    main()
