"""Generates a network that predicts characters, trains it on a text and lets it write.

    python examples/train_text.py [ARCH] [--seed 0] [--module FILE]

ARCH is char_transformer.toml, or another network that reads whole numbers, the characters of a
stretch of text, and gives for each place a distribution over the character that follows, without
regard to later places. Data: text.txt, what this project says of itself in its documents and
docstrings; every tenth paragraph is held out. Training: Adam, float32, 2,000 steps, each on 32
windows at random places, rate 0.003 that falls to nothing by a cosine.
"""

from __future__ import annotations

import argparse
import math
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from training import generated

HERE = Path(__file__).resolve().parent
ARCHITECTURE, TEXT = HERE / "char_transformer.toml", HERE / "text.txt"
STEPS, BATCH, RATE = 2000, 32, 3e-3
EVERY = 100  # steps between lines of progress
HELD = 10  # one paragraph of so many
WRITTEN = 400  # characters
LENGTH = 64  # of a window, for a network that reads any


@dataclass(frozen=True)
class Text:
    """A text as numbers of characters.

    Attributes:
        characters: the vocabulary, in order.
        known: what is trained on.
        held: what is held out.
    """

    characters: str
    known: np.ndarray
    held: np.ndarray


def context(architecture: Path) -> int:
    """Return how many characters a network reads at once; of one that reads any, ``LENGTH``."""
    (text,) = tomllib.loads(architecture.read_text(encoding="utf-8"))["input"]
    (extent,) = text["shape"]
    return extent if isinstance(extent, int) else LENGTH


def reads_any(module: ModuleType) -> bool:
    """Whether a network reads stretches of any length."""
    return hasattr(module, "EXTENTS")


def read(path: Path = TEXT) -> Text:
    """Return a text, every tenth paragraph apart."""
    text = path.read_text(encoding="utf-8")
    characters = "".join(sorted(set(text)))
    number = {character: k for k, character in enumerate(characters)}
    paragraphs = text.split("\n\n")
    held = paragraphs[HELD - 1 :: HELD]
    del paragraphs[HELD - 1 :: HELD]
    known, apart = (
        np.array([number[character] for character in "\n\n".join(each)])
        for each in (paragraphs, held)
    )
    return Text(characters, known, apart)


def unigram_entropy(numbers: np.ndarray) -> float:
    """Return what the best guess costs that reads nothing, in nats for each character."""
    shares = np.bincount(numbers) / len(numbers)
    shares = shares[shares > 0]
    return float(-shares @ np.log(shares))


def windows(numbers: np.ndarray, starts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return stretches (N, length) of a text, and the characters that follow at each place."""
    places = starts[:, np.newaxis] + np.arange(length + 1)
    found = numbers[places]
    return found[:, :-1], found[:, 1:]


def cross_entropy(module: ModuleType, params: dict, numbers: np.ndarray, length: int) -> float:
    """Return what the network's guesses cost, in nats for each character of a text."""
    starts = np.arange(0, len(numbers) - length, length)
    total = 0.0
    for batch in np.array_split(starts, math.ceil(len(starts) / BATCH)):
        x, y = windows(numbers, batch, length)
        output, _ = module.forward(params, x)
        total += len(batch) * float(module.loss(output, y))
    return total / len(starts)


def train(
    module: ModuleType,
    text: Text,
    length: int,
    seed: int,
    *,
    steps: int = STEPS,
    progress: bool = False,
) -> dict[str, np.ndarray]:
    """Return the parameters, trained on windows of this length."""
    rng = np.random.default_rng(seed)
    params = module.initialize(seed, dtype=np.float32)
    moments = module.initial_moments(dtype=np.float32)
    largest = {"T": length} if reads_any(module) else {}
    workspace = module.Workspace(BATCH, dtype=np.float32, **largest)
    total = 0.0
    for step in range(1, steps + 1):
        eta = RATE * (1 + math.cos(math.pi * step / steps)) / 2
        x, y = windows(text.known, rng.integers(0, len(text.known) - length, BATCH), length)
        loss, grads = module.loss_and_gradients(params, x, y, rng=rng, workspace=workspace)
        module.update(params, grads, eta, moments=moments, workspace=workspace)
        total += float(loss)
        if progress and step % EVERY == 0:
            held = cross_entropy(module, params, text.held, length)
            print(f"step {step:5}  loss {total / EVERY:.3f}  held out {held:.3f}", file=sys.stderr)
            total = 0.0
    return params


def write(module: ModuleType, params: dict, text: Text, length: int, seed: int) -> str:
    """Return characters drawn one by one from what the network expects after those before.

    A place sees none after its own, so what stands there is of no account.
    """
    rng = np.random.default_rng(seed)
    written = [text.characters.index("\n")]
    for _ in range(WRITTEN):
        seen = written[-length:]
        x = np.zeros((1, len(seen) if reads_any(module) else length), int)
        x[0, : len(seen)] = seen
        output, _ = module.forward(params, x)
        chances = output[0, len(seen) - 1].astype(float)
        written.append(rng.choice(len(chances), p=chances / chances.sum()))
    return "".join(text.characters[k] for k in written[1:])


def main() -> None:
    """Generate, check, train, write."""
    parser = argparse.ArgumentParser(description="Train a generated network on text.")
    parser.add_argument(
        "architecture", type=Path, nargs="?", default=ARCHITECTURE, help="with one input, the text"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the start and the batches")
    parser.add_argument("--module", type=Path, help="file to write")
    arguments = parser.parse_args()
    path = arguments.module or Path("build", f"{arguments.architecture.stem}.py")
    module = generated(arguments.architecture, path, optimizer="adam")
    text, length = read(), context(arguments.architecture)
    params = train(module, text, length, arguments.seed, progress=True)
    held, unigram = cross_entropy(module, params, text.held, length), unigram_entropy(text.held)
    print(f"{held:.3f} nats a character held out, {held / unigram:.2f} of the unigram entropy\n")
    print(write(module, params, text, length, arguments.seed))


if __name__ == "__main__":
    main()
