"""The network's graph as SVG: boxes from left to right, in as many bands as it takes.

Labels are MathML in ``<foreignObject>``; colours and fonts come from the page's style sheet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from symbackprop.render.document import Arrow, Diagram, Node
from symbackprop.render.mathml import mathml
from symbackprop.render.measure import width
from symbackprop.render.typeset import Math

# In pixels: a box, the gap to the next one, lanes of a band, and the gutter under each band.
_WIDTH, _HEIGHT = 86, 72
_LEAST_GAP = 56
_LANE = 136
_GUTTER = 40
_TRACK = 34  # of an arrow that crosses a gutter
_PAGE = 760
_EM = 12.5  # of a label, whose measured width is rather too wide
_MARGIN = 26
_ABOVE = 34  # of the first lane
_LABEL_WIDTH, _LABEL_HEIGHT = 150, 46  # at most
_APART = 7  # of the two arrows from the line between the boxes
_ARCH = 24  # of an arrow that passes over boxes


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: its band, its column and lane within the band."""

    band: int
    column: int
    lane: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where everything goes.

    Attributes:
        places: of the nodes.
        tracks: by arrow, the first of the gutter counted 0; None where it crosses none.
        tops: of the bands, and the bottom of the last.
        gap: between columns.
    """

    places: tuple[_Place, ...]
    tracks: tuple[int | None, ...]
    tops: tuple[int, ...]
    gap: int

    def left(self, node: int) -> int:
        return _MARGIN + self.places[node].column * (_WIDTH + self.gap)

    def middle(self, node: int) -> int:
        place = self.places[node]
        return self.tops[place.band] + place.lane * _LANE + _ABOVE + _HEIGHT // 2


def svg(diagram: Diagram) -> Markup:
    """Return the diagram as one ``<svg>`` element, for a page that brings the style sheet."""
    plan = _plan(diagram)
    columns = 1 + max((place.column for place in plan.places), default=0)
    across = 2 * _MARGIN + columns * (_WIDTH + plan.gap) - plan.gap
    arrows = Markup("").join(
        _arrow(arrow, track, plan) for arrow, track in zip(diagram.arrows, plan.tracks, strict=True)
    )
    nodes = Markup("").join(
        _node(node, plan.left(place), plan.middle(place))
        for place, node in enumerate(diagram.nodes)
    )
    pattern = (
        '<svg role="group" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">{}{}{}</svg>'
    )
    down = plan.tops[-1]
    return Markup(pattern).format(
        diagram.description, across, down, across, down, _HEADS, arrows, nodes
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
    count = 1 + max(columns, default=0)
    gap = _gap(diagram)
    bands = -(-count // ((_PAGE - 2 * _MARGIN + gap) // (_WIDTH + gap)))
    per_band = -(-count // bands)
    places = tuple(
        _Place(column // per_band, column % per_band, lane)
        for column, lane in zip(columns, lanes, strict=True)
    )
    crossings = [0] * bands
    tracks: list[int | None] = []
    for arrow in diagram.arrows:
        start, end = places[arrow.source].band, places[arrow.target].band
        tracks.append(None if start == end else crossings[start])
        crossings[start] += start != end
    tops = [0]
    for band, crossed in enumerate(crossings):
        height = 1 + max((place.lane for place in places if place.band == band), default=0)
        tops.append(tops[-1] + height * _LANE + (_GUTTER + crossed * _TRACK if crossed else 0))
    return _Plan(places, tuple(tracks), tuple(tops), gap)


def _gap(diagram: Diagram) -> int:
    labels = [label for arrow in diagram.arrows for label in (arrow.forward, arrow.backward)]
    widest = max((width(label, False) for label in labels if label is not None), default=0)
    return min(max(_LEAST_GAP, int(widest * _EM) + 8), _LABEL_WIDTH)


def _columns(diagram: Diagram) -> list[int]:
    """Return each node's distance from the start; what nothing leads to stands by its reader."""
    columns = [0] * len(diagram.nodes)
    readers: list[list[int]] = [[] for _ in diagram.nodes]
    for arrow in sorted(diagram.arrows, key=lambda arrow: arrow.source):
        columns[arrow.target] = max(columns[arrow.target], columns[arrow.source] + 1)
        readers[arrow.source].append(arrow.target)
    reached = {arrow.target for arrow in diagram.arrows}
    for node, after in enumerate(readers):
        if node not in reached and after:
            columns[node] = min(columns[reader] for reader in after) - 1
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


def _arrow(arrow: Arrow, track: int | None, plan: _Plan) -> Markup:
    there = _points(arrow, track, plan, -_APART)
    label = _label(arrow.forward, arrow.forward_anchor, there, above=True)
    drawn = [_line(there, "forward"), label]
    if arrow.backward is not None:
        back = _points(arrow, track, plan, _APART)
        drawn.append(_line(list(reversed(back)), "backward"))
        drawn.append(_label(arrow.backward, arrow.backward_anchor, back, above=False))
    return Markup("").join(drawn)


def _points(arrow: Arrow, track: int | None, plan: _Plan, shift: int) -> list[tuple[int, int]]:
    """Return the corners of an arrow's line, ``shift`` below the line between the boxes."""
    start, end = plan.places[arrow.source], plan.places[arrow.target]
    x0, y0 = plan.left(arrow.source) + _WIDTH, plan.middle(arrow.source) + shift
    x1, y1 = plan.left(arrow.target), plan.middle(arrow.target) + shift
    if track is not None:
        y = plan.tops[start.band + 1] - _GUTTER // 2 - track * _TRACK + shift
        out, into = x0 + (_MARGIN - shift) // 2, x1 - (_MARGIN + shift) // 2
        return [(x0, y0), (out, y0), (out, y), (into, y), (into, y1), (x1, y1)]
    if start.lane > end.lane:  # from below, so as not to cross what comes from the left
        entry = x1 + _WIDTH // 2 + shift
        return [(x0, y0), (entry, y0), (entry, plan.middle(arrow.target) + _HEIGHT // 2)]
    if start.lane < end.lane:
        entry = x1 - plan.gap // 2 + shift
        return [(x0, y0), (entry, y0), (entry, y1), (x1, y1)]
    if end.column > start.column + 1:
        y = y0 - _HEIGHT // 2 - _ARCH
        out, into = x0 + plan.gap // 4 + shift, x1 - plan.gap // 4 - shift
        return [(x0, y0), (out, y), (into, y), (x1, y1)]
    return [(x0, y0), (x1, y1)]


def _line(points: Iterable[tuple[int, int]], kind: str) -> Markup:
    corners = " ".join(f"{x},{y}" for x, y in points)
    pattern = '<polyline class="{0}" points="{1}" marker-end="url(#Head_{0})"/>'
    return Markup(pattern).format(kind, corners)


def _label(math: Math, anchor: str, points: list[tuple[int, int]], *, above: bool) -> Markup:
    """Return a label in the middle of the longest level part of a line, on its outer side."""
    level = [(x1 - x0, x0, y) for (x0, y), (x1, end) in pairwise(points) if y == end]
    length, x, y = max(level, key=lambda part: abs(part[0]))
    x += (length - _LABEL_WIDTH) // 2
    kind = "forward" if above else "backward"
    pattern = (
        '<foreignObject x="{}" y="{}" width="{}" height="{}">'
        '<div class="label {}">{}</div></foreignObject>'
    )
    top = y - _LABEL_HEIGHT if above else y
    content = _linked(mathml(math, display=False), anchor)
    return Markup(pattern).format(x, top, _LABEL_WIDTH, _LABEL_HEIGHT, kind, content)
