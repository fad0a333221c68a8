"""Pages as Chromium lays them out: boxes, fonts, colours, and what it complains of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import browser
import page
import pytest

from symbackprop import api
from symbackprop.calculus.passes import derive_network
from symbackprop.emit import generate
from symbackprop.render.document import Document
from symbackprop.render.html import html
from symbackprop.render.outline import outline

PAGE = html(page.document())
KILOBYTES = 200

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
        [...lines.querySelectorAll(':scope > b')].map(e => e.getBoundingClientRect().left))"""):
        assert len(set(cells)) == 1
        several += len(cells) > 1
    assert several


def test_long_sums_break_and_do_not_scroll(tab: browser.Browser, written: Path) -> None:
    counts = []
    for width in (1200, 375):
        tab.open(written, width=width)
        right = "document.querySelector('#long-sum .lines > p')"
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
