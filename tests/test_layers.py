"""Every layer of the catalogue by loops and by PyTorch, which are tried on wrong modules."""

import pytest
from faults import faults
from layer_cases import (
    TORCH,
    Case,
    cases,
    disagreements,
    emitted,
    fits,
    network_of,
    option_sets,
    paired,
    values_of,
)

from symbackprop.catalog import CATALOG

pytest.importorskip("torch", reason="PyTorch is not installed: no third oracle")

each_layer = pytest.mark.parametrize("name", CATALOG.layers)


SAMPLE = [case for name in CATALOG.layers for case in cases(name)]


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_layer_agrees(case):
    assert not disagreements(case, emitted(case))


@each_layer
def test_every_value_of_every_field_is_tried(name):
    tried = {setting for case in SAMPLE if case.layer == name for setting in case.fields}
    for field, values in values_of(CATALOG.layers[name]).items():
        missing = [v for v in values if v is not None and (field, v) not in tried]
        assert not any(paired(name, {field: value}) for value in missing), field
        assert len(missing) < len(values) - 1 or len(values) < 3, field
        assert not missing or field not in CATALOG.layers[name].options, field


@pytest.mark.grid
@each_layer
def test_layer_agrees_on_the_grid(name):
    others = [case for case in cases(name, full=True) if case not in SAMPLE]
    found = {str(case): disagreements(case, emitted(case)) for case in others}
    assert not {case: wrong for case, wrong in found.items() if wrong}


@each_layer
def test_pytorch_has_every_layer(name):
    assert name in TORCH


DENSE = Case("dense", (("bias", True), ("units", 2)), (2, 3))


def test_planted_faults_are_seen():
    text = emitted(DENSE)
    assert not disagreements(DENSE, text)
    functions = ("def forward", "def backward", "def loss_and_gradients")
    lines = text.splitlines()
    starts = [k for k, line in enumerate(lines, start=1) if line.startswith(functions)]
    tried = 0
    for what, plant in faults(text):
        line = int(what.split(":")[0].removeprefix("line "))
        if any(start <= line < start + 12 for start in starts) and "times" in what:
            tried += 1
            assert _seen(plant()), what
    assert tried > 10


def _seen(text):
    try:
        return bool(disagreements(DENSE, text))
    except (ValueError, TypeError, KeyError, IndexError):
        return True


def test_the_network_of_a_case_has_the_layer_last():
    assert network_of(DENSE).layers[-1].kind == "dense"
    assert not fits(Case("dense", (("units", 0),), (2,)))
    assert option_sets(CATALOG.layers["dense"])[0]["bias"] is True
