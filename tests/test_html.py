"""Pages: what they hold, that nothing escapes from text, and what Chromium makes of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import page
import pytest

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
from symbackprop.render.typeset import Numeral, Operator, Symbol, Words

ROOT = Path(__file__).resolve().parent.parent
PAGE = html(page.document())


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
    code = [lines for display in page.document().displays() for lines in display.code]
    first = {number: f"L{number}" for number in sorted({lines.first for lines in code})}
    ids = {n: line.attrib["id"] for n, line in enumerate(lines, 1) if "id" in line.attrib}
    assert ids == first


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
