"""Attention: masks, memories of another length, and transformers as compositions, by PyTorch."""

from pathlib import Path

import numpy as np
import pytest
from layer_cases import TOLERANCE, TORCH, module_of
from oracles import torch_or_skip

from symbackprop.build import build_network
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.notation.toml import read_toml

EXAMPLES = Path(__file__).parent.parent / "examples"
CROSS = """
spec = 1
[network]
name = "cross"
[[input]]
name = "x"
shape = [3, 4]
[[input]]
name = "memory"
shape = [5, MEMORY]
[[input]]
name = "kept"
shape = [5]
dtype = "integer"
[[layer]]
type = "dense"
name = "first"
units = 4
from = "x"
[[layer]]
type = "LAYER"
from = ["first", "memory"]
mask = "kept"
"""
KINDS = [
    ("scaled_dot_product_attention", 4, {"causal": False}),
    ("scaled_dot_product_attention", 4, {"causal": True}),
    ("multi_head_attention", 6, {"heads": 2, "causal": False, "bias": True}),
    ("multi_head_attention", 6, {"heads": 4, "causal": True, "bias": False}),
    ("multi_head_attention", 6, {"heads": 1, "causal": True, "bias": True}),
]


def module_from(text):
    return module_of(generate(build_network(read_toml(text, "net.toml"))).text)


def cross(layer, memory, fields):
    text = CROSS.replace("LAYER", layer).replace("MEMORY", str(memory))
    return text + "".join(f"{name} = {str(value).lower()}\n" for name, value in fields.items())


def general(module, seed=0):
    rng = np.random.default_rng(seed)
    params = module.initialize(seed)
    for value in params.values():
        value[...] += 0.1 * rng.standard_normal(value.shape)
    return params


def agree(found, expected):
    assert found.shape == expected.shape
    error = np.abs(found - expected.numpy()).max()
    assert error <= TOLERANCE * max(np.abs(expected.numpy()).max(), 1e-2)


@pytest.mark.parametrize(("layer", "memory", "fields"), KINDS)
def test_queries_attend_to_a_memory_of_another_length(layer, memory, fields):
    torch = torch_or_skip()
    module = module_from(cross(layer, memory, fields))
    rng, params = np.random.default_rng(1), general(module)
    x = {"x": rng.standard_normal((2, 3, 4)), "memory": rng.standard_normal((2, 5, memory))}
    x["kept"] = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0]])
    output, cache = module.forward(params, x)
    cotangent = rng.standard_normal(output.shape)
    gradients = module.backward(params, cache, cotangent)
    given = {k: torch.tensor(v) for k, v in x.items()}
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    values = [given[name].requires_grad_() for name in ("x", "memory")]
    own = {name.removesuffix("2"): leaf for name, leaf in leaves.items()}
    first = TORCH["dense"]({"W": leaves["W_first"], "b": leaves["b_first"]}, values[0], {})
    expected = TORCH[layer](own, (first, values[1]), {**fields, "mask": given["kept"]})
    (expected * torch.tensor(cotangent)).sum().backward()
    agree(output, expected.detach())
    for name, leaf in leaves.items():
        agree(gradients[name], leaf.grad)
    for name, value in zip(("x", "memory"), values, strict=True):
        agree(gradients["x"][name], value.grad)


def test_what_is_masked_or_later_does_not_count():
    text = cross("multi_head_attention", 4, {"heads": 2, "causal": True})
    module = module_from(text)
    rng, params = np.random.default_rng(0), general(module)
    x = {"x": rng.standard_normal((1, 3, 4)), "memory": rng.standard_normal((1, 5, 4))}
    x["kept"] = np.array([[1, 0, 1, 1, 1]])
    before = module.forward(params, x)[0]
    for place, changed in ((1, []), (2, [2]), (3, []), (0, [0, 1, 2])):
        moved = {**x, "memory": x["memory"].copy()}
        moved["memory"][:, place] += 1
        after = module.forward(params, moved)[0]
        assert [t for t in range(3) if not np.allclose(before[:, t], after[:, t])] == changed


def test_a_sample_without_a_place_to_attend_to_has_finite_numbers():
    module = module_from(cross("multi_head_attention", 4, {"heads": 2}))
    x = {"x": np.ones((1, 3, 4)), "memory": np.ones((1, 5, 4)), "kept": np.zeros((1, 5), int)}
    params = general(module)
    output, cache = module.forward(params, x)
    gradients = module.backward(params, cache, output)
    assert all(np.isfinite(gradients[name]).all() for name in params)


MASKED = CROSS.replace("MEMORY", "4").replace("LAYER", "scaled_dot_product_attention")
REFUSED = [
    (MASKED.replace('mask = "kept"', 'mask = "keep"'), "'keep' is not known; did you mean 'kept'"),
    (MASKED.replace('mask = "kept"', "mask = true"), "mask: found true"),
    (MASKED.replace("shape = [5]", "shape = [4]"), "places of scaled_dot_product_attention is 5"),
    (MASKED.replace("mask =", "num_heads = 2\nmask ="), "'num_heads' is not known"),
    (cross("multi_head_attention", 4, {"heads": 3}), "heads is 3; it must divide the features, 4"),
    (cross("multi_head_attention", 4, {}), "heads is missing"),
    (MASKED.replace("scaled_dot_product_attention", "dense"), "'mask' is not known"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_mistakes_are_found_at_load_time(text, message):
    with pytest.raises(SymbackpropError) as error:
        build_network(read_toml(text, "net.toml"))
    assert message in str(error.value)
    assert "layer 2" in str(error.value)


def example(name):
    module = module_from((EXAMPLES / f"{name}.toml").read_text(encoding="utf-8"))
    errors = module.gradient_check()
    assert max(errors.values()) < 1e-6
    return module


def attention_into(torch_layer, leaves, name):
    torch = torch_or_skip()
    parts = [leaves[f"W{k}_{name}"].T for k in "qkv"]
    torch_layer.in_proj_weight.data = torch.cat(parts)
    torch_layer.in_proj_bias.data = torch.cat([leaves[f"b{k}_{name}"] for k in "qkv"])
    torch_layer.out_proj.weight.data = leaves[f"Wo_{name}"].T
    torch_layer.out_proj.bias.data = leaves[f"bo_{name}"]


def dense_into(torch_layer, leaves, name):
    torch_layer.weight.data = leaves[f"W_{name}"].T
    torch_layer.bias.data = leaves[f"b_{name}"]


def norm_into(torch_layer, leaves, name):
    torch_layer.weight.data, torch_layer.bias.data = leaves[f"gamma_{name}"], leaves[f"beta_{name}"]


def placed(params, tokens, width):
    torch = torch_or_skip()
    rows = torch.tensor(params["E1"])[tokens]
    return TORCH["positional"]({}, rows, {}).reshape(*tokens.shape, width)


def finished(value, params, name):
    torch = torch_or_skip()
    logits = value @ torch.tensor(params[f"W{name}"]) + torch.tensor(params[f"b{name}"])
    return logits.softmax(-1).detach()


def test_the_encoder_of_the_examples_is_pytorchs():
    torch = torch_or_skip()
    module, rng = example("encoder"), np.random.default_rng(0)
    params = general(module)
    tokens, kept = rng.integers(50, size=(3, 12)), np.ones((3, 12), int)
    kept[1, 7:] = 0
    output, _ = module.forward(params, {"tokens": tokens, "kept": kept})
    leaves = {name: torch.tensor(value) for name, value in params.items()}
    value = placed(params, tokens, 32)
    for turn in (1, 2):
        block, name = f"encoder_{turn}", torch.nn.TransformerEncoderLayer
        layer = name(32, 4, 64, dropout=0.0, batch_first=True, dtype=torch.float64)
        attention_into(layer.self_attn, leaves, f"{block}_attention")
        norm_into(layer.norm1, leaves, f"{block}_attended")
        dense_into(layer.linear1, leaves, f"{block}_4")
        dense_into(layer.linear2, leaves, f"{block}_fed")
        norm_into(layer.norm2, leaves, f"{block}_7")
        value = layer(value, src_key_padding_mask=torch.tensor(kept == 0))
    agree(output, finished(value, params, str(2 + 14 + 1)))


def test_the_decoder_of_the_examples_is_pytorchs():
    torch = torch_or_skip()
    module, rng = example("decoder"), np.random.default_rng(0)
    params = general(module)
    tokens, kept = rng.integers(50, size=(3, 12)), np.ones((3, 9), int)
    kept[2, 4:] = 0
    memory = rng.standard_normal((3, 9, 32))
    output, _ = module.forward(params, {"tokens": tokens, "memory": memory, "kept": kept})
    leaves = {name: torch.tensor(value) for name, value in params.items()}
    value = placed(params, tokens, 32)
    later = torch.ones(12, 12, dtype=bool).triu(1)
    for turn in (1, 2):
        block, name = f"decoder_{turn}", torch.nn.TransformerDecoderLayer
        layer = name(32, 4, 64, dropout=0.0, batch_first=True, dtype=torch.float64)
        attention_into(layer.self_attn, leaves, f"{block}_own")
        attention_into(layer.multihead_attn, leaves, f"{block}_cross")
        for number, own in ((1, "earlier"), (2, "attended"), (3, "10")):
            norm_into(getattr(layer, f"norm{number}"), leaves, f"{block}_{own}")
        dense_into(layer.linear1, leaves, f"{block}_7")
        dense_into(layer.linear2, leaves, f"{block}_fed")
        value = layer(
            value,
            torch.tensor(memory),
            tgt_mask=later,
            memory_key_padding_mask=torch.tensor(kept == 0),
        )
    agree(output, finished(value, params, str(2 + 20 + 1)))
