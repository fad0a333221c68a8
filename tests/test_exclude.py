"""Cross-entropy keeps every digit, forward and backward, however far the logits spread."""

from dataclasses import replace

import numpy as np
import pytest
from algebra import Array, call, define, largest_error
from test_rewrite import (
    LABELS,
    ROWS,
    a,
    by_class,
    by_distribution,
    cost,
    guarded,
    i,
    label,
    log_softmax,
    n,
    per,
    softmax,
    y,
    z,
)

from symbackprop.calculus.combine import combine
from symbackprop.calculus.derive import derive
from symbackprop.calculus.exclude import exclude
from symbackprop.calculus.passes import stabilized
from symbackprop.calculus.rewrite import compose
from symbackprop.equations import Access
from symbackprop.reference import FLOAT64, accumulate, decimal_arithmetic, evaluate
from symbackprop.scalar import apply, number

ONE_HOT = np.eye(4)[LABELS]
SPREAD = np.array(
    [[0.0, -120.0, 50.0, 3.0], [200.0, 199.0, -400.0, 7.0], [600.0, 0.0, -600.0, 10.0]]
)


def weighted():
    w = Array("w", i)
    picked = call("leaf", Access(a.variable, (n, label[n].arguments[0])))
    weight = call("leaf", Access(w.variable, (label[n].arguments[0],)))
    return [
        define(per[n], -(weight * guarded(picked))),
        define(cost.all, per[n] / 3, "total", (n,)),
    ]


def ignored(value, fill=None):
    picked = call("leaf", Access(a.variable, (n, label[n].arguments[0]), fill))
    ignore = call("equal", label[n], value)
    return [
        define(per[n], call("where", ignore, 0, -guarded(picked))),
        define(cost.all, per[n] / 3, "total", (n,)),
    ]


def smoothed():
    u = Array("u", n)
    picked = call("leaf", Access(a.variable, (n, label[n].arguments[0])))
    return [
        define(u[n], guarded(a[n, i]), "total", (i,)),
        define(per[n], -(0.9 * guarded(picked)) - 0.025 * u[n]),
        define(cost.all, per[n] / 3, "total", (n,)),
    ]


def directly():
    return [define(cost.all, -(y[n, i] * guarded(a[n, i])), "total", (n, i))]


CASES = {
    "classes": (softmax() + by_class(), LABELS),
    "log_softmax, classes": (log_softmax() + by_class(lambda u: u), LABELS),
    "weighted": (softmax() + weighted(), LABELS),
    "ignored": (softmax() + ignored(0), LABELS),
    "ignored, outside": (softmax() + ignored(-100, "zero"), np.array([2, -100, 3])),
    "smoothed": (softmax() + smoothed(), LABELS),
    "distribution": (softmax() + by_distribution(), ROWS),
    "one-hot": (softmax() + by_distribution(), ONE_HOT),
    "one total": (softmax() + directly(), ROWS),
}
EXACT = set(CASES) - {"smoothed"}


def derived(equations):
    composed, _ = compose(equations, (cost.variable,))
    excluded, found, steps = exclude(composed, (cost.variable,))
    assert len(found) == 1
    assert steps
    derivation = derive(excluded, (cost.variable,), (z.variable,))
    for entry in found:
        derivation = combine(derivation, entry)
    return derivation


def fixed(targets):
    return {"y": targets, "w": np.array([0.5, 2.0, 1.0, 3.0])}


@pytest.mark.parametrize("name", CASES)
def test_the_derivative_stays(name):
    equations, targets = CASES[name]
    derivation = derived(equations)
    assert not largest_error(derivation, equations, cost, [z], fixed=fixed(targets)) > 1e-20
    stable = stabilized(derivation)
    assert not largest_error(stable, equations, cost, [z], fixed=fixed(targets)) > 1e-20
    assert ("combine" in {step.rule for step in derivation.steps}) == (name in EXACT)


def gradient(derivation, values, arithmetic):
    primal = evaluate(derivation.equations, values, {}, arithmetic)
    bars = accumulate(derivation.adjoints, primal, {"L": 1}, {}, arithmetic)
    return primal["L"].item(), bars["z"]


def digits_lost(derivation, equations, values):
    composed, _ = compose(equations, (cost.variable,))
    plain = derive(composed, (cost.variable,), (z.variable,))
    loss, bar = gradient(derivation, values, FLOAT64)
    exact_loss, exact_bar = gradient(plain, values, decimal_arithmetic(1200))
    errors = []
    pairs = [(loss, exact_loss), *zip(bar.flat, exact_bar.flat, strict=True)]
    for got, expected in pairs:
        if abs(expected) > 1e-300:
            errors.append(abs(got - expected) / abs(expected))
    return float(max(errors))


@pytest.mark.parametrize("name", ["classes", "log_softmax, classes", "one-hot"])
@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("target", range(4))
def test_no_digit_is_lost(name, row, target):
    equations, _ = CASES[name]
    labels = np.full(3, target)
    targets = np.eye(4)[labels] if name == "one-hot" else labels
    values = {"z": SPREAD[[row] * 3], "y": targets}
    assert not digits_lost(stabilized(derived(equations)), equations, values) > 4e-15


def test_the_plain_form_loses_them_all():
    equations, _ = CASES["classes"]
    composed, _ = compose(equations, (cost.variable,))
    plain = derive(composed, (cost.variable,), (z.variable,))
    values = {"z": SPREAD[[0] * 3], "y": np.full(3, 2)}
    assert digits_lost(plain, equations, values) > 0.5


def test_the_target_is_reached_by_one_term_alone():
    derivation = derived(CASES["classes"][0])
    (adjoint,) = [x for x in derivation.adjoints if x.variable == z.variable]
    dense, target = adjoint.terms
    assert target.assigned
    assert target.target.indices[1] == label[adjoint.variable.axes[0]].arguments[0]
    assert dense.excluding == ((z.variable.axes[1], target.target.indices[1]),)


def test_smoothing_does_not_assign():
    derivation = derived(CASES["smoothed"][0])
    (adjoint,) = [x for x in derivation.adjoints if x.variable == z.variable]
    assert not any(term.assigned for term in adjoint.terms)


def test_a_planted_fault_is_caught():
    equations, targets = CASES["classes"]
    derivation = derived(equations)
    *rest, adjoint = derivation.adjoints
    for place, term in enumerate(adjoint.terms):
        terms = list(adjoint.terms)
        terms[place] = replace(
            term, coefficient=apply("multiply", number(1.0001), term.coefficient)
        )
        wrong = replace(derivation, adjoints=(*rest, replace(adjoint, terms=tuple(terms))))
        assert largest_error(wrong, equations, cost, [z], fixed=fixed(targets)) > 1e-9
