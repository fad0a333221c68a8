"""The callables that a pair names, and the objects that they belong to, built once."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from symbackprop.auditing.code.callees import replace_refuted
from symbackprop.auditing.code.effort import Effort
from symbackprop.auditing.code.faults import Mismatch, Misused, Raised, Unknown
from symbackprop.auditing.code.inputs import Inputs
from symbackprop.auditing.code.interpreter.attributes import new_context
from symbackprop.auditing.code.interpreter.running import new_machine
from symbackprop.auditing.code.interpreter.scopes import MISSING, of_module
from symbackprop.auditing.code.interpreter.values import (
    Class,
    Function,
    Instance,
    Library,
    Tensor,
)
from symbackprop.auditing.code.pairs import Pair, Part, definition, parameters
from symbackprop.auditing.code.preparing import called, lacking, own_methods, setters
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.running import (
    Target,
    snapshot,
)
from symbackprop.auditing.code.specs import Setup

# How many methods may set what the next one reads.
MOST_SETTERS = 3


class Targets(ABC):
    """The run of one pair on one setup; `stage` says how far it came."""

    def __init__(self, project: Project, pair: Pair, setup: Setup, effort: Effort) -> None:
        self.project = project
        self.pair = pair
        self.setup = setup
        self.stage = "setup"
        self.machine = new_machine(effort, project.find, self.drawn)
        self.machine.graph.most = setup.most
        self.inputs = Inputs(self.machine, setup, "torch" in setup.reading)
        self.machine.may_narrow = self.may_narrow
        self.scope = self.machine.module(project.module)
        for name, spec in project.sized_globals.items():
            self.setup.specs.setdefault(name, spec)
            self.scope.overrides[name] = self.inputs.get(name)
        self.scope.found = self.free_global
        replace_refuted(self.machine, self.scope, project)
        self.objects: dict[str, Instance] = {}
        self.forward_names: dict[str, Any] = {}
        self.returned: list[tuple[str | None, Any]] = []
        self.upstream: str | None = None
        self.contexts: dict[str, Any] = {}
        self.late: list[str] = []
        self.backward_target = Target(None)
        self.inputs.choices = project.compared_strings
        self.inputs.choices_by_key = project.choices_by_key
        self.backward_names: set[str] = set()
        self.forward_node: Any = None
        self.main: Any = None
        self.stored = False
        self.singles: list[Setup] = []

    def free_global(self, name: str, value: Any) -> Any:
        """Return an array of the file's own, such as its weights, made a free input."""
        sides = (self.pair.function, self.pair.derivative)
        nodes = [definition(self.project.module, part.name) for part in sides if part]
        own = {p for n in nodes if isinstance(n, ast.FunctionDef) for p in parameters(n)}
        array = value.array if isinstance(value, Tensor) else value
        if name in own or not isinstance(array, np.ndarray) or array.dtype != object:
            return value
        origin = self.machine.input_name(array)
        if origin is not None and not origin.startswith("random "):
            return value
        self.inputs.values[name] = self.inputs.freed(name, value)
        return self.inputs.values[name]

    def may_narrow(self, names: frozenset[str]) -> bool:
        """Return whether some of these inputs may be drawn from (0, 1) instead."""
        specs = [self.setup.specs[n] for n in names if n in self.setup.specs]
        return any(s.kind in ("array", "real") and s.low < 0 for s in specs)

    def drawn(self, kind: str, index: tuple[int, ...]) -> float:
        """Return a random number that the program asks for."""
        return self.inputs.draw(kind, index)

    @abstractmethod
    def arguments(self, target: Target, prefix: str = "") -> dict[str, Any]:
        """Return the arguments of a function, by name."""

    def target(self, part: Part) -> Target:
        """Return the callable that a part names."""
        module = self.scope
        if part.file is not None:
            other = self.project.file(part.file)
            if other is None:
                raise Unknown(f"the file {part.file} cannot be read")
            module = self.machine.module(other)
        value: Any = of_module(self.machine, module, part.path[0])
        if value is MISSING:
            raise Unknown(f"{part.path[0]} is not defined")
        receiver = None
        for name in part.path[1:]:
            if isinstance(value, Class):
                receiver = value
                found = value.find(name)
                if found is None:
                    raise Unknown(f"{value.name} has no {name}")
                value = found
            elif isinstance(value, Function):
                value = self.nested(value, receiver, name)
                receiver = None
            else:
                value = self.machine.attribute(value, name)
        return self.bound(value, receiver, part)

    def bound(self, value: Any, receiver: Any, part: Part) -> Target:
        """Return a callable with its object, which is built where it is needed."""
        if isinstance(value, Class):
            instance = self.object_of(value)
            found = value.find("__call__") or value.find("forward")
            return Target(found, instance, flags=part.flags)
        if not isinstance(value, Function):
            if isinstance(value, Instance):
                return Target(value.cls.find("__call__"), value, flags=part.flags)
            return Target(value, flags=part.flags)
        names = [a.arg for a in value.node.args.args]
        if receiver is None:
            return Target(value, flags=part.flags)
        if names[:1] == ["ctx"] or self.is_autograd(receiver):
            return Target(value, receiver, context=True, flags=part.flags)
        if value.kind == "staticmethod":
            return Target(value, None, flags=part.flags)
        if value.kind == "classmethod":
            return Target(value, receiver, flags=part.flags)
        return Target(value, self.object_of(receiver), flags=part.flags)

    def is_autograd(self, cls: Class) -> bool:
        """Return whether a class is one of PyTorch's autograd functions."""
        return any(isinstance(b, Library) and b.name.endswith("Function") for b in cls.lineage())

    def nested(self, outer: Function, receiver: Any, name: str) -> Any:
        """Return a function that another one defines, by running that one."""
        self.machine.shown_nodes.add(outer.node)
        if isinstance(receiver, Class) and outer.name == "__init__":
            self.object_of(receiver)
        else:
            target = self.bound(outer, receiver, Part(outer.name))
            self.call(target, self.arguments(target))
        found = self.machine.shown.get(id(outer.node), {}).get(name)
        if found is None:
            raise Unknown(f"{outer.name} defines no {name}")
        return found

    def object_of(self, cls: Class) -> Instance:
        """Return the object of a class that both sides work on, with its state made free."""
        if cls.name not in self.objects:
            made = Instance(cls)
            self.objects[cls.name] = made
            self.machine.register(f"{cls.name} object", made)
            start = cls.find("__init__")
            if isinstance(start, Function):
                target = Target(start, made)
                self.call(target, self.arguments(target, f"{cls.name}."))
            self.prepare(made)
            self.inputs.freed("self", made)
        return self.objects[cls.name]

    def prepare(self, made: Instance) -> None:
        """Call what sets up an object where it is no constructor that does it."""
        for name in ("initialize", "initialise", "init_params", "init_weights", "build", "reset"):
            found = made.cls.find(name)
            if isinstance(found, Function) and self.project.calls.get(name):
                required = len(found.node.args.args) - len(found.defaults) - 1
                if not required:
                    self.call(Target(found, made), {})
        self.complete(made, called(made.cls, own_methods(self.pair, made.cls)), 0)

    def complete(self, made: Instance, methods: list[Function], depth: int) -> None:
        """Call the methods that set the attributes that others read, with inputs of their own."""
        wanted = lacking(made, methods)
        for setter in setters(made.cls, wanted, methods) if depth < MOST_SETTERS else ():
            if not lacking(made, methods) & wanted:
                return
            before = dict(made.attributes)
            try:
                self.complete(made, called(made.cls, [setter]), depth + 1)
                target = Target(setter, made)
                self.call(target, self.arguments(target, f"{made.cls.name}.{setter.name}."))
            except (Misused, Mismatch):
                raise
            except (Unknown, Raised):
                made.attributes = before

    def call(self, target: Target, arguments: dict[str, Any]) -> Any:
        """Return what a target gives."""
        first = [] if target.receiver is None else [target.receiver]
        if target.context:
            name = target.receiver.name
            first = [self.contexts.setdefault(name, new_context())]
        if target.node is None:
            return self.machine.call(target.function, list(arguments.values()), {})
        return self.machine.call(target.function, first, dict(arguments))

    def state_output(self, name: str) -> Any:
        """Return what a function that returns nothing set last on its object."""
        for instance in self.objects.values():
            for value in reversed(list(instance.attributes.values())):
                if isinstance(value, list) and value and isinstance(value[-1], np.ndarray):
                    return value[-1]
                if isinstance(value, np.ndarray) and id(value) not in self.machine.inputs:
                    return value
        return None

    def state(self) -> dict[str, Any]:
        """Return copies of the arrays that the objects hold, by their spelled names."""
        found: dict[str, Any] = {}
        for instance in self.objects.values():
            for key, value in instance.attributes.items():
                found[f"self.{key}"] = snapshot(value)
        for name, value in self.inputs.values.items():
            if isinstance(value, np.ndarray | Tensor | dict | list):
                found[name] = snapshot(value)
        return found
