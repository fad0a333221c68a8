"""Rewritten equations are checked against the ones they come from, value and gradient."""

from dataclasses import replace

import numpy as np
import pytest
from algebra import (
    Array,
    call,
    define,
    exp,
    largest_error,
    log,
    maximum,
    negative,
)

from symbackprop.calculus import rewrite
from symbackprop.calculus.derive import derive
from symbackprop.calculus.rewrite import compose, floor_logarithms
from symbackprop.equations import Access, Index
from symbackprop.reference import decimal_arithmetic, evaluate
from symbackprop.scalar import Apply, apply, number, walk

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


def by_class(value=guarded):
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
    "exponential": ([define(a[n, i], exp(z[n, i])), *by_distribution()], ROWS),
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


def test_composed_values_are_those_of_the_equations():
    rng = np.random.default_rng(4)
    arithmetic = decimal_arithmetic(50)
    for equations, targets in CASES.values():
        composed, _ = compose(equations, (cost.variable,))
        values = {"z": rng.standard_normal((3, 4)), "y": targets}
        before = evaluate(equations, values, {}, arithmetic)["L"].item()
        after = evaluate(composed, values, {}, arithmetic)["L"].item()
        assert abs(before - after) < 1e-40


def test_what_is_not_known_to_be_positive_is_not_split():
    w = Array("w", n, i)
    quotient = define(a[n, i], z[n, i] / w[n, i])
    equations = [quotient, *binary()]
    assert compose(equations, (cost.variable,)) == (tuple(equations), ())


def test_what_the_equations_do_not_define_is_not_looked_through():
    equations = tuple(binary(guarded))
    assert compose(equations, (cost.variable,)) == (equations, ())


def test_a_held_definition_is_not_looked_through():
    equations = [replace(sigmoid()[0], held=True), *binary()]
    assert compose(equations, (cost.variable,))[1] == ()


def test_the_logarithm_of_a_probability_is_clamped():
    equations = binary()
    (floored,), steps = floor_logarithms(equations, (a.variable,))
    assert [step.rule for step in steps] == ["floor"]
    values = {"a": np.array([[0.0, 1.0, 0.5, 0.25]] * 3), "y": np.ones((3, 4))}
    value = evaluate([floored], values, {})["L"].item()
    assert value == pytest.approx(-9 * (-100 + np.log(0.5) + np.log(0.25)))


def test_only_logarithms_of_probabilities_are_clamped():
    other = define(cost.all, log(exp(a[n, i]) + 1) + log(y[n, i]), "total", (n, i))
    assert floor_logarithms([other], (a.variable,)) == ((other,), ())
    assert floor_logarithms(binary(guarded), (a.variable,)) == (tuple(binary(guarded)), ())


def test_a_planted_fault_is_caught(monkeypatch):
    split = rewrite.split_logarithm
    monkeypatch.setattr(
        rewrite,
        "split_logarithm",
        lambda *given: (found := split(*given)) and apply("multiply", number(1.0001), found),
    )
    equations, targets = CASES["sigmoid, binary"]
    composed, _ = compose(equations, (cost.variable,))
    derivation = derive(composed, (cost.variable,), (z.variable,))
    assert largest_error(derivation, equations, cost, [z], fixed={"y": targets}) > 1e-9
