"""Reads that move along an axis, as views of one array, and their adjoints as sums into it.

    s*i + d*k + c         windows: a view of the array, with a halo where they leave it
    s*i + k, 0 <= k < s   parts of the axis, where they cover it exactly: one axis seen as two
    k // s, k % s         axes seen as one: the digits of its index
    k // s                every place s times

The adjoint of a view adds into the windows of an array of zeros, whose inside is the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cmp_to_key

from symbackprop.equations import (
    Access,
    Extent,
    Fill,
    Index,
    IndexExpression,
    Quotient,
    Remainder,
    Role,
    extent_expression,
    indices_of,
)
from symbackprop.lowering.spans import (
    Span,
    Spans,
    covers,
    digits_of,
    is_whole,
    margins_of,
    ordered,
    refused,
    span_of,
    with_digits,
)
from symbackprop.lowering.values import Dimension, Label, Labelled, ValueGraph
from symbackprop.scalar import ZERO
from symbackprop.sizes import Whole, is_certain
from symbackprop.sizing import whole

Moved = Mapping[int, IndexExpression]  # by the position of an axis


def read_moved(graph: ValueGraph, base: Labelled, place: Access, moved: Moved) -> Labelled:
    """Return what ``place`` reads of base, whose moved axes are labelled by position."""
    _check_apart(place, base.labels, moved)
    digits, spans, repeated = _sorted(place, moved)
    for index, positions in digits.items():
        whole = (index, Dimension(index.extent, index.role))
        base = _merged(graph, base, [(positions, whole)])
    for position, index in repeated.items():
        base = _repeated(graph, base, place, position, index)
    if all(covers(place, p, *span) for p, span in spans.items()):
        parts = {p: ordered(indices, span.steps) for p, (indices, span) in spans.items()}
        return _split(graph, base, parts) if parts else base
    return _windows(graph, base, place, spans)


def write_moved(graph: ValueGraph, value: Labelled, place: Access, moved: Moved) -> Labelled:
    """Return the array that ``place`` adds the value into, moved axes labelled by position.

    Indices of the moved axes are still labels of the value, all others are positions.
    """
    _check_apart(place, value.labels, {})
    digits, spans, repeated = _sorted(place, moved)
    value = _with_indices(graph, value, [i for item in moved.values() for i in indices_of(item)])
    if not value.labels:
        return _at_one_place(graph, value, place, moved)
    for index, positions in digits.items():
        axes = [(p, place.variable.axes[p]) for p in positions]
        value = _parted(graph, value, index, [(p, Dimension(a.extent, a.role)) for p, a in axes])
    for position, index in repeated.items():
        value = _gathered(graph, value, place, position, index)
    if not all(covers(place, p, *span) for p, span in spans.items()):
        return _added(graph, value, place, spans)
    groups: list[tuple[Sequence[Label], tuple[Label, Dimension]]] = []
    for position, (indices, span) in spans.items():
        axis = place.variable.axes[position]
        whole = (position, Dimension(axis.extent, axis.role))
        groups.append((ordered(indices, span.steps), whole))
    return _merged(graph, value, groups) if groups else value


def _sorted(place: Access, moved: Moved) -> tuple[dict[Index, list[int]], Spans, dict[int, Index]]:
    """Split moved axes into the digits of one index, affine ones, and k // s alone."""
    read: dict[Index, list[int]] = {}
    spans: Spans = {}
    for position, item in moved.items():
        if isinstance(item, Quotient | Remainder):
            read.setdefault(_digit(place, item)[0], []).append(position)
        else:
            spans[position] = span_of(place, position, item)
    digits: dict[Index, list[int]] = {}
    repeated: dict[int, Index] = {}
    for index, positions in read.items():
        item = moved[positions[0]]
        if len(positions) > 1:
            digits[index] = _in_order(place, index, positions)
        elif isinstance(item, Quotient) and isinstance(item.dividend, Index):
            repeated[positions[0]] = index
        else:
            raise refused(place, "a remainder alone")
    return digits, spans, repeated


def _digit(place: Access, item: IndexExpression) -> tuple[Index, Extent, Extent | None]:
    """Return (k, s, t) of k // s % t, t None where no remainder is taken."""
    base = item.divisor if isinstance(item, Remainder) else None
    inner = item.dividend if isinstance(item, Remainder) else item
    step = inner.divisor if isinstance(inner, Quotient) else 1
    index = inner.dividend if isinstance(inner, Quotient) else inner
    if not isinstance(index, Index):
        raise refused(place, "a quotient of a sum of indices")
    return index, step, base


def _in_order(place: Access, index: Index, positions: Sequence[int]) -> list[int]:
    """Return the axes by the digit that each is, the highest first."""
    digits = {p: _digit(place, place.indices[p]) for p in positions}
    extents = {p: place.variable.axes[p].extent for p in positions}

    def compared(p: int, q: int) -> int:
        return _higher((digits[p][1], extents[p]), (digits[q][1], extents[q]))

    places = sorted(positions, key=cmp_to_key(compared))
    rest = whole(index.extent)
    for position in places:
        _, step, base = digits[position]
        extent = whole(extents[position])
        if rest != whole(step) * extent or base not in (None, extent):
            raise refused(place, "quotients and remainders that are not the digits of an index")
        rest = whole(step)
    if rest != 1:
        raise refused(place, "digits that leave some out")
    return places


def _higher(one: tuple[Extent, Extent], other: tuple[Extent, Extent]) -> int:
    """Compare digits by their step; one of a single place is the lower of two with one step."""
    step, next_step = whole(one[0]), whole(other[0])
    if step == next_step:
        return (one[1] == 1) - (other[1] == 1)
    return -1 if is_certain(lambda: step >= next_step) else 1


def _check_apart(place: Access, labels: Sequence[Label], moved: Moved) -> None:
    """Refuse an index that moves along two axes, unless they are its digits."""
    seen: list[Label] = [
        *labels,
        *{i for e in moved.values() if _has_digit(e) for i in indices_of(e)},
    ]
    seen += [i for e in moved.values() if not _has_digit(e) for i in indices_of(e)]
    if len(set(seen)) < len(seen):
        raise refused(place, "a diagonal")


def _has_digit(item: IndexExpression) -> bool:
    return isinstance(item, Quotient | Remainder)


def _split(graph: ValueGraph, base: Labelled, parts: Mapping[int, Sequence[Index]]) -> Labelled:
    """See each of these axes as several."""
    attribute = tuple((base.labels.index(p), len(indices)) for p, indices in parts.items())
    extra = [(i, Dimension(i.extent, r)) for own in parts.values() for i, r in _roles(own)]
    return graph.node("split", [base], list(parts), attribute, extra)


def _roles(parts: Sequence[Index]) -> list[tuple[Index, Role]]:
    """Return what parts of an axis stand for: beside one of space, others run within windows."""
    space = any(index.role is Role.SPACE for index in parts)
    inner = Role.KERNEL if space else Role.FEATURE
    return [(i, inner if i.role in (Role.FEATURE, Role.KERNEL) else i.role) for i in parts]


def _parted(
    graph: ValueGraph, value: Labelled, index: Index, parts: Sequence[tuple[Label, Dimension]]
) -> Labelled:
    attribute = ((value.labels.index(index), len(parts)),)
    return graph.node("split", [value], [index], attribute, parts)


def _merged(
    graph: ValueGraph,
    value: Labelled,
    groups: Sequence[tuple[Sequence[Label], tuple[Label, Dimension]]],
) -> Labelled:
    """See the axes of each group as one, the last of them running fastest."""
    axes = tuple(tuple(value.labels.index(label) for label in labels) for labels, _ in groups)
    gone = [label for labels, _ in groups for label in labels]
    return graph.node("join", [value], gone, axes, [whole for _, whole in groups])


def _repeated(
    graph: ValueGraph, base: Labelled, place: Access, position: int, index: Index
) -> Labelled:
    """Read every place of an axis several times over."""
    times, extent = _times(place, position, index)
    axis, exact = base.labels.index(position), times * extent == index.extent
    label: Label = index if exact else ("whole", position)
    whole = (label, Dimension(times * extent, index.role))
    repeated = graph.node("repeat", [base], [position], ((axis, times),), [whole])
    if exact:
        return repeated
    axis, kept = repeated.labels.index(label), (index, Dimension(index.extent, index.role))
    return graph.node("slice", [repeated], [label], (axis, 0, index.extent), [kept])


def _gathered(
    graph: ValueGraph, value: Labelled, place: Access, position: int, index: Index
) -> Labelled:
    """Sum what goes to the same place of an axis."""
    times, extent = _times(place, position, index)
    missing = times * extent - whole(index.extent)
    if missing != 0:
        value = _haloed(graph, value, {index: (0, missing)}, "zero")
    axis = place.variable.axes[position]
    part: Label = ("part", position)
    sizes = [(position, Dimension(extent, axis.role)), (part, Dimension(times, axis.role))]
    return graph.node("total", [_parted(graph, value, index, sizes)], [part])


def _times(place: Access, position: int, index: Index) -> tuple[Whole, Whole]:
    item = place.indices[position]
    assert isinstance(item, Quotient)
    sizes = (item.divisor, place.variable.axes[position].extent, index.extent)
    times, extent, count = map(whole, sizes)
    if not (extent - 1) * times < count <= extent * times:
        raise refused(place, "a quotient that does not reach the whole axis")
    return times, extent


def _haloed(
    graph: ValueGraph, base: Labelled, margins: Mapping[Label, tuple[Whole, Whole]], fill: Fill
) -> Labelled:
    """Return base with room before and after some axes, filled with a number."""
    axes = {label: base.labels.index(label) for label in margins}
    extra = []
    for label, axis in axes.items():
        before, after = margins[label]
        old = base.value.axes[axis]
        extra.append((("halo", label), Dimension(before + whole(old.extent) + after, old.role)))
    attribute = (fill, tuple((axes[label], *margins[label]) for label in margins))
    node = graph.node("halo", [base], list(margins), attribute, extra)
    return node.relabel({("halo", label): label for label in margins})


def _windows(graph: ValueGraph, base: Labelled, place: Access, spans: Spans) -> Labelled:
    spans = with_digits(spans)
    margins = margins_of(place, spans)
    leaving: dict[Label, tuple[Whole, Whole]] = {p: m for p, m in margins.items() if any(m)}
    if leaving:
        assert place.fill is not None
        base = _haloed(graph, base, leaving, place.fill)
    attribute = tuple(
        span._replace(axis=base.labels.index(p), start=span.start + margins[p][0])
        for p, (_, span) in spans.items()
    )
    extra: list[tuple[Label, Dimension]] = []
    parts: dict[int, Sequence[Index]] = {}
    for p, (indices, span) in spans.items():
        places = digits_of(indices, span)
        if len(places) > 1:
            parts[p] = places
        for k, count in enumerate(span.counts):
            index = indices[len(places) - 1 + k]
            label: Label = ("whole", p) if p in parts and not k else index
            extra.append((label, Dimension(count, Role.KERNEL if k else places[0].role)))
    result = graph.node("window", [base], list(spans), attribute, extra)
    names: dict[Label, Label] = {("whole", p): p for p in parts}
    return _split(graph, result.relabel(names), parts) if parts else result


def _added(graph: ValueGraph, value: Labelled, place: Access, spans: Spans) -> Labelled:
    """Add the value into the windows of zeros, and cut off what lies outside."""
    spans = with_digits(spans)
    margins = margins_of(place, spans)
    shifted = {p: i[0] for p, (i, span) in spans.items() if is_whole(place, p, span, margins[p])}
    if len(shifted) == len(spans):
        names: dict[Label, Label] = {index: p for p, index in shifted.items()}
        cuts = {p: before for p, (before, after) in margins.items() if before or after}
        value = value.relabel(names)
        return _inside(graph, value, place, cuts) if cuts else value
    gone = [index for indices, _ in spans.values() for index in indices]
    first = len(value.labels) - len(gone)
    attribute = tuple(
        (
            span._replace(axis=first + k, start=span.start + margins[p][0]),
            tuple(value.labels.index(index) for index in indices),
        )
        for k, (p, (indices, span)) in enumerate(spans.items())
    )
    extra: list[tuple[Label, Dimension]] = []
    for p, (before, after) in margins.items():
        axis = place.variable.axes[p]
        extra.append((p, Dimension(before + whole(axis.extent) + after, axis.role)))
    result = graph.node("unwindow", [value], gone, attribute, extra)
    cuts = {p: before for p, (before, after) in margins.items() if before or after}
    return _inside(graph, result, place, cuts) if cuts else result


def _at_one_place(graph: ValueGraph, value: Labelled, place: Access, moved: Moved) -> Labelled:
    """Return the number where the moved axes are at the given places, 0 everywhere else."""
    for position, item in moved.items():
        axis = place.variable.axes[position]
        _, span = span_of(place, position, item)
        own = graph.node("range", [], extra=[(position, Dimension(axis.extent, axis.role))])
        there = graph.map("equal", own, graph.leaf("literal", extent_expression(span.start)))
        value = graph.map("where", there, value, graph.leaf("literal", ZERO))
    return value


def _inside(
    graph: ValueGraph, base: Labelled, place: Access, cuts: Mapping[int, Whole]
) -> Labelled:
    """Return what lies within a halo."""
    spans, extra = [], []
    for p, start in cuts.items():
        axis = place.variable.axes[p]
        spans.append(Span(base.labels.index(p), start, (1,), (whole(axis.extent),)))
        extra.append((("inside", p), Dimension(axis.extent, axis.role)))
    node = graph.node("window", [base], list(cuts), tuple(spans), extra)
    return node.relabel({("inside", p): p for p in cuts})


def _with_indices(graph: ValueGraph, value: Labelled, indices: Sequence[Index]) -> Labelled:
    """Return the value with an axis for each of the indices."""
    missing = [i for i in dict.fromkeys(indices) if i not in value.labels]
    if not missing:
        return value
    extra = [(index, Dimension(index.extent, index.role)) for index in missing]
    return graph.node("broadcast", [value], extra=extra)
