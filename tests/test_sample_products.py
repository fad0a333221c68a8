"""Wide convolutions, one sample after the other: the same layers, and no large copies."""

import tracemalloc

import numpy as np
import pytest
from layer_cases import disagreements, emitted, module_of
from test_windows import CASES

from symbackprop.api import build
from symbackprop.emit import generate
from symbackprop.notation.toml import read_toml
from symbackprop.printing import sample_products

CONVOLVED = [case for case in CASES if case.layer.startswith("conv")]
WIDE = """
spec = 1
[network]
name = "wide"
input = [32, 20, 20]
[[layer]]
type = "conv2d"
channels = 32
kernel_size = 3
padding = 1
"""
HELPERS = ("multiply_each", "sum_products", "add_products")


def wide_module():
    return module_of(generate(build(read_toml(WIDE, "wide.toml"))).text)


@pytest.fixture
def everything_is_wide(monkeypatch):
    monkeypatch.setattr(sample_products, "_WIDE", 0)


@pytest.mark.usefixtures("everything_is_wide")
@pytest.mark.parametrize("case", CONVOLVED, ids=str)
def test_layers_one_sample_after_the_other(case):
    assert not disagreements(case, emitted(case))


@pytest.mark.usefixtures("everything_is_wide")
def test_most_convolutions_can_be_taken_so():
    texts = [emitted(case) for case in CONVOLVED]
    for helper in HELPERS:
        assert sum(f"{helper}(" in text for text in texts) >= len(texts) / 3


def test_a_narrow_convolution_is_one_product():
    module = module_of(generate(build(read_toml(WIDE.replace("20, 20", "6, 6"), "n.toml"))).text)
    assert not any(hasattr(module, helper) for helper in HELPERS)


@pytest.mark.parametrize("samples", [1, 5])
def test_no_copy_of_all_windows(samples):
    module = wide_module()
    assert all(hasattr(module, helper) for helper in HELPERS)
    params = module.initialize()
    x = np.random.default_rng(0).standard_normal((samples, 32, 20, 20))
    tracemalloc.start()
    output, cache = module.forward(params, x)
    module.backward(params, cache, output)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * x.nbytes + 9 * x[0].nbytes + 10**6


@pytest.mark.usefixtures("everything_is_wide")
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (
            "columns = copy.reshape(matrix.shape[1], -1)",
            "columns = copy.reshape(matrix.shape[1], -1)[::-1]",
        ),
        ("result += one", "result -= one"),
        ("part = own[(..., *place)]", "part = own[(..., *place[::-1])]"),
    ],
)
def test_a_fault_in_a_helper_is_seen(right, wrong):
    case = next(c for c in CONVOLVED if dict(c.fields).get("padding") == "same")
    text = emitted(case)
    assert right in text
    assert disagreements(case, text.replace(right, wrong))
