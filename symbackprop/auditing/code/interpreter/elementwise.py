"""NumPy's functions of single numbers, element by element."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.faults import Undefined
from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, count, nodes, plain
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS, Call, dtype_kind, library
from symbackprop.auditing.code.interpreter.values import Array, Tensor

Scalar = Callable[[Machine, Node], Any]


def mapped(machine: Machine, function: Scalar, x: Any) -> Any:
    """Return a function of every element."""
    if isinstance(x, Tensor):
        return Tensor(as_array(machine, mapped(machine, function, x.array)))
    if isinstance(x, Node | bool | int):
        return function(machine, machine.node(x))
    array = nodes(machine, as_array(machine, x))
    machine.spend(array.size)
    made = np.empty(array.shape, dtype=object)
    for place in np.ndindex(*array.shape):
        made[place] = function(machine, array[place])
    return made if made.shape else made[()]


def _half(machine: Machine) -> Node:
    return machine.number(Fraction(1, 2))


def _sqrt(machine: Machine, u: Node) -> Node:
    return machine.graph.power(u, _half(machine))


def _named(name: str) -> Scalar:
    return lambda machine, u: machine.graph.apply(name, u)


def _scaled_log(base: int) -> Scalar:
    def log(machine: Machine, u: Node) -> Any:
        return machine.graph.log(u) / machine.graph.log(machine.number(base))

    return log


def _sign(machine: Machine, u: Node) -> Node:
    return machine.number(machine.graph.compare(u, machine.number(0), "sign"))


def _sigmoid(machine: Machine, u: Node) -> Any:
    return 1 / (1 + machine.graph.exp(-u))


def _softplus(machine: Machine, u: Node) -> Any:
    return machine.graph.log(1 + machine.graph.exp(u))


def _round(machine: Machine, u: Node) -> Any:
    return machine.graph.floor(u + _half(machine))


def _exp(machine: Machine, u: Any) -> Any:
    return machine.graph.exp(u)


SCALARS: dict[str, Scalar] = {
    "exp": _exp,
    "log": _named("log"),
    "log2": _scaled_log(2),
    "log10": _scaled_log(10),
    "log1p": lambda machine, u: machine.graph.log(1 + u),
    "expm1": lambda machine, u: machine.graph.exp(u) - 1,
    "exp2": lambda machine, u: machine.graph.power(machine.number(2), u),
    "sqrt": _sqrt,
    "rsqrt": lambda machine, u: 1 / _sqrt(machine, u),
    "square": lambda machine, u: u**2,
    "abs": lambda machine, u: abs(u),
    "sign": _sign,
    "negative": lambda machine, u: -u,
    "reciprocal": lambda machine, u: 1 / u,
    "tanh": _named("tanh"),
    "sinh": lambda machine, u: (_exp(machine, u) - _exp(machine, -u)) / 2,
    "cosh": lambda machine, u: (_exp(machine, u) + _exp(machine, -u)) / 2,
    "sin": _named("sin"),
    "cos": _named("cos"),
    "tan": lambda machine, u: machine.graph.apply("sin", u) / machine.graph.apply("cos", u),
    "arcsinh": lambda machine, u: machine.graph.log(u + _sqrt(machine, u**2 + 1)),
    "arccosh": lambda machine, u: machine.graph.log(u + _sqrt(machine, u**2 - 1)),
    "arctanh": lambda machine, u: machine.graph.log((1 + u) / (1 - u)) / 2,
    **{name: _named(name) for name in ("arctan", "arcsin", "arccos", "erf")},
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": lambda machine, u: u if u > 0 else machine.number(0),
    "floor": lambda machine, u: machine.graph.floor(u),
    "ceil": lambda machine, u: -machine.graph.floor(-u),
    "rint": _round,
    "silu": lambda machine, u: u * _sigmoid(machine, u),
}
_OTHER_NAMES = {
    "numpy.absolute": "abs",
    "numpy.fabs": "abs",
    "scipy.special.expit": "sigmoid",
    "scipy.special.erf": "erf",
    "math.erf": "erf",
    "math.fabs": "abs",
    "math.asinh": "arcsinh",
    "scipy.special.softplus": "softplus",
}
_NOT_NUMPY = ("sigmoid", "softplus", "relu", "silu", "erf", "rsqrt")


def _enter() -> None:
    for name, function in SCALARS.items():
        FUNCTIONS[f"elementwise.{name}"] = _vector(function)
        if name not in _NOT_NUMPY:
            FUNCTIONS[f"numpy.{name}"] = _vector(function)
    logs = ("exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "tanh", "sinh", "cosh")
    for name in (*logs, "sin", "cos", "tan"):
        FUNCTIONS[f"math.{name}"] = _single(SCALARS[name])
    for name in ("tan", "sin", "cos"):
        FUNCTIONS[f"math.a{name}"] = _single(SCALARS[f"arc{name}"])
    for name, known in _OTHER_NAMES.items():
        FUNCTIONS[name] = _vector(SCALARS[known])


def _vector(function: Scalar) -> Call:
    def call(machine: Machine, x: Any, out: Any = None, dtype: Any = None) -> Any:
        return stored(machine, mapped(machine, function, x), out)

    return call


def _single(function: Scalar) -> Call:
    def call(machine: Machine, x: Any, base: Any = None) -> Any:
        value = function(machine, machine.node(x))
        return value if base is None else value / machine.graph.log(machine.node(base))

    return call


def stored(machine: Machine, value: Any, out: Any) -> Any:
    """Return a result, written into ``out`` where there is one."""
    if out is None:
        return value
    target = out[0] if isinstance(out, tuple) else out
    storage = target.array if isinstance(target, Tensor) else target
    storage[...] = nodes(machine, as_array(machine, value))
    return target


@library("math.floor", "math.ceil", "math.trunc")
def _whole(machine: Machine, x: Any) -> Any:
    floor = machine.graph.floor(machine.node(x)).constant
    return int(floor) if floor is not None else None


FUNCTIONS["math.ceil"] = lambda machine, x: -int(machine.graph.floor(-machine.node(x)).constant)
FUNCTIONS["math.pow"] = lambda machine, a, b: machine.graph.power(machine.node(a), machine.node(b))

_BINARY = {
    "add": ("add", operator.add),
    "subtract": ("sub", operator.sub),
    "multiply": ("mul", operator.mul),
    "divide": ("truediv", operator.truediv),
    "true_divide": ("truediv", operator.truediv),
    "floor_divide": ("floordiv", operator.floordiv),
    "mod": ("mod", operator.mod),
    "remainder": ("mod", operator.mod),
    "power": ("pow", operator.pow),
    "float_power": ("pow", operator.pow),
    "logical_and": ("and", operator.and_),
    "logical_or": ("or", operator.or_),
    "logical_xor": ("xor", operator.xor),
    "bitwise_and": ("and", operator.and_),
    "bitwise_or": ("or", operator.or_),
}
_COMPARE = {
    "greater": ("gt", operator.gt),
    "greater_equal": ("ge", operator.ge),
    "less": ("lt", operator.lt),
    "less_equal": ("le", operator.le),
    "equal": ("eq", operator.eq),
    "not_equal": ("ne", operator.ne),
}


def _operation(name: str, operation: Callable[[Any, Any], Any], logical: bool) -> Call:
    def call(machine: Machine, a: Any, b: Any, out: Any = None, dtype: Any = None) -> Any:
        a, b = (as_array(machine, v) if isinstance(v, list | tuple) else v for v in (a, b))
        if logical:
            a, b = truths(machine, a), truths(machine, b)
        return stored(machine, operators.binary(machine, name, operation, a, b, False), out)

    return call


def _comparison(name: str, operation: Callable[[Any, Any], Any]) -> Call:
    def call(machine: Machine, a: Any, b: Any) -> Any:
        a, b = (as_array(machine, v) if isinstance(v, list | tuple) else v for v in (a, b))
        return operators.compare(machine, name, operation, a, b)

    return call


for _name, (_python, _op) in _BINARY.items():
    FUNCTIONS[f"numpy.{_name}"] = _operation(_python, _op, _name.startswith("logical"))
for _name, (_python, _op) in _COMPARE.items():
    FUNCTIONS[f"numpy.{_name}"] = _comparison(_python, _op)
_enter()


def truths(machine: Machine, value: Any) -> Any:
    """Return an array of bools: whether each element is not zero."""
    if isinstance(value, Tensor):
        return Tensor(truths(machine, value.array))
    array = as_array(machine, value)
    machine.spend(array.size)
    return array if array.dtype == bool else array.astype(bool)


@library("numpy.logical_not")
def _not(machine: Machine, x: Any) -> Any:
    found = truths(machine, x)
    return Tensor(~found.array) if isinstance(found, Tensor) else ~found


@library("numpy.maximum", "numpy.fmax")
def maximum(machine: Machine, a: Any, b: Any, out: Any = None) -> Any:
    """Return the larger of two, element by element."""
    return stored(machine, _extreme(machine, np.maximum, a, b), out)


@library("numpy.minimum", "numpy.fmin")
def minimum(machine: Machine, a: Any, b: Any, out: Any = None) -> Any:
    """Return the smaller of two, element by element."""
    return stored(machine, _extreme(machine, np.minimum, a, b), out)


def _extreme(machine: Machine, function: Any, a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        left, right = (v.array if isinstance(v, Tensor) else v for v in (a, b))
        return Tensor(as_array(machine, _extreme(machine, function, left, right)))
    left, right = as_array(machine, a), as_array(machine, b)
    machine.spend(count(operators.broadcast(machine, left.shape, right.shape)))
    if object in (left.dtype, right.dtype):
        left, right = nodes(machine, left), nodes(machine, right)
    return plain(function(left, right))


@library("numpy.clip", "torch.clamp", "torch.clip")
def clip(
    machine: Machine,
    x: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    min: Any = None,
    max: Any = None,
) -> Any:
    """Return values held between two bounds; gradients, clipped where they stand, are let be."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    if out is not None and out is x and machine.graph.lift(high) is -machine.node(low):
        machine.record.notes.add("without the clipping of gradients")
        return x
    if low is not None:
        _inside(machine, x, low)
        x = maximum(machine, x, low)
    if high is not None:
        x = minimum(machine, x, high)
    return stored(machine, x, out)


SMALL = Fraction(1, 100)


def _inside(machine: Machine, x: Any, low: Any) -> None:
    """A small positive bound keeps a logarithm or a quotient off 0: the point stays inside it."""
    bound = machine.graph.lift(low)
    if bound is None or bound.constant is None or not 0 < bound.constant <= SMALL:
        return
    for value in nodes(machine, as_array(machine, x)).ravel():
        if value.constant is None and value.value < bound.value:
            names = machine.graph.inputs_of(value)
            if machine.may_narrow(names):
                raise Undefined("a value outside its clip", names)


@library("numpy.where")
def where(machine: Machine, condition: Any, x: Any = None, y: Any = None) -> Any:
    """Return x where the condition holds, else y; with the condition alone, where it holds."""
    holds = truths(machine, condition)
    if isinstance(holds, Tensor):
        holds = holds.array
    if x is None:
        return tuple(np.nonzero(holds))
    machine.took("where", bool(holds.any()))
    machine.took("where", bool(holds.all()))
    left, right = as_array(machine, x), as_array(machine, y)
    shape = operators.broadcast(machine, holds.shape, left.shape, right.shape)
    machine.spend(count(shape))
    if object in (left.dtype, right.dtype):
        left, right = nodes(machine, left), nodes(machine, right)
    result: Array = np.where(holds, left, right)
    return result if result.shape else plain(result[()])


@library("numpy.nan_to_num", "numpy.real", "numpy.ascontiguousarray", "numpy.asfortranarray")
def _same(machine: Machine, x: Any, copy: Any = True, nan: Any = 0) -> Any:
    return x


def _judged(machine: Machine, x: Any, holds: Callable[[float], bool]) -> Any:
    array = nodes(machine, as_array(machine, x))
    made = np.empty(array.shape, dtype=bool)
    for place in np.ndindex(*array.shape):
        made[place] = holds(array[place].value)
    return made if made.shape else bool(made)


@library("numpy.isnan", "math.isnan", "torch.isnan")
def _isnan(machine: Machine, x: Any) -> Any:
    return _judged(machine, x, math.isnan)


@library("numpy.isinf", "math.isinf", "torch.isinf")
def _isinf(machine: Machine, x: Any) -> Any:
    return _judged(machine, x, lambda value: abs(value) == float("inf"))


@library("numpy.isfinite", "math.isfinite", "torch.isfinite")
def _isfinite(machine: Machine, x: Any) -> Any:
    return _judged(machine, x, lambda value: abs(value) < float("inf"))


@library("numpy.heaviside")
def _heaviside(machine: Machine, x: Any, at_zero: Any) -> Any:
    def step(machine: Machine, u: Node) -> Any:
        order = machine.graph.compare(u, machine.number(0), "heaviside")
        return machine.node(at_zero) if order == 0 else machine.number(int(order > 0))

    return mapped(machine, step, x)


@library("numpy.around", "numpy.round", "numpy.round_")
def _around(machine: Machine, x: Any, decimals: Any = 0) -> Any:
    if machine.integer(decimals):
        return x
    return mapped(machine, _round, x)


@library("numpy.logaddexp")
def _logaddexp(machine: Machine, a: Any, b: Any) -> Any:
    exp = FUNCTIONS["numpy.exp"]
    total = operators.binary(machine, "add", operator.add, exp(machine, a), exp(machine, b), False)
    return FUNCTIONS["numpy.log"](machine, total)


def cast(machine: Machine, x: Any, dtype: Any) -> Any:
    """Return values of another dtype."""
    kind = dtype_kind(machine, dtype)
    array = as_array(machine, x)
    machine.spend(array.size)
    if kind == "real":
        return nodes(machine, array).copy()
    if kind == "bool":
        return array.astype(bool)
    if array.dtype != object:
        return array.astype(int)
    return _truncated(machine, array)


def _truncated(machine: Machine, array: Array) -> Array:
    made = np.empty(array.shape, dtype=int)
    for place in np.ndindex(*array.shape):
        value = array[place]
        whole = value.constant
        if whole is None and abs(value.value - round(value.value)) < 1e-9:
            whole = Fraction(round(value.value))
        if whole is None and abs(value.value) > 1e9:
            raise Undefined("an integer out of bounds")
        made[place] = int(whole if whole is not None else value.value)
    return made


def _isin(machine: Machine, a: Any, b: Any) -> Any:
    return np.isin(as_array(machine, a), as_array(machine, b))


FUNCTIONS["numpy.isin"] = _isin
