"""Blocks of an architecture file: written once, used several times where they stand."""

import numpy as np
import pytest
from descriptions import DENSE, NETWORK, message, read
from layer_cases import TOLERANCE, module_of
from oracles import torch_or_skip

from symbackprop.build import build_network
from symbackprop.emit import generate

LOSS = 'spec = 1\n[network]\ninput = [2]\nloss = "mean_squared_error"\n'
RESIDUAL = """
[[block]]
name = "res"
repeat = 3
[[block.layer]]
type = "dense"
units = 4
activation = "tanh"
[[block.layer]]
type = "dense"
name = "inner"
units = 3
[[block.layer]]
type = "add"
from = ["inner", "block"]
"""


def test_layers_are_written_out_where_the_block_stands():
    found = read(NETWORK + DENSE + RESIDUAL + DENSE).layers
    names = [f"res.{turn}.{inner}" for turn in (1, 2, 3) for inner in ("1", "inner", "3")]
    assert [use.name for use in found] == ["", *names, ""]
    assert [use.sources for use in found if use.type == "add"] == [
        ("res.1.inner", "1"),
        ("res.2.inner", "res.1.3"),
        ("res.3.inner", "res.2.3"),
    ]
    assert found[2].place == "layer 'res.1.inner'"


def test_a_block_of_three_agrees_with_pytorch():
    torch = torch_or_skip()
    module = module_of(generate(build_network(read(LOSS + DENSE + RESIDUAL + DENSE))).text)
    assert list(module.PARAMETER_SHAPES)[2:6] == [
        "W_res_1_1",
        "b_res_1_1",
        "W_res_1_inner",
        "b_res_1_inner",
    ]
    params = module.initialize(5, scale=0.6)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 2)), rng.standard_normal((6, 3))
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in {**params, "x": x}.items()}

    def layer(value, name):
        return value @ leaves[f"W{name}"] + leaves[f"b{name}"]

    value = layer(leaves["x"], "1")
    for turn in (1, 2, 3):
        value = layer(torch.tanh(layer(value, f"_res_{turn}_1")), f"_res_{turn}_inner") + value
    torch.nn.functional.mse_loss(layer(value, "11"), torch.tensor(y)).backward()
    _, grads = module.loss_and_gradients(params, x, y, input_gradient=True)
    for name, leaf in leaves.items():
        expected = leaf.grad.numpy()
        assert np.abs(grads[name] - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_a_block_may_come_first_and_share_within_itself():
    text = RESIDUAL.replace("units = 4", 'units = 2\nname = "a"').replace(
        "units = 3", 'units = 2\nshare = "a"'
    )
    network = build_network(read(NETWORK + text))
    assert [layer.share for layer in network.layers[:3]] == ["", "res.1.a", ""]
    assert network.layers[2].inputs == (network.layers[1].output, network.input)


def test_layers_of_a_block_are_read_from_outside():
    text = NETWORK + DENSE + RESIDUAL + '[[layer]]\ntype = "add"\n'
    network = build_network(read(text + 'from = ["res.1.inner", "res.3.3"]\n'))
    assert network.layers[-1].inputs == (network.layers[2].output, network.layers[9].output)
    wrong = message(read, text + 'from = ["res.1.inner", "res.9.inner"]\n')
    assert "'res.9.inner' is not known; did you mean 'res." in wrong


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[[block]]\n", "block 1: name is missing"),
        ('[[block]]\nname = "a b"\n[[block.layer]]\n', "name: found 'a b'"),
        ('[[block]]\nname = "b"\nlayer = []\n', "block 'b': layer: found none"),
        ('[[block]]\nname = "b"\nlayers = 2\n', "block 1: 'layers' is not known"),
        (RESIDUAL.replace("= 3\n[[", "= 0\n[["), "block 'res': repeat: found 0; allowed: an"),
        (RESIDUAL.replace("= 3\n[[", "= 1.5\n[["), "repeat: found 1.5; allowed: an integer"),
        (RESIDUAL.replace("= 3\n[[", "= 9999\n[["), "more than 10000 layers, written out"),
        (RESIDUAL + RESIDUAL, "another block has this name"),
        (RESIDUAL.replace('"inner", "bl', '"inter", "bl'), "'inter' is not known; did you mean"),
        (RESIDUAL.replace('type = "add"', 'type = "add"\nname = "inner"'), "two layers have the"),
        (RESIDUAL.replace("units = 3", "units = 5"), "layer 'res.1.3': axis 1 has the extents 5"),
        (RESIDUAL.replace('"add"', '"ad"'), "block 'res': layer 3: type 'ad' is not known"),
        (RESIDUAL + 'l = """\n[[layer]]\n"""\n', "header on a line of its own"),
        (DENSE + 'from = "block"\n', "from: 'block' is not known"),
    ],
)
def test_mistakes(text, found):
    def built(text):
        return build_network(read(text))

    assert found in message(built, NETWORK + DENSE + text)


def test_several_inputs_flow_into_no_block():
    inputs = "".join(f'[[input]]\nname = "{name}"\nshape = [3]\n' for name in "pq")
    text = f"spec = 1\n[network]\n{inputs}{RESIDUAL}"
    assert "several inputs flow into the block: name them in from" in message(read, text)
