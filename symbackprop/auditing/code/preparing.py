"""Methods that set up an object where its constructor does not, as when shapes come late."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from symbackprop.auditing.code.interpreter.values import Class, Function, Instance
from symbackprop.auditing.code.pairs import Pair

_LATER = frozenset(("update", "train", "fit", "step", "backward", "load", "grad", "optimize"))


def own_methods(pair: Pair, cls: Class) -> list[Function]:
    """Return the sides of a pair that are methods of a class."""
    sides = [part for part in (pair.function, pair.derivative) if part is not None]
    found = [cls.find(p.path[-1]) for p in sides if len(p.path) == 2 and p.path[0] == cls.name]
    return [f for f in found if isinstance(f, Function)]


def called(cls: Class, methods: Iterable[Function]) -> list[Function]:
    """Return methods with those that they call on the same object."""
    found = list(methods)
    for method in found:
        for node in ast.walk(method.node):
            name = _attribute(method, node.func) if isinstance(node, ast.Call) else None
            other = cls.find(name) if name is not None else None
            if isinstance(other, Function) and other not in found:
                found.append(other)
    return found


def lacking(made: Instance, methods: Iterable[Function]) -> set[str]:
    """Return the attributes that methods read though nothing has set them, themselves included."""
    read: set[str] = set()
    known: set[str] = set()
    for method in methods:
        read |= set(_of_object(method, ast.Load))
        known |= set(_of_object(method, ast.Store)) | set(_asked(method))
    return {
        name
        for name in read - known
        if made.attributes.get(name) is None and made.cls.find(name) is None
    }


def setters(cls: Class, names: set[str], others: Iterable[Function]) -> list[Function]:
    """Return the methods that set some of these attributes, those that set most of them first."""
    excluded = list(others)
    found = {}
    for base in reversed([c for c in cls.lineage() if isinstance(c, Class)]):
        for method in base.names.values():
            if isinstance(method, Function) and isinstance(method.node, ast.FunctionDef):
                count = len(names & set(_of_object(method, ast.Store)))
                later = any(word in method.name for word in _LATER)
                if count and method.name != "__init__" and method not in excluded and not later:
                    found[method.name] = count, method
    return [m for _, m in sorted(found.values(), key=lambda one: -one[0])]


def _attribute(method: Function, node: ast.AST) -> str | None:
    """The name of an attribute of the method's own object."""
    names = method.node.args.args
    whole = node.value if isinstance(node, ast.Attribute) else None
    own = isinstance(whole, ast.Name) and bool(names) and whole.id == names[0].arg
    return node.attr if own and isinstance(node, ast.Attribute) else None


def _of_object(method: Function, context: type[ast.expr_context]) -> Iterator[str]:
    for node in ast.walk(method.node):
        name = _attribute(method, node)
        if name is not None and isinstance(node, ast.Attribute) and isinstance(node.ctx, context):
            yield name


def _asked(method: Function) -> Iterator[str]:
    """Attributes that a method asks about first: None is one of their values."""
    for node in ast.walk(method.node):
        if isinstance(node, ast.Compare) and any(
            isinstance(c, ast.Constant) and c.value is None for c in node.comparators
        ):
            tested: list[ast.expr] = [node.left]
        elif isinstance(node, ast.If | ast.IfExp):
            tested = [node.test]
        elif isinstance(node, ast.BoolOp):
            tested = node.values
        else:
            continue
        for part in tested:
            name = _attribute(method, part.operand if isinstance(part, ast.UnaryOp) else part)
            if name is not None:
                yield name


def extents(method: Function, name: str) -> int:
    """Return how many extents a parameter holds by what is unpacked or indexed of it; 0 if none."""
    kept = {
        target
        for node in ast.walk(method.node)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
        for target in (_attribute(method, t) for t in node.targets)
        if target is not None
    }
    count = 0
    methods = [method]
    if method.owner is not None:
        methods += [m for m in method.owner.names.values() if isinstance(m, Function)]
    for other in methods:
        for node in ast.walk(other.node):
            count = max(count, _counted(other, node, name if other is method else None, kept))
    return count


def _counted(method: Function, node: ast.AST, name: str | None, kept: set[str]) -> int:
    """How many extents one assignment or index shows."""

    def meant(value: ast.expr) -> bool:
        plain = isinstance(value, ast.Name) and value.id == name
        return plain or _attribute(method, value) in kept

    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        return len(node.targets[0].elts) if meant(node.value) else 0
    if isinstance(node, ast.Subscript) and meant(node.value):
        place = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return place + 1 if isinstance(place, int) and place >= 0 else 0
    return 0
