"""Statements of the plain path: one value each, in lines that fit."""

from __future__ import annotations

from symbackprop.lowering.plain import FREE
from symbackprop.lowering.program import Assignment, unused
from symbackprop.lowering.values import Value
from symbackprop.printing.expressions import NumpyPrinter
from symbackprop.printing.lookups import is_repeated, place
from symbackprop.printing.sample_products import added_by_sample
from symbackprop.printing.windows import added_windows


def statements(printer: NumpyPrinter, assignment: Assignment, stem: str) -> list[str]:
    """Return what computes a value under its name, parts that are too long for a line before it."""
    value, name = assignment.value, assignment.name
    printer.names[value.number] = name
    if value.operation == "unwindow":
        return _sum_of_windows(printer, value, name, stem)
    if value.operation not in ("put", "add_at"):
        return short(printer, value, f"{name} = ", stem)
    base, _, new = value.operands
    if base.number in printer.names:
        lines = [f"{name} = {printer.operand(value, 0).source}.copy()"]
    elif (turned := printer.operand(value, 0).source) != printer.value(base).source:
        lines = [f"{name} = {turned}"]
    else:
        lines = short(printer, base, f"{name} = ", stem)
    subscript, order = place(printer, value)
    if value.operation == "add_at" and is_repeated(value):
        start, end = f"np.add.at({name}, {_indexed(subscript)}, ", ")"
    else:
        start, end = f"{name}[{subscript}] {'=' if value.operation == 'put' else '+='} ", ""
    named = new.number in printer.names
    text = printer.operand(value, 2, order).source
    if named or end or text != printer.value(new).source:
        if not named:
            part = unused(stem, set(printer.names.values()))
            lines += short(printer, new, f"{part} = ", stem)
            printer.names[new.number] = part
            text = printer.operand(value, 2, order).source
        return [*lines, f"{start}{text}{end}"]
    return [*lines, *short(printer, new, start, stem)]


def _indexed(subscript: str) -> str:
    return f"np.s_[{subscript}]" if "," in subscript else subscript


def _sum_of_windows(printer: NumpyPrinter, value: Value, name: str, stem: str) -> list[str]:
    shape = printer.shape(value)
    (part,) = value.operands
    added = "" if part.number in printer.names else added_by_sample(printer, value, name)
    if added:
        return [f"{name} = np.zeros({shape}, dtype)", added]
    view, order, count = added_windows(printer, value, name)
    printer.helpers.add("add_to_windows")
    lines = [] if part.number in printer.names else short(printer, part, f"{stem}_parts = ", stem)
    printer.names.setdefault(part.number, f"{stem}_parts")
    values = printer.operand(value, 0, order).source
    lines += [f"{name} = np.zeros({shape}, dtype)", f"add_to_windows({view}, {values}, {count})"]
    return lines


def short(
    printer: NumpyPrinter, value: Value, start: str, stem: str = "t", room: int = 80
) -> list[str]:
    """Return the statement ``start value``; where it is too long, parts that fit come first.

    A part is named after the variable that it is, if any, else by the stem.
    """
    lines: list[str] = []
    while printer.width(text := f"{start}{printer.computed(value).source}") > room:
        part = _longest(printer, value)
        if part is None:
            break
        while printer.width(f"{stem} = {printer.computed(part).source}") + 2 > room:
            inner = _longest(printer, part)
            if inner is None:
                break
            part = inner
        name = unused(printer.variables.get(part.number, stem), set(printer.names.values()))
        lines.append(f"{name} = {printer.computed(part).source}")
        printer.names[part.number] = name
    return [*lines, text]


def _longest(printer: NumpyPrinter, value: Value) -> Value | None:
    """Return the longest of the operands that are printed in place and worth a name."""
    parts: list[Value] = []
    stack = list(value.operands)
    while stack:
        operand = stack.pop()
        if operand.number not in printer.names:
            stack.extend(operand.operands if operand.operation in FREE else ())
            parts.extend([] if operand.operation in FREE else [operand])
    return max(
        parts, key=lambda o: (printer.width(printer.computed(o).source), -o.number), default=None
    )
