"""Windows: options that meet, edges, ties, the notation of padded reads, and planted faults."""

import re
import types

import numpy as np
import pytest
from layer_cases import Case, disagreements, emitted, network_of
from oracles import torch_or_skip

from symbackprop import calculus
from symbackprop.errors import SymbackpropError
from symbackprop.formula_reader import read_equation
from symbackprop.notation.toml import read_toml
from symbackprop.printing.equations import adjoint_lines, equation_lines
from symbackprop.reference import evaluate, forward_equations

WIDE = {1: (4, 7), 2: (4, 5, 4), 3: (2, 4, 3, 3)}

CONVOLUTIONS = [
    (2, {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0), "dilation": (1, 2)}),
    (2, {"kernel_size": 3, "padding": "same", "dilation": 2}),
    (2, {"kernel_size": (5, 4)}),
    (2, {"kernel_size": 2, "stride": 4}),
    (2, {"kernel_size": 3, "padding": 2, "stride": 2}),
    (2, {"kernel_size": 3, "padding": 1, "groups": 2}),
    (2, {"kernel_size": 3, "padding": 1, "groups": 4, "channels": 4}),
    (2, {"kernel_size": 2, "groups": 4, "channels": 8, "stride": 2}),
    (1, {"kernel_size": 2, "stride": 3, "groups": 2}),
    (3, {"kernel_size": (2, 1, 3), "stride": 2, "padding": (0, 0, 1), "bias": False}),
]
TRANSPOSED = [
    (2, {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}),
    (2, {"kernel_size": (2, 3), "stride": (3, 1), "padding": (0, 1), "dilation": (1, 2)}),
    (2, {"kernel_size": 2, "stride": 2, "groups": 2}),
    (1, {"kernel_size": 4, "stride": 3, "padding": 1, "output_padding": 2, "groups": 4}),
]
POOLS = [
    (2, {"kernel_size": 3, "stride": 2, "padding": 1}),
    (2, {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    (2, {"kernel_size": (3, 2), "stride": (2, 3), "ceil_mode": True}),
    (2, {"kernel_size": (5, 4)}),
    (2, {"kernel_size": (7, 2), "stride": 7, "ceil_mode": True}),  # larger than the map
    (1, {"kernel_size": 3, "stride": 1}),
    (1, {"kernel_size": 1, "stride": 3}),
]


def case(layer, rank, fields, **more):
    settings = {**fields, **more}
    return Case(f"{layer}{rank}d", tuple(sorted(settings.items())), WIDE[rank])


CASES = [
    *(case("conv", rank, {"channels": 4, **fields}) for rank, fields in CONVOLUTIONS),
    *(case("conv_transpose", rank, {"channels": 4, **fields}) for rank, fields in TRANSPOSED),
    *(case("max_pool", rank, fields) for rank, fields in POOLS),
    *(case("avg_pool", rank, fields) for rank, fields in POOLS),
    *(case("avg_pool", rank, fields, count_include_pad=False) for rank, fields in POOLS[:3]),
    *(case("adaptive_avg_pool", 2, {"output_size": size}) for size in ((3, 4), (9, 1))),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_options_that_meet(case):
    torch_or_skip()
    assert not disagreements(case, emitted(case))


def module_of(text):
    module = types.ModuleType("case")
    exec(compile(text, "case.py", "exec"), module.__dict__)
    return module


def test_the_first_largest_takes_the_gradient():
    pool = case("max_pool", 1, {"kernel_size": 3, "stride": 2})
    module = module_of(emitted(pool))
    params = module.initialize(0)
    params["W_first"][...], params["b_first"][...] = np.eye(7), 0
    x = np.array([[[1.0, 1, 1, 0, 2, 2, 2]] * 4])
    output, cache = module.forward(params, x)
    slope = module.backward(params, cache, np.ones_like(output))["x"]
    assert slope[0, 0].tolist() == [1, 0, 0, 0, 2, 0, 0]
    trained = module.loss_and_gradients(params, x, output - 6, input_gradient=True)[1]["x"]
    assert (trained[0, 0] != 0).tolist() == (slope[0, 0] != 0).tolist()


def test_weights_start_by_their_fans():
    conv = case("conv", 2, {"channels": 8, "kernel_size": 3})
    text = emitted(conv)
    assert '"W1": (36, 72),' in text
    spread = np.abs(module_of(text).initialize(0)["W1"]).max()
    limit = np.sqrt(6 / (36 + 72))
    assert 0.95 * limit < spread <= limit


def test_steady_steps_allocate_nothing():
    import tracemalloc

    conv = case("conv", 2, {"channels": 8, "kernel_size": 3, "padding": 1})
    module = module_of(emitted(conv))
    rng = np.random.default_rng(0)
    params, work = module.initialize(0), module.Workspace(64)
    x = rng.standard_normal((64, *WIDE[2]))
    y = rng.standard_normal(module.forward(params, x)[0].shape)
    for _ in range(2):
        module.loss_and_gradients(params, x, y, workspace=work)
    tracemalloc.start()
    module.loss_and_gradients(params, x, y, workspace=work)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * 2**20


FAULTS = [
    (r"\(1, 1\), \(1, 1\)\)\)", "(0, 2), (1, 1)))"),
    (r"t\[:, :, 1:6", "t[:, :, 0:5"),
    (r"add_to_windows\(windows\(t, \(2, 3\)", "add_to_windows(windows(t, (3, 2)"),
    (r"part = view\[\(\.\.\., \*place\)\]", "part = view[(..., *place[::-1])]"),
    (r"_inside\[\.\.\.\] = xT", "_inside[...] = -xT"),
    (r"fill\(0\)", "fill(1)"),
]


@pytest.mark.parametrize(("pattern", "wrong"), FAULTS)
def test_planted_faults_are_seen(pattern, wrong):
    torch_or_skip()
    conv = case("conv", 2, {"channels": 3, "kernel_size": 3, "padding": 1})
    text = emitted(conv)
    assert re.search(pattern, text), pattern
    try:
        found = disagreements(conv, re.sub(pattern, wrong, text))
    except (ValueError, IndexError):
        return
    assert found


# --- the notation ---

NETWORK = "spec = 1\n[network]\ninput = [2, 5]\n[[layer]]\ntype = 'own'\n"
DEFINE = "[[define]]\nkind = 'layer'\nname = 'own'\ninput = ['channels', 'width']\n"


def built(lines):
    from symbackprop.build import build_network

    return build_network(read_toml(NETWORK + DEFINE + lines, "arch.toml"))


def run(network, x):
    values = evaluate(forward_equations(network), {"x": x}, {"N": len(x)})
    return values[network.output.name].astype(float)


@pytest.mark.parametrize(
    ("reduction", "outside"), [("total", 0), ("largest", -np.inf), ("smallest", np.inf)]
)
def test_what_lies_outside_counts_as_nothing(reduction, outside):
    network = built(
        "output = ['channels', 'width']\nranges = { k = '3' }\n"
        f"equations = ['a[c, i] = {reduction}(k, padded(x[c, i + k - 1]))']\n"
    )
    x = np.random.default_rng(0).standard_normal((2, 2, 5))
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1)), constant_values=outside)
    windows = np.lib.stride_tricks.sliding_window_view(wide, 3, axis=2)
    method = {"total": np.sum, "largest": np.max, "smallest": np.min}[reduction]
    np.testing.assert_allclose(run(network, x), method(windows, axis=-1), atol=1e-14)


def test_padded_reads_and_their_adjoints_are_printed():
    network = built(
        "output = ['channels', 'width']\nranges = { k = '3' }\n"
        "equations = ['a[c, i] = total(k, padded(x[c, i + k - 1]))']\n"
    )
    assert equation_lines(forward_equations(network)) == [
        "a1[n, c, i] = Σ_k padded(x[n, c, i + k - 1])"
    ]
    adjoint = calculus.derive_layers(network).adjoints[-1]
    assert adjoint_lines(adjoint) == ["dx[n, t, i + k - 1] += da1[n, t, i]"]


def test_padded_reads_that_stay_inside_are_plain():
    network = built(
        "output = ['channels', 'width - 2']\nranges = { k = '3' }\n"
        "equations = ['a[c, i] = total(k, padded(x[c, i + k]))']\n"
    )
    assert equation_lines(forward_equations(network)) == ["a1[n, c, i] = Σ_k x[n, c, i + k]"]


@pytest.mark.parametrize(
    ("equation", "words"),
    [
        ("a[c, i] = largest(k, 2 * padded(x[c, i + k - 1]))", "alone under"),
        ("a[c, i] = product(k, padded(x[c, i + k - 1]))", "only as a summand"),
        ("a[c, i] = total(k, x[c, i + k - 1])", r"or padded\(x\[...\]\)"),
        ("a[c, i] = total(m, padded(x[c, i + m - 1]))", "ranges can declare it"),
        ("a[c, i] = padded(x)", "takes one read of an array"),
        ("a[c, i] = padded(1)", "takes one read of an array"),
    ],
)
def test_reads_outside_that_make_no_sense_are_refused(equation, words):
    with pytest.raises(SymbackpropError, match=words):
        built(
            f"output = ['channels', 'width']\nranges = {{ k = '3' }}\nequations = ['{equation}']\n"
        )


def test_padded_is_a_word_of_the_notation():
    with pytest.raises(SymbackpropError, match="a word of the notation"):
        read_equation("padded[i] = x[i]")


@pytest.mark.parametrize(
    ("layer", "fields", "words"),
    [
        (
            "conv2d",
            {"channels": 4, "kernel_size": 9},
            "kernel_size is 9, the height is 5; allowed: 1 to 5",
        ),
        ("conv2d", {"channels": 4, "kernel_size": (2, 2, 2)}, "allowed: 1 or 2"),
        ("conv2d", {"channels": 4, "kernel_size": 2, "groups": 3}, "must divide the 4 channels"),
        (
            "conv2d",
            {"channels": 4, "kernel_size": 2, "stride": 2, "padding": "same"},
            "needs stride 1",
        ),
        ("conv1d", {"channels": 4, "kernel_size": 2}, r"2 axes \(channels, length\), .* has 3"),
        ("max_pool2d", {"kernel_size": 2, "padding": 2}, "at most half"),
    ],
)
def test_mistakes_are_found_at_load(layer, fields, words):
    with pytest.raises(SymbackpropError, match=words):
        network_of(Case(layer, tuple(fields.items()), WIDE[2]))
