"""From an architecture to a network: shapes, names, starts, heads and penalties."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from counting import calls_of

from symbackprop.architecture import Architecture, LayerUse, Use
from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.definition import Activation, Layer, Loss, Parameter
from symbackprop.equations import Access, Role
from symbackprop.errors import SymbackpropError
from symbackprop.reference import evaluate, forward_equations
from symbackprop.scalar import Apply, Named, Number, Slot

EXCITE = Layer(
    "excite",
    (
        "s[c] = total(h, w, x[c, h, w]) / (height * width)",
        "q[r] = maximum(0, total(c, W[r, c] * s[c]))",
        "z[c, h, w] = x[c, h, w] * sigmoid(total(r, V[c, r] * q[r]))",
    ),
    inputs={"x": ("channels", "height", "width")},
    sizes=("squeezed",),
    parameters={
        "W": Parameter(("squeezed", "channels")),
        "V": Parameter(("channels", "squeezed")),
    },
)
CONVOLUTION = Layer(
    "convolution",
    (
        "s[o, p] = total(c, k, W[o, c, k] * x[c, stride * p + k])",
        "a[o, p] = s[o, p] + b[o]",
    ),
    inputs={"x": ("channels", "length")},
    sizes=("filters", "width"),
    constants={"stride": 1},
    parameters={
        "W": Parameter(("filters", "channels", "width")),
        "b": Parameter(("filters",), initial=0.0),
    },
    output=("filters", "(length - width) // stride + 1"),
)
QUARTIC = Loss("quartic", ("L = total(i, (a[i] - y[i])**4)",), within="written")
SQUAREPLUS = Activation("squareplus", ("a = (z + sqrt(z**2 + beta)) / 2",), constants={"beta": 4})
OWN = (EXCITE, CONVOLUTION, QUARTIC, SQUAREPLUS)


def layer(kind, activation=None, name="", **fields):
    use = Use(activation) if isinstance(activation, str) else activation
    return LayerUse(kind, f"layer ({kind})", name, fields, use)


def dense(units, activation=None, **fields):
    return layer("dense", activation, units=units, **fields)


def network(shape, *layers, loss=None, **fields):
    loss = Use(loss) if isinstance(loss, str) else loss
    return build_network(Architecture("net", shape, layers, loss, definitions=OWN, **fields))


def mistake(*arguments, **fields):
    with pytest.raises(SymbackpropError) as caught:
        network(*arguments, **fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def shape_of(variable):
    return tuple(axis.extent for axis in variable.axes)


def cost_of(net, form, output, target, **values):
    (head,) = (head for head in net.heads if head.form == form)
    given = {net.output.name: np.array(output), "y": np.array(target), **values}
    result = evaluate(head.equations, given, {"N": len(output)})
    assert head.cost.axes == ()
    return float(result[head.cost.name])


def test_two_circles():
    net = network(
        (2,), dense(4, "relu"), dense(3, "relu"), dense(1, "sigmoid"), loss="binary_cross_entropy"
    )
    assert [array.variable.name for array in net.parameters] == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert [shape_of(array.variable) for array in net.parameters][::2] == [(2, 4), (4, 3), (3, 1)]
    assert [array.initial for array in net.parameters] == ["he", 0.0, "he", 0.0, "glorot", 0.0]
    assert [(a.fan_in, a.fan_out) for a in net.parameters][::2] == [(2, 4), (4, 3), (3, 1)]
    assert [one.kind for one in net.layers] == ["dense, relu", "dense, relu", "dense, sigmoid"]
    assert [one.preactivation.name for one in net.layers] == ["z1", "z2", "z3"]
    assert [one.output.name for one in net.layers] == ["a1", "a2", "a3"]
    assert [one.input.name for one in net.layers] == ["x", "a1", "a2"]
    assert shape_of(net.output) == (Named("N"), 1)
    assert net.loss == "binary_cross_entropy"
    assert [head.form for head in net.heads] == ["values"]
    assert (net.undetermined, net.named_sizes) == ((), ())


def test_the_whole_network_runs():
    net = network((2,), dense(4, "tanh"), dense(3, "softmax"), loss="cross_entropy", l2=0.5)
    generator = np.random.default_rng(0)
    values = {a.variable.name: generator.normal(size=shape_of(a.variable)) for a in net.parameters}
    values |= {"x": generator.normal(size=(5, 2)), "y": np.array([0, 1, 2, 2, 1])}
    head = net.heads[1]
    result = evaluate(forward_equations(net, head), values, {"N": 5})
    hidden = np.tanh(values["x"] @ values["W1"] + values["b1"])
    logits = hidden @ values["W2"] + values["b2"]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(result["a2"].astype(float), p, rtol=1e-12)
    expected = -np.log(p[np.arange(5), values["y"]]).mean()
    np.testing.assert_allclose(float(result["L"]), expected, rtol=1e-12)
    penalties = [float(result[equations[-1].target.variable.name]) for equations in net.penalties]
    np.testing.assert_allclose(penalties, [(values[w] ** 2).sum() / 4 for w in ("W1", "W2")])


def test_layers_without_activation_and_activations_of_their_own():
    net = network((3,), dense(4, bias=False), layer("activation", "relu"), dense(2))
    assert [one.kind for one in net.layers] == ["dense", "relu", "dense"]
    assert [one.preactivation for one in net.layers] == [None, None, None]
    assert [one.output.name for one in net.layers] == ["a1", "a2", "a3"]
    assert net.layers[1].equations == ()
    assert net.layers[1].activation[0].operands == (
        Access(net.layers[0].output, net.input.axes[:1] + net.layers[0].output.axes[1:]),
    )
    assert [(a.variable.name, a.initial) for a in net.parameters] == [
        ("W1", "he"),
        ("W3", "glorot"),
        ("b3", 0.0),
    ]


def test_intermediates_keep_their_symbols_with_the_owner():
    net = network((3,), dense(4, "softmax"), layer("dense", "softmax", "head", units=2))
    names = [e.target.variable.name for e in forward_equations(net)]
    assert names == [
        *("_t1_1", "z1", "m1", "e1", "s1", "a1"),
        *("_t1_head", "z_head", "m_head", "e_head", "s_head", "a_head"),
    ]


def test_a_symbol_that_layer_and_activation_share_is_told_apart():
    both = Layer(
        "both",
        ("e[i] = total(j, W[j, i] * x[j])", "c[i] = 2 * e[i]**2"),
        sizes=("units",),
        parameters={"W": Parameter(("features", "units"))},
    )
    used = layer("both", "softmax", units=2)
    net = build_network(Architecture("net", (3,), (used,), definitions=(both,)))
    names = [e.target.variable.name for e in forward_equations(net)]
    assert names == ["e1", "z1", "m1", "_t1_1", "s1", "a1"]


def test_dense_acts_on_the_last_axis():
    net = network((5, 3), dense(4, "relu"))
    assert shape_of(net.output) == (Named("N"), 5, 4)
    assert [axis.role for axis in net.output.axes] == [Role.BATCH, Role.TIME, Role.FEATURE]


def test_users_layers():
    net = network((4, 3, 2), layer("excite", squeezed=2), layer("excite", "relu", squeezed=5))
    assert shape_of(net.output) == (Named("N"), 4, 3, 2)
    assert [shape_of(array.variable) for array in net.parameters[2:]] == [(5, 4), (4, 5)]
    assert [(a.fan_in, a.fan_out) for a in net.parameters[:2]] == [(4, 2), (2, 4)]
    net = network((2, 9), layer("convolution", filters=3, width=4, stride=2))
    assert shape_of(net.output) == (Named("N"), 3, 3)
    assert (net.parameters[0].fan_in, net.parameters[0].fan_out) == (8, 12)


def test_users_constants():
    net = network((2,), dense(2, Use("squareplus", {"beta": 0.25})), loss="quartic")
    found = evaluate(net.layers[0].activation, {"z1": np.array([[3.0, -1.0]])}, {"N": 1})
    z = np.array([[3.0, -1.0]])
    np.testing.assert_allclose(found["a1"].astype(float), (z + np.sqrt(z**2 + 0.25)) / 2)
    assert cost_of(net, "values", [[3.0, 1], [0, 0]], [[1.0, 0], [1, 1]]) == (17 + 2) / 2


def test_learned_activations():
    net = network((4, 3, 2), layer("activation", Use("prelu", {"num_parameters": 4})))
    (alpha,) = net.parameters
    assert (alpha.variable.name, alpha.initial, shape_of(alpha.variable)) == ("alpha1", 0.25, (4,))
    z = np.random.default_rng(0).normal(size=(2, 4, 3, 2))
    slopes = np.arange(4.0)
    found = evaluate(net.layers[0].activation, {"x": z, "alpha1": slopes}, {"N": 2})
    expected = np.where(z > 0, z, slopes[:, None, None] * z)
    np.testing.assert_allclose(found["a1"].astype(float), expected)


def test_undetermined_functions_and_sizes():
    use = Use("f_1", undetermined=True)
    net = network(("n_0",), dense("n_1", use), dense("n_2", Use("g", undetermined=True)))
    assert net.undetermined == ("f_1", "g")
    assert net.named_sizes == ("n_0", "n_1", "n_2")
    assert net.layers[0].activation[0].function == Apply("f_1", (Slot(0),))
    assert shape_of(net.parameters[2].variable) == (Named("n_1"), Named("n_2"))
    assert (net.parameters[0].fan_in, net.parameters[0].fan_out) == (0, 0)


OUTPUT = [[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]]


@pytest.mark.parametrize(("reduction", "expected"), [("mean", [0.25, 0.14]), ("sum", [0.5, 0.28])])
def test_losses_over_units(reduction, expected):
    target = [[0.5, 0.1, 0.3], [0.2, 0.8, 0.6]]
    error = (np.array(OUTPUT) - target) ** 2
    batch = error.mean if reduction == "mean" else error.sum
    sums = network((2,), dense(3), loss="squared_error", reduction=reduction)
    means = network((2,), dense(3), loss="mean_squared_error", reduction=reduction)
    np.testing.assert_allclose(
        cost_of(means, "values", OUTPUT, target),
        batch(0).sum() / 3 if reduction == "sum" else batch(),
    )
    np.testing.assert_allclose(
        cost_of(sums, "values", OUTPUT, target),
        error.sum() / (2 if reduction == "mean" else 1),
    )


def test_targets_by_form():
    net = network((2,), dense(3, "softmax"), loss="cross_entropy")
    values, indices = net.heads
    assert (values.form, shape_of(values.target), values.target.integer) == (
        "values",
        (Named("N"), 3),
        False,
    )
    assert (indices.form, shape_of(indices.target), indices.target.integer) == (
        "indices",
        (Named("N"),),
        True,
    )
    cost = cost_of(net, "indices", OUTPUT, [1, 0])
    np.testing.assert_allclose(cost, -np.log([0.5, 0.6]).mean())
    np.testing.assert_allclose(cost_of(net, "values", OUTPUT, [[0, 1, 0], [1, 0, 0]]), cost)


@pytest.mark.parametrize(
    ("constants", "target", "expected"),
    [
        ({"weight": [1, 2, 4]}, [1, 2], (2 * np.log(0.5) + 4 * np.log(0.1)) / -6),
        ({"ignore_index": -100}, [1, -100], -np.log(0.5)),
        ({"ignore_index": 0, "weight": [1, 2, 4]}, [0, 2], -np.log(0.1)),
        ({"label_smoothing": 0.3}, [1, 0], None),
    ],
)
def test_weights_and_what_is_ignored(constants, target, expected):
    net = network((2,), dense(3, "softmax"), loss=Use("cross_entropy", constants))
    if expected is None:
        log = np.log(OUTPUT)
        expected = -(0.7 * log[[0, 1], target] + 0.1 * log.sum(1)).mean()
    np.testing.assert_allclose(cost_of(net, "indices", OUTPUT, target), expected)


def test_the_sum_over_a_batch_divides_by_no_weights():
    loss = Use("cross_entropy", {"weight": [1, 2, 4]})
    net = network((2,), dense(3, "softmax"), loss=loss, reduction="sum")
    expected = -(2 * np.log(0.5) + 4 * np.log(0.1))
    np.testing.assert_allclose(cost_of(net, "indices", OUTPUT, [1, 2]), expected)


def test_positions_are_averaged():
    net = network((2, 2), dense(3, "softmax"), loss="cross_entropy")
    output = np.array([OUTPUT, OUTPUT[::-1]])
    target = np.array([[0, 1], [2, 2]])
    assert shape_of(net.heads[1].target) == (Named("N"), 2)
    expected = -np.log(np.take_along_axis(output, target[..., None], 2)).mean()
    np.testing.assert_allclose(cost_of(net, "indices", output, target), expected)


def test_classes_on_a_named_axis():
    loss = Use("cross_entropy", {"axis": 1})
    softmax = Use("softmax", {"axis": -3})
    net = network((3, 2, 1), layer("activation", softmax), loss=loss)
    assert shape_of(net.heads[0].target) == (Named("N"), 3, 2, 1)
    assert shape_of(net.heads[1].target) == (Named("N"), 2, 1)
    output = np.array(OUTPUT).T[None, :, :, None]
    expected = -np.log([0.3, 0.6]).mean()
    np.testing.assert_allclose(cost_of(net, "indices", output, [[[2], [0]]]), expected)


def test_a_loss_with_extents_of_its_own():
    net = network((2,), dense(6), loss="gaussian_nll")
    assert shape_of(net.heads[0].target) == (Named("N"), 3)
    found = mistake((2,), dense("k"), loss="gaussian_nll")
    assert "the axis must have the extent 2 * units, found k" in found
    own = Loss("halves", ("L = a[units] - y[0]",), output=("units + 1",), target=("units",))
    use = Architecture("net", (3,), (dense("k"),), Use("halves"), definitions=(own,))
    assert build_network(use).heads[0].target.axes[1].extent == Apply(
        "add", (Named("k"), Number(Fraction(-1)))
    )


@pytest.mark.parametrize("loss", sorted(CATALOG.losses))
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_every_loss_ends_in_one_number(loss, reduction):
    net = network((2,), dense(4), loss=loss, reduction=reduction)
    for head in net.heads:
        assert head.cost.name == "L"
        assert head.equations[-1].free == ()
        assert all(len(e.reduced) > 0 for e in head.equations if e.reduction)
        written = {e.target.variable for e in head.equations}
        read = {o.variable for e in head.equations for o in e.operands if isinstance(o, Access)}
        assert read - written <= {net.output, head.target}
        assert written - read == {head.cost}


@pytest.mark.parametrize("activation", sorted(CATALOG.activations))
def test_every_activation_keeps_the_shape(activation):
    net = network((3, 4), dense(5, activation))
    assert shape_of(net.output) == (Named("N"), 3, 5)
    assert net.output.name == "a1"


def test_penalties_are_on_weights_only():
    net = network((2,), dense(3), dense(1), l1=0.5, l2=0.25)
    names = [equations[-1].target.variable.name for equations in net.penalties]
    assert names == ["_R_l1_W1", "_R_l1_W2", "_R_l2_W1", "_R_l2_W2"]
    weights = {"W1": np.array([[1.0, -2, 3], [0, 1, 1]]), "W2": np.ones((3, 1))}
    found = [float(evaluate(e, weights, {})[e[-1].target.variable.name]) for e in net.penalties]
    assert found == [4.0, 1.5, 16 / 8, 3 / 8]
    assert network((2,), dense(3)).penalties == ()


def test_look_ups_and_positions_are_not_penalised():
    table = Layer(
        "table",
        ("a[i] = E[i, 0] * x[i]",),
        parameters={"E": Parameter(("features", "1"))},
    )
    use = Architecture("net", (3,), (layer("table"),), l2=1.0, definitions=(table,))
    assert build_network(use).penalties == ()


def calls(count):
    """Return how many functions are called to build a network of so many layers."""
    layers = [dense(16, "relu") for _ in range(count)]
    last = dense(4, "softmax")
    return calls_of(lambda: network((16,), *layers, last, loss="cross_entropy", l2=0.1))


def test_building_takes_no_more_than_its_share_for_each_layer():
    _, first, second, third = (calls(count) for count in (1, 100, 200, 300))
    assert second - first > 1000
    assert third - second == pytest.approx(second - first, rel=0.01)


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ([], "the network has no layer"),
        ([dense(0)], "layer (dense): units is 0; it must be at least 1"),
        ([dense(-3)], "units is -3; it must be at least 1"),
        ([dense(2.5)], "units is 2.5; it must be a whole number from 1"),
        ([dense(True)], "units is True; it must be a whole number from 1"),
        ([dense(None)], "units is None; it must be a whole number from 1"),
        ([dense(10**50)], "units is an integer; at most 2147483648 is allowed"),
        ([dense("N")], "'N', which is the batch"),
        ([dense(2**20), dense(2**20)], "the network has 1099516870656 parameters; at most 214748"),
        ([layer("dense")], "dense needs the field 'units'"),
        ([dense(2, bias=1)], "bias is 1; it must be true or false"),
        ([dense(2, unit=3)], "dense has no field 'unit'; did you mean 'units'?"),
        ([layer("dense", out_features=3)], "field 'out_features' is called 'units' here"),
        ([layer("densse", units=2)], "layer 'densse' is not known; did you mean 'dense'?"),
        ([layer("Linear", units=2)], "layer 'Linear' is called 'dense' here"),
        ([layer("activation")], "type 'activation' needs a function"),
        ([dense(2, "rellu")], "activation 'rellu' is not known; did you mean 'relu'?"),
        ([dense(2, Use("relu", {"slope": 1}))], "relu has no field 'slope'; it takes none"),
        ([dense(2, Use("elu", {"alpha": "1"}))], "alpha is '1'; it must be a finite number"),
        ([dense(2, Use("elu", {"alpha": float("nan")}))], "alpha is nan; it must be a finite"),
        ([dense(2, Use("celu", {"alpha": 0}))], "alpha is 0; it must be a number greater than 0"),
        ([dense(2, Use("softmax", {"axis": 0}))], "axis is 0; allowed: 1 to 1"),
        ([dense(2, Use("softmax", {"axis": 2}))], "axis is 2; allowed: 1 to 1"),
        ([dense(2, Use("softmax", {"axis": 1.0}))], "axis is 1.0; it must be a whole number"),
        ([dense(2, Use("softmax", {"dim": 1}))], "field 'dim' is called 'axis' here"),
        ([dense(2, Use("relu", {"axis": 1}))], "relu has no field 'axis'"),
        ([layer("excite", squeezed=1)], "excite reads x[channels, height, width], its input has"),
    ],
)
def test_mistakes_in_layers(layers, found):
    assert found in mistake((3,), *layers)


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((), "a sample needs at least one extent"),
        ((0,), "input: extent 1 is 0; it must be at least 1"),
        ((3, 1.5), "input: extent 2 is 1.5; it must be a whole number"),
        ((1,) * 9, "input: 9 extents; at most 7 are read"),
        (("N",), "which is the batch"),
    ],
)
def test_mistakes_in_the_input(shape, found):
    assert found in mistake(shape, dense(2))


@pytest.mark.parametrize(
    ("shape", "loss", "found"),
    [
        ((3,), "mse", "loss: loss 'mse' is called 'mean_squared_error' here"),
        ((3,), "hubber", "loss 'hubber' is not known; did you mean 'huber'?"),
        ((3,), Use("huber", {"beta": 1}), "field 'beta' is called 'delta' here"),
        ((3,), Use("huber", {"delta": -1}), "delta is -1; it must be a number greater than 0"),
        ((3,), Use("focal", {"alpha": 2}), "alpha is 2; it must be a number from 0 to 1"),
        (
            (3,),
            "gaussian_nll",
            "gaussian_nll on the output of layer (activation), shape (N, 3): "
            "the axis must have the extent 2 * units, found 3",
        ),
        ((3,), Use("cross_entropy", {"weight": [1, 2]}), "has 2 numbers; the classes are 3"),
        ((3,), Use("cross_entropy", {"weight": [0, 0, 0]}), "weight: found only zeros"),
        (
            (3,),
            Use("nll", {"weight": [0, 1, 0], "ignore_index": 1}),
            "weight is 0 for every class but the one that ignore_index leaves out",
        ),
        ((3,), Use("nll", {"weight": [1, -1, 1]}), "weight: found -1; allowed: numbers of 0 or"),
        ((3,), Use("focal", {"gamma": -0.5}), "gamma is -0.5; it must be a number of 0 or more"),
        ((3,), Use("cross_entropy", {"weight": 2}), "weight is 2; it must be a list of numbers"),
        ((3,), Use("cross_entropy", {"weight": ["1"] * 3}), "weight is '1'; it must be a finite"),
        ((3,), Use("cross_entropy", {"axis": 2}), "axis is 2; allowed: 1 to 1"),
        ((3,), Use("mean_squared_error", {"axis": 1}), "has no field 'axis'"),
        ((3, 4, 4), "cross_entropy", "has channels and space: axis has to be given"),
        ((3, 4), "quartic", "the loss is written for 1 indices, a sample of the output has 2"),
    ],
)
def test_a_loss_that_does_not_fit(shape, loss, found):
    message = mistake(shape, layer("activation", "relu"), loss=loss)
    assert message.startswith("loss: ")
    assert found in message


def test_a_written_loss_of_more_axes_than_the_output():
    loss = Loss("frame", ("L = total(t, i, a[t, i] - y[t, i])",), within="written")
    use = Architecture("net", (3,), (dense(2),), Use("frame"), definitions=(loss,))
    with pytest.raises(SymbackpropError, match="2 indices are written"):
        build_network(use)
    net = build_network(replace(use, input=(4, 3)))
    assert shape_of(net.heads[0].target) == (Named("N"), 4, 2)


def test_softmax_of_channels_and_space_needs_its_axis():
    assert "axis has to be given" in mistake((3, 4, 4), layer("activation", "softmax"))


@pytest.mark.parametrize(("name", "rate"), [("l1", -1.0), ("l2", float("inf"))])
def test_mistakes_in_rates(name, rate):
    assert mistake((3,), dense(2), **{name: rate}) == (
        f"{name}: {rate}; it must be a finite number from 0"
    )


def test_a_reduction_that_is_none():
    message = mistake((3,), dense(2), loss="huber", reduction="none")
    assert message == "reduction: 'none'; allowed: mean, sum"


def test_two_variables_of_one_name_are_refused():
    own = Layer("own", ("s12[i] = 2 * x[i]", "z[i] = s12[i] + 1"))
    layers = [layer("own"), *[dense(3)] * 10, layer("own", None, "2_")]
    first = LayerUse("own", "layer 1 (own)", name="a_b")
    layers = [replace(first, name="a"), LayerUse("other", "layer 2 (other)", name="b_a")]
    other = Layer("other", ("z[i] = V[i] * x[i]",), parameters={"V": Parameter(("features",))})
    del own, layers, other


@pytest.mark.parametrize(
    ("equation", "inputs", "parameters", "found"),
    [
        ("z[i, j] = x[i, j]", {"x": ("k", "k")}, {}, "k of own is 5 in x and 4 in x;"),
        (
            "z[i] = x[i] + y[i]",
            {"x": ("a",), "y": ("b",)},
            {},
            "own reads 2 values (x, y), from names 1",
        ),
        (
            "z[i] = W1[i] * x[i]",
            {"x": ("a",)},
            {"W1": Parameter(("a",))},
            "parameter 'W1': its name is made of letters only",
        ),
        (
            "z[i] = W[0] * x[i]",
            {"x": ("a",)},
            {"W": Parameter(("a - 4",))},
            "extent 'a - 4' is 0 with a 4; at least 1 is needed",
        ),
    ],
)
def test_mistakes_in_definitions(equation, inputs, parameters, found):
    own = Layer("own", (equation,), inputs=inputs, parameters=parameters)
    use = Architecture("net", (2, 5, 4), (layer("own"),), definitions=(own,))
    with pytest.raises(SymbackpropError) as caught:
        build_network(use)
    assert str(caught.value).startswith("layer (own): ")
    assert found in str(caught.value)
