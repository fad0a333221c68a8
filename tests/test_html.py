"""Pages: what they hold, that nothing escapes from text, and what Chromium makes of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import browser
import page
import pytest

from symbackprop import api
from symbackprop.calculus.passes import derive_network
from symbackprop.emit import generate
from symbackprop.render.anchors import check_anchors
from symbackprop.render.document import (
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
from symbackprop.render.highlight import highlighted
from symbackprop.render.html import html
from symbackprop.render.outline import outline
from symbackprop.render.typeset import Numeral, Operator, Symbol, Words

ROOT = Path(__file__).resolve().parent.parent
PAGE = html(page.document())
KILOBYTES = 200


def parsed(text: str) -> ElementTree.Element:
    """The page as XML, which it is too: nothing is left open or unquoted."""
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def only(*blocks: Any) -> Document:
    return Document("A title", ("A summary",), (Section(("One",), "one", blocks),))


def test_no_script_and_no_request() -> None:
    tags = {element.tag for element in parsed(PAGE).iter()}
    assert not tags & {"script", "link", "iframe", "img", "object", "embed", "form", "base"}
    policy = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:"
    assert policy in PAGE
    assert not re.search(r"https?:|javascript:|@import|url\((?!data:|#)", PAGE)
    assert not [name for e in parsed(PAGE).iter() for name in e.attrib if name.startswith("on")]


def test_ids_are_unique_and_links_lead_somewhere() -> None:
    elements = list(parsed(PAGE).iter())
    ids = [element.attrib["id"] for element in elements if "id" in element.attrib]
    links = [element.attrib["href"] for element in elements if "href" in element.attrib]
    assert len(ids) == len(set(ids))
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_headings_are_in_order_and_the_page_is_named() -> None:
    root = parsed(PAGE)
    levels = [int(e.tag[1]) for e in root.iter() if re.fullmatch(r"h[1-6]", e.tag)]
    assert levels == [1, 2, 2, 2, 3, 3, 2]
    assert root.attrib["lang"] == "en"
    assert root.findtext("head/title") == page.document().title


def test_a_display_and_its_code_lead_to_each_other() -> None:
    root = parsed(PAGE)
    display = root.find(".//div[@id='weights-3']")
    assert display is not None
    assert [a.attrib["href"] for a in display.iterfind(".//p[@class='origin']/a")] == [
        "#weights-3",
        "#L10",
    ]
    line = root.find(".//span[@id='L10']")
    assert line is not None
    assert [a.attrib["href"] for a in line.iter("a")] == ["#weights-3"]
    absorbed = root.find(".//div[@id='softmax']/p")
    assert absorbed is not None
    assert "computed within" in "".join(absorbed.itertext())


def test_lines_of_code_are_told_by_function() -> None:
    code = (CodeLines("f", 1, 1), CodeLines("g", 2, 3), CodeLines("f", 4, 5), CodeLines("h", 6, 6))
    display = Display((Line(None, Symbol("x")),), "x", code)
    root = parsed(html(only(display, Listing("x\n" * 6, "a"))))
    origin = root.find(".//p[@class='origin']")
    assert origin is not None
    assert "".join(origin.itertext()) == "(1) code: f, lines 1, 4–5; g, lines 2–3; h, line 6"
    links = [link.attrib["href"] for link in origin.iter("a")]
    assert links == ["#x", "#L1", "#L4", "#L2", "#L6"]


def test_the_listing_is_the_source() -> None:
    lines = parsed(PAGE).findall(".//pre/span")
    for line in lines:
        for small in line.findall("small"):
            small.text = ""
            for link in list(small):
                small.remove(link)
    assert "".join("".join(line.itertext()) for line in lines) == page.SOURCE
    assert [line.attrib["id"] for line in lines] == [f"L{n + 1}" for n in range(len(lines))]


def test_source_is_escaped() -> None:
    assert highlighted("a < b & c  # <i>") == ["a &lt; b &amp; c  <i># &lt;i&gt;</i>"]


def test_comments_strings_and_keywords_are_told_apart() -> None:
    text = '"""Two\n\nlines"""\nif x:  # why "not"\n    y = "#" + \'\\\'\'\n'
    assert highlighted(text) == [
        '<em>"""Two</em>',
        "",
        '<em>lines"""</em>',
        '<b>if</b> x:  <i># why "not"</i>',
        """    y = <em>"#"</em> + <em>'\\''</em>""",
        "",
    ]


BAD = '</style></title><script>alert(1)</script>"\' onload="x" & {{ 7*7 }} {x} javascript:alert(1)'


def hostile(text: str) -> Document:
    """A document with the text wherever there can be any."""
    symbol = Symbol(text)
    line = Line(symbol, Numeral(text), text, Operator(text), Words(text), text, (text, Code(text)))
    blocks = (
        Paragraph((text, Code(text), Link(text, "one"), Link(symbol, "two"), symbol)),
        Display((line,), "two", (CodeLines(text, 1, 1),), Link(text, "one")),
        Table(((text,),), (((text,),),)),
        Diagram((Node(symbol, text, "one", "two"),), (), text),
        Listing(f"# {text}", text),
    )
    return Document(text, (text,), (Section((text, Link(text, "two")), "one", blocks),))


def test_text_stays_text_everywhere() -> None:
    calm, wild = parsed(html(hostile("x"))), parsed(html(hostile(BAD)))

    def form(root: ElementTree.Element) -> list[tuple[str, list[str]]]:
        # A lone letter is upright by an attribute; it is not what is asked here.
        return [(element.tag, sorted(element.attrib)) for element in root.iter()]

    assert form(wild) == form(calm)
    assert BAD in (wild.findtext("head/title") or "")
    assert html(hostile(BAD)).count("<script") == 0


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (Document("", (), (Section((), "No", ()),)), "malformed"),
        (Document("", (), (Section((), "", ()),)), "malformed"),
        (only(Display((Line(None, Symbol("x")),), 'x" onclick="')), "malformed"),
        (only(Display((Line(None, Symbol("x")),), "one")), "more than one place"),
        (only(Paragraph((Link("x", "two"),))), "lead nowhere"),
        (only(Table(((Link("x", "two"),),), ())), "lead nowhere"),
        (only(Display((Line(None, Symbol("x"), reason=(Link("x", "two"),)),))), "lead nowhere"),
        (only(Display((Line(None, Symbol("x")),), absorbed=Link("x", "two"))), "lead nowhere"),
        (only(Diagram((Node(Symbol("x"), "", "two", ""),), (), "")), "lead nowhere"),
        (only(Listing("x", "a"), Listing("y", "b")), "one listing"),
        (
            only(
                Listing("x\n", "a"),
                Display((Line(None, Symbol("x")),), "", (CodeLines("f", 1, 2),)),
            ),
            "not listed",
        ),
    ],
)
def test_links_that_cannot_be_are_refused(document: Document, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_anchors(document)
    with pytest.raises(ValueError, match=message):
        html(document)


def test_the_page_is_the_same_under_any_hash_seed(tmp_path: Path) -> None:
    pages = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}:{ROOT}/tests"}
        script = "import page; from symbackprop.render.html import html; import sys\n"
        script += "sys.stdout.buffer.write(html(page.document()).encode())"
        command = [sys.executable, "-c", script]
        pages.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert pages == {PAGE.encode()}


def colours(scheme: str) -> dict[str, str]:
    sheet = (ROOT / "templates/document.css").read_text(encoding="utf-8")
    places = [match[1] for match in re.finditer(r":root \{(.*?)\}", sheet, re.DOTALL)]
    block = places[{"light": 0, "dark": 1, "print": 2}[scheme]]
    return dict(re.findall(r"--(\w+): (#\w+)", block))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_stands_out_from_what_is_behind_it(scheme: str) -> None:
    used = colours("light") | colours(scheme)
    for text in ("ink", "quiet", "link", "back", "comment", "string", "keyword"):
        for behind in ("page", "raised", "mark"):
            assert contrast(used[text], used[behind]) >= 4.5, (text, behind)
    assert contrast("#777777", "#ffffff") < 4.5


NETWORKS = {
    "tutorial": ("3-4:relu-2:relu-2:sigmoid", "squared_error"),
    "undetermined": ("n_0-n_1:f_1-n_2:f_2-n_3:f_3", "squared_error"),
    "circles": ("2-4:relu-3:relu-1:sigmoid", "binary_cross_entropy"),
    "classes": ("8-6:tanh-5:softmax", "cross_entropy"),
    "hundred": ("8-8x99:relu-1", "squared_error"),
}


@pytest.fixture(scope="module", params=NETWORKS)
def derived(request: pytest.FixtureRequest) -> Document:
    architecture, loss = NETWORKS[request.param]
    network = api.build(architecture, loss=loss)
    emitted = None if request.param == "undetermined" else generate(network)
    return outline(derive_network(network), emitted=emitted)


def test_a_derivation_is_a_small_page(derived: Document) -> None:
    size = len(html(derived).encode())
    lines = [line for display in derived.displays() for line in display.lines]
    equations = sum(line.left is not None for line in lines)
    assert size <= 1024 * KILOBYTES * max(1, equations / 50)


needs_chromium = pytest.mark.skipif(browser.PROGRAM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Browser]:
    if browser.PROGRAM is None:
        pytest.skip("Chromium is not installed")
    with browser.browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(PAGE, encoding="utf-8")
    return path


BOXES = """(selector) => [...document.querySelectorAll(selector)].map(e =>
    [...e.children].map(child => {
        const box = child.getBoundingClientRect();
        return [box.left, box.top, box.right, box.bottom];
    }))"""
TOO_WIDE = "document.documentElement.scrollWidth - innerWidth"
COLOURS = """(() => {
    const style = getComputedStyle(document.body);
    return [style.backgroundColor, style.color].map(c => c.match(/\\d+/g).map(Number));
})()"""


def boxes(tab: browser.Browser, selector: str) -> list[list[list[float]]]:
    found: list[list[list[float]]] = tab.evaluate(f"({BOXES})({selector!r})")
    assert found, selector
    return found


@pytest.mark.parametrize("width", [1200, 768, 375, 320])
def test_nothing_is_wider_than_the_window(tab: browser.Browser, written: Path, width: int) -> None:
    tab.open(written, width=width)
    assert tab.evaluate(TOO_WIDE) <= 0
    tab.evaluate("document.querySelector('h1').style.width = '99rem'")
    assert tab.evaluate(TOO_WIDE) > 0


@pytest.mark.parametrize("width", [1200, 375])
def test_a_derivation_fits_the_window(
    tab: browser.Browser, derived: Document, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "derived.html"
    path.write_text(html(derived), encoding="utf-8")
    tab.open(path, width=width)
    assert tab.evaluate(TOO_WIDE) <= 0
    assert tab.complaints() == []
    assert tab.fonts("math, math *") == {"Derivation Math": True}


def test_formulas_are_laid_out_in_two_dimensions(tab: browser.Browser, written: Path) -> None:
    tab.open(written, width=1200)
    for above, below in boxes(tab, "mfrac"):
        assert above[3] <= below[1]
    for sign, under, over in boxes(tab, ".lines munderover"):
        assert over[3] <= sign[1] + 1
        assert sign[3] <= under[1] + 1
    for _, sub, sup in boxes(tab, "msubsup"):
        assert sup[3] <= sub[3]
        assert sup[1] < sub[1]


def test_relations_stand_below_each_other(tab: browser.Browser, written: Path) -> None:
    tab.open(written, width=1200)
    several = 0
    for cells in tab.evaluate("""[...document.querySelectorAll('.lines')].map(lines =>
        [...lines.querySelectorAll('.relation')].map(e => e.getBoundingClientRect().left))"""):
        assert len(set(cells)) == 1
        several += len(cells) > 1
    assert several


def test_long_sums_break_and_do_not_scroll(tab: browser.Browser, written: Path) -> None:
    counts = []
    for width in (1200, 375):
        tab.open(written, width=width)
        right = "document.querySelector('#long-sum .right')"
        assert tab.evaluate(f"{right}.scrollWidth - {right}.clientWidth") <= 0
        tops = tab.evaluate(
            f"[...{right}.querySelectorAll('math')].map(e => e.getBoundingClientRect().bottom)"
        )
        counts.append(len({round(top) for top in tops}))
    assert 1 < counts[0] < counts[1]


def test_the_font_of_formulas_is_the_page_s_own(
    tab: browser.Browser, written: Path, tmp_path: Path
) -> None:
    tab.open(written, width=1200)
    assert tab.fonts("math, math *") == {"Derivation Math": True}
    without = tmp_path / "without.html"
    without.write_text(re.sub(r"@font-face \{.*?\}", "", PAGE, flags=re.DOTALL), encoding="utf-8")
    tab.open(without, width=1200)
    assert True not in tab.fonts("math, math *").values()


def test_the_page_says_nothing_and_asks_for_nothing(tab: browser.Browser, written: Path) -> None:
    tab.open(written, width=1200)
    assert tab.complaints() == []
    assert tab.requests() == [written.resolve().as_uri()]


def test_scripts_and_requests_are_stopped_by_the_policy(
    tab: browser.Browser, tmp_path: Path
) -> None:
    planted = "<script>document.title = 'changed'</script><img src='https://example.invalid/x'/>"
    path = tmp_path / "planted.html"
    path.write_text(PAGE.replace("</main>", f"{planted}</main>"), encoding="utf-8")
    tab.open(path, width=1200)
    assert tab.evaluate("document.title") == page.document().title
    assert len(tab.complaints()) >= 2


def test_light_is_light_and_dark_is_dark(tab: browser.Browser, written: Path) -> None:
    for dark in (False, True):
        tab.open(written, width=1200, dark=dark)
        behind, text = tab.evaluate(COLOURS)
        assert (max(behind) < 50) == dark
        assert (min(text) > 200) == dark
        assert (min(behind) > 200) == (not dark)


def test_the_display_that_a_link_leads_to_is_marked(tab: browser.Browser, written: Path) -> None:
    tab.open(written, width=1200)
    background = "getComputedStyle(document.getElementById('loss')).backgroundColor"
    plain = tab.evaluate(background)
    tab.evaluate("document.querySelector('a[href=\"#loss\"]').click()")
    assert tab.evaluate("location.hash") == "#loss"
    assert tab.evaluate(background) != plain


def test_lines_of_code_are_numbered_and_one_below_the_other(
    tab: browser.Browser, written: Path
) -> None:
    tab.open(written, width=1200)
    tops = tab.evaluate("""[...document.querySelectorAll('pre > span')].map(e =>
        e.getBoundingClientRect().top)""")
    steps = {round(after - before) for before, after in pairwise(tops)}
    assert len(tops) == page.SOURCE.count("\n")
    assert len(steps) == 1


def test_a_long_network_scrolls_in_a_box_of_its_own(tab: browser.Browser, tmp_path: Path) -> None:
    path = tmp_path / "long.html"
    path.write_text(html(page.document(layers=100)), encoding="utf-8")
    tab.open(path, width=1200)
    assert tab.evaluate(TOO_WIDE) <= 0
    box = "document.querySelector('.diagram')"
    assert tab.evaluate(f"{box}.clientHeight") < 800 < tab.evaluate(f"{box}.scrollHeight")
    tab.open(path, width=375)
    assert tab.evaluate(TOO_WIDE) <= 0


def test_the_page_prints_on_white(tab: browser.Browser, written: Path, tmp_path: Path) -> None:
    tab.open(written, width=1200, dark=True)
    paper = tmp_path / "page.pdf"
    tab.print(paper)
    behind, _ = tab.evaluate(COLOURS)
    assert behind[:3] == [255, 255, 255]
    assert paper.read_bytes().startswith(b"%PDF-")
