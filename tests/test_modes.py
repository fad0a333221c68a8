"""Layers that differ between training and evaluation: draws, running statistics, both modes."""

import dataclasses
import random
import textwrap
import types

import numpy as np
import pytest
from oracles import torch_or_skip

from symbackprop import calculus
from symbackprop.architecture import Architecture, LayerUse, Use
from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.definition import Layer, State
from symbackprop.emit import generate
from symbackprop.emit.modes import fewest_samples, merged
from symbackprop.emit.runs import Piece, Segment
from symbackprop.errors import SymbackpropError
from symbackprop.notation.toml import read_toml
from symbackprop.numeric import check_module
from symbackprop.render.document import Display
from symbackprop.render.latex import latex
from symbackprop.render.outline import outline
from symbackprop.show import network_text


def use(kind, activation=None, **fields):
    return LayerUse(kind, kind, fields=fields, activation=activation and Use(activation))


def network(shape, *layers, **options):
    loss = Use(options.pop("loss", "mean_squared_error"))
    return build_network(Architecture("modes", shape, layers, loss=loss, **options))


def module_of(net):
    module = types.ModuleType("modes")
    exec(compile(generate(net).text, "modes.py", "exec"), module.__dict__)
    return module


def rng(seed=0):
    return np.random.default_rng(seed)


DENSE = use("dense", units=3)
DROPOUT = network((40,), use("dense", units=50), use("dropout", p=0.25))
BATCH_NORM = network((4,), use("dense", "relu", units=5), use("batch_norm", "tanh"), DENSE)
BOTH = network(
    (4,), use("dense", units=6), use("batch_norm", "relu"), use("dropout", p=0.3), DENSE, l2=0.1
)


@pytest.fixture(scope="module")
def dropout():
    return module_of(DROPOUT)


@pytest.fixture(scope="module")
def batch_norm():
    return module_of(BATCH_NORM)


@pytest.fixture(scope="module")
def both():
    return module_of(BOTH)


class TestDropout:
    def test_a_part_p_is_zero_and_the_rest_is_divided(self, dropout):
        params, x = dropout.initialize(), rng(1).standard_normal((200, 40))
        plain, _ = dropout.forward(params, x)
        thinned, cache = dropout.forward(params, x, training=True, rng=rng())
        kept = thinned != 0
        assert abs(kept.mean() - 0.75) < 0.01
        np.testing.assert_allclose(thinned[kept], plain[kept] / 0.75, rtol=1e-15)
        np.testing.assert_array_equal(plain, x @ params["W1"] + params["b1"])
        assert np.unique(cache["mask2"]).tolist() == [0, 1 / 0.75]

    @pytest.mark.parametrize(("p", "factor"), [(0, 1), (1, 0)])
    def test_the_ends_of_p(self, p, factor):
        module = module_of(network((3,), DENSE, use("dropout", p=p)))
        params, x = module.initialize(), rng(1).standard_normal((5, 3))
        found, _ = module.forward(params, x, training=True, rng=rng())
        np.testing.assert_array_equal(found, factor * module.forward(params, x)[0])

    def test_one_seed_gives_one_mask_on_both_paths_and_in_both_precisions(self, both):
        x, y = rng(1).standard_normal((7, 4)), rng(2).standard_normal((7, 3))
        masks = []
        for dtype, rounding in ((np.float64, 1e-12), (np.float32, 1e-4)):
            params = both.initialize(dtype=dtype)
            held = {"state": both.initial_state(), "training": True}
            output, cache = both.forward(params, x, **held, rng=rng(5))
            masks.append(cache["mask3"] != 0)
            value, grads = both.loss_and_gradients(params, x, y, **held, rng=rng(5))
            penalty = 0.05 * sum((params[name] ** 2).sum() for name in ("W1", "W4"))
            assert abs(value - both.loss(output, y) - penalty) < rounding
            plain = both.backward(params, cache, both.loss_gradient(output, y))
            np.testing.assert_allclose(grads["gamma2"], plain["gamma2"], rtol=rounding)
        np.testing.assert_array_equal(*masks)
        other = both.forward(params, x, **held, rng=rng(6))[1]["mask3"] != 0
        assert (other != masks[0]).any()

    @pytest.mark.parametrize("function", ["forward", "loss_and_gradients"])
    def test_training_without_a_generator_is_refused(self, dropout, function):
        y = [np.zeros((2, 50))] if function != "forward" else []
        with pytest.raises(
            ValueError, match=r"rng is None, in training it must be a numpy\.random"
        ):
            getattr(dropout, function)(dropout.initialize(), np.zeros((2, 40)), *y, training=True)


class TestBatchNorm:
    @pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 3, 2), (2, 3, 1, 2)])
    @pytest.mark.parametrize("fields", [{}, {"momentum": 0.4, "eps": 0.01}, {"momentum": 1}])
    def test_statistics_after_several_steps_are_pytorchs(self, shape, fields):
        torch = torch_or_skip()
        module = module_of(network(shape, use("batch_norm", **fields)))
        kind = {1: "BatchNorm1d", 2: "BatchNorm1d", 3: "BatchNorm2d", 4: "BatchNorm3d"}[len(shape)]
        expected = getattr(torch.nn, kind)(shape[0], dtype=torch.float64, **fields)
        params, state = module.initialize(), module.initial_state()
        work = module.Workspace(9)
        for step in range(6):
            x = 3 + 2 * rng(step).standard_normal((9 - step, *shape))
            wanted = expected(torch.tensor(x)).detach().numpy()
            if step % 2:
                module.loss_and_gradients(params, x, wanted, state=state, workspace=work)
            else:
                output, _ = module.forward(params, x, state=state, training=True)
                np.testing.assert_allclose(output, wanted, rtol=1e-10, atol=1e-10)
            for name in ("running_mean", "running_var"):
                theirs = getattr(expected, name).numpy()
                np.testing.assert_allclose(state[f"{name}1"], theirs, rtol=1e-10)
        expected.eval()
        before = {name: value.copy() for name, value in state.items()}
        output, _ = module.forward(params, x, state=state)
        np.testing.assert_allclose(output, expected(torch.tensor(x)).detach().numpy(), rtol=1e-10)
        assert all((state[name] == value).all() for name, value in before.items())

    def test_a_single_value_per_channel_is_refused_in_training_only(self, batch_norm):
        params, state = batch_norm.initialize(), batch_norm.initial_state()
        with pytest.raises(ValueError, match="x has 1 samples, in training it must have 2 or more"):
            batch_norm.forward(params, np.zeros((1, 4)), state=state, training=True)
        assert np.isfinite(batch_norm.forward(params, np.zeros((1, 4)), state=state)[0]).all()
        assert fewest_samples(network((2, 3), use("batch_norm"))) == 1

    def test_missing_and_misshapen_statistics_are_named(self, batch_norm):
        params, x = batch_norm.initialize(), np.zeros((2, 4))
        with pytest.raises(ValueError, match=r"state has no running_mean2, must be that of"):
            batch_norm.forward(params, x)
        state = batch_norm.initial_state() | {"running_var2": np.ones(3)}
        with pytest.raises(ValueError, match=r"running_var2 has shape \(3,\), must be \(5,\)"):
            batch_norm.forward(params, x, state=state)

    @pytest.mark.parametrize("training", [True, False])
    def test_backward_sees_the_statistics_of_its_forward(self, batch_norm, training):
        params, state = batch_norm.initialize(), batch_norm.initial_state()
        x, cotangent = rng(1).standard_normal((6, 4)), rng(2).standard_normal((6, 3))
        _, cache = batch_norm.forward(params, x, state=state, training=training)
        first = batch_norm.backward(params, cache, cotangent)
        batch_norm.forward(params, 5 + 3 * x, state=state, training=True)
        second = batch_norm.backward(params, cache, cotangent)
        assert all((first[name] == second[name]).all() for name in first)

    def test_three_paths_lead_to_the_input(self):
        derivation = calculus.derive_layers(BATCH_NORM)
        found = {a.variable.name: a for a in derivation.adjoints}
        read = {
            operand.variable.name
            for term in found["a1"].terms
            for factor in term.factors
            for operand in factor.operands
            if operand.variable.adjoint
        }
        steps = {a.variable.bar().name: a for a in derivation.adjoints}
        through = {
            operand.variable.name
            for name in read
            for term in steps[name].terms
            for factor in term.factors
            for operand in factor.operands
            if operand.variable.adjoint
        }
        assert len(found["a1"].terms) == 3
        assert {"dz2", "dmean2", "dvar2"} <= read | through

    def test_new_statistics_have_no_adjoint(self):
        names = {a.variable.symbol for a in calculus.derive_layers(BATCH_NORM).adjoints}
        assert not any("running" in name for name in names)


class TestBothModes:
    def test_a_step_outside_training_is_that_of_evaluation(self, both):
        params, state = both.initialize(), both.initial_state()
        x, y = rng(1).standard_normal((5, 4)), rng(2).standard_normal((5, 3))
        value, grads = both.loss_and_gradients(params, x, y, state=state, training=False)
        assert "x" not in grads

        def cost():
            penalty = 0.05 * sum((params[name] ** 2).sum() for name in ("W1", "W4"))
            return both.loss(both.forward(params, x, state=state)[0], y) + penalty

        assert abs(value - cost()) < 1e-12
        for name, array in params.items():
            start = array.flat[0]
            slopes = []
            for step in (1e-5, -1e-5):
                array.flat[0] = start + step
                slopes.append(cost())
            array.flat[0] = start
            assert abs((slopes[0] - slopes[1]) / 2e-5 - grads[name].flat[0]) < 1e-8, name

    def test_the_modules_own_check_tries_both(self, both):
        assert max(both.gradient_check().values()) < 1e-6

    @pytest.mark.parametrize("name", ["W1", "gamma2", "beta2", "W4", "b4", "x"])
    def test_the_modules_own_check_finds_an_error_of_a_ten_thousandth(self, name):
        right = f'"{name}": d{name}'
        text = generate(BOTH).text
        assert text.count(right) == 1
        wrong = types.ModuleType("wrong")
        exec(compile(text.replace(right, f"{right} * 1.0001"), "wrong.py", "exec"), wrong.__dict__)
        assert 0.5e-4 < wrong.gradient_check()[name] < 2e-4

    def test_a_gradient_of_zero_is_held_to_rounding(self):
        text = generate(BOTH).text.replace('"b1": db1', '"b1": db1 + 1e-10')
        wrong = types.ModuleType("wrong")
        exec(compile(text, "wrong.py", "exec"), wrong.__dict__)
        assert wrong.gradient_check()["b1"] > wrong.TOLERANCE

    def test_show_tells_of_both(self):
        text = network_text(BOTH)
        assert "  after a step of training\n    new_running_mean2[c] = " in text
        assert "  outside training\n    z2[n, c] = gamma2[c] (a1[n, c] − running_mean2[c])" in text
        assert "  outside training\n    a3[n, i] = a2[n, i]" in text

    def test_documents_tell_of_both(self):
        section = next(
            s for s in outline(calculus.derive_network(BOTH)).sections if s.anchor == "evaluation"
        )
        lines = [line for b in section.blocks if isinstance(b, Display) for line in b.lines]
        assert [line.relation for line in lines] == ["←", "←", "=", "="]
        assert r"\mathit{running\_mean}_{c}" in latex(lines[2].right)
        assert latex(lines[3].right) == "a_{ni}^{(2)}"
        plain = outline(calculus.derive_network(network((2,), DENSE)))
        assert "evaluation" not in [s.anchor for s in plain.sections]

    def test_merging_keeps_every_statement_of_each_mode_in_order(self):
        draw = random.Random(0)
        for _ in range(200):
            modes = [_segments(draw), _segments(draw)]
            pieces = [p for segment in merged(modes) for p in segment.pieces]
            for training, segments in zip((True, False), modes, strict=True):
                expected = [line for s in segments for p in s.pieces for line in p.lines]
                assert _run(pieces, training) == expected

    def test_other_networks_have_no_mode(self):
        text = generate(network((2,), DENSE)).text
        assert "initial_state" not in text
        assert "if training" not in text


GRAPHS = {
    "residual blocks": """
        input = [4]
        [[block]]
        name = "res"
        repeat = 2
        layer = [
            { type = "dense", units = 4 },
            { type = "batch_norm", activation = "relu" },
            { type = "dropout", p = 0.2, name = "thinned" },
            { type = "add", from = ["block", "thinned"] },
        ]
        """,
    "shared": """
        input = [4]
        [[layer]]
        type = "dense"
        units = 3
        [[layer]]
        type = "batch_norm"
        name = "first"
        [[layer]]
        type = "batch_norm"
        share = "first"
        activation = "tanh"
        """,
    "two inputs": """
        [[input]]
        name = "left"
        shape = [3]
        [[input]]
        name = "right"
        shape = [3]
        [[layer]]
        type = "batch_norm"
        from = "left"
        name = "normal"
        [[layer]]
        type = "dropout"
        from = "right"
        name = "thinned"
        [[layer]]
        type = "add"
        from = ["normal", "thinned"]
        """,
    "channels": """
        input = [2, 3, 3]
        [[layer]]
        type = "conv2d"
        channels = 2
        kernel_size = 2
        bias = false
        [[layer]]
        type = "batch_norm"
        [[layer]]
        type = "dropout"
        p = 0.2
        [[layer]]
        type = "global_avg_pool"
        """,
    "between views": """
        input = [2, 3]
        [[layer]]
        type = "conv1d"
        channels = 4
        kernel_size = 2
        [[layer]]
        type = "flatten"
        [[layer]]
        type = "dropout"
        p = 0.3
        [[layer]]
        type = "reshape"
        shape = [2, 4]
        [[layer]]
        type = "dense"
        units = 2
        """,
    "a run": """
        input = [3]
        [[block]]
        name = "row"
        repeat = 4
        layer = [{ type = "dropout", p = 0.1, activation = "softplus" }]
        [[layer]]
        type = "dense"
        units = 2
        """,
}


@pytest.mark.parametrize("name", GRAPHS)
def test_they_stand_anywhere_in_a_graph(name, tmp_path):
    head = 'spec = 1\n[network]\nname = "graph"\nloss = "mean_squared_error"\n'
    net = build_network(read_toml(head + textwrap.dedent(GRAPHS[name]), "graph.toml", CATALOG))
    place = tmp_path / "graph.py"
    place.write_text(generate(net).text, encoding="utf-8")
    report = check_module(place, architecture=net)
    assert report.passed, report
    assert "forward in evaluation" in report.checks


def test_layers_that_share_parameters_have_their_own_statistics():
    shared = use("batch_norm", "tanh"), use("batch_norm")
    layers = dataclasses.replace(shared[0], name="b"), dataclasses.replace(shared[1], share="b")
    net = network((3,), *layers)
    assert [s.variable.name for s in net.state] == [
        "running_mean_b",
        "running_var_b",
        "running_mean2",
        "running_var2",
    ]
    assert [array.variable.name for array in net.parameters] == ["gamma_b", "beta_b"]


def _segments(draw):
    layers = sorted(draw.choices(range(1, 4), k=3))
    return [Segment(k, tuple(Piece((draw.choice("abcd"),)) for _ in range(3))) for k in layers]


def _run(pieces, training):
    """Return the statements that run in a mode."""
    lines, branch = [], None
    for piece in pieces:
        if piece.lines[0] in ("if training:", "if not training:", "else:"):
            branch = {"if training:": True, "if not training:": False}.get(piece.lines[0], False)
        elif piece.depth == 0 or branch is training:
            lines += piece.lines
    return lines


FAULTS = [
    ("running_mean2 * 0.7 + mean2 * 0.3", "running_mean2 * 0.7 + mean2 * 0.31"),
    ("u3 >= 0.3", "u3 > 0.7"),
    ("10 / 7", "7 / 10"),
    ("if not training:\n        return", "if False:\n        return"),
    ('running_mean2 = state["running_mean2"]', 'running_mean2 = training * state["running_mean2"]'),
    ("3 * n / (10 * (n - 1))", "3 / 10"),
    ('    state["running_var2"][...] = ', "    _ = "),
]


@pytest.mark.parametrize(("right", "wrong"), FAULTS)
def test_planted_faults_fail_the_check(right, wrong, tmp_path):
    layers = use("batch_norm", "relu", momentum=0.3), use("dropout", p=0.3), DENSE
    net = network((4,), use("dense", units=6), *layers)
    text = generate(net).text
    assert right in text
    place = tmp_path / "wrong.py"
    place.write_text(text.replace(right, wrong), encoding="utf-8")
    assert not check_module(place, architecture=net).passed


def layer(**fields):
    plain = {"name": "noisy", "equations": ("z[i] = x[i] + u[i]",), "draws": {"u": ("features",)}}
    return Layer(**{**plain, "evaluation": ("z[i] = x[i]",), **fields})


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"evaluation": ()}, "draw 'u' is read in evaluation, too"),
        ({"evaluation": ("a[i] = x[i]",)}, "evaluation 'a[i] = x[i]'"),
        ({"draws": {"u": ("features",), "v": ("features",)}}, "draw 'v' is not used"),
        ({"updates": ("m[i] = x[i]",)}, "update 'm[i] = x[i]'"),
        ({"state": {"m": State(("width",), 0.0)}}, "state 'm': extent 'width': unknown size"),
    ],
)
def test_definitions_that_make_no_sense_are_refused(fields, found):
    with pytest.raises(SymbackpropError) as error:
        CATALOG.with_definitions([layer(**fields)])
    assert found in str(error.value)


def test_a_statistic_of_each_sample_is_refused():
    fields = {"state": {"m": State(("features",), 0.0)}, "updates": ("m[i] = x[i]",)}
    definition = layer(**fields)
    with pytest.raises(SymbackpropError, match=r"the new m has the shape \(N, 3\), it must be"):
        network((3,), DENSE, use("noisy"), definitions=(definition,))
