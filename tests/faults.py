"""Every single fault of a few kinds, planted in the source of a module."""

import ast
import copy
from collections.abc import Callable, Iterator
from functools import partial

# What a fault may do to a value: flip its sign, count it twice or half, be slightly off.
FACTORS = (-1.0, 2.0, 0.5, 1.0001)
SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
FUNCTIONS = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "divide",
    "divide": "multiply",
    "maximum": "minimum",
    "minimum": "maximum",
}
COMPARISONS = {ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE}
# Of names that could stand in for another, so many are tried.
STAND_INS = 2
# These make a starting point, check their arguments or are a check themselves.
LEFT_OUT = ("initialize", "initial_state", "initial_moments", "gradient_check", "__init__")
KEYED = ("params", "cache", "grads")


def faults(text: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield what can be planted and where, with what makes the source that has it."""
    tree = ast.parse(text)
    for number, node in enumerate(ast.walk(tree)):
        node.number = number
    for function in _functions(tree):
        names = _names(function)
        keys = _keys(tree)
        for node in _arithmetic(function):
            for what, replacement in _replacements(node, names, keys):
                place = f"line {node.lineno}: {what}: {ast.unparse(node)}"
                yield place, partial(_planted, tree, node, replacement)


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [
        f
        for f in found
        if f.name not in LEFT_OUT
        and any(isinstance(n, ast.Return | ast.AugAssign) for n in ast.walk(f))
    ]


def _arithmetic(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the statements and expressions of the body that compute, parents first."""
    stack: list[ast.AST] = list(reversed(function.body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert):
            continue
        if isinstance(node, ast.If) and all(isinstance(n, ast.Raise) for n in node.body):
            continue
        yield node
        stack.extend(reversed([n for n in ast.iter_child_nodes(node) if _computes(n)]))


def _computes(node: ast.AST) -> bool:
    return isinstance(node, ast.stmt | ast.expr | ast.keyword)


def _replacements(
    node: ast.AST, names: list[str], keys: dict[str, list[str]]
) -> Iterator[tuple[str, ast.AST | list[ast.AST]]]:
    if isinstance(node, ast.BinOp):
        yield from _of_operation(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign dropped", node.operand
    if isinstance(node, ast.Call):
        yield from _of_call(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        other = COMPARISONS[type(node.ops[0])]()
        yield "comparison turned", ast.Compare(node.left, [other], node.comparators)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transpose dropped", node.value
    if isinstance(node, ast.AugAssign):
        yield from _of_accumulation(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield from _of_statement(node)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        place = names.index(node.id)
        others = (names[place + 1 :] + names[:place])[:STAND_INS]
        yield from ((f"{other} instead", ast.Name(other, ast.Load())) for other in others)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        yield from _of_key(node, keys)


def _scaled(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    for factor in FACTORS:
        yield f"times {factor}", ast.BinOp(ast.Constant(factor), ast.Mult(), node)


def _of_operation(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    yield from _scaled(node)
    if type(node.op) in SWAPPED:
        yield "operator swapped", ast.BinOp(node.left, SWAPPED[type(node.op)](), node.right)
    yield "right operand dropped", node.left
    if isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        yield "left operand dropped", node.right
    if isinstance(node.op, ast.MatMult):
        yield "operands exchanged", ast.BinOp(node.right, node.op, node.left)
        transposed = ast.Attribute(node.left, "T", ast.Load())
        yield "left transposed", ast.BinOp(transposed, node.op, node.right)
        transposed = ast.Attribute(node.right, "T", ast.Load())
        yield "right transposed", ast.BinOp(node.left, node.op, transposed)


def _of_call(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    if not any(keyword.arg == "out" for keyword in node.keywords):
        yield from _scaled(node)
    if isinstance(node.func, ast.Attribute) and node.func.attr in FUNCTIONS:
        other = ast.Attribute(node.func.value, FUNCTIONS[node.func.attr], ast.Load())
        yield "function swapped", ast.Call(other, node.args, node.keywords)
    if len(node.args) == 2:
        yield "arguments exchanged", ast.Call(node.func, node.args[::-1], node.keywords)
    for place, argument in enumerate(node.args):
        if isinstance(argument, ast.Name | ast.Attribute):
            turned = ast.Attribute(argument, "T", ast.Load())
            arguments = [*node.args[:place], turned, *node.args[place + 1 :]]
            yield f"argument {place} transposed", ast.Call(node.func, arguments, node.keywords)


def _of_accumulation(node: ast.AugAssign) -> Iterator[tuple[str, ast.stmt]]:
    whole = copy.deepcopy(node.target)
    whole.ctx = ast.Load()
    yield (
        "assigned, not accumulated",
        ast.Assign([ast.Subscript(whole, ast.Constant(...), ast.Store())], node.value),
    )
    yield "statement dropped", ast.Pass()
    if type(node.op) in SWAPPED:
        yield "operator swapped", ast.AugAssign(node.target, SWAPPED[type(node.op)](), node.value)
    for what, value in _scaled(node.value):
        yield what, ast.AugAssign(node.target, node.op, value)


def _of_statement(node: ast.Expr) -> Iterator[tuple[str, ast.AST | list[ast.AST]]]:
    yield "statement dropped", ast.Pass()
    outs = [keyword.value for keyword in node.value.keywords if keyword.arg == "out"]
    for out in outs:
        for factor in FACTORS:
            target = copy.deepcopy(out)
            target.ctx = ast.Store()
            change = ast.AugAssign(target, ast.Mult(), ast.Constant(factor))
            yield f"times {factor}", [node, change]


def _of_key(node: ast.Subscript, keys: dict[str, list[str]]) -> Iterator[tuple[str, ast.Subscript]]:
    base = node.value.id if isinstance(node.value, ast.Name) else ""
    known = keys.get(base, [])
    if node.slice.value in known:
        place = known.index(node.slice.value)
        for other in (known[place + 1 :] + known[:place])[:STAND_INS]:
            yield f"{other} instead", ast.Subscript(node.value, ast.Constant(other), node.ctx)


def _names(function: ast.FunctionDef) -> list[str]:
    """Return the names that hold values in the function, in order."""
    stored = [
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    return list(dict.fromkeys([*(a.arg for a in function.args.args), *stored]))


def _keys(tree: ast.Module) -> dict[str, list[str]]:
    """Return the keys by which each dict is read anywhere."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if node.value.id in KEYED and isinstance(key, str):
                found.setdefault(node.value.id, []).append(key)
    return {name: list(dict.fromkeys(keys)) for name, keys in found.items()}


class _Replace(ast.NodeTransformer):
    def __init__(self, number: int, replacement: ast.AST | list[ast.AST]) -> None:
        self.number, self.replacement = number, replacement

    def visit(self, node: ast.AST) -> ast.AST | list[ast.AST]:
        if getattr(node, "number", None) == self.number:
            return self.replacement
        return self.generic_visit(node)


def _planted(tree: ast.Module, node: ast.AST, replacement: ast.AST | list[ast.AST]) -> str:
    kept = copy.deepcopy(replacement)
    planted = _Replace(node.number, kept).visit(copy.deepcopy(tree))
    return ast.unparse(ast.fix_missing_locations(planted))
