"""What a parameter is given where the file calls its function."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.faults import Fault
from symbackprop.auditing.code.interpreter.scopes import MISSING, of_module
from symbackprop.auditing.code.interpreter.values import (
    Class,
    Function,
    Instance,
    Library,
    Scope,
    Tensor,
)
from symbackprop.auditing.code.specs import Spec

if TYPE_CHECKING:
    from symbackprop.auditing.code.running import Target
    from symbackprop.auditing.code.targets import Targets

MOST_DEPTH = 4


def site_value(
    scenario: Targets, target: Target, name: str, probe: bool = False, arrays: bool = False
) -> Any:
    """Return what a call gives a parameter, its sizes made inputs; MISSING if none is plain."""
    function = target.function
    if not isinstance(function, Function):
        return MISSING
    own = function.owner.name if function.owner and function.name == "__init__" else function.name
    names = [a.arg for a in function.node.args.args]
    if target.receiver is not None:
        names = names[1:]
    for call, inside in scenario.project.calls.get(own, []):
        argument = next((k.value for k in call.keywords if k.arg == name), None)
        if argument is None and name in names and names.index(name) < len(call.args):
            argument = call.args[names.index(name)]
        if argument is None or isinstance(argument, ast.Starred):
            continue
        try:
            value = _value(scenario, argument, inside, 0, call.lineno, _cell(scenario, call))
        except Fault:
            continue
        if value is MISSING:
            continue
        if arrays and isinstance(value, np.ndarray | Tensor):
            return value
        if not _structured(value, name, scenario.stage == "setup"):
            continue
        return value if probe else sized(scenario, f"{own}({name})", value)
    return MISSING


def site_spec(scenario: Targets, target: Target, name: str) -> Spec | None:
    """Return the rank that calls give an array, and that it is a column, where they show it."""
    found = site_value(scenario, target, name, probe=True, arrays=True)
    array = found.array if isinstance(found, Tensor) else found
    if not isinstance(array, np.ndarray) or not array.ndim:
        return None
    if array.ndim > 1 and array.shape[-1] == 1:
        sizes = scenario.setup.sizes
        sizes.pinned[sizes.root(f"{name}.{array.ndim - 1}")] = 1
    return Spec("array", array.ndim, shown=True)


def _structured(value: Any, name: str, building: bool) -> bool:
    """Whether a value says more than that a parameter is a number or an array."""
    if isinstance(value, bool | str | Function | Class | Instance | Library | dict):
        return True
    if isinstance(value, list | tuple):
        return bool(value)
    return building and isinstance(value, int) and not naming.names_rate(name)


def sized(scenario: Targets, key: str, value: Any) -> Any:
    """Return a value of a call site with its sizes replaced by inputs."""
    if isinstance(value, bool) or naming.names_axis(key.rpartition("(")[2].rstrip(")")):
        return value
    if isinstance(value, int):
        last = key.rpartition("(")[2].rstrip(")")
        if naming.names_step(last) or naming.names_pad(last):
            return value
        scenario.setup.specs.setdefault(key, Spec("int", 0))
        return scenario.inputs.get(key)
    if isinstance(value, list | tuple) and value and all(type(v) is int for v in value):
        return type(value)(sized(scenario, f"{key}[{i}]", v) for i, v in enumerate(value))
    return value


def _cell(scenario: Targets, node: ast.AST) -> int:
    return scenario.project.module.cell_of(node) or 0


def _value(
    scenario: Targets,
    node: ast.expr,
    inside: ast.FunctionDef | None,
    depth: int,
    line: int = 0,
    cell: int = 0,
) -> Any:
    """Evaluate an argument where it stands: names of the caller by what it assigns to them."""
    if depth > MOST_DEPTH:
        return MISSING
    scope = Scope(scenario.scope, None)
    for here in ast.walk(node):
        if not isinstance(here, ast.Name) or here.id in scope.names:
            continue
        if isinstance(here.ctx, ast.Store):
            continue
        value = _local(scenario, here.id, inside, depth, (cell, line))
        if value is not MISSING:
            scope.names[here.id] = value
        elif inside is not None and here.id in {a.arg for a in inside.args.args}:
            return MISSING
    return scenario.machine.evaluate(node, scope)


def _local(
    scenario: Targets,
    name: str,
    inside: ast.FunctionDef | None,
    depth: int,
    before: tuple[int, int],
) -> Any:
    if name in scenario.inputs.values:
        return scenario.inputs.values[name]
    known = scenario.setup.specs.get(name)
    if known is not None and known.kind == "records":
        return scenario.inputs.get(name)
    if inside is None:
        return _global(scenario, name, depth, before)
    for statement in ast.walk(inside):
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name) and target.id == name:
                return _value(scenario, statement.value, inside, depth + 1)
    return MISSING


def _global(scenario: Targets, name: str, depth: int, before: tuple[int, int]) -> Any:
    """A name of the module as it stands at a call: by the last assignment before it."""
    bindings = scenario.project.module.bindings.get(name, [])
    if len(bindings) > 1:
        earlier = [
            s
            for s in bindings
            if isinstance(s, ast.Assign) and (_cell(scenario, s), s.lineno) < before
        ]
        if earlier and isinstance(earlier[-1].targets[0], ast.Name):
            last = earlier[-1]
            return _value(scenario, last.value, None, depth + 1, last.lineno, _cell(scenario, last))
    return of_module(scenario.machine, scenario.scope, name)
