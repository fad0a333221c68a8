"""Scalar expressions evaluated by NumPy, and to many digits by mpmath; equations read as such."""

from __future__ import annotations

import math
from functools import cache

import mpmath
import numpy as np

from symbackprop.formula import Call, Reduce, Reference
from symbackprop.formula_reader import read_equation
from symbackprop.scalar import Expression, Named, Number, Slot, apply

CONSTANTS = {
    "alpha": 0.75,
    "beta": 1.5,
    "gamma": 1.75,
    "delta": 1.25,
    "lambd": 0.5,
    "threshold": 20.0,
    "negative_slope": 0.0625,
    "pos_weight": 2.5,
    "min_val": -1.0,
    "max_val": 1.0,
    "eps": 2.0**-26,
    "label_smoothing": 0.125,
    "ignore_index": -100.0,
    "classes": 3.0,
    "units": 2.0,
    "num_parameters": 1.0,
    "pi": math.pi,
}
_NUMPY = {
    "add": lambda *a: sum(a[1:], a[0]),
    "multiply": lambda *a: math.prod(a[1:], start=a[0]),
    "erf": np.vectorize(math.erf, otypes=[float]),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
}
_ZERO_OR_ONE = {
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "logical_not": lambda a: not a,
}
_EXACT = {
    "add": lambda *a: mpmath.fsum(a),
    "multiply": lambda *a: mpmath.fprod(a),
    "negative": lambda a: -a,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "remainder": lambda a, b: a % b,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sqrt": mpmath.sqrt,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "abs": abs,
    "sign": mpmath.sign,
    "copysign": lambda a, b: abs(a) if b >= 0 else -abs(a),
    "maximum": max,
    "minimum": min,
}


def in_numpy(expression, values, dtype):
    """The value at arrays for the slots, every operation in the dtype."""
    if isinstance(expression, Number):
        return dtype(float(expression.value))
    if isinstance(expression, Named):
        return dtype(CONSTANTS[expression.name])
    if isinstance(expression, Slot):
        return values[expression.position]
    arguments = [in_numpy(argument, values, dtype) for argument in expression.arguments]
    function = _NUMPY.get(expression.function) or getattr(np, expression.function)
    result = np.asarray(function(*arguments))
    return result.astype(dtype)


def exactly(expression, point):
    """The value at one point, in mpmath's current precision; only the branch taken counts."""
    if isinstance(expression, Number):
        return mpmath.mpf(expression.value.numerator) / expression.value.denominator
    if isinstance(expression, Named):
        name = expression.name
        return mpmath.pi if name == "pi" else mpmath.mpf(CONSTANTS[name])
    if isinstance(expression, Slot):
        return mpmath.mpf(point[expression.position])
    if expression.function == "where":
        condition, yes, no = expression.arguments
        return exactly(yes if exactly(condition, point) else no, point)
    arguments = [exactly(argument, point) for argument in expression.arguments]
    if expression.function in _ZERO_OR_ONE:
        return mpmath.mpf(int(_ZERO_OR_ONE[expression.function](*arguments)))
    return _EXACT[expression.function](*arguments)


@cache
def true_value(expression, point):
    """The value to 60 digits; 0 below any float.

    1200 digits to start with: what cancels against 1 may be as small as the smallest float.
    """
    previous = mpmath.inf
    for digits in (1200, 1800, 5000, 12000):
        with mpmath.workdps(digits):
            value = exactly(expression, point)
            if abs(value) < mpmath.mpf(10) ** -400:
                return mpmath.mpf(0)
            if abs(value - previous) <= mpmath.mpf(10) ** -60 * abs(value):
                return value
            previous = value
    raise AssertionError(f"no convergence at {point}")


@cache
def condition_number(expression, point):
    """Sum over the arguments of the relative change of value per relative change of argument."""
    total, step = mpmath.mpf(0), mpmath.mpf(10) ** -20
    with mpmath.workdps(1200):
        value = exactly(expression, point)
        for k, x in enumerate(point):
            if x and value:
                moved = [mpmath.mpf(v) for v in point]
                moved[k] *= 1 + step
                total += abs(exactly(expression, moved) - value) / step / abs(value)
    return float(total)


class Reading:
    """An equation's right-hand side over slots: each read of a variable is a slot of its own."""

    def __init__(self, text, constants=()):
        self.constants = set(constants)
        self.reads: list[str] = []
        self.nested: list[Expression] = []
        self.expression = self._read(read_equation(text).value)

    def _slot(self, name):
        if name not in self.reads:
            self.reads.append(name)
        return Slot(self.reads.index(name))

    def _read(self, node):
        if isinstance(node, Reference):
            if node.name in self.constants or node.name == "pi":
                return Named(node.name)
            return self._slot(f"{node.name}{list(node.subscripts) or ''}")
        if isinstance(node, Reduce):
            self.nested.append(self._read(node.body))
            return self._slot(f"{node.reduction}{node.body}")
        if isinstance(node, Call):
            return apply(node.function, *map(self._read, node.arguments))
        return node
