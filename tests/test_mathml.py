"""Formulas as MathML: each kind of formula, its spaces, and where lines may break."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import page
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbackprop import api
from symbackprop.calculus.passes import derive_network
from symbackprop.catalog import CATALOG
from symbackprop.render.html import html
from symbackprop.render.mathml import breakable, mathml
from symbackprop.render.outline import outline
from symbackprop.render.typeset import (
    APPLICATION,
    PRIME,
    TIMES,
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
    listed,
    row,
)

ROOT = Path(__file__).resolve().parent.parent
X, Y, ONE, TWO = Symbol("x"), Symbol("y"), Numeral("1"), Numeral("2")
PLUS, MINUS = Operator("+"), Operator("−")
EXP = Symbol("exp", "upright")


def inner(math: Math) -> str:
    return mathml(math, display=False).removeprefix("<math>").removesuffix("</math>")


@pytest.mark.parametrize(
    ("math", "markup"),
    [
        (X, "<mi>x</mi>"),
        (Symbol("W", "bold"), "<mi>𝑾</mi>"),
        (Symbol("δ", "bold"), "<mi>𝜹</mi>"),
        (Symbol("1", "bold"), "<mi>𝟏</mi>"),
        (EXP, "<mi>exp</mi>"),
        (Symbol("f", "upright"), '<mi mathvariant="normal">f</mi>'),
        (Symbol("hid_1", "word"), "<mi>ℎ𝑖𝑑_1</mi>"),
        (Numeral("0.5"), "<mn>0.5</mn>"),
        (Words("for all"), "<mtext>for\u00a0all</mtext>"),
        (row(X, PLUS, Y), "<mi>x</mi><mo>+</mo><mi>y</mi>"),
        (row(Operator("−", "prefix"), X), "<mo>−</mo><mi>x</mi>"),
        (row(PLUS, X), '<mo form="infix">+</mo><mi>x</mi>'),
        (row(X, Operator("−", "prefix"), Y), '<mi>x</mi><mo form="prefix">−</mo><mi>y</mi>'),
        (row(Operator("∂", "plain"), X), "<mi>∂</mi><mi>x</mi>"),
        (listed(X, Y), "<mi>x</mi><mo>,</mo><mi>y</mi>"),
        (Operator("⊙"), "<mi>⊙</mi>"),
        (Fraction(ONE, row(X, PLUS, ONE)),
         "<mfrac><mn>1</mn><mrow><mi>x</mi><mo>+</mo><mn>1</mn></mrow></mfrac>"),
        (Script(X, TWO), "<msub><mi>x</mi><mn>2</mn></msub>"),
        (Script(X, None, TWO), "<msup><mi>x</mi><mn>2</mn></msup>"),
        (Script(X, ONE, TWO), "<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>"),
        (Script(X), "<mi>x</mi>"),
        (Script(Symbol("f", "upright"), None, Operator(PRIME, "plain")),
         '<msup><mi mathvariant="normal">f</mi><mi>′</mi></msup>'),
        (Accent(Y, "hat"), '<mover accent="true"><mi>y</mi><mo stretchy="false">^</mo></mover>'),
        (row(Large("Σ", X, TWO), Y),
         "<munderover><mo>∑</mo><mi>x</mi><mn>2</mn></munderover><mi>y</mi>"),
        (row(Large("Π", X), Y), "<munder><mo>∏</mo><mi>x</mi></munder><mi>y</mi>"),
        (row(Large("max", None, X), Y),
         '<mover><mo form="prefix" lspace="0" rspace="0.167em" movablelimits="true">max</mo>'
         "<mi>x</mi></mover><mi>y</mi>"),
        (Fenced("(", row(X, PLUS, Y), ")"),
         "<mrow><mo>(</mo><mrow><mi>x</mi><mo>+</mo><mi>y</mi></mrow><mo>)</mo></mrow>"),
        (Fenced("(", ONE, ")"), "<mtext>(1)</mtext>"),
        (Fenced("|", X, "|"), "<mrow><mo>|</mo><mi>x</mi><mo>|</mo></mrow>"),
        (Root(row(X, PLUS, Y)), "<msqrt><mi>x</mi><mo>+</mo><mi>y</mi></msqrt>"),
        (Cases(((X, row(X, Operator(">", "relation"), ONE)), (ONE, None))),
         "<mrow><mo>{</mo><mtable>"
         "<mtr><mtd><mi>x</mi></mtd>"
         "<mtd><mtext>if\u00a0</mtext><mi>x</mi><mo>&gt;</mo><mn>1</mn></mtd></mtr>"
         "<mtr><mtd><mn>1</mn></mtd><mtd><mtext>otherwise</mtext></mtd></mtr>"
         "</mtable></mrow>"),
    ],
)  # fmt: skip
def test_every_kind_of_formula(math: Math, markup: str) -> None:
    assert inner(math) == markup


def test_displayed_or_in_a_line() -> None:
    assert mathml(X) == '<math display="block"><mi>x</mi></math>'
    assert mathml(X, display=False) == "<math><mi>x</mi></math>"


def test_what_is_no_formula_is_refused() -> None:
    with pytest.raises(TypeError, match="not a formula"):
        mathml("x")  # type: ignore[arg-type]


def space_after(text: str, before: Math, after: Math) -> bool:
    return "rspace" in inner(row(before, Operator(text, "plain"), after))


def test_unseen_signs_leave_a_space_between_names_and_fractions_only() -> None:
    assert space_after(APPLICATION, EXP, X)
    assert not space_after(APPLICATION, EXP, Fenced("(", X, ")"))
    assert not space_after(TIMES, TWO, X)
    assert space_after(TIMES, TWO, EXP)
    assert space_after(TIMES, Script(Symbol("slope", "word"), TWO), X)
    assert space_after(TIMES, Fraction(X, Y), Fraction(Y, X))


def pieces(math: Math) -> list[str]:
    return re.findall(r"<math>(.*?)</math>", breakable(math))


def text(markup: str) -> str:
    return "".join(ElementTree.fromstring(f"<r>{markup}</r>").itertext())


def test_a_line_breaks_before_a_sign_and_keeps_it_with_what_follows() -> None:
    equal, dot = Operator("=", "relation"), Operator("·")
    math = row(X, equal, X, dot, Y, PLUS, ONE, equal, TWO, Operator(TIMES, "plain"), Y)
    assert [text(piece) for piece in pieces(math)] == ["x", "=x", "·y", "+1", "=2\u2062y"]
    assert pieces(math)[2] == '<mo form="infix">·</mo><mi>y</mi>'


def test_a_break_at_a_relation_is_better_than_at_a_sum_than_at_a_product() -> None:
    equal, dot = Operator("=", "relation"), Operator("·")
    math = row(X, equal, X, dot, Y, PLUS, ONE)
    runs = ElementTree.fromstring(breakable(math))
    assert [text_of(child) for child in runs] == ["x", "=x·y+1"]
    assert [text_of(child) for child in runs[1]] == ["=x·y", "+1"]
    assert [text_of(child) for child in runs[1][0]] == ["=x", "·y"]


def text_of(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def test_nothing_breaks_at_an_opening_sign_nor_within_brackets() -> None:
    assert len(pieces(row(Operator("−", "prefix"), X))) == 1
    assert len(pieces(row(MINUS, X))) == 1
    assert len(pieces(Fenced("(", row(X, PLUS, Y), ")"))) == 1
    assert len(pieces(row(X, Operator("/"), Y))) == 1


STRINGS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=6
) | st.sampled_from(["</math>", "<script>", "&amp;", '"', "'", "]]>", "{}", "{0}", "%s"])
STYLES = st.sampled_from(["italic", "bold", "upright", "word"])
FORMS = st.sampled_from(["relation", "binary", "prefix", "punctuation", "plain"])
ATOMS = (
    st.builds(Symbol, STRINGS, STYLES)
    | st.builds(Numeral, STRINGS)
    | st.builds(Operator, STRINGS | st.sampled_from([TIMES, APPLICATION]), FORMS)
    | st.builds(Words, STRINGS)
    | st.builds(Large, st.just("Σ") | STRINGS)
)
FORMULAS: st.SearchStrategy[Math] = st.recursive(
    ATOMS,
    lambda part: (
        st.builds(Row, st.lists(part, min_size=1, max_size=4).map(tuple))
        | st.builds(Fraction, part, part)
        | st.builds(Script, part, st.none() | part, st.none() | part)
        | st.builds(Accent, part, st.sampled_from(["hat", "bar", "tilde"]))
        | st.builds(Large, STRINGS, st.none() | part, st.none() | part)
        | st.builds(Fenced, STRINGS, part, STRINGS)
        | st.builds(Root, part)
        | st.builds(Cases, st.tuples(st.tuples(part, part), st.tuples(part, st.none())))
    ),
    max_leaves=12,
)
ARITY = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "mover": 2, "munder": 2, "munderover": 3}
ELEMENTS = {"math", "mi", "mn", "mo", "mtext", "mrow", "msqrt", "mtable", "mtr", "mtd", *ARITY}


@given(FORMULAS)
def test_any_text_stays_text_and_every_element_has_its_parts(math: Math) -> None:
    for markup in (mathml(math), breakable(math)):
        for element in ElementTree.fromstring(markup).iter():
            assert element.tag in (ELEMENTS if element.tag != "span" else {"span"})
            assert set(element.attrib) <= {
                *("display", "class", "mathvariant", "form", "lspace", "rspace"),
                *("accent", "stretchy", "movablelimits"),
            }
            assert len(element) == ARITY.get(element.tag, len(element))


@given(FORMULAS)
def test_breaking_loses_nothing(math: Math) -> None:
    assert text(breakable(math)) == text(mathml(math))


def font_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("subset_font", ROOT / "tools/subset_font.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KNOWN = font_script().characters()


def drawn(markup: str) -> set[str]:
    """The characters that a browser draws: a lone letter of an ``<mi>`` is slanted."""
    slanted = {
        letter
        for attributes, letter in re.findall(r"<mi([^>]*)>([^<&])</mi>", markup)
        if not attributes
    }
    italics = {inner(Symbol(letter, "word"))[4:-5] for letter in slanted}
    return set(text(re.sub(r"</?span[^>]*>", "", markup))) | italics


def test_the_font_has_every_sign_of_the_page() -> None:
    markup = "".join(re.findall(r"<math.*?</math>", html(page.document()), re.DOTALL))
    assert drawn(markup) <= KNOWN
    assert not drawn("<math><mi>ж</mi></math>") <= KNOWN


ENTRIES = [("activation", name) for name in sorted(CATALOG.activations)]
ENTRIES += [("loss", name) for name in sorted(CATALOG.losses)]
BEFORE = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}


@pytest.mark.parametrize(("kind", "name"), ENTRIES, ids=lambda value: value)
def test_the_font_has_every_sign_of_the_catalogue(kind: str, name: str) -> None:
    if kind == "activation":
        network = api.build(f"4-3:{name}-2", loss="squared_error")
    else:
        network = api.build(f"4-3-2:{BEFORE.get(name, 'tanh')}", loss=name)
    text = html(outline(derive_network(network)))
    assert drawn("".join(re.findall(r"<math.*?</math>", text, re.DOTALL))) <= KNOWN


def test_the_font_is_what_the_script_says() -> None:
    fonts = pytest.importorskip("fontTools.ttLib", reason="fonttools is not installed")
    pytest.importorskip("brotli", reason="brotli is not installed")
    script = font_script()
    font = fonts.TTFont(script.TARGET)
    assert script.characters() <= {chr(code) for code in font.getBestCmap()}
    assert {name.toUnicode() for name in font["name"].names if name.nameID == 1} == {script.FAMILY}
    assert "MATH" in font
