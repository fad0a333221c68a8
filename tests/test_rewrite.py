"""Rewritten equations are checked against the ones they come from, value and gradient."""

import numpy as np
import pytest

from algebra import (
    N,
    Array,
    call,
    define,
    exp,
    largest_error,
    log,
    maximum,
    negative,
)
from symbackprop.calculus.derive import derive
from symbackprop.calculus.rewrite import compose, floor_logarithms
from symbackprop.equations import Access, Index
from symbackprop.reference import decimal_arithmetic, evaluate
from symbackprop.scalar import Apply, walk

n, i = Index("n", 3), Index("i", 4)
z, y, a, cost, per = Array("z", n, i), Array("y", n, i), Array("a", n, i), Array("L"), Array("l", n)
label = Array("y", n, integer=True)
ROWS = np.abs(np.random.default_rng(8).standard_normal((3, 4)))
LABELS = np.array([2, 0, 3])


def guarded(u):
    return log(maximum(exp(-100), u))


def softmax():
    m, e, s = Array("m", n), Array("e", n, i), Array("s", n)
    return [
        define(m[n], z[n, i], "largest", (i,), held=True),
        define(e[n, i], exp(z[n, i] - m[n])),
        define(s[n], e[n, i], "total", (i,)),
        define(a[n, i], e[n, i] / s[n]),
    ]


def log_softmax():
    m, s = Array("m", n), Array("s", n)
    return [
        define(m[n], z[n, i], "largest", (i,), held=True),
        define(s[n], exp(z[n, i] - m[n]), "total", (i,)),
        define(a[n, i], z[n, i] - m[n] - log(s[n])),
    ]


def sigmoid():
    return [define(a[n, i], 1 / (1 + exp(negative(z[n, i]))))]


def binary(logarithm=log):
    first, second = logarithm(a[n, i]), logarithm(1 - a[n, i])
    form = -(3 * y[n, i] * first + (1 - y[n, i]) * second)
    return [define(cost.all, form, "total", (n, i))]


def by_class(value=lambda u: guarded(u)):
    picked = call("leaf", Access(a.variable, (n, label[n].arguments[0])))
    return [
        define(per[n], -value(picked)),
        define(cost.all, per[n] / 3, "total", (n,)),
    ]


def by_distribution():
    return [
        define(per[n], y[n, i] * guarded(a[n, i]), "total", (i,)),
        define(cost.all, -per[n], "total", (n,)),
    ]


CASES = {
    "sigmoid, binary": (sigmoid() + binary(), ROWS),
    "sigmoid, guarded": (sigmoid() + binary(guarded), ROWS),
    "softmax, classes": (softmax() + by_class(), LABELS),
    "softmax, distribution": (softmax() + by_distribution(), ROWS),
    "log_softmax, classes": (log_softmax() + by_class(lambda u: u), LABELS),
    "exponential": ([define(a[n, i], exp(z[n, i]))] + by_distribution(), ROWS),
}


@pytest.mark.parametrize("name", CASES)
def test_composition_keeps_the_derivative_and_drops_the_activation(name):
    equations, targets = CASES[name]
    composed, steps = compose(equations, (cost.variable,))
    assert a.variable not in {e.target.variable for e in composed}
    assert {"compose", "prune"} <= {step.rule for step in steps}
    derivation = derive(composed, (cost.variable,), (z.variable,))
    assert not largest_error(derivation, equations, cost, [z], fixed={"y": targets}) > 1e-20


def logarithms(equation):
    return [x for x in walk(equation.function) if isinstance(x, Apply) and x.function == "log"]


def test_sigmoid_and_binary_cross_entropy_collapse():
    form = -(y[n, i] * log(a[n, i]) + (1 - y[n, i]) * log(1 - a[n, i]))
    equations = [*sigmoid(), define(cost.all, form, "total", (n, i))]
    (only,), _ = compose(equations, (cost.variable,))
    assert len(logarithms(only)) == 1
