"""The small instance that stands for a large network in the check."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import pytest

from symbackprop import api
from symbackprop.architecture import Architecture, InputUse, LayerUse
from symbackprop.build import build_network
from symbackprop.network import Network
from symbackprop.notation import load
from symbackprop.notation.toml import read_toml
from symbackprop.small import keeps_maps, small_instances


def small_instance(architecture: Architecture) -> Architecture:
    return next(small_instances(architecture, build_network(architecture)))


EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def widths(text: str) -> list[tuple[str, int]]:
    layers = small_instance(load(text)).layers
    return [
        (layer.activation.name if layer.activation else "", layer.fields["units"])
        for layer in layers
    ]


def test_each_kind_stands_once_and_is_narrow() -> None:
    found = widths("784-128x3:relu-64:tanh-32:relu-10:softmax")
    assert found == [("relu", 5), ("tanh", 3), ("softmax", 10)]


def test_the_last_layer_stays() -> None:
    assert widths("784-300:sigmoid") == [("sigmoid", 300)]


def test_a_fault_that_only_the_small_instance_shows_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole module passes; the gradients of the small one are off by a factor."""
    checked = api._checked

    def faulty(text: str, network, progress):
        small = len(text) and network.input.axes[1].extent == 5
        wrong = text.replace("dW1 = x.T @ dz1", "dW1 = 2 * x.T @ dz1") if small else text
        return checked(wrong, network, progress)

    monkeypatch.setattr(api, "_checked", faulty)
    _, report = api.generate_checked("40-30:relu-3:sigmoid", loss="binary_cross_entropy")
    assert not report.passed


def test_a_large_network_passes(tmp_path: Path) -> None:
    stages: list[str] = []
    _, report = api.generate_checked(
        "40-30:relu-3:sigmoid", loss="binary_cross_entropy", progress=stages.append
    )
    assert report.passed
    assert stages[-1] == "checking a small instance of every kind of layer"


@pytest.mark.parametrize("name", ["char_transformer", "decoder", "encoder"])
def test_widths_that_heads_divide_stay_so(name: str) -> None:
    architecture = load(str(EXAMPLES / f"{name}.toml"))
    small = build_network(small_instance(architecture))
    whole = build_network(architecture)
    assert [p.variable.name for p in small.parameters] == [
        p.variable.name for p in whole.parameters
    ]
    assert weights(small) < weights(whole) / 3


def weights(network: Network) -> int:
    return sum(prod(axis.extent for axis in p.variable.axes) for p in network.parameters)


def test_a_graph_keeps_its_layers_and_what_fits() -> None:
    layers = (
        LayerUse("dense", "first", "first", {"units": 50}),
        LayerUse("dense", "wide", "wide", {"units": 300}),
        LayerUse("dense", "back", "back", {"units": 50}),
        LayerUse("add", "add", sources=("first", "back", "p")),
        LayerUse("dense", "last", fields={"units": 10}),
    )
    inputs = (InputUse("x", (200,)), InputUse("p", (50,)))
    layers = (replace(layers[0], sources=("x",)), *layers[1:])
    small = small_instance(Architecture("net", (), layers, inputs=inputs))
    units = [layer.fields.get("units") for layer in small.layers]
    assert units == [3, 5, 3, None, 10]
    assert [use.shape for use in small.inputs] == [(4,), (3,)]
    assert build_network(small).output.axes[1].extent == 10


def test_a_block_keeps_its_first_turns() -> None:
    text = """spec = 1
        [network]
        input = [30]
        loss = "mean_squared_error"
        [[block]]
        name = "res"
        repeat = 40
        layer = [
            { type = "dense", units = 30, activation = "tanh", name = "own" },
            { type = "add", from = ["block", "own"] },
        ]
        [[layer]]
        type = "dense"
        name = "aside"
        units = 30
        [[layer]]
        type = "add"
        from = ["aside", "res.40.own"]
        """
    small = small_instance(read_toml(text, "blocks.toml"))
    names = [layer.name for layer in small.layers]
    assert names == ["res.1.own", "res.1.2", "res.2.own", "res.2.2", "aside", ""]
    assert small.layers[-1].sources == ("aside", "res.2.own")
    assert build_network(small).output.axes[1].extent < 30


def test_of_equal_blocks_the_first_is_kept_and_maps_stay_maps() -> None:
    architecture = load(Path(__file__).parent.parent / "benchmarks" / "resnet50.toml")
    network = build_network(architecture)
    kept = next(
        small
        for small in map(build_network, small_instances(architecture, network))
        if keeps_maps(small, network)
    )
    blocks = [layer.owner.partition(".")[0] for layer in kept.layers if "." in layer.owner]
    assert list(dict.fromkeys(blocks)) == ["enter2", "stage2", "enter3"]
    assert all(axis.extent < 12 for axis in kept.input.axes[1:])
    assert {len(layer.output.axes) for layer in kept.layers} == {2, 4}
