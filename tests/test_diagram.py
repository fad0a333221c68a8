"""The network's graph as SVG: where boxes and arrows go."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import page
import pytest

from symbackprop.render.diagram import svg
from symbackprop.render.document import Arrow, Diagram, Node
from symbackprop.render.typeset import Symbol

Box = tuple[float, float, float, float]  # left, top, right, bottom


def parsed(diagram: Diagram) -> ElementTree.Element:
    return ElementTree.fromstring(svg(diagram))


def boxes(root: ElementTree.Element) -> list[Box]:
    found = []
    for box in root.iter("rect"):
        x, y, width, height = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height))
    return found


def lines(root: ElementTree.Element, kind: str) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+),([-\d.]+)", line.attrib["points"])]
        for line in root.iter("polyline")
        if line.attrib["class"] == kind
    ]


def overlap(one: Box, other: Box) -> bool:
    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    return not apart


def touches(point: tuple[float, float], box: Box) -> bool:
    (x, y), (left, top, right, bottom) = point, box
    on_side = x in (left, right) and top <= y <= bottom
    return on_side or (y in (top, bottom) and left <= x <= right)


def graph(count: int, *pairs: tuple[int, int]) -> Diagram:
    nodes = tuple(Node(Symbol("a"), f"layer {place}", "", "") for place in range(count))
    arrows = tuple(Arrow(start, end, Symbol("a"), Symbol("d")) for start, end in pairs)
    return Diagram(nodes, arrows, "a network")


def chain(count: int) -> tuple[tuple[int, int], ...]:
    return tuple((place, place + 1) for place in range(count - 1))


GRAPHS = {
    "one": graph(1),
    "empty": graph(0),
    "tutorial": page.chain(3),
    "residual": graph(6, *chain(6), (1, 4)),
    "branches": graph(6, (0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4), (4, 5)),
    "two inputs": graph(5, (0, 2), (1, 2), (2, 3), (3, 4)),
    "long": page.chain(12),
    "hundred": page.chain(100),
    "skip over bands": graph(14, *chain(14), (2, 12)),
}
WIDEST = 760


@pytest.mark.parametrize("diagram", GRAPHS.values(), ids=GRAPHS)
def test_boxes_are_apart_and_within_the_picture(diagram: Diagram) -> None:
    root = parsed(diagram)
    found = boxes(root)
    assert len(found) == len(diagram.nodes)
    assert not any(overlap(*pair) for pair in combinations(found, 2))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert width <= WIDEST
    points = [
        point for kind in ("forward", "backward") for line in lines(root, kind) for point in line
    ]
    points += [corner for box in found for corner in (box[:2], box[2:])]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


@pytest.mark.parametrize("diagram", GRAPHS.values(), ids=GRAPHS)
def test_arrows_join_their_boxes_there_and_back(diagram: Diagram) -> None:
    root = parsed(diagram)
    found = boxes(root)
    forward, backward = lines(root, "forward"), lines(root, "backward")
    assert len(forward) == len(diagram.arrows)
    for arrow, line in zip(diagram.arrows, forward, strict=True):
        assert touches(line[0], found[arrow.source])
        assert touches(line[-1], found[arrow.target])
    learned = [arrow for arrow in diagram.arrows if arrow.backward is not None]
    for arrow, line in zip(learned, backward, strict=True):
        assert touches(line[0], found[arrow.target])
        assert touches(line[-1], found[arrow.source])


def test_the_helpers_see_faults() -> None:
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3))
    assert not touches((1, 1), (0, 0, 2, 2))


def test_what_nothing_leads_to_stands_beside_its_reader() -> None:
    x, a1, a2, a3, y, cost = boxes(parsed(page.chain(3)))
    assert y[0] == a3[0]
    assert y[1] > a3[1]
    assert x[1] == a1[1] == a2[1] == a3[1] == cost[1]


def test_labels_and_boxes_lead_to_their_equations() -> None:
    root = parsed(page.chain(3))
    links = [link.attrib["href"] for link in root.iter("a")]
    assert links.count("#layer-2") == 4  # three arrows and a box
    assert links.count("#weights-3") == 1
    assert all(link != "#" for link in links)


def test_hostile_names_stay_text() -> None:
    bad = "\"><script>alert(1)</script>'&"
    diagram = Diagram((Node(Symbol(bad), bad, "", ""),), (), bad)
    root = parsed(diagram)
    assert root.attrib["aria-label"] == bad
    assert not list(root.iter("script"))
    assert bad in "".join(root.itertext())
