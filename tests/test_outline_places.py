"""Every equation of a document leads to the code that computes it, or to what absorbed it."""

from __future__ import annotations

import pytest
from layer_cases import cases, network_of

from symbackprop.api import document
from symbackprop.calculus import derive_network
from symbackprop.catalog import CATALOG
from symbackprop.emit import generate
from symbackprop.notation.toml import read_toml
from symbackprop.render.anchors import check_anchors
from symbackprop.render.document import Display, Document, Table
from symbackprop.render.notation import Choice
from symbackprop.render.outline import outline
from symbackprop.render.plain import plain, text
from symbackprop.render.typeset import Words

NETWORKS = [
    ("3-2", "squared_error"),
    ("2-4:relu-3:softmax", "cross_entropy"),
    ("2-3:identity-2:log_softmax", "nll"),
    ("2-3:sigmoid-4:sigmoid", "binary_cross_entropy"),
    ("3-2", "cosine_similarity"),
    ("3-2", "cross_entropy_with_logits"),
    ("3-4", "kl_divergence"),
    ("3-4", "gaussian_nll"),
]


def lost(found: Document) -> list[str]:
    """What neither leads to lines of code nor names what does."""
    check_anchors(found)
    return [
        f"{section.anchor}: {plain(block.lines[0].left or Words(''))}"
        for section in found.sections
        for block in section.blocks
        if isinstance(block, Display)
        if not block.code and block.absorbed is None
    ]


@pytest.mark.parametrize(("source", "loss"), NETWORKS)
def test_every_equation_leads_somewhere(source: str, loss: str) -> None:
    assert lost(document(source, loss=loss)) == []


SEQUENCE = """
spec = 1
[network]
input = [5, 4]
loss = "{}"
[[layer]]
type = "dense"
units = 3
"""


@pytest.mark.parametrize("loss", ["cross_entropy_with_logits", "squared_error"])
def test_of_a_loss_at_every_place_of_a_sequence(loss: str) -> None:
    architecture = read_toml(SEQUENCE.format(loss), "sequence.toml")
    assert lost(document(architecture)) == []


@pytest.mark.parametrize("name", CATALOG.layers)
def test_of_every_layer_too(name: str) -> None:
    network = network_of(cases(name)[0])
    derivation, emitted = derive_network(network), generate(network)
    assert lost(outline(derivation, Choice(form="matrix"), emitted)) == []
    found = outline(derivation, emitted=emitted)
    assert lost(found) == []
    (table,) = (b for s in found.sections for b in s.blocks if isinstance(b, Table))
    told = {plain(row[0][0]) for row in table.rows if not isinstance(row[0][0], str)}
    assert len(told) == len(table.rows)
    assert len(told) >= 4


def test_without_code_there_is_nowhere_to_lead() -> None:
    found = document("n_0-n_1:f_1", loss="squared_error")
    assert len(lost(found)) > 5


def test_names_that_the_calculus_made_are_explained() -> None:
    said = text(document("3-4:relu-3:softmax", loss="cross_entropy"))
    assert "others_s⁽²⁾ is a total without one of its summands" in said
    assert "mass_s⁽²⁾ is a total" in said
    assert "arg_m⁽²⁾ is the place of the first of the largest" in said


def test_the_table_tells_all_symbols() -> None:
    found = document("3-4:relu-2:softmax", loss="cross_entropy")
    (table,) = (b for s in found.sections for b in s.blocks if isinstance(b, Table))
    symbols = [plain(row[0][0]) for row in table.rows]
    assert symbols[:5] == ["x", "W⁽¹⁾", "b⁽¹⁾", "z⁽¹⁾", "a⁽¹⁾"]
    assert symbols[-5:-2] == ["m⁽²⁾", "e⁽²⁾", "s⁽²⁾"]
