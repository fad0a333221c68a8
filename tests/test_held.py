"""Values that may be held constant: the reason is derived, and found only where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from layer_cases import Case, network_of

from symbackprop.api import derive
from symbackprop.calculus.held import invariances
from symbackprop.equations import Adjoint
from symbackprop.render.outline import outline
from symbackprop.render.plain import text

NETWORKS = [
    ("2-3:softmax", "cross_entropy"),
    ("2-3:log_softmax", "nll"),
    ("2-3", "cross_entropy_with_logits"),
    ("2-3:softmax-2", "cross_entropy_with_logits"),
]


@pytest.mark.parametrize(("source", "loss"), NETWORKS)
def test_every_maximum_that_is_held_may_be(source: str, loss: str) -> None:
    derivation = derive(source, loss=loss)
    layers = [e for la in derivation.network.layers for e in (*la.equations, *la.activation)]
    held = {e.target.variable for e in layers if e.held}
    assert derivation.textbook.invariances.keys() == held
    for found in derivation.textbook.losses:
        assert found.invariances.keys() == {e.target.variable for e in found.equations if e.held}
    assert "its derivative is 0" in text(outline(derivation))


@pytest.mark.parametrize("causal", [False, True])
def test_of_attention_too(causal: bool) -> None:
    case = Case("scaled_dot_product_attention", (("causal", causal),), (3, 2))
    layer = network_of(case).layers[-1]
    (steps,) = invariances(layer.equations, layer.output).values()
    assert [step.rule for step in steps] == ["chain rule", "definition", "cancellation"]
    (last,) = steps[-1].after
    assert isinstance(last, Adjoint)
    assert last.terms == ()


HELD = """
spec = 1
[network]
input = [2]
loss = "squared_error"
[[define]]
kind = "activation"
name = "shifted"
equations = ["m = held(largest(i, z[i]))", "{}"]
[[layer]]
type = "dense"
units = 3
activation = "shifted"
"""


@pytest.mark.parametrize(
    ("equation", "free"),
    [
        ("a[i] = z[i] - m", False),
        ("a[i] = exp(z[i] - m) / total(j, exp(2 * z[j] - m))", True),
        ("a[i] = exp(z[i] - m) / total(j, exp(z[j] - 2 * m))", False),
        ("a[i] = exp(z[i] - m) * total(j, z[j])", False),
    ],
)
def test_a_reason_is_found_only_where_there_is_one(
    equation: str, free: bool, tmp_path: Path
) -> None:
    path = tmp_path / "net.toml"
    path.write_text(HELD.replace("{}", equation), encoding="utf-8")
    derivation = derive(path)
    assert bool(derivation.textbook.invariances) == free
    said = text(outline(derivation))
    assert ("held constant: what it adds to derivatives is left out" in said) == (not free)
