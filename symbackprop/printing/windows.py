"""Views of windows, split and joined axes as NumPy expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from symbackprop.equations import Extent
from symbackprop.lowering.layout import Layout
from symbackprop.lowering.spans import Span
from symbackprop.lowering.values import Value
from symbackprop.lowering.views import natural
from symbackprop.scalar import Named
from symbackprop.sizes import Whole
from symbackprop.sizing import whole

FILLS = {"zero": "0", "-inf": "-np.inf", "inf": "np.inf"}


class Printer(Protocol):
    """What prints the arrays that are viewed."""

    layout: Layout
    helpers: set[str]

    def array(self, value: Value) -> str:
        """Return the value's text, ready to be subscripted."""

    def turned(self, source: str, dimensions: Sequence[int], value: Value) -> str:
        """Return what lies in this order of dimensions as the value lies."""

    def arranged(self, value: Value, k: int, order: Sequence[int] | None = None) -> str:
        """Return operand k of the value with its axes in this order, or as the value lies."""

    def extent(self, extent: Extent) -> str:
        """Return the extent's text."""


def _base(printer: Printer, value: Value) -> tuple[str, tuple[int, ...], list[int]]:
    """Return the operand's text, its axes in memory order, and the result's dimensions so."""
    operand = value.operands[0]
    order = printer.layout.order(operand)
    return printer.array(operand), order, natural(value, order)


def _halo(printer: Printer, value: Value) -> str:
    source, order, dimensions = _base(printer, value)
    return printer.turned(haloed(source, value, order), dimensions, value)


def _window(printer: Printer, value: Value) -> str:
    source, order, dimensions = _base(printer, value)
    assert isinstance(value.attribute, tuple)
    view = windows(source, value.attribute, order, value)
    _note_windows(printer, view)
    return printer.turned(view, dimensions, value)


def _note_windows(printer: Printer, view: str) -> None:
    if view.startswith("windows("):
        printer.helpers.add("windows")


def _split(printer: Printer, value: Value) -> str:
    source, _, dimensions = _base(printer, value)
    return printer.turned(reshaped(source, dimensions, value, printer.extent), dimensions, value)


def _repeat(printer: Printer, value: Value) -> str:
    source, order, dimensions = _base(printer, value)
    assert isinstance(value.attribute, tuple)
    ((axis, times),) = value.attribute
    text = f"np.repeat({source}, {times}, axis={order.index(axis)})"
    return printer.turned(text, dimensions, value)


def _join(printer: Printer, value: Value) -> str:
    dimensions = _base(printer, value)[2]
    source = printer.arranged(value, 0, parts_in_order(value, printer.layout))
    return printer.turned(reshaped(source, dimensions, value, printer.extent), dimensions, value)


def parts_in_order(value: Value, layout: Layout) -> list[int]:
    """Return the dimensions of a join's operand, those that become one side by side."""
    assert isinstance(value.attribute, tuple)
    groups = {first: (first, *others) for first, *others in value.attribute}
    later = {axis for _, *others in value.attribute for axis in others}
    order = (axis for axis in layout.order(value.operands[0]) if axis not in later)
    return [value.subscripts[0][a] for axis in order for a in groups.get(axis, (axis,))]


def added_windows(printer: Printer, value: Value, target: str) -> tuple[str, list[int], int]:
    """Return the windows of ``target`` that are added to, the order of what is added, the count.

    The order is that of the value's dimensions; the count, that of axes for places in a window.
    """
    assert isinstance(value.attribute, tuple)
    order = printer.layout.order(value)
    placed: dict[int, list[int]] = {}
    last: list[int] = []
    for span, axes in value.attribute:
        numbers = [value.subscripts[0][axis] for axis in axes]
        inner = len(span.steps) - 1
        placed[span.axis] = numbers[: len(numbers) - inner]
        last += numbers[len(numbers) - inner :]
    dimensions = [d for axis in order for d in placed.get(axis, [axis])]
    view = windows(target, [span for span, _ in value.attribute], order, value)
    _note_windows(printer, view)
    if any(len(axes) > 1 for axes in placed.values()):
        view = reshaped(view, [*dimensions, *last], value, printer.extent)
    return view, [*dimensions, *last], len(last)


def first_place(printer: Printer, value: Value) -> str:
    """Return the arguments: values with the reduced axes last, their extreme, how many axes."""
    printer.helpers.add("first_place")
    reduced = range(value.rank, len(value.dimensions))
    values = printer.arranged(value, 0, [*printer.layout.order(value), *reduced])
    return f"{values}, {printer.arranged(value, 1)}, {len(reduced)}"


def _first(printer: Printer, value: Value) -> str:
    return f"first_place({first_place(printer, value)})"


VIEW_PRINTERS: Mapping[str, Callable[[Printer, Value], str]] = {
    "first": _first,
    "halo": _halo,
    "window": _window,
    "split": _split,
    "join": _join,
    "repeat": _repeat,
}


def haloed(source: str, value: Value, order: Sequence[int]) -> str:
    """Return the array, whose axes lie in ``order``, with its halo."""
    assert isinstance(value.attribute, tuple)
    fill, margins = value.attribute
    widths = {axis: (before, after) for axis, before, after in margins}
    pairs = ", ".join(str(widths.get(axis, (0, 0))) for axis in order)
    value_of = "" if fill == "zero" else f", constant_values={FILLS[fill]}"
    return f"np.pad({source}, ({pairs}{',' if len(order) == 1 else ''}){value_of})"


def inside(value: Value, layout: Layout) -> tuple[str, list[int]]:
    """Return the subscript of what lies within a halo, and the order of what goes there."""
    assert isinstance(value.attribute, tuple)
    first = value.rank - len(value.attribute[1])
    parts, order = [], []
    for axis in layout.order(value):
        if axis < first:
            parts.append(":")
            order.append(axis)
        else:
            own, before, after = value.attribute[1][axis - first]
            stop = whole(value.axes[axis].extent) - after
            parts.append(between(before, stop if after else ""))
            order.append(value.subscripts[0][own])
    return _short(", ".join(parts)), order


def repeated(value: Value, layout: Layout) -> tuple[list[int | None], list[int]]:
    """Return how a repeated axis of the result is seen as two, and the order of what is repeated.

    The former has the result's axes in memory order, None after the one that is repeated.
    """
    assert isinstance(value.attribute, tuple)
    new = value.rank - 1
    places: list[int | None] = []
    for axis in layout.order(value):
        places += [axis, None] if axis == new else [axis]
    source = value.subscripts[0][value.attribute[0][0]]
    return places, [source if axis == new else axis for axis in layout.order(value)]


def windows(source: str, spans: Sequence[Span], order: Sequence[int], value: Value) -> str:
    """Return the view of an array through windows, the places in them last.

    Args:
        source: the array.
        spans: the axes that windows move along.
        order: the array's axes in memory order.
        value: what reads the windows, or adds to them.
    """
    cuts: dict[int, str] = {}
    seen: list[tuple[int, Whole, int, int]] = []
    for span in spans:
        cuts[span.axis] = _cut(span, _extent(span, value))
        if len(span.steps) == 2:
            step, dilation = span.strides
            seen.append((order.index(span.axis), span.counts[1], step, dilation))
    subscript = ", ".join(cuts.get(axis, ":") for axis in order)
    view = source if set(subscript) <= set(":, ") else f"{source}[{_short(subscript)}]"
    if not seen:
        return view
    view = f"windows({view}, {_items([s[0] for s in seen])}, {_items([s[1] for s in seen])}"
    for name, steps in (("step", [s[2] for s in seen]), ("dilation", [abs(s[3]) for s in seen])):
        if set(steps) != {1}:
            same = len(set(steps)) == 1
            view += f", {name}={steps[0] if same else _items(steps)}"
    view += ")"
    if any(s[3] < 0 for s in seen):
        view += f"[..., {', '.join('::-1' if s[3] < 0 else ':' for s in seen)}]"
    return view


def _extent(span: Span, value: Value) -> Whole:
    """Return the length of the axis that the windows are seen of."""
    if value.operation == "window":
        return whole(value.operands[0].axes[span.axis].extent)
    return whole(value.axes[span.axis].extent)


def _cut(span: Span, extent: Whole) -> str:
    first, last = span.first, span.last
    if not span.steps:
        return str(first)
    single = len(span.steps) == 1
    step = span.strides[0] if single else 1
    if step < 0:
        stop = first + step
        return between(last, stop if stop >= 0 else "", step)
    return between(first, "" if last + 1 == extent else last + 1, step)


def between(start: Whole, stop: Whole | str, step: int = 1) -> str:
    """Return the subscript of the places from start to stop, as ``ruff format`` spaces it."""
    ends = ["" if start == 0 and step > 0 else str(start), str(stop)]
    ends += [str(step)] if step != 1 else []
    wide = any(re.search(r"\W", end.lstrip("-")) for end in ends)
    return (" : " if wide else ":").join(ends).strip()


def _short(subscript: str) -> str:
    while subscript.endswith(", :"):
        subscript = subscript[:-3]
    return subscript


def _items(numbers: Sequence[Whole]) -> str:
    return f"({', '.join(map(str, numbers))}{',' if len(numbers) == 1 else ''})"


def reshaped(
    source: str, dimensions: Sequence[int], value: Value, extent: Callable[[Extent], str]
) -> str:
    """Return the array with one axis for each of the value's dimensions."""
    sizes = [value.dimensions[d].extent for d in dimensions]
    names = [k for k, size in enumerate(sizes) if isinstance(size, Named)]
    parts = ["-1" if names == [k] else extent(size) for k, size in enumerate(sizes)]
    return f"{source}.reshape({', '.join(parts)})"
