"""Documents of every layer of the catalogue: each line is true, each document compiles."""

from __future__ import annotations

import pytest
from latex_reader import UnreadableError
from layer_cases import Case, cases, network_of
from true_lines import Truth, differences

from symbackprop.calculus import derive_network
from symbackprop.catalog import CATALOG
from symbackprop.render import units
from symbackprop.render.outline import outline

each_layer = pytest.mark.parametrize("name", CATALOG.layers)


def smallest(name):
    """The first of a layer's cases with the fewest places that has more than one anywhere."""
    found = [case for case in cases(name) if max(case.shape) > 1]
    return min(found, key=lambda case: (len(case.shape), sum(case.shape)))


def wrong_lines(case) -> list[str]:
    truth = Truth(derive_network(network_of(case)))
    found = differences(truth, outline(truth.derivation))
    assert len(found) > 8
    return [line for line, worst in found.items() if not worst < 1]


@each_layer
def test_every_line_is_true(name: str) -> None:
    assert wrong_lines(smallest(name)) == []


def test_projections_without_a_bias_keep_their_names() -> None:
    case = Case("multi_head_attention", (("bias", False), ("heads", 1)), (5, 4))
    assert wrong_lines(case) == []


def rules(name: str, **fields: object) -> set[str]:
    case = next(case for case in cases(name) if dict(case.fields).items() >= fields.items())
    document = outline(derive_network(network_of(case)))
    return {line.rule for display in document.displays() for line in display.lines}


def test_a_convolution_is_shown_transposed() -> None:
    assert "indices solved for" in rules("conv2d")
    assert "indices solved for" in rules("max_pool1d", stride=1)
    assert "indices solved for" not in rules("dense")


def test_a_read_outside_that_is_not_told_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "_outside", lambda setting, equations: [])
    with pytest.raises(UnreadableError, match="has no place"):
        wrong_lines(smallest("conv1d"))
