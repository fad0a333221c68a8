"""Expressions of the program."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from symbackprop.auditing.code.faults import Raised, Unknown
from symbackprop.auditing.code.interpreter import indexing, operators
from symbackprop.auditing.code.interpreter.attributes import attribute
from symbackprop.auditing.code.interpreter.calls import call, make_function
from symbackprop.auditing.code.interpreter.machine import MOST_LENGTH, Machine, kind_of, plain
from symbackprop.auditing.code.interpreter.objects import contains, get_item, iterate, store
from symbackprop.auditing.code.interpreter.scopes import bind, lookup
from symbackprop.auditing.code.interpreter.values import Array, Scope, Super, Tensor

MOST_TEXT = 10_000


def evaluate(machine: Machine, node: ast.expr, scope: Scope) -> Any:
    """Return the value of an expression."""
    machine.step(node, scope.module)
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise Unknown(f"{type(node).__name__} is not understood", node.lineno)
    return handler(machine, node, scope)


def _constant(machine: Machine, node: ast.Constant, scope: Scope) -> Any:
    value = node.value
    if isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            return machine.graph.infinite(1 if value > 0 else -1)
        return machine.number(Fraction(repr(value)))
    if isinstance(value, complex | bytes):
        raise Unknown(f"a constant of type {type(value).__name__}", node.lineno)
    if isinstance(value, int) and value.bit_length() > 10_000:
        raise Unknown("a number of too many digits", node.lineno)
    return value


def _name(machine: Machine, node: ast.Name, scope: Scope) -> Any:
    return lookup(machine, node.id, scope, node.lineno)


def _binary(machine: Machine, node: ast.BinOp, scope: Scope) -> Any:
    left = evaluate(machine, node.left, scope)
    right = evaluate(machine, node.right, scope)
    machine.step(node, scope.module)
    name, operation = operators.BINARY[type(node.op)]
    return operators.binary(machine, name, operation, left, right, scope.module.module.python2)


def _unary(machine: Machine, node: ast.UnaryOp, scope: Scope) -> Any:
    value = evaluate(machine, node.operand, scope)
    if isinstance(node.op, ast.Not):
        return not operators.truth(machine, value)
    tensor = isinstance(value, Tensor)
    inner = value.array if tensor else value
    if isinstance(node.op, ast.UAdd):
        return value
    if isinstance(node.op, ast.Invert):
        if isinstance(inner, np.ndarray) and inner.dtype != object:
            return Tensor(~inner) if tensor else ~inner
        if isinstance(inner, bool | int):
            return ~int(inner)
        raise Raised("TypeError", f"~ of {kind_of(value)}", node.lineno)
    if isinstance(inner, np.ndarray):
        if inner.dtype == bool:
            raise Raised("TypeError", "the negative of an array of bools", node.lineno)
        machine.spend(inner.size)
        result: Array = np.negative(inner)
        return Tensor(result) if tensor else plain(result)
    if isinstance(inner, str | list | tuple | dict) or inner is None:
        raise Raised("TypeError", f"the negative of {kind_of(inner)}", node.lineno)
    try:
        return -inner
    except TypeError as error:
        raise machine.misused(inner, "array", f"the negative of {kind_of(inner)}") from error


def _logical(machine: Machine, node: ast.BoolOp, scope: Scope) -> Any:
    value = None
    for part in node.values:
        value = evaluate(machine, part, scope)
        holds = operators.truth(machine, value)
        if holds != isinstance(node.op, ast.And):
            return value
    return value


def _compare(machine: Machine, node: ast.Compare, scope: Scope) -> Any:
    left = evaluate(machine, node.left, scope)
    result: Any = True
    for sign, other in zip(node.ops, node.comparators, strict=True):
        right = evaluate(machine, other, scope)
        machine.step(node, scope.module)
        result = _compared(machine, sign, left, right)
        if len(node.ops) > 1 and not operators.truth(machine, result):
            return result
        left = right
    return result


def _compared(machine: Machine, sign: ast.cmpop, left: Any, right: Any) -> Any:
    if isinstance(sign, ast.Is | ast.IsNot):
        same = left is right or (
            isinstance(left, str | int) and type(left) is type(right) and left == right
        )
        return same == isinstance(sign, ast.Is)
    if isinstance(sign, ast.In | ast.NotIn):
        return contains(machine, right, left) == isinstance(sign, ast.In)
    name, operation = operators.COMPARE[type(sign)]
    return operators.compare(machine, name, operation, left, right)


def _conditional(machine: Machine, node: ast.IfExp, scope: Scope) -> Any:
    holds = operators.truth(machine, evaluate(machine, node.test, scope))
    machine.step(node, scope.module)
    machine.took(f"if {node.col_offset}", holds)
    return evaluate(machine, node.body if holds else node.orelse, scope)


def _attribute(machine: Machine, node: ast.Attribute, scope: Scope) -> Any:
    value = evaluate(machine, node.value, scope)
    machine.step(node, scope.module)
    return attribute(machine, value, node.attr)


def _subscript(machine: Machine, node: ast.Subscript, scope: Scope) -> Any:
    value = evaluate(machine, node.value, scope)
    index = evaluate(machine, node.slice, scope)
    machine.step(node, scope.module)
    return get_item(machine, value, index)


def _slice(machine: Machine, node: ast.Slice, scope: Scope) -> Any:
    parts = (node.lower, node.upper, node.step)
    return slice(*(None if p is None else evaluate(machine, p, scope) for p in parts))


def _items(machine: Machine, parts: list[ast.expr], scope: Scope) -> list[Any]:
    found: list[Any] = []
    for part in parts:
        if isinstance(part, ast.Starred):
            found += iterate(machine, evaluate(machine, part.value, scope))
        else:
            found.append(evaluate(machine, part, scope))
    return found


def _dict(machine: Machine, node: ast.Dict, scope: Scope) -> Any:
    made: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            made.update(evaluate(machine, value, scope))
        else:
            indexing.write(
                machine, made, evaluate(machine, key, scope), evaluate(machine, value, scope)
            )
    return made


def _call(machine: Machine, node: ast.Call, scope: Scope) -> Any:
    if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
        return _super(machine, scope)
    if isinstance(node.func, ast.Name) and node.func.id in ("locals", "globals", "vars"):
        raise Unknown(f"{node.func.id}()", node.lineno)
    function = evaluate(machine, node.func, scope)
    arguments = _items(machine, node.args, scope)
    keywords: dict[str, Any] = {}
    for keyword in node.keywords:
        value = evaluate(machine, keyword.value, scope)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        elif isinstance(value, dict):
            keywords.update({str(k): v for k, v in value.items()})
        else:
            raise Raised("TypeError", "** of what is no dict", node.lineno)
    machine.step(node, scope.module)
    return call(machine, function, arguments, keywords)


def _super(machine: Machine, scope: Scope) -> Any:
    here: Scope | None = scope
    while here is not None and here.owner is None:
        here = here.outer
    receiver = scope.names.get("self", next(iter(scope.names.values()), None))
    if here is None or here.owner is None:
        raise Unknown("super() outside a class", machine.here[1])
    return Super(here.owner, receiver)


def _lambda(machine: Machine, node: ast.Lambda, scope: Scope) -> Any:
    return make_function(machine, node, scope)


def _rounds(machine: Machine, generators: list[ast.comprehension], scope: Scope) -> Iterator[None]:
    if not generators:
        yield
        return
    first, rest = generators[0], generators[1:]
    for item in iterate(machine, evaluate(machine, first.iter, scope)):
        assign(machine, first.target, item, scope)
        if all(operators.truth(machine, evaluate(machine, c, scope)) for c in first.ifs):
            yield from _rounds(machine, rest, scope)


def _listed(machine: Machine, node: Any, scope: Scope) -> Any:
    inner = Scope(scope.module, scope)
    found = []
    for _ in _rounds(machine, node.generators, inner):
        found.append(evaluate(machine, node.elt, inner))
        if len(found) > MOST_LENGTH:
            raise Unknown("a list too long", node.lineno)
    return set(found) if isinstance(node, ast.SetComp) else found


def _dicted(machine: Machine, node: ast.DictComp, scope: Scope) -> Any:
    inner = Scope(scope.module, scope)
    made: dict[Any, Any] = {}
    for _ in _rounds(machine, node.generators, inner):
        key = evaluate(machine, node.key, inner)
        indexing.write(machine, made, key, evaluate(machine, node.value, inner))
    return made


def _text(machine: Machine, node: ast.JoinedStr, scope: Scope) -> Any:
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue):
            value = evaluate(machine, part.value, scope)
            parts.append(str(value)[:100] if isinstance(value, int | str) else "?")
    return "".join(parts)[:MOST_TEXT]


def _walrus(machine: Machine, node: ast.NamedExpr, scope: Scope) -> Any:
    value = evaluate(machine, node.value, scope)
    assign(machine, node.target, value, scope)
    return value


def assign(machine: Machine, target: ast.expr, value: Any, scope: Scope) -> None:
    """Bind a value to a name, attribute, element or several of them."""
    machine.step(target, scope.module)
    if isinstance(target, ast.Name):
        bind(machine, target.id, value, scope)
    elif isinstance(target, ast.Tuple | ast.List):
        _unpack(machine, target, value, scope)
    elif isinstance(target, ast.Attribute):
        store(machine, evaluate(machine, target.value, scope), target.attr, value)
    elif isinstance(target, ast.Subscript):
        whole = evaluate(machine, target.value, scope)
        indexing.write(machine, whole, evaluate(machine, target.slice, scope), value)
    else:
        raise Unknown(f"an assignment to {type(target).__name__}", target.lineno)


def _unpack(machine: Machine, target: ast.Tuple | ast.List, value: Any, scope: Scope) -> None:
    items = iterate(machine, value)
    stars = [i for i, t in enumerate(target.elts) if isinstance(t, ast.Starred)]
    if stars:
        after = len(target.elts) - stars[0] - 1
        middle = items[stars[0] : len(items) - after]
        items = [*items[: stars[0]], middle, *items[len(items) - after :]]
    if len(items) != len(target.elts):
        message = f"{len(items)} values for {len(target.elts)} names"
        whole = getattr(value, "array", None)
        if whole is not None and not isinstance(value, Tensor):
            raise machine.misused(whole, f"rank {len(target.elts)}", message)
        raise Raised("ValueError", message, machine.here[1])
    for part, item in zip(target.elts, items, strict=True):
        assign(machine, part.value if isinstance(part, ast.Starred) else part, item, scope)


def _yield(machine: Machine, node: ast.Yield | ast.YieldFrom, scope: Scope) -> Any:
    value = None if node.value is None else evaluate(machine, node.value, scope)
    scope.yielded += iterate(machine, value) if isinstance(node, ast.YieldFrom) else [value]
    if len(scope.yielded) > MOST_LENGTH:
        raise Unknown("a generator that goes on and on", node.lineno)


_HANDLERS: dict[type[ast.expr], Callable[[Machine, Any, Scope], Any]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _logical,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Tuple: lambda machine, node, scope: tuple(_items(machine, node.elts, scope)),
    ast.List: lambda machine, node, scope: _items(machine, node.elts, scope),
    ast.Set: lambda machine, node, scope: set(_items(machine, node.elts, scope)),
    ast.Dict: _dict,
    ast.Call: _call,
    ast.Lambda: _lambda,
    ast.ListComp: _listed,
    ast.GeneratorExp: _listed,
    ast.SetComp: _listed,
    ast.DictComp: _dicted,
    ast.JoinedStr: _text,
    ast.NamedExpr: _walrus,
    ast.Yield: _yield,
    ast.YieldFrom: _yield,
}
