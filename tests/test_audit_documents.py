"""Where formulas stand: every format, places, rows, what is skipped; definitions and claims."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

import pytest
from counting import calls_of
from sketch import sketch

from symbackprop.auditing.formulas.binding import Paper, candidates
from symbackprop.auditing.formulas.documents import read_formula
from symbackprop.auditing.formulas.entry import audit_text
from symbackprop.auditing.formulas.reading.bind import bind
from symbackprop.auditing.formulas.reading.printing import read_as
from symbackprop.auditing.formulas.tree import Access, Label
from symbackprop.auditing.sheets import MAX_CHARACTERS, read_document
from symbackprop.errors import SymbackpropError

TUTORIAL = Path(__file__).parent / "data" / "tutorial.md"


def found(text: str, path: str = "notes.md") -> list[tuple[int, int, str, str]]:
    (sheet,) = read_document(path, text)
    return [(s.line, s.column, s.kind, s.text) for s in sheet.sources]


def paper(text: str, path: str = "notes.md") -> Paper:
    (sheet,) = read_document(path, text)
    return bind(sheet)


def claims(text: str) -> list[str]:
    return [f"{read_as(c.left)} = {read_as(c.right)}" for c in paper(text).claims]


def definitions(text: str) -> list[str]:
    return [
        f"{read_as(d.target)} = {' = '.join(read_as(v) for v in d.values)}"
        for d in paper(text).definitions
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$$a = b$$", [(1, 3, "display", "a = b")]),
        ("$$\na = b\n$$", [(2, 1, "display", "a = b")]),
        ("so $a=b$ and $c=d$", [(1, 5, "inline", "a=b"), (1, 15, "inline", "c=d")]),
        ("- item $a=b$", [(1, 9, "inline", "a=b")]),
        ("#### a) $f(w)=w$", [(1, 10, "inline", "f(w)=w")]),
        ("```math\na = b\n```", [(2, 1, "display", "a = b")]),
        ("$`a = b`$", [(1, 3, "inline", "a = b")]),
        (r"\[ a = b \]", [(1, 4, "display", "a = b")]),
        (r"\( a = b \)", [(1, 4, "inline", "a = b")]),
        (r"\\[ a = b \\]", [(1, 5, "display", "a = b")]),
        ("$$\na &= b \\\\\nc &= d\n$$", [(2, 1, "display", "a &= b"), (3, 1, "display", "c &= d")]),
        (
            "\\begin{align}\na &= b \\\\\n&= c\n\\end{align}",
            [(2, 1, "display", "a &= b"), (3, 1, "display", "&= c")],
        ),
        ("$$\\begin{aligned} a &= b \\end{aligned}$$", [(1, 19, "display", "a &= b")]),
        (
            "$$x = \\begin{pmatrix} a \\\\ b \\end{pmatrix} \\\\ y = z$$",
            [
                (1, 3, "display", "x = \\begin{pmatrix} a \\\\ b \\end{pmatrix}"),
                (1, 47, "display", "y = z"),
            ],
        ),
        ("$$a = b \\newline c = d$$", [(1, 3, "display", "a = b"), (1, 18, "display", "c = d")]),
        ("> $$\n> a = b\n> $$", [(2, 3, "display", "a = b")]),
        ("```python\n$$a = b$$\n```", []),
        ("`$a = b$`", []),
        ("<!-- $a=b$ -->", []),
        ("it costs \\$5 and \\$6", []),
        ("$a = b$ <!-- symbackprop: ignore -->", []),
        (
            "<!-- symbackprop: ignore -->\n\n$$\na = b\n$$\n\n$$c = d$$",
            [(7, 3, "display", "c = d")],
        ),
        ("where $$k$$ iterates", [(1, 9, "inline", "k")]),
        ("", []),
        ("$$", []),
        ("$unclosed", []),
    ],
)
def test_markdown(text: str, expected: list[tuple[int, int, str, str]]) -> None:
    assert found(text) == expected


def test_latex_file() -> None:
    text = (
        "\\newcommand{\\yh}{\\hat{y}}\n\\begin{document}\n% $x = y$\n"
        "\\begin{equation}\\label{eq:a}\n\\yh = 100\\% % half\n\\end{equation}\n"
        "\\begin{verbatim}$a$\\end{verbatim}\n$p=q$ % symbackprop: ignore\n"
        "$c = \\yh$\n\\end{document}"
    )
    lines = [(line, kind) for line, _, kind, _ in found(text, "a.tex")]
    assert lines == [(5, "display"), (9, "inline")]
    assert definitions_of(text, "a.tex") == ["c = ŷ"]


def definitions_of(text: str, path: str) -> list[str]:
    return [f"{read_as(d.target)} = {read_as(d.values[0])}" for d in paper(text, path).definitions]


def test_notebook_has_cells() -> None:
    cells = [
        {"cell_type": "code", "source": ["$a=b$"]},
        {"cell_type": "markdown", "source": ["text\n", "$$a = b$$"]},
        {"cell_type": "markdown", "source": "$$= c$$"},
    ]
    (sheet,) = read_document("n.ipynb", json.dumps({"cells": cells}))
    assert [(s.cell, s.line) for s in sheet.sources] == [(1, 2), (2, 1)]
    assert [read_as(v) for v in bind(sheet).definitions[0].values] == ["b", "c"]


def test_claims_file() -> None:
    text = (
        '[[claim]]\nformula = "\\\\frac{\\\\partial a}{\\\\partial z} = a(1-a)"\n'
        'given = "a = \\\\sigma(z)"\nexpect = "proved"\n\n[[claim]]\nformula = "f\'(x) = 2"\n'
        'given = ["f(x) = 2x", "x = y"]\n'
    )
    first, second = read_document("x.claims.toml", text)
    assert [(s.line, s.kind, s.expect) for s in first.sources] == [
        (1, "given", None),
        (1, "claim", "proved"),
    ]
    assert len(bind(second).definitions) == 2
    assert second.sources[-1].line == 6


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("n.ipynb", "{", "not a notebook"),
        ("n.ipynb", '{"cells": 3}', "not a notebook"),
        ("n.ipynb", "[]", "not a notebook"),
        ("c.claims.toml", "[[claim]", "c.claims.toml"),
        ("c.claims.toml", "[[claim]]\nformula = 3", "must be text"),
        ("c.claims.toml", "[[claim]]\nformla = 'a'", "did you mean 'formula'"),
        ("c.claims.toml", "claim = 3", "expected tables"),
        ("a.md", "x" * (MAX_CHARACTERS + 1), "allowed are"),
    ],
)
def test_malformed_files(path: str, text: str, message: str) -> None:
    with pytest.raises(SymbackpropError, match=message.replace("[", r"\[")):
        read_document(path, text)


@pytest.mark.parametrize(
    ("text", "defined", "claimed"),
    [
        ("$L = \\sum_i y_i$", ["L = Σ_i y_i"], []),
        ("$f(x) = x^2$ and $f'(x) = 2x$", ["f = x^2"], ["f'(x) = 2 x"]),
        ("$w = w - \\eta \\frac{\\partial L}{\\partial w}$", [], []),
        ("$w \\leftarrow w - \\eta g$", [], []),
        ("$dW = X^T dz$", [], ["dW = Xᵀ dz"]),
        ("$s = s + x$", [], []),
        (
            "$a = \\sigma(z) = \\frac{1}{1+e^{-z}}$",
            ["a = σ(z) = 1/(1 + e^{-z})", "σ = 1/(1 + e^{-_0})"],
            [],
        ),
        ("$\\frac{dy}{dx} = 0$", [], []),
        ("$\\frac{dy}{dx} = 0 \\quad i \\neq j$", [], ["dy/dx = 0"]),
        ("$e_{ij}^2 = x$", ["e_{ij}^2 = x"], []),
        ("$\\frac{dL}{dw} = a = b$", [], ["dL/dw = a", "a = b"]),
        (
            "$$\\frac{dL}{dw} = a \\\\ = b$$\n\n$$= c$$",
            [],
            ["dL/dw = a", "a = b", "b = c"],
        ),
        ("$$\\frac{dL}{dw} = \\\\ a$$", [], ["dL/dw = a"]),
        ("$$\\frac{dL}{dw} = a \\\\ + b$$", [], ["dL/dw = a + b"]),
        ("$\\delta = \\frac{dL}{dz}$, $\\delta = a$", ["δ = dL/dz"], ["δ = a"]),
        ("$p' = p + \\frac{dE}{dp} = p + 2e$", [], ["p + dE/dp = p + 2 e"]),
        ("$z = wx \\Rightarrow \\frac{dz}{dw} = x$", ["z = w x"], ["dz/dw = x"]),
        ("$f(t) = f(t(x))$", ["f = f(t)", "t = t(x)"], []),
        ("$y = a, \\quad z = b$", ["y = a", "z = b"], []),
        ("$R \\approx PQ = S$", [], []),
    ],
)
def test_definitions_and_claims(text: str, defined: list[str], claimed: list[str]) -> None:
    assert definitions(text) == defined
    assert claims(text) == claimed


def test_ranges_conditions_and_shapes() -> None:
    read = paper(
        "$W \\in \\mathbb{R}^{n \\times d}$, "
        "$$\\frac{dL}{dw_i} = x_i \\quad \\text{for } i = 1, \\dots, n$$ "
        "$$\\frac{\\partial p_i}{\\partial z_j} = -p_i p_j \\text{ if } i \\neq j$$"
    )
    assert [(read_as(s.target), [read_as(e) for e in s.extents]) for s in read.shapes] == [
        ("W", ["n", "d"])
    ]
    first, second = read.claims
    assert [sketch(r) for r in first.ranges] == ["{i from 1 to n}"]
    assert [sketch(c) for c in second.conditions] == ["(!= i j)"]


def test_rounded_numbers_and_gaps() -> None:
    rounded = paper("$\\frac{dL}{dw} = 2x = 0.1234$").claims
    assert [c.rounded for c in rounded] == [False, True]
    gap = paper("$\\frac{dL}{dw} = a + \\dots = 2x$")
    assert [(c.gap, read_as(c.left), read_as(c.right)) for c in gap.claims] == [
        (True, "dL/dw", "2 x")
    ]
    assert [(u.is_claim, u.column) for u in gap.unread] == [(True, 22)]


def test_candidates_literal_first_then_nearest_before() -> None:
    text = "$a_l = b$ $a_2 = c$ $a_l = d$ $\\frac{dL}{da_2} = e_{l-1}$ $a_2 = f$"
    read = paper(text)
    access = Access("a", labels=(Label("", 2, "below"),))
    order = read.claims[0].order
    assert [read_as(d.values[0]) for d in candidates(read, access, order)] == ["c", "f", "d", "b"]


def test_given_formulas() -> None:
    sheet = read_formula("\\frac{\\partial a}{\\partial z} = a(1-a)", "a = 1/(1+e^{-z})\nz = w x")
    read = bind(sheet)
    assert [s.kind for s in sheet.sources] == ["given", "given", "claim"]
    assert (len(read.definitions), len(read.claims)) == (2, 1)


def test_tutorial() -> None:
    read = paper(TUTORIAL.read_text(encoding="utf-8"))
    assert not read.unread
    assert len(read.claims) == 24
    assert read.layers == ("k",)
    lines = {c.source.line: c for c in read.claims if c.link == 0}
    assert read_as(lines[54].right) == "2 (y_i - ŷ_i)"
    assert read_as(lines[119].right) == "(∂L/∂z_k)ᵀ · a_k"
    assert [sketch(r) for r in lines[63].ranges] == ["{i from 1 to n_3}", "{j from 1 to n_2}"]


HOSTILE = [
    "(" * 10_000,
    "{" * 10_000,
    "$" * 10_000,
    "\\frac" * 5_000,
    "x_" * 5_000,
    "x^" * 5_000 + "x",
    "(" * 500 + "x" + ")" * 500,
    "{" * 500 + "x" + "}" * 500,
    "x" * 100_000,
    "x + " * 25_000,
    "\\sum_i " * 3_000 + "x",
    "-" * 20_000 + "x",
    "\\sqrt{" * 3_000,
    "\\hat{" * 400 + "x" + "}" * 400,
    "\\left(" * 2_000,
    "\\\\" * 30_000,
    "\\begin{aligned}" * 3_000,
    "\\begin{matrix}" * 400 + "x" + "\\end{matrix}" * 400,
    "\\newcommand{\\a}{\\a\\a} $\\a = 1$",
    "\\newcommand{\\a}{\\b\\b}\\newcommand{\\b}{\\a\\a} $\\a$",
    "".join(
        f"\\newcommand{{\\a{chr(97 + k)}}}{{\\a{chr(98 + k)}\\a{chr(98 + k)}}}" for k in range(24)
    )
    + "$\\aa = x$",
    "\\def\\a#1{\\a{#1#1}} $\\a{x}$",
    "\x00\x01\x02 = \x7f",
    "\u202e = x \u2066 y",
    "\\input{/etc/passwd}",
    "\\write18{rm -rf /}",
    "\\catcode`\\_=12 x = y",
    "__import__('os').system('true')",
    "\\frac{\\partial L}{\\partial __class__} = eval(1)",
    "9" * 50_000,
    "x^{" + "9" * 5_000 + "}",
    "9^{9^{9^{9^9}}} = x",
    "1e400 = x",
    "\\sum_{i=1}^{10^{100}} x_i = y",
    "a = b = " * 5_000,
    "a & " * 10_000,
    "| " * 10_000,
    "\\| x " * 5_000,
    "'" * 30_000,
    "f" + "'" * 5_000 + "(x) = 1",
    "d" * 30_000,
    "\\partial" * 5_000,
    "\\nabla" * 5_000 + " L",
    "\\frac{d" * 1_000,
    "\\text{" * 5_000,
    "\\text{$" * 1_000 + "$}" * 1_000,
    "\\underbrace{" * 2_000,
    "\\left\\{" * 3_000,
    "💥 = 𝔘 ﷽",
    "\\",
    "\\ ",
    "=",
    "= = =",
    "^_^",
    "a_b_c^d^e",
    "\\end{aligned}",
    "#1",
    "%",
    "\\verb|x|",
    "\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
]


MOST_CALLS = 3_000_000  # three times what the worst of these takes


@pytest.mark.parametrize("frame", ["$${}$$", "${}$", "{}", "\\begin{{align}}{}\\end{{align}}"])
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile(frame: str, number: int) -> None:
    text = frame.format(HOSTILE[number])

    def read() -> None:
        for path in ("a.md", "a.tex"):
            for sheet in read_document(path, text):
                bind(sheet)
        bind(read_formula(HOSTILE[number]))

    start = time.process_time()
    assert calls_of(read, "call", "c_call") < MOST_CALLS
    # One call of a regular expression may take long, too; no answer takes a second.
    assert time.process_time() - start < 20


def test_work_in_excess_is_noticed() -> None:
    text = "x" * 2000
    assert calls_of(lambda: [text.find(c) for c in text for _ in text], "c_call") > MOST_CALLS


def test_memory_stays_bounded() -> None:
    tracemalloc.start()
    for text in HOSTILE[::4]:
        for sheet in read_document("a.md", f"$${text[:5000]}$$"):
            bind(sheet)
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()


def test_a_definition_names_what_stands_under_a_power_or_transpose() -> None:
    read = paper("$e_{ij}^2 = x$, $y = e_{ij}$ and $w^T = v$")
    assert [read_as(d.name) for d in read.definitions] == ["e_{ij}", "y", "w"]


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        # A square that is a name; one whose root stands alone is none.
        (
            r"$\sigma^2 = \sum_i x_i^2$ and $\frac{\partial L}{\partial \sigma^2} = 2\sigma^2$",
            ["∂L/∂σ^2 = 2 σ^2"],
        ),
        (
            r"$e^2 = (x - w)^2, \frac{\partial e^2}{\partial w} = -2 (x - w)$",
            ["∂(e^2)/∂w = -2 (x - w)"],
        ),
        # The loss that a document differentiates is that of its short names.
        (r"$\frac{\partial J}{\partial z} = a$, $dW = a x$", ["∂J/∂z = a", "dJ/dW = a x"]),
        (r"$E = \sum_i y_i$, $z = w$, $dw = x$", ["dE/dw = x"]),
        (
            r"$\frac{dL}{dz} = a$, $\frac{dC}{dz} = b$, $dw = x$",
            ["dL/dz = a", "dC/dz = b", "dw = x"],
        ),
    ],
)
def test_what_a_notation_leaves_out_is_completed(text: str, claimed: list[str]) -> None:
    assert claims(text) == claimed


def test_a_prime_on_parentheses_is_by_the_argument_of_its_chain() -> None:
    first, last = paper("$f'(x) = (x^2)' = 2 x$ and $g = (y)'$").claims[:2]
    assert sketch(first.right) == sketch(last.left) == "(':prime (power x 2) by x)"


def test_a_bare_gradient_is_by_what_a_chain_equates_it_with() -> None:
    text = (
        r"$\frac{\partial C}{\partial a} = \nabla C$, $\frac{\partial C}{\partial w} = \nabla C x$"
    )
    first, last = paper(text).claims
    assert sketch(first.right) == "(∇:subscript C by a)"
    assert sketch(last.right) == "<(∇:subscript C by a) . x>"


def test_an_inner_product_may_be_read_by_elements_where_there_are_elements() -> None:
    read = paper(r"$z = w^T x + b$ and $\frac{\partial z}{\partial w_i} = x_i$, $y_i = c$")
    assert [read_as(value) for value in read.definitions[0].values] == [
        "wᵀ x + b",
        "Σ_k w_k x_k + b",
    ]
    plain = paper(r"$z = w^T x + b$ and $\frac{\partial z}{\partial w} = x$")
    assert len(plain.definitions[0].values) == 1


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (r"$h_\theta(x) = \frac{1}{1+e^{-\theta^T x}}$, RIGHT", "proved"),
        (r"$h_\theta(x) = \frac{1}{1+e^{-\theta^T x}}$, WRONG", "refuted"),
    ],
)
def test_logistic_regression_as_courses_write_it(text: str, verdict: str) -> None:
    loss = r"y^{(i)} \log h_\theta(x^{(i)}) + (1 - y^{(i)}) \log(1 - h_\theta(x^{(i)}))"
    cost = rf"$J(\theta) = -\frac{{1}}{{m}} \sum_{{i=1}}^m [{loss}]$"
    claim = (
        r"$\frac{\partial}{\partial \theta_j} J(\theta) = \frac{1}{m} \sum_{i=1}^m (%s) x_j^{(i)}$"
    )
    right = claim % r"h_\theta(x^{(i)}) - y^{(i)}"
    wrong = claim % r"y^{(i)} - h_\theta(x^{(i)})"
    found = audit_text(f"{cost}. {text}".replace("RIGHT", right).replace("WRONG", wrong))
    assert [finding.verdict for finding in found] == [verdict]


def test_a_gradient_that_cannot_be_cut_into_symbols_is_a_claim() -> None:
    found = audit_text(r"$$db^{[2]} = np.sum(dZ^{[2]}, axis=1)$$")
    assert [(f.verdict, f.reason) for f in found] == [
        ("undecided", "a full stop within a formula is not understood")
    ]
