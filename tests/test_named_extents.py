"""Extents that are names: one module serves any, and gives what one made for that extent gives."""

import re

import numpy as np
import pytest
from layer_cases import module_of

from symbackprop.api import build
from symbackprop.architecture import Architecture, LayerUse
from symbackprop.build import build_network
from symbackprop.checking.gradients import examine
from symbackprop.checking.subject import Subject
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.numeric import check_module
from symbackprop.sizes import UndecidedError, at, at_most, is_certain, named, solved

TRANSFORMER = """
spec = 1
[network]
name = "sequence"
loss = "cross_entropy"
[[input]]
name = "tokens"
shape = ["T"]
dtype = "integer"
[[input]]
name = "kept"
shape = ["T"]
dtype = "integer"
[[layer]]
type = "embedding"
num_embeddings = 7
embedding_dim = 6
from = "tokens"
name = "embedded"
[[layer]]
type = "positional"
kind = "sinusoidal"
name = "placed"
[[layer]]
type = "multi_head_attention"
heads = 2
causal = true
mask = "kept"
name = "attended"
[[layer]]
type = "add"
from = ["placed", "attended"]
[[layer]]
type = "layer_norm"
[[layer]]
type = "dense"
units = 7
activation = "softmax"
"""
CONVOLUTION = """
spec = 1
[network]
name = "image"
input = [3, "H", "W"]
loss = "mean_squared_error"
l2 = 0.1
[[layer]]
type = "conv2d"
channels = 4
kernel_size = 3
padding = 1
activation = "relu"
[[layer]]
type = "max_pool2d"
kernel_size = 2
[[layer]]
type = "batch_norm"
[[layer]]
type = "conv_transpose2d"
channels = 2
kernel_size = 3
stride = 2
"""
RECURRENT = """
spec = 1
[network]
name = "series"
input = ["T", 3]
loss = "mean_squared_error"
[[layer]]
type = "lstm"
hidden = 4
[[layer]]
type = "gru"
hidden = 5
truncate = 2
[[layer]]
type = "rnn"
hidden = 3
return_sequences = false
[[layer]]
type = "dense"
units = 2
"""
SERIES = """
spec = 1
[network]
name = "signal"
input = [3, "L"]
loss = "cross_entropy_with_logits"
[[layer]]
type = "conv1d"
channels = 4
kernel_size = 3
stride = 2
padding = 1
activation = "tanh"
[[layer]]
type = "avg_pool1d"
kernel_size = 3
stride = 1
padding = 1
[[layer]]
type = "dropout"
p = 0.3
[[layer]]
type = "global_avg_pool"
[[layer]]
type = "dense"
units = 5
"""
JOINED = """
spec = 1
[network]
name = "joined"
loss = "mean_squared_error"
[[input]]
name = "a"
shape = ["T", 4]
[[input]]
name = "b"
shape = ["S", 4]
[[layer]]
type = "dense"
units = 4
from = "a"
name = "first"
[[layer]]
type = "concatenate"
axis = 1
from = ["first", "b", "first"]
[[layer]]
type = "slice"
axis = 1
start = 1
stop = -1
[[layer]]
type = "reshape"
shape = [-1, 2, 2]
[[layer]]
type = "transpose"
axes = [0, 2, 1, 3]
[[layer]]
type = "flatten"
start_dim = 2
[[layer]]
type = "global_avg_pool"
"""
BESIDE = JOINED[: JOINED.index('type = "slice"')] + 'type = "dense"\nunits = 2\n'
NETWORKS = {
    "beside": (BESIDE, [{"T": 2, "S": 1}, {"T": 3, "S": 5}]),
    "joined": (JOINED, [{"T": 1, "S": 3}, {"T": 4, "S": 2}]),
    "transformer": (TRANSFORMER, [{"T": 1}, {"T": 5}, {"T": 9}]),
    "convolution": (CONVOLUTION, [{"H": 2, "W": 7}, {"H": 5, "W": 3}]),
    "recurrent": (RECURRENT, [{"T": 1}, {"T": 2}, {"T": 6}]),
    "series": (SERIES, [{"L": 1}, {"L": 4}, {"L": 11}]),
}


def written(tmp_path, text, extents=None):
    """Write the description, names replaced by numbers where there are any."""
    for name, extent in (extents or {}).items():
        text = text.replace(f'"{name}"', str(extent))
    path = tmp_path / "network.toml"
    path.write_text(text, encoding="utf-8")
    return path


def batch(network, size, rng):
    """Return inputs and a target of a network of numbers."""
    x = {}
    for variable in network.inputs:
        shape = (size, *(axis.extent for axis in variable.axes[1:]))
        real = rng.standard_normal(shape)
        x[variable.owner] = rng.integers(1, 7, shape) if variable.integer else real
    target = network.heads[0].target
    y = (size, *(axis.extent for axis in target.axes[1:]))
    y = rng.integers(0, 5, y) if target.integer else rng.random(y)
    return (x if len(x) > 1 else x[""]), y


def results(module, params, x, y, workspace):
    """Return all that a module computes, flat and by name."""
    kept = {"training": True, "rng": np.random.default_rng(3)}
    if hasattr(module, "initial_state"):
        kept["state"] = module.initial_state()
    output, cache = module.forward(params, x, **kept)
    cotangent = np.cos(np.arange(output.size)).reshape(output.shape)
    found = {"output": output, **module.backward(params, cache, cotangent)}
    kept["rng"] = np.random.default_rng(3)
    value, gradients = module.loss_and_gradients(
        params, x, y, **kept, workspace=workspace, input_gradient=True
    )
    found |= {"loss": module.loss(output, y), "cost": value}
    found |= {f"step {name}": array for name, array in gradients.items()}
    return {name: np.array(array) for name, array in found.items() if not isinstance(array, dict)}


@pytest.mark.parametrize("name", NETWORKS)
def test_one_module_gives_what_one_for_each_extent_gives(tmp_path, name):
    text, choices = NETWORKS[name]
    module = module_of(generate(build(written(tmp_path, text))).text)
    params = module.initialize(1)
    largest = {key: max(each[key] for each in choices) for key in choices[0]}
    space = module.Workspace(3, **largest)
    for extents in (*choices, choices[0]):
        network = build(written(tmp_path, text, extents))
        closed = module_of(generate(network).text)
        x, y = batch(network, 2, np.random.default_rng(2))
        expected = results(closed, params, x, y, None)
        for workspace in (None, space, space):
            found = results(module, params, x, y, workspace)
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                np.testing.assert_allclose(found[key], value, rtol=1e-11, atol=1e-13, err_msg=key)


def test_a_module_is_checked_at_two_extents(tmp_path):
    module = module_of(generate(build(written(tmp_path, SERIES))).text)
    assert examine(module).passed
    first, second = module.EXAMPLES
    assert {example.shape[2] for example in Subject(module).examples} == {first["L"], second["L"]}
    assert first != second
    assert {5, 4, 3}.isdisjoint({*first.values(), *second.values()})


def test_numbers_are_drawn_for_the_extent_at_hand(tmp_path):
    dropped = '[[layer]]\ntype = "dropout"\np = 0.25\n[[layer]]\ntype = "flatten"\n'
    text = 'spec = 1\n[network]\nname = "dropped"\ninput = [2, "L"]\n[[layer]]\n'
    text += 'type = "conv1d"\nchannels = 3\nkernel_size = 3\n' + dropped
    network = build(written(tmp_path, text))
    path = tmp_path / "module.py"
    path.write_text(generate(network).text)
    report = check_module(path, architecture=network)
    assert report.passed, report


def seen(text, layers_text, tmp_path, choices):
    """Whether a module is told from one made for each extent."""
    try:
        module = module_of(text)
        params = module.initialize(1)
        for extents in choices:
            network = build(written(tmp_path, layers_text, extents))
            x, y = batch(network, 2, np.random.default_rng(2))
            expected = results(module_of(generate(network).text), params, x, y, None)
            found = results(module, params, x, y, None)
            if any(not np.allclose(found[k], v, 1e-9, 1e-12) for k, v in expected.items()):
                return True
    except (ValueError, TypeError, KeyError, IndexError, NameError, AttributeError):
        return True
    return False


def test_planted_faults_are_seen(tmp_path):
    text = TRANSFORMER
    right = generate(build(written(tmp_path, text))).text
    choices = [{"T": 5}]
    assert not seen(right, text, tmp_path, choices)
    planted = {
        "one position short": right.replace("np.arange(n_T)", "np.arange(n_T + 1)"),
        "a batch for an extent": right.replace("n_T = ", "n_T = n = ", 1),
        "a mean over another number": right.replace("n * n_T", "n * (n_T + 1)"),
        "memory that overlaps": re.sub(r"(floats_at_3 = .*)", r"\1 - 1", right),
    }
    for what, wrong_text in planted.items():
        assert wrong_text != right, what
        assert seen(wrong_text, text, tmp_path, choices), what


def test_shapes_are_checked_by_name(tmp_path):
    module = module_of(generate(build(written(tmp_path, TRANSFORMER))).text)
    params = module.initialize(0)
    tokens = np.zeros((2, 4), int)
    for kept, message in (
        (np.ones((2, 5), int), "T of x must be one extent: kept has 5, tokens has 4"),
        (np.ones((2, 4, 1), int), r"has shape \(2, 4, 1\), must be \(N, T\), T 1 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            module.forward(params, {"tokens": tokens, "kept": kept})
    x = {"tokens": tokens, "kept": np.ones((2, 4), int)}
    output, cache = module.forward(params, x)
    with pytest.raises(ValueError, match=r"must be \(N, 4, 7\)"):
        module.backward(params, cache, np.ones((2, 5, 7)))
    with pytest.raises(ValueError, match=r"y has shape \(2, 3\), must be \(N, 4\)"):
        module.loss(output, np.zeros((2, 3), int))
    with pytest.raises(ValueError, match="T is 0, must be at least 1"):
        module.Workspace(2, T=0)
    with pytest.raises(ValueError, match="x has T 4, must have at most 3"):
        module.loss_and_gradients(params, x, tokens, workspace=module.Workspace(2, T=3))


def test_what_an_extent_must_at_least_be_follows_from_the_layers(tmp_path):
    text = SERIES.replace("padding = 1\nactivation", "padding = 0\nactivation")
    module = module_of(generate(build(written(tmp_path, text))).text)
    assert module.EXTENTS == {"L": 3}
    with pytest.raises(ValueError, match=r"must be \(N, 3, L\), L 3 or more"):
        module.forward(module.initialize(), np.ones((2, 3, 2)))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            'type = "dense"\nunits = 2',
            r"layer 2 \(dense\): W2 has the shape \(4 \* T, 2\); the size T is left open",
        ),
        (
            'type = "batch_norm"\naffine = false',
            r"running_mean2 has the shape \(4 \* T,\); the size T is left open, and",
        ),
        ('type = "activation"\nfunction = "relu"', ""),
    ],
)
def test_parameters_need_numbers(tmp_path, layer, message):
    text = f"""
spec = 1
[network]
name = "refused"
input = ["T", 4]
[[layer]]
type = "flatten"
[[layer]]
{layer}
"""
    network = build(written(tmp_path, text))
    if not message:
        assert "n_T" in generate(network).text
        return
    with pytest.raises(SymbackpropError, match=message):
        generate(network)


def test_sizes_are_whole_numbers_for_every_extent():
    n = named("n_T", 3)
    assert str((n + 2 * 3 - 4) // 2 + 1) == "n_T // 2 + 2"
    assert (2 * n) // 2 == n
    assert n * n - n * n == 0
    assert n >= 3
    assert not n > 2 * n
    assert n - n // 2 * 2 <= 1
    with pytest.raises(UndecidedError, match=r"whether T - 4 is 0 or more"):
        assert n >= 4
    assert not is_certain(lambda: n >= 4)
    assert at_most(n - n // 3 * 3) == 2
    assert [at((n + 1) // 2, spare) for spare in (0, 1, 4)] == [2, 2, 4]


@pytest.mark.parametrize("make", [lambda n: n - 2, lambda n: (n + 1) // 2, lambda n: 3 * n + 1])
def test_an_extent_is_found_from_what_follows(make):
    size = make(named("n_T", 3))
    for extent in range(3, 12):
        value = make(extent)
        found = eval(solved(size, "n_T", "value"), {"value": value})
        assert make(found) == value


def test_names_that_a_module_needs_are_refused(tmp_path):
    text = RECURRENT.replace('"T"', '"dtype"')
    with pytest.raises(SymbackpropError, match="the extent dtype has a name that a module needs"):
        generate(build(written(tmp_path, text)))


def test_one_name_twice_in_a_shape_is_refused(tmp_path):
    text = CONVOLUTION.replace('"W"', '"H"')
    with pytest.raises(SymbackpropError, match="the extent H stands twice in one shape"):
        generate(build(written(tmp_path, text)))


def test_a_name_is_no_code():
    given = Architecture("x", ("T)",), (LayerUse("dense", "layer", fields={"units": 2}),))
    with pytest.raises(SymbackpropError, match=r"'T\)'; a name is letters, digits and _"):
        build_network(given)
