"""Nodes in forty digits, at the point that decided the branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath

from symbackprop.auditing.code.dag import Node, reachable
from symbackprop.auditing.code.effort import DIGITS as WORK

DIGITS = 40
ZERO = mpmath.mpf(0)

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": mpmath.power,
    "exp": mpmath.exp,
    "log": mpmath.log,
    "tanh": mpmath.tanh,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "erf": mpmath.erf,
    "arctan": mpmath.atan,
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
}


def numbers(outputs: Sequence[Node], replaced: dict[int, Any] | None = None) -> list[Any]:
    """Return the outputs in `DIGITS` digits.

    Args:
        outputs: What is evaluated.
        replaced: Other values for nodes, by their place.

    Raises:
        ArithmeticError: If one of them has no finite real value.
    """
    wanted = list(outputs)
    # What was computed once is kept with the graph, unless other values stand in.
    known: dict[int, Any] = wanted[0].graph.digits if wanted and not replaced else {}
    known.update(replaced or {})
    with mpmath.workdps(DIGITS):
        for node in reachable(wanted, known):
            node.graph.effort.spend(WORK)
            known[node.place] = _number(node, [known[a.place] for a in node.arguments])
        result = [known[node.place] for node in wanted]
        if any(isinstance(value, mpmath.mpc) or not mpmath.isfinite(value) for value in result):
            raise ArithmeticError("no finite real value")
    return result


def _number(node: Node, arguments: list[Any]) -> Any:
    if node.function == "constant":
        return mpmath.mpf(node.payload.numerator) / node.payload.denominator
    if node.function == "pi":
        return +mpmath.pi
    if node.function in ("input", "infinite"):
        return mpmath.mpf(node.value)
    return _FUNCTIONS[node.function](*arguments)
