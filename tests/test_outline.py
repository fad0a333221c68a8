"""A whole derivation as a document: what it says, in which order, in which notation."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from symbackprop.api import derive, document
from symbackprop.errors import SymbackpropError
from symbackprop.render.anchors import check_anchors
from symbackprop.render.document import Diagram, Display, Link, Paragraph
from symbackprop.render.formats import FORMATS
from symbackprop.render.notation import Choice, Notation, read_notation
from symbackprop.render.plain import plain, text
from symbackprop.render.typeset import Operator, Symbol

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = ("n_0-n_1:f_1-n_2:f_2-n_3:f_3", "squared_error")
CIRCLES = ("2-4:relu-3:relu-1:sigmoid", "binary_cross_entropy")
CLASSES = ("3-4:sigmoid-3:softmax", "cross_entropy")


def made(case, **choices):
    source, loss = case
    found = document(source, loss=loss, choice=Choice(**choices))
    check_anchors(found)
    return found


def lines(found):
    """Every line of every display: both sides, and what stands beside it."""
    result = []
    for display in found.displays():
        left = ""
        for line in display.lines:
            left = plain(line.left) if line.left is not None else left
            beside = [plain(m) for m in (line.condition, line.shape) if m is not None]
            result.append("    ".join([f"{left} {line.relation} {plain(line.right)}", *beside]))
    return result


def in_order(wanted, found):
    """Return the first of the wanted lines that does not come after the one before it, if any."""
    rest = iter(found)
    return next((line for line in wanted if line not in rest), None)


def layer(k, above, below, letter):
    """What the tutorial derives of its layer k; the letters of the values on both sides."""
    f, n, m = f"f{'₀₁₂₃'[k]}′", f"n{'₀₁₂₃'[k]}", f"n{'₀₁₂₃'[k - 1]}"
    high = f"⁽{'⁰¹²³'[k]}⁾"
    z, w, b = f"zᵢ{high}", f"wᵢⱼ{high}", f"bᵢ{high}"
    both, units = f"i = 1, …, {n}; j = 1, …, {m}", f"i = 1, …, {n}"
    total = f"Σ_{{i = 1}}^{{{n}}}"
    return [
        f"∂L/∂{z} = ∂L/∂{above} · ∂{above}/∂{z}    {units}",
        f"∂L/∂{z} = ∂L/∂{above} · {f}({z})",
        f"∂L/∂{w} = ∂L/∂{z} · ∂{z}/∂{w}    {both}",
        f"∂L/∂{w} = ∂L/∂{z} · {below}",
        f"∂L/∂{w} = ∂L/∂{above} · {f}({z}) {below}",
        f"∂L/∂{b} = ∂L/∂{z} · ∂{z}/∂{b}    {units}",
        f"∂L/∂{b} = ∂L/∂{z}",
        f"∂L/∂{b} = ∂L/∂{above} · {f}({z})",
        f"∂L/∂{below} = {total} ∂L/∂{z} · ∂{z}/∂{below}    j = 1, …, {m}",
        f"∂L/∂{below} = {total} ∂L/∂{z} · {w}",
        f"∂L/∂{below} = {total} ∂L/∂{above} · {f}({z}) {w}",
    ]


def arrays(layout, k, before, after):
    """What the tutorial writes of its layer k between whole arrays."""
    f, high = f"f{'₀₁₂₃'[k]}′", f"⁽{'⁰¹²³'[k]}⁾"
    z, w, b = f"Z{high}", f"W{high}", f"b{high}"
    n, m = f"n{'₀₁₂₃'[k]}", f"n{'₀₁₂₃'[k - 1]}"
    transposed = f"{before}ᵀ"
    if layout == "rows":
        return [
            f"∂L/∂{z} = ∂L/∂{after} ⊙ {f}({z})    N × {n}",
            f"∂L/∂{w} = {transposed} · ∂L/∂{z}    {m} × {n}",
            f"∂L/∂{b} = (∂L/∂{z})ᵀ 1_N    {n}",
            f"∂L/∂{before} = ∂L/∂{z} · {w}ᵀ    N × {m}",
        ]
    return [
        f"∂L/∂{z} = ∂L/∂{after} ⊙ {f}({z})    {n} × N",
        f"∂L/∂{w} = ∂L/∂{z} · {transposed}    {n} × {m}",
        f"∂L/∂{b} = ∂L/∂{z} · 1_N    {n}",
        f"∂L/∂{before} = {w}ᵀ · ∂L/∂{z}    {m} × N",
    ]


FORWARD = [
    "zᵢ⁽¹⁾ = Σ_{j = 1}^{n₀} wᵢⱼ⁽¹⁾ xⱼ + bᵢ⁽¹⁾    i = 1, …, n₁",
    "aᵢ⁽¹⁾ = f₁(zᵢ⁽¹⁾)    i = 1, …, n₁",
    "zᵢ⁽²⁾ = Σ_{j = 1}^{n₁} wᵢⱼ⁽²⁾ aⱼ⁽¹⁾ + bᵢ⁽²⁾    i = 1, …, n₂",
    "aᵢ⁽²⁾ = f₂(zᵢ⁽²⁾)    i = 1, …, n₂",
    "zᵢ⁽³⁾ = Σ_{j = 1}^{n₂} wᵢⱼ⁽³⁾ aⱼ⁽²⁾ + bᵢ⁽³⁾    i = 1, …, n₃",
    "ŷᵢ = f₃(zᵢ⁽³⁾)    i = 1, …, n₃".replace("ŷ", "y\u0302"),
    "L = Σ_{i = 1}^{n₃} (ŷᵢ − yᵢ)²".replace("ŷ", "y\u0302"),
]
HAT = "y\u0302"
BACKWARD = [
    f"∂L/∂{HAT}ᵢ = 2 ({HAT}ᵢ − yᵢ)    i = 1, …, n₃",
    *layer(3, f"{HAT}ᵢ", "aⱼ⁽²⁾", "a"),
    *layer(2, "aᵢ⁽²⁾", "aⱼ⁽¹⁾", "a"),
    *layer(1, "aᵢ⁽¹⁾", "xⱼ", "x"),
]
UPDATE = [
    "wᵢⱼ⁽¹⁾ ← wᵢⱼ⁽¹⁾ − η · ∂L/∂wᵢⱼ⁽¹⁾    i = 1, …, n₁; j = 1, …, n₀",
    "bᵢ⁽¹⁾ ← bᵢ⁽¹⁾ − η · ∂L/∂bᵢ⁽¹⁾    i = 1, …, n₁",
]


class TestTheTutorial:
    def test_every_formula_is_there_in_order(self) -> None:
        found = lines(made(TUTORIAL))
        assert in_order([*FORWARD, *BACKWARD, *UPDATE], found) is None

    @pytest.mark.parametrize("layout", ["rows", "columns"])
    def test_the_matrix_form_with_shapes(self, layout: str) -> None:
        found = lines(made(TUTORIAL, form="matrix", layout=layout))
        wanted = [
            *arrays(layout, 3, "A⁽²⁾", "Y\u0302"),
            *arrays(layout, 2, "A⁽¹⁾", "A⁽²⁾"),
            *arrays(layout, 1, "X", "A⁽¹⁾"),
        ]
        assert in_order(wanted, found) is None

    def test_the_forward_pass_between_arrays(self) -> None:
        found = lines(made(TUTORIAL, form="matrix"))
        assert "Z⁽²⁾ = A⁽¹⁾ W⁽²⁾ + 1_N b⁽²⁾ᵀ    N × n₂" in found
        assert "Z⁽²⁾ = W⁽²⁾ A⁽¹⁾ + b⁽²⁾ 1_Nᵀ    n₂ × N" in found

    def test_a_wrong_sign_or_order_is_seen(self) -> None:
        """The tutorial's own mistake is 2 (y − ŷ)."""
        found = lines(made(TUTORIAL))
        wrong = f"∂L/∂{HAT}ᵢ = 2 (yᵢ − {HAT}ᵢ)    i = 1, …, n₃"
        assert in_order([wrong], found) == wrong
        assert in_order([BACKWARD[5], FORWARD[0]], found) == FORWARD[0]

    def test_what_takes_in_the_loss_leads_to_code_that_knows_it(self) -> None:
        found = made(CLASSES, form="units")
        blocks = [block for section in found.sections for block in section.blocks]
        together = [
            after.code
            for block, after in pairwise(blocks)
            if isinstance(block, Paragraph) and str(block.content[0]).startswith("Together with")
        ]
        assert [{place.function for place in code} for code in together] == [
            {"loss_and_gradients"},
            {"loss_and_gradients"},
        ]

    def test_an_array_with_the_letter_of_the_loss_is_told_from_it(self) -> None:
        for letter, said in (("E", True), ("L", False)):
            found = made(CLASSES, form="matrix", notation=Notation(cost=letter))
            assert (f"{letter} is the loss." in text(found)) is said

    def test_columns_are_said_to_be_transposes_of_the_code(self) -> None:
        for layout, said in (("columns", True), ("both", True), ("rows", False)):
            blocks = made(CIRCLES, layout=layout).sections[0].blocks
            words = [block.content[0] for block in blocks if isinstance(block, Paragraph)]
            assert any("transposes" in str(word) for word in words) is said

    def test_each_form_of_the_targets_has_an_equation_of_its_own(self) -> None:
        found = made(("2-4:relu-3:softmax", "cross_entropy"), form="units")
        below = [line for display in found.displays() for line in display.lines[1:]]
        forms = [line for line in below if re.search("[yδ]", plain(line.right).replace("ŷ", ""))]
        put_in = [line for line in forms if line.rule == "substitution"]
        assert [(plain(line.left or Symbol("")), plain(line.condition)) for line in put_in] == [
            (f"∂L/∂{name}", f"for targets {form}")
            for name in ("wᵢⱼ⁽²⁾", "bᵢ⁽²⁾", "aⱼ⁽¹⁾")
            for form in ("of the output's own shape", "as class indices")
        ]

    def test_rules_and_reasons_stand_beside_the_lines(self) -> None:
        said = text(made(TUTORIAL))
        for words in (
            "chain rule: wᵢⱼ⁽³⁾ feeds zᵢ⁽³⁾ alone",
            "total derivative: aⱼ⁽²⁾ feeds every zᵢ⁽³⁾",
            "substitution: ∂L/∂z⁽²⁾ put in",
            "local partial",
        ):
            assert words in said


class TestFamousForms:
    def test_sigmoid_with_binary_cross_entropy(self) -> None:
        found = lines(made(CIRCLES))
        assert f"∂{HAT}₁/∂z₁⁽³⁾ = {HAT}₁ (1 − {HAT}₁)" in found
        assert f"∂L/∂z₁⁽³⁾ = {HAT}₁ − y₁" in found

    def test_softmax_with_cross_entropy(self) -> None:
        said = text(made(CLASSES))
        assert f"{HAT}ᵢ (δᵢⱼ − {HAT}ⱼ)" in said
        assert f"= {HAT}ᵢ − yᵢ" in said
        assert "assumption: the targets of a sample add up to 1" in said
        assert f"= {HAT}ᵢ − δ_{{iy}}" in said

    def test_relu_says_what_its_brackets_are(self) -> None:
        assert "A condition in brackets is 1 where it holds, else 0" in text(made(CIRCLES))
        assert "A condition in brackets" not in text(made(CLASSES))

    def test_the_stable_form_is_the_last_step(self) -> None:
        titles = [plain_title(section) for section in made(CIRCLES).sections]
        assert titles[-2:] == ["What the code computes", "The module"]


def plain_title(section):
    return "".join(part if isinstance(part, str) else plain(part) for part in section.title)


class TestChoices:
    def test_one_parameter_and_what_it_needs(self) -> None:
        found = lines(made(TUTORIAL, wrt=("W2",)))
        left = {line.split(" = ")[0] for line in found}
        assert {"∂L/∂wᵢⱼ⁽²⁾", "∂L/∂zᵢ⁽²⁾", "∂L/∂aⱼ⁽²⁾", "∂L/∂zᵢ⁽³⁾"} <= left
        assert not any(name in line for line in left for name in ("∂bᵢ", "∂wᵢⱼ⁽³⁾", "∂L/∂aⱼ⁽¹⁾"))
        assert not any("⁽¹⁾" in line and "∂L" in line for line in left)

    def test_several_parameters(self) -> None:
        found = lines(made(TUTORIAL, wrt=("b1", "W3")))
        assert any(line.startswith("∂L/∂bᵢ⁽¹⁾") for line in found)
        assert any(line.startswith("∂L/∂wᵢⱼ⁽³⁾") for line in found)
        assert not any(line.startswith("∂L/∂wᵢⱼ⁽¹⁾") for line in found)

    def test_the_input_may_be_asked_for(self) -> None:
        assert any(line.startswith("∂L/∂xⱼ") for line in lines(made(TUTORIAL, wrt=("x",))))

    def test_no_such_parameter(self) -> None:
        with pytest.raises(SymbackpropError, match=r"--wrt W4: .*W3"):
            made(TUTORIAL, wrt=("W4",))

    @pytest.mark.parametrize("form", ["units", "matrix", "both"])
    def test_form(self, form: str) -> None:
        titles = {plain_title(section) for section in made(CIRCLES, form=form).sections}
        assert ("Matrix form" in titles) == (form != "units")
        assert ("Backward, unit by unit" in titles) == (form != "matrix")

    @pytest.mark.parametrize("layout", ["rows", "columns", "both"])
    def test_layout(self, layout: str) -> None:
        titles = {plain_title(section) for section in made(CIRCLES, layout=layout).sections}
        assert ("Samples as rows" in titles) == (layout != "columns")
        assert ("Samples as columns" in titles) == (layout != "rows")


def mapped(node, rule):
    """Return a document or formula with the rule applied to every record in it, leaves first."""
    if isinstance(node, tuple):
        return tuple(mapped(part, rule) for part in node)
    if not dataclasses.is_dataclass(node):
        return node
    parts = {f.name: mapped(getattr(node, f.name), rule) for f in dataclasses.fields(node)}
    return rule(replace(node, **parts))


def renamed(*pairs):
    changes = dict(pairs)
    return lambda node: changes.get(node, node) if isinstance(node, Symbol) else node


SAME = {  # what turns the document in the default notation into the one that was asked for
    "cost=E": renamed((Symbol("L"), Symbol("E"))),
    "cost=J": renamed((Symbol("L"), Symbol("J"))),
    "activation=h": renamed(
        (Symbol("a"), Symbol("h")),
        (Symbol("A", "bold"), Symbol("H", "bold")),
        (Symbol("a", "bold"), Symbol("h", "bold")),
    ),
}


class TestNotation:
    @pytest.mark.parametrize("setting", SAME)
    @pytest.mark.parametrize("case", [TUTORIAL, CIRCLES], ids=["tutorial", "circles"])
    def test_a_letter_changes_and_nothing_else(self, case, setting: str) -> None:
        default, found = made(case), made(case, notation=read_notation([setting]))
        assert found != default
        assert mapped(default, SAME[setting]) == replace(found, source=default.source)
        assert f"notation={dict([setting.split('=')])!r}" in found.source

    def test_a_planted_change_elsewhere_is_seen(self) -> None:
        default = made(TUTORIAL)
        found = made(TUTORIAL, notation=read_notation(["cost=E", "transpose=T"]))
        assert mapped(default, SAME["cost=E"]) != found

    @pytest.mark.parametrize("case", [TUTORIAL, CIRCLES], ids=["tutorial", "circles"])
    def test_transpose(self, case) -> None:
        default, found = made(case), made(case, notation=Notation(transpose="T"))
        assert found != default
        top, letter = Operator("⊤", "plain"), Symbol("T", "upright")
        same = mapped(default, lambda node: letter if node == top else node)
        assert same == replace(found, source=default.source)

    def test_the_input_as_layer_zero(self) -> None:
        default, found = made(TUTORIAL), made(TUTORIAL, notation=Notation(input="a0"))
        back = [re.sub(r"a([ₙᵢⱼ]*)⁽⁰⁾", r"x\1", line) for line in lines(found)]
        assert [re.sub("A⁽⁰⁾", "X", line) for line in back] == lines(default)
        assert lines(found) != lines(default)

    def test_the_output_as_an_activation(self) -> None:
        default, found = made(TUTORIAL), made(TUTORIAL, notation=Notation(output="a"))
        back = [re.sub(r"a([ₙᵢⱼ]*)⁽³⁾", rf"{HAT}\1", line) for line in lines(found)]
        assert [re.sub("A⁽³⁾", "Y\u0302", line) for line in back] == lines(default)
        assert lines(found) != lines(default)

    def test_units_counted_from_zero(self) -> None:
        found = lines(made(CIRCLES, notation=Notation(first="0")))
        assert "zᵢ⁽¹⁾ = Σ_{j = 0}^1 wᵢⱼ⁽¹⁾ xⱼ + bᵢ⁽¹⁾    i = 0, …, 3" in found
        back = [
            line.replace("= 0", "= 1")
            for line in lines(made(CLASSES, notation=Notation(first="0")))
        ]
        default = lines(made(CLASSES))
        assert [line.split(" ")[0] for line in back] == [line.split(" ")[0] for line in default]
        symbolic = lines(made(TUTORIAL, notation=Notation(first="0")))
        assert "aᵢ⁽¹⁾ = f₁(zᵢ⁽¹⁾)    i = 0, …, n₁ − 1" in symbolic

    def test_weights_from_input_to_output(self) -> None:
        found = lines(made(TUTORIAL, notation=Notation(weights="input-first")))
        assert "zᵢ⁽¹⁾ = Σ_{j = 1}^{n₀} wⱼᵢ⁽¹⁾ xⱼ + bᵢ⁽¹⁾    i = 1, …, n₁" in found
        default = lines(made(TUTORIAL))
        others = [line for line in found if "w" not in line]
        assert others == [line for line in default if "w" not in line]
        assert len(found) == len(default)

    def test_only_what_depends_on_weights_tells_their_order(self) -> None:
        default = lines(made(TUTORIAL, form="matrix"))
        found = made(TUTORIAL, form="matrix", notation=Notation(weights="input-first"))
        assert [line for line in lines(found) if "W" in line] == [
            line for line in default if "W" in line
        ]


class TestGroups:
    def test_equal_layers_are_shown_once(self) -> None:
        found = made(("4-8x100:tanh-1", "mean_squared_error"))
        titles = [plain_title(section) for section in found.sections]
        assert titles.count("Layers 2 to 100 (dense, tanh)") == 1
        assert "aᵢ^{(k)} = tanh(zᵢ^{(k)})    i = 1, …, 8" in lines(found)
        assert "Layers 2 to 100 (dense, tanh), k = 2, …, 100:" in text(found)
        assert len(lines(found)) < 150

    def test_equal_up_to_the_input(self) -> None:
        found = made(("8-8x5:tanh-8", None))
        assert "zᵢ^{(k)} = Σ_{j = 1}^8 wᵢⱼ^{(k)} aⱼ^{(k − 1)} + bᵢ^{(k)}    i = 1, …, 8" in lines(
            found
        )
        assert "the input standing for a⁽⁰⁾" in text(found)

    def test_two_equal_layers_are_shown_apart(self) -> None:
        found = made(("8-8x2:tanh-8", None))
        layers = [t for section in found.sections if "Layer" in (t := plain_title(section))]
        assert layers == [f"Layer {k} (dense{', tanh' * (k < 3)})" for k in (3, 2, 1)]

    def test_a_gradient_within_a_group(self) -> None:
        found = made(("4-8x100:tanh-1", "mean_squared_error"), wrt=("W3",))
        assert any(line.startswith("∂L/∂wᵢⱼ^{(k)}") for line in lines(found))


NETWORK = """
spec = 1
[network]
input = [{input}]
{network}
[[layer]]
type = "dense"
name = "{name}"
units = {units}
activation = {activation}
[[layer]]
type = "dense"
units = {outputs}
{rest}
"""


@pytest.fixture
def described(tmp_path: Path):
    """Make the document of an architecture file; check it in every format but PDF."""

    def make(network='loss = "mean_squared_error"', rest="", choice=None, **given):
        values = {"input": 3, "name": "body", "units": 4, "activation": '"tanh"', "outputs": 2}
        path = tmp_path / "net.toml"
        path.write_text(NETWORK.format(network=network, rest=rest, **values | given), "utf-8")
        found = document(path, choice=choice)
        check_anchors(found)
        for suffix in sorted(FORMATS.keys() - {".pdf"}):
            assert FORMATS[suffix](found)
        return found

    return make


class TestWhatUsersWrite:
    @pytest.mark.parametrize(
        "name", ["k", "L", "x", "y_hat", "sum_1", "h" * 64, "end_document", "A0", "loss"]
    )
    def test_layers_by_name(self, described, name: str) -> None:
        found = described(name=name)
        left = {line.split(" = ")[0] for line in lines(found)}
        assert f"Layer {name} (dense, tanh)" in [plain_title(s) for s in found.sections]
        assert len([side for side in left if side.startswith("∂L/∂")]) >= 8

    def test_names_that_are_markup_never_get_here(self, described) -> None:
        with pytest.raises(SymbackpropError, match="name"):
            described(name="<script>")

    def test_an_activation_of_ones_own(self, described) -> None:
        rest = """
[[define]]
kind = "activation"
name = "squareplus"
equations = ["a = (z + sqrt(z**2 + beta)) / 2"]
constants = { beta = 4.0 }
"""
        found = lines(described(rest=rest, activation='"squareplus"'))
        assert any(line.startswith("∂aᵢ^{(body)}/∂zᵢ^{(body)} = ") for line in found)

    def test_a_loss_of_ones_own(self, described) -> None:
        rest = """
[[define]]
kind = "loss"
name = "quartic"
equations = ["L = total(i, (a[i] - y[i])**4)"]
"""
        found = lines(described('loss = "quartic"', rest))
        assert f"L = Σ_{{i = 1}}^2 ({HAT}ᵢ − yᵢ)⁴" in found
        assert f"∂L/∂{HAT}ᵢ = 4 ({HAT}ᵢ − yᵢ)³    i = 1, 2" in found

    def test_a_layer_of_ones_own(self, described) -> None:
        """A gate with two matrices: SwiGLU."""
        rest = """
[[layer]]
type = "gate"
units = 3
[[define]]
kind = "layer"
name = "gate"
sizes = ["units"]
parameters = { W = ["units", "features"], V = ["units", "features"] }
equations = [
  "p[u] = total(i, W[u, i] * x[i])",
  "z[u] = p[u] / (1 + exp(-p[u])) * total(i, V[u, i] * x[i])",
]
"""
        found = described(rest=rest)
        left = [line.split(" = ")[0] for line in lines(found)]
        assert any(re.fullmatch(r"∂L/∂v[^ ]*⁽³⁾", side) for side in left)
        assert any(re.fullmatch(r"∂L/∂w[^ ]*⁽³⁾", side) for side in left)

    def test_a_unit_that_reads_a_variable_twice(self, described) -> None:
        """Softmax in one equation: its partial is the sum over both reads, at any two places."""
        rest = """
[[define]]
kind = "activation"
name = "shares"
equations = ["a[i] = exp(z[i]) / total(j, exp(z[j]))"]
"""
        found = described(rest=rest, activation='"shares"')
        said = text(found)
        assert "zᵢ^{(body)} feeds every" in said
        assert "and" not in said[said.index("zᵢ^{(body)} feeds every") :].split("\n")[0]
        sides = [line.split(" = ")[0] for line in lines(found)]
        assert len([side for side in sides if re.match(r"∂a.*/∂z", side)]) == 2

    def test_the_parameter_of_an_activation(self, described) -> None:
        said = text(described(activation='"prelu"'))
        assert "∂L/∂α₁^{(body)} = Σ_{c = 1}^4" in said
        assert "feeds every" in said

    def test_penalties(self, described) -> None:
        found = lines(described('loss = "mean_squared_error"\nl2 = 0.5\nl1 = 0.25'))
        (cost,) = (line for line in found if line.startswith("L = (Σ_{n = 1}^N"))
        assert cost.count("Σ_{j = 1}^3 Σ_{i = 1}^4") == 2
        (gradient,) = (line for line in found if line.startswith("∂L/∂wᵢⱼ^{(body)} = Σ_{n = 1}^N"))
        assert "+ 1/4 · sign(wᵢⱼ^{(body)}) + 1/2 · wᵢⱼ^{(body)}" in gradient
        (bias,) = (line for line in found if line.startswith("∂L/∂bᵢ^{(body)} = Σ_{n = 1}^N"))
        assert bias.endswith("Σ_{n = 1}^N ∂L/∂zₙᵢ^{(body)}    i = 1, …, 4")

    def test_penalties_of_equal_layers(self, described) -> None:
        rest = '[[layer]]\ntype = "dense"\nunits = 2\nactivation = "tanh"\n' * 5
        found = lines(described('loss = "mean_squared_error"\nl2 = 0.5', rest))
        (cost,) = (line for line in found if line.startswith("L = (Σ_{n = 1}^N"))
        assert "Σ_{k = " in cost

    @pytest.mark.parametrize(
        ("loss", "outputs", "words"),
        [
            ('"huber"', 2, "sign"),
            ('"gaussian_nll"', 2, "exp"),
            ('{ name = "cross_entropy_with_logits", weight = [1.0, 2.0] }', 2, "weight"),
            ('{ name = "cross_entropy_with_logits", label_smoothing = 0.125 }', 2, "7/8"),
            ('{ name = "cross_entropy_with_logits", ignore_index = 1 }', 2, "y"),
            ('{ name = "binary_cross_entropy_with_logits", pos_weight = 3.0 }', 2, "3"),
            ('"focal"', 2, "log"),
            ('"cosine_similarity"', 2, "√"),
        ],
    )
    def test_losses_with_settings(self, described, loss: str, outputs: int, words: str) -> None:
        found = described(f"loss = {loss}", outputs=outputs)
        assert words in text(found)
        assert any(line.startswith(f"∂L/∂{HAT}") for line in lines(found))

    def test_places_that_a_loss_reads_are_told_apart(self, described) -> None:
        """Of gaussian_nll the first half are means, the second logarithms of variances."""
        said = lines(described('loss = "gaussian_nll"', outputs=4))
        second = f"∂L/∂{HAT}ᵢ = 1/4 · Σ_{{j = 1}}^2 δ_{{i, j + 2}} (1 − ({HAT}ⱼ − yⱼ)²"
        assert any(line.startswith(second) for line in said)
        total = next(line for line in said if "δ_{i, j + 2}" in line)
        assert "δᵢⱼ" in total
        assert not any("∂L/∂L" in line for line in said)

    def test_a_class_index_has_a_delta(self, described) -> None:
        loss = '{ name = "cross_entropy_with_logits", label_smoothing = 0.125 }'
        said = lines(described(f"loss = {loss}"))
        assert "∂L/∂pᵢ = ∂L/∂u · ∂u/∂pᵢ + (∂L/∂pᵢ)ᵤ    i = 1, 2" in said
        assert "∂L/∂pᵢ = ∂L/∂u − 7/8 · δ_{iy}" in said
        assert not any("∂L/∂L" in line for line in said)

    def test_a_weighted_mean_is_told_from_a_plain_one(self, described) -> None:
        loss = '{ name = "cross_entropy_with_logits", weight = [1.0, 2.0] }'
        said = lines(described(f"loss = {loss}"))
        slopes = [line for line in said if line.startswith("∂L/∂lₙ")]
        assert len(slopes) == 2
        assert slopes[0] == "∂L/∂lₙ = 1/N    n = 1, …, N"

    @pytest.mark.parametrize(("reduction", "slope"), [("mean", "1/N"), ("sum", "1")])
    def test_the_reduction_over_the_batch(self, described, reduction: str, slope: str) -> None:
        found = lines(described(f'loss = "mean_squared_error"\nreduction = "{reduction}"'))
        assert f"∂L/∂lₙ = {slope}    n = 1, …, N" in found

    def test_no_loss(self, described) -> None:
        found = described("")
        assert "is given: the derivative of a cost with respect to the output" in text(found)
        titles = [plain_title(section) for section in found.sections]
        assert not any("loss" in title for title in titles)
        assert not any("←" in line for line in lines(found))

    def test_widths_of_one(self, described) -> None:
        found = lines(described(input=1, units=1, outputs=1))
        assert "z₁^{(body)} = w_{1, 1}^{(body)} x₁ + b₁^{(body)}" in found


class TestLinks:
    @pytest.mark.parametrize("case", [TUTORIAL, CIRCLES, CLASSES], ids=["open", "binary", "many"])
    def test_every_layer_leads_to_where_its_output_was_derived(self, case) -> None:
        found = made(case)
        places = {display.anchor for display in found.displays()}
        links = [
            part
            for section in found.sections
            for block in section.blocks
            if isinstance(block, Paragraph)
            for part in block.content
            if isinstance(part, Link)
        ]
        assert len(links) == len(found.sections[0].blocks[0].nodes) - 2
        assert {link.anchor for link in links} <= places

    def test_the_diagram_leads_to_the_equations(self) -> None:
        found = made(CIRCLES)
        diagram = found.sections[0].blocks[0]
        assert isinstance(diagram, Diagram)
        assert [node.forward for node in diagram.nodes] == [
            "",
            "forward-a1",
            "forward-a2",
            "forward-a3",
            "loss",
        ]
        assert diagram.arrows[0].backward_anchor == "backward-x"

    def test_equations_lead_to_the_code_that_computes_them(self) -> None:
        found = made(CIRCLES)
        listing = found.sections[-1].blocks[0].text.splitlines()
        by_anchor = {display.anchor: display for display in found.displays()}
        for anchor, code in {
            "forward-z1": "z1 = x @ ",
            "backward-w2": "dW2 = a1.T @ dz2",
            "backward-a3": "return",
        }.items():
            places = by_anchor[anchor].code
            shown = [line for p in places for line in listing[p.first - 1 : p.last]]
            assert any(code in line for line in shown), anchor

    def test_every_equation_has_code_or_says_what_absorbed_it(self) -> None:
        for display in made(CIRCLES).displays():
            if re.match("forward|backward", display.anchor):
                assert display.code or display.absorbed, display.anchor


class TestSize:
    def test_a_thousand_layers(self) -> None:
        start = time.process_time()
        found = derive("4-8x1000:tanh-1", loss="mean_squared_error").document()
        assert time.process_time() - start < 20
        assert len(lines(found)) < 150

    def test_a_hundred_layers_with_their_module(self) -> None:
        start = time.process_time()
        made(("4-8x100:tanh-1", "mean_squared_error"))
        assert time.process_time() - start < 20

    def test_two_layers(self) -> None:
        made(CIRCLES)
        start = time.process_time()
        made(CIRCLES)
        assert time.process_time() - start < 2


DIGEST = """
import hashlib, sys
from symbackprop.api import document
from symbackprop.render.formats import FORMATS
digest = hashlib.sha256()
for case in {cases!r}:
    found = document(case[0], loss=case[1])
    for suffix in (".html", ".ipynb", ".md", ".tex"):
        digest.update(FORMATS[suffix](found).encode())
print(digest.hexdigest())
"""


def test_documents_repeat_byte_for_byte() -> None:
    code = DIGEST.format(cases=(TUTORIAL, CIRCLES, CLASSES, ("3-4:prelu-2", "huber")))
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == hashlib.sha256().digest_size * 2


def test_a_display_has_a_left_side() -> None:
    for display in derive(*TUTORIAL[:1], loss=TUTORIAL[1]).document().displays():
        assert isinstance(display, Display)
        assert display.lines[0].left is not None


def test_sizes_known_by_name_are_no_letters_of_indices():
    lines = text(derive("i-j:f", loss="squared_error").document())
    assert "ᵢ" not in lines
    assert "k = 1, …, j" in lines


def test_a_size_that_is_the_letter_of_the_loss_is_refused():
    derivation = derive("L-3:f", loss="squared_error")
    with pytest.raises(SymbackpropError, match="--notation cost=E"):
        derivation.document()
    assert derivation.document(Choice(Notation(cost="E"))).sections
