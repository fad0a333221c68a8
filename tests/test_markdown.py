"""Documents as GitHub Markdown, and formulas as plain text."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.render.document import (
    Arrow,
    Code,
    CodeLines,
    Diagram,
    Display,
    Document,
    Line,
    Link,
    Listing,
    Node,
    Paragraph,
    Section,
    Table,
)
from symbackprop.render.markdown import escaped, markdown
from symbackprop.render.plain import plain
from symbackprop.render.typeset import (
    TIMES,
    Accent,
    Cases,
    Fenced,
    Fraction,
    Large,
    Numeral,
    Operator,
    Root,
    Script,
    Symbol,
    Words,
    listed,
    row,
)

EQUALS = Operator("=", "relation")
L, Y, W = Symbol("L"), Symbol("y"), Symbol("w")
UNIT, FEEDING = Symbol("i"), Symbol("j")
YHAT = Script(Accent(Y, "hat"), UNIT)
WEIGHT = Script(W, row(UNIT, FEEDING), Fenced("(", Numeral("3"), ")"))
RANGE = row(
    UNIT, EQUALS, listed(Numeral("1"), Operator("…", "plain"), Script(Symbol("n"), Numeral("3")))
)


def partial(of, by):
    mark = Operator("∂", "plain")
    return Fraction(row(mark, of), row(mark, by))


LOSS = Display(
    (
        Line(
            partial(L, WEIGHT),
            row(partial(L, YHAT), Operator(TIMES), partial(YHAT, WEIGHT)),
            condition=RANGE,
            rule="chain rule",
            reason=("the weight feeds ", YHAT, " alone, see ", Link("the loss", "loss")),
        ),
        Line(None, row(YHAT, Operator("−"), Y)),
    ),
    anchor="eq-1",
    code=(CodeLines("backward", 2, 3), CodeLines("loss", 1, 1)),
)
CHART = Diagram(
    (
        Node(Symbol("x"), "input", "", ""),
        Node(Script(Symbol("a"), Numeral("1")), "dense", "eq-1", "eq-2"),
    ),
    (Arrow(0, 1, Symbol("x"), partial(L, Symbol("x"))),),
    "The network.",
)


def document(*blocks, title="A title"):
    sections = (
        Section(("Layer ", Numeral("3")), "layer-3", blocks),
        Section(("Code",), "code", (Listing("def loss():\n    return 1\n", "net.py"),), level=2),
    )
    return Document(title, ("of ", Code("2-1")), sections)


def test_what_a_document_looks_like():
    text = markdown(document(Paragraph(("See ", Link(L, "eq-1"), ".")), LOSS))
    assert text == GOLDEN.replace("FIRST ROW", ROW)


ROW = (
    r"\frac{\partial L}{\partial w_{ij}^{(3)}} & = \frac{\partial L}{\partial \hat{y}_{i}}"
    r" \, \frac{\partial \hat{y}_{i}}{\partial w_{ij}^{(3)}} && i = "
    r"1, \ldots, n_{3} && \text{chain rule} \\"
)
GOLDEN = r"""# A title

of `2-1`

<a id="layer-3"></a>

## Layer $`3`$

See $`L`$ [↗](#eq-1).

<a id="eq-1"></a>

```math
\begin{aligned}
FIRST ROW
& = \hat{y}_{i} - y
\end{aligned}
```

*chain rule:* the weight feeds $`\hat{y}_{i}`$ alone, see [the loss](#loss).

Computed in `backward`, [lines 2–3](#code); `loss`, [line 1](#code).

<a id="code"></a>

### Code

`net.py`:

```python
1  def loss():
2      return 1
```
"""


HOSTILE = (
    "](javascript:alert(1))",
    "<script>alert(1)</script>",
    "```\n# injected\n```",
    "a | b || c",
    "$x$ $`\\href{x}{y}`$ $$",
    "_a_ *b* **c** ~~d~~",
    "x\n\n# heading\n- item",
    "![i](x) [^1] &lt; &#60;",
    "\\",
    "1. one",
    "- item",
    "====",
    "    code",
    '"];click n0 "javascript:alert(1)"',
)
ENTITY = re.compile(r"&#(\d+);")


def shown(text):
    """What a Markdown reader shows of escaped text."""
    text = text.replace("<span>", "").replace("</span>", "")
    return ENTITY.sub(lambda m: chr(int(m[1])), re.sub(r"\\([*_\[\]#~])", r"\1", text))


def bare_signs(text):
    """The signs of escaped text that would start markup."""
    text = text.replace("<span>&#36;</span>", "")
    return set("`$<>|\\*_[]~&") & set(ENTITY.sub("", re.sub(r"\\[*_\[\]#~]", "", text)))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_starts_no_markup(text):
    assert shown(escaped(text)) == re.sub(r"\s+", " ", text)
    assert not bare_signs(escaped(text))


@pytest.mark.parametrize("fault", ["a*b", "a\\\\*b", "[x](y)", "<b>", "$x$", "a|b", "`", "&lt;"])
def test_the_check_hears_markup(fault):
    assert bare_signs(fault)


@given(st.text(max_size=80))
@settings(derandomize=True, deadline=None)
def test_any_text_is_shown_and_starts_no_markup(text):
    assert shown(escaped(text)) == re.sub(r"\s+", " ", text)
    assert not bare_signs(escaped(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_in_its_place(text):
    """Wherever it stands, the document keeps its lines, fences, cells and links."""
    plain_one, hostile = (markdown(everything(name)) for name in ("name", text))
    assert frame(hostile) == frame(plain_one)


def everything(name):
    """A document that holds a name in every place where text can stand."""
    word = Symbol(name, "word")
    chart = Diagram((Node(word, name, "a", ""),), (Arrow(0, 0, word, Words(name)),), name)
    lines = (Line(word, Words(name), rule=name, reason=(name,)),)
    blocks = (
        Paragraph((name, Link(name, "a"), Code(name), word, Link(word, "a"))),
        Display(lines, "a", (CodeLines(name, 1, 2),)),
        Display(lines, absorbed=Link(name, "a")),
        Table(((name,), (Code(name),)), (((word,), (Link(word, "a"),)),)),
        chart,
    )
    return Document(name, (name,), (Section((name, word), "s", blocks),))


def frame(text):
    """What of a document is markup: its lines' starts, fences, bars, links and tags."""
    lines, fence = [], ""
    for line in text.split("\n"):
        if fence:
            lines.append("fenced")
            fence = "" if line == fence else fence
            continue
        fence = re.match("(`{3,})?", line)[0]
        bars = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        inside = ENTITY.sub("", "".join(outside_code(line))).replace("<span></span>", "")
        tags = re.findall(r"<[^>]*>|\]\([^)]*\)|[*_~\[\]]", inside)
        start = re.match(r"(#+ |`{3,}\w*|[-+=] |\d+[.)] |\||\$\$| {4})?", line)[0]
        lines.append((start, bars, tags))
    return lines


def outside_code(line):
    """Yield the signs of a line that stand in no code span and after no backslash."""
    place = 0
    while place < len(line):
        run = re.match("`*", line[place:])[0]
        closing = run and re.search(f"(?<!`){run}(?!`)", line[place + len(run) :])
        if closing:
            place += len(run) + closing.end()
        elif line[place] == "\\":
            place += 2
        else:
            yield line[place]
            place += 1


def test_the_frame_hears_injected_markup():
    text = markdown(everything("name"))
    for fault in ("name](javascript:x)", "<b>", "name\n# a"):
        assert frame(text.replace("name", fault, 1)) != frame(text)


def test_a_fence_is_longer_than_any_in_it():
    text = markdown(document(Listing("x = 1\n```\n````\n", "n.py")))
    assert "\n`````python\n" in text
    assert text.count("\n`````\n") == 1


def test_a_bar_in_a_cell_ends_no_cell():
    table = Table((("a",),), (((Code("x|y"),),), ((Fenced("|", L, "|"),),)))
    lines = markdown(document(table)).split("\n")
    assert "| `x\\|y` |" in lines
    assert "| $`\\vert L\\vert `$ |" in lines


def test_what_github_refuses_is_not_written():
    """GitHub's subset of macros, and constructs that it is known to set wrongly."""
    text = markdown(everything("name")) + markdown(document(LOSS, CHART))
    assert not re.search(r"\\(operatorname|mbox|phantom|def|newcommand|href|tag)\b", text)
    assert not re.search(r"\[\$", text)


def test_a_chart_has_its_labels_and_its_links():
    text = markdown(document(CHART))
    assert '    n1["a₁<br>dense"]\n    n0 -->|"→ x<br>← ∂L/∂x"| n1\n' in text
    assert "| $`a_{1}`$ | dense | [derived](#eq-1) | [derived](#eq-2) |" in text


PLAIN = [
    (WEIGHT, "wᵢⱼ⁽³⁾"),
    (partial(L, YHAT), "∂L/∂ŷᵢ"),
    (partial(L, WEIGHT), "∂L/∂wᵢⱼ⁽³⁾"),
    (Fraction(row(Y, Operator("+"), Numeral("1")), Fraction(L, Y)), "(y + 1)/(L/y)"),
    (Fraction(Fenced("(", row(Y, Operator("+"), L), ")"), Y), "(y + L)/y"),
    (Root(row(Y, Operator(TIMES), L)), "√(y L)"),
    (row(Large("Σ", row(UNIT, EQUALS, Numeral("1")), Symbol("n")), Y), "Σ_{i = 1}^n y"),
    (Script(Symbol("z"), Words("max")), "zₘₐₓ"),
    (Script(Symbol("z"), Symbol("b")), "z_b"),
    (Script(Fraction(Y, L), above=Numeral("2")), "(y/L)²"),
    (
        Cases(((Y, row(Y, Operator(">", "relation"), Numeral("0"))), (L, None))),
        "{y if y > 0, L otherwise}",
    ),
]


@pytest.mark.parametrize(("math", "text"), PLAIN)
def test_plain_text(math, text):
    assert unicodedata.normalize("NFC", plain(math)) == text
