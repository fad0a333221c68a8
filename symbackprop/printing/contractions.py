"""Contractions as products of matrices: expressions, and statements of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from symbackprop.equations import Role
from symbackprop.lowering.contraction import View, matrix_product
from symbackprop.lowering.program import Statement
from symbackprop.lowering.values import Value
from symbackprop.printing.sample_products import by_sample
from symbackprop.printing.texts import ATOM, TERM, UNARY, Text
from symbackprop.sizes import Whole, product

if TYPE_CHECKING:
    from symbackprop.printing.expressions import NumpyPrinter
    from symbackprop.printing.statements import StatementPrinter

# The extent of a dimension; None is the batch.
Extents = Callable[[int], Whole | None]


def transposition(axes: Sequence[int]) -> str:
    """Return ``.T`` or ``.transpose(…)``; nothing where the axes stand in order."""
    if list(axes) == sorted(axes):
        return ""
    if list(axes) == list(reversed(range(len(axes)))):
        return ".T"
    return f".transpose({', '.join(map(str, axes))})"


def reshaping(groups: Sequence[Sequence[int]], extents: Extents) -> str:
    """Return ``.reshape(…)`` to one axis for each group of dimensions."""
    sizes = [_size(group, extents) for group in groups]
    return f".reshape({', '.join(map(str, sizes))})"


def _size(group: Sequence[int], extents: Extents) -> Whole:
    known = [extent for dimension in group if (extent := extents(dimension)) is not None]
    return product(known) if len(known) == len(group) else -1


def regrouping(view: View, extents: Extents) -> str:
    """Return what makes a stack of matrices of an array, without a copy."""
    text = "" if all(len(group) == 1 for group in view.groups) else reshaping(view.groups, extents)
    text += transposition([axis for axis in view.axes if axis is not None])
    start = next(k for k, axis in enumerate(view.axes) if axis is not None)
    first = min(start, max(len(view.axes) - 2, 0))
    if None in view.axes[first:]:
        text += f"[{', '.join('None' if axis is None else ':' for axis in view.axes[first:])}]"
    return text


def restoring(view: View, extents: Extents) -> str:
    """Return what makes the array of its stack of matrices."""
    places = [view.axes.index(k) for k in range(len(view.groups))]
    alone = [k for k, axis in enumerate(view.axes) if axis is None]
    text = transposition([*places, *alone])
    if alone or any(len(group) > 1 for group in view.groups):
        text += reshaping([[dimension] for group in view.groups for dimension in group], extents)
    return text


def contracted(printer: NumpyPrinter, value: Value) -> Text:
    """Return the contraction as an expression."""
    if value.rank == 0:
        left, right = full_product(printer, value)
        together = len(value.subscripts[0]) > 1
        return Text(f"np.vdot({left.source}, {right.source})") if together else _times(left, right)
    plan = matrix_product(value, printer.memory(value))
    if plan is None:
        return Text(
            by_sample(printer, value) or tensordot(printer, value) or einsum(printer, value)
        )
    extents = printer.extents(value)
    views = [regrouping(view, extents) for view in plan.views[:2]]
    restored = restoring(plan.views[2], extents)
    if plan.broadcasts:
        views[0] = restored = ""
    operands = [printer.value(value.operands[k]) for k in (plan.left, 1 - plan.left)]
    left, right = (
        Text(f"{operand.within(ATOM)}{view}") if view else operand
        for operand, view in zip(operands, views, strict=True)
    )
    if plan.vectors:
        return Text(f"np.vecdot({left.source}, {right.source}){restored}")
    text = _times(left, right)
    return Text(f"{text.within(ATOM)}{restored}") if restored else text


def _times(left: Text, right: Text) -> Text:
    return Text(f"{left.within(TERM)} @ {right.within(UNARY)}", TERM)


def full_product(printer: NumpyPrinter, value: Value) -> tuple[Text, Text]:
    """Return the operands of a contraction to a number, axes alike."""
    order = [value.subscripts[0][axis] for axis in printer.layout.order(value.operands[0])]
    return printer.operand(value, 0, order), printer.operand(value, 1, order)


def einsum(printer: NumpyPrinter, value: Value) -> str:
    """Return the contraction as one call, each operand as it lies."""
    letters = _letters(value)
    inputs = []
    for operand, subscript in zip(value.operands, value.subscripts, strict=True):
        inputs.append("".join(letters[subscript[axis]] for axis in printer.layout.order(operand)))
    output = "".join(letters[dimension] for dimension in printer.dimensions(value))
    texts = ", ".join(printer.value(operand).source for operand in value.operands)
    return f'np.einsum("{",".join(inputs)}->{output}", {texts})'


def tensordot(printer: NumpyPrinter, value: Value) -> str:
    """Return the contraction as a product of matrices that are copied first, else "".

    Nothing where the operands share an axis with the result.
    """
    orders = [
        [subscript[axis] for axis in printer.layout.order(operand)]
        for operand, subscript in zip(value.operands, value.subscripts, strict=True)
    ]
    summed = list(range(value.rank, len(value.dimensions)))
    own = [[d for d in order if d < value.rank] for order in orders]
    if set(own[0]) & set(own[1]) or any(set(summed) - set(order) for order in orders):
        return ""
    pair = (0, 1) if printer.dimensions(value)[0] in own[0] else (1, 0)
    texts = [printer.value(value.operands[k]).source for k in pair]
    axes = tuple(tuple(orders[k].index(d) for d in summed) for k in pair)
    text = f"np.tensordot({texts[0]}, {texts[1]}, {axes})"
    return printer.turned(text, [*own[pair[0]], *own[pair[1]]], value)


def _letters(value: Value) -> str:
    """Return a letter for each dimension, n for the batch."""
    others = iter("ijklmpqrstuvw")
    return "".join("n" if d.role is Role.BATCH else next(others) for d in value.dimensions)


def contraction(printer: StatementPrinter, statement: Statement) -> list[str]:
    """Return the statement of a contraction into its target."""
    value = statement.value
    plan = matrix_product(value, printer.memory(value))
    if plan is None:
        return [f"{einsum(printer, value)[:-1]}, out={statement.target})"]
    extents = printer.extents(value)
    names = [printer.value(value.operands[k]).source for k in (plan.left, 1 - plan.left)]
    first, second, target = (
        printer.view(f"{name}{regrouping(view, extents)}")
        for name, view in zip([*names, statement.target], plan.views, strict=True)
    )
    if plan.vectors:
        printer.functions.add("vecdot")
        return [f"vecdot({first}, {second}, {statement.target})"]
    if plan.stacked:
        printer.functions.add("matmul")
        return [f"matmul({first}, {second}, {target})"]
    return [f"{first}.dot({second}, {target})"]
