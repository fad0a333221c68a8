"""Layers that rearrange: what is a view, what lies side by side, and shapes that do not fit."""

import pytest
from layer_cases import Case, emitted, module_of

from symbackprop.architecture import Architecture, LayerUse, Use
from symbackprop.build import build_network
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError

CONVOLVED = Architecture(
    "convolved",
    (2, 4, 4),
    (
        LayerUse("conv2d", "layer 1", fields={"channels": 3, "kernel_size": 3, "padding": 1}),
        LayerUse("max_pool2d", "layer 2", fields={"kernel_size": 2}, activation=Use("tanh")),
        LayerUse("flatten", "layer 3"),
        LayerUse("dense", "layer 4", fields={"units": 3}),
    ),
    loss=Use("mean_squared_error"),
)


def between(text, start, stop="\n\n\n"):
    begin = text.index(start)
    return text[begin : text.index(stop, begin)]


def wrong(text):
    errors = module_of(text).gradient_check()
    return {name: error for name, error in errors.items() if not error <= 1e-6}


def test_axes_that_lie_side_by_side_become_one_without_a_copy():
    text = generate(build_network(CONVOLVED)).text
    assert "a2_merged = a2.reshape(12, -1)" in text
    assert "W4_T.dot(a2_merged, a4)" in text
    assert "da3_parts = da3.reshape(3, 2, 2, -1)" in text
    assert "a3[...]" not in text
    assert not wrong(text)


def test_a_pooled_axis_of_one_place_is_none():
    layers = (
        LayerUse("conv2d", "layer 1", fields={"channels": 3, "kernel_size": 3}),
        LayerUse("max_pool2d", "layer 2", fields={"kernel_size": 2}),
        LayerUse("flatten", "layer 3"),
        LayerUse("dense", "layer 4", fields={"units": 3}),
    )
    narrow = Architecture("narrow", (2, 6, 5), layers, loss=Use("mean_squared_error"))
    assert not wrong(generate(build_network(narrow)).text)


def test_a_part_of_an_array_is_copied_where_its_axes_become_one():
    layers = (
        LayerUse("dense", "layer 1", fields={"units": 3}),
        LayerUse("slice", "layer 2", fields={"start": 1}),
        LayerUse("flatten", "layer 3"),
        LayerUse("dense", "layer 4", fields={"units": 2}),
    )
    loss = Use("mean_squared_error")
    text = generate(build_network(Architecture("cut", (4, 3), layers, loss=loss))).text
    assert "a3_parts[...] = " in between(text, "    work = workspace")
    assert not wrong(text)


def test_values_side_by_side_are_written_once():
    text = emitted(Case("concatenate", (("axis", 1),), (2, 3)))
    step = between(text, "    work = workspace")
    assert "np.concatenate((a_first, x), axis=1, out=a2)" in step
    assert "fill(0)" not in step
    assert "add_to_windows" not in step


REFUSED = [
    (
        "flatten",
        (2, 3),
        {"start_dim": 2, "end_dim": 1},
        "start_dim is axis 2 and end_dim is axis 1",
    ),
    ("flatten", (2, 3), {"start_dim": 0}, "start_dim is 0; allowed: 1 to 2 (the batch is 0)"),
    ("reshape", (2, 6), {"shape": (5, -1)}, "shape (5, -1) holds 5 numbers, a sample"),
    ("reshape", (2, 6), {"shape": (-1, -1)}, "-1 once"),
    ("reshape", (2, 6), {"shape": (1,) * 7 + (12,)}, "shape has 8 axes; at most 7"),
    ("slice", (2, 6), {"axis": 3}, "axis is 3; allowed: 1 to 2"),
    ("slice", (2, 6), {"start": 4, "stop": 2}, "leave nothing of the 6 places of axis 2"),
    (
        "reshape",
        (2, "T"),
        {"shape": (4, 3)},
        "shape (4, 3) holds 12 numbers, a sample of shape (2, T) has 2 * T",
    ),
    ("pad", (2, 6), {"padding": (1, 2, 3)}, "padding has 3 numbers; allowed: 1, or 2"),
    (
        "pad",
        (2, 6),
        {"padding": 6, "mode": "reflect"},
        'has 6 places; mode "reflect" allows at most 5',
    ),
    ("pad", (2, 6), {"padding": (0, 7), "mode": "circular"}, "along axis 2, which has 6 places"),
    ("pad", (2, 6), {"padding": 0, "mode": "circular", "value": 1.0}, "value is set, which mode"),
    ("concatenate", (2, 6), {}, "reads 2 values or more, from names 1"),
]


@pytest.mark.parametrize(("layer", "shape", "fields", "message"), REFUSED)
def test_what_does_not_fit_is_refused(layer, shape, fields, message):
    use = LayerUse(layer, "layer 1", fields=fields)
    with pytest.raises(SymbackpropError) as error:
        build_network(Architecture("net", shape, (use,)))
    assert str(error.value).startswith("layer 1: ")
    assert message in str(error.value)


def test_joined_values_have_the_same_other_axes():
    layers = (
        LayerUse("conv2d", "first", "first", {"channels": 3, "kernel_size": 2}),
        LayerUse("concatenate", "layer 2", sources=("first", "input"), fields={"axis": 1}),
    )
    with pytest.raises(SymbackpropError, match=r"along axis 1, found the shapes \(3, 3, 3\) and"):
        build_network(Architecture("net", (2, 4, 4), layers))
