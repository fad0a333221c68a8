"""Emitted modules where textbook code fails: extreme logits, ties, odd arrays, NaN, memory."""

import re
import tracemalloc
import types
from functools import cache

import mpmath
import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.architecture import Use
from symbackprop.emit import generate
from symbackprop.notation import load

mp = mpmath.mp.clone()
mp.dps = 400
ROUNDINGS = 1e-14


@cache
def emitted(text, loss, constants=(), optimizer="sgd", reduction="mean"):
    from dataclasses import replace

    architecture = replace(load(text), loss=Use(loss, dict(constants)), reduction=reduction)
    return generate(build(architecture), optimizer).text


def module_of(*arguments, **keywords):
    module = types.ModuleType("emitted")
    exec(compile(emitted(*arguments, **keywords), "emitted.py", "exec"), module.__dict__)
    return module


def identity_like(module, size, dtype=np.float64):
    """Return parameters for which the pre-activation is x."""
    params = module.initialize(dtype=dtype)
    params["W1"][...] = np.eye(size)
    params["b1"][...] = 0
    return params


def close(found, exact, units):
    """Whether each number is right to some relative error; what underflows may be 0."""
    found = np.asarray(found)
    tiny = mp.mpf(float(np.finfo(found.dtype).tiny))
    errors = [
        abs(mp.mpf(float(a)) - b) / max(abs(b), tiny)
        for a, b in zip(found.flat, np.asarray(exact, dtype=object).flat, strict=True)
    ]
    assert max(errors) <= units, float(max(errors))


# --- sigmoid with binary cross-entropy ---

FAR = (0, 1e-8, 0.3, 1, 17, 37, 100, 350, 700)


@pytest.mark.parametrize(
    ("last", "loss"),
    [("sigmoid", "binary_cross_entropy"), ("identity", "binary_cross_entropy_with_logits")],
)
@pytest.mark.parametrize("target", [0, 1, 0.3])
@pytest.mark.parametrize(("dtype", "units"), [(np.float64, ROUNDINGS), (np.float32, 4e-6)])
def test_binary_cross_entropy_is_exact(last, loss, target, dtype, units):
    module = module_of(f"1-1:{last}", loss)
    params = identity_like(module, 1, dtype)
    limit = 700 if dtype is np.float64 else 80
    for z in sorted({s * min(v, limit) for v in FAR for s in (-1, 1)}):
        x, y = np.array([[z]], dtype), np.array([[target]], dtype)
        value, grads = module.loss_and_gradients(params, x, y, input_gradient=True)
        t, exact = mp.mpf(float(y[0, 0])), mp.mpf(float(x[0, 0]))
        p = 1 / (1 + mp.exp(-exact))
        q = 1 / (1 + mp.exp(exact))
        close(np.array(value), -t * mp.log(p) - (1 - t) * mp.log(q), units)
        slope = (1 - t) * p - t * q
        if abs(slope) > 0.01 or target in (0, 1):
            close(grads["b1"], [slope], units)
            close(grads["x"], [slope], units)


# --- softmax with cross-entropy ---


def softmax_gradient(z, y):
    """Return the loss and its gradient for one row of logits, exactly."""
    z, y = [mp.mpf(float(v)) for v in z], [mp.mpf(float(v)) for v in y]
    exponentials = [mp.exp(v - max(z)) for v in z]
    total = mp.fsum(exponentials)
    value = -mp.fsum(t * (v - max(z) - mp.log(total)) for t, v in zip(y, z, strict=True))
    mass = mp.fsum(y)
    return value, [mass * e / total - t for e, t in zip(exponentials, y, strict=True)]


@pytest.mark.parametrize(
    ("last", "loss"), [("softmax", "cross_entropy"), ("identity", "cross_entropy_with_logits")]
)
@pytest.mark.parametrize("form", ["indices", "one-hot"])
@pytest.mark.parametrize(("dtype", "units"), [(np.float64, 2 * ROUNDINGS), (np.float32, 8e-6)])
def test_cross_entropy_is_exact(last, loss, form, dtype, units):
    module = module_of(f"4-4:{last}", loss)
    params = identity_like(module, 4, dtype)
    limit = 700 if dtype is np.float64 else 80
    for spread in sorted({min(spread, limit) for spread in (0, 1, 30, 40, 100, 350, 700)}):
        # Where logits differ by a rounded number, the exponential magnifies that rounding.
        for share, magnified in ((4, 0), (3, spread * float(np.finfo(dtype).eps))):
            row = np.array([0, spread, spread / share, -2.5], dtype)
            for target in range(4):
                label = np.eye(4)[target]
                y = np.array([target]) if form == "indices" else label[None].astype(dtype)
                value, grads = module.loss_and_gradients(params, row[None], y)
                exact, slopes = softmax_gradient(row, label)
                close(np.array(value), exact, units + magnified)
                close(grads["b1"], slopes, units + magnified)


LOSSES = [
    ("relu", "sigmoid", "binary_cross_entropy"),
    ("tanh", "softmax", "cross_entropy"),
    ("tanh", "softmax", "binary_cross_entropy"),
    ("gelu", "identity", "cross_entropy_with_logits"),
    ("softplus", "identity", "binary_cross_entropy_with_logits"),
    ("mish", "sigmoid", "mean_squared_error"),
    ("elu", "identity", "log_cosh"),
    ("silu", "log_softmax", "nll"),
]


@pytest.mark.parametrize(("hidden", "last", "loss"), LOSSES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_extreme_inputs_raise_no_warning(hidden, last, loss, dtype):
    module = module_of(f"3-4:{hidden}-3:{last}", loss)
    params = module.initialize(scale=1.0, dtype=dtype)
    rng = np.random.default_rng(0)
    for size in (1e2, 1e4):
        x = size * rng.standard_normal((5, 3)).astype(dtype)
        targets = [rng.uniform(size=(5, 3)).astype(dtype)]
        if loss in ("cross_entropy", "cross_entropy_with_logits", "nll"):
            targets.append(rng.integers(3, size=5))
        for y in targets:
            value, grads = module.loss_and_gradients(params, x, y, input_gradient=True)
            output, saved = module.forward(params, x)
            cotangent = module.loss_gradient(output, y)
            layered = module.backward(params, saved, np.ones_like(output))
            arrays = [value, *grads.values(), output, module.loss(output, y), cotangent]
            assert all(np.isfinite(a).all() for a in [*arrays, *layered.values()])


# --- conventions at ties and kinks ---


def test_kinks():
    relu = module_of("1-1:relu", "mean_absolute_error")
    params = identity_like(relu, 1)
    _, grads = relu.loss_and_gradients(params, [[0.0]], [[5.0]], input_gradient=True)
    assert grads["x"] == 0
    linear = module_of("1-1", "mean_absolute_error")
    _, grads = linear.loss_and_gradients(identity_like(linear, 1), [[2.0]], [[2.0]])
    assert grads["b1"] == 0


def test_equal_logits():
    """Where the maximum is taken twice, the loss is smooth all the same."""
    module = module_of("3-3:softmax", "cross_entropy")
    params = identity_like(module, 3)
    for y in (np.array([0]), np.array([1]), np.array([2])):
        _, by_index = module.loss_and_gradients(params, np.ones((1, 3)), y)
        by_index = by_index["b1"].copy()
        _, grads = module.loss_and_gradients(params, np.ones((1, 3)), np.eye(3)[y])
        np.testing.assert_allclose(grads["b1"], 1 / 3 - np.eye(3)[y[0]], rtol=1e-15)
        np.testing.assert_allclose(by_index, grads["b1"], rtol=1e-15)


# --- arrays of every kind ---

MODULES = [
    ("3-4:relu-2:sigmoid", "binary_cross_entropy"),
    ("3-40:tanh-4:softmax", "cross_entropy"),
    ("3-4:tanh-2:softmax", "cross_entropy"),
]
every_module = pytest.mark.parametrize(("text", "loss"), MODULES)


def batch(module, n, seed=0):
    rng = np.random.default_rng(seed)
    params = module.initialize(seed)
    x = rng.standard_normal((n, 3))
    output, _ = module.forward(params, x)
    return params, x, rng.uniform(0.1, 0.9, output.shape)


def copied(result):
    value, grads = result
    return value, {name: array.copy() for name, array in grads.items()}


def same(found, expected, rtol=1e-12):
    assert found[0] == pytest.approx(expected[0], rel=rtol)
    assert found[1].keys() == expected[1].keys()
    for name, array in expected[1].items():
        scale = np.abs(array).max(initial=0)
        np.testing.assert_allclose(found[1][name], array, rtol=rtol, atol=rtol * scale)


@every_module
def test_workspace_serves_any_smaller_batch(text, loss):
    module = module_of(text, loss)
    workspace = module.Workspace(7)
    for n in (7, 1, 5, 7, 2, 7):
        params, x, y = batch(module, n, n)
        found = copied(module.loss_and_gradients(params, x, y, workspace=workspace))
        same(found, module.loss_and_gradients(params, x, y))
    with pytest.raises(ValueError, match="8 samples"):
        module.loss_and_gradients(*batch(module, 8), workspace=workspace)


@every_module
def test_results_without_a_workspace_last(text, loss):
    module = module_of(text, loss)
    params, x, y = batch(module, 4)
    first = module.loss_and_gradients(params, x, y, input_gradient=True)
    kept = copied(first)
    module.loss_and_gradients(params, 2 * x, y, input_gradient=True)
    same(first, kept, rtol=0)


@every_module
def test_any_arrays(text, loss):
    module = module_of(text, loss)
    params, x, y = batch(module, 4)
    expected = copied(module.loss_and_gradients(params, x, y, input_gradient=True))
    frozen = x.copy()
    frozen.flags.writeable = False
    wide = np.repeat(x, 2, axis=1)[:, ::2]
    for given in (np.asfortranarray(x), wide, frozen, x.tolist()):
        found = module.loss_and_gradients(params, given, y, input_gradient=True)
        same(found, expected)
    apart = {name: np.asfortranarray(value.copy()) for name, value in reversed(params.items())}
    same(module.loss_and_gradients(apart, x, y, input_gradient=True), expected)
    same(module.loss_and_gradients(params, x, np.asfortranarray(y), input_gradient=True), expected)
    same(module.loss_and_gradients(params, x, y.tolist(), input_gradient=True), expected)
    whole = np.arange(12).reshape(4, 3)
    same(
        module.loss_and_gradients(params, whole, y),
        module.loss_and_gradients(params, whole.astype(float), y),
    )


@every_module
def test_the_dtype_of_the_parameters_rules(text, loss):
    module = module_of(text, loss)
    params, x, y = batch(module, 4)
    single = module.initialize(0, dtype=np.float32)
    for name, value in params.items():
        single[name][...] = value
    value, grads = module.loss_and_gradients(single, x, y, input_gradient=True)
    assert all(array.dtype == np.float32 for array in grads.values())
    same((value, grads), module.loss_and_gradients(params, x, y, input_gradient=True), rtol=1e-5)
    output, saved = module.forward(single, x)
    assert output.dtype == np.float32
    assert module.loss_gradient(output, y).dtype == np.float32
    layered = module.backward(single, saved, np.ones(output.shape))
    assert all(array.dtype == np.float32 for array in layered.values())


@every_module
def test_nothing_given_is_changed(text, loss):
    module = module_of(text, loss)
    params, x, y = batch(module, 4)
    output, saved = module.forward(params, x)
    cotangent = module.loss_gradient(output, y)
    given = [*params.values(), x, y, output, cotangent, *saved.values()]
    before = [array.copy() for array in given]
    workspace = module.Workspace(4)
    for space in (None, workspace, workspace):
        module.loss_and_gradients(params, x, y, workspace=space, input_gradient=True)
    module.backward(params, saved, cotangent)
    module.loss(output, y)
    assert all(np.array_equal(a, b) for a, b in zip(given, before, strict=True))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int32, np.uint64, np.intp])
def test_indices_of_any_integer_type(kind):
    module = module_of("3-4:tanh-200:softmax", "cross_entropy")
    params = module.initialize(0, scale=0.5)
    x = np.random.default_rng(0).standard_normal((300, 3))
    y = np.random.default_rng(1).integers(100, size=300)
    same(
        module.loss_and_gradients(params, x, y.astype(kind)),
        module.loss_and_gradients(params, x, np.eye(200)[y]),
        rtol=1e-10,
    )


# --- what must be refused ---


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.ones((4, 2))}, "x has shape (4, 2), must be (N, 3)"),
        ({"x": np.ones(3)}, "x has shape (3,), must be (N, 3)"),
        ({"x": np.ones((4, 3), complex)}, "x holds complex128"),
        ({"x": np.full((4, 3), "a")}, "x holds <U1"),
        ({"y": np.ones(4)}, "y has shape (4,), must be (N, 1)"),
        ({"y": np.ones((4, 2))}, "y has shape (4, 2), must be (N, 1)"),
        ({"y": np.ones((3, 1))}, "y has 3 samples, x has 4"),
        ({"W1": np.ones((4, 3))}, "W1 has shape (4, 3), must be (3, 4)"),
        ({"b2": None}, "params has no b2"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(change, words):
    module = module_of("3-4:relu-1:sigmoid", "binary_cross_entropy")
    given = {"x": np.ones((4, 3)), "y": np.ones((4, 1))}
    params = module.initialize()
    for name, value in change.items():
        if name in given:
            given[name] = value
        elif value is None:
            del params[name]
        else:
            params[name] = value
    for workspace in (None, module.Workspace(4)):
        with pytest.raises(ValueError, match=re.escape(words)):
            module.loss_and_gradients(params, **given, workspace=workspace)


def test_class_indices_are_checked():
    module = module_of("3-4:relu-3:softmax", "cross_entropy")
    params, x = module.initialize(), np.ones((4, 3))
    for y, words in (
        ([0, 1, 2, 3], "y holds 0 to 3, must be 0 to 2"),
        ([0, 1, 2, -1], "y holds -1 to 2, must be 0 to 2"),
        ([0.0, 1.0, 2.0, 1.0], "class indices must be integers"),
        ([0, 1, 2], "y has 3 samples, x has 4"),
    ):
        with pytest.raises(ValueError, match=words):
            module.loss_and_gradients(params, x, np.array(y))


# --- an ignored class ---


@pytest.mark.parametrize("ignored", [-100, 0, 7])
@pytest.mark.parametrize("width", [4, 40])
@pytest.mark.parametrize(
    ("last", "loss"),
    [
        ("softmax", "cross_entropy"),
        ("identity", "cross_entropy_with_logits"),
        ("log_softmax", "nll"),
    ],
)
def test_ignored_samples_count_for_nothing(last, loss, width, ignored):
    module = module_of(f"3-{width}:tanh-3:{last}", loss, (("ignore_index", ignored),))
    plain = module_of(f"3-{width}:tanh-3:{last}", loss)
    params = module.initialize(3, scale=0.7)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 3)), np.array([1, 2, 1, 2, 2, 1])
    kept = np.array([True, False, True, True, False, True])
    marked = np.where(kept, y, ignored)
    expected = copied(plain.loss_and_gradients(params, x[kept], y[kept], input_gradient=True))
    for workspace in (None, module.Workspace(8)):
        found = copied(
            module.loss_and_gradients(params, x, marked, workspace=workspace, input_gradient=True)
        )
        assert not found[1]["x"][~kept].any()
        found[1]["x"] = found[1]["x"][kept]
        same(found, expected)
    output, saved = module.forward(params, x)
    layered = module.backward(params, saved, module.loss_gradient(output, marked))
    assert module.loss(output, marked) == pytest.approx(expected[0])
    np.testing.assert_allclose(layered["W1"], expected[1]["W1"], rtol=1e-10, atol=1e-14)
    if ignored != 0:
        with pytest.raises(ValueError, match=f"must be 0 to 2 or {ignored}"):
            module.loss_and_gradients(params, x, np.array([1, 2, 1, 2, -2, 1]))


# --- NaN ---


@pytest.mark.parametrize(
    ("hidden", "last", "loss"),
    [
        *LOSSES,
        ("relu6", "hard_sigmoid", "huber"),
        ("leaky_relu", "softsign", "squared_hinge"),
        ("hard_tanh", "soft_shrink", "hinge"),
        ("prelu", "identity", "poisson_nll"),
        ("selu", "celu", "mean_absolute_error"),
    ],
)
@pytest.mark.parametrize("width", [4, 40])
def test_a_nan_is_passed_on(hidden, last, loss, width):
    module = module_of(f"3-{width}:{hidden}-2:{last}", loss)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3))
    y = rng.uniform(0.1, 0.9, (4, 2))
    for where in ("x", "y", "W1", "b2"):
        params, given = module.initialize(1), {"x": x.copy(), "y": y.copy()}
        place = given.get(where, params.get(where))
        place.reshape(-1)[1] = np.nan
        targets = [given["y"]]
        if where != "y" and loss in ("cross_entropy", "cross_entropy_with_logits", "nll"):
            targets.append(np.array([0, 1, 1, 0]))
        for target in targets:
            value, grads = module.loss_and_gradients(params, given["x"], target)
            assert np.isnan(value), where
            output, saved = module.forward(params, given["x"])
            assert np.isnan(module.loss(output, target)), where
            assert where == "y" or np.isnan(output).any()
            module.backward(params, saved, module.loss_gradient(output, target))
            if where in ("x", "W1") and loss != "mean_absolute_error":
                assert np.isnan(grads["W2"]).any(), where


# --- memory ---

MEMORY = [
    ("2-4:relu-3:relu-1:sigmoid", "binary_cross_entropy", 1000, "values"),
    ("784-128:relu-64:relu-10:softmax", "cross_entropy", 64, "indices"),
    ("784-128:relu-64:relu-10:softmax", "cross_entropy", 64, "values"),
    ("784-128:relu-64:relu-10", "cross_entropy_with_logits", 64, "indices"),
    ("784-128:gelu-10:softmax", "cross_entropy", 256, "indices"),
    ("8-20:softmax", "cross_entropy", 1000, "values"),
    ("4-8:relu-10:softmax", "cross_entropy", 30_000, "values"),
    ("4-8:relu-10:log_softmax", "nll", 30_000, "indices"),
]


@pytest.mark.parametrize(("text", "loss", "n", "form"), MEMORY)
def test_a_step_allocates_next_to_nothing(text, loss, n, form):
    module = module_of(text, loss)
    params, workspace = module.initialize(), module.Workspace(n)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, *module.PARAMETER_SHAPES["W1"][:1]))
    output, _ = module.forward(params, x)
    classes = output.shape[1]
    y = rng.integers(classes, size=n) if form == "indices" else rng.uniform(size=output.shape)

    def step():
        _, grads = module.loss_and_gradients(params, x, y, workspace=workspace)
        module.update(params, grads, 0.01, workspace=workspace)

    step()
    tracemalloc.start()
    try:
        start, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - start <= 0.2 * 2**20


def test_warnings_are_errors_here():
    with pytest.raises(RuntimeWarning):
        np.exp(np.array([1e4]))


@pytest.mark.parametrize("width", [4, 40])
def test_a_batch_that_counts_for_nothing(width):
    """The mean over no sample is NaN, as in PyTorch: no exception, no warning."""
    options = (("ignore_index", -100),)
    module = module_of(f"3-{width}:tanh-3:softmax", "cross_entropy", options)
    x, y = np.ones((2, 3)), np.array([-100, -100])
    for dtype in (np.float64, np.float32):
        params = module.initialize(dtype=dtype)
        value, _ = module.loss_and_gradients(params, x, y)
        output, _ = module.forward(params, x)
        assert np.isnan(value)
        assert np.isnan(module.loss(output, y))
        assert module.loss_gradient(output, y).dtype == dtype
    module = module_of(f"3-{width}:tanh-3:softmax", "cross_entropy", options, reduction="sum")
    value, grads = module.loss_and_gradients(params, x, y)
    assert value == 0
    assert not any(array.any() for array in grads.values())


# --- the gradient of the input, where the first layer is more than a product ---

NORMALIZED = """
spec = 1
[network]
input = [6]
loss = "mean_squared_error"

[[define]]
kind = "layer"
name = "normalized"
input = ["features"]
parameters = { g = ["features"], b = ["features"] }
equations = [
  "m = total(i, x[i]) / features",
  "v = total(i, (x[i] - m)**2) / features",
  "z[i] = (x[i] - m) / sqrt(v + 0.01) * g[i] + b[i]",
]

[[layer]]
type = "normalized"

[[layer]]
type = "dense"
units = 4
"""


@pytest.mark.parametrize("penalty", ["", "l2 = 0.1"])
def test_the_input_gradient_reads_what_forward_and_backward_have_left(tmp_path, penalty):
    path = tmp_path / "normalized.toml"
    path.write_text(NORMALIZED.replace("[6]", f"[6]\n{penalty}"), encoding="utf-8")
    module = types.ModuleType("emitted")
    exec(compile(generate(build(load(path))).text, "emitted.py", "exec"), module.__dict__)
    params = module.initialize()
    x, y = np.random.default_rng(0).normal(size=(2, 5, 6))
    work = module.Workspace(5)
    _, found = module.loss_and_gradients(params, x, y[:, :4], workspace=work, input_gradient=True)
    output, cache = module.forward(params, x)
    expected = module.backward(params, cache, module.loss_gradient(output, y[:, :4]))["x"]
    np.testing.assert_allclose(found["x"], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("error", [1e-17, 1e-9, 1e-4, 0.3, 30.0, 800.0])
def test_log_cosh_keeps_the_digits_of_small_errors(error):
    module = module_of("1-1", "log_cosh")
    output, y = np.array([[error]]), np.zeros((1, 1))
    exact = mp.mpf(error)
    close([module.loss(output, y)], [mp.log(mp.cosh(exact))], ROUNDINGS)
    close(module.loss_gradient(output, y), [[mp.tanh(exact)]], ROUNDINGS)
    params = identity_like(module, 1)
    loss, grads = module.loss_and_gradients(params, output, y)
    close([loss], [mp.log(mp.cosh(exact))], ROUNDINGS)
    close(grads["b1"], [mp.tanh(exact)], ROUNDINGS)
