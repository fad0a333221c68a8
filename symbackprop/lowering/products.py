"""Sums of products: which factors to multiply first, and which pairs to contract.

    sum over S of  constant * product(numerators) / product(denominators)

Factors are grouped by the labels that they run over; groups without summed labels leave the
sum; the rest is paired by smallest union, a pair that shares a summed label which nothing
else reads becoming a contraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt

from symbackprop.lowering.values import Label, Labelled, ValueGraph
from symbackprop.scalar import ONE, Apply, Expression, Number, apply, number


@dataclass(frozen=True)
class Product:
    """A constant, and factors above and below the line."""

    constant: Expression = ONE
    numerators: tuple[Labelled, ...] = ()
    denominators: tuple[Labelled, ...] = ()

    def scaled(self, constant: Expression, below: bool) -> Product:
        """Return the product with one more constant factor."""
        if below:
            return replace(self, constant=apply("divide", self.constant, constant))
        return replace(self, constant=apply("multiply", self.constant, constant))

    def times(self, factor: Labelled, below: bool = False) -> Product:
        """Return the product with one more factor; a literal joins the constant."""
        if factor.value.operation == "literal" and isinstance(factor.value.attribute, Expression):
            return self.scaled(factor.value.attribute, below)
        if below:
            return replace(self, denominators=(*self.denominators, factor))
        return replace(self, numerators=(*self.numerators, factor))

    def joined(self, other: Product) -> Product:
        """Return the product of two products."""
        return Product(
            apply("multiply", self.constant, other.constant),
            self.numerators + other.numerators,
            self.denominators + other.denominators,
        )

    @property
    def negative(self) -> bool:
        """Whether the constant is below 0."""
        return _sign(self.constant) < 0

    def absolute(self) -> Product:
        """Return the product with the constant's sign taken off."""
        return self.scaled(number(-1), False) if self.negative else self


def _sign(constant: Expression) -> int:
    if isinstance(constant, Number):
        return -1 if constant.value < 0 else 1
    if isinstance(constant, Apply) and constant.function in ("multiply", "divide"):
        sign = 1
        for argument in constant.arguments:
            sign *= _sign(argument)
        return sign
    return -1 if isinstance(constant, Apply) and constant.function == "negative" else 1


@dataclass(frozen=True)
class _Group:
    """Factors over the same labels, as one value above and one below the line.

    With ``masked`` a factor above is a truth value.
    """

    labels: tuple[Label, ...]
    above: Labelled | None
    below: Labelled | None
    masked: bool = False


def combine(graph: ValueGraph, product: Product, summed: Sequence[Label] = ()) -> Labelled:
    """Return the (sum of the) product as a value.

    Args:
        graph: where values are made.
        product: the factors.
        summed: labels to sum over; a label that no factor has multiplies by its extent
            upstream, and must not be given here.
    """
    product = _hoisted(graph, _with_known_quotients(graph, product))
    sign, product = product.negative, product.absolute()
    if sign and product.constant == ONE:
        sign, product = _turned(graph, product)
    product = replace(product, constant=as_quotient(product.constant))
    outer, inner = _partition(product, summed)
    parts = [_group(graph, list(over)) for over in outer]
    if inner:
        parts.append(_Group((), _reduce(graph, inner, summed), None))
        parts[-1] = replace(parts[-1], labels=parts[-1].above.labels if parts[-1].above else ())
    if sign and _takes_sign(graph, product.constant, parts):
        negative = as_quotient(apply("multiply", number(-1), product.constant))
        return _multiply_out(graph, negative, parts)
    result = _multiply_out(graph, product.constant, parts)
    return negated(graph, result) if sign else result


def _hoisted(graph: ValueGraph, product: Product) -> Product:
    """Return the product with what the last loop does not compute as one factor.

    That is one array for all its steps.
    """
    factors = (*product.numerators, *product.denominators)
    last = max((graph.level(value.value) for value in factors), default=0)
    above, below = (
        tuple(value for value in values if graph.level(value.value) < last)
        for values in (product.numerators, product.denominators)
    )
    early = (*above, *below)
    if len(early) < 2 or len({frozenset(value.labels) for value in early}) > 1:
        return product
    late = Product(
        ONE,
        tuple(value for value in product.numerators if value not in above),
        tuple(value for value in product.denominators if value not in below),
    )
    return late.times(combine(graph, Product(product.constant, above, below)))


def _turned(graph: ValueGraph, product: Product) -> tuple[bool, Product]:
    """Return whether a sign is left once a difference, if there is one, is the other way round."""
    for k, value in enumerate(product.numerators):
        if value.value.operation == "subtract":
            others = (product.numerators[:k], product.numerators[k + 1 :])
            turned = (*others[0], negated(graph, value), *others[1])
            return False, replace(product, numerators=turned)
    return True, product


def _takes_sign(graph: ValueGraph, constant: Expression, parts: Sequence[_Group]) -> bool:
    """Whether a sign costs nothing in the constant: what it makes is not there without it."""
    if constant == ONE or not any(part.labels for part in parts):
        return False
    literal = graph.leaf("literal", constant)
    known = (graph.known("divide", literal, part.below) for part in parts if part.below)
    return not any(known)


def _with_known_quotients(graph: ValueGraph, product: Product) -> Product:
    """Read u / v where the product has it and it is known: forward made it.

    The v may also be what another factor is divided by: ``(p / v) * u`` is ``p * (u / v)``.
    """
    above, below = list(product.numerators), list(product.denominators)
    for k, value in enumerate(above):
        for j, divisor in enumerate(below):
            quotient = graph.known("divide", value, divisor)
            if quotient is not None:
                above[k] = quotient
                del below[j]
                break
        else:
            for j, other in enumerate(above):
                split = as_division(other) if j != k else None
                quotient = graph.known("divide", value, split[1]) if split else None
                if split and quotient is not None:
                    above[k], above[j] = quotient, split[0]
                    break
    return replace(product, numerators=tuple(above), denominators=tuple(below))


def as_division(value: Labelled) -> tuple[Labelled, Labelled] | None:
    """Split a quotient of two arrays."""
    if value.value.operation != "divide":
        return None
    above, below = operands_of(value)
    return None if "literal" in (above.value.operation, below.value.operation) else (above, below)


def operands_of(value: Labelled) -> list[Labelled]:
    """Return the operands of a map, labelled as it is."""
    node = value.value
    return [
        Labelled(operand, tuple(value.labels[k] for k in subscript))
        for operand, subscript in zip(node.operands, node.subscripts, strict=True)
    ]


def as_quotient(constant: Expression) -> Expression:
    """Return the constant as one quotient of products, or as a number."""
    above: list[Expression] = []
    below: list[Expression] = []
    rational = Fraction(1)
    stack = [(constant, False)]
    while stack:
        node, inverse = stack.pop()
        if isinstance(node, Number):
            rational = rational / node.value if inverse else rational * node.value
        elif isinstance(node, Apply) and node.function == "multiply":
            stack.extend((argument, inverse) for argument in reversed(node.arguments))
        elif isinstance(node, Apply) and node.function == "divide":
            stack.extend([(node.arguments[1], not inverse), (node.arguments[0], inverse)])
        elif (root := _whole_root(node)) is not None:
            rational = rational / root if inverse else rational * root
        elif inverse and (square := _rooted(node)) is not None:
            rational /= square  # 1 / √2 is √2 / 2, so that both are one number
            above.append(node)
        else:
            (below if inverse else above).append(node)
    if not below:
        return apply("multiply", number(rational), *above)
    numerator = apply("multiply", number(rational.numerator), *above)
    return apply("divide", numerator, apply("multiply", number(rational.denominator), *below))


def _rooted(constant: Expression) -> Fraction | None:
    """Return q of the constant √q."""
    if isinstance(constant, Apply) and constant.function == "sqrt":
        (square,) = constant.arguments
        return square.value if isinstance(square, Number) else None
    return None


def _whole_root(constant: Expression) -> int | None:
    """Return k of the constant √k²."""
    square = _rooted(constant)
    if square is None or square.denominator != 1 or square < 0:
        return None
    root = isqrt(square.numerator)
    return root if root * root == square else None


def negated(graph: ValueGraph, value: Labelled) -> Labelled:
    """Return the negative: of a difference the one the other way round, of a number a number."""
    node = value.value
    if node.operation == "literal":
        assert isinstance(node.attribute, Expression)
        return graph.leaf("literal", as_quotient(apply("multiply", number(-1), node.attribute)))
    if node.operation == "negative":
        return operands_of(value)[0]
    if node.operation == "subtract":
        return graph.map("subtract", *reversed(operands_of(value)))
    return graph.map("negative", value)


_Factors = list[tuple[Labelled, bool]]


def _partition(product: Product, summed: Sequence[Label]) -> tuple[list[_Factors], list[_Factors]]:
    """Split into groups by labels: those without summed labels, and those with."""
    groups: dict[frozenset[Label], _Factors] = {}
    for below, values in ((False, product.numerators), (True, product.denominators)):
        for value in values:
            groups.setdefault(frozenset(value.labels), []).append((value, below))
    outer = [group for labels, group in groups.items() if not labels & set(summed)]
    inner = [group for labels, group in groups.items() if labels & set(summed)]
    return outer, inner


def _group(graph: ValueGraph, members: _Factors) -> _Group:
    above = _fold(graph, [value for value, below in members if not below])
    below = _fold(graph, [value for value, below in members if below])
    labels = (above or below or members[0][0]).labels
    masked = any(value.value.boolean for value, below in members if not below)
    return _Group(labels, above, below, masked)


def _fold(graph: ValueGraph, values: list[Labelled]) -> Labelled | None:
    """Multiply, equal factors as squares and numbers before truth values."""
    if not values:
        return None
    values = sorted(values, key=lambda v: (graph.level(v.value), v.value.boolean))
    result = values[0]
    for value in values[1:]:
        same = value.value is result.value and value.labels == result.labels
        result = graph.map("square", value) if same else graph.map("multiply", result, value)
    return result


def _multiply_out(graph: ValueGraph, constant: Expression, parts: list[_Group]) -> Labelled:
    """Multiply groups from the smallest to the largest, the constant with the smallest.

    A group that is only a divisor divides the next larger one, unless something above the
    line is as small as it: then one small quotient is made, and the large array multiplied.
    Where a truth value is 0 its divisor may be so small that a number overflows over it:
    there all factors are multiplied before they are divided.
    """
    if not parts:
        return graph.leaf("literal", constant)
    parts = sorted(parts, key=lambda part: len(part.labels))
    above: Labelled | None = None
    below: Labelled | None = None
    divisor = _divisor(constant)
    if divisor is not None and not any(part.below for part in parts):
        below = graph.leaf("literal", divisor)
    elif constant != ONE:
        above = graph.leaf("literal", constant)
    for part in parts:
        below = _times(graph, below, part.below)
        if above is not None and below is not None and not part.masked:
            above, below = graph.map("divide", above, below), None
        above = _times(graph, above, part.above)
        if above is not None and below is not None:
            above, below = graph.map("divide", above, below), None
    if above is None:
        above = graph.leaf("literal", ONE)
    return above if below is None else graph.map("divide", above, below)


def _divisor(constant: Expression) -> Expression | None:
    """Return c of the constant 1 / c, or -c of -1 / c."""
    if not (isinstance(constant, Apply) and constant.function == "divide"):
        return None
    above, below = constant.arguments
    if above not in (ONE, number(-1)):
        return None
    return below if above == ONE else apply("negative", below)


def _times(graph: ValueGraph, left: Labelled | None, right: Labelled | None) -> Labelled | None:
    """Multiply, the operand with more labels first."""
    if left is None or right is None:
        return left or right
    return (
        graph.map("multiply", right, left)
        if len(right.labels) >= len(left.labels)
        else graph.map("multiply", left, right)
    )


def _reduce(graph: ValueGraph, groups: list[_Factors], summed: Sequence[Label]) -> Labelled:
    """Contract pairs of groups, smallest union first, until every summed label is gone."""
    if len(groups) == 1:
        return _sum_group(graph, groups[0], summed)
    values = [_quotient(graph, group) for group in groups]
    while len(values) > 1:
        i, j = min(
            ((i, j) for i in range(len(values)) for j in range(i + 1, len(values))),
            key=lambda pair: (len({*values[pair[0]].labels, *values[pair[1]].labels}), pair),
        )
        others = {
            label for k, value in enumerate(values) if k not in (i, j) for label in value.labels
        }
        gone = [
            s for s in summed if s in {*values[i].labels, *values[j].labels} and s not in others
        ]
        pair = [values[i], values[j]]
        both = all(s in value.labels for s in gone for value in pair)
        joint = graph.contract(pair, gone) if gone and both else _pair(graph, pair, gone)
        values = [value for k, value in enumerate(values) if k not in (i, j)] + [joint]
    left = [s for s in summed if s in values[0].labels]
    return graph.node("total", values, left) if left else values[0]


def _sum_group(graph: ValueGraph, members: _Factors, summed: Sequence[Label]) -> Labelled:
    """Sum a product of factors with equal labels: two or more factors are contracted."""
    over = [s for s in summed if s in members[0][0].labels]
    if len(members) < 2 or any(below for _, below in members):
        return graph.node("total", [_quotient(graph, members)], over)
    values = sorted((value for value, _ in members), key=lambda value: value.value.boolean)
    first = _fold(graph, values[:-1])
    assert first is not None
    return graph.contract([first, values[-1]], over)


def _pair(graph: ValueGraph, pair: list[Labelled], gone: list[Label]) -> Labelled:
    """Sum out what only one of the two reads, then multiply or contract."""
    reduced = []
    for value, other in (pair, pair[::-1]):
        alone = [s for s in gone if s in value.labels and s not in other.labels]
        reduced.append(graph.node("total", [value], alone) if alone else value)
    shared = [s for s in gone if all(s in value.labels for value in pair)]
    if shared:
        return graph.contract(reduced, shared)
    return graph.map("multiply", *sorted(reduced, key=lambda value: -len(value.labels)))


def _quotient(graph: ValueGraph, members: _Factors) -> Labelled:
    group = _group(graph, members)
    if group.above is None or group.below is None:
        return group.above or graph.map(
            "divide", graph.leaf("literal", ONE), *[b for b in [group.below] if b]
        )
    return graph.map("divide", group.above, group.below)
