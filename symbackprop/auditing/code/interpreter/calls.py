"""Calls: functions, methods and classes of the program, and functions of the tables."""

from __future__ import annotations

import ast
from typing import Any

from symbackprop.auditing.code.faults import Raised, Unknown
from symbackprop.auditing.code.interpreter.libraries import quiet
from symbackprop.auditing.code.interpreter.machine import MOST_CALLS, Machine, kind_of, native
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS
from symbackprop.auditing.code.interpreter.scopes import bound_names, generates
from symbackprop.auditing.code.interpreter.values import (
    Bound,
    Class,
    Function,
    Instance,
    Library,
    Native,
    Scope,
)


class Returned(Exception):
    """A return statement was reached."""

    def __init__(self, value: Any) -> None:
        self.value = value


def make_function(
    machine: Machine, node: ast.FunctionDef | ast.Lambda, scope: Scope, owner: Class | None = None
) -> Function:
    """Return the function of a definition; its defaults are evaluated now."""
    arguments = node.args
    keyword_defaults = {
        a.arg: machine.evaluate(d, scope)
        for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if d is not None
    }
    defaults = [machine.evaluate(d, scope) for d in arguments.defaults]
    name = node.name if isinstance(node, ast.FunctionDef) else "<lambda>"
    return Function(name, node, scope, defaults, keyword_defaults, owner=owner)


def call(machine: Machine, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """Return what a call returns."""
    if isinstance(function, Function):
        return _function(machine, function, arguments, keywords)
    if isinstance(function, Bound):
        receiver = [] if _kind(function.function) == "staticmethod" else [function.receiver]
        return call(machine, function.function, [*receiver, *arguments], keywords)
    if isinstance(function, Native):
        return native(function.call, machine, function.name, *arguments, **keywords)
    if isinstance(function, Class):
        return _instance(machine, function, arguments, keywords)
    if isinstance(function, Instance):
        return _object(machine, function, arguments, keywords)
    if isinstance(function, Library):
        return _library(machine, function, arguments, keywords)
    raise machine.misused(function, "function", f"{kind_of(function)} is not callable")


def _kind(function: Any) -> str:
    return function.kind if isinstance(function, Function) else ""


def _library(machine: Machine, function: Library, arguments: list[Any], keywords: Any) -> Any:
    known = FUNCTIONS.get(function.name)
    if known is not None:
        return native(known, machine, function.name, *arguments, **keywords)
    if quiet(function.name):
        return None
    raise Unknown(f"{function.name} is not known", machine.here[1])


def _object(machine: Machine, receiver: Instance, arguments: list[Any], keywords: Any) -> Any:
    own = receiver.cls.find("__call__")
    bases = [b.name for b in receiver.cls.lineage() if isinstance(b, Library)]
    if own is None and any("Module" in name for name in bases):
        own = receiver.cls.find("forward")
    if own is None:
        name = f"an object of {receiver.cls.name}"
        raise machine.misused(receiver, "function", f"{name} is not callable")
    return call(machine, own, [receiver, *arguments], keywords)


def _instance(machine: Machine, cls: Class, arguments: list[Any], keywords: Any) -> Instance:
    made = Instance(cls)
    start = cls.find("__init__")
    if start is not None:
        call(machine, start, [made, *arguments], keywords)
    elif arguments and not any(isinstance(base, Library) for base in cls.lineage()):
        raise Raised("TypeError", f"{cls.name}() takes no arguments", machine.here[1])
    return made


def _function(machine: Machine, function: Function, arguments: list[Any], keywords: Any) -> Any:
    machine.record.calls.append(function.qualified)
    replaced = machine.replaced.get(function.node)
    if replaced is not None:
        return replaced(arguments, keywords)
    if machine.depth >= MOST_CALLS:
        raise Unknown(f"calls nested more than {MOST_CALLS} deep", machine.here[1])
    scope = Scope(function.scope.module, function.scope, function.owner)
    if isinstance(function.scope.owner, Class) and function.scope.owner is function.owner:
        scope.outer = function.scope.outer
    scope.names = bound_arguments(machine, function, arguments, keywords)
    machine.depth += 1
    caller = machine.here
    try:
        machine.given[function.qualified] = _body(machine, function, scope)
        return machine.given[function.qualified]
    except RecursionError:
        raise Unknown("calls nested too deep", machine.here[1]) from None
    finally:
        machine.depth -= 1
        machine.here = caller
        if function.node in machine.shown_nodes:
            machine.shown[id(function.node)] = scope.names


def _body(machine: Machine, function: Function, scope: Scope) -> Any:
    node = function.node
    if isinstance(node, ast.Lambda):
        return machine.evaluate(node.body, scope)
    missing = bound_names(node) - scope.names.keys()
    scope.unbound = missing
    try:
        machine.execute(node.body, scope)
    except Returned as end:
        return scope.yielded if generates(node) else end.value
    return scope.yielded if generates(node) else None


def bound_arguments(
    machine: Machine, function: Function, arguments: list[Any], keywords: dict[str, Any]
) -> dict[str, Any]:
    """Return the parameters of a call by name.

    Raises:
        Raised: If they do not fit, as Python's TypeError.
    """
    spec = function.node.args
    positional = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    found = dict(zip(positional, arguments, strict=False))
    extra = arguments[len(positional) :]
    if spec.vararg is not None:
        found[spec.vararg.arg] = tuple(extra)
    elif extra:
        message = f"{function.name}() takes {len(positional)} arguments, not {len(arguments)}"
        raise Raised("TypeError", message, machine.here[1])
    names = {*positional, *(a.arg for a in spec.kwonlyargs)}
    others = {}
    for name, value in keywords.items():
        if name in names and name not in found:
            found[name] = value
        elif name in found or spec.kwarg is None:
            message = f"{function.name}() got an unexpected argument {name!r}"
            raise Raised("TypeError", message, machine.here[1])
        else:
            others[name] = value
    if spec.kwarg is not None:
        found[spec.kwarg.arg] = others
    late = dict(
        zip(positional[len(positional) - len(function.defaults) :], function.defaults, strict=True)
    )
    for name, value in {**late, **function.keyword_defaults}.items():
        found.setdefault(name, value)
    missing = [
        name for name in (*positional, *(a.arg for a in spec.kwonlyargs)) if name not in found
    ]
    if missing:
        message = f"{function.name}() lacks the argument {missing[0]!r}"
        raise Raised("TypeError", message, machine.here[1])
    return found
