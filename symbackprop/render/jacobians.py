"""The steps of a matrix derivation: local partials as Jacobians, and rules by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from symbackprop.calculus.totals import Share, Total
from symbackprop.equations import Index, Role, Variable, extent_expression
from symbackprop.render import scalars
from symbackprop.render.context import Context
from symbackprop.render.document import Inlines, Line
from symbackprop.render.matrix import Jacobian, Layout, MatrixForm, matrix_partial
from symbackprop.render.matrix_setting import (
    set_jacobian,
    set_matrix,
    set_product,
    set_transposed,
)
from symbackprop.render.partials import (
    LOCAL_PARTIAL,
    OWN_VALUE,
    as_wholes,
    by_consumer,
    partials,
)
from symbackprop.render.setting import Setting
from symbackprop.render.shares import CHAIN_RULE, TOTAL_DERIVATIVE
from symbackprop.render.typeset import Fenced, Math, Operator, Script, listed, row

_SAMPLES = "a parameter feeds every sample"


def local_lines(
    context: Context, setting: Setting, layout: Layout, totals: Sequence[Total]
) -> Iterator[Line]:
    """Yield the partials of one sample: Jacobians of vectors, and of a matrix entry by entry.

    Args:
        context: of the document.
        setting: of formulas of one sample.
        layout: how arrays of two axes stand.
        totals: whose consumers' partials are shown.
    """
    for total in totals:
        if len(_of_sample(total.variable)) == 2:
            yield from partials(context, setting, [total])
            continue
        found = [(share, _jacobian(context, share, layout)) for share in _wholes(total)]
        for share, jacobian in found:
            if jacobian is not None:
                yield _local_line(context, setting, total, share, jacobian)


def total_lines(
    context: Context, setting: Setting, layout: Layout, total: Total, form: MatrixForm
) -> Iterator[Line]:
    """Yield a total derivative: the chain rule with its Jacobian, where it has one, then the form.

    Args:
        context: of the document.
        setting: of formulas of a batch.
        layout: how arrays of two axes stand.
        total: the derivative.
        form: what it is between arrays.
    """
    left, right, shape = set_matrix(form, setting)
    first, rule = _with_jacobian(context, setting, layout, total), _rule(total)
    if first is not None:
        yield Line(left, first, shape=shape, rule=rule)
        yield Line(None, right, shape=shape, rule=LOCAL_PARTIAL)
        return
    closed = any(share in context.textbook.closed for share in total.shares)
    reason: Inlines = (_SAMPLES,) if _sums_samples(total) else ()
    rule = f"{rule}, {OWN_VALUE}" if closed else rule
    yield Line(left, right, shape=shape, rule=rule, reason=reason)


def _local_line(
    context: Context, setting: Setting, total: Total, share: Share, jacobian: Jacobian
) -> Line:
    above, below = share.equation.target.variable, share.access.variable
    shape = row(*_extent(above), Operator("×"), *_extent(below))
    rule = OWN_VALUE if share in context.textbook.closed else LOCAL_PARTIAL
    symbol = _symbol(context, setting, total, share)
    return Line(symbol, set_jacobian(jacobian, setting), shape=shape, rule=rule)


def _symbol(context: Context, setting: Setting, total: Total, share: Share) -> Math:
    """Return ∂z/∂a between vectors; what is held constant stands below it."""
    consumer = share.equation.target.variable
    symbol = setting.derivative(setting.array(consumer), setting.array(share.access.variable))
    others = [access.variable for access in context.held(total, consumer)]
    if not others:
        return symbol
    return Script(Fenced("(", symbol, ")"), listed(*map(setting.array, others)))


def _with_jacobian(context: Context, setting: Setting, layout: Layout, total: Total) -> Math | None:
    """Return the chain rule with ∂z/∂a, where that is one matrix for all samples."""
    shares = _wholes(total)
    jacobian = _jacobian(context, shares[0], layout) if len(shares) == 1 else None
    if jacobian is None or jacobian.diagonal or not jacobian.constant:
        return None
    single = replace(setting, samples=False)
    symbol = _symbol(context, single, total, shares[0])
    slope = setting.array(shares[0].equation.target.variable.bar())
    if layout == "rows":
        return set_product(slope, symbol)
    return set_product(set_transposed(symbol, setting), slope)


def _wholes(total: Total) -> list[Share]:
    """Return the share of each consumer that reads each place in one way."""
    return [group[0] for group in by_consumer(total.shares) if len(as_wholes(group)) == 1]


def _jacobian(context: Context, share: Share, layout: Layout) -> Jacobian | None:
    return matrix_partial(context.textbook.closed.get(share, share), layout)


def _rule(total: Total) -> str:
    """Return the name of the rule: a sum over what is fed, or a product alone."""
    summed = (i for share in total.shares for i in share.summed if i in share.equation.free)
    several = len(total.shares) > 1 or any(index.extent != 1 for index in summed)
    return TOTAL_DERIVATIVE if several else CHAIN_RULE


def _sums_samples(total: Total) -> bool:
    return all(axis.role is not Role.BATCH for axis in total.variable.axes)


def _of_sample(variable: Variable) -> list[Index]:
    return [axis for axis in variable.axes if axis.role is not Role.BATCH]


def _extent(variable: Variable) -> list[Math]:
    return [scalars.scalar(extent_expression(axis.extent), ()) for axis in _of_sample(variable)]
