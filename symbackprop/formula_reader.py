"""Reads one equation of a definition into records, by a whitelist over Python's syntax.

The text comes from users' files. It is parsed, never evaluated: every node that the
notation does not name is refused, and length, depth, count, digits and exponents are bounded.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import isinf
from typing import NoReturn

from symbackprop.equations import Reduction
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.formula import Assignment, Call, Formula, Reduce, Reference
from symbackprop.scalar import ARITY, Named, Number

MAX_LENGTH = 4096
MAX_DEPTH = 64
MAX_NODES = 2000
MAX_DIGITS = 40
MAX_EXPONENT = 64

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_FOREIGN = re.compile(r"[^A-Za-z0-9_ .,+\-*/%()\[\]<>=!]")

REDUCTIONS: tuple[Reduction, ...] = ("total", "product", "largest", "smallest")
# The functions that equations may call by name; the rest of ARITY is written with operators.
FUNCTIONS = frozenset(
    {"maximum", "minimum", "where", "exp", "log", "log1p", "expm1", "sqrt"}
    | {"sin", "cos", "tanh", "erf", "abs", "sign"}
)
_RESERVED = FUNCTIONS | {*REDUCTIONS, "held", "padded", "pi"}

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder",
    ast.Pow: "power",
}
_COMPARISON: dict[type[ast.cmpop], str] = {
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
_ONE = Number(Fraction(1))


def read_equation(text: str, functions: Collection[str] = ()) -> Assignment:
    """Read ``target[indices] = value``.

    Args:
        text: the equation, in the notation of ``[[define]]``.
        functions: further functions of one argument that it may call: the catalogue's activations.

    Raises:
        SymbackpropError: with the column, for anything outside the notation.
    """
    return _read_equation(text, frozenset(functions))


def read_expression(
    text: str, functions: Collection[str] = (), open_functions: re.Pattern[str] | None = None
) -> Formula:
    """Read the right side of an equation alone, such as an extent or a weight.

    Args:
        text: the expression, in the notation of ``[[define]]``.
        functions: as for ``read_equation``.
        open_functions: the names of further functions, which take any number of arguments.

    Raises:
        SymbackpropError: with the column, for anything outside the notation.
    """
    return _read_expression(text, frozenset(functions), open_functions)


@lru_cache(maxsize=4096)
def _read_equation(text: str, functions: frozenset[str]) -> Assignment:
    reader = _Reader(text, functions)
    statements = reader.parse()
    if len(statements) != 1 or not isinstance(statements[0], ast.Assign):
        reader.refuse(statements[0] if statements else None, "expected one equation, name = value")
    statement = statements[0]
    if len(statement.targets) != 1:
        reader.refuse(statement.targets[1], "an equation has one '='")
    target = reader.target(statement.targets[0])
    value = statement.value
    held = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "held"
    if held and isinstance(value, ast.Call):
        value = reader.arguments(value, 1)[0]
    return Assignment(target, reader.convert(value), held)


@lru_cache(maxsize=4096)
def _read_expression(
    text: str, functions: frozenset[str], open_functions: re.Pattern[str] | None
) -> Formula:
    reader = _Reader(text, functions, open_functions)
    statements = reader.parse()
    if len(statements) != 1 or not isinstance(statements[0], ast.Expr):
        reader.refuse(statements[0] if statements else None, "expected one expression")
    return reader.convert(statements[0].value)


def _holds_power(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Pow) for inner in ast.walk(node))


def _tower(node: ast.AST) -> bool:
    """Whether the node is a power of numbers alone: towers of them outgrow any memory."""
    return _holds_power(node) and not any(isinstance(n, ast.Name) for n in ast.walk(node))


class _Reader:
    """Converts the syntax tree of one text; holds the text for numbers and messages."""

    def __init__(
        self,
        text: str,
        functions: frozenset[str],
        open_functions: re.Pattern[str] | None = None,
    ) -> None:
        self.text = text.strip()
        self.functions = functions
        self.open_functions = open_functions

    def refuse(self, node: ast.AST | int | None, message: str) -> NoReturn:
        column = node if isinstance(node, int) else getattr(node, "col_offset", 0)
        shown = self.text if len(self.text) <= 80 else self.text[:77] + "..."
        raise SymbackpropError(f"{shown!r}, column {column + 1}: {message}")

    def parse(self) -> list[ast.stmt]:
        if len(self.text) > MAX_LENGTH:
            self.refuse(MAX_LENGTH, f"{len(self.text)} characters; at most {MAX_LENGTH} are read")
        foreign = _FOREIGN.search(self.text)
        if foreign:
            hint = "; a power is written **" if foreign.group() == "^" else ""
            self.refuse(foreign.start(), f"{foreign.group()!r} is not part of the notation{hint}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                statements = ast.parse(self.text).body
        except SyntaxError as error:
            self.refuse(max((error.offset or 1) - 1, 0), f"cannot be read: {error.msg}")
        except (RecursionError, MemoryError, ValueError):
            self.refuse(0, f"nested deeper than {MAX_DEPTH}, or a number too long")
        self._check_bounds(statements)
        return statements

    def _check_bounds(self, statements: list[ast.stmt]) -> None:
        stack: list[tuple[ast.AST, int]] = [(statement, 0) for statement in statements]
        count = 0
        while stack:
            node, depth = stack.pop()
            count += 1
            if depth > MAX_DEPTH:
                self.refuse(node, f"nested deeper than {MAX_DEPTH}")
            if count > MAX_NODES:
                self.refuse(node, f"more than {MAX_NODES} parts")
            stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))

    def target(self, node: ast.expr) -> Reference:
        if isinstance(node, ast.Name):
            return Reference(self.name(node))
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            self.refuse(node, "the left side is a name, or a name with indices")
        letters = self._items(node.slice)
        for letter in letters:
            if not isinstance(letter, ast.Name):
                self.refuse(letter, "an index on the left side is a bare name")
        names = [self.name(letter) for letter in letters if isinstance(letter, ast.Name)]
        for position, name in enumerate(names):
            if name in names[:position]:
                self.refuse(letters[position], f"index {name!r} stands twice on the left side")
        return Reference(self.name(node.value), tuple(Reference(name) for name in names))

    def name(self, node: ast.Name) -> str:
        if not NAME.fullmatch(node.id):
            self.refuse(
                node,
                f"{node.id!r} is not a name: letters, digits and _ after a first letter, up to 64",
            )
        if node.id in _RESERVED:
            self.refuse(node, f"{node.id!r} is a word of the notation, not a free name")
        return node.id

    def convert(self, node: ast.expr) -> Formula:
        if isinstance(node, ast.Constant):
            return self._number(node)
        if isinstance(node, ast.Name):
            return Named("pi") if node.id == "pi" else Reference(self.name(node))
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        return self._operator(node)

    def _operator(self, node: ast.expr) -> Formula:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd | ast.Not):
            value = self.convert(node.operand)
            if isinstance(node.op, ast.UAdd):
                return value
            return Call("negative" if isinstance(node.op, ast.USub) else "logical_not", (value,))
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.BoolOp):
            function = "logical_and" if isinstance(node.op, ast.And) else "logical_or"
            return _nest(function, [self.convert(value) for value in node.values])
        if isinstance(node, ast.Compare):
            if len(node.ops) > 1:
                self.refuse(node, "a chained comparison; write a < b and b < c")
            function = _COMPARISON.get(type(node.ops[0]), "")
            if function:
                sides = (self.convert(node.left), self.convert(node.comparators[0]))
                return Call(function, sides)
        if isinstance(node, ast.IfExp):
            self.refuse(node, "write where(condition, a, b)")
        self.refuse(node, f"{type(node).__name__} is not part of the notation")

    def _binary(self, node: ast.BinOp) -> Formula:
        left, right = self.convert(node.left), self.convert(node.right)
        if isinstance(node.op, ast.Sub):
            return Call("add", (left, Call("negative", (right,))))
        function = _BINARY.get(type(node.op))
        if function is None:
            self.refuse(node, f"operator {type(node.op).__name__} is not part of the notation")
        exponent = right
        if isinstance(right, Call) and right.function == "negative":
            exponent = right.arguments[0]
        if function == "power" and isinstance(exponent, Number) and exponent.value > MAX_EXPONENT:
            self.refuse(node.right, f"exponent {exponent.value}; at most {MAX_EXPONENT}")
        if function == "power" and (_holds_power(node.right) or _tower(node.left)):
            self.refuse(node, "a power of a power of numbers; write its value")
        return Call(function, (left, right))

    def _number(self, node: ast.Constant) -> Number:
        source = self.text[node.col_offset : node.end_col_offset]
        if not _NUMBER.fullmatch(source):
            self.refuse(node, f"{source!r} is not a decimal number")
        if sum(character.isdigit() for character in source) > MAX_DIGITS:
            self.refuse(node, f"a number of more than {MAX_DIGITS} digits")
        value = Fraction(source)
        if isinf(float(source)):
            self.refuse(node, f"{source} is beyond the range of float64")
        return Number(value)

    def _items(self, node: ast.expr) -> list[ast.expr]:
        items = list(node.elts) if isinstance(node, ast.Tuple) else [node]
        if not items:
            self.refuse(node, "no index between the brackets")
        return items

    def _subscript(self, node: ast.Subscript) -> Reference:
        if not isinstance(node.value, ast.Name):
            self.refuse(node, "only a name takes indices, all between one pair of brackets")
        subscripts = tuple(self.convert(item) for item in self._items(node.slice))
        return Reference(self.name(node.value), subscripts)

    def arguments(self, node: ast.Call, count: int | None = None) -> list[ast.expr]:
        function = getattr(node.func, "id", "")
        if node.keywords:
            self.refuse(node, f"{function} takes no arguments by name")
        if count is not None and len(node.args) != count:
            self.refuse(node, f"{function} takes {count} arguments, not {len(node.args)}")
        return node.args

    def _call(self, node: ast.Call) -> Formula:
        if not isinstance(node.func, ast.Name):
            self.refuse(node, "only functions are called, by name")
        function = node.func.id
        if function == "held":
            self.refuse(node, "held(...) stands only around the whole right side")
        if function in REDUCTIONS:
            return self._reduce(node, function)
        return self._padded(node) if function == "padded" else self._function(node, function)

    def _function(self, node: ast.Call, function: str) -> Formula:
        known = function in FUNCTIONS or function in self.functions
        if not known and self.open_functions and self.open_functions.fullmatch(function):
            return self._open_call(node, function)
        if not known:
            names = {*FUNCTIONS, *REDUCTIONS, "padded", *self.functions}
            self.refuse(node, f"unknown function {function!r}; {allowed(function, names)}")
        if function in ("maximum", "minimum"):
            if len(node.args) < 2:
                self.refuse(node, f"{function} takes two or more arguments")
            return _nest(function, [self.convert(argument) for argument in self.arguments(node)])
        arity = ARITY[function] if function in FUNCTIONS else 1
        values = tuple(self.convert(argument) for argument in self.arguments(node, arity))
        if function == "log1p":
            return Call("log", (Call("add", (_ONE, values[0])),))
        if function == "expm1":
            return Call("add", (Call("exp", values), Call("negative", (_ONE,))))
        return Call(function, values)

    def _open_call(self, node: ast.Call, function: str) -> Call:
        values = tuple(self.convert(argument) for argument in self.arguments(node))
        if not values:
            self.refuse(node, f"{function} is a function of nothing")
        return Call(function, values)

    def _padded(self, node: ast.Call) -> Reference:
        (read,) = self.arguments(node, 1)
        if not isinstance(read, ast.Subscript):
            self.refuse(read, "padded takes one read of an array, as in padded(x[i + k - 1])")
        return replace(self._subscript(read), padded=True)

    def _reduce(self, node: ast.Call, function: Reduction) -> Reduce:
        arguments = self.arguments(node)
        if len(arguments) < 2:
            self.refuse(node, f"{function} takes indices and then what it runs over them")
        indices: list[str] = []
        for argument in arguments[:-1]:
            if not isinstance(argument, ast.Name):
                self.refuse(argument, f"{function} runs over indices by name")
            if argument.id in indices:
                self.refuse(argument, f"index {argument.id!r} stands twice in {function}")
            indices.append(self.name(argument))
        return Reduce(function, tuple(indices), self.convert(arguments[-1]))


def _nest(function: str, values: list[Formula]) -> Formula:
    result = values[0]
    for value in values[1:]:
        result = Call(function, (result, value))
    return result
