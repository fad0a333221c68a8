"""Losses on probabilities refuse outputs that are none, each activation judged by its values."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from symbackprop import api, fitting
from symbackprop.catalog import CATALOG
from symbackprop.errors import SymbackpropError

# What each loss with an expectation reads; log-probabilities need only be able to be below 0.
PROBABILITIES = {"sigmoid", "hard_sigmoid", "softmax"}
NEVER_NEGATIVE = {*PROBABILITIES, "relu", "relu6", "softplus", "exponential", "square"}
FITTING = {
    "binary_cross_entropy": PROBABILITIES,
    "cross_entropy": {"softmax"},
    "nll": CATALOG.activations.keys() - NEVER_NEGATIVE,
    "kl_divergence": CATALOG.activations.keys() - NEVER_NEGATIVE,
}


def accepted(text: str, loss: str) -> bool:
    try:
        api.build(text, loss=loss)
    except SymbackpropError as error:
        if f"loss: {loss} reads" not in str(error):
            raise
        return False
    return True


def written(folder: Path, text: str) -> Path:
    path = folder / "net.toml"
    path.write_text(f"spec = 1\n[network]\n{text}", encoding="utf-8")
    return path


@pytest.mark.parametrize("loss", CATALOG.losses)
def test_every_activation_before_every_loss(loss: str) -> None:
    fitting_ones = {name for name in CATALOG.activations if accepted(f"3-4:{name}", loss)}
    assert fitting_ones == FITTING.get(loss, set(CATALOG.activations))


@pytest.mark.parametrize("loss", FITTING)
def test_the_catalogue_says_which_losses_expect_something(loss: str) -> None:
    assert {entry.name for entry in CATALOG.losses.values() if entry.expects} == set(FITTING)
    entry = CATALOG.losses[loss]
    assert entry.expects in fitting._EXPECTED
    assert not entry.on_logits or entry.on_logits in CATALOG.losses


def test_what_is_named_as_fitting_fits() -> None:
    for entry in CATALOG.losses.values():
        if entry.expects:
            assert accepted(f"3-4:{fitting._EXPECTED[entry.expects][1]}", entry.name)
        if entry.on_logits:
            assert accepted("3-4", entry.on_logits)


@pytest.mark.parametrize(
    ("text", "loss", "parts"),
    [
        (
            "2-4:relu-1:tanh",
            "binary_cross_entropy",
            ["tanh of layer 2 (dense)", "from 0 to 1", "sigmoid", "_cross_entropy_with_logits"],
        ),
        ("2-3", "cross_entropy", ["layer 1 (dense), can be -", "softmax", "with_logits"]),
        ("2-3:sigmoid", "cross_entropy", ["sigmoid of layer 1", "sum to 1", "softmax"]),
        ("2-3:softmax", "nll", ["softmax of layer 1", "never below 0", "log_softmax"]),
    ],
)
def test_the_message_says_what_fits(text: str, loss: str, parts: list[str]) -> None:
    with pytest.raises(SymbackpropError) as caught:
        api.build(text, loss=loss)
    for part in (f"'{text}': loss: {loss} reads", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ("2-1:sigmoid", "binary_cross_entropy"),
        ("2-1:softmax", "cross_entropy"),
        ("2-1", "nll"),
        ("2-1:log_softmax", "nll"),
        ("n-m:softmax", "cross_entropy"),
        ("2-3:f", "cross_entropy"),
        ("2-3:relu-9:softmax", "cross_entropy"),
    ],
)
def test_one_unit_named_sizes_and_open_functions_pass(text: str, loss: str) -> None:
    assert accepted(text, loss)


@pytest.mark.parametrize(
    ("equation", "accepts"),
    [
        ("(1 + tanh(z)) / 2", True),
        ("z**2 / (1 + z**2)", True),
        ("1 / (1 + exp(-z)) * 1.001", False),
        ("log(z)", False),
    ],
)
def test_a_users_activation_is_judged_by_its_values(
    tmp_path: Path, equation: str, accepts: bool
) -> None:
    path = written(
        tmp_path,
        'input = [3]\nloss = "binary_cross_entropy"\n'
        '[[layer]]\ntype = "dense"\nunits = 2\nactivation = "mine"\n'
        f'[[define]]\nkind = "activation"\nname = "mine"\nequations = ["a = {equation}"]\n',
    )
    if accepts:
        assert api.build(path).loss == "binary_cross_entropy"
    else:
        with pytest.raises(SymbackpropError, match=r"net\.toml: loss: .* mine of layer 1"):
            api.build(path)


def test_a_users_layer_may_give_probabilities_itself(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'input = [3]\nloss = "binary_cross_entropy"\n[[layer]]\ntype = "gate"\n'
        '[[define]]\nkind = "layer"\nname = "gate"\n'
        'equations = ["z = 1 / (1 + exp(-total(i, w[i] * x[i])))"]\n'
        'parameters = { w = ["features"] }\n',
    )
    assert api.build(path).loss == "binary_cross_entropy"


def test_what_follows_the_activation_is_looked_through(tmp_path: Path) -> None:
    def layers(*functions: str) -> Path:
        text = "".join(f'[[layer]]\ntype = "activation"\nfunction = "{f}"\n' for f in functions)
        dense = '[[layer]]\ntype = "dense"\nunits = 3\n'
        return written(tmp_path, f'input = [2]\nloss = "cross_entropy"\n{dense}{text}')

    assert api.build(layers("softmax", "identity")).loss
    assert api.build(layers("tanh", "softmax")).loss
    with pytest.raises(SymbackpropError, match="sum to"):
        api.build(layers("softmax", "square"))


def test_the_axis_of_the_classes_counts(tmp_path: Path) -> None:
    def along(activation: int, loss: int) -> Path:
        return written(
            tmp_path,
            f'input = [4, 3]\nloss = {{ name = "cross_entropy", axis = {loss} }}\n'
            '[[layer]]\ntype = "dense"\nunits = 3\n'
            f'activation = {{ name = "softmax", axis = {activation} }}\n',
        )

    for axis in (1, 2):
        assert api.build(along(axis, axis)).loss
    with pytest.raises(SymbackpropError, match="sum to"):
        api.build(along(1, 2))


def test_a_bound_that_cuts_off_below_0_fits() -> None:
    architecture = api.load("2-3:hard_tanh")
    (layer,) = architecture.layers
    use = replace(layer.activation, constants={"min_val": 0.0})
    cut = replace(architecture, layers=(replace(layer, activation=use),))
    assert api.build(cut, loss="binary_cross_entropy").loss
    with pytest.raises(SymbackpropError, match="can be -"):
        api.build(architecture, loss="binary_cross_entropy")


def test_large_networks_are_judged_in_no_time() -> None:
    begin = time.monotonic()
    assert accepted("784-100x100:relu-100000:softmax", "cross_entropy")
    assert time.monotonic() - begin < 2
