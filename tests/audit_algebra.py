"""Formulas of an audit written in Python's syntax, for tests of what stands after the reader.

`a__l` is a with label l, `a__lm1` and `a__lp1` are its neighbours, `w__3` has label 3; `yhat` is
ŷ. `d(L, x)` is a derivative, `total(i, …)` a sum, `T(W)` a transpose, `had(a, b)` a Hadamard
product, `prime(f, z)` is f′(z), `delta(i, j)` Kronecker's, `e` Euler's number.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from fractions import Fraction

from symbackprop.auditing.formulas import tree as t
from symbackprop.auditing.formulas.binding import Claim, Definition, Paper, Reading
from symbackprop.auditing.formulas.documents import Source

_NAME = re.compile(
    r"(?P<name>[A-Za-z]+?)(?P<hat>hat)?(?:__(?P<label>[a-z]?)(?P<shift>[mp]?\d+)?)?$"
)


def formula(text: str) -> t.Node:
    return _node(ast.parse(text.strip(), mode="eval").body)


def _access(text: str, indices: tuple[t.Node, ...] = ()) -> t.Access:
    match = _NAME.match(text)
    assert match, text
    labels: tuple[t.Label, ...] = ()
    if match["label"] or match["shift"]:
        shift = int((match["shift"] or "0").replace("m", "-").replace("p", ""))
        labels = (t.Label(match["label"] or "", shift),)
    accents = ("hat",) if match["hat"] else ()
    return t.Access(match["name"], accents, labels, indices)


def _node(node: ast.expr) -> t.Node:
    return _READERS[type(node)](node)


def _name(node: ast.Name) -> t.Node:
    return t.Constant(node.id) if node.id in ("e", "pi") else _access(node.id)


def _subscript(node: ast.Subscript) -> t.Node:
    inner = node.slice
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    indices = tuple(_node(part) for part in parts)
    if isinstance(node.value, ast.Name):
        return _access(node.value.id, indices)
    return t.Element(_node(node.value), indices)


def _comparison(node: ast.Compare) -> t.Node:
    signs = {ast.Eq: "=", ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.NotEq: "!="}
    return t.Comparison(signs[type(node.ops[0])], _node(node.left), _node(node.comparators[0]))


def _binary(node: ast.BinOp) -> t.Node:
    left, right = _node(node.left), _node(node.right)
    if isinstance(node.op, ast.Add | ast.Sub):
        right = t.Negate(right) if isinstance(node.op, ast.Sub) else right
        return t.Add((*(left.terms if isinstance(left, t.Add) else (left,)), right))
    if isinstance(node.op, ast.Mult | ast.MatMult):
        join = t.ADJACENT if isinstance(node.op, ast.Mult) else t.DOT
        if isinstance(left, t.Product) and isinstance(node.left, ast.BinOp):
            return t.Product((*left.factors, right), (*left.joins, join))
        return t.Product((left, right), (join,))
    if isinstance(node.op, ast.Div):
        return t.Quotient(left, right)
    assert isinstance(node.op, ast.Pow)
    return t.Power(left, right)


def _call(node: ast.Call) -> t.Node:
    assert isinstance(node.func, ast.Name)
    name = node.func.id
    parts = [_node(argument) for argument in node.args]
    return _CALLS[name](*parts) if name in _CALLS else t.Apply(_access(name), tuple(parts))


def _total(index: t.Node, *rest: t.Node) -> t.Node:
    assert isinstance(index, t.Access)
    upper = rest[0] if len(rest) == 2 else None
    lower = t.Number(Fraction(1), "1") if upper else None
    return t.Big("sum", (t.Bound(index, lower, upper),), rest[-1])


def _prime(function: t.Node, *arguments: t.Node) -> t.Node:
    assert isinstance(function, t.Access)
    return t.Apply(function, arguments, 1)


_READERS: dict[type[ast.expr], Callable[..., t.Node]] = {
    ast.Constant: lambda node: t.Number(Fraction(str(node.value)), str(node.value)),
    ast.Name: _name,
    ast.UnaryOp: lambda node: t.Negate(_node(node.operand)),
    ast.Subscript: _subscript,
    ast.Compare: _comparison,
    ast.BinOp: _binary,
    ast.Call: _call,
}
_CALLS: dict[str, Callable[..., t.Node]] = {
    "total": _total,
    "d": lambda top, *by: t.Derivative(top, by),
    "T": t.Transpose,
    "had": lambda *factors: t.Product(factors, (t.HADAMARD,) * (len(factors) - 1)),
    "norm": t.Norm,
    "delta": t.Delta,
    "one": t.Indicator,
    "when": lambda condition, a, b: t.Cases((t.Branch(a, condition), t.Branch(b, None))),
    "prime": _prime,
}


def _source(text: str) -> Source:
    return Source("-", 1, 1, None, text, "display", 0, "")


def paper(*statements: str, layers: tuple[str, ...] = ()) -> Paper:
    """Definitions; the left side `f(x)` makes one of a function."""
    definitions = []
    for order, statement in enumerate(statements):
        left, right = statement.split("=", 1)
        target, formals = formula(left), ()
        if isinstance(target, t.Apply):
            formals = tuple(a for a in target.arguments if isinstance(a, t.Access))
            target = target.function
        assert isinstance(target, t.Access)
        letters = tuple(label.base for label in target.labels if label.base)
        values = tuple(formula(value) for value in right.split(" = "))
        definitions.append(
            Definition(target, formals, values, order, order, (), (), _source(statement), letters)
        )
    return Paper(tuple(definitions), (), (), (), layers)


def claim(text: str, order: int = 1000) -> Claim:
    left, right = (formula(side) for side in text.split(" = "))
    return Claim(_source(text), left, (Reading(left, right),), 0, False, order, order)
