"""Single edits of a derivative's code: the mistakes that people make, each undone."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher, unified_diff
from typing import Any

from symbackprop.auditing.code.source import Module

SIMILAR = 0.6
MOST_NAMES = 12


@dataclass(frozen=True)
class Edit:
    """One change of a function.

    Attributes:
        kind: Which mistake it undoes, as a diagnosis names it.
        old: The expression or statement that it changes.
        new: What it puts there.
    """

    kind: str
    old: ast.AST
    new: ast.AST

    @property
    def words(self) -> str:
        """What the edit does."""
        return f"line {getattr(self.old, 'lineno', 0)}: {_short(self.old)} → {_short(self.new)}"


def _short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "…"


def edits(function: ast.FunctionDef, attributes: list[str], lines: set[int]) -> Iterator[Edit]:
    """Yield edits of the lines of a function that ran, likeliest first.

    Args:
        function: The definition.
        attributes: Names of attributes that the file has.
        lines: The lines that ran.
    """
    found = list(_all(function, attributes, lines))
    order = {kind: i for i, kind in enumerate(_ORDER)}
    yield from sorted(found, key=lambda edit: order[edit.kind])


_ORDER = (
    *("accumulation", "branch", "sign", "transpose", "reduction", "subscript", "argument"),
    *("wrong_variable", "missing_factor", "factor", "constant", "precedence", "other"),
)


def _all(function: ast.FunctionDef, attributes: list[str], lines: set[int]) -> Iterator[Edit]:
    names = _names(function)
    for statement in ast.walk(function):
        if not isinstance(statement, ast.stmt) or statement is function:
            continue
        if statement.lineno not in lines:
            continue
        yield from _statement(statement)
        yield from _missing(statement, names)
        for parent, node in _expressions(statement):
            yield from _operator(node)
            yield from _call(node)
            yield from _term(parent, node)
            if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                for name in names[:MOST_NAMES]:
                    yield Edit("constant", node, ast.Name(name, ast.Load()))
                for number in _numbers(function, node.value):
                    yield Edit("constant", node, ast.Constant(number))
            yield from _name(parent, node, names, attributes)


def _numbers(function: ast.FunctionDef, value: Any) -> list[Any]:
    """What a number may have been meant to be: one beside it, or another of the function."""
    inner = (n.value for n in ast.walk(function) if isinstance(n, ast.Constant))
    found = [value + 1, value - 1, value * 2, value / 2, 2, 3, 4, 5]
    found += [v for v in inner if type(v) in (int, float)]
    return [v for v in dict.fromkeys(found) if v != value]


def _term(parent: ast.AST, node: ast.expr) -> Iterator[Edit]:
    """A term of a sum that is too much, or lacks a number or a power."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield Edit("other", node, node.left)
        if isinstance(node.op, ast.Add):
            yield Edit("other", node, node.right)
        yield Edit("missing_factor", node, ast.BinOp(node, ast.Pow(), ast.Constant(2)))
    product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
    if product and isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
        yield Edit("other", node, ast.BinOp(node.left, ast.Pow(), node.right))
    within = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add | ast.Sub)
    if within and not isinstance(node, ast.Constant):
        for number in (2, 3):
            yield Edit("factor", node, ast.BinOp(ast.Constant(number), ast.Mult(), node))


def _names(function: ast.FunctionDef) -> list[str]:
    found = [a.arg for a in function.args.args if a.arg not in ("self", "ctx", "cls")]
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append(node.id)
    return list(dict.fromkeys(found))


def _expressions(statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.expr]]:
    """The expressions of a statement itself, each with its parent; blocks within are others'."""
    waiting: list[tuple[ast.AST, ast.AST]] = [
        (statement, child)
        for child in ast.iter_child_nodes(statement)
        if isinstance(child, ast.expr)
    ]
    while waiting:
        parent, node = waiting.pop(0)
        if isinstance(node, ast.expr):
            yield parent, node
        waiting += [(node, child) for child in ast.iter_child_nodes(node)]


def _statement(statement: ast.stmt) -> Iterator[Edit]:
    if isinstance(statement, ast.Assign) and isinstance(
        statement.targets[0], ast.Subscript | ast.Name | ast.Attribute
    ):
        new = ast.AugAssign(statement.targets[0], ast.Add(), statement.value)
        yield Edit("accumulation", statement, ast.copy_location(new, statement))


def _missing(statement: ast.stmt, names: list[str]) -> Iterator[Edit]:
    """A factor that the value of a statement lacks."""
    value = getattr(statement, "value", None)
    if not isinstance(statement, ast.Assign | ast.Return | ast.AugAssign) or value is None:
        return
    for name in names[:MOST_NAMES]:
        product = ast.BinOp(value, ast.Mult(), ast.Name(name, ast.Load()))
        yield Edit("missing_factor", value, product)


_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


def _operator(node: ast.expr) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Add | ast.Sub):
            other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield Edit("sign", node, ast.BinOp(node.left, other, node.right))
            yield Edit("sign", node, ast.BinOp(node.right, ast.Sub(), node.left))
        if isinstance(node.op, ast.Mult | ast.Div):
            numeric = isinstance(node.right, ast.Constant)
            kind = "reduction" if isinstance(node.op, ast.Div) and not numeric else "factor"
            yield Edit(kind, node, node.left)
        if isinstance(node.op, ast.Mult):
            yield Edit("factor", node, node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield Edit("sign", node, node.operand)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _FLIPPED:
        flipped = _FLIPPED[type(node.ops[0])]()
        yield Edit("branch", node, ast.Compare(node.left, [flipped], node.comparators))
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield Edit("transpose", node, node.value)
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield from _shifted(node)


def _shifted(node: ast.Subscript) -> Iterator[Edit]:
    if isinstance(node.slice, ast.Slice | ast.Tuple) or _is_text(node.slice):
        return
    for step in (1, -1):
        index = ast.BinOp(node.slice, ast.Add() if step > 0 else ast.Sub(), ast.Constant(1))
        yield Edit("subscript", node, ast.Subscript(node.value, index, ast.Load()))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _call(node: ast.expr) -> Iterator[Edit]:
    if not isinstance(node, ast.Call):
        return
    yield Edit("missing_factor", node, ast.BinOp(node, ast.Pow(), ast.Constant(2)))
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    other = {"mean": "sum", "sum": "mean"}.get(name)
    if other is not None and isinstance(node.func, ast.Attribute):
        function = ast.Attribute(node.func.value, other, ast.Load())
        yield Edit("reduction", node, ast.Call(function, node.args, node.keywords))
    for place, keyword in enumerate(node.keywords):
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg in ("axis", "dim") and value in (0, 1) and type(value) is int:
            changed = list(node.keywords)
            changed[place] = ast.keyword(keyword.arg, ast.Constant(1 - value))
            yield Edit("reduction", node, ast.Call(node.func, node.args, changed))
    if name in ("dot", "matmul") and len(node.args) == 2:
        yield Edit("transpose", node, ast.Call(node.func, node.args[::-1], node.keywords))


def _name(
    parent: ast.AST, node: ast.expr, names: list[str], attributes: list[str]
) -> Iterator[Edit]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        alone = isinstance(parent, ast.Call) and parent.args == [node] and _is_function(parent)
        for other in sorted((n for n in names if n != node.id), key=lambda n: -_like(n, node.id))[
            :MOST_NAMES
        ]:
            yield Edit("argument" if alone else "wrong_variable", node, ast.Name(other, ast.Load()))
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        close = [a for a in attributes if a != node.attr and _like(a, node.attr) > SIMILAR]
        for other in sorted(close, key=lambda a: -_like(a, node.attr))[:MOST_NAMES]:
            yield Edit("wrong_variable", node, ast.Attribute(node.value, other, ast.Load()))


_PREFIXES = ("np", "numpy", "torch", "math", "F", "self", "jnp")


def _is_function(node: ast.Call) -> bool:
    """Whether a call is of a function: ``mul_`` of a tensor is an operation on two."""
    if isinstance(node.func, ast.Attribute):
        return isinstance(node.func.value, ast.Name) and node.func.value.id in _PREFIXES
    return True


def _like(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b).ratio()


def edited(module: Module, edit: Edit) -> Module:
    """Return the module with an edit done."""
    body = [_put(statement, edit) or statement for statement in module.body]
    return replace(module, body=tuple(s for s in body if isinstance(s, ast.stmt)))


def _put(node: ast.AST, edit: Edit) -> ast.AST | None:
    """Return a node with the new one where the old one stands; what is not changed is shared."""
    if node is edit.old:
        new = ast.copy_location(copy.deepcopy(edit.new), node)
        return ast.fix_missing_locations(new)
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        for place, child in enumerate(children):
            new_child = _put(child, edit) if isinstance(child, ast.AST) else None
            if new_child is not None:
                made = copy.copy(node)
                parts = [*children[:place], new_child, *children[place + 1 :]]
                setattr(made, name, parts if isinstance(value, list) else new_child)
                return made
    return None


def patch(module: Module, edit: Edit, path: str) -> str | None:
    """Return an edit as a unified diff of the text; None if it does not stand on one line."""
    found = _changed(module, edit)
    if found is None:
        return None
    lines, place, new = found
    changed = [*lines[:place], new, *lines[place + 1 :]]
    return "".join(unified_diff(lines, changed, f"a/{path}", f"b/{path}", n=2))


def sides(module: Module, edit: Edit) -> tuple[str, str] | None:
    """Return the line of an edit as it stands and as it would be; None if it is several."""
    found = _changed(module, edit)
    return None if found is None else (found[0][found[1]].strip(), found[2].strip())


def _changed(module: Module, edit: Edit) -> tuple[list[str], int, str] | None:
    """The lines of the text, which of them an edit changes, and to what."""
    old = edit.old
    line, end = getattr(old, "lineno", 0), getattr(old, "end_lineno", 0)
    for block in module.blocks:
        lines = block.text.splitlines(keepends=True)
        place = line - block.line
        if block.cell != module.cell_of(old) or not 0 <= place < len(lines) or line != end:
            continue
        raw = lines[place].encode()
        start, stop = getattr(old, "col_offset", 0), getattr(old, "end_col_offset", 0)
        text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(edit.new))).encode()
        plain = (raw[:start] + text + raw[stop:]).decode()
        safe = (raw[:start] + b"(" + text + b")" + raw[stop:]).decode()
        needed = isinstance(edit.new, ast.BinOp) and isinstance(old, ast.expr)
        return lines, place, safe if needed and not _alike(plain, safe) else plain
    return None


def _alike(line: str, other: str) -> bool:
    """Whether two lines are one statement, parentheses aside."""
    try:
        return ast.dump(ast.parse(line.strip())) == ast.dump(ast.parse(other.strip()))
    except SyntaxError:
        return False
