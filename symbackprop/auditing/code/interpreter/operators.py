"""Operators on values: integers, real numbers, arrays, tensors, sequences, strings."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.faults import Mismatch, Raised, Unknown
from symbackprop.auditing.code.floats import MOST_BITS
from symbackprop.auditing.code.interpreter.machine import (
    MOST_LENGTH,
    Machine,
    as_array,
    count,
    kind_of,
    nodes,
    plain,
)
from symbackprop.auditing.code.interpreter.values import Array, Instance, Tensor

Operation = Callable[[Any, Any], Any]

BINARY: dict[type[ast.operator], tuple[str, Operation]] = {
    ast.Add: ("add", operator.add),
    ast.Sub: ("sub", operator.sub),
    ast.Mult: ("mul", operator.mul),
    ast.Div: ("truediv", operator.truediv),
    ast.FloorDiv: ("floordiv", operator.floordiv),
    ast.Mod: ("mod", operator.mod),
    ast.Pow: ("pow", operator.pow),
    ast.MatMult: ("matmul", operator.matmul),
    ast.BitAnd: ("and", operator.and_),
    ast.BitOr: ("or", operator.or_),
    ast.BitXor: ("xor", operator.xor),
    ast.LShift: ("lshift", operator.lshift),
    ast.RShift: ("rshift", operator.rshift),
}
COMPARE: dict[type[ast.cmpop], tuple[str, Operation]] = {
    ast.Lt: ("lt", operator.lt),
    ast.LtE: ("le", operator.le),
    ast.Gt: ("gt", operator.gt),
    ast.GtE: ("ge", operator.ge),
    ast.Eq: ("eq", operator.eq),
    ast.NotEq: ("ne", operator.ne),
}
EQUAL = COMPARE[ast.Eq]
_NUMERIC = (bool, int, Node)
_LOGICAL = ("and", "or", "xor")


def binary(machine: Machine, name: str, operation: Operation, a: Any, b: Any, old: bool) -> Any:
    """Return ``a op b``.

    Args:
        machine: The run.
        name: The operator's name, as in Python's method names.
        operation: The operator on values of Python.
        a: The left operand.
        b: The right operand.
        old: Whether ``/`` of ints is a floor, as in Python 2.
    """
    if name == "truediv" and old and _integral(a) and _integral(b):
        name, operation = "floordiv", operator.floordiv
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return _tensor(machine, name, operation, a, b)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return arrays(machine, name, operation, a, b)
    if isinstance(a, _NUMERIC) and isinstance(b, _NUMERIC):
        return _numbers(machine, name, operation, a, b)
    return _others(machine, name, operation, a, b)


def _integral(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return bool(value.dtype != object)
    return isinstance(value, int)


def _tensor(machine: Machine, name: str, operation: Operation, a: Any, b: Any) -> Any:
    if isinstance(a, list | tuple | str) or isinstance(b, list | tuple | str):
        raise Raised("TypeError", f"{kind_of(a)} with {kind_of(b)}", machine.here[1])
    left, right = (v.array if isinstance(v, Tensor) else v for v in (a, b))
    result = arrays(machine, name, operation, left, right)
    return Tensor(result if isinstance(result, np.ndarray) else as_array(machine, result))


def arrays(machine: Machine, name: str, operation: Operation, a: Any, b: Any) -> Any:
    """Return ``a op b`` where at least one is an array; extents are compared first."""
    for one, other in ((a, b), (b, a)):
        if not isinstance(one, np.ndarray | Node | bool | int | list | tuple):
            reason = f"an operation of {kind_of(one)} with {kind_of(other)}"
            raise machine.misused(one, "array", reason)
    left, right = as_array(machine, a), as_array(machine, b)
    if name == "matmul":
        return matmul(machine, left, right)
    shape = broadcast(machine, left.shape, right.shape)
    machine.spend(count(shape))
    real = object in (left.dtype, right.dtype)
    if name == "truediv" and not real:
        left, real = nodes(machine, left), True
    if name in _LOGICAL and real:
        raise Raised("TypeError", f"operator {name} on real numbers", machine.here[1])
    if name in ("pow", "lshift") and not real and right.size and int(abs(right).max()) > 62:
        raise Unknown("an integer power out of bounds", machine.here[1])
    try:
        with np.errstate(divide="ignore"):  # integers over 0 are 0 there, with a warning
            result = operation(_lifted(machine, left, real), _lifted(machine, right, real))
    except (TypeError, ValueError) as error:
        raise Raised(type(error).__name__, str(error), machine.here[1]) from error
    return plain(result) if not isinstance(result, np.ndarray) or result.shape else result[()]


def _lifted(machine: Machine, array: Array, real: bool) -> Array:
    """An int that stands alone keeps to itself; whole arrays become nodes beside nodes."""
    return nodes(machine, array) if real else array


def broadcast(machine: Machine, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that arrays have together.

    Raises:
        Mismatch: If they have none.
    """
    rank = max(map(len, shapes))
    result = [1] * rank
    for shape in shapes:
        for axis, extent in enumerate(shape, rank - len(shape)):
            if extent == 1:
                continue
            if result[axis] not in (1, extent):
                text = " and ".join(map(str, shapes))
                message = f"operands could not be broadcast together with shapes {text}"
                pair = (shapes[0], shape) if len(shapes) == 2 else None
                raise Mismatch(message, result[axis], extent, machine.here[1], pair)
            result[axis] = extent
    return tuple(result)


def matmul(machine: Machine, a: Array, b: Array) -> Any:
    """Return ``a @ b``."""
    if not a.ndim or not b.ndim:
        raise machine.misused(a if not a.ndim else b, "array", "matmul of a number")
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        message = f"shapes {a.shape} and {b.shape} do not fit a matrix product"
        raise Mismatch(message, a.shape[-1], inner, machine.here[1])
    outer = broadcast(machine, a.shape[:-2], b.shape[:-2])
    machine.spend(count(outer) * count(a.shape[-2:]) * (b.shape[-1] if b.ndim > 1 else 1), False)
    return _product(machine, np.matmul, a, b)


def _alike(machine: Machine, a: Array, b: Array) -> tuple[Array, Array]:
    if object in (a.dtype, b.dtype):
        return nodes(machine, a), nodes(machine, b)
    if bool in (a.dtype, b.dtype):
        return a.astype(int), b.astype(int)
    return a, b


def dot(machine: Machine, a: Any, b: Any) -> Any:
    """Return ``np.dot(a, b)``."""
    left, right = as_array(machine, a), as_array(machine, b)
    if not left.ndim or not right.ndim:
        return arrays(machine, "mul", operator.mul, left, right)
    inner = right.shape[-2] if right.ndim > 1 else right.shape[0]
    if left.shape[-1] != inner:
        message = f"shapes {left.shape} and {right.shape} not aligned"
        raise Mismatch(message, left.shape[-1], inner, machine.here[1])
    machine.spend(count(left.shape) * (count(right.shape) // max(inner, 1)), False)
    return _product(machine, np.dot, left, right)


def _numbers(machine: Machine, name: str, operation: Operation, a: Any, b: Any) -> Any:
    if isinstance(a, Node) or isinstance(b, Node):
        if name in ("matmul", "and", "or", "xor", "lshift", "rshift"):
            raise machine.misused(a if isinstance(a, Node) else b, "array", f"{name} of numbers")
        return operation(a, b)
    if name in ("truediv", "floordiv", "mod") and b == 0:
        raise Raised("ZeroDivisionError", "division by zero", machine.here[1])
    if name == "truediv":
        return machine.number(Fraction(int(a), int(b)))
    if name in ("pow", "lshift"):
        if abs(b) > MOST_BITS or a.bit_length() * abs(b) > MOST_BITS:
            raise Unknown("a number of too many digits", machine.here[1])
        if b < 0 and name == "pow":
            if a == 0:
                raise Raised("ZeroDivisionError", "0 to a negative power", machine.here[1])
            return machine.number(Fraction(int(a)) ** b)
    result = operation(a, b)
    if result.bit_length() > MOST_BITS:
        raise Unknown("a number of too many digits", machine.here[1])
    return result


def _others(machine: Machine, name: str, operation: Operation, a: Any, b: Any) -> Any:
    sequences = (str, list, tuple)
    if name == "mul" and isinstance(b, sequences) and isinstance(a, int):
        a, b = b, a
    if name == "mul" and isinstance(a, sequences):
        times = machine.integer(b, "a number of repetitions")
        if len(a) * max(times, 0) > MOST_LENGTH:
            raise Unknown("a sequence too long", machine.here[1])
        return a * times
    if name == "add" and type(a) is type(b) and isinstance(a, sequences):
        if len(a) + len(b) > MOST_LENGTH:
            raise Unknown("a sequence too long", machine.here[1])
        return operation(a, b)
    if name == "add" and isinstance(a, tuple) and isinstance(b, tuple):
        return tuple(a) + tuple(b)
    if name == "mod" and isinstance(a, str):
        return a
    if isinstance(a, set | frozenset) and isinstance(b, set | frozenset):
        return operation(a, b)
    for value in (a, b):
        if machine.input_name(value) is not None:
            raise machine.misused(value, "array", f"{name} of {kind_of(value)}")
    for value in (a, b):
        if isinstance(value, Instance):
            raise Unknown(f"an operator of {value.cls.name}", machine.here[1])
    message = f"unsupported operand types: {kind_of(a)} and {kind_of(b)}"
    raise Raised("TypeError", message, machine.here[1])


def compare(machine: Machine, name: str, operation: Operation, a: Any, b: Any) -> Any:
    """Return ``a op b`` of a comparison."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        if a is None or b is None or isinstance(a, str) or isinstance(b, str):
            return name == "ne"
        left, right = (v.array if isinstance(v, Tensor) else v for v in (a, b))
        return Tensor(as_array(machine, _compared(machine, operation, left, right)))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if a is None or b is None or isinstance(a, str) or isinstance(b, str):
            return name == "ne"
        return _compared(machine, operation, a, b)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        if name in ("eq", "ne"):
            same = isinstance(a, list) == isinstance(b, list) and len(a) == len(b)
            same = same and all(
                compare(machine, "eq", operator.eq, u, v) is True for u, v in zip(a, b, strict=True)
            )
            return same == (name == "eq")
        return operation(tuple(a), tuple(b))
    try:
        result = operation(a, b)
    except TypeError as error:
        for value in (a, b):
            if machine.input_name(value):
                raise machine.misused(value, "real", f"a comparison of {kind_of(value)}") from error
        raise Raised("TypeError", str(error), machine.here[1]) from error
    return result if isinstance(result, bool) else bool(result)


def _compared(machine: Machine, operation: Operation, a: Any, b: Any) -> Any:
    left, right = as_array(machine, a), as_array(machine, b)
    machine.spend(count(broadcast(machine, left.shape, right.shape)))
    if object in (left.dtype, right.dtype):
        left, right = nodes(machine, left), nodes(machine, right)
    result = operation(left, right)
    return result.astype(bool) if isinstance(result, np.ndarray) else bool(result)


def truth(machine: Machine, value: Any) -> bool:
    """Return whether a value is true."""
    if isinstance(value, Tensor):
        value = value.array
    if isinstance(value, np.ndarray):
        if value.size != 1:
            message = "the truth value of an array with more than one element is ambiguous"
            raise machine.misused(value, "real", message)
        return bool(value.reshape(-1)[0])
    if isinstance(value, Instance):
        return True
    return bool(value)


def _product(machine: Machine, multiply: Callable[[Array, Array], Any], a: Array, b: Array) -> Any:
    try:
        return plain(multiply(*_alike(machine, a, b)))
    except SystemError as error:
        # NumPy goes on with a product after the fault of an element.
        raise Unknown("too many values", machine.here[1]) from error
