"""Real numbers as nodes of a graph in which equal expressions are one node.

Every node carries a float, which decides comparisons at the point where a program is followed.
Decimals are exact fractions; arithmetic between constants is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable
from fractions import Fraction
from typing import Any

from symbackprop.auditing.code.effort import NODE, Effort
from symbackprop.auditing.code.faults import Beyond, Tie, Undefined, Unknown
from symbackprop.auditing.code.floats import (
    FLOATS,
    MOST_BITS,
    MOST_EXPONENT,
    TIE,
    UNDERFLOW,
    exact_root,
)

MOST_NODES = 400_000


class Node:
    """One value: a constant, an input, or a function of other nodes.

    Attributes:
        function: ``constant``, ``input``, ``pi``, ``infinite`` or a key of `FLOATS`.
        arguments: The nodes that it is a function of.
        payload: The fraction of a constant, the name and index of an input.
        value: The double that decides comparisons.
        place: Its position in the graph; arguments stand before.
    """

    __slots__ = ("arguments", "function", "graph", "payload", "place", "value")

    def __init__(
        self,
        graph: Graph,
        function: str,
        arguments: tuple[Node, ...],
        payload: Any,
        value: float,
        place: int,
    ) -> None:
        self.graph = graph
        self.function = function
        self.arguments = arguments
        self.payload = payload
        self.value = value
        self.place = place

    @property
    def constant(self) -> Fraction | None:
        """The exact value, where it is one."""
        return self.payload if self.function == "constant" else None

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{self.function} {self.value:.4g}>"

    def _with(self, make: Callable[[Node, Node], Any], other: object, swap: bool = False) -> Any:
        operand = self.graph.lift(other)
        if operand is None:
            return NotImplemented
        return make(operand, self) if swap else make(self, operand)

    def __add__(self, other: object) -> Any:
        return self._with(self.graph.add, other)

    def __radd__(self, other: object) -> Any:
        return self._with(self.graph.add, other, True)

    def __sub__(self, other: object) -> Any:
        return self._with(self.graph.subtract, other)

    def __rsub__(self, other: object) -> Any:
        return self._with(self.graph.subtract, other, True)

    def __mul__(self, other: object) -> Any:
        return self._with(self.graph.multiply, other)

    def __rmul__(self, other: object) -> Any:
        return self._with(self.graph.multiply, other, True)

    def __truediv__(self, other: object) -> Any:
        return self._with(self.graph.divide, other)

    def __rtruediv__(self, other: object) -> Any:
        return self._with(self.graph.divide, other, True)

    def __pow__(self, other: object) -> Any:
        return self._with(self.graph.power, other)

    def __rpow__(self, other: object) -> Any:
        return self._with(self.graph.power, other, True)

    def __floordiv__(self, other: object) -> Any:
        return self._with(self.graph.floor_divide, other)

    def __mod__(self, other: object) -> Any:
        return self._with(self.graph.remainder, other)

    def __neg__(self) -> Node:
        return self.graph.negate(self)

    def __abs__(self) -> Node:
        zero = self.graph.number(0)
        return self if self.graph.compare(self, zero, "abs") >= 0 else self.graph.negate(self)

    def __bool__(self) -> bool:
        return self.graph.compare(self, self.graph.number(0), "truth") != 0

    def _order(self, other: object, holds: Callable[[int], bool], sign: str) -> Any:
        operand = self.graph.lift(other)
        if operand is None:
            return NotImplemented
        return holds(self.graph.compare(self, operand, sign))

    def __lt__(self, other: object) -> Any:
        return self._order(other, lambda order: order < 0, "<")

    def __le__(self, other: object) -> Any:
        return self._order(other, lambda order: order <= 0, "<")

    def __gt__(self, other: object) -> Any:
        return self._order(other, lambda order: order > 0, ">")

    def __ge__(self, other: object) -> Any:
        return self._order(other, lambda order: order >= 0, ">")

    def __eq__(self, other: object) -> Any:
        return self._order(other, lambda order: order == 0, "=")

    def __ne__(self, other: object) -> Any:
        return self._order(other, lambda order: order != 0, "=")


class Graph:
    """All nodes of one run, in the order in which they were made, at a cost each."""

    def __init__(self, effort: Effort, most: int = MOST_NODES) -> None:
        self.effort = effort
        self.nodes: list[Node] = []
        self.most = most
        self.underflowed = False
        self.watch: Callable[[Node, Node, str, int], None] = lambda a, b, sign, order: None
        self._known: dict[tuple[Any, ...], Node] = {}
        self.digits: dict[int, Any] = {}  # values in many digits, as far as asked for
        self._reached: dict[int, frozenset[str]] = {}

    def _make(self, function: str, arguments: tuple[Node, ...], payload: Any, value: float) -> Node:
        key = (function, payload, *(a.place for a in arguments))
        known = self._known.get(key)
        if known is not None:
            return known
        if len(self.nodes) >= self.most:
            raise Beyond(f"more than {self.most} values")
        self.effort.spend(NODE)
        node = Node(self, function, arguments, payload, value, len(self.nodes))
        self.nodes.append(node)
        self._known[key] = node
        return node

    def number(self, value: int | Fraction) -> Node:
        """Return a constant."""
        exact = Fraction(value)
        if exact.numerator.bit_length() + exact.denominator.bit_length() > MOST_BITS:
            raise Unknown("a number of too many digits")
        try:
            shadow = float(exact)
        except OverflowError:
            shadow = math.inf if exact > 0 else -math.inf
        return self._make("constant", (), exact, shadow)

    def infinite(self, sign: int) -> Node:
        """Return an infinity."""
        return self._make("infinite", (), sign, math.inf * sign)

    def pi(self) -> Node:
        """Return π."""
        return self._make("pi", (), None, math.pi)

    def input(self, name: str, index: tuple[int, ...], value: float) -> Node:
        """Return an element of a free input with its value at this point."""
        return self._make("input", (), (name, index), value)

    def lift(self, value: object) -> Node | None:
        """Return a value as a node; None if it is no number."""
        if isinstance(value, Node):
            return value
        if isinstance(value, bool | int | Fraction):
            return self.number(Fraction(int(value)) if isinstance(value, bool) else value)
        item = getattr(value, "item", None) if type(value).__module__ == "numpy" else None
        if item is not None and getattr(value, "shape", None) == ():
            plain = item()
            return self.lift(plain) if isinstance(plain, bool | int) else None
        return None

    def inputs_of(self, node: Node) -> frozenset[str]:
        """Return the names of the inputs that a node depends on."""
        waiting = [node]
        while waiting:
            here = waiting[-1]
            if here.place in self._reached:
                waiting.pop()
                continue
            missing = [a for a in here.arguments if a.place not in self._reached]
            if missing:
                waiting += missing
                continue
            own = frozenset((here.payload[0],)) if here.function == "input" else frozenset()
            self._reached[here.place] = own.union(*(self._reached[a.place] for a in here.arguments))
            waiting.pop()
        return self._reached[node.place]

    def compare(self, a: Node, b: Node, sign: str) -> int:
        """Return the order of two values at this point: −1, 0 or 1.

        Raises:
            Tie: If they differ, but by too little.
        """
        if math.isnan(a.value) or math.isnan(b.value):
            raise Undefined("a comparison with NaN", self.inputs_of(a) | self.inputs_of(b))
        if a is b:
            return 0
        if a.constant is not None and b.constant is not None:
            order = (a.constant > b.constant) - (a.constant < b.constant)
        else:
            order = (a.value > b.value) - (a.value < b.value)
            if abs(a.value - b.value) < TIE * max(1.0, abs(b.value)):
                raise Tie("a comparison of values that are almost equal")
            self.watch(a, b, sign, order)
        return order

    def apply(self, function: str, *arguments: Node) -> Node:
        """Return a function of nodes, made simpler where that is plain."""
        simple = _SIMPLE.get(function)
        return simple(self, *arguments) if simple else self._function(function, arguments)

    def _function(self, function: str, arguments: tuple[Node, ...]) -> Node:
        values = [a.value for a in arguments]
        try:
            shadow = FLOATS[function](*values)
        except OverflowError:
            shadow = math.inf
        except (ValueError, ZeroDivisionError):
            shadow = math.nan
        if math.isnan(shadow) and not any(map(math.isnan, values)):
            names = frozenset[str]().union(*(self.inputs_of(a) for a in arguments))
            raise Undefined(f"{function} outside its domain", names)
        return self._make(function, arguments, None, shadow)

    def add(self, a: Node, b: Node) -> Node:
        """Return a + b."""
        u, v = a.constant, b.constant
        if u is not None and v is not None:
            return self.number(u + v)
        if u == 0:
            return b
        if v == 0:
            return a
        if "infinite" in (a.function, b.function):
            return self._unbounded(a.value + b.value)
        return self._function("add", (a, b) if a.place <= b.place else (b, a))

    def _unbounded(self, value: float) -> Node:
        if math.isinf(value):
            return self.infinite(1 if value > 0 else -1)
        if value == 0:
            return self.number(0)
        raise Undefined("a value that is no number")

    def multiply(self, a: Node, b: Node) -> Node:
        """Return a · b."""
        u, v = a.constant, b.constant
        if u is not None and v is not None:
            return self.number(u * v)
        if "infinite" in (a.function, b.function):
            return self._unbounded(a.value * b.value)
        if u == 0 or v == 0:
            return self.number(0)
        if u == 1:
            return b
        if v == 1:
            return a
        return self._function("multiply", (a, b) if a.place <= b.place else (b, a))

    def negate(self, a: Node) -> Node:
        """Return −a."""
        if a.function == "multiply":
            first = a.arguments[0].constant
            if first is not None and first == -1:
                return a.arguments[1]
        return self.multiply(self.number(-1), a)

    def subtract(self, a: Node, b: Node) -> Node:
        """Return a − b."""
        if a is b and math.isfinite(a.value):
            return self.number(0)
        return self.add(a, self.negate(b))

    def divide(self, a: Node, b: Node) -> Node:
        """Return a / b."""
        u, v = a.constant, b.constant
        if v == 0:
            raise Undefined("a division by zero", self.inputs_of(a))
        if u is not None and v is not None:
            return self.number(u / v)
        if "infinite" in (a.function, b.function):
            return self._unbounded(a.value / b.value if b.value else math.nan)
        if u == 0:
            return a
        if v is not None:
            return self.multiply(self.number(1 / v), a)
        return self.number(1) if a is b else self._function("divide", (a, b))

    def power(self, a: Node, b: Node) -> Node:
        """Return a to the power b."""
        u, v = a.constant, b.constant
        if v is not None and abs(v) > MOST_EXPONENT:
            raise Unknown(f"a power of {v}")
        if v in (0, 1):
            return a if v else self.number(1)
        if u == 0 and v is not None and v < 0:
            raise Undefined("a division by zero")
        if u is not None and v is not None:
            if v.denominator == 1:
                if (u.numerator.bit_length() + u.denominator.bit_length()) * abs(v) > MOST_BITS:
                    raise Unknown("a number of too many digits")
                return self.number(Fraction(u ** int(v)))
            root = exact_root(u) if v == Fraction(1, 2) else None
            if root is not None:
                return self.number(root)
        return a if u == 1 else self._function("power", (a, b))

    def exp(self, a: Node) -> Node:
        """Return eᵃ; where a double would be 0, 0, and it is noted."""
        if a.constant == 0:
            return self.number(1)
        if a.value < UNDERFLOW:
            self.underflowed |= a.function != "infinite"
            return self.number(0)
        return a if a.function == "infinite" else self._function("exp", (a,))

    def log(self, a: Node) -> Node:
        """Return the natural logarithm."""
        if a.constant == 1:
            return self.number(0)
        if a.constant == 0:
            return self.infinite(-1)
        if a.function in ("exp", "infinite") and a.value > 0:
            return a.arguments[0] if a.arguments else a
        return self._function("log", (a,))

    def floor_divide(self, a: Node, b: Node) -> Node:
        """Return ⌊a / b⌋, a constant near this point."""
        return self.floor(self.divide(a, b))

    def remainder(self, a: Node, b: Node) -> Node:
        """Return a − b ⌊a / b⌋."""
        return self.subtract(a, self.multiply(b, self.floor_divide(a, b)))

    def floor(self, a: Node) -> Node:
        """Return ⌊a⌋, a constant near this point."""
        if a.constant is not None:
            return self.number(math.floor(a.constant))
        if not math.isfinite(a.value):
            raise Undefined("a floor of what is not finite")
        if abs(a.value - round(a.value)) < TIE:
            raise Tie("a floor at a jump")
        return self.number(math.floor(a.value))


_SIMPLE: dict[str, Callable[..., Node]] = {
    "add": Graph.add,
    "multiply": Graph.multiply,
    "divide": Graph.divide,
    "power": Graph.power,
    "exp": Graph.exp,
    "log": Graph.log,
}


def reachable(outputs: Iterable[Node], known: Container[int] = ()) -> list[Node]:
    """Return the nodes that outputs depend on, arguments first, but for what known ones need."""
    found: dict[int, Node] = {}
    waiting = list(outputs)
    while waiting:
        node = waiting.pop()
        if node.place not in found and node.place not in known:
            found[node.place] = node
            waiting += node.arguments
    return [found[place] for place in sorted(found)]
