"""Nodes as formulas of Python, in the names that the file gives to values."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from fractions import Fraction

import numpy as np

from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.interpreter.values import Tensor
from symbackprop.auditing.code.running import Followed

MOST_PARTS = 24
_OPERATORS: dict[str, ast.operator] = {
    "add": ast.Add(),
    "multiply": ast.Mult(),
    "divide": ast.Div(),
    "power": ast.Pow(),
}


def names_of(followed: Followed, variables: Collection[str]) -> dict[int, str]:
    """Return the names of intermediate values of the function, by the places of their nodes."""
    found: dict[int, str] = {}
    for name, value in followed.names.items():
        array = value.array if isinstance(value, Tensor) else value
        if name in variables or not isinstance(array, np.ndarray) or array.dtype != object:
            continue
        for index in np.ndindex(*array.shape):
            node = array[index]
            if isinstance(node, Node) and node.constant is None and node.function != "input":
                found.setdefault(node.place, _indexed(name, index))
    return found


def input_name(node: Node) -> str:
    """Return the name of an element of an input."""
    return _indexed(*node.payload)


def _indexed(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def formula(node: Node, names: Mapping[int, str]) -> str | None:
    """Return a node as Python; None if that is long."""
    writer = _Writer(names)
    tree = writer.tree(node)
    return None if writer.parts > MOST_PARTS else ast.unparse(tree)


class _Writer:
    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names
        self.parts = 0

    def tree(self, node: Node) -> ast.expr:
        self.parts += 1
        if self.parts > MOST_PARTS:
            return ast.Constant(0)
        if node.place in self.names:
            return ast.Name(self.names[node.place])
        if node.function == "input":
            return ast.Name(input_name(node))
        if node.constant is not None:
            return _number(node.constant)
        if node.function in ("pi", "infinite"):
            return ast.Name("np.pi" if node.function == "pi" else "np.inf")
        if node.function not in _OPERATORS:
            called = ast.Name(f"np.{node.function}")
            return ast.Call(called, [self.tree(a) for a in node.arguments], [])
        left, right = node.arguments
        if node.function == "add":
            for one, other in ((left, right), (right, left)):
                if _negative(other) is not None:
                    return ast.BinOp(self.tree(one), ast.Sub(), self.positive(other))
        if node.function == "multiply" and left.constant == -1:
            return ast.UnaryOp(ast.USub(), self.tree(right))
        return ast.BinOp(self.tree(left), _OPERATORS[node.function], self.tree(right))

    def positive(self, node: Node) -> ast.expr:
        """A negative product or number without its sign."""
        if node.constant is not None:
            return _number(-node.constant)
        factor, rest = node.arguments
        if factor.constant == -1:
            return self.tree(rest)
        assert factor.constant is not None
        return ast.BinOp(_number(-factor.constant), ast.Mult(), self.tree(rest))


def _negative(node: Node) -> bool | None:
    """True for a negative number and for a product with one, else None."""
    number = node.arguments[0].constant if node.function == "multiply" else node.constant
    return True if number is not None and number < 0 else None


def _number(value: Fraction) -> ast.expr:
    if value < 0:
        return ast.UnaryOp(ast.USub(), _number(-value))
    if value.denominator == 1:
        return ast.Constant(value.numerator)
    plain = float(value)
    if Fraction(repr(plain)) == value:
        return ast.Constant(plain)
    return ast.BinOp(ast.Constant(value.numerator), ast.Div(), ast.Constant(value.denominator))
