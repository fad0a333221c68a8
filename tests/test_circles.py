"""The main example, for 20 seeds of data and start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import train_circles as example
from training import load_module

ROOT = Path(__file__).resolve().parent.parent


circles = load_module(ROOT / "generated" / "circles.py")


def test_the_data_are_two_noisy_circles() -> None:
    x, y = example.circles(0)
    radii = np.hypot(*x.T)
    assert x.shape == (1000, 2)
    assert y.shape == (1000, 1)
    assert y.sum() == 500
    for label, radius in ((0, 1.0), (1, 0.5)):
        chosen = radii[y[:, 0] == label]
        assert abs(chosen.mean() - radius) < 0.03
        assert abs(chosen.std() - 0.1) < 0.01
    assert 0 < y[:500].sum() < 500
    assert not np.array_equal(x, example.circles(1)[0])


@pytest.mark.parametrize("seed", range(20))
def test_training_converges(seed: int) -> None:
    accuracy, losses = example.train(circles, seed)
    assert accuracy >= 0.95
    assert np.all(np.isfinite(losses))
    assert max(losses) == losses[0]
    assert losses[-1] < 0.1
