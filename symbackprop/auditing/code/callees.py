"""Derivatives that a derivative calls: what was refuted is replaced by what is derived.

So a mistake is reported once, where it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.dag import Node, reachable
from symbackprop.auditing.code.faults import Unknown
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, nodes
from symbackprop.auditing.code.interpreter.scopes import of_module
from symbackprop.auditing.code.interpreter.values import Array, Function, ModuleScope
from symbackprop.auditing.code.pairs import parameters
from symbackprop.auditing.code.sweep import gradients

if TYPE_CHECKING:
    from symbackprop.auditing.code.project import Project


def replace_refuted(machine: Machine, scope: ModuleScope, project: Project) -> None:
    """Make calls of refuted derivatives give what is derived."""
    for name, pair in project.corrected.items():
        derivative = of_module(machine, scope, name)
        function = of_module(machine, scope, pair.function.name) if pair.function else None
        if isinstance(derivative, Function) and isinstance(function, Function):
            machine.replaced[derivative.node] = _derived(machine, function, derivative)


def _derived(machine: Machine, function: Function, derivative: Function) -> Callable[..., Any]:
    def run(arguments: list[Any], keywords: dict[str, Any]) -> Any:
        names = parameters(derivative.node)
        given = {**dict(zip(names, arguments, strict=False)), **keywords}
        return _gradient(machine, function, given)

    return run


def _gradient(machine: Machine, function: Function, given: dict[str, Any]) -> Any:
    """The gradient of a function's output by its variable, at what the derivative was given."""
    wanted = parameters(function.node)
    values = {name: given[name] for name in wanted if name in given}
    others = [n for n in given if n not in values and not naming.names_upstream(n)]
    missing = [n for n in wanted[: len(wanted) - len(function.defaults)] if n not in values]
    if len(missing) == 1 and len(others) == 1:
        values[missing[0]] = given[others[0]]
        missing = []
    if missing:
        raise Unknown(f"{function.name} lacks {missing[0]}", machine.here[1])
    variable = next((n for n in values if not naming.names_label(n)), None)
    if variable is None:
        raise Unknown(f"{function.name} has no variable", machine.here[1])
    old = nodes(machine, as_array(machine, values[variable]))
    fresh = _fresh(machine, old)
    values[variable] = fresh
    output = nodes(machine, as_array(machine, machine.call(function, [], values)))
    upstream = next((v for n, v in given.items() if naming.names_upstream(n)), None)
    seeds = _seeds(machine, output, upstream)
    found = gradients(seeds, list(fresh.ravel()))
    back = {new.place: node for new, node in zip(fresh.ravel(), old.ravel(), strict=True)}
    made: Array = np.empty(old.shape, dtype=object)
    made.reshape(-1)[:] = substituted(found, back)
    return made if made.shape else made[()]


def _fresh(machine: Machine, old: Array) -> Array:
    machine.randoms += 1
    made: Array = np.empty(old.shape, dtype=object)
    for index in np.ndindex(*old.shape):
        name = f"argument {machine.randoms}"
        made[index] = machine.graph.input(name, index, old[index].value)
    return made


def _seeds(machine: Machine, output: Array, upstream: Any) -> dict[Node, Node]:
    cotangents = np.empty(output.shape, dtype=object)
    cotangents[...] = machine.number(1)
    if upstream is not None:
        cotangents[...] = nodes(machine, as_array(machine, upstream))
    seeds: dict[Node, Node] = {}
    for node, cotangent in zip(output.ravel(), cotangents.ravel(), strict=True):
        seeds[node] = seeds[node] + cotangent if node in seeds else cotangent
    return seeds


def substituted(outputs: Iterable[Node], new: Mapping[int, Node]) -> list[Node]:
    """Return the outputs with nodes replaced by others, by their place."""
    wanted = list(outputs)
    known: dict[int, Node] = {}
    for node in reachable(wanted):
        if node.place in new:
            known[node.place] = new[node.place]
        elif node.arguments:
            known[node.place] = node.graph.apply(
                node.function, *(known[a.place] for a in node.arguments)
            )
        else:
            known[node.place] = node
    return [known[node.place] for node in wanted]
