"""Embeddings: rows looked up several times, a row for padding, the first layer of a sequence."""

import numpy as np
import pytest
from layer_cases import module_of

from symbackprop.build import build_network
from symbackprop.checking.subject import Subject
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.notation.toml import read_toml
from symbackprop.numeric import check_module

SEQUENCE = """
spec = 1
[network]
name = "sequence"
loss = "cross_entropy"
[[input]]
name = "tokens"
shape = [5]
dtype = "integer"
[[layer]]
type = "embedding"
num_embeddings = 7
embedding_dim = 4
PADDING
[[layer]]
type = "positional"
[[layer]]
type = "scaled_dot_product_attention"
causal = true
[[layer]]
type = "dense"
units = 7
activation = "softmax"
"""


TIED = """
spec = 1
[network]
name = "tied"
loss = "mean_squared_error"
[[input]]
name = "left"
shape = [4]
dtype = "integer"
[[input]]
name = "right"
shape = [4]
dtype = "integer"
[[layer]]
type = "embedding"
num_embeddings = 5
embedding_dim = 3
from = "left"
name = "one"
padding_idx = PADDING
[[layer]]
type = "embedding"
num_embeddings = 5
embedding_dim = 3
from = "right"
name = "other"
share = "one"
[[layer]]
type = "multiply"
from = ["one", "other"]
[[layer]]
type = "dense"
units = 2
"""


def text_of(padding="", dtype="integer"):
    setting = f"padding_idx = {padding}" if padding else ""
    text = SEQUENCE.replace("PADDING", setting).replace("integer", dtype)
    return generate(build_network(read_toml(text, "sequence.toml"))).text


def test_a_row_that_is_looked_up_twice_gets_both_gradients():
    module = module_of(text_of())
    params = module.initialize(0)
    _, cache = module.forward(params, np.full((1, 5), 3))
    gradient = module.backward(params, cache, np.ones((1, 5, 7)))["E1"]
    assert set(np.flatnonzero(gradient.any(axis=1))) <= {3}


@pytest.mark.parametrize("padding", ["0", "2", "6", "-3"])
def test_the_row_for_padding_is_read_and_not_learned(padding, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(text_of(padding), encoding="utf-8")
    assert check_module(path).passed
    module = module_of(path.read_text(encoding="utf-8"))
    row, rng = int(padding) % 7, np.random.default_rng(0)
    params = module.initialize(0)
    tokens = rng.integers(7, size=(4, 5))
    tokens[:, 2] = row
    output, _ = module.forward(params, tokens)
    y = rng.integers(7, size=(4, 5))
    _, gradients = module.loss_and_gradients(params, tokens, y)
    assert not gradients["E1"][row].any()
    assert np.abs(np.delete(gradients["E1"], row, axis=0)).max() > 1e-3
    params["E1"][row] += 1
    assert not np.allclose(module.forward(params, tokens)[0], output)


@pytest.mark.parametrize("padding", ["", "padding_idx = -1"])
def test_one_table_for_two_sequences(padding, tmp_path):
    network = build_network(read_toml(TIED.replace("padding_idx = PADDING", padding), "tied.toml"))
    path = tmp_path / "module.py"
    path.write_text(generate(network).text, encoding="utf-8")
    report = check_module(path, architecture=network)
    assert report.passed, report


@pytest.mark.parametrize("padding", ["0", "2", "6"])
def test_the_check_draws_no_padding(padding):
    subject = Subject(module_of(text_of(padding)))
    drawn = subject.inputs(np.random.default_rng(0), 50)
    assert int(padding) not in drawn
    assert len(np.unique(drawn)) > 3


def test_numbers_that_are_no_rows_are_refused():
    module = module_of(text_of())
    with pytest.raises(ValueError, match="must be 0 to 6"):
        module.forward(module.initialize(0), np.full((1, 5), 7))


def test_real_numbers_are_no_rows():
    with pytest.raises(SymbackpropError, match=r"layer 1 \(embedding\).*dtype = \"integer\" is"):
        text_of(dtype="real")


def test_padding_is_a_row():
    with pytest.raises(SymbackpropError, match="padding_idx is 7, num_embeddings is 7; allowed"):
        text_of("7")


PADDED = SEQUENCE.replace(
    '[[layer]]\ntype = "positional"', '[[layer]]\ntype = "pad"\npadding = [0, 2]'
).replace("PADDING", "")


def test_what_a_table_gets_may_be_a_part_of_an_array():
    network = build_network(read_toml(PADDED, "padded.toml"))
    assert max(module_of(generate(network).text).gradient_check().values()) < 1e-6
