"""The true gradient: a reverse sweep over the graph.

The partial derivative of every scalar function comes from the calculus, which derives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from symbackprop import scalar
from symbackprop.auditing.code.dag import Graph, Node, reachable
from symbackprop.auditing.code.effort import PARTIAL


@lru_cache(maxsize=512)
def _derived(function: str, position: int, exponent: scalar.Expression) -> scalar.Expression:
    """The partial derivative of a function of its slots; an exponent may be fixed."""
    # Only code with a gradient waits for the calculus.
    from symbackprop.calculus.partials import partial

    slots = (scalar.Slot(0), exponent) if function == "power" else _slots(function)
    return partial(scalar.Apply(function, slots), position)


# What each inverse function undoes: a function of slot 0, which is the inverse's value.
_SLOT = (scalar.Slot(0),)
_SINE, _COSINE = scalar.Apply("sin", _SLOT), scalar.Apply("cos", _SLOT)
_INVERSES: dict[str, scalar.Expression] = {
    "arctan": scalar.Apply("divide", (_SINE, _COSINE)),
    "arcsin": _SINE,
    "arccos": _COSINE,
}


@lru_cache(maxsize=8)
def _undone(function: str) -> scalar.Expression:
    """The derivative of what an inverse function undoes: its own is one over it."""
    from symbackprop.calculus.partials import partial

    return partial(_INVERSES[function], 0)


def _slots(function: str) -> tuple[scalar.Expression, ...]:
    return tuple(scalar.Slot(i) for i in range(scalar.ARITY[function] or 2))


def load_calculus() -> None:
    """Load the calculus, so that nobody's time is spent on it."""
    _undone("arcsin")


def gradients(seeds: Mapping[Node, Node], by: Iterable[Node]) -> list[Node]:
    """Return the derivatives of Σ seed · output by each of the nodes `by`.

    Args:
        seeds: Outputs, each with its cotangent.
        by: Nodes that the derivative is taken by; what they are made of is not looked at.
    """
    wanted = list(by)
    if not wanted:
        return []
    graph = wanted[0].graph
    zero = graph.number(0)
    stop = {node.place for node in wanted}
    order = reachable(seeds)
    useful = _useful(order, stop)
    adjoints: dict[int, Node] = {}
    for output, cotangent in seeds.items():
        adjoints[output.place] = graph.add(adjoints.get(output.place, zero), cotangent)
    for node in reversed(order):
        adjoint = adjoints.get(node.place)
        if adjoint is None or adjoint is zero:
            continue
        if node.function in ("constant", "input", "pi", "infinite"):
            continue
        for position, argument in enumerate(node.arguments):
            if argument.place in useful:
                graph.effort.spend(PARTIAL)
                term = graph.multiply(adjoint, _local(graph, node, position))
                adjoints[argument.place] = graph.add(adjoints.get(argument.place, zero), term)
    return [adjoints.get(node.place, zero) for node in wanted]


def _useful(order: list[Node], stop: set[int]) -> set[int]:
    useful: set[int] = set()
    for node in order:
        if node.place in stop or any(a.place in useful for a in node.arguments):
            useful.add(node.place)
    return useful


def _local(graph: Graph, node: Node, position: int) -> Node:
    if node.function in _INVERSES:
        below = instantiate(graph, _undone(node.function), (node,))
        return graph.divide(graph.number(1), below)
    exponent: scalar.Expression = scalar.Slot(1)
    if node.function == "power" and position == 0:
        fixed = node.arguments[1].constant
        exponent = scalar.Slot(1) if fixed is None else scalar.Number(fixed)
    return instantiate(graph, _derived(node.function, position, exponent), node.arguments)


def instantiate(graph: Graph, expression: scalar.Expression, operands: tuple[Node, ...]) -> Node:
    """Return the node of an expression whose slots are the operands."""
    if isinstance(expression, scalar.Number):
        return graph.number(expression.value)
    if isinstance(expression, scalar.Slot):
        return operands[expression.position]
    if isinstance(expression, scalar.Named):
        assert expression.name == "pi", expression.name
        return graph.pi()
    arguments = [instantiate(graph, a, operands) for a in expression.arguments]
    if expression.function in ("add", "multiply"):
        result = arguments[0]
        for argument in arguments[1:]:
            result = graph.apply(expression.function, result, argument)
        return result
    if expression.function == "negative":
        return graph.negate(arguments[0])
    if expression.function == "sqrt":
        return graph.power(arguments[0], graph.divide(graph.number(1), graph.number(2)))
    return graph.apply(expression.function, *arguments)
