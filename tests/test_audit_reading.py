"""Formulas in many styles, read alone: the trees, and that printing them loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sketch import sketch

from symbackprop.auditing.formulas import tree
from symbackprop.auditing.formulas.nodes import walk
from symbackprop.auditing.formulas.reading.facts import Facts, gather
from symbackprop.auditing.formulas.reading.items import read_items
from symbackprop.auditing.formulas.reading.printing import latex, read_as
from symbackprop.auditing.formulas.reading.resolve import Reader
from symbackprop.auditing.formulas.reading.scan import ALTERNATIVES
from symbackprop.auditing.formulas.reading.tokens import NotReadError, macros_of
from symbackprop.auditing.formulas.tree import Node
from symbackprop.auditing.sheets import read_document

DATA = Path(__file__).parent / "data" / "formulas.txt"


def corpus() -> list[tuple[str, str]]:
    blocks = DATA.read_text(encoding="utf-8").split("\n\n")[1:]
    return [(formula, expected.strip()) for formula, expected in (b.split("\n", 1) for b in blocks)]


def read(text: str, facts: Facts | None = None) -> Node:
    items = read_items(text, macros_of(text))
    return Reader(facts or gather([items])).expression(items)


def test_corpus_is_large() -> None:
    assert len(corpus()) >= 120


@pytest.mark.parametrize(("formula", "expected"), corpus())
def test_tree(formula: str, expected: str) -> None:
    assert sketch(read(formula)) == expected


@pytest.mark.parametrize(("formula", "expected"), corpus())
def test_printed_latex_reads_back(formula: str, expected: str) -> None:
    facts = gather([read_items(formula, {})])
    node = read(formula, facts)
    assert sketch(read(latex(node), facts)).replace("inline", "fraction") == sketch(node).replace(
        "inline", "fraction"
    )


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"\frac{\partial L}{\partial w^{(3)}_{ij}}", "∂L/∂w_{ij}^(3)"),
        (r"\sum_{j=1}^n w_{ij} x_j + b_i", "Σ_{j=1}^n w_{ij} x_j + b_i"),
        (r"(W^{(2)})^\top \delta \odot f'(\hat{z})", "(W^(2))ᵀ δ ⊙ f'(ẑ)"),
        (r"\frac{a + b}{c}", "(a + b)/c"),
        (r"\mathbb 1[i \neq j]", "1[i ≠ j]"),
    ],
)
def test_read_as(formula: str, expected: str) -> None:
    assert read_as(read(formula)) == expected


@pytest.mark.parametrize(
    ("formula", "reason", "offset"),
    [
        (r"x + \foo y", r"the command \foo is not understood", 4),
        (r"a_1 + \dots + a_n", "an ellipsis", 6),
        (r"x \pm y", r"\pm", 2),
        (r"\int f dx", "integral", 0),
        (r"\lim_{x \to 0} f(x)", "limit", 0),
        ("(a + b", "the end is not expected", 5),
        ("a + b)", "')' is not expected", 5),
        (r"\frac{a}", "an argument is missing", 0),
        (r"x +", "a term is missing", 2),
        (r"\begin{tikzcd} a \end{tikzcd}", "the environment tikzcd", 0),
        (r"\sum^n x_i", "without an index", 0),
        (r"\nabla^2 f", "power of ∇", 0),
    ],
)
def test_what_is_not_understood_has_a_place(formula: str, reason: str, offset: int) -> None:
    with pytest.raises(NotReadError) as refusal:
        read(formula)
    assert reason in refusal.value.reason
    assert refusal.value.offset == offset


@pytest.mark.parametrize(
    "formula", [r"g^{[1]'}(Z)", r"g^{[1]\prime}(Z)", r"{g^{[1]}}'(Z)", r"g'^{[1]}(Z)"]
)
def test_a_prime_beside_a_label_is_the_symbols(formula: str) -> None:
    assert sketch(read(formula)) == "(g^[]1'! Z)"


@pytest.mark.parametrize(
    ("document", "formula", "expected"),
    [
        (["x_j", r"\sum_j x_j"], "x_1", "x[1]"),
        (["W_1 x"], "W_1", "W_1"),
        (["b^1", "b^{(2)}"], "b^2", "b^2"),
        (["b^{(2)}"], "b^2", "(power b 2)"),
        (["x"], "x^2", "(power x 2)"),
        (["W^{l+1}"], "W^l", "W^l"),
        (["n x^{n-1}"], "x^n", "(power x n)"),
        (["e = y - t"], "e^2", "(power e 2)"),
        (["h(x) = x^2"], "h(a + b)", "(h! (+ a b))"),
        (["z = x"], "z(a + b)", "<z . (+ a b)>"),
        (["dW = x"], "dW", "(d:name none by W)"),
        (["f = x"], "dt", "(d: t)"),
        ([r"\sum_{i=1}^m x^{(i)}"], "x^{(1)}", "x^()1"),
    ],
)
def test_the_document_settles_what_a_formula_leaves_open(
    document: list[str], formula: str, expected: str
) -> None:
    facts = gather(read_items(text, {}) for text in document)
    assert sketch(read(formula, facts)) == expected


@pytest.mark.parametrize(
    ("formula", "first", "other"),
    [
        (r"\sum_i a_i + b_i", "(+ (sum {i} a[i]) b[i])", "(sum {i} (+ a[i] b[i]))"),
        (r"\log x y", "<(log! x) . y>", "(log! <x . y>)"),
        (r"a \odot b C", "<a ⊙ <b . C>>", "<<a ⊙ b> . C>"),
        ("a/b c", "<(/ a b) . c>", "(/ a <b . c>)"),
        (r"\sigma(x)", "(sigma! x)", "<sigma . x>"),
    ],
)
def test_what_is_ambiguous_has_both_readings(formula: str, first: str, other: str) -> None:
    items = read_items(formula, {})
    facts = gather([items])
    found = [sketch(Reader(facts, options).expression(items)) for options, _ in ALTERNATIVES]
    assert sketch(Reader(facts).expression(items)) == first
    assert other in found


@pytest.mark.parametrize(
    ("text", "formula", "expected"),
    [
        (
            r"\newcommand{\pd}[2]{\frac{\partial #1}{\partial #2}}",
            r"\pd{L}{w}",
            "(∂:fraction L by w)",
        ),
        (r"\def\R{\mathbb{R}}", r"\R^{n}", "(R n)"),
        (r"\def\pd[#1]{\partial_{#1}}", r"\pd[w_1] a", "(∂:subscript a by w_1)"),
        (r"\DeclareMathOperator{\relu}{ReLU}", r"\relu(x)", "(relu! x)"),
        (r"\newcommand{\v}[1][x]{\mathbf{#1}}", r"\v + \v[y]", "(+ bold:x bold:y)"),
        (r"\newcommand\yh{\hat{y}}", r"\yh_i", "y~hat[i]"),
    ],
)
def test_macros(text: str, formula: str, expected: str) -> None:
    items = read_items(formula, macros_of(text))
    assert sketch(Reader(gather([items])).expression(items)) == expected


def test_trees_can_be_walked_and_changed() -> None:
    node = read(r"a + \frac{b}{c} d")
    paths = {sketch(here): path for path, here in walk(node)}
    changed = tree.replaced(node, paths["c"], tree.Access("q"))
    assert sketch(changed) == "(+ a <(frac b q) . d>)"
    assert tree.at_path(changed, paths["c"]) == tree.Access("q")
    renamed = tree.rewritten(node, lambda n: tree.Access("z") if n == tree.Access("d") else n)
    assert sketch(renamed) == "(+ a <(frac b c) . z>)"
    with pytest.raises(ValueError, match="more children"):
        tree.with_children(tree.Access("a"), (tree.Access("b"),))


def test_what_stands_between_two_formulas_on_one_line_is_no_code() -> None:
    text = "Entries are $`w_{ij} = v_{ji}`$, $`c = 2`$ and `$x$`; `$`, too."
    (sheet,) = read_document("notes.md", text)
    assert [source.text for source in sheet.sources] == ["w_{ij} = v_{ji}", "c = 2"]
