"""The example of convolutions: a LeNet on handwritten digits."""

import types

import numpy as np
import pytest
import train_digits as example

from symbackprop.api import build
from symbackprop.emit import generate


@pytest.fixture(scope="module")
def lenet():
    module = types.ModuleType("lenet")
    text = generate(build(example.ARCHITECTURE), "adam").text
    exec(compile(text, "lenet.py", "exec"), module.__dict__)
    return module


def test_a_fifth_of_every_class_is_held_out():
    (_, known), (images, held) = example.digits()
    assert images.shape == (360, 1, 8, 8)
    assert images.min() == 0
    assert images.max() == 1
    shares = np.bincount(held) / np.bincount(np.concatenate([known, held]))
    assert np.all(np.abs(shares - 0.2) < 0.01)


def test_three_seeds_read_the_digits_held_out(lenet, capsys):
    shares = [example.train(lenet, seed, progress=seed == 0) for seed in range(3)]
    assert np.mean(shares) >= 0.98
    assert capsys.readouterr().err.count("held out") == example.EPOCHS
