"""Files as somebody new to them gets them wrong: one line, with the place and what would fit."""

from __future__ import annotations

import pytest

from symbackprop.build import build_network
from symbackprop.errors import SymbackpropError
from symbackprop.notation.toml import read_toml

ONE = "input = {}\n"
TWO = '[[input]]\nname = "x"\nshape = {}\n[[input]]\nname = "m"\nshape = {}\n'


def layer(kind: str, *fields: str) -> str:
    return "\n".join(["[[layer]]", f'type = "{kind}"', *fields, ""])


HEADS, BOTH = "heads = 2", 'from = ["x", "m"]'
# Shapes of the inputs, the layers, what is said after the file's name.
SHAPES = {
    "no channels": (
        ["[8, 8]"],
        layer("conv2d", "channels = 4", "kernel_size = 3"),
        "layer 1 (conv2d): conv2d reads samples of 3 axes (channels, height, width), its input "
        "has 2; it reads an input of shape (N, 8, 8)",
    ),
    "large window": (
        ["[1, 4, 5]"],
        layer("conv2d", "channels = 4", "kernel_size = 5"),
        "layer 1 (conv2d): kernel_size is 5, the height is 4; allowed: 1 to 4; "
        "it reads an input of shape (N, 1, 4, 5)",
    ),
    "large padded, dilated window": (
        ["[1, 4]"],
        layer("conv1d", "channels = 4", "kernel_size = 5", "padding = 1", "dilation = 2"),
        "layer 1 (conv1d): kernel_size is 5, the length is 4, 6 with the padding; allowed: 1 to 3 "
        "with dilation 2; it reads an input of shape (N, 1, 4)",
    ),
    "large pool": (
        ["[1, 2, 2]"],
        layer("max_pool2d", "kernel_size = 3"),
        "layer 1 (max_pool2d): kernel_size is 3, the height is 2; allowed: 1 to 2; "
        "it reads an input of shape (N, 1, 2, 2)",
    ),
    "window of padding": (
        ["[1, 2]"],
        layer("max_pool1d", "kernel_size = 2", "padding = 1", "dilation = 3"),
        "layer 1 (max_pool1d): padding 1 and dilation 3 leave a window nothing to read where the "
        "length is 2; allowed: no padding, or a dilation of at most 2; it reads an input of shape "
        "(N, 1, 2)",
    ),
    "window of padding, of some lengths": (
        ['[1, "L"]'],
        layer("max_pool1d", "kernel_size = 2", "padding = 1", "dilation = 2"),
        "layer 1 (max_pool1d): padding 1 and dilation 2 leave a window nothing to read where the "
        "length is 1; allowed: no padding, or a dilation of at most 1; it reads an input of shape "
        "(N, 1, L)",
    ),
    "large padding": (
        ["[3, 2]"],
        layer("conv_transpose1d", "channels = 2", "kernel_size = 2", "padding = 2"),
        "layer 1 (conv_transpose1d): extent 'length - 3' is -1 with length 2; at least 1 is "
        "needed; it reads an input of shape (N, 3, 2)",
    ),
    "unequal sum": (
        ["[4]"],
        layer("dense", 'name = "a"', "units = 3") + layer("add", 'from = ["a", "input"]'),
        "layer 2 (add): axis 1 has the extents 3 and 4; all must be equal, or 1 to be repeated; "
        "it reads inputs of shapes (N, 3) and (N, 4)",
    ),
    "short mask": (
        ["[7, 10]", "[6]"],
        layer("multi_head_attention", HEADS, 'mask = "m"', 'from = "x"'),
        "layer 1 (multi_head_attention): length of multi_head_attention is 7 in x and 6 in mask; "
        "they must be the same; it reads inputs of shapes (N, 7, 10) and (N, 6)",
    ),
    "narrow memory": (
        ["[7, 10]", "[6, 8]"],
        layer("scaled_dot_product_attention", BOTH),
        "layer 1 (scaled_dot_product_attention): features of scaled_dot_product_attention is 10 "
        "in x and 8 in memory; they must be the same; it reads inputs of shapes (N, 7, 10) and "
        "(N, 6, 8)",
    ),
    "norm of the first axis": (
        ["[5, 4]"],
        layer("layer_norm", "normalized_shape = [5]"),
        "layer 1 (layer_norm): normalized_shape is (5,); it must be the last extents of a sample "
        "of shape (5, 4); it reads an input of shape (N, 5, 4)",
    ),
    "unequal groups": (
        ["[3, 8, 8]"],
        layer("conv2d", "channels = 4", "kernel_size = 3", "groups = 2"),
        "layer 1 (conv2d): groups is 2; it must divide the 3 channels of the input of conv2d; "
        "it reads an input of shape (N, 3, 8, 8)",
    ),
}
# The layer, what is said after the file's name and the layer.
FIELDS = {
    "mask of no input": (
        layer("multi_head_attention", HEADS, 'mask = "nowhere"'),
        "mask: 'nowhere' is not known; allowed: input",
    ),
    "extent of the input": (
        layer("dense", "in_features = 4", "units = 3"),
        "'in_features' follows from what the layer reads: leave it out",
    ),
    "extent of the input, though one of ours is alike": (
        layer("conv1d", "in_channels = 4", "channels = 3", "kernel_size = 1"),
        "'in_channels' follows from what the layer reads: leave it out",
    ),
    "name of another library": (
        layer("dense", "out_features = 3"),
        "'out_features' is called 'units' here",
    ),
    "word that is none": (
        layer("conv1d", "channels = 3", "kernel_size = 1", 'padding = "full"'),
        "padding: found 'full'; allowed: a whole number from 0, or a list of them, or \"same\", "
        'or "valid"',
    ),
}


def said(inputs: str, layers: str) -> str:
    with pytest.raises(SymbackpropError) as caught:
        build_network(read_toml(f"spec = 1\n[network]\n{inputs}{layers}", "net.toml"))
    return str(caught.value)


@pytest.mark.parametrize(("shapes", "layers", "message"), SHAPES.values(), ids=SHAPES)
def test_shapes_that_do_not_fit(shapes: list[str], layers: str, message: str) -> None:
    inputs = (ONE if len(shapes) == 1 else TWO).format(*shapes)
    assert said(inputs, layers) == f"net.toml: {message}"


@pytest.mark.parametrize(("layers", "message"), FIELDS.values(), ids=FIELDS)
def test_fields_that_are_none(layers: str, message: str) -> None:
    place, _, rest = said(ONE.format("[5, 4]"), layers).removeprefix("net.toml: ").partition(": ")
    assert place.startswith("layer 1 (")
    assert rest == message


def test_no_input() -> None:
    message = "net.toml: network: input is missing: the shape of a sample, or [[input]] tables"
    assert said("", layer("dense", "units = 3")) == message
