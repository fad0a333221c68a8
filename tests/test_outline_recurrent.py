"""Documents of recurrences, through time: each line is true, and says what it holds."""

from __future__ import annotations

import pytest
from test_recurrent import HIGHWAY, INTEGRATOR, in_a_row, network_of, with_starts
from true_lines import Truth, differences

from symbackprop.calculus import derive_network
from symbackprop.calculus.ways import Ways
from symbackprop.render.outline import outline
from symbackprop.render.plain import text

ELMAN = """
[[define]]
kind = "layer"
name = "elman"
input = ["time", "features"]
parameters = { W = ["features", "features"], R = ["features", "features"] }
equations = [
  "h[t, i] = tanh(total(j, W[j, i] * x[t, j]) + total(k, R[k, i] * padded(h[t - 1, k])))",
]
"""
DOCUMENTS = {
    "an equation that reads itself": in_a_row([3, 2], 'type = "elman"', definitions=ELMAN),
    "two states": in_a_row([3, 2], 'type = "highway"', definitions=HIGHWAY),
    "without parameters": in_a_row([3, 2], 'type = "leaky"', definitions=INTEGRATOR),
    "start of rnn": with_starts("rnn", 3, True),
    "start of gru": with_starts("gru", 3, True),
    "start of lstm, last step": with_starts("lstm", 2, False),
    "truncated": with_starts("lstm", 3, True, 2),
    "stacked": in_a_row([3, 2], 'type = "gru"\nhidden = 2', 'type = "rnn"\nhidden = 2'),
}


def wrong_lines(name):
    truth = Truth(derive_network(network_of(DOCUMENTS[name])))
    found = differences(truth, outline(truth.derivation))
    assert len(found) > 8
    return [line for line, worst in found.items() if not worst < 1]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_line_is_true(name):
    assert wrong_lines(name) == []


def held(name):
    """What is held constant, by consumer and variable, of a document's layers."""
    totals = derive_network(network_of(DOCUMENTS[name])).textbook.totals
    ways, found = Ways(totals), {}
    for total in totals:
        for share in total.shares:
            consumer, variable = share.equation.target.variable, total.variable
            accesses = ways.held(variable, consumer)
            found[consumer.symbol, variable.symbol] = [a.variable.symbol for a in accesses]
    return found


def test_what_is_held_is_of_the_same_step():
    found = held("two states")
    assert found["g", "R"] == ["h"]  # at every step, and by the state of the step before
    assert found["h", "x"] == ["g"]
    assert found["g", "x"] == []  # the state that it reads is of an earlier step
    assert found["h", "h"] == ["g"]
    assert held("an equation that reads itself")["h", "W"] == ["h"]


def test_a_state_that_is_held_is_of_the_step_before():
    document = text(outline(derive_network(network_of(DOCUMENTS["an equation that reads itself"]))))
    assert "h_{t − 1}⁽¹⁾ held constant" in document


def test_what_is_not_held_is_seen(monkeypatch):
    monkeypatch.setattr(Ways, "held", lambda ways, variable, consumer: [])
    assert wrong_lines("an equation that reads itself")
