"""Scalar expressions over whole arrays: every application becomes a value, once.

The shapes that NumPy runs fast are chosen here: integer powers by multiplication,
half-integer ones by ``sqrt``, differences for sums of negatives, masks for
``where(c, 1, 0)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symbackprop.lowering.products import (
    Product,
    as_division,
    combine,
    negated,
    operands_of,
)
from symbackprop.lowering.values import Labelled, ValueGraph
from symbackprop.scalar import (
    COMPARISONS,
    ONE,
    ZERO,
    Apply,
    Expression,
    Number,
    Slot,
    apply,
    number,
    opposite,
    slots,
)

_MIRROR = {
    "greater": "less",
    "less": "greater",
    "greater_equal": "less_equal",
    "less_equal": "greater_equal",
    "equal": "equal",
    "not_equal": "not_equal",
}


def evaluate(graph: ValueGraph, expression: Expression, operands: Sequence[Labelled]) -> Labelled:
    """Return the value of the expression; ``Slot(k)`` is ``operands[k]``."""
    if isinstance(expression, Slot):
        return operands[expression.position]
    if not slots(expression):
        return graph.leaf("literal", expression)
    assert isinstance(expression, Apply)
    rule = _RULES.get(expression.function)
    if rule is not None:
        return rule(graph, expression, operands)
    arguments = [evaluate(graph, argument, operands) for argument in expression.arguments]
    return graph.map(expression.function, *arguments)


def factors(graph: ValueGraph, expression: Expression, operands: Sequence[Labelled]) -> Product:
    """Return the expression as a product: a constant, numerators and denominators."""
    product = Product()
    stack: list[tuple[Expression, bool]] = [(expression, False)]
    while stack:
        node, below = stack.pop()
        if not slots(node):
            product = product.scaled(node, below)
        elif isinstance(node, Apply) and node.function == "multiply":
            stack.extend((argument, below) for argument in reversed(node.arguments))
        elif isinstance(node, Apply) and node.function == "divide":
            stack.extend([(node.arguments[1], not below), (node.arguments[0], below)])
        elif isinstance(node, Apply) and node.function == "negative":
            product = product.scaled(number(-1), False)
            stack.append((node.arguments[0], below))
        elif (split := _power_factors(node)) is not None:
            stack.extend((base, below != inverse) for base, inverse in reversed(split))
        else:
            product = product.times(evaluate(graph, node, operands), below)
    return product


def _power_factors(node: Expression) -> list[tuple[Expression, bool]] | None:
    """Split u**k, k an integer or half of one, into factors u and sqrt(u)."""
    if not (isinstance(node, Apply) and node.function == "power"):
        return None
    base, exponent = node.arguments
    if (
        not isinstance(exponent, Number)
        or (2 * exponent.value).denominator != 1
        or abs(exponent.value) > 8
    ):
        return None
    whole, half = divmod(abs(2 * exponent.value), 2)
    roots: list[Expression] = [Apply("sqrt", (base,))] if half else []
    return [(part, exponent.value < 0) for part in [*[base] * int(whole), *roots]]


def _product(graph: ValueGraph, expression: Apply, operands: Sequence[Labelled]) -> Labelled:
    return combine(graph, factors(graph, expression, operands))


def _power(graph: ValueGraph, expression: Apply, operands: Sequence[Labelled]) -> Labelled:
    if _power_factors(expression) is not None:
        return _product(graph, expression, operands)
    return graph.map("power", *(evaluate(graph, a, operands) for a in expression.arguments))


def _sum(graph: ValueGraph, expression: Apply, operands: Sequence[Labelled]) -> Labelled:
    """Add in the written order, starting with the first summand that is not subtracted."""
    products = [factors(graph, argument, operands) for argument in expression.arguments]
    return add_signed(graph, [(p.negative, combine(graph, p.absolute())) for p in products])


def add_signed(graph: ValueGraph, signed: list[tuple[bool, Labelled]]) -> Labelled:
    """Return the sum of values, those marked True being subtracted.

    What the last loop computes comes last: all before it is one array for all its steps.
    """
    signed = sorted(signed, key=lambda entry: graph.level(entry[1].value))
    start = next((k for k, (minus, _) in enumerate(signed) if not minus), None)
    if start is None:
        return negated(graph, add_signed(graph, [(False, value) for _, value in signed]))
    total = signed[start][1]
    for k, (minus, value) in enumerate(signed):
        if k != start:
            total = graph.map("subtract" if minus else "add", total, value)
    return total


def add_terms(graph: ValueGraph, signed: list[tuple[bool, Labelled]]) -> Labelled:
    """Return the sum of an adjoint's terms; what divides all of them divides the sum."""
    signed = [
        (not minus, operands_of(value)[0])
        if value.value.operation == "negative"
        else (minus, value)
        for minus, value in signed
    ]
    split = [(minus, as_division(value)) for minus, value in signed]
    above = [(minus, parts[0]) for minus, parts in split if parts]
    divisors = {parts[1] for _, parts in split if parts}
    if 1 < len(above) == len(signed) and len(divisors) == 1:
        return graph.map("divide", add_signed(graph, above), *divisors)
    return add_signed(graph, signed)


def _where(graph: ValueGraph, expression: Apply, operands: Sequence[Labelled]) -> Labelled:
    condition, yes, no = expression.arguments
    if {yes, no} == {ZERO, ONE}:
        return evaluate(graph, condition if yes == ONE else opposite(condition), operands)
    test, first, second = (evaluate(graph, a, operands) for a in expression.arguments)
    return first if first == second else graph.map("where", test, first, second)


def _comparison(graph: ValueGraph, expression: Apply, operands: Sequence[Labelled]) -> Labelled:
    """Compare with the constant on the right; read max(0, z) for z where that decides alike.

    ``z > 0`` and ``max(0, z) > 0`` are equal, and reading the latter lets z's memory be
    used for the activation.
    """
    function, (left, right) = expression.function, expression.arguments
    if not slots(left):
        function, left, right = _MIRROR[function], right, left
    first, second = evaluate(graph, left, operands), evaluate(graph, right, operands)
    if isinstance(right, Number) and (truth := _truth_of(first)) is not None:
        held = [apply(function, value, right) == ONE for value in (ONE, ZERO)]
        if held[0] != held[1]:
            return truth if held[0] else graph.map("logical_not", truth)
    if function in ("greater", "less_equal") and not slots(right):
        first = graph.known("maximum", first, second) or first
    return graph.map(function, first, second)


def _truth_of(number: Labelled) -> Labelled | None:
    """Return the truth value that the 0 or 1 was made of."""
    value = number.value
    if value.operation == "number" and value.operands[0].boolean:
        return Labelled(value.operands[0], number.labels)
    return number if value.boolean else None


def _extreme(graph: ValueGraph, expression: Apply, operands: Sequence[Labelled]) -> Labelled:
    """Write the constant second, as NumPy's users do; which one wins a tie changes no value."""
    left, right = expression.arguments
    pair = (right, left) if not slots(left) else (left, right)
    return graph.map(
        expression.function, *(evaluate(graph, argument, operands) for argument in pair)
    )


_RULES: dict[str, Callable[[ValueGraph, Apply, Sequence[Labelled]], Labelled]] = {
    "add": _sum,
    "multiply": _product,
    "divide": _product,
    "power": _power,
    "negative": _product,
    "where": _where,
    "maximum": _extreme,
    "minimum": _extreme,
    **dict.fromkeys(COMPARISONS, _comparison),
}
