"""Typeset matrix formulas, read back and computed, are the formulas that were typeset."""

from dataclasses import replace

import numpy as np
import pytest
from matrix_reader import Reader
from matrix_run import Case, Run, forms
from test_matrix import head_derivations, network_of, shown

from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.equations import Derivation, Index, Variable
from symbackprop.notation import load
from symbackprop.render.latex import latex
from symbackprop.render.matrices import Array, OneHot, SquaredNorm, walk
from symbackprop.render.matrix import LAYOUTS, MatrixForm
from symbackprop.render.matrix_setting import legend, set_matrix
from symbackprop.render.notation import Notation
from symbackprop.render.plain import plain
from symbackprop.render.setting import Setting
from symbackprop.render.typeset import TIMES, Fenced, Operator, Row, Symbol

each_layout = pytest.mark.parametrize("layout", LAYOUTS)


def setting_of(network, layout, **notation):
    cost = network.heads[0].cost if network.heads else None
    return Setting(
        Notation(**notation),
        cost=cost,
        input=network.input,
        output=network.output,
        samples=layout != "sample",
    )


def letters(case, form, setting, layout):
    """What each letter of a formula stands for."""
    run = Run(case.arrays, case.sizes, layout)
    values = {Symbol("N"): case.sizes["N"]}
    for part in (*walk(form.right), form.target):
        if isinstance(part, OneHot):
            axes = (*part.variable.axes, Index("i", 1))
            values[setting.array(replace(part.variable, axes=axes))] = run.of(part)
        elif isinstance(getattr(part, "variable", None), Variable):
            values[setting.array(part.variable)] = run.of(part)
    return values


def assert_reads_back(case, network, layout):
    for variable, form in case.forms(layout):
        if form is None or variable.integer:  # a position as such is not computed with
            continue
        setting = setting_of(network, layout)
        left, right, _ = set_matrix(form, setting)
        reader = Reader(letters(case, form, setting, layout))
        with np.errstate(all="ignore"):
            found = np.broadcast_to(reader.of(right), np.shape(reader.of(left)))
        np.testing.assert_allclose(found, reader.of(left), rtol=1e-9, atol=1e-12)


def batch(layout):
    return {"N": 1 if layout == "sample" else 5}


@each_layout
@pytest.mark.parametrize("activation", CATALOG.activations)
def test_every_activation_reads_back(activation, layout):
    network = build_network(load(f"3-4:{activation}-2"))
    assert_reads_back(Case(shown(network), [network.output], batch(layout), 4), network, layout)


@each_layout
@pytest.mark.parametrize("loss", CATALOG.losses)
def test_every_loss_reads_back(loss, layout):
    network = network_of(4, loss)
    for head, derivation in head_derivations(network):
        case = Case(derivation, [head.cost], batch(layout), 4)
        assert_reads_back(case, network, layout)


def test_missing_brackets_are_found():
    y, b = Symbol("Y", "bold"), Symbol("B", "bold")
    times, plus = Operator(TIMES, "plain"), Operator("+")
    reader = Reader({y: np.ones((2, 2)), b: np.ones((2, 2))})
    inner = Row((y, plus, b))
    enclosed = Row((Fenced("(", inner, ")"), times, b))
    loose = Row((y, plus, b, times, b))
    assert not np.allclose(reader.of(enclosed), reader.of(loose))
    hadamard = Row((Fenced("(", Row((y, times, b)), ")"), Operator("⊙"), b))
    assert not np.allclose(reader.of(hadamard), reader.of(Row((y, times, b, times, b))))
    with pytest.raises(AssertionError):
        Reader({y: np.ones((2, 2)), b: np.ones((2, 1))}).of(inner)


GOLDEN = {
    "rows": [
        r"\mathbf{Z}^{(1)} = \mathbf{X} \mathbf{W}^{(1)} + \mathbf{1}_{N} \mathbf{b}^{(1)\top}",
        r"\mathbf{A}^{(1)} = f_{1}(\mathbf{Z}^{(1)})",
    ],
    "columns": [
        r"\mathbf{Z}^{(1)} = \mathbf{W}^{(1)} \mathbf{X} + \mathbf{b}^{(1)} \mathbf{1}_{N}^{\top}",
    ],
    "sample": [
        r"\mathbf{z}^{(1)} = \mathbf{W}^{(1)} \mathbf{x} + \mathbf{b}^{(1)}",
    ],
}


def derived_lines(layout, **notation):
    network = build_network(load("n_0-n_1:f_1-n_2:f_2"))
    setting = setting_of(network, layout, **notation)
    found = forms(shown(network), layout)
    return [tuple(map(plain_text, set_matrix(form, setting))) for _, form in found if form]


def plain_text(formula):
    return latex(formula).replace(" ", "")


@each_layout
def test_the_tutorials_equations(layout):
    lines = [f"{left}={right}" for left, right, _ in derived_lines(layout)]
    for line in GOLDEN[layout]:
        assert line.replace(" ", "") in lines


def test_shapes_stand_beside():
    sizes = {left: size for left, _, size in derived_lines("rows")}
    assert sizes[r"\mathbf{Z}^{(1)}"] == r"N\timesn_{1}"
    assert r"n_{0}\timesn_{1}" in sizes.values()
    assert sizes[r"\frac{\partialL}{\partial\mathbf{b}^{(1)}}"] == "n_{1}"
    columns = {left: size for left, _, size in derived_lines("columns")}
    assert columns[r"\mathbf{Z}^{(1)}"] == r"n_{1}\timesN"


def test_the_mark_of_a_transpose_is_chosen():
    assert any(r"\mathrm{T}" in right for _, right, _ in derived_lines("rows", transpose="T"))
    assert not any(r"\top" in right for _, right, _ in derived_lines("rows", transpose="T"))


def words(found):
    return "".join(piece if isinstance(piece, str) else plain(piece) for piece in found)


def test_the_legend_says_what_is_used_and_nothing_else():
    network = build_network(load("2-3:f-2:softmax"))
    setting = setting_of(network, "rows")
    text = words(legend([form for _, form in forms(shown(network), "rows") if form], setting))
    for said in ("column vector", "acts on every entry", "⊙", "is column", "fraction bar"):
        assert text.count(said) == 1
    assert "class" not in text
    assert "squares" not in text
    assert words(legend([], setting)) == ""


def test_the_legend_has_each_norm_as_it_is_printed():
    setting = setting_of(network_of(2, "squared_error"), "rows")
    rows, n = Variable("D", "", (Index("n", 3), Index("i", 2))), Index("n", 3)
    norms = [
        MatrixForm(Array(Variable("L"), (None, None)), SquaredNorm(Array(variable, size)))
        for variable, size in [(rows, (3, 2)), (Variable("v", "", (n,)), (3, None))]
    ]
    assert "F" in words(legend(norms[:1], setting))
    assert "F" not in words(legend(norms[1:], setting))
    assert words(legend(norms, setting)).count("sum of the squares") == 2


def test_an_adjoint_of_nothing_is_a_bold_zero():
    network = network_of(2, "squared_error")
    setting = setting_of(network, "rows")
    adjoints = tuple(replace(adjoint, terms=()) for adjoint in shown(network).adjoints)
    for _, form in forms(Derivation((), adjoints), "rows"):
        assert set_matrix(form, setting)[1] == Symbol("0", "bold")
