"""[W|b] as one matrix: bias and its gradient come with the products, by a row of ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.equations import Role, Variable
from symbackprop.lowering.layout import Layout
from symbackprop.lowering.training import SectionValues
from symbackprop.lowering.values import Value


@dataclass
class AffineBlocks:
    """Which values become part of a product with [W|b].

    Attributes:
        totals: numbers of the sums ``contract(W, x) + b``, which become one product.
        sources: numbers of the values that need a row of ones, in order.
        gradients: numbers of the products that give the gradient of W, b's along with it.
        absorbed: numbers of the values that need no statement of their own.
    """

    totals: set[int] = field(default_factory=set)
    sources: dict[int, None] = field(default_factory=dict)
    gradients: set[int] = field(default_factory=set)
    absorbed: set[int] = field(default_factory=set)


def block_name(weight: str) -> str:
    """Return the name of [W|b] as one matrix by that of W: Wb1 for W1."""
    return re.sub(r"^[A-Za-z]+", r"\g<0>b", weight)


def affine_blocks(
    sections: Sequence[SectionValues], learned: Sequence[Variable], layout: Layout
) -> AffineBlocks:
    """Find ``contract(W, x) + b`` with W and b neighbours in the flat buffer.

    Args:
        sections: of the training step, samples innermost.
        learned: the parameters in the order in which they lie.
        layout: tells the values that show another's memory, where no row of ones can follow.
    """
    found = AffineBlocks()
    taken = {variable.name for variable in learned}
    pairs_in_order = zip(learned[1:], learned, strict=False)
    before = {b: w for b, w in pairs_in_order if block_name(w.name) not in taken}
    values = [value for section in sections for value in section.values]
    uses: dict[int, int] = {}
    for value in values:
        for operand in value.operands:
            uses[operand.number] = uses.get(operand.number, 0) + 1
    pairs: dict[tuple[Variable, Variable], None] = {}
    for value in values:
        match = _affine(value)
        if match is None or uses[match.product.number] > 1 or layout.is_view(match.source):
            continue
        if before.get(match.bias) == match.weight:
            found.totals.add(value.number)
            found.absorbed.add(match.product.number)
            found.sources[match.source.number] = None
            pairs[match.weight, match.bias] = None
    outputs = _outputs(sections)
    for weight, bias in pairs:
        _pair_gradients(found, weight, bias, outputs)
    return found


def _outputs(sections: Sequence[SectionValues]) -> dict[Variable, Value]:
    found: dict[Variable, Value] = {}
    for section in sections:
        if section.name != "penalty":
            found |= dict(section.outputs)
    return found


def _pair_gradients(
    found: AffineBlocks, weight: Variable, bias: Variable, outputs: Mapping[Variable, Value]
) -> None:
    """A bias's gradient comes with its weights' where both sum the same cotangent."""
    product, total = outputs.get(weight.bar()), outputs.get(bias.bar())
    if product is None or total is None or product.operation != "contract":
        return
    if total.operation == "total" and total.operands[0] in product.operands:
        found.absorbed.add(total.number)
        found.gradients.add(product.number)


@dataclass(frozen=True)
class _Affine:
    product: Value
    source: Value
    weight: Variable
    bias: Variable


def _affine(value: Value) -> _Affine | None:
    """Match ``contract(W, x) + b`` with W a matrix of parameters and b its bias.

    Only where W lies (in, out) does b follow as one more row.
    """
    if value.operation != "add" or len(value.operands) != 2:
        return None
    product, bias = value.operands
    if product.operation != "contract" or bias.operation != "input" or bias.rank != 1:
        return None
    weights = [o for o in product.operands if o.operation == "input" and not _batched(o)]
    sources = [o for o in product.operands if o not in weights]
    if len(weights) != 1 or weights[0].rank != 2 or len(sources) != 1 or sources[0].rank != 2:
        return None
    summed, kept = product.subscripts[product.operands.index(weights[0])]
    if not kept < product.rank <= summed or value.subscripts[0][kept] != value.subscripts[1][0]:
        return None
    return _Affine(product, sources[0], weights[0].variable, bias.variable)


def _batched(value: Value) -> bool:
    return any(axis.role is Role.BATCH for axis in value.axes)
