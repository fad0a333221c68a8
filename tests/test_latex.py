"""Formulas as LaTeX: what is printed, and that no text in them is obeyed."""

from __future__ import annotations

import re

import pytest
from documents import (
    EQUALS,
    LOSS,
    MINUS,
    PARTIAL,
    PLUS,
    SAMPLE,
    TIMES_SIGN,
    UNIT,
    W3,
    J,
    called,
    guess,
    indexed,
    number,
    partial,
    ranges,
    times,
    total,
)
from hypothesis import given
from hypothesis import strategies as st

from symbackprop.render.breaking import spread
from symbackprop.render.latex import breakable, latex
from symbackprop.render.measure import width
from symbackprop.render.typeset import (
    PRIME,
    Accent,
    Cases,
    Fenced,
    Fraction,
    Large,
    Math,
    Numeral,
    Operator,
    Root,
    Row,
    Script,
    Symbol,
    Words,
    row,
)

X, Z = Symbol("x"), Symbol("z")
SIGN = Operator("−", "prefix")
TOP = Operator("⊤", "plain")
BELOW = Operator("<", "relation")

GOLDEN = [
    (partial(LOSS, W3), r"\frac{\partial L}{\partial w_{ij}^{(3)}}"),
    (
        times(partial(LOSS, guess(UNIT)), partial(guess(UNIT), W3)),
        r"\frac{\partial L}{\partial \hat{y}_{i}} \, "
        r"\frac{\partial \hat{y}_{i}}{\partial w_{ij}^{(3)}}",
    ),
    (
        row(total(J, 2, times(W3, indexed("h", J, 2))), PLUS, indexed("b", UNIT, 3)),
        r"\sum_{j = 1}^{n_{2}} w_{ij}^{(3)} h_{j}^{(2)} + b_{i}^{(3)}",
    ),
    (Script(Symbol("f"), number(1), Operator(PRIME, "plain")), "f_{1}'"),
    (row(SIGN, X, PLUS, Z), "-x + z"),
    (row(X, Operator("=", "relation"), SIGN, Z), "x = -z"),
    (row(X, TIMES_SIGN, SIGN, Z), "x {-}z"),
    (Script(Symbol("W", "bold"), None, TOP), r"\mathbf{W}^{\top}"),
    (row(X, Operator("⊙"), Symbol("γ", "bold")), r"x \odot \boldsymbol{\gamma}"),
    (called(Symbol("exp", "upright"), row(SIGN, Z)), r"\exp(-z)"),
    (called(Symbol("erf", "upright"), Z), r"\mathrm{erf}(z)"),
    (times(number(2), called(Symbol("erf", "upright"), Z)), r"2 \, \mathrm{erf}(z)"),
    (called(Symbol("f"), Fraction(X, Z)), r"f\biggl(\frac{x}{z}\biggr)"),
    (Symbol("layer_1", "word"), r"\mathit{layer\_1}"),
    (Symbol("λ"), r"\lambda"),
    (Symbol("Σ"), r"\Sigma"),
    (Symbol("ε"), r"\varepsilon"),
    (Symbol("Α"), "A"),
    (Numeral("1e5"), "1e5"),
    (Numeral("0.25"), "0.25"),
    (Root(Fraction(X, number(2))), r"\sqrt{\frac{x}{2}}"),
    (Script(Fenced("(", row(X, MINUS, Z), ")"), None, number(2)), "(x - z)^{2}"),
    (Script(Script(X, UNIT), None, number(2)), "{x_{i}}^{2}"),
    (Script(Fraction(X, Z), None, number(2)), r"{\frac{x}{z}}^{2}"),
    (row(Large("max", UNIT), indexed("z", UNIT)), r"\max_{i} z_{i}"),
    (row(Large("argmax", UNIT), indexed("z", UNIT)), r"\mathop{\mathrm{argmax}}_{i} z_{i}"),
    (Large("Π", UNIT), r"\prod_{i}"),
    (ranges((UNIT, 3)), r"i = 1, \ldots, n_{3}"),
    (
        Cases(((number(0), row(Z, BELOW, number(0))), (Z, None))),
        r"\begin{cases} 0 & \text{if } z < 0 \\ z & \text{otherwise} \end{cases}",
    ),
    (Words("for all"), r"\text{for all}"),
    (Words("50% <b>"), r"\text{50}\%\text{ }{<}\text{b}{>}"),
    (Accent(X, "bar"), r"\bar{x}"),
    (Fenced("|", X, "|"), "|x|"),
    (Fenced("⌊", X, "⌋"), r"\lfloor x\rfloor"),
]


@pytest.mark.parametrize(("formula", "printed"), GOLDEN, ids=[printed for _, printed in GOLDEN])
def test_a_formula_is_printed_as_expected(formula: Math, printed: str) -> None:
    assert latex(formula) == printed


def test_brackets_are_as_large_as_what_they_hold() -> None:
    held: Math = X
    sizes = []
    for _ in range(7):
        sizes.append(latex(Fenced("(", held, ")")).partition("(")[0])
        held = Fraction(number(1), row(number(1), PLUS, held))
    assert sizes[:2] == ["", r"\biggl"]
    assert sizes[-1] == r"\left"


def test_brackets_in_a_sentence_are_smaller_than_in_a_display() -> None:
    held = Fenced("(", total(J, 2, W3), ")")
    assert latex(held).startswith(r"\Bigl(")
    assert latex(held, display=False).startswith("(")


# Of GitHub's subset: what MathJax and KaTeX know and GitHub does not forbid.
COMMANDS = frozenset(
    re.findall(
        r"\w+",
        """
        frac sqrt sum prod int partial nabla top bot prime hat bar tilde text mathrm mathit
        mathbf boldsymbol mathbb mathop mathrel mathbin mathpunct left right bigl bigr Bigl
        Bigr biggl biggr Biggl Biggr begin end exp log ln sin cos tan sinh cosh tanh arctan
        max min det neq leq geq approx equiv sim propto in notin subset subseteq to leftarrow
        leftrightarrow mapsto Rightarrow Leftrightarrow mid pm cdot times odot otimes oplus
        circ ast wedge vee cap cup infty ldots cdots forall exists neg emptyset ell surd
        langle rangle lfloor rfloor lceil rceil backslash alpha beta gamma delta epsilon
        varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi rho varrho
        sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi
        Sigma Upsilon Phi Psi Omega
        """,
    )
)


def faults(source: str) -> list[str]:
    """What would be unsafe or unknown somewhere: a page, a compiler or a renderer."""
    found = [
        f"command {name}" for name in re.findall(r"\\([A-Za-z]+)", source) if name not in COMMANDS
    ]
    found += [f"environment {e}" for e in re.findall(r"\\begin{(\w*)}", source) if e != "cases"]
    if not source.isascii() or not source.isprintable():
        found.append("a character that is no plain ASCII")
    if re.search(r"<[A-Za-z/!?]", source):
        found.append("a tag")
    bare = re.sub(r"\\\\|\\[{}$%&#_]", "", source)
    if re.search(r"[$%#_]", re.sub(r"(?<=[\w})'])_(?={)|[}\])]_(?={)|^_(?={)", "", bare)):
        found.append("a sign that LaTeX obeys")
    depth = 0
    for brace in re.findall(r"[{}]", bare):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            found.append("a brace that closes nothing")
    return found + (["a brace left open"] if depth > 0 else [])


@pytest.mark.parametrize(
    "planted",
    [
        r"\input{x}",
        r"\operatorname{x}",
        r"\begin{document}",
        "é",
        "a\nb",
        "<script>",
        "a } b",
        "{ a",
        "50% of",
        "$x$",
    ],
)
def test_a_planted_fault_is_found(planted: str) -> None:
    assert faults(planted)


HOSTILE = [
    r"\input{/etc/passwd}",
    "100% $5 #1 a_b & c^d ~ `e` \"f\" 'g'",
    "}",
    "{",
    r"\end{document}",
    "\\",
    "<script>alert(1)</script>",
    "](javascript:alert(1))",
    "a\nb\r\n\nc",
    "\0\x07\x1b",
    "😀 é ß Ж 漢",
    "\u202eevil\u202c",
    "^^5cinput",
    "$$",
    "\\\\",
    "",
    " ",
]


def every_field(text: str) -> list[Math]:
    """Formulas with the text in each place that holds one."""
    return [
        *(Symbol(text, style) for style in ("italic", "bold", "upright", "word")),
        Numeral(text),
        *(
            row(X, Operator(text, form), Z)
            for form in ("relation", "binary", "prefix", "punctuation", "plain")
        ),
        Words(text),
        Large(text, Symbol(text), Numeral(text)),
        Fenced(text, X, text),
        Fenced(text, Fraction(Fraction(X, X), Fraction(Fraction(X, X), X)), text),
        Script(Symbol(text), Words(text), Symbol(text)),
        Accent(Symbol(text, "word"), "hat"),
        Cases(((Symbol(text), Words(text)), (Words(text), None))),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_printed_not_obeyed(text: str) -> None:
    for formula in every_field(text):
        assert faults(latex(formula)) == []
        assert faults(latex(formula, display=False)) == []


@given(st.text(max_size=12))
def test_any_text_is_printed_not_obeyed(text: str) -> None:
    for formula in every_field(text):
        assert faults(latex(formula)) == []


def test_the_sample_keeps_to_the_subset() -> None:
    for display in SAMPLE.displays():
        for line in display.lines:
            assert faults(latex(line.right)) == []


def long_sum(count: int) -> Math:
    terms = [times(indexed("w", number(k), 3), indexed("h", number(k), 2)) for k in range(count)]
    return row(*[part for term in terms for part in (PLUS, term)][1:])


def test_a_line_may_end_before_a_sign_and_nowhere_within_a_fraction() -> None:
    source = breakable(row(X, EQUALS, long_sum(3), MINUS, Fraction(long_sum(2), Z)), 20)
    assert re.findall(r"\\brk{(\d)} *(\S)", source) == [
        ("0", "="),
        ("1", "h"),
        ("0", "+"),
        ("1", "h"),
        ("0", "+"),
        ("1", "h"),
        ("0", "-"),
    ]


def test_breaks_within_brackets_are_worse() -> None:
    assert r"\brk{2} +" in breakable(Fenced("(", long_sum(2), ")"), 9)


def test_breaks_change_nothing_else() -> None:
    formula = row(PARTIAL, X, EQUALS, Fenced("(", long_sum(4), ")"))
    assert re.sub(r"\\brk{\d}", "", breakable(formula, 18)) == latex(formula)


def test_a_short_line_has_no_place_to_break() -> None:
    assert breakable(long_sum(4), 100) == latex(long_sum(4))


def test_what_cannot_break_is_made_to_fit() -> None:
    name = Symbol("n" * 80, "word")
    assert breakable(row(X, EQUALS, name), 30).count(r"\fit") == 1
    assert breakable(row(X, EQUALS, X), 30).count(r"\fit") == 0


def test_a_wide_fraction_becomes_a_quotient_that_can_break() -> None:
    wide = spread(Fraction(long_sum(12), row(number(1), PLUS, X)), 20)
    slash = wide.parts[1] if isinstance(wide, Row) else None
    assert slash == Operator("/", "plain")
    assert r"\brk" in breakable(wide, 20)


def test_a_wide_root_becomes_a_power() -> None:
    assert latex(spread(Root(long_sum(12)), 20)).endswith(")^{1/2}")


def test_a_derivative_stays_a_fraction() -> None:
    slope = partial(LOSS, called(Symbol("f"), long_sum(12)))
    assert spread(slope, 20) == slope


def test_what_is_wider_is_found_to_be_wider() -> None:
    assert width(long_sum(3)) < width(long_sum(4)) < 5 * width(long_sum(1))
