"""Definitions are judged when they are read, used or not."""

import pytest
from descriptions import define, message, read

from symbackprop.catalog import CATALOG
from symbackprop.consistency import check_definition
from symbackprop.definition import Layer, Loss, Parameter
from symbackprop.errors import SymbackpropError


@pytest.mark.parametrize(
    "entry",
    [*CATALOG.activations.values(), *CATALOG.losses.values(), *CATALOG.layers.values()],
    ids=lambda entry: entry.name,
)
def test_the_catalogue_is_consistent(entry):
    check_definition(entry, CATALOG.functions)


LINEAR = """equations = ["{equation}"]
sizes = ["units"]
parameters = {{ W = ["features", "units"], b = {{ extents = ["{extent}"] }} }}"""


def layer(equation, extent="units"):
    return define(LINEAR.format(equation=equation, extent=extent), "layer")


def test_a_used_parameter_may_be_read_through_what_is_defined():
    equations = '["t[i] = total(j, W[j] * x[j]) + b[i]", "z[i] = tanh(t[i])"]'
    parameters = 'parameters = { W = ["features"], b = ["features"] }'
    assert read(define(f"equations = {equations}\n{parameters}", "layer")).definitions


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            layer("z[i] = total(j, W[j, i] * x[j])"),
            ["layer 'mine'", "parameter 'b' is not used"],
        ),
        (
            layer("z[i] = total(j, W[j, i] * x[j]) + bias[i]"),
            ["layer 'mine'", "equation 'z[i] = ", "unknown name 'bias'", "W, b, features"],
        ),
        (
            layer("z[i] = total(j, W[j, i] * x[j]) + b[i]", "unit"),
            ["parameter 'b'", "extent 'unit'", "unknown size 'unit'; did you mean 'units'?"],
        ),
        (
            define('equations = ["z = x"]\noutput = ["feature"]', "layer"),
            ["output: extent 'feature'", "did you mean 'features'?"],
        ),
        (
            define(
                'equations = ["t[i] = b[i] * x[i]", "z[i] = x[i]"]\nparameters.b = ["features"]',
                "layer",
            ),
            ["parameter 'b' is not used: the result does not read it"],
        ),
        (
            define('equations = ["a = z * slop"]\nconstants = { slope = 2 }'),
            ["activation 'mine'", "unknown name 'slop'; did you mean 'slope'?"],
        ),
        (
            define('equations = ["a[c] = z[c]"]\nparameters = { w = [] }\nchannels = true'),
            ["activation 'mine'", "parameter 'w' is not used"],
        ),
        (
            define('equations = ["L = total(i, (a[i] - t[i])**2)"]', "loss"),
            ["loss 'mine'", "unknown name 't'"],
        ),
        (define('equations = ["a = 3"]'), ["activation 'mine': input 'z' is not used"]),
        (define('equations = ["L = y"]', "loss"), ["loss 'mine': output 'a' is not used"]),
        (
            define('equations = ["L = a - y"]\nindices = ["L = a[y] * q"]', "loss"),
            ["equation 'L = a[y] * q'", "unknown name 'q'"],
        ),
    ],
)
def test_mistakes_are_found_at_load(text, parts):
    found = message(read, text)
    assert found.startswith("arch.toml: define 1: ")
    for part in parts:
        assert part in found, found


def test_definitions_made_in_python_are_judged_too():
    unused = Layer("own", ("z[i] = x[i]",), parameters={"b": Parameter(("features",))})
    with pytest.raises(SymbackpropError, match="layer 'own': parameter 'b' is not used"):
        CATALOG.with_definitions([unused])
    with pytest.raises(SymbackpropError, match=r"loss 'own': .* unknown name 'q'"):
        CATALOG.with_definitions([Loss("own", ("L = a - q",))])


def test_a_recurrence_reads_itself():
    cell = Layer(
        "cell",
        ("h[t, i] = tanh(where(t > 0, h[t - 1, i], 0) * w[i] + x[t, i])",),
        inputs={"x": ("length", "features")},
        parameters={"w": Parameter(("features",))},
    )
    assert CATALOG.with_definitions([cell]).layers["cell"] is cell
