"""Documents as LaTeX: they compile without a complaint, whatever they hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import (
    EQUALS,
    LOSS,
    MINUS,
    PLUS,
    SAMPLE,
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
from test_latex import HOSTILE, every_field

from symbackprop import api
from symbackprop.errors import SymbackpropError
from symbackprop.frames import latex_environment
from symbackprop.render import pdf as pdf_module
from symbackprop.render.document import (
    Arrow,
    Code,
    CodeLines,
    Diagram,
    Display,
    Document,
    Inlines,
    Line,
    Link,
    Listing,
    Node,
    Paragraph,
    Section,
    Table,
)
from symbackprop.render.pdf import compiled, pdf
from symbackprop.render.tex import tex
from symbackprop.render.tex_text import bookmark, escaped, typewriter
from symbackprop.render.typeset import (
    Cases,
    Fenced,
    Fraction,
    Large,
    Math,
    Operator,
    Root,
    Script,
    Symbol,
    row,
)

needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="pdflatex is not installed"
)
needs_reader = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext is not installed"
)
TOLERATED = 1.0  # points by which a line may stand out


def complaints(log: str) -> list[str]:
    """What a log says that a reader would see: lines too wide, links to nowhere."""
    wide = re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)[^\n]*", log)
    found = [f"{points} pt too wide" for points in wide if float(points) > TOLERATED]
    return found + re.findall(r"[^\n]*(?:Warning|has been referenced|Missing char)[^\n]*", log)


def document(*displays: Display, title: str = "Title") -> Document:
    return Document(title, (), (Section(("Section",), "section", displays),))


def sums(*terms: Math) -> Math:
    return row(*[part for term in terms for part in (PLUS, term)][1:])


def fenced(body: Math) -> Math:
    return Fenced("(", body, ")")


def chain(depth: int) -> Math:
    fraction: Math = Symbol("x")
    for _ in range(depth):
        fraction = Fraction(number(1), sums(number(1), fraction))
    return fraction


SUM = sums(
    *[times(indexed("w", row(UNIT, number(k)), 3), indexed("h", number(k))) for k in range(20)]
)
PRODUCT = times(*[partial(indexed("h", UNIT, k + 1), indexed("h", UNIT, k)) for k in range(24)])
QUOTIENT = Fraction(SUM, sums(number(1), called(Symbol("exp", "upright"), Symbol("z"))))
MANY = tuple(indexed("x", number(k)) for k in range(40))
CALL = called(Symbol("f"), *MANY)
NAME = Symbol("a_name_of_a_layer_that_is_as_long_as_names_may_be_of_64_letters", "word")
NAMED = Fenced("(", Symbol("encoder.2.attended", "word"), ")")
MINUS_SIGN = Operator("−", "prefix")
SQUARES = sums(
    *[
        Script(fenced(row(indexed("y", number(k)), MINUS, guess(number(k)))), None, number(2))
        for k in range(14)
    ]
)
RANGES = row(
    *[
        part
        for k, letter in enumerate("ijklmpqrs")
        for part in (Operator(";", "punctuation"), ranges((Symbol(letter), k)))
    ][1:]
)
REASON = ("which is a clause that goes on and on, as some reasons do; ",) * 3
LONG = {
    "sum": (Line(Symbol("z"), SUM, condition=ranges((UNIT, 3), (J, 2)), rule="chain rule"),),
    "product": (Line(partial(LOSS, W3), PRODUCT, rule="chain rule", reason=REASON),),
    "brackets": (Line(LOSS, fenced(sums(Symbol("a"), times(Symbol("b"), fenced(SQUARES))))),),
    "fraction": (Line(Symbol("a"), QUOTIENT), Line(None, times(QUOTIENT, QUOTIENT))),
    "deep": tuple(Line(LOSS, times(fenced(chain(k)), fenced(chain(9 - k)))) for k in range(1, 9)),
    "both": (Line(Symbol("r"), Fraction(SUM, SUM)),),
    "root": (Line(Symbol("r"), Root(SUM)), Line(None, Script(fenced(SUM), None, number(2)))),
    "cases": (
        Line(Symbol("c"), Cases(((SUM, row(Symbol("z"), EQUALS, number(0))), (LOSS, None)))),
    ),
    "ranges": (Line(Symbol("r"), CALL, condition=RANGES), Line(None, LOSS, shape=CALL)),
    "slope": (Line(partial(LOSS, CALL), partial(LOSS, CALL)),),
    "names": (
        Line(NAME, times(NAME, NAME, NAME)),
        Line(partial(LOSS, indexed("W", NAME)), times(*[partial(LOSS, indexed("W", NAME))] * 3)),
        Line(LOSS, Script(Symbol("W"), Script(NAME, NAME, NAME), Script(NAME, NAME, NAME))),
    ),
    "left": (Line(CALL, SUM), Line(called(Symbol("f"), *MANY[:12]), LOSS, relation="≈")),
    "beside": (
        Line(
            Script(
                fenced(partial(*[Script(Symbol("h"), UNIT, NAMED)] * 2)),
                Script(Symbol("v"), None, NAMED),
            ),
            LOSS,
            condition=ranges((UNIT, 31), (J, 12)),
            rule="local partial",
            reason=(Script(Symbol("v"), None, NAMED), " held constant"),
        ),
    ),
    "joined": tuple(
        Line(
            partial(Script(Symbol("r"), None, NAMED), Script(Symbol("v"), None, NAMED)),
            called(
                Symbol("diag", "upright"), row(MINUS_SIGN, Fraction(number(1), sums(*MANY[:k])))
            ),
        )
        for k in range(9, 20)
    ),
    "limit": (Line(LOSS, row(Large("Σ", row(*MANY[:30])), W3)),),
    "nested": (
        Line(LOSS, fenced(sums(*[total(J, 3, fenced(sums(QUOTIENT, W3))) for _ in range(4)]))),
    ),
}


@needs_latex
def test_long_lines_break() -> None:
    sections = [
        Section(
            (case, " ", line.right), f"{case}-{k}", (Display((line,)), Paragraph((line.right,)))
        )
        for case, lines in LONG.items()
        for k, line in enumerate(lines)
    ]
    cells = [(LONG[case][0].right,) for case in ("sum", "brackets", "fraction", "names")]
    rows = tuple(
        (("row",), left, right) for left, right in zip(cells[::2], cells[1::2], strict=True)
    )
    table = Section(("Table",), "table", (Table((("name",), (SUM,), ("right",)), rows),))
    source = tex(Document("Long", (CALL, SUM), (*sections, table)))
    assert complaints(compiled(source)[1]) == []


@needs_latex
@pytest.mark.parametrize(
    "planted",
    [
        r"\hbox to\linewidth{\hskip\linewidth x}",
        r"\hyperlink{nowhere}{x}",
        r"\ref{nowhere}",
    ],
)
def test_a_planted_complaint_is_heard(planted: str) -> None:
    source = tex(SAMPLE).replace(r"\end{document}", rf"{planted} \end{{document}}")
    assert complaints(compiled(source)[1])


@needs_latex
def test_the_sample_compiles_without_a_complaint() -> None:
    assert complaints(compiled(tex(SAMPLE))[1]) == []


@needs_latex
@pytest.mark.parametrize(
    ("architecture", "loss"),
    [
        ("n_0-n_1:f_1-n_2:f_2-n_3:f_3", "squared_error"),
        ("4-3x100:tanh-3:softmax", "cross_entropy"),
        ("3-4:gelu_tanh-2:selu", "huber"),
    ],
)
def test_documents_of_networks_compile_without_a_complaint(architecture: str, loss: str) -> None:
    written = api.document(architecture, loss=loss)
    assert complaints(compiled(tex(written))[1]) == []


def hostile(text: str, anchor: str) -> tuple[Section, Section]:
    """Sections with the text in every field that holds one."""
    formula = times(*every_field(text)[:4])
    content: Inlines = (text, " ", formula, " ", Code(text), Link(text, anchor), Link(formula, ""))
    line = Line(formula, formula, text, formula, formula, text, content)
    lines = tuple(Line(None, field) for field in every_field(text))
    blocks = (
        Paragraph(content),
        Display((line, *lines), f"{anchor}-display", (CodeLines(text, 1, 1),), Link(text, anchor)),
        Table((content, (text,)), ((content, (text,)), ((Code(text),), ()))),
        Diagram((Node(formula, text, anchor, anchor),) * 3, (Arrow(0, 1, formula, formula),), text),
    )
    return Section(content, anchor, blocks), Section((text,), f"{anchor}-part", (), 2)


@needs_latex
def test_hostile_text_compiles() -> None:
    sections = [part for k, text in enumerate(HOSTILE) for part in hostile(text, f"s-{k}")]
    listing = Listing("\n".join([*HOSTILE, *(text * 30 for text in HOSTILE)]), "\0")
    last = Section((), "listing", (listing,))
    source = tex(Document("".join(HOSTILE), tuple(HOSTILE), (*sections, last)))
    assert source.replace("\n", "").isascii()
    assert source.replace("\n", "").isprintable()
    assert complaints(compiled(source)[1]) == []


@needs_latex
@needs_reader
def test_hostile_text_is_shown_as_text(tmp_path: Path) -> None:
    texts = [r"\input{/etc/passwd}", r"\end{document}", "<script>", "100% $5 #1 & c^d", "}{"]
    blocks = tuple(Paragraph((text, " and ", Code(text))) for text in texts)
    place = tmp_path / "document.pdf"
    place.write_bytes(pdf(tex(Document("Title", (), (Section((), "a", blocks),)))))
    command = ["pdftotext", "-layout", str(place), "-"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    plain = "".join(shown.split()).replace("ˆ", "^")
    for text in texts:
        assert "and".join(["".join(text.split())] * 2) in plain


@needs_latex
def test_a_document_cannot_read_files_or_run_programs(tmp_path: Path) -> None:
    secret, made = tmp_path / "secret.tex", tmp_path / "made"
    secret.write_text("secret", encoding="utf-8")
    start = r"\documentclass{article}\begin{document}x"
    with pytest.raises(SymbackpropError, match="pdflatex"):
        pdf(rf"{start}\input{{{secret}}}\end{{document}}")
    pdf(rf"{start}\immediate\write18{{touch {made}}}\end{{document}}")
    with pytest.raises(SymbackpropError, match="pdflatex"):
        pdf(rf"{start}\immediate\openout5={made}.tex \end{{document}}")
    assert list(tmp_path.iterdir()) == [secret]


@needs_latex
def test_a_document_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_module, "_SECONDS", 1)
    with pytest.raises(SymbackpropError, match="more than 1 s"):
        pdf(r"\documentclass{article}\begin{document}\def\x{\x}\x\end{document}")


def test_without_latex_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SymbackpropError, match="apt install texlive-latex-base"):
        pdf("")


@needs_latex
def test_a_pdf_is_the_same_every_time() -> None:
    source = tex(SAMPLE)
    assert pdf(source) == pdf(source)


def test_the_source_is_the_same_for_any_hash_seed() -> None:
    folder = Path(__file__).parent
    program = (
        "from documents import SAMPLE\nfrom symbackprop.render.tex import tex\nprint(tex(SAMPLE))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{folder.parent}"},
        ).stdout
        for seed in ("0", "1")
    }
    assert len(printed) == 1


def test_lines_lead_to_the_listing_and_back() -> None:
    source = tex(SAMPLE)
    assert r"lines \hyperlink{line.5}{5--6} of \texttt{backward}" in source
    assert r"\n{\hypertarget{line.5}{}\hyperlink{weights}{5}}" in source


def test_without_a_listing_lines_lead_nowhere() -> None:
    display = Display((Line(LOSS, LOSS),), "a", (CodeLines("forward", 2, 3),))
    assert r"\hyperlink" not in tex(document(display)).partition(r"\begin{document}")[2]


def test_the_frame_holds_no_hand_made_size_for_long_lines() -> None:
    frame = latex_environment().loader
    assert frame is not None
    source = frame.get_source(latex_environment(), "document.tex.jinja")[0]
    assert not re.search(r"hfuzz|hbadness *= *-|overfullrule", source)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a_b", r"a\_\allowbreak{}b"),
        ("50%", r"50\%"),
        ("é", r"\'{e}"),
        ("x²", "x$^{2}$"),
        ("α → β", r"$\alpha$ $\to$ $\beta$"),
        ("1–2", "1--2"),
        ("--", "-{}-"),
        ("a\nb", "a b"),
        ("Ж", r"U+0416\allowbreak{}"),
        ("\0", r"U+0000\allowbreak{}"),
    ],
)
def test_text_is_escaped(text: str, printed: str) -> None:
    assert escaped(text) == printed


def test_code_keeps_its_signs() -> None:
    assert typewriter("a\\b") == r"a{\char92}\allowbreak{}b"
    assert typewriter("it's") == r"it{\char13}\allowbreak{}s"


def test_a_bookmark_holds_plain_letters() -> None:
    assert bookmark(r"\x{}%α ∂é wᵢ⁽³⁾") == "x alpha de wi(3)"
