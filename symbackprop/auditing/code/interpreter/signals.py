"""Correlations, convolutions and softmaxes, as SciPy has them."""

from __future__ import annotations

import operator
from typing import Any

from symbackprop.auditing.code.faults import Raised, Unknown
from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.arrays import filled
from symbackprop.auditing.code.interpreter.elementwise import mapped
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, count, nodes
from symbackprop.auditing.code.interpreter.reductions import over, total
from symbackprop.auditing.code.interpreter.registry import FUNCTIONS, library
from symbackprop.auditing.code.interpreter.values import Array


def softmax(machine: Machine, x: Any, axis: Any = None) -> Any:
    """Return the softmax, as SciPy and PyTorch define it."""
    exps = mapped(machine, lambda m, u: m.graph.exp(u), as_array(machine, x))
    return over(machine, exps, total(machine, exps, axis, keepdims=True))


FUNCTIONS["scipy.special.softmax"] = softmax


@library("scipy.special.logsumexp")
def logsumexp(machine: Machine, x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """Return the logarithm of the sum of exponentials."""
    exps = mapped(machine, lambda m, u: m.graph.exp(u), as_array(machine, x))
    return FUNCTIONS["numpy.log"](machine, total(machine, exps, axis, keepdims=keepdims))


def log_softmax(machine: Machine, x: Any, axis: Any = None) -> Any:
    """Return the logarithm of the softmax."""
    return operators.arrays(
        machine, "sub", operator.sub, as_array(machine, x), logsumexp(machine, x, axis, True)
    )


FUNCTIONS["scipy.special.log_softmax"] = log_softmax


def _correlated(machine: Machine, x: Array, kernel: Array, mode: str) -> Array:
    rows, columns = kernel.shape
    if mode == "full":
        x = FUNCTIONS["numpy.pad"](machine, x, ((rows - 1,) * 2, (columns - 1,) * 2))
    elif mode == "same":
        top, left = (rows - 1) // 2, (columns - 1) // 2
        width = ((top, rows - 1 - top), (left, columns - 1 - left))
        x = FUNCTIONS["numpy.pad"](machine, x, width)
    shape = (x.shape[0] - rows + 1, x.shape[1] - columns + 1)
    if min(shape) < 1:
        raise Raised("ValueError", "a kernel larger than the image", machine.here[1])
    machine.spend(count(shape) * kernel.size)
    made = filled(machine, shape, 0)
    for i in range(rows):
        for j in range(columns):
            made = made + x[i : i + shape[0], j : j + shape[1]] * kernel[i, j]
    return made


@library("scipy.signal.correlate2d", "scipy.signal.correlate")
def _correlate(machine: Machine, x: Any, kernel: Any, mode: Any = "full") -> Any:
    image, weights = nodes(machine, as_array(machine, x)), nodes(machine, as_array(machine, kernel))
    if image.ndim != 2 or weights.ndim != 2:
        raise machine.misused(image, "rank 2", "a correlation of matrices")
    return _correlated(machine, image, weights, str(mode))


@library("scipy.signal.convolve2d", "scipy.signal.convolve")
def _convolve(machine: Machine, x: Any, kernel: Any, mode: Any = "full") -> Any:
    weights = as_array(machine, kernel)
    image = as_array(machine, x)
    if mode == "same" and (weights.shape[0] % 2 == 0 or weights.shape[1] % 2 == 0):
        raise Unknown("a convolution of mode same with an even kernel", machine.here[1])
    if image.ndim != 2 or weights.ndim != 2:
        raise machine.misused(image, "rank 2", "a convolution of matrices")
    return _correlate(machine, image, weights[::-1, ::-1], mode)
