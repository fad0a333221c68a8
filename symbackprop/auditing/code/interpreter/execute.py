"""Statements of the program."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symbackprop.auditing.code.faults import Mismatch, Misused, Raised, Stated, Unknown
from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.attributes import attribute
from symbackprop.auditing.code.interpreter.calls import Returned, make_function
from symbackprop.auditing.code.interpreter.evaluate import assign, evaluate
from symbackprop.auditing.code.interpreter.indexing import write
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, nodes
from symbackprop.auditing.code.interpreter.objects import get_item, iterate, store
from symbackprop.auditing.code.interpreter.scopes import MISSING, bind, imported, of_module
from symbackprop.auditing.code.interpreter.values import (
    Class,
    Extents,
    Function,
    Library,
    ModuleScope,
    Scope,
    Tensor,
)


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


def execute(machine: Machine, statements: Sequence[ast.stmt], scope: Scope) -> None:
    """Run statements one after the other."""
    for statement in statements:
        machine.step(statement, scope.module)
        machine.record.lines.add((scope.module.module.path, None, statement.lineno))
        handler = _HANDLERS.get(type(statement))
        if handler is None:
            raise Unknown(f"{type(statement).__name__} is not understood", statement.lineno)
        handler(machine, statement, scope)


def _expression(machine: Machine, node: ast.Expr, scope: Scope) -> None:
    if not isinstance(node.value, ast.Constant):
        evaluate(machine, node.value, scope)


def _assign(machine: Machine, node: ast.Assign, scope: Scope) -> None:
    value = evaluate(machine, node.value, scope)
    for target in node.targets:
        assign(machine, target, value, scope)


def _annotated(machine: Machine, node: ast.AnnAssign, scope: Scope) -> None:
    if node.value is not None:
        assign(machine, node.target, evaluate(machine, node.value, scope), scope)


def _augmented(machine: Machine, node: ast.AugAssign, scope: Scope) -> None:
    target = node.target
    if isinstance(target, ast.Name):
        old = evaluate(machine, ast.copy_location(ast.Name(target.id, ast.Load()), target), scope)
        bind(machine, target.id, _updated(machine, node, old, scope), scope)
    elif isinstance(target, ast.Attribute):
        receiver = evaluate(machine, target.value, scope)
        old = attribute(machine, receiver, target.attr)
        store(machine, receiver, target.attr, _updated(machine, node, old, scope))
    else:
        whole = evaluate(machine, target.value, scope)
        index = evaluate(machine, target.slice, scope)
        old = get_item(machine, whole, index)
        write(machine, whole, index, _updated(machine, node, old, scope))


def _updated(machine: Machine, node: ast.AugAssign, old: Any, scope: Scope) -> Any:
    new = evaluate(machine, node.value, scope)
    machine.step(node, scope.module)
    name, operation = operators.BINARY[type(node.op)]
    if isinstance(old, list) and name == "add":
        old.extend(iterate(machine, new))
        return old
    result = operators.binary(machine, name, operation, old, new, scope.module.module.python2)
    storage = old.array if isinstance(old, Tensor) else old
    if not isinstance(storage, np.ndarray) or name == "matmul":
        return result
    fresh = as_array(machine, result)
    if fresh.shape != storage.shape:
        message = f"an array of shape {storage.shape} cannot hold one of shape {fresh.shape}"
        pairs = zip(storage.shape[::-1], fresh.shape[::-1], strict=False)
        for left, right in pairs:
            if left != right:
                raise Mismatch(message, left, right, node.lineno)
        raise Raised("ValueError", message, node.lineno)
    if storage.dtype != object and fresh.dtype == object:
        raise Raised("UFuncTypeError", "real numbers added to an array of ints", node.lineno)
    storage[...] = nodes(machine, fresh) if storage.dtype == object else fresh
    return old


def _return(machine: Machine, node: ast.Return, scope: Scope) -> None:
    raise Returned(None if node.value is None else evaluate(machine, node.value, scope))


def _if(machine: Machine, node: ast.If, scope: Scope) -> None:
    holds = operators.truth(machine, evaluate(machine, node.test, scope))
    machine.step(node, scope.module)
    machine.took(f"if {node.col_offset}", holds)
    if holds and isinstance(node.body[0], ast.Raise):
        for part in node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]:
            _checked(machine, part, node.body[0], scope)
    execute(machine, node.body if holds else node.orelse, scope)


def _for(machine: Machine, node: ast.For, scope: Scope) -> None:
    for item in iterate(machine, evaluate(machine, node.iter, scope)):
        machine.step(node, scope.module)
        assign(machine, node.target, item, scope)
        if _left(machine, node.body, scope):
            return
    execute(machine, node.orelse, scope)


def _while(machine: Machine, node: ast.While, scope: Scope) -> None:
    while operators.truth(machine, evaluate(machine, node.test, scope)):
        if _left(machine, node.body, scope):
            return
    execute(machine, node.orelse, scope)


def _left(machine: Machine, body: list[ast.stmt], scope: Scope) -> bool:
    """Run a loop's body once; return whether it left the loop."""
    try:
        execute(machine, body, scope)
    except _Break:
        return True
    except _Continue:
        pass
    return False


def _break(machine: Machine, node: ast.Break, scope: Scope) -> None:
    raise _Break


def _continue(machine: Machine, node: ast.Continue, scope: Scope) -> None:
    raise _Continue


def _pass(machine: Machine, node: ast.stmt, scope: Scope) -> None:
    return


def _function(machine: Machine, node: ast.FunctionDef, scope: Scope) -> None:
    bind(machine, node.name, _decorated(machine, node, scope, None), scope)


_KINDS = ("staticmethod", "classmethod", "property")


def _decorated(
    machine: Machine, node: ast.FunctionDef, scope: Scope, owner: Class | None
) -> Function:
    function = make_function(machine, node, scope, owner)
    for decorator in node.decorator_list:
        # Others (jit, lru_cache, wraps, cast_inputs) do not change what is computed.
        if isinstance(decorator, ast.Name) and decorator.id in _KINDS:
            function.kind = decorator.id
        elif isinstance(decorator, ast.Name) and _is_own(machine, decorator, scope):
            raise Unknown(f"the decorator {decorator.id}", node.lineno)
    return function


def _is_own(machine: Machine, decorator: ast.Name, scope: Scope) -> bool:
    try:
        return isinstance(evaluate(machine, decorator, scope), Function | Class)
    except (Unknown, Raised):
        return False


def _class(machine: Machine, node: ast.ClassDef, scope: Scope) -> None:
    bases: list[Any] = []
    for base in node.bases:
        try:
            bases.append(evaluate(machine, base, scope))
        except (Unknown, Raised):
            bases.append(Library(ast.unparse(base)))
    if node.keywords:
        bases.append(Library("metaclass"))
    made = Class(node.name, node, bases, {}, scope.module)
    inner = Scope(scope.module, scope, made)
    inner.names = made.names
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef):
            machine.step(statement, scope.module)
            made.names[statement.name] = _decorated(machine, statement, inner, made)
        else:
            execute(machine, [statement], inner)
    bind(machine, node.name, made, scope)


def _import(machine: Machine, node: ast.Import, scope: Scope) -> None:
    for alias in node.names:
        module = imported(machine, scope.module, alias.name, 0)
        if alias.asname is None and "." in alias.name:
            module = Library(alias.name.split(".")[0])
        bind(machine, alias.asname or alias.name.split(".")[0], module, scope)


def _import_from(machine: Machine, node: ast.ImportFrom, scope: Scope) -> None:
    if node.module == "__future__":
        return
    if node.module in _BUILTINS:
        return
    for alias in node.names:
        if alias.name != "*":
            bound = _member(machine, scope.module, node, alias.name)
            bind(machine, alias.asname or alias.name, bound, scope)


# Their names are Python's own, which are known anyway.
_BUILTINS = ("builtins", "__builtin__", "past.builtins", "future.builtins", "six.moves")


def _member(machine: Machine, here: ModuleScope, node: ast.ImportFrom, name: str) -> Any:
    """Return what a module, or a package, holds under a name."""
    module = imported(machine, here, node.module or "", node.level)
    if isinstance(module, ModuleScope):
        found = of_module(machine, module, name)
        if found is not MISSING:
            return found
    inner = imported(machine, here, f"{node.module or ''}.{name}".strip("."), node.level)
    if isinstance(inner, ModuleScope) or isinstance(module, ModuleScope):
        return inner
    return Library(f"{module.name}.{name}" if module.name else name)


def _raise(machine: Machine, node: ast.Raise, scope: Scope) -> None:
    kind, message = "Exception", ""
    if node.exc is not None:
        called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        kind = ast.unparse(called).split(".")[-1]
        if isinstance(node.exc, ast.Call) and node.exc.args:
            first = node.exc.args[0]
            message = str(first.value) if isinstance(first, ast.Constant) else ast.unparse(first)
    raise Stated(kind, message[:200], node.lineno)


def _try(machine: Machine, node: ast.Try, scope: Scope) -> None:
    try:
        execute(machine, node.body, scope)
    except (Misused, Mismatch):
        raise
    except Raised as fault:
        for handler in node.handlers:
            names = "" if handler.type is None else ast.unparse(handler.type)
            if handler.type is None or fault.kind in names or "Exception" in names:
                if handler.name:
                    bind(machine, handler.name, fault.message, scope)
                execute(machine, handler.body, scope)
                break
        else:
            raise
    else:
        execute(machine, node.orelse, scope)
    finally:
        execute(machine, node.finalbody, scope)


def _assert(machine: Machine, node: ast.Assert, scope: Scope) -> None:
    if operators.truth(machine, evaluate(machine, node.test, scope)):
        return
    _checked(machine, node.test, node, scope)
    raise Stated("AssertionError", ast.unparse(node.test)[:200], node.lineno)


def _checked(machine: Machine, test: ast.expr, node: ast.Assert | ast.Raise, scope: Scope) -> None:
    """A check of sizes that failed says which of them are one."""
    sign = ast.Eq if isinstance(node, ast.Assert) else ast.NotEq
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], sign):
        left = evaluate(machine, test.left, scope)
        right = evaluate(machine, test.comparators[0], scope)
        _extents(machine, left, right, test, node)


def _extents(
    machine: Machine, left: Any, right: Any, test: ast.expr, node: ast.Assert | ast.Raise
) -> None:
    """A shape that is asserted says which extents are one."""
    if type(left) is int and type(right) is int and 0 not in (left, right) and left != right:
        raise _asserted(test, node, left, right)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Extents) and isinstance(other, tuple) and len(one) != len(other):
            message = f"asserted: {ast.unparse(test)}"
            raise machine.misused(one.array, f"rank {len(other)}", message)
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right):
        for one, other in zip(left, right, strict=True):
            if type(one) is int and type(other) is int and one != other:
                raise _asserted(test, node, one, other)


def _asserted(test: ast.expr, node: ast.Assert | ast.Raise, left: int, right: int) -> Mismatch:
    fault = Mismatch(f"asserted: {ast.unparse(test)}", left, right, node.lineno)
    fault.kind = "AssertionError" if isinstance(node, ast.Assert) else "ValueError"
    return fault


def _global(machine: Machine, node: ast.Global, scope: Scope) -> None:
    scope.globals_ |= set(node.names)


def _nonlocal(machine: Machine, node: ast.Nonlocal, scope: Scope) -> None:
    scope.outside |= set(node.names)


_PLAIN_CONTEXTS = (
    *("torch.", "np.errstate", "numpy.errstate", "np.printoptions", "warnings.", "tf."),
    *("contextlib.", "suppress(", "catch_warnings(", "errstate(", "no_grad("),
)


def _with(machine: Machine, node: ast.With, scope: Scope) -> None:
    for item in node.items:
        text = ast.unparse(item.context_expr)
        if text.startswith("open(") and isinstance(item.optional_vars, ast.expr):
            value = evaluate(machine, item.context_expr, scope)
            assign(machine, item.optional_vars, value, scope)
        elif not text.startswith(_PLAIN_CONTEXTS):
            raise Unknown(f"with {text[:60]}", node.lineno)
    execute(machine, node.body, scope)


def _delete(machine: Machine, node: ast.Delete, scope: Scope) -> None:
    for target in node.targets:
        if isinstance(target, ast.Name):
            scope.names.pop(target.id, None)
        elif isinstance(target, ast.Subscript):
            whole = evaluate(machine, target.value, scope)
            index = evaluate(machine, target.slice, scope)
            if isinstance(whole, dict):
                whole.pop(index, None)
            elif isinstance(whole, list) and isinstance(index, int):
                del whole[index]


_HANDLERS: dict[type[ast.stmt], Callable[[Machine, Any, Scope], None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.If: _if,
    ast.For: _for,
    ast.While: _while,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Pass: _pass,
    ast.FunctionDef: _function,
    ast.ClassDef: _class,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Raise: _raise,
    ast.Try: _try,
    ast.Assert: _assert,
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    ast.With: _with,
    ast.Delete: _delete,
}
