"""Reads that move along an axis, as views of one array, and their adjoints as sums into it.

    s*i + d*k + c         windows: a view of the array, with a halo where they leave it
    s*i + k, 0 <= k < s   parts of the axis, where they cover it exactly: one axis seen as two
    k // s, k % s         axes seen as one: the digits of its index
    k // s                every place s times

The adjoint of a view adds into the windows of an array of zeros, whose inside is the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from symbackprop.equations import (
    Access,
    Affine,
    Extent,
    Fill,
    Index,
    IndexExpression,
    Quotient,
    Remainder,
    Role,
    indices_of,
)
from symbackprop.errors import SymbackpropError
from symbackprop.lowering.values import Dimension, Label, Labelled, ValueGraph
from symbackprop.scalar import ZERO, number

Moved = Mapping[int, IndexExpression]  # by the position of an axis


class Span(NamedTuple):
    """One axis of an array, read at ``start`` plus every step times its index.

    Of two indices the first says where a window lies, the second where in it.

    Attributes:
        axis: of the array that is seen through windows.
        counts: how many places each index takes.
    """

    axis: int
    start: int
    steps: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def first(self) -> int:
        """The lowest place that is read."""
        return self.start + sum(min(0, s * (n - 1)) for s, n in self._pairs())

    @property
    def last(self) -> int:
        """The highest place that is read."""
        return self.start + sum(max(0, s * (n - 1)) for s, n in self._pairs())

    def _pairs(self) -> Iterable[tuple[int, int]]:
        return zip(self.steps, self.counts, strict=True)


def refused(place: Access, what: str) -> SymbackpropError:
    """Return the error for an access that cannot be lowered."""
    return SymbackpropError(
        f"{place.variable.name}: generating code for {what} is not possible yet; allowed: bare "
        "indices, s*i + d*k + c with numbers s, d and c, i // s, look-ups"
    )


def read_moved(graph: ValueGraph, base: Labelled, place: Access, moved: Moved) -> Labelled:
    """Return what ``place`` reads of base, whose moved axes are labelled by position."""
    _check_apart(place, base.labels, moved)
    digits, spans, repeated = _sorted(place, moved)
    for index, positions in digits.items():
        whole = (index, Dimension(index.extent, index.role))
        base = _merged(graph, base, [(positions, whole)])
    for position, index in repeated.items():
        base = _repeated(graph, base, place, position, index)
    if all(_covers(place, p, *span) for p, span in spans.items()):
        parts = {p: _ordered(indices, span.steps) for p, (indices, span) in spans.items()}
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
    if not all(_covers(place, p, *span) for p, span in spans.items()):
        return _added(graph, value, place, spans)
    groups: list[tuple[Sequence[Label], tuple[Label, Dimension]]] = []
    for position, (indices, span) in spans.items():
        axis = place.variable.axes[position]
        whole = (position, Dimension(axis.extent, axis.role))
        groups.append((_ordered(indices, span.steps), whole))
    return _merged(graph, value, groups) if groups else value


_Spans = dict[int, tuple[tuple[Index, ...], Span]]


def _sorted(place: Access, moved: Moved) -> tuple[dict[Index, list[int]], _Spans, dict[int, Index]]:
    """Split moved axes into the digits of one index, affine ones, and k // s alone."""
    read: dict[Index, list[int]] = {}
    spans: _Spans = {}
    for position, item in moved.items():
        if isinstance(item, Quotient | Remainder):
            read.setdefault(_digit(place, item)[0], []).append(position)
        else:
            spans[position] = _span(place, position, item)
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
    numbers = [*extents.values(), index.extent, *(step for _, step, _ in digits.values())]
    if not all(isinstance(number, int) for number in numbers):
        raise refused(place, "digits of a size that is a name")
    ordered = sorted(positions, key=lambda p: (-_int(digits[p][1]), -_int(extents[p])))
    rest = _int(index.extent)
    for position in ordered:
        _, step, base = digits[position]
        extent = _int(extents[position])
        if rest != _int(step) * extent or base not in (None, extent):
            raise refused(place, "quotients and remainders that are not the digits of an index")
        rest = _int(step)
    if rest != 1:
        raise refused(place, "digits that leave some out")
    return ordered


def _span(place: Access, position: int, item: IndexExpression) -> tuple[tuple[Index, ...], Span]:
    terms: tuple[tuple[Extent, Index], ...] = ((1, item),) if isinstance(item, Index) else ()
    offset: object = 0
    if isinstance(item, Affine):
        terms, offset = item.terms, item.offset
    elif not isinstance(item, Index):
        raise refused(place, "a remainder alone")
    numbers = [offset, *(c for c, _ in terms), *(i.extent for _, i in terms)]
    numbers.append(place.variable.axes[position].extent)
    if not all(isinstance(number, int) for number in numbers):
        raise refused(place, "windows whose sizes are names")
    if len(terms) > 2:
        raise refused(place, "an index that is a sum of more than two")
    if len(terms) == 2 and _moves_within(*terms[0]) > _moves_within(*terms[1]):
        terms = terms[::-1]
    steps, counts = tuple(_int(c) for c, _ in terms), tuple(_int(i.extent) for _, i in terms)
    return tuple(index for _, index in terms), Span(position, _int(offset), steps, counts)


def _moves_within(step: object, index: Index) -> int:
    """Tell how likely it is that an index runs within a window, not from one to the next."""
    backwards = _int(step) < 0
    return 3 if backwards else {Role.KERNEL: 2, Role.FEATURE: 1}.get(index.role, 0)


def _covers(place: Access, position: int, indices: Sequence[Index], span: Span) -> bool:
    """Whether the places are those of the axis, each once, in the order of the indices' digits."""
    extent = place.variable.axes[position].extent
    if span.start or len(indices) < 2 or prod(span.counts) != extent:
        return False
    digits = sorted(zip(span.steps, span.counts, strict=True), key=lambda d: (-d[0], -d[1]))
    return all(
        step == prod(count for _, count in digits[k + 1 :]) for k, (step, _) in enumerate(digits)
    )


def _ordered(indices: Sequence[Index], steps: Sequence[int]) -> list[Index]:
    """Return the indices by their step, the largest first."""
    pairs = sorted(zip(steps, indices, strict=True), key=lambda p: (-p[0], -_int(p[1].extent)))
    return [index for _, index in pairs]


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
    missing = times * extent - _int(index.extent)
    if missing:
        value = _haloed(graph, value, {index: (0, missing)}, "zero")
    axis = place.variable.axes[position]
    part: Label = ("part", position)
    sizes = [(position, Dimension(extent, axis.role)), (part, Dimension(times, axis.role))]
    return graph.node("total", [_parted(graph, value, index, sizes)], [part])


def _times(place: Access, position: int, index: Index) -> tuple[int, int]:
    item, extent = place.indices[position], place.variable.axes[position].extent
    assert isinstance(item, Quotient)
    if not all(isinstance(number, int) for number in (item.divisor, extent, index.extent)):
        raise refused(place, "a quotient by a size that is a name")
    times, extent, count = _int(item.divisor), _int(extent), _int(index.extent)
    if not (extent - 1) * times < count <= extent * times:
        raise refused(place, "a quotient that does not reach the whole axis")
    return times, extent


def _haloed(
    graph: ValueGraph, base: Labelled, margins: Mapping[Label, tuple[int, int]], fill: Fill
) -> Labelled:
    """Return base with room before and after some axes, filled with a number."""
    axes = {label: base.labels.index(label) for label in margins}
    extra = []
    for label, axis in axes.items():
        before, after = margins[label]
        old = base.value.axes[axis]
        extra.append((("halo", label), Dimension(before + _int(old.extent) + after, old.role)))
    attribute = (fill, tuple((axes[label], *margins[label]) for label in margins))
    node = graph.node("halo", [base], list(margins), attribute, extra)
    return node.relabel({("halo", label): label for label in margins})


def _margin(place: Access, position: int, span: Span) -> tuple[int, int]:
    """Return how far the places go beyond the axis, on either side."""
    extent = _int(place.variable.axes[position].extent)
    return max(0, -span.first), max(0, span.last + 1 - extent)


def _windows(graph: ValueGraph, base: Labelled, place: Access, spans: _Spans) -> Labelled:
    margins = {p: _margin(place, p, span) for p, (_, span) in spans.items()}
    leaving: dict[Label, tuple[int, int]] = {p: m for p, m in margins.items() if any(m)}
    if leaving:
        assert place.fill is not None
        base = _haloed(graph, base, leaving, place.fill)
    attribute = tuple(
        span._replace(axis=base.labels.index(p), start=span.start + margins[p][0])
        for p, (_, span) in spans.items()
    )
    extra = [
        (index, Dimension(index.extent, Role.KERNEL if k else index.role))
        for indices, _ in spans.values()
        for k, index in enumerate(indices)
    ]
    return graph.node("window", [base], list(spans), attribute, extra)


def _added(graph: ValueGraph, value: Labelled, place: Access, spans: _Spans) -> Labelled:
    """Add the value into the windows of zeros, and cut off what lies outside."""
    margins = {p: _margin(place, p, span) for p, (_, span) in spans.items()}
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
        extra.append((p, Dimension(before + _int(axis.extent) + after, axis.role)))
    result = graph.node("unwindow", [value], gone, attribute, extra)
    cuts = {p: before for p, (before, after) in margins.items() if before or after}
    return _inside(graph, result, place, cuts) if cuts else result


def _at_one_place(graph: ValueGraph, value: Labelled, place: Access, moved: Moved) -> Labelled:
    """Return the number where the moved axes are at the given places, 0 everywhere else."""
    for position, item in moved.items():
        axis = place.variable.axes[position]
        _, span = _span(place, position, item)
        own = graph.node("range", [], extra=[(position, Dimension(axis.extent, axis.role))])
        there = graph.map("equal", own, graph.leaf("literal", number(span.start)))
        value = graph.map("where", there, value, graph.leaf("literal", ZERO))
    return value


def _inside(graph: ValueGraph, base: Labelled, place: Access, cuts: Mapping[int, int]) -> Labelled:
    """Return what lies within a halo."""
    spans, extra = [], []
    for p, start in cuts.items():
        axis = place.variable.axes[p]
        spans.append(Span(base.labels.index(p), start, (1,), (_int(axis.extent),)))
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


def _int(number: object) -> int:
    assert isinstance(number, int)
    return number
