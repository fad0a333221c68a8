"""NumPy's random numbers: every one is a free value of its own."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from symbackprop.auditing.code.interpreter import operators
from symbackprop.auditing.code.interpreter.arrays import shape_of
from symbackprop.auditing.code.interpreter.machine import Machine, as_array, count, plain
from symbackprop.auditing.code.interpreter.registry import library
from symbackprop.auditing.code.interpreter.values import Library


def _shape_given(machine: Machine, size: Any) -> tuple[int, ...]:
    return () if size is None else shape_of(machine, size)


@library("numpy.random.rand", "numpy.random.random_sample", "numpy.random.random")
def _rand(machine: Machine, *shape: Any, size: Any = None) -> Any:
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
    return machine.random("unit", _shape_given(machine, size if size is not None else given))


@library("numpy.random.randn", "numpy.random.standard_normal")
def _randn(machine: Machine, *shape: Any, size: Any = None) -> Any:
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
    return machine.random("normal", _shape_given(machine, size if size is not None else given))


@library("numpy.random.default_rng", "numpy.random.RandomState")
def _generator(machine: Machine, seed: Any = None) -> Library:
    return Library("numpy.random")


@library("numpy.random.normal", "numpy.random.uniform")
def _drawn(
    machine: Machine, loc: Any = 0, scale: Any = 1, size: Any = None, low: Any = 0, high: Any = 1
) -> Any:
    return machine.random("normal", _shape_given(machine, size))


@library("numpy.random.binomial")
def _binomial(machine: Machine, n: Any, p: Any, size: Any = None) -> Any:
    drawn = as_array(machine, machine.random("unit", _shape_given(machine, size)))
    found = operators.compare(machine, "lt", operator.lt, drawn, p)
    return plain(np.asarray(found).astype(int))


@library("numpy.random.randint")
def _randint(machine: Machine, low: Any, high: Any = None, size: Any = None) -> Any:
    first, last = (0, low) if high is None else (low, high)
    bottom, top = machine.integer(first), machine.integer(last)
    shape = _shape_given(machine, size)
    machine.spend(count(shape))
    made = np.empty(shape, dtype=int)
    for place in np.ndindex(*shape):
        made[place] = bottom + int(machine.draw("unit", place) * (top - bottom))
    return plain(made if shape else made[()])


@library("numpy.random.permutation")
def _permutation(machine: Machine, x: Any) -> Any:
    return np.arange(machine.integer(x)) if not isinstance(x, np.ndarray) else x.copy()
