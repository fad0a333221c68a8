"""Where an affine index reads an axis: at a start, plus a step times each index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from symbackprop.equations import Access, Affine, Extent, Index, IndexExpression, Role
from symbackprop.errors import SymbackpropError
from symbackprop.sizes import UndecidedError, Whole, at_most, product
from symbackprop.sizing import whole


class Span(NamedTuple):
    """One axis of an array, read at ``start`` plus every step times its index.

    Of two indices the first says where a window lies, the second where in it.

    Attributes:
        axis: of the array that is seen through windows.
        counts: how many places each index takes.
    """

    axis: int
    start: Whole
    steps: tuple[Whole, ...]
    counts: tuple[Whole, ...]

    @property
    def first(self) -> Whole:
        """The lowest place that is read."""
        return sum((s * (n - 1) for s, n in self._pairs() if s < 0), start=self.start)

    @property
    def last(self) -> Whole:
        """The highest place that is read."""
        return sum((s * (n - 1) for s, n in self._pairs() if s > 0), start=self.start)

    @property
    def strides(self) -> tuple[int, ...]:
        """The steps of windows, which are numbers."""
        return tuple(known(step) for step in self.steps)

    def _pairs(self) -> Iterable[tuple[Whole, Whole]]:
        return zip(self.steps, self.counts, strict=True)


# By the position of an axis; of more indices than steps all but the last are digits of one place.
Spans = dict[int, tuple[tuple[Index, ...], Span]]


def refused(place: Access, what: str) -> SymbackpropError:
    """Return the error for an access that cannot be lowered."""
    return SymbackpropError(
        f"{place.variable.name}: generating code for {what} is not possible yet; allowed: bare "
        "indices, s*i + d*k + c with numbers s, d and c, i // s, look-ups"
    )


def span_of(place: Access, position: int, item: IndexExpression) -> tuple[tuple[Index, ...], Span]:
    """Return the indices of an affine expression, and how they run along the axis.

    Raises:
        SymbackpropError: a quotient or a remainder.
    """
    terms: tuple[tuple[Extent, Index], ...] = ((1, item),) if isinstance(item, Index) else ()
    offset: Extent = 0
    if isinstance(item, Affine):
        terms, offset = item.terms, item.offset
    elif not isinstance(item, Index):
        raise refused(place, "a remainder alone")
    if len(terms) > 1:
        terms = tuple(sorted(terms, key=lambda term: _moves_within(*term)))
    steps, counts = (
        tuple(whole(c) for c, _ in terms),
        tuple(whole(i.extent) for _, i in terms),
    )
    return tuple(index for _, index in terms), Span(position, whole(offset), steps, counts)


def _moves_within(step: Extent, index: Index) -> int:
    """Tell how likely it is that an index runs within a window, not from one to the next."""
    backwards = whole(step) < 0
    return 3 if backwards else {Role.KERNEL: 2, Role.FEATURE: 1}.get(index.role, 0)


def with_digits(spans: Spans) -> Spans:
    """See the indices that together say where a window lies as digits of one number.

    In ``2*h + r + u``, r below 2, these are h and r: u is added to the number ``2*h + r``.
    """
    found: Spans = {}
    for position, (indices, span) in spans.items():
        steps, counts = span.steps, span.counts
        if len(indices) == 3 and steps[0] == steps[1] * counts[1]:
            steps, counts = steps[1:], (counts[0] * counts[1], counts[2])
        found[position] = indices, span._replace(steps=steps, counts=counts)
    return found


def digits_of(indices: Sequence[Index], span: Span) -> tuple[Index, ...]:
    """Return the indices that say where a window lies."""
    return tuple(indices[: len(indices) - len(span.steps) + 1])


def covers(place: Access, position: int, indices: Sequence[Index], span: Span) -> bool:
    """Whether the places are those of the axis, each once, in the order of the indices' digits."""
    extent = place.variable.axes[position].extent
    if span.start != 0 or len(indices) < 2 or product(span.counts) != extent:
        return False
    digits = sorted(zip(span.steps, span.counts, strict=True), key=lambda d: (-d[0], d[1] == 1))
    return all(
        step == product(count for _, count in digits[k + 1 :]) for k, (step, _) in enumerate(digits)
    )


def ordered(indices: Sequence[Index], steps: Sequence[Whole]) -> list[Index]:
    """Return the indices by their step, the largest first."""
    pairs = sorted(zip(steps, indices, strict=True), key=lambda p: (-p[0], p[1].extent == 1))
    return [index for _, index in pairs]


def margins_of(place: Access, spans: Spans) -> dict[int, tuple[Whole, Whole]]:
    """Return how far the places go beyond each axis at most, on either side."""
    found = {}
    for position, (_, span) in spans.items():
        if len(span.steps) > 2:
            raise refused(place, "an index that is a sum of more than two")
        if not all(isinstance(step, int) for step in span.steps):
            raise refused(place, "windows whose steps are names")
        extent = whole(place.variable.axes[position].extent)
        found[position] = _margin(-span.first), _margin(span.last + 1 - extent)
    return found


def _margin(beyond: Whole) -> Whole:
    """Return the room that so many places beyond an end need: a number, if one is enough."""
    try:
        return max(0, at_most(beyond))
    except UndecidedError:
        return beyond if beyond >= 0 else 0


def is_whole(place: Access, position: int, span: Span, margin: tuple[Whole, Whole]) -> bool:
    """Whether an index runs over the axis and its margins, from one end to the other."""
    extent = whole(place.variable.axes[position].extent) + sum(margin)
    return span.steps == (1,) and (span.first, span.counts) == (-margin[0], (extent,))


def known(number: object) -> int:
    """Return an extent that is known to be a number."""
    assert isinstance(number, int)
    return number
