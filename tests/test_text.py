"""The example of sequences: networks that predict the characters of a text."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest
import train_text as example

from symbackprop.api import build
from symbackprop.emit import generate

ARCHITECTURES = [example.ARCHITECTURE, example.HERE / "char_lstm.toml"]
TEXT = example.read()


@pytest.fixture(scope="module", params=ARCHITECTURES, ids=lambda path: path.stem)
def network(request):
    module = types.ModuleType(request.param.stem)
    text = generate(build(request.param), "adam").text
    exec(compile(text, f"{request.param.stem}.py", "exec"), module.__dict__)
    return module, example.context(request.param)


def test_every_tenth_paragraph_is_held_out(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join("abcdefghijklmnopqrstu"), encoding="utf-8")
    text = example.read(path)
    shown = ["".join(text.characters[k] for k in part) for part in (text.known, text.held)]
    assert shown == ["\n\n".join("abcdefghiklmnopqrsu"), "j\n\nt"]
    assert 0.08 < len(TEXT.held) / len(TEXT.known) < 0.12


def test_entropy_of_counts():
    assert example.unigram_entropy(np.array([0, 0, 1, 1])) == pytest.approx(math.log(2))
    assert example.unigram_entropy(np.array([2, 2, 2, 0])) == pytest.approx(
        -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    )


def test_windows_are_followed_by_the_next_characters():
    x, y = example.windows(np.arange(10), np.array([0, 6]), 3)
    assert x.tolist() == [[0, 1, 2], [6, 7, 8]]
    assert y.tolist() == [[1, 2, 3], [7, 8, 9]]


def test_places_do_not_see_what_follows(network):
    """Else the cost would mean nothing, and writing would read what is not yet written."""
    module, length = network
    params = module.initialize(0, scale=0.5)
    x, _ = example.windows(TEXT.known, np.arange(2), length)
    before, _ = module.forward(params, x)
    place = length // 2
    x[:, place:] = (x[:, place:] + 1) % len(TEXT.characters)
    after, _ = module.forward(params, x)
    assert np.array_equal(before[:, :place], after[:, :place])
    assert not np.allclose(before[:, place:], after[:, place:])


def test_a_network_that_has_learnt_nothing_costs_what_guessing_does(network):
    module, length = network
    params = module.initialize(0)
    for value in params.values():
        value[:] = 0
    cost = example.cross_entropy(module, params, TEXT.held, length)
    assert cost == pytest.approx(math.log(len(TEXT.characters)))


@pytest.mark.parametrize(
    ("steps", "share"), [(300, 0.8), pytest.param(example.STEPS, 0.45, marks=pytest.mark.grid)]
)
def test_text_held_out_costs_less_than_its_unigram_entropy(network, steps, share, capsys):
    module, length = network
    params = example.train(module, TEXT, length, 1, steps=steps, progress=True)
    held = example.cross_entropy(module, params, TEXT.held, length)
    assert held <= share * example.unigram_entropy(TEXT.held)
    assert capsys.readouterr().err.count("held out") == steps // example.EVERY


def test_each_character_written_follows_what_stands_before():
    """A network that is sure of the next letter of the alphabet, at every place."""
    text = example.Text("\nabcde", np.arange(6), np.arange(6))

    def forward(params, x):
        return np.eye(6)[(x + 1) % 6], {}

    alphabet = types.SimpleNamespace(forward=forward)
    written = example.write(alphabet, {}, text, 4, 0)
    assert written == ("abcde\n" * example.WRITTEN)[: example.WRITTEN]
