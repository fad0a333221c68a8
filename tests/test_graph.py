"""Networks whose layers form a graph: branches, joins, shared parameters, several inputs."""

import numpy as np
import pytest
from layer_cases import TOLERANCE, module_of
from oracles import torch_or_skip

from symbackprop import calculus
from symbackprop.architecture import Architecture, InputUse, LayerUse, Use
from symbackprop.build import build_network
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.numeric import check_module
from symbackprop.reference import accumulate, evaluate, forward_equations
from symbackprop.render.anchors import check_anchors
from symbackprop.render.display import Derivation
from symbackprop.show import network_text


def dense(units, *sources, name="", activation=None, **more):
    use = Use(activation) if activation else None
    place = f"layer {name!r}" if name else "layer (dense)"
    return LayerUse("dense", place, name, {"units": units}, use, sources, **more)


def join(kind, *sources, name="", activation=None):
    use = Use(activation) if activation else None
    return LayerUse(kind, f"layer ({kind})", name, {}, use, sources)


def joined(*sources, axis=-1):
    return LayerUse("concatenate", "layer (concatenate)", "", {"axis": axis}, None, sources)


def network(*layers, inputs=(), loss="mean_squared_error", **more):
    loss = Use(loss) if loss else None
    shape = () if inputs else (4,)
    return build_network(Architecture("net", shape, layers, loss, inputs=inputs, **more))


RESIDUAL = (
    dense(5, name="first", activation="tanh"),
    dense(5, activation="relu"),
    dense(5, name="branch"),
    join("add", "first", "branch", name="sum", activation="tanh"),
)
INPUTS = (InputUse("y", (4,)), InputUse("params", (3,)), InputUse("yT", (3,)))
CASES = {
    "residual": ((*RESIDUAL, dense(2)), {}),
    "wide": ((*RESIDUAL, dense(60), dense(2, activation="sigmoid")), {}),
    "summed, penalised": ((*RESIDUAL, dense(2)), {"reduction": "sum", "l2": 0.1}),
    "no loss": (RESIDUAL, {"loss": None}),
    "side by side": (
        (*RESIDUAL, joined("input", "branch", "sum", "branch"), dense(2, activation="relu")),
        {},
    ),
    "branches": (
        (
            dense(3, name="a", activation="tanh"),
            dense(3, "input", name="b", activation="sigmoid"),
            dense(3, "input", name="c"),
            join("multiply", "a", "b", "c", name="gate"),
            join("add", "gate", "gate", "a"),
        ),
        {},
    ),
    "an input joined": (
        (dense(4, name="a", activation="tanh"), join("add", "a", "input", "input"), dense(2)),
        {},
    ),
    "a join at the end": ((dense(4, name="a"), join("multiply", "a", "input")), {}),
    "shared": (
        (
            dense(4, name="first", activation="tanh"),
            dense(4, name="second", share="first"),
            dense(4, name="third", share="second", activation="sigmoid"),
            join("add", "first", "third"),
            dense(2),
        ),
        {},
    ),
    "shared by the last activation": (
        (
            dense(4, name="first", activation="prelu"),
            dense(4, share="first", activation="prelu"),
        ),
        {},
    ),
    "axes repeated": (
        (
            dense(3, name="a"),
            dense(1, "input", name="b", activation="sigmoid"),
            join("multiply", "a", "b"),
        ),
        {},
    ),
    "several inputs": (
        (
            dense(3, "y", name="cache", activation="tanh"),
            join("add", "cache", "params"),
            dense(3, name="grads"),
            join("multiply", "grads", "yT", "params"),
        ),
        {"inputs": INPUTS},
    ),
    "wide, several inputs": (
        (dense(50, "y"), dense(3, name="k"), join("add", "params", "yT", "k"), dense(2)),
        {"inputs": INPUTS},
    ),
    "one input by a name": ((dense(3, "x1"), dense(2)), {"inputs": (InputUse("x1", (4,)),)}),
}
each_case = pytest.mark.parametrize("name", CASES)


def made(name):
    layers, more = CASES[name]
    return network(*layers, **more)


def drawn(net, rng, count):
    """Return a batch as the module takes it, and by the names of the equations."""
    arrays = {
        v.name: rng.standard_normal((count, *(axis.extent for axis in v.axes[1:])))
        for v in net.inputs
    }
    if len(arrays) == 1:
        return next(iter(arrays.values())), arrays
    return {v.owner: arrays[v.name] for v in net.inputs}, arrays


def flat(net, grads):
    """Return gradients by the names of the equations."""
    if len(net.inputs) == 1:
        return {net.input.name if k == "x" else k: v for k, v in grads.items()}
    found = {k: v for k, v in grads.items() if k != "x"}
    return found | {v.name: grads["x"][v.owner] for v in net.inputs}


def loops(net, values, cotangent):
    sizes = {"N": len(cotangent)}
    run = evaluate(forward_equations(net), values, sizes)
    adjoints = calculus.derive_layers(net).adjoints
    found = accumulate(adjoints, run, {net.output.name: cotangent}, sizes)
    return run[net.output.name], {v.name: found[v.name] for v in net.varied}


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, each in expected.items():
        value = np.asarray(each, np.float64)
        assert np.shape(found[name]) == value.shape, name
        assert np.abs(found[name] - value).max() <= TOLERANCE * np.abs(value).max(), name


@each_case
def test_both_paths_agree_with_loops(name):
    net = made(name)
    module = module_of(generate(net).text)
    rng = np.random.default_rng(3)
    params = module.initialize(1, scale=0.7)
    x, arrays = drawn(net, rng, 3)
    output, cache = module.forward(params, x)
    cotangent = rng.standard_normal(output.shape)
    grads = module.backward(params, cache, cotangent)
    expected, adjoints = loops(net, {**params, **arrays}, cotangent)
    assert_close({"output": output, **flat(net, grads)}, {"output": expected, **adjoints})
    if net.loss and not net.penalties:
        y = rng.standard_normal(output.shape)
        plain = module.backward(params, cache, module.loss_gradient(output, y))
        work = module.Workspace(4)
        for workspace in (None, work, work):
            value, trained = module.loss_and_gradients(
                params, x, y, workspace=workspace, input_gradient=True
            )
            assert value == pytest.approx(module.loss(output, y), rel=TOLERANCE)
            assert_close(flat(net, trained), flat(net, plain))


@each_case
def test_a_module_passes_its_checks(name, tmp_path):
    net = made(name)
    path = tmp_path / "module.py"
    text = generate(net).text
    path.write_text(text, encoding="utf-8")
    report = check_module(path, architecture=net)
    assert report.passed, report
    assert max(module_of(text).gradient_check().values()) < 1e-6


def test_a_residual_network_agrees_with_pytorch():
    torch = torch_or_skip()
    net = made("shared")
    module = module_of(generate(net).text)
    params = module.initialize(5, scale=0.6)
    assert sorted(params) == ["W5", "W_first", "b5", "b_first"]
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 4)), rng.standard_normal((6, 2))
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in {**params, "x": x}.items()}

    def layer(value, name):
        return value @ leaves[f"W{name}"] + leaves[f"b{name}"]

    first = torch.tanh(layer(leaves["x"], "_first"))
    third = torch.sigmoid(layer(layer(first, "_first"), "_first"))
    loss = torch.nn.functional.mse_loss(layer(first + third, "5"), torch.tensor(y))
    loss.backward()
    value, grads = module.loss_and_gradients(params, x, y, input_gradient=True)
    assert value == pytest.approx(loss.item(), rel=TOLERANCE)
    assert_close(grads, {name: leaf.grad.numpy() for name, leaf in leaves.items()})


def test_equal_layers_are_one_loop_only_where_they_chain():
    chain = [dense(40, activation="tanh") for _ in range(6)]
    first = dense(40, name="first", activation="tanh")
    second = dense(40, "first", activation="tanh")
    ends = [dense(40, name="a"), second, *chain, dense(40, name="b"), join("add", "a", "b")]
    text = generate(network(first, *chain, *ends)).text
    for line in ("for k in range(3, 8):", "for k in range(10, 16):", "in work.forward_10_to_14:"):
        assert line in text
    assert max(module_of(text).gradient_check().values()) < 1e-6


def test_integers_have_no_gradient():
    inputs = (InputUse("t", (3,), integer=True), InputUse("u", (3,)))
    net = network(join("multiply", "t", "u"), dense(2), inputs=inputs)
    module = module_of(generate(net).text)
    params = module.initialize(0)
    x = {"t": np.array([[1, 2, 3]]), "u": np.ones((1, 3))}
    output, cache = module.forward(params, x)
    assert module.backward(params, cache, output)["x"].keys() == {"u"}
    with pytest.raises(ValueError, match=r'x\["t"\] holds float64, must hold integers'):
        module.forward(params, {**x, "t": np.ones((1, 3))})


@pytest.mark.parametrize(
    ("x", "found"),
    [
        (np.ones((2, 4)), "x must be a dict of arrays, its keys y, params, yT"),
        ({"y": np.ones((2, 4))}, "x must be a dict"),
        (
            {"y": np.ones((2, 4)), "params": np.ones((2, 3)), "yT": np.ones((2, 2))},
            r'x\["yT"\] has shape \(2, 2\), must be \(N, 3\)',
        ),
        (
            {"y": np.ones((2, 4)), "params": np.ones((2, 3)), "yT": np.ones((3, 3))},
            r"x has \[2, 2, 3\] samples, must have as many in every input",
        ),
    ],
)
def test_mistakes_in_several_inputs(x, found):
    module = module_of(generate(made("several inputs")).text)
    with pytest.raises(ValueError, match=found):
        module.forward(module.initialize(), x)


def test_show_says_what_is_read_and_shared():
    text = network_text(made("shared"))
    assert "those of first" in text
    assert "add from first, third" in text
    assert "y       input" in network_text(made("several inputs"))


@pytest.mark.parametrize(
    ("layers", "more", "found"),
    [
        ([dense(2, "inptu")], {}, "'inptu' is not known; did you mean 'input'? allowed: input"),
        ([dense(2, "b"), dense(2, name="b")], {}, "'b' stands below (layer 2)"),
        ([dense(2, "a", name="a")], {}, "layer 'a': from: a layer cannot read itself"),
        ([dense(2, name="block")], {}, "the name 'block' is reserved in from"),
        ([dense(2, name="a"), dense(2, name="a")], {}, "the name 'a' is that of layer 1"),
        ([dense(2, name="a"), dense(2, "input")], {}, "layer 'a': no layer reads it"),
        ([dense(2, "input", "input")], {}, "dense reads 1 value (x), from names 2"),
        ([dense(2, name="a"), join("add", "a")], {}, "reads 2 values or more, from names 1"),
        (
            [dense(3, name="a"), join("add", "a", "input")],
            {},
            "layer (add): axis 1 has the extents 3 and 4; all must be equal, or 1",
        ),
        ([dense(4, share="first")], {}, "share: 'first' is not known; no layer above has a name"),
        ([dense(4, name="a", share="a")], {}, "share: a layer cannot share its own parameters"),
        (
            [dense(3, name="a"), dense(3, share="a")],
            {},
            "share: W_a is (4, 3), this layer needs (3, 3)",
        ),
        (
            [dense(4, name="a"), dense(4, share="a", activation="prelu")],
            {},
            "share: 'a' has the parameters W, b, this layer has W, b, alpha",
        ),
        (
            [dense(4, name="a"), join("add", "a", "input", name="b"), dense(4, share="b")],
            {},
            "share: 'b' is of type 'add', this layer is of type 'dense'",
        ),
        ([dense(2)], {"inputs": INPUTS}, "from is missing: the network has the inputs params"),
        ([dense(2, "y")], {"inputs": INPUTS}, "input 'params': no layer reads it"),
        (
            [dense(2, "input")],
            {"inputs": INPUTS},
            "'input' is not known; allowed: params, y, yT",
        ),
        ([dense(2, "y", name="y")], {"inputs": INPUTS}, "the name 'y' is that of an input"),
        ([dense(2, "y")], {"inputs": INPUTS[:1] * 2}, "two inputs have the name 'y'"),
        (
            [dense(2, "input")],
            {"inputs": (InputUse("input", (2,)), INPUTS[0])},
            "the name 'input' is reserved in from",
        ),
    ],
)
def test_mistakes(layers, more, found):
    with pytest.raises(SymbackpropError) as caught:
        network(*layers, **more)
    assert found in str(caught.value)


@pytest.mark.parametrize("name", ["residual", "shared", "branches", "several inputs"])
def test_documents_derive_every_value_once(name):
    derived = calculus.derive_network(made(name))
    parts = (derived.network, derived.layers, derived.heads, derived.textbook, "")
    check_anchors(Derivation(*parts).document())
