"""What a file's own text says of its values: the strings that it compares, its large sizes."""

from __future__ import annotations

import ast

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.source import Module
from symbackprop.auditing.code.specs import LARGEST, Spec


def sized_globals(module: Module) -> dict[str, Spec]:
    """Return the sizes among the file's own constants that are too large to run with."""
    found = {}
    for name, statements in module.bindings.items():
        if len(statements) != 1 or not isinstance(statements[0], ast.Assign):
            continue
        value = statements[0].value
        number = value.value if isinstance(value, ast.Constant) else None
        if type(number) is int and number > LARGEST and naming.names_size(name):
            found[name] = Spec("int", 0)
    return found


def compared_strings(module: Module) -> list[str]:
    """Return the strings that the file compares something with."""
    found: dict[str, None] = {}
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for node in ast.walk(statement):
                if isinstance(node, ast.Compare):
                    right = node.comparators[0]
                    if isinstance(right, ast.Constant) and isinstance(right.value, str):
                        found[right.value] = None
    return list(found)


def choices_by_key(module: Module) -> dict[str, list[str]]:
    """Return the strings that entries of dicts are compared with: ``mode = param['mode']``."""
    nodes = [n for s in module.body for n in ast.walk(s)]
    keys: dict[str, str] = {}
    for node in nodes:
        for target, value in _bindings(node):
            key = entry_key(value)
            if isinstance(target, ast.Name) and key is not None:
                keys[target.id] = key
    found: dict[str, list[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Compare) and isinstance(node.comparators[0], ast.Constant):
            left = node.left
            key = keys.get(left.id) if isinstance(left, ast.Name) else entry_key(left)
            choice = node.comparators[0].value
            if key is not None and isinstance(choice, str) and choice not in found.get(key, ()):
                found.setdefault(key, []).append(choice)
    return found


def _bindings(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """What an assignment binds to what, tuples part by part."""
    if not isinstance(node, ast.Assign):
        return []
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=False))
    return [(target, value)]


def entry_key(node: ast.expr) -> str | None:
    """The key of ``dict['key']``."""
    key = (
        node.slice.value
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
        else None
    )
    return key if isinstance(key, str) else None
