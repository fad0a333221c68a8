"""What a run of a pair works on: targets with their objects, and what came of it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.hints import entry_key
from symbackprop.auditing.code.inputs import Inputs
from symbackprop.auditing.code.interpreter.machine import Machine
from symbackprop.auditing.code.interpreter.scopes import MISSING
from symbackprop.auditing.code.interpreter.values import (
    Function,
    Instance,
    Tensor,
)

if TYPE_CHECKING:
    from symbackprop.auditing.code.targets import Targets

MOST_NESTED = 5


@dataclass
class Target:
    """A callable of the program with the object that it belongs to."""

    function: Any
    receiver: Any = None
    context: bool = False
    flags: dict[str, Any] = field(default_factory=dict)

    @property
    def node(self) -> ast.FunctionDef | ast.Lambda | None:
        """The definition, where the program holds it."""
        return self.function.node if isinstance(self.function, Function) else None


@dataclass
class Followed:
    """What a run of a pair came to.

    Attributes:
        machine: The run, with what it went through.
        inputs: The inputs that it was run on.
        output: What the function gave.
        result: What the derivative gave.
        upstream: The name of the input that is the gradient by the output, if there is one.
        before: The state of the object before the derivative ran, by spelled name.
        after: The state after it.
        locals: The last values of the derivative's names.
        forward: The function.
        backward: The derivative.
        names: The last values of the function's names.
        forward_nodes: How many nodes the function made; none where it is the derivative too.
    """

    machine: Machine
    inputs: Inputs
    output: Any
    result: Any
    upstream: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    locals: dict[str, Any]
    forward: Target
    backward: Target
    names: dict[str, Any] = field(default_factory=dict)
    forward_nodes: int = 0


LATE = object()


def snapshot(value: Any, depth: int = 0) -> Any:
    """Return a copy of all arrays that a value holds."""
    if isinstance(value, Tensor):
        value = value.array
    if isinstance(value, np.ndarray):
        return value.copy()
    if depth < 5:
        if isinstance(value, tuple):
            return tuple(snapshot(v, depth + 1) for v in value)
        if isinstance(value, list):
            return [snapshot(v, depth + 1) for v in value]
        if isinstance(value, dict):
            return {k: snapshot(v, depth + 1) for k, v in value.items()}
        if isinstance(value, Instance):
            return {k: snapshot(v, depth + 1) for k, v in value.attributes.items()}
    return value


def main_output(output: Any, depth: int = 0) -> Any:
    """Return the array or number that a function's result is about."""
    if depth > MOST_NESTED:
        return None
    if isinstance(output, Tensor):
        return output.array
    if isinstance(output, np.ndarray | Node):
        return output
    if isinstance(output, tuple | list):
        for part in output:
            found = main_output(part, depth + 1)
            if found is not None:
                return found
    return None


def returned_parts(node: Any, output: Any) -> list[tuple[str | None, Any]]:
    """The parts of what a function returned, with the names that they have there."""
    names: list[str | None] = []
    if isinstance(node, ast.FunctionDef):
        for here in ast.walk(node):
            if isinstance(here, ast.Return) and isinstance(here.value, ast.Tuple):
                names = [e.id if isinstance(e, ast.Name) else None for e in here.value.elts]
            elif isinstance(here, ast.Return) and isinstance(here.value, ast.Name):
                names = [here.value.id]
    values = list(output) if isinstance(output, tuple) else [output]
    if len(names) != len(values):
        names = [None] * len(values)
    return list(zip(names, values, strict=True))


def parameter_names(target: Target) -> list[str]:
    """Return the parameters of a target, without its object."""
    assert target.node is not None
    spec = target.node.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    if target.receiver is not None:
        names = names[1:]
    return [*names, *(a.arg for a in spec.kwonlyargs)]


def defaults_of(target: Target) -> dict[str, Any]:
    """The parameters with their defaults."""
    names = parameter_names(target)
    spec = target.function.node.args
    positional = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    values = target.function.defaults
    known = dict(zip(positional[len(positional) - len(values) :], values, strict=True))
    known.update(target.function.keyword_defaults)
    return {name: known.get(name, MISSING) for name in names}


def keyed(target: Target, name: str) -> bool:
    """Whether a function takes a parameter for a dict of settings or parameters."""
    assert target.node is not None
    for node in ast.walk(target.node):
        whole = node.value if isinstance(node, ast.Subscript | ast.Attribute) else None
        if isinstance(whole, ast.Name) and whole.id == name:
            if isinstance(node, ast.Subscript) and entry_key(node) is not None:
                return True
            if isinstance(node, ast.Attribute) and node.attr in ("get", "setdefault", "keys"):
                return True
    return False


def reads(target: Target, name: str) -> bool:
    """Whether a function reads a parameter: one that it ignores keeps its default."""
    assert target.node is not None
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        for n in ast.walk(target.node)
    )


def unpacks(target: Target, name: str) -> list[str]:
    """Return the names that a function gives to the parts of a parameter: ``a, b = name``."""
    assert target.node is not None
    for node in ast.walk(target.node):
        taken = node.targets[0] if isinstance(node, ast.Assign) else None
        value = node.value if isinstance(node, ast.Assign) else None
        if isinstance(taken, ast.Tuple) and isinstance(value, ast.Name) and value.id == name:
            return [ast.unparse(part) for part in taken.elts]
    return []


def keys_of(target: Target, name: str, known: Callable[[str], Any]) -> list[str]:
    """Return the keys of a dict of the file from which a function takes what a parameter names."""
    assert target.node is not None
    for node in ast.walk(target.node):
        whole = node.value if isinstance(node, ast.Subscript) else None
        index = node.slice if isinstance(node, ast.Subscript) else None
        if isinstance(whole, ast.Name) and isinstance(index, ast.Name) and index.id == name:
            found = known(whole.id)
            keys = list(found) if isinstance(found, dict) else []
            if keys and all(isinstance(key, str) for key in keys):
                return keys
    return []


def choices_of(target: Target, name: str) -> list[str]:
    """The strings that the function compares a parameter with."""
    found: list[str] = []
    assert target.node is not None
    for node in ast.walk(target.node):
        if not isinstance(node, ast.Compare) or not isinstance(node.left, ast.Name):
            continue
        right = node.comparators[0]
        if node.left.id == name and isinstance(right, ast.Constant):
            found += [right.value] if isinstance(right.value, str) else []
    return list(dict.fromkeys(found))


def linked_names(scenario: Targets, target: Target) -> dict[str, Any]:
    """Return arguments of the derivative that its callers take from the function's result."""
    found: dict[str, Any] = {}
    names = parameter_names(target)
    function = scenario.pair.function
    if function is None:
        return found
    for call, inside in scenario.project.calls.get(scenario.pair.derivative.path[-1], []):
        body: Any = inside.body if inside is not None else scenario.project.module.body
        known = _results(scenario, function.path[-1], body)
        for name, argument in zip(names, call.args, strict=False):
            if isinstance(argument, ast.Name) and argument.id in known:
                found.setdefault(name, known[argument.id])
    return found


def _results(scenario: Targets, name: str, body: list[ast.stmt]) -> dict[str, Any]:
    """The names that a body gives to the parts of the function's result and to its arguments."""
    known: dict[str, Any] = {}
    function = scenario.pair.function
    plain = function is not None and len(function.path) == 1
    for statement in body:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
                continue
            called = node.value.func
            method = isinstance(called, ast.Attribute)
            bare = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            # A function of a file is no method of something else.
            if bare != name or (method and plain):
                continue
            target = node.targets[0]
            if isinstance(target, ast.Name):
                values = [v for _, v in scenario.returned]
                known[target.id] = values[0] if len(values) == 1 else tuple(values)
            elif isinstance(target, ast.Tuple) and len(target.elts) == len(scenario.returned):
                for element, (_, value) in zip(target.elts, scenario.returned, strict=True):
                    if isinstance(element, ast.Name) and element.id != "_":
                        known[element.id] = value
    return known
