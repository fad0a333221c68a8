"""Every line of a document is true: read back from its LaTeX and compared in numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from true_lines import LOCAL, Truth, differences

from symbackprop.api import derive
from symbackprop.render.latex import latex
from symbackprop.render.notation import Choice
from symbackprop.render.outline import outline
from symbackprop.scalar import apply, number

CASES = [
    ("n_0-n_1:f_1-n_2:f_2", "squared_error"),
    ("2-4:relu-3:relu-1:sigmoid", "binary_cross_entropy"),
    ("2-3:prelu-2:tanh-4", "gaussian_nll"),
    ("2-3:softmax-4:log_softmax", "kl_divergence"),
    ("2-3:gelu-2:softmax", "squared_error"),
    ("3-3-3:silu", "huber"),
    ("2-2:selu", "squared_error"),
    ("2-3:elu-4", "focal"),
    ("2-3:softplus-4", "cosine_similarity"),
    ("2-3:sigmoid-4", "log_cosh"),
    ("2-3", "binary_cross_entropy_with_logits"),
]


@pytest.mark.parametrize(("source", "loss"), CASES, ids=["-".join(case[1:]) for case in CASES])
def test_every_line_is_true(source: str, loss: str) -> None:
    truth = Truth(derive(source, loss=loss))
    found = differences(truth, outline(truth.derivation))
    assert len(found) > 15
    wrong = [line for line, worst in found.items() if not worst < 1]
    assert wrong == []


STRIDED = """
spec = 1
[network]
input = [2, 6, 4]
loss = "mean_squared_error"
[[define]]
kind = "layer"
name = "strided"
input = ["channels", "height", "width"]
sizes = ["units"]
parameters = { W = ["units", "channels", "2", "3"], b = ["units"] }
equations = [
  "z[o, h, w] = total(c, k, l, W[o, c, k, l] * x[c, 2*h + k, w + l]) + b[o]",
]
output = ["units", "3", "2"]
[[define]]
kind = "layer"
name = "gate"
input = ["channels", "height", "width"]
equations = ["z[c, h] = x[c, h, 0] * sigmoid(total(w, x[c, h, w])) + x[0, h, 1] ** 2"]
[[layer]]
type = "strided"
units = 3
activation = "tanh"
[[layer]]
type = "gate"
"""


def test_layers_that_read_some_places_only(tmp_path: Path) -> None:
    """Strides, windows and constants: their totals hold deltas."""
    path = tmp_path / "net.toml"
    path.write_text(STRIDED, encoding="utf-8")
    truth = Truth(derive(str(path)))
    found = differences(truth, outline(truth.derivation))
    assert sum(r"\delta" in line for line in found) >= 2
    assert [line for line, worst in found.items() if not worst < 1] == []


TWICE = """
spec = 1
[network]
input = [2]
loss = "mean_squared_error"
[[define]]
kind = "activation"
name = "gated"
equations = ["a[i] = z[i] * sigmoid(1.702 * z[i])"]
[[define]]
kind = "activation"
name = "centred"
equations = ["a[i] = z[i] - total(j, z[j])"]
[[define]]
kind = "activation"
name = "shares"
equations = ["a[i] = exp(z[i]) / total(j, exp(z[j]))"]
[[define]]
kind = "layer"
name = "gate"
input = ["channels"]
equations = ["z[i] = x[i] * sigmoid(total(w, x[w])) + x[0] ** 2"]
[[layer]]
type = "dense"
units = 3
activation = "gated"
[[layer]]
type = "gate"
activation = "centred"
[[layer]]
type = "dense"
units = 2
activation = "shares"
"""


def test_a_value_read_twice_has_one_partial(tmp_path: Path) -> None:
    """Its reads are added up, with deltas where they are of different places."""
    path = tmp_path / "net.toml"
    path.write_text(TWICE, encoding="utf-8")
    truth = Truth(derive(str(path)))
    document = outline(truth.derivation)
    found = differences(truth, document)
    assert [line for line, worst in found.items() if not worst < 1] == []
    lefts = [
        latex(line.left)
        for display in outline(truth.derivation, Choice(form="units")).displays()
        for line in display.lines
        if line.left is not None and line.rule == "local partial"
    ]
    local = [left for left in lefts if LOCAL.search(left)]
    assert len(local) == len(set(local)) == 10


@pytest.mark.parametrize("fault", ["coefficient", "occurrence"])
def test_a_fault_in_a_partial_is_seen(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(TWICE, encoding="utf-8")
    truth = Truth(derive(str(path)))
    textbook = truth.derivation.textbook
    place, total = next((k, t) for k, t in enumerate(textbook.totals) if len(t.shares) == 2)
    first, *rest = total.shares
    double = apply("multiply", number(2), first.partial.coefficient)
    wrong = replace(first, partial=replace(first.partial, coefficient=double))
    shares = (wrong, *rest) if fault == "coefficient" else tuple(rest)
    totals = list(textbook.totals)
    totals[place] = replace(total, shares=shares)
    planted = replace(textbook, totals=tuple(totals))
    found = differences(truth, outline(replace(truth.derivation, textbook=planted)))
    assert any(LOCAL.search(line) and not worst < 1 for line, worst in found.items())


def test_penalties_are_in_the_gradients(tmp_path: Path) -> None:
    """Which are then no longer those of the loss alone."""
    path = tmp_path / "net.toml"
    path.write_text(
        'spec = 1\n[network]\ninput = [2]\nloss = "mean_squared_error"\nl2 = 0.5\n'
        '[[layer]]\ntype = "dense"\nunits = 3\n',
        encoding="utf-8",
    )
    truth = Truth(derive(str(path)))
    found = differences(truth, outline(truth.derivation))
    wrong = [line for line, worst in found.items() if not worst < 1]
    assert len(wrong) == 2
    assert wrong[0].startswith("L = ")
    assert r"\frac{\partial L}{\partial w_{ij}^{(1)}} =" in wrong[1]


@pytest.mark.parametrize("fault", ["coefficient", "share", "closed"])
def test_a_planted_fault_is_seen(fault: str) -> None:
    truth = Truth(derive("2-3:tanh-4:sigmoid", loss="binary_cross_entropy"))
    textbook = truth.derivation.textbook
    target = textbook.totals[2]
    share = target.shares[0]
    if fault == "closed":
        first = next(iter(textbook.closed))
        wrong = replace(textbook.closed[first], partial=first.partial)
        partial = replace(wrong.partial, coefficient=number(2))
        planted = replace(
            textbook, closed=textbook.closed | {first: replace(wrong, partial=partial)}
        )
    else:
        double = apply("multiply", number(2), share.partial.coefficient)
        partial = replace(share.partial, coefficient=double)
        shares = (replace(share, partial=partial),) if fault == "coefficient" else (share, share)
        totals = (*textbook.totals[:2], replace(target, shares=shares), *textbook.totals[3:])
        planted = replace(textbook, totals=totals)
    found = differences(truth, outline(replace(truth.derivation, textbook=planted)))
    assert any(not worst < 1 for worst in found.values())
