"""A derivation in Python: its records display themselves."""

from __future__ import annotations

import re

import pytest

import symbackprop
from symbackprop.api import build
from symbackprop.calculus import passes
from symbackprop.equations import Adjoint, Equation
from symbackprop.errors import SymbackpropError
from symbackprop.render.display import Derivation

SOURCES = [
    ("2-4:relu-3:relu-1:sigmoid", "binary_cross_entropy"),
    ("3-4:sigmoid-3:softmax", "cross_entropy"),
    ("n_0-n_1:f_1-n_2:f_2", "squared_error"),
    ("3-4:prelu-2", None),
]


@pytest.fixture(params=SOURCES, ids=lambda case: case[0])
def derivation(request: pytest.FixtureRequest) -> Derivation:
    source, loss = request.param
    return symbackprop.derive(source, loss=loss)


def is_display(latex: str) -> bool:
    """Whether it is one display of plain ASCII LaTeX with its braces closed."""
    inside = re.fullmatch(r"\$\$(.*)\$\$", latex, re.DOTALL)
    depth = 0
    for sign in re.sub(r"\\.", "", inside[1]) if inside else "":
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            return False
    return inside is not None and depth == 0 and "$" not in inside[1] and latex.isascii()


def test_every_record_displays(derivation: Derivation) -> None:
    records = (*derivation.equations, *derivation.gradients, *derivation.steps)
    assert len(records) > 10
    assert all(is_display(record._repr_latex_()) for record in records)
    assert is_display(derivation._repr_latex_())


def test_no_sign_is_printed_as_its_number(derivation: Derivation) -> None:
    shown = [record._repr_latex_() for record in (*derivation.equations, *derivation.steps)]
    assert not any(re.search(r"U\+?[0-9A-F]{4}", latex) for latex in shown)


@pytest.mark.parametrize("planted", ["L = 1", "$$a_{i$$", "$$a}{$$", "$$α$$", "$$a$b$$"])
def test_a_planted_fault_is_seen(planted: str) -> None:
    assert not is_display(planted)


def test_records_stay_at_hand(derivation: Derivation) -> None:
    assert all(isinstance(shown.record, Equation) for shown in derivation.equations)
    assert all(isinstance(shown.record, Adjoint) for shown in derivation.gradients)
    assert [step.record for step in derivation.steps] == list(derivation.layers.steps)
    assert {step.rule for step in derivation.steps} >= {"local partial", "chain rule"}


def test_it_is_what_the_code_is_emitted_from() -> None:
    source, loss = SOURCES[0]
    network = build(source, loss=loss)
    assert symbackprop.derive(source, loss=loss).layers == passes.derive_layers(network)


def test_every_gradient_of_a_parameter_is_among_them(derivation: Derivation) -> None:
    derived = {shown.record.variable for shown in derivation.gradients}
    learned = {array.variable for array in derivation.network.parameters}
    assert learned | {derivation.network.input} <= derived


def test_the_whole_tells_the_loss_and_how_it_collapses() -> None:
    source, loss = SOURCES[1]
    shown = symbackprop.derive(source, loss=loss)._repr_latex_()
    assert r"l_{n} = -\sum_{i = 1}^{3} y_{ni} \log(\hat{y}_{ni})" in shown
    assert r"\frac{\partial L}{\partial l_{n}} (\hat{y}_{ni} - y_{ni})" in shown
    assert shown.count(r"\frac{\partial L}{\partial l_{n}} = ") == 1


def test_the_notation_is_the_readers_own() -> None:
    source, loss = SOURCES[0]
    chosen = symbackprop.derive(source, loss=loss, notation={"cost": "E", "activation": "h"})
    assert all(sign in chosen._repr_latex_() for sign in (r"\partial E", "h_{ni}^{(1)}"))
    assert chosen.source.endswith("notation={'cost': 'E', 'activation': 'h'})")
    assert r"\partial L" not in "".join(step._repr_latex_() for step in chosen.steps)
    with pytest.raises(SymbackpropError, match="notation cost=Q: allowed: C, E, J, L"):
        symbackprop.derive(source, notation={"cost": "Q"})


def test_the_source_rebuilds_it(derivation: Derivation) -> None:
    names: dict[str, object] = {}
    *statements, last = derivation.source.splitlines()
    exec("\n".join(statements), names)
    assert eval(last, names) == derivation


def test_the_document_is_that_of_the_command() -> None:
    source, loss = SOURCES[0]
    found = symbackprop.derive(source, loss=loss).document()
    assert found.title == "Backpropagation of perceptron"
    assert found.source.endswith(
        "symbackprop.derive('2-4:relu-3:relu-1:sigmoid', loss='binary_cross_entropy')"
    )
