"""The network's graph as SVG: boxes from left to right, in as many bands as it takes.

Labels are MathML in ``<foreignObject>``; colours and fonts come from the page's style sheet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from symbackprop.render.document import Arrow, Diagram, Node
from symbackprop.render.mathml import mathml
from symbackprop.render.typeset import Math

# In pixels: a box, the gap to the next one, lanes within a band, and bands.
_WIDTH, _HEIGHT = 104, 66
_GAP = 90
_LANE = 128
_GUTTER = 58
_COLUMNS = 4
_MARGIN = 26
_LABEL_HEIGHT = 46
_APART = 7  # of the two arrows from the line between the boxes
_ARCH = 24  # of an arrow that passes over boxes


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: counted in columns and lanes."""

    column: int
    lane: int

    @property
    def band(self) -> int:
        return self.column // _COLUMNS


@dataclass(frozen=True, slots=True)
class _Plan:
    """Places of all nodes, and how many lanes each band has above it."""

    places: tuple[_Place, ...]
    tops: tuple[int, ...]

    def left(self, node: int) -> int:
        return _MARGIN + self.places[node].column % _COLUMNS * (_WIDTH + _GAP)

    def middle(self, node: int) -> int:
        place = self.places[node]
        return self.tops[place.band] + place.lane * _LANE + _LABEL_HEIGHT + _HEIGHT // 2


def svg(diagram: Diagram) -> Markup:
    """Return the diagram as one ``<svg>`` element, for a page that brings the style sheet."""
    plan = _plan(diagram)
    columns = min(_COLUMNS, 1 + max((place.column for place in plan.places), default=0))
    width = 2 * _MARGIN + columns * (_WIDTH + _GAP) - _GAP
    arrows = Markup("").join(_arrow(arrow, plan) for arrow in diagram.arrows)
    nodes = Markup("").join(
        _node(node, plan.left(place), plan.middle(place))
        for place, node in enumerate(diagram.nodes)
    )
    pattern = (
        '<svg role="group" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">{}{}{}</svg>'
    )
    height = plan.tops[-1]
    return Markup(pattern).format(
        diagram.description, width, height, width, height, _HEADS, arrows, nodes
    )


_HEADS = Markup(
    "<defs>"
    + "".join(
        f'<marker id="Head_{kind}" class="head {kind}" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L8 4L0 8Z"/></marker>'
        for kind in ("forward", "backward")
    )
    + "</defs>"
)


def _plan(diagram: Diagram) -> _Plan:
    columns = _columns(diagram)
    lanes = _lanes(diagram, columns)
    places = tuple(map(_Place, columns, lanes))
    bands = 1 + max((place.band for place in places), default=0)
    tops = [0]
    for band in range(bands):
        count = 1 + max((place.lane for place in places if place.band == band), default=0)
        tops.append(tops[-1] + count * _LANE + _GUTTER)
    # The last band needs no gutter beneath it.
    tops[-1] -= _GUTTER - _MARGIN
    return _Plan(places, tuple(tops))


def _columns(diagram: Diagram) -> list[int]:
    """Return each node's distance from the start; what nothing leads to stands by its reader."""
    columns = [0] * len(diagram.nodes)
    for arrow in sorted(diagram.arrows, key=lambda arrow: arrow.source):
        columns[arrow.target] = max(columns[arrow.target], columns[arrow.source] + 1)
    reached = {arrow.target for arrow in diagram.arrows}
    for node in range(len(columns)):
        readers = [columns[arrow.target] for arrow in diagram.arrows if arrow.source == node]
        if node not in reached and readers:
            columns[node] = min(readers) - 1
    return columns


def _lanes(diagram: Diagram, columns: list[int]) -> list[int]:
    """Return lanes: a node keeps that of the first node it reads, where that is free."""
    reads: dict[int, int] = {}
    for arrow in diagram.arrows:
        reads.setdefault(arrow.target, arrow.source)
    lanes = [0] * len(columns)
    taken: set[tuple[int, int]] = set()
    # What the chain begins with comes first, then the chain, then what joins it later.
    order = sorted(range(len(columns)), key=lambda node: columns[node] > 0 and node not in reads)
    for node in order:
        lane = lanes[reads[node]] if node in reads else 0
        while (columns[node], lane) in taken:
            lane += 1
        lanes[node] = lane
        taken.add((columns[node], lane))
    return lanes


def _node(node: Node, left: int, middle: int) -> Markup:
    top = middle - _HEIGHT // 2
    symbol = Markup("{}<span>{}</span>").format(mathml(node.symbol, display=False), node.label)
    forward = Markup('<div class="value">{}</div>').format(_linked(symbol, node.forward))
    backward = _linked("gradient", node.backward) if node.backward else Markup("")
    pattern = (
        '<rect class="box" x="{0}" y="{1}" width="{2}" height="{3}" rx="6"/>'
        '<foreignObject x="{0}" y="{1}" width="{2}" height="{3}">'
        '<div class="node" title="{4}">{5}{6}</div></foreignObject>'
    )
    return Markup(pattern).format(left, top, _WIDTH, _HEIGHT, node.label, forward, backward)


def _linked(content: str | Markup, anchor: str) -> Markup:
    if not anchor:
        return Markup("{}").format(content)
    return Markup('<a href="#{}">{}</a>').format(anchor, content)


def _arrow(arrow: Arrow, plan: _Plan) -> Markup:
    there = _points(arrow, plan, -_APART)
    drawn = [
        _line(there, "forward"),
        _label(arrow.forward, arrow.forward_anchor, there, above=True),
    ]
    if arrow.backward is not None:
        back = _points(arrow, plan, _APART)
        drawn.append(_line(list(reversed(back)), "backward"))
        drawn.append(_label(arrow.backward, arrow.backward_anchor, back, above=False))
    return Markup("").join(drawn)


def _points(arrow: Arrow, plan: _Plan, shift: int) -> list[tuple[int, int]]:
    """Return the corners of an arrow's line, ``shift`` below the line between the boxes."""
    start, end = plan.places[arrow.source], plan.places[arrow.target]
    x0, y0 = plan.left(arrow.source) + _WIDTH, plan.middle(arrow.source) + shift
    x1, y1 = plan.left(arrow.target), plan.middle(arrow.target) + shift
    if start.band != end.band:
        gutter = plan.tops[start.band + 1] - _GUTTER // 2 + shift
        out, into = x0 + _MARGIN // 2 - shift, x1 - _MARGIN // 2 - shift
        return [(x0, y0), (out, y0), (out, gutter), (into, gutter), (into, y1), (x1, y1)]
    if end.column > start.column + 1 and start.lane == end.lane:
        top = y0 - _HEIGHT // 2 - _ARCH
        out, into = x0 + _GAP // 4 + shift, x1 - _GAP // 4 - shift
        return [(x0, y0), (out, top), (into, top), (x1, y1)]
    return [(x0, y0), (x1, y1)]


def _line(points: Iterable[tuple[int, int]], kind: str) -> Markup:
    corners = " ".join(f"{x},{y}" for x, y in points)
    pattern = '<polyline class="{0}" points="{1}" marker-end="url(#Head_{0})"/>'
    return Markup(pattern).format(kind, corners)


def _label(math: Math, anchor: str, points: list[tuple[int, int]], *, above: bool) -> Markup:
    """Return a label in the middle of a line, on its outer side."""
    half = len(points) // 2
    (x0, y0), (x1, y1) = points[half - 1], points[half]
    x, y = (x0 + x1 - _GAP) // 2, (y0 + y1) // 2
    kind = "forward" if above else "backward"
    pattern = (
        '<foreignObject x="{}" y="{}" width="{}" height="{}">'
        '<div class="label {}">{}</div></foreignObject>'
    )
    top = y - _LABEL_HEIGHT if above else y
    content = _linked(mathml(math, display=False), anchor)
    return Markup(pattern).format(x, top, _GAP, _LABEL_HEIGHT, kind, content)
