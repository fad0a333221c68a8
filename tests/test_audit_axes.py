r"""Formulas over several axes: digits of an index, windows, samples, names as long as words.

Each is a right claim, and the same with one place changed.
"""

from __future__ import annotations

import pytest

from symbackprop.auditing.formulas.entry import audit_formula, audit_text

SPLIT = (
    r"y_d = \sum_{f=0}^{5} h_{\lfloor f/3 \rfloor, f \mathbin{\text{mod}} 3} w_{d,f}"
    "\n"
    r"L = \sum_{d=0}^{1} y_d^2"
)
WINDOWS = r"y_{i} = \max_{u, v} x_{u, 2i+v} \qquad i = 0, 1; u = 0, 1; v = 0, 1"
NORMAL = (
    r"\mathit{mean}_{c}^{(1)} = \frac{\sum_{n=1}^{N} x_{nc}}{N}"
    "\n"
    r"y_{nc} = \gamma_c^{(1)} (x_{nc} - \mathit{mean}_{c}^{(1)})"
)
IMAGES = (
    r"y_{nkhj} = \sum_{c=0}^{1} w_{kc} x_{nchj} + b_k \qquad k = 0, 1, 2"
    "\n"
    r"L = \sum_{n=0}^{2} \sum_{k=0}^{2} \sum_{h=0}^{1} \sum_{j=0}^{2} y_{nkhj}^2"
)
# What is given, a right claim, and what of it becomes what.
CLAIMS = {
    "digits of an index": (
        SPLIT,
        r"\frac{\partial y_d}{\partial h_{g,i}} = w_{d, 3g+i} \qquad g = 0, 1; i = 0, 1, 2",
        ("3g+i", "2g+i"),
    ),
    "deltas of digits": (
        SPLIT,
        r"\frac{\partial y_d}{\partial h_{g,i}} = \sum_{f=0}^{5} \delta_{g, \lfloor f/3 \rfloor} "
        r"\delta_{i, f \mathbin{\text{mod}} 3} w_{d,f} \qquad g = 0, 1; i = 0, 1, 2",
        (r"\delta_{i, f", r"\delta_{g, f"),
    ),
    "a word that is a name": (
        NORMAL,
        r"\frac{\partial y_{nc}}{\partial \mathit{mean}_{c}^{(1)}} = -\gamma_c^{(1)}",
        ("-", ""),
    ),
    "indices as long as a word": (
        IMAGES,
        r"\frac{\partial L}{\partial b_k} = \sum_{n=0}^{2} \sum_{h=0}^{1} \sum_{j=0}^{2} "
        r"\frac{\partial L}{\partial y_{nkhj}}",
        (r"\sum_{h=0}^{1}", r"2 \sum_{h=0}^{1}"),
    ),
    "the place of the largest of several": (
        WINDOWS + "\n" + r"m_i = \operatorname{argmax}_{u, v} x_{u, 2i+v} "
        r"\qquad i = 0, 1; u = 0, 1; v = 0, 1",
        r"\frac{\partial y_i}{\partial x_{u, 2i+v}} = 1[m_i = 2u + v] "
        r"\qquad i = 0, 1; u = 0, 1; v = 0, 1",
        ("2u + v", "u + 2v"),
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_right_claim_is_proved(name: str) -> None:
    given, claim, _ = CLAIMS[name]
    (found,) = audit_formula(claim, given)
    assert found.verdict == "proved", found.reason


@pytest.mark.parametrize("name", CLAIMS)
def test_a_changed_claim_does_not_pass(name: str) -> None:
    given, claim, (right, wrong) = CLAIMS[name]
    assert right in claim
    (found,) = audit_formula(claim.replace(right, wrong), given)
    assert found.verdict in ("refuted", "undecided")


RECURRENT = r"""
$$h_{ti} = \tanh(s_{ti})$$
$$s_{ti} = w_i x_t + \sum_{k=1}^{2} v_{ik} h_{t-1,k} + b_i \qquad t = 1, \ldots, 3; i = 1, 2$$
$$L = \frac{\sum_{n=1}^{N} l_n}{N}$$
$$\frac{\partial L}{\partial b_i} = \sum_{n=1}^{N} \sum_{t=1}^{3}
\frac{\partial L}{\partial s_{nti}}$$
"""


@pytest.mark.parametrize(("factor", "verdict"), [("", "proved"), ("2 ", "undecided")])
def test_a_recurrence_of_two_names_ends_in_both(factor: str, verdict: str) -> None:
    text = RECURRENT.replace(r"= \sum_{n=1}^{N} \sum", rf"= {factor}\sum_{{n=1}}^{{N}} \sum")
    (found,) = audit_text(text, "notes.md")
    assert found.verdict == verdict, found.reason
