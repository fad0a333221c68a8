"""One run of a program: its modules, its graph, what it may spend and what it went through."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from symbackprop.auditing.code.dag import Graph, Node
from symbackprop.auditing.code.effort import ELEMENTS, RUN, STEP
from symbackprop.auditing.code.faults import Beyond, Fault, Misused, Raised, Unknown
from symbackprop.auditing.code.interpreter.values import (
    Array,
    Bound,
    Class,
    Function,
    Instance,
    Library,
    ModuleScope,
    Namespace,
    Native,
    Scope,
    Tensor,
)
from symbackprop.auditing.code.source import Module

MOST_STEPS = 400_000
MOST_WORK = 2_000_000
MOST_ELEMENTS = 120_000
MOST_CALLS = 28
MOST_LENGTH = 100_000

# A file, a line, and what is decided there.
Place = tuple[str, int, str]


@dataclass
class Record:
    """What a run went through: lines, and outcomes of each comparison and branch by its place."""

    lines: set[tuple[str, int | None, int]] = field(default_factory=set)
    outcomes: dict[Place, set[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)


class Machine:
    """The state of one run.

    Args:
        graph: Where its numbers are made.
        find: Gives the text of a module beside the audited file, or None.
        draw: Gives the value of a random number at a place in the program.
    """

    def __init__(
        self,
        graph: Graph,
        find: Callable[[str, int, Module], Module | None],
        draw: Callable[[str, tuple[int, ...]], float] | None = None,
    ) -> None:
        self.graph = graph
        self.find = find
        self.effort = graph.effort
        self.effort.spend(RUN)
        self.draw = draw or (lambda kind, index: 0.5)
        self.record = Record()
        # The first two values that each comparison was made of.
        self.compared: dict[Place, tuple[Node, Node]] = {}
        self.modules: dict[str, ModuleScope] = {}
        self.inputs: dict[int, tuple[str, Any]] = {}
        self.replaced: dict[Any, Callable[..., Any]] = {}
        self.shown: dict[int, dict[str, Any]] = {}
        self.shown_nodes: set[ast.AST] = set()
        # What the program's functions gave last, by their qualified names.
        self.given: dict[str, Any] = {}
        # Whether other values may be drawn for inputs; no run is stopped for what cannot change.
        self.may_narrow: Callable[[frozenset[str]], bool] = lambda names: False
        self.steps = self.work = self.depth = self.randoms = 0
        self.here: tuple[str, int, int] = ("", 0, 0)
        graph.watch = self._watch
        self.evaluate: Callable[[ast.expr, Scope], Any] = _not_ready
        self.execute: Callable[[Sequence[ast.stmt], Scope], Any] = _not_ready
        self.call: Callable[[Any, list[Any], dict[str, Any]], Any] = _not_ready
        self.attribute: Callable[[Any, str], Any] = _not_ready

    def _watch(self, a: Node, b: Node, sign: str, order: int) -> None:
        # One call may compare with several bounds, as clip does.
        bound = b.constant if b.constant is not None else a.constant
        key = (self.here[0], self.here[1], f"comparison {self.here[2]} {sign} {bound}")
        self.compared.setdefault(key, (a, b))
        outcome = order == 0 if sign == "=" else order > 0
        self.record.outcomes.setdefault(key, set()).add(str(outcome))

    def took(self, what: str, outcome: object) -> None:
        """Note an arm that was taken at the present place."""
        key = (self.here[0], self.here[1], what)
        self.record.outcomes.setdefault(key, set()).add(str(outcome))

    def step(self, node: ast.AST, module: ModuleScope) -> None:
        """Count a step; note where the program is."""
        self.steps += 1
        self.here = (
            module.module.path,
            getattr(node, "lineno", self.here[1]),
            getattr(node, "col_offset", 0),
        )
        if self.steps > MOST_STEPS:
            raise Beyond(f"more than {MOST_STEPS} steps", self.here[1])
        self.effort.spend(STEP)

    def spend(self, elements: int, new: bool = True) -> None:
        """Count work on array elements, before it is done."""
        if new and elements > MOST_ELEMENTS:
            raise Beyond(f"an array of {elements} elements")
        self.work += elements
        if self.work > MOST_WORK:
            raise Beyond("too much work on arrays")
        self.effort.spend(elements // ELEMENTS)

    def number(self, value: int | Fraction) -> Node:
        """Return a constant."""
        return self.graph.number(value)

    def node(self, value: Any, what: str = "a number") -> Node:
        """Return a value as a node."""
        made = self.graph.lift(value)
        if made is None and isinstance(value, Tensor):
            value = value.array
        if made is None and isinstance(value, np.ndarray) and value.size == 1:
            made = self.graph.lift(value.reshape(-1)[0])
        if made is None:
            raise self.misused(value, "real", f"{what} is needed, not {kind_of(value)}")
        return made

    def integer(self, value: Any, what: str = "a size") -> int:
        """Return a value as an int.

        Raises:
            Misused: If it is an input that was taken for something else.
            Raised: If it is something else.
        """
        if isinstance(value, Tensor):
            value = value.array
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if isinstance(value, bool | int | np.integer | np.bool_):
            return int(value)
        if (
            isinstance(value, Node)
            and value.constant is not None
            and value.constant.denominator == 1
        ):
            return int(value.constant)
        free = isinstance(value, Node) and value.function == "input"
        element = value.payload[1] if free else id(value) not in self.inputs
        raise self.misused(
            value, "label" if element else "int", f"{what} must be an integer, not {kind_of(value)}"
        )

    def misused(self, value: Any, needed: str, message: str) -> Raised:
        """Return the fault of a value that is used as what it is not."""
        name = self.input_name(value)
        shape = getattr(getattr(value, "array", value), "shape", None)
        if needed.startswith("rank ") and shape is not None:
            needed = f"shift {int(needed.split()[1]) - len(shape)}"
        if name is not None:
            return Misused(name, needed, message, self.here[1])
        return Raised("TypeError", message, self.here[1])

    def input_name(self, value: Any) -> str | None:
        """Return the name of the input that a value is, if it is one."""
        if isinstance(value, Node):
            return value.payload[0] if value.function == "input" else None
        if isinstance(value, Tensor):
            value = value.array
        if isinstance(value, np.ndarray):
            for here in (value, value.base):
                if id(here) in self.inputs:
                    return self.inputs[id(here)][0]
            if value.size and value.dtype == object:
                names = {self.input_name(v) if isinstance(v, Node) else None for v in value.flat}
                return names.pop() if len(names) == 1 else None
        return self.inputs[id(value)][0] if id(value) in self.inputs else None

    def register(self, name: str, value: Any) -> None:
        """Remember that a value is an input; keeps it alive, since its identity is its key."""
        self.inputs[id(value)] = (name, value)

    def random(self, kind: str, shape: tuple[int, ...]) -> Any:
        """Return fresh random numbers."""
        self.spend(count(shape))
        self.randoms += 1
        name = f"random {self.randoms}"
        if shape == ():
            return self.graph.input(name, (), self.draw(kind, ()))
        made = np.empty(shape, dtype=object)
        for index in np.ndindex(*shape):
            made[index] = self.graph.input(name, index, self.draw(kind, index))
        return made

    def module(self, module: Module) -> ModuleScope:
        """Return the names of a module in this run."""
        if module.path not in self.modules:
            self.modules[module.path] = ModuleScope(module)
        return self.modules[module.path]


def _not_ready(*arguments: Any) -> Any:
    raise AssertionError("the machine is not wired")


def count(shape: Sequence[int]) -> int:
    """Return how many elements a shape has."""
    total = 1
    for extent in shape:
        total *= int(extent)
    return total


_KINDS: Mapping[type, str] = {
    Node: "a real number",
    bool: "a bool",
    int: "an int",
    str: "a string",
    type(None): "None",
    Tensor: "a tensor",
    Function: "a function",
    Native: "a function",
    Bound: "a method",
    Class: "a class",
    Library: "a library's name",
    Namespace: "an object",
    list: "a list",
    tuple: "a tuple",
    dict: "a dict",
}


def kind_of(value: Any) -> str:
    """Return what a value is, in words."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, Instance):
        return f"an object of {value.cls.name}"
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def plain(value: Any) -> Any:
    """Return an element of an array as the program sees it."""
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    return value


def unwrapped(value: Any) -> Any:
    """Return the array of a tensor; anything else as it is."""
    return value.array if isinstance(value, Tensor) else value


def native(call: Callable[..., Any], machine: Machine, name: str, *a: Any, **k: Any) -> Any:
    """Call a function of a table; what NumPy raises, the program raises."""
    try:
        return call(machine, *a, **k)
    except Fault as fault:
        fault.line = fault.line or machine.here[1]
        raise
    except (TypeError, NotImplementedError, AttributeError) as error:
        raise Unknown(f"{name} used like this ({error})", machine.here[1]) from error
    except (ValueError, IndexError, ZeroDivisionError, KeyError, OverflowError) as error:
        raise Raised(type(error).__name__, str(error), machine.here[1]) from error


def as_array(machine: Machine, value: Any) -> Array:
    """Return a value as an array: of ints or bools where it holds nothing else, else of nodes."""
    if isinstance(value, Tensor):
        return value.array
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, range):
        machine.spend(len(value))
        return np.arange(value.start, value.stop, value.step)
    if isinstance(value, Node):
        made = np.empty((), dtype=object)
        made[()] = value
        return made
    if isinstance(value, bool | int):
        return np.asarray(value)
    if isinstance(value, list | tuple):
        return _stacked(machine, list(value))
    raise machine.misused(value, "array", f"an array cannot be made of {kind_of(value)}")


def _stacked(machine: Machine, values: list[Any]) -> Array:
    parts = [as_array(machine, value) for value in values]
    if not parts:
        return np.empty((0,), dtype=object)
    if len({part.shape for part in parts}) > 1:
        raise Unknown("an array of parts with different shapes", machine.here[1])
    machine.spend(count(parts[0].shape) * len(parts))
    if any(part.dtype == object for part in parts):
        made = np.empty((len(parts), *parts[0].shape), dtype=object)
        for index, part in enumerate(parts):
            made[index] = nodes(machine, part)
        return made
    return np.stack(parts)


def nodes(machine: Machine, array: Array) -> Array:
    """Return an array of nodes; ints and bools become constants."""
    if array.dtype == object:
        return array
    made = np.empty(array.shape, dtype=object)
    for index in np.ndindex(*array.shape):
        made[index] = machine.number(Fraction(int(array[index])))
    return made
