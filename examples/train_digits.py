"""Generates a LeNet, trains it on handwritten digits and tells how many others it reads.

    python examples/train_digits.py [--seed 0] [--module build/lenet.py]

Data: the 1,797 digits of 8×8 pixels that scikit-learn carries (UCI, Alpaydin and Kaynak
1998), brought to 0 … 1; a stratified random fifth, drawn with seed 0, is held out. Training:
Adam, rate 0.003 that falls to nothing over the epochs by a cosine, batches of 32, 30 epochs.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from training import generated

Pair = tuple[np.ndarray, np.ndarray]
ARCHITECTURE = Path(__file__).resolve().parent / "lenet.toml"
EPOCHS, BATCH, RATE = 30, 32, 3e-3


def digits() -> tuple[Pair, Pair]:
    """Return images (N, 1, 8, 8) from 0 to 1 and classes (N,): to train on, and held out."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError:
        sys.exit('error: the digits come with scikit-learn: pip install ".[examples]"')
    data = load_digits()
    places = np.arange(len(data.target))
    known, held = train_test_split(places, test_size=0.2, stratify=data.target, random_state=0)
    images = data.images[:, np.newaxis] / 16.0
    return (images[known], data.target[known]), (images[held], data.target[held])


def accuracy(module: ModuleType, params: dict, x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of images whose class is the likeliest one."""
    output, _ = module.forward(params, x)
    return float(np.mean(output.argmax(axis=1) == y))


def train(module: ModuleType, seed: int, *, epochs: int = EPOCHS, progress: bool = False) -> float:
    """Return the accuracy on the digits held out."""
    (images, classes), held = digits()
    rng = np.random.default_rng(seed)
    params = module.initialize(seed)
    moments = module.initial_moments()
    workspace = module.Workspace(BATCH)
    steps = len(images) // BATCH
    for epoch in range(epochs):
        eta = RATE * (1 + math.cos(math.pi * epoch / epochs)) / 2
        total = 0.0
        for batch in rng.permutation(len(images))[: steps * BATCH].reshape(steps, BATCH):
            loss, grads = module.loss_and_gradients(
                params, images[batch], classes[batch], rng=rng, workspace=workspace
            )
            module.update(params, grads, eta, moments=moments, workspace=workspace)
            total += float(loss)
        if progress:
            share = accuracy(module, params, *held)
            print(
                f"epoch {epoch + 1:2}  loss {total / steps:.4f}  held out {share:.4f}",
                file=sys.stderr,
            )
    return accuracy(module, params, *held)


def main() -> None:
    """Generate, check, train."""
    parser = argparse.ArgumentParser(description="Train a generated LeNet on digits.")
    parser.add_argument("--seed", type=int, default=0, help="of the start and the batches")
    parser.add_argument("--module", type=Path, default=Path("build/lenet.py"), help="file to write")
    arguments = parser.parse_args()
    module = generated(ARCHITECTURE, arguments.module, optimizer="adam")
    share = train(module, arguments.seed, progress=True)
    print(f"accuracy {share:.4f} on digits held out")


if __name__ == "__main__":
    main()
