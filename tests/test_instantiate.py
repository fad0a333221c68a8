"""Definitions as users write them, instantiated and run element by element against NumPy."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from random_formulas import Writer, results

from symbackprop import scalar
from symbackprop.catalog import CATALOG
from symbackprop.definition import Activation, Parameter
from symbackprop.equations import (
    Access,
    Affine,
    Equation,
    Index,
    Quotient,
    Remainder,
    Role,
    Variable,
    accesses_of,
)
from symbackprop.errors import SymbackpropError
from symbackprop.instantiate import Names, Scope, extent_of, instantiate
from symbackprop.instantiate.polynomials import same_extent
from symbackprop.reference import evaluate
from symbackprop.scalar import ZERO, Apply, Named, Number, Slot, number

N = Index("n", Named("N"), Role.BATCH)
BATCH = 3


def array(symbol, *extents, batched=False, integer=False):
    axes = tuple(Index(f"{symbol}{k}", extent) for k, extent in enumerate(extents))
    owner = "" if batched else "1"
    return Variable(symbol, owner, (N, *axes) if batched else axes, integer)


def scope_of(inputs, parameters=(), sizes=None, **fields):
    variables = {variable.symbol: variable for variable in (*inputs, *parameters)}
    numbers = {name: number(size) for name, size in (sizes or {}).items()}
    settings = {"leading": (N,), "result": "a", "functions": CATALOG.activations, **fields}
    return Scope(
        owner="1",
        variables=variables,
        batched=frozenset(variable.symbol for variable in inputs),
        numbers={**numbers, **fields.pop("numbers", {})},
        **{key: value for key, value in settings.items() if key != "numbers"},
    )


def equations_of(texts, *arguments, **fields):
    scope = scope_of(*arguments, **fields)
    return instantiate([texts] if isinstance(texts, str) else texts, scope, Names("1", {"a"}))


def draw(variables, seed=0):
    generator = np.random.default_rng(seed)
    values = {}
    for variable in variables:
        shape = [BATCH if axis == N else axis.extent for axis in variable.axes]
        values[variable.name] = generator.normal(size=shape)
    return values


def run(texts, inputs, parameters=(), sizes=None, values=None, **fields):
    """The equations, what was drawn for their inputs, and the result's values."""
    equations = equations_of(texts, inputs, parameters, sizes, **fields)
    values = {**draw([*inputs, *parameters]), **(values or {})}
    result = evaluate(equations, values, {"N": BATCH})[equations[-1].target.variable.name]
    return equations, values, result.astype(float)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def symbols(equations):
    return [equation.target.variable.symbol for equation in equations]


def reads(equations):
    return [a for e in equations for operand in e.operands for a in accesses_of(operand)]


def test_dense_normalises_to_a_sum_and_an_affine_map():
    W, b = array("W", 2, 4), array("b", 4)
    x = array("x", 2, batched=True)
    found = equations_of("a[i] = total(j, W[j, i] * x[j]) + b[i]", [x], [W, b])
    i, j = Index("i", 4), Index("j", 2)
    t = Variable("_t1_", "1", (N, i))
    product = Apply("multiply", (Slot(0), Slot(1)))
    target = Access(Variable("a", "1", (N, i)), (N, i))
    assert found == (
        Equation(Access(t, (N, i)), product, (Access(W, (j, i)), Access(x, (N, j))), "total", (j,)),
        Equation(target, Apply("add", (Slot(0), Slot(1))), (Access(t, (N, i)), Access(b, (i,)))),
    )


def test_a_parameter_that_is_off_folds_away():
    W, b = array("W", 2, 4), array("b", 4)
    x = array("x", 2, batched=True)
    text = "a[i] = total(j, W[j, i] * x[j]) + b[i]"
    *_, last = equations_of(text, [x], [W, b], off={"b": ZERO})
    assert last.function == Slot(0)
    assert b not in [access.variable for access in reads([last])]


def test_softmax():
    texts = CATALOG.activations["softmax"].equations
    z = array("z", 4, batched=True)
    equations, values, result = run(texts, [z])
    exponential = np.exp(values["z"])
    np.testing.assert_allclose(result, exponential / exponential.sum(1, keepdims=True), rtol=1e-12)
    assert symbols(equations) == ["m", "e", "s", "a"]
    assert [e.reduction for e in equations] == ["largest", None, "total", None]
    assert [e.held for e in equations] == [True, False, False, False]
    assert equations[0].function == Slot(0)


def test_softmax_along_a_middle_axis_keeps_the_order_of_axes():
    texts = CATALOG.activations["softmax"].equations
    z = array("z", 4, 2, batched=True)
    equations, values, result = run(texts, [z], leading=(N, z.axes[2]), insert=1)
    exponential = np.exp(values["z"])
    np.testing.assert_allclose(result, exponential / exponential.sum(1, keepdims=True), rtol=1e-12)
    assert [len(e.free) for e in equations] == [2, 3, 2, 3]


LAYER_NORM = [
    "m = total(i, x[i]) / features",
    "d[i] = x[i] - m",
    "v = total(i, d[i]**2) / features",
    "a[i] = gamma[i] * d[i] / sqrt(v + eps) + beta[i]",
]


def test_layer_norm():
    x, gamma, beta = array("x", 5, batched=True), array("gamma", 5), array("beta", 5)
    sizes = {"features": 5, "eps": 1e-5}
    _, values, result = run(LAYER_NORM, [x], [gamma, beta], sizes)
    v = values["x"]
    normal = (v - v.mean(1, keepdims=True)) / np.sqrt(v.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(result, values["gamma1"] * normal + values["beta1"], rtol=1e-12)


def test_squareplus_and_its_exact_constant():
    z = array("z", 4, batched=True)
    text = "a = (z + sqrt(z**2 + beta)) / 2"
    (found,), values, result = run(text, [z], (), {"beta": 0.1}, leading=z.axes)
    assert Number(Fraction(1, 10)) in list(scalar.walk(found.function))
    np.testing.assert_allclose(result, (values["z"] + np.sqrt(values["z"] ** 2 + 0.1)) / 2)
    assert found.operands == (Access(z, z.axes),)


def test_quartic():
    a, y = array("a", 4, batched=True), array("y", 4, batched=True)
    (found,), values, result = run("L = total(i, (a[i] - y[i])**4)", [a, y], result="_l")
    np.testing.assert_allclose(result, ((values["a"] - values["y"]) ** 4).sum(1))
    assert found.reduction == "total"
    assert found.target.variable == Variable("_l", "1", (N,))


EXCITE = [
    "s[c] = total(h, w, x[c, h, w]) / (height * width)",
    "q[r] = maximum(0, total(c, W[r, c] * s[c]))",
    "z[c, h, w] = x[c, h, w] * sigmoid(total(r, V[c, r] * q[r]))",
]


def test_excite():
    x, W, V = array("x", 4, 3, 2, batched=True), array("W", 2, 4), array("V", 4, 2)
    sizes = {"channels": 4, "height": 3, "width": 2, "squeezed": 2}
    equations, values, result = run(EXCITE, [x], [W, V], sizes)
    q = np.maximum(0, values["x"].mean((2, 3)) @ values["W1"].T)
    expected = values["x"] * sigmoid(q @ values["V1"].T)[:, :, None, None]
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    assert symbols(equations) == ["_t1_", "s", "_t2_", "q", "_t3_", "_t4_", "a"]
    assert all(e.reduction is None or e.function.__class__ is not Number for e in equations)


def test_strided_convolution_with_a_declared_extent():
    x, W, b = array("x", 2, 9, batched=True), array("W", 3, 2, 4), array("b", 3)
    sizes = {"stride": 2, "length": 9, "width": 4}
    extent = extent_of("(length - width) // stride + 1", {k: number(v) for k, v in sizes.items()})
    assert extent == 3
    equations, values, result = run(
        [
            "s[o, p] = total(c, k, W[o, c, k] * x[c, stride * p + k])",
            "a[o, p] = s[o, p] + b[o]",
        ],
        [x],
        [W, b],
        sizes,
        output=(3, extent),
    )
    windows = np.lib.stride_tricks.sliding_window_view(values["x"], 4, axis=2)[:, :, ::2]
    expected = np.einsum("ock,ncpk->nop", values["W1"], windows) + values["b1"][:, None]
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    p, k = Index("p", 3), Index("k", 4, Role.KERNEL)
    assert reads(equations)[1].indices == (N, Index("c", 2), Affine(((2, p), (1, k)), 0))


def test_padded_convolution_reads_zero_outside():
    x, W = array("x", 5, batched=True), array("W", 3)
    text = "a[p] = total(k, W[k] * where(p + k - 1 >= 0 and p + k - 1 < length, x[p + k - 1], 0))"
    (found,), values, result = run(text, [x], [W], {"length": 5}, output=(5,))
    padded = np.pad(values["x"], ((0, 0), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)
    np.testing.assert_allclose(result, windows @ values["W1"], rtol=1e-12)
    assert found.function == Apply("multiply", (Slot(0), Slot(1)))
    assert [access.fill for access in reads([found])] == [None, "zero"]


def test_a_guard_that_says_more_than_the_extent_stays():
    x = array("x", 5, batched=True)
    text = "a[p] = where(p > 1, x[p - 1], 0) + 0 * x[p]"
    (found,), values, result = run(text, [x])
    expected = np.where(np.arange(5) > 1, np.roll(values["x"], 1, 1), 0)
    np.testing.assert_allclose(result, expected)
    assert found.operands[0] == Index("p", 5)
    assert found.operands[1].fill == "zero"


@pytest.mark.parametrize(
    "guard",
    [
        "where(t > 0, x[t - 1], 0)",
        "where(t >= 1, x[t - 1], 0)",
        "where(0 < t, x[t - 1], 0)",
        "where(t == 0, 0, x[t - 1])",
        "where(t != 0, x[t - 1], 0)",
        "where(not t < 1, x[t - 1], 0)",
        "where(t < 1 or t < 0, 0, x[t - 1])",
        "where(t - 1 >= 0 and t - 1 < time, x[t - 1], 0)",
    ],
)
@pytest.mark.parametrize("time", [4, Named("T")])
def test_guards_become_a_fill(guard, time):
    x = Variable("x", "", (N, Index("t", time)))
    scope = scope_of([x], numbers={"time": number(time) if time == 4 else time})
    (found,) = instantiate([f"a[t] = {guard} + 0 * x[t]"], scope, Names("1"))
    assert found.function == Slot(0)
    (access,) = found.operands
    assert access.fill == "zero"
    assert access.indices[1] == Affine(((1, Index("t", time)),), -1)


def test_max_pool_over_overlapping_windows():
    x = array("x", 2, 7, batched=True)
    (found,), values, result = run(
        "a[c, p] = largest(k, x[c, 2 * p + k] + 0 * K[k])",
        [x],
        [array("K", 3)],
        output=(2, 3),
    )
    windows = np.lib.stride_tricks.sliding_window_view(values["x"], 3, axis=2)[:, :, ::2]
    np.testing.assert_allclose(result, windows.max(3))
    assert found.reduction == "largest"
    assert found.function == Slot(0)


def test_embedding_look_up():
    x = array("x", 4, batched=True, integer=True)
    E = array("E", 6, 2)
    tokens = np.array([[0, 5, 1, 1], [2, 3, 4, 0], [5, 5, 5, 5]])
    (found,), values, result = run("a[t, d] = E[x[t], d]", [x], [E], values={"x": tokens})
    np.testing.assert_allclose(result, values["E1"][tokens])
    t, d = Index("t", 4), Index("d", 2)
    assert found.operands == (Access(E, (Access(x, (N, t)), d)),)


LSTM = [
    *(
        f"{gate}[t, u] = {function}(total(j, Wx[j, {k} * hidden + u] * x[t, j])"
        f" + total(v, Wh[v, {k} * hidden + u] * where(t > 0, h[t - 1, v], 0))"
        f" + b[{k} * hidden + u])"
        for k, (gate, function) in enumerate(
            [("i", "sigmoid"), ("f", "sigmoid"), ("g", "tanh"), ("o", "sigmoid")]
        )
    ),
    "c[t, u] = f[t, u] * where(t > 0, c[t - 1, u], 0) + i[t, u] * g[t, u]",
    "h[t, u] = o[t, u] * tanh(c[t, u])",
]


def test_lstm():
    x = array("x", 5, 3, batched=True)
    parameters = [array("Wx", 3, 8), array("Wh", 2, 8), array("b", 8)]
    equations, values, result = run(LSTM, [x], parameters, {"hidden": 2}, output=(5, 2))
    h = c = np.zeros((BATCH, 2))
    for t in range(5):
        z = values["x"][:, t] @ values["Wx1"] + h @ values["Wh1"] + values["b1"]
        i, f, g, o = (z[:, 2 * k : 2 * k + 2] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(result[:, t], h, rtol=1e-12)
    written = [symbol for symbol in symbols(equations) if not symbol.startswith("_")]
    assert written == ["i", "f", "g", "o", "c", "h", "a"]  # what it hands on, apart


def test_attention():
    x = array("x", 4, 3, batched=True)
    parameters = [array(name, 3, 2) for name in ("Wq", "Wk", "Wv")]
    texts = [
        "q[t, d] = total(i, x[t, i] * Wq[i, d])",
        "k[t, d] = total(i, x[t, i] * Wk[i, d])",
        "v[t, d] = total(i, x[t, i] * Wv[i, d])",
        "s[t, u] = where(u <= t, total(d, q[t, d] * k[u, d]) / sqrt(heads), -1000)",
        "m[t] = held(largest(u, s[t, u]))",
        "e[t, u] = exp(s[t, u] - m[t])",
        "a[t, d] = total(u, e[t, u] * v[u, d]) / total(u, e[t, u])",
    ]
    _, values, result = run(texts, [x], parameters, {"heads": 2})
    q, k, v = (values["x"] @ values[f"W{name}1"] for name in "qkv")
    scores = np.where(np.tri(4, dtype=bool), q @ k.swapaxes(1, 2) / np.sqrt(2), -1000)
    weights = np.exp(scores)
    weights /= weights.sum(2, keepdims=True)
    np.testing.assert_allclose(result, weights @ v, rtol=1e-12)


def test_the_same_reduction_is_hoisted_once():
    x = array("x", 4, batched=True)
    text = "a[i] = (x[i] - total(j, x[j])) / (1 + total(j, x[j])**2)"
    equations, values, result = run(text, [x])
    assert len(equations) == 2
    total = values["x"].sum(1, keepdims=True)
    np.testing.assert_allclose(result, (values["x"] - total) / (1 + total**2))


def test_an_operand_is_listed_once():
    x = array("x", 4, batched=True)
    (found,) = equations_of("a[i] = x[i] * x[i] + x[i]", [x])
    assert len(found.operands) == 1


def test_copies_and_numbers_are_seen_through_and_the_unneeded_left_out():
    x = array("x", 4, batched=True)
    texts = ["c[i] = x[i]", "one = 2 - 1", "unused = total(i, x[i])", "a[i] = one * c[i]**2"]
    (found,) = equations_of(texts, [x])
    assert found.operands[0].variable == x


def test_what_reads_no_sample_has_no_batch_axis():
    W, x = array("W", 3, 4), array("x", 3, batched=True)
    texts = ["s[i] = sqrt(total(j, W[j, i]**2))", "a[i] = total(j, W[j, i] * x[j]) / s[i]"]
    equations, values, result = run(texts, [x], [W])
    assert [e.free[0] == N for e in equations] == [False, False, True, True]
    W = values["W1"]
    np.testing.assert_allclose(result, values["x"] @ W / np.sqrt((W**2).sum(0)))


def test_leading_indices_keep_clear_of_written_letters():
    x = array("x", 4, batched=True)
    (found,) = equations_of("a[n] = 2 * x[n]", [x])
    assert [index.name for index in found.free] == ["_n", "n"]


def test_index_values_are_operands():
    x = array("x", 4, batched=True)
    (found,), values, result = run("a[i] = i * x[i]", [x])
    assert found.operands[0] == Index("i", 4)
    np.testing.assert_allclose(result, np.arange(4) * values["x"])


@pytest.mark.parametrize(
    ("subscript", "expected"),
    [
        ("i", Index("i", 4)),
        ("i % 1", Affine((), 0)),
        ("i % 4", Index("i", 4)),
        ("i % size", Index("i", 4)),
        ("i // 1", Index("i", 4)),
        ("i // 4", Affine((), 0)),
        ("i // 2", Quotient(Index("i", 4), 2)),
        ("i % 2", Remainder(Index("i", 4), 2)),
        ("(i + 2) % 4", Remainder(Affine(((1, Index("i", 4)),), 2), 4)),
        ("3 - i", Affine(((-1, Index("i", 4)),), 3)),
        ("2 * (i - i) + 3", Affine((), 3)),
        ("size - 1", Affine((), 3)),
    ],
)
def test_index_expressions(subscript, expected):
    x = array("x", 4, batched=True)
    (found,) = equations_of(f"a[i] = v[{subscript}] + x[i]", [x], [array("v", 4)], {"size": 4})
    assert found.operands[0].indices == (expected,)


def test_symbolic_extents():
    time, width = Named("T"), Named("d")
    x = Variable("x", "", (N, Index("t", time), Index("i", width)))
    scope = scope_of([x], numbers={"features": width})
    texts = ["m[t] = total(i, x[t, i]) / features", "a[t, i] = x[t, features - 1 - i] - m[t]"]
    equations = instantiate(texts, replace(scope, output=(time, width)), Names("1"))
    assert equations[-1].free[1:] == (Index("t", time), Index("i", width))
    values = {"x": np.arange(BATCH * 4.0).reshape(BATCH, 2, 2)}
    result = evaluate(equations, values, {"N": BATCH, "T": 2, "d": 2})["a1"].astype(float)
    expected = values["x"][:, :, ::-1] - values["x"].mean(2, keepdims=True)
    np.testing.assert_allclose(result, expected)


def test_vectors_and_unset_constants():
    a, y = array("a", 4, batched=True), Variable("y", "", (N,), integer=True)
    text = "L = where(y == ignored, 0, weight[y] * a[y])"
    classes = {"y": np.array([3, 0, 1])}
    weights = (Fraction(1), Fraction(2), Fraction(3), Fraction(1, 2))
    picked = draw([a])["a"][np.arange(3), classes["y"]]

    def result(vector, ignored):
        numbers = {"ignored": ignored}
        vectors = {"weight": vector}
        return run(text, [a, y], values=classes, vectors=vectors, numbers=numbers)

    (found,), _, plain = result(None, None)
    assert found.function == Slot(0)
    np.testing.assert_allclose(plain, picked)
    *_, weighted = result(weights, None)
    np.testing.assert_allclose(weighted, picked * [0.5, 1, 2])
    (found,), _, ignoring = result(weights, number(3))
    np.testing.assert_allclose(ignoring, picked * [0, 1, 2])
    assert {access.fill for access in reads([found])} == {None, "zero"}


def test_truth_values_choose_at_load():
    x = array("x", 4, batched=True)
    text = "a[i] = where(flag == 1 and 2 > 1, x[i], 0) + where(not flag, 1, x[i])"
    (found,) = equations_of(text, [x], (), {"flag": 1})
    assert found.function == Apply("add", (Slot(0), Slot(0)))


def test_activations_may_call_each_other():
    gate = Activation("gate", ("a = sigmoid(2 * z) * tanh(z)",))
    functions = {**CATALOG.activations, "gate": gate}
    x = array("x", 4, batched=True)
    _, values, result = run("a[i] = gate(x[i]) + gate(x[i])", [x], functions=functions)
    expected = 2 * sigmoid(2 * values["x"]) * np.tanh(values["x"])
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_generated_symbols_do_not_run_into_positions():
    first, twelfth = Names("2"), Names("12")
    eleventh = [first.fresh() for _ in range(11)][-1]
    names = {Variable(eleventh, "2").name, Variable(twelfth.fresh(), "12").name}
    assert len(names) == 2
    assert Variable(Names("2").claim("s1"), "2").name != Variable("s", "12").name
    taken = Names("", {"e"})
    assert taken.claim("e").startswith("_")


X = array("x", 4, batched=True)
LOOP = Activation("loop", ("a = loop(z)",))
SLOPE = Activation("slope", ("a = alpha * z",), parameters={"alpha": Parameter(())})


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ("a[i] = x[i] + j * total(j, x[j])", "unknown name 'j'"),
        (["s[i] = x[i]", "a[i] = s + x[i]"], "s has 1 axes, (4,), and is read with 0"),
        ("a[i] = total(i, x[i])", "index 'i' is free on the left, or bound further out"),
        ("a = total(i, total(i, x[i]))", "bound again by total"),
        ("a[i] = x[i] + wieght", "did you mean 'weight'?"),
        ("a[i] = x[i + wieght]", "unknown name 'wieght'; did you mean 'weight'?"),
        ("a[i] = W[i]", "W has 2 axes, (4, 3), and is read with 1"),
        ("a[i] = x", "x has 1 axes, (4,), and is read with 0"),
        ("a[i] = weight[i] * x[i]", "weight is a number and takes no indices"),
        ("a[i] = x[i] + x[i + 1]", "x is read outside its extent 4 (axis 1 of the array)"),
        ("a[i] = x[i - 1] + x[i]", "x is read outside its extent 4"),
        ("a[i] = x[i] + x[4]", "x is read outside its extent 4"),
        ("a[i] = x[i] + x[(i + 9) // 2]", "x is read outside its extent 4"),
        ("a[i] = x[i] + where(i > 1, x[i - 3], 0)", "x is read outside its extent 4"),
        ("a[i] = x[i] + where(x[i] > 1, x[i - 3], 0)", "x is read outside its extent 4"),
        ("a[i] = x[i] + W[i, i % 4]", "W is read outside its extent 3"),
        ("a = total(i, x[0])", "index 'i' indexes nothing"),
        ("a[i] = x[0]", "index 'i' indexes nothing"),
        ("a = total(i, x[2 * i])", "the extent of index 'i' does not follow"),
        ("a[i] = x[2 * i]", "the definition's output can declare it"),
        ("a[i] = x[i] * total(j, x[j] * W[j, j])", "'j' runs over 4 in x and over 3 in W"),
        ("a[i] = x[i] * W[0, i]", "'i' runs over 4 in x and over 3 in W"),
        ("a[i] = x[i[0]] + x[i]", "'i' is an index and takes no indices"),
        ("a[x] = x[x]", "'x' is an index here, but also the name of something"),
        ("a = total(W, x[W])", "'W' is an index here, but also"),
        ("a[i] = x[x[i]]", "x is looked up as an index but is not integer"),
        ("a[i] = x[i] + x[i * i]", "an index is affine"),
        ("a[i] = x[i] + x[2 * (i // 2)]", "an index is affine"),
        ("a[i] = x[i] + x[i / 2]", "an index is affine"),
        ("a[i] = x[i] + x[i // 0]", "divided only by a size or a whole number from 1"),
        ("a[i] = x[i] + x[i % half]", "divided only by a size or a whole number from 1"),
        ("a[i] = x[i] / (1 - 1)", "division by 0"),
        ("a[i] = where(x[i], 1, 0)", "where of a number; a condition is needed"),
        ("a[i] = where(not x[i], 1, 0)", "not of a number; a condition is needed"),
        ("a[i] = x[i] * log(-1)", "log of -1 is no real number"),
        ("a[i] = x[i] * sqrt(2 - 3)", "sqrt of -1 is no real number"),
        ("a[i] = x[i] * log1p(-1)", "log of 0 is no real number"),
        ("a[i] = x[i] * unset", "constant unset is not set"),
        (
            "a[i] = (9**64 * 9**64 * 9**64 * 9**64 * 9**64 * 9**64) * x[i]",
            "beyond the range of float64",
        ),
        ("a[i] = softmax(x[i])", "activation 'softmax': acts along an axis"),
        ("a[i] = slope(x[i])", "activation 'slope': acts along an axis or has parameters"),
        ("a[i] = loop(x[i])", "activation 'loop': is defined by itself"),
        ("a[i] = vector[2 * i] * x[i]", "read by a bare index or a look-up"),
        ("a[i] = vector[i, i] * x[i]", "one index"),
        ("a[j] = vector[j] * W[0, j]", "vector holds 4 numbers, one for each of 3"),
        (["x = 2", "a[i] = x[i]"], "x is given, an equation cannot define it"),
        (["s[i] = x[i]", "s[i] = x[i]", "a[i] = s[i]"], "s is defined twice"),
        (["a[i] = 2 * a[i] + x[i]"], "a is read before it is defined"),
        (["s[i] = 2 * q[i] + x[i]", "q[i] = s[i]", "a[i] = q[i]"], "q is read before"),
        (["s[i] = x[i] + where(i < 3, q[i + 1], 0)", "q[i] = s[i]", "a[i] = q[i]"], "q is read"),
    ],
)
def test_mistakes_are_named_with_their_equation(texts, found):
    functions = {**CATALOG.activations, "loop": LOOP, "slope": SLOPE}
    numbers = {"weight": number(2), "unset": None, "half": number(0.5)}
    vectors = {"vector": (Fraction(1), Fraction(2), Fraction(3), Fraction(4))}
    with pytest.raises(SymbackpropError) as caught:
        equations_of(
            texts, [X], [array("W", 4, 3)], functions=functions, numbers=numbers, vectors=vectors
        )
    assert str(caught.value).startswith("equation '")
    assert found in str(caught.value)


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ((3,), "output declares 3 for index 'i', which runs over 4"),
        ((4, 4), "output declares 2 extents, a has 1 indices"),
    ],
)
def test_a_declared_output_must_agree(output, found):
    with pytest.raises(SymbackpropError) as caught:
        equations_of("a[i] = x[i]", [X], output=output)
    assert found in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lenght + 1", "unknown size 'lenght'; did you mean 'length'?"),
        ("length / 2", "is 7/2, not a whole number"),
        ("length - 7", "is 0 with length 7; at least 1 is needed"),
        ("(length - 9) // 2 + 1", "is 0 with length 7; at least 1 is needed"),
        ("sqrt(length)", "is not made of sizes"),
        ("length // (length - 7)", "is not made of sizes"),
    ],
)
def test_extents_that_are_none(text, found):
    with pytest.raises(SymbackpropError) as caught:
        extent_of(text, {"length": number(7)})
    assert found in str(caught.value)


def test_extents_of_names_stay_exact():
    numbers = {"length": Named("T"), "width": number(3), "stride": number(2)}
    assert extent_of("length + width - length", numbers) == 3
    with pytest.raises(SymbackpropError, match="not a whole number"):
        extent_of("length / 2", numbers)
    extent = extent_of("(length - width) // stride + 1", numbers)
    assert same_extent(extent, extent_of("1 + (length - width) // stride", numbers))


@pytest.mark.parametrize("seed", range(150))
def test_random_equations_keep_their_values(seed):
    texts = Writer(random.Random(seed)).equations()
    x, y = array("x", 4, batched=True), Variable("y", "", (N,), integer=True)
    W, v = array("W", 4, 3), array("v", 4)
    equations = equations_of(texts, [x, y], [W, v], {"hid": 2})
    values = {**draw([x, W, v], seed), "y": np.array([0, 1, 2])}
    found = evaluate(equations, values, {"N": BATCH})[equations[-1].target.variable.name]
    for sample in range(BATCH):
        given = {name: array[sample] for name, array in values.items() if name in "xy"}
        given |= {"W": values["W1"], "v": values["v1"]}
        expected = results(texts, given, CATALOG.activations)
        np.testing.assert_allclose(found[sample].astype(float), expected, rtol=1e-9, err_msg=texts)
    for equation in equations:
        assert set(scalar.slots(equation.function)) == set(range(len(equation.operands)))
        assert len(set(equation.operands)) == len(equation.operands)


@pytest.mark.parametrize(
    ("text", "of"),
    [
        ("a[i] = x[i] > 0", lambda x: 1.0 * (x > 0)),
        ("a[i] = (x[i] > 0) - (x[i] < 0)", np.sign),
        ("a[i] = -(x[i] > 0) * x[i]", lambda x: -np.maximum(x, 0)),
        ("a[i] = x[i] + tanh(x[i] > 0)", lambda x: x + np.tanh(1.0 * (x > 0))),
        ("a[i] = x[i] * total(j, x[j] > 0)", lambda x: x * np.sum(x > 0, 1, keepdims=True)),
    ],
)
def test_a_truth_value_counts_as_one_or_zero(text, of):
    x = array("x", 4, batched=True)
    equations = equations_of(text, [x])
    given = np.random.default_rng(3).normal(size=(BATCH, 4))
    found = evaluate(equations, {"x": given}, {"N": BATCH})[equations[-1].target.variable.name]
    assert not any(isinstance(number, bool) for number in found.flat)
    np.testing.assert_allclose(found.astype(float), of(given), rtol=1e-14)
