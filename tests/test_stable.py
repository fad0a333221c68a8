"""Stable forms against textbook forms evaluated to as many digits as it takes."""

from __future__ import annotations

import time
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scalar_oracle import exactly, in_numpy
from stable_check import LINE, POSITIVE, RANDOM, UNIT, check, derivatives, expression

from symbackprop.calculus import stable
from symbackprop.calculus.partials import partial
from symbackprop.calculus.stable import assembly, balance, complements, logarithms, region, towers
from symbackprop.calculus.stable import stable_form as form
from symbackprop.calculus.stable.polynomials import used
from symbackprop.scalar import Apply, Slot, apply, number, slots, walk

# --- the table of exact forms: a few roundings, whatever the condition number ---

Z = (*LINE, *RANDOM)
FLAT = {
    "sigmoid": ("1 / (1 + exp(-z))", Z),
    "its slope": ("exp(-z) / (1 + exp(-z))**2", Z),
    "its curvature": ("exp(-z) * (exp(-z) - 1) / (1 + exp(-z))**3", Z),
    "slope of tanh": ("1 - tanh(z)**2", Z),
    "slope of tanh in a sum": ("z / 10**40 + 1 - tanh(z)**2", Z),
    "curvature of tanh": ("-2 * tanh(z) * (1 - tanh(z)**2)", Z),
    "softplus": ("log(1 + exp(z))", Z),
    "softplus, doubled": ("log(exp(2 * z) + 2 * exp(z) + 1)", Z),
    "log of sigmoid": ("log(1 / (1 + exp(-z)))", Z),
    "log of 1 - sigmoid": ("log(1 - 1 / (1 + exp(-z)))", Z),
    "log of 1 + sigmoid": ("log(1 + 1 / (1 + exp(-z)))", Z),
    "log of a quotient near 1": ("log((2 + 3 * exp(z)) / (2 + exp(z)))", Z),
    "log cosh": ("log((exp(z) + exp(-z)) / 2)", Z),
    "tanh by exponentials": ("(exp(z) - exp(-z)) / (exp(z) + exp(-z))", Z),
    "sigmoid - 1/2": ("1 / (1 + exp(-z)) - 0.5", Z),
    "silu": ("z / (1 + exp(-z))", Z),
    "sigmoid of tanh": ("(1 + tanh(z / 2)) / 2", Z),
    "elu": ("where(z > 0, z, alpha * (exp(z) - 1))", Z),
    "elu, turned": ("where(z <= 0, alpha * (exp(z) - 1), z)", Z),
    "elu of -z": ("where(-z < 0, z, alpha * (exp(z) - 1))", Z),
    "celu": ("where(z > 0, z, 2 * (exp(z / 2) - 1))", Z),
    "exp - 1": ("where(z > 0, 0, exp(z) - 1) + where(z > 0, exp(-z) - 1, 0)", Z),
    "exp - 1 in a sum": ("z**3 + exp(z) - 1", (1e-30, 1e-8, -1e-4, 0.03, 1.0)),
    "log(1 + x)": ("where(z > -1, log(1 + abs(z)), 0)", Z),
    "log where positive": ("where(z > 0, log(z), 0)", Z),
    "Gaussian gap": ("log(2 - exp(-z**2))", (0.0, 0.5, 1.0, 3.0, 40.0)),
    "Gaussian log gap": ("log(1 - exp(-z**2))", (2.0**-10, 2.0**-5, 0.25, 0.5, 0.75)),
    "upper tail": ("1 - erf(z)", (0.0, 0.5, 1.0, 2.0, 4.0, -3.0)),
    "sinh": ("(exp(z) - exp(-z)) / 2", tuple(x for x in Z if abs(x) < 60)),
    "a limit near 0": ("eps / (1 + exp(-z)) - (1 - eps) / (1 + exp(z))", Z),
    "exponentials that cancel": ("exp(z) * exp(-z)", Z),
    "log of 1 - tanh": ("log(1 - tanh(z))", tuple(x for x in Z if abs(x) > 0.3)),
    "Gompertz": ("exp(-exp(z))", Z),
    "its complement": ("1 - exp(-2 * exp(-z))", Z),
    "its density": ("exp(z) * exp(-exp(z))", Z),
    "Gumbel": ("exp(-z - exp(-z))", Z),
    "slope of Gumbel": ("(exp(-z) - 1) / exp(z + exp(-z))", Z),
    "tanh of exp": ("z * tanh(exp(z))", Z),
    "its steep factor": ("z * exp(3 * z) * (1 - tanh(exp(2 * z))**2)", Z),
    "erf of exp": ("z * erf(exp(z) / 2) + z * exp(z) * exp(-exp(2 * z) / 4)", Z),
    "bell of softplus": ("exp(-log(1 + exp(z))**2)", Z),
}
TOWERS = list(FLAT)[-9:]


@pytest.mark.parametrize("name", FLAT)
def test_table(name):
    text, values = FLAT[name]
    check(
        expression(text),
        [values],
        units=6.0,
        conditioned=name in ("upper tail", "Gaussian log gap", *TOWERS),
    )


LABELS = (0.0, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "log(1 + exp(z)) - y * z",
        "-(y * log(1 / (1 + exp(-z))) + (1 - y) * log(1 - 1 / (1 + exp(-z))))",
        "w * y * log(1 + exp(-z)) + (1 - y) * log(1 + exp(z))",
    ],
)
@pytest.mark.parametrize("labels", [LABELS, UNIT], ids=["hard", "soft"])
def test_binary_cross_entropy_of_a_logit(text, labels):
    """The loss and its gradient: exact to a few roundings at labels 0 and 1."""
    loss = expression(text, "none")
    domains = [Z, labels, POSITIVE][: len(slots(loss))]
    if text.startswith("w"):
        domains = [POSITIVE, labels, Z]
    position = domains.index(Z)
    hard = labels is LABELS
    for each in (loss, partial(loss, position)):
        check(each, domains, units=8.0, conditioned=not hard)


@pytest.mark.parametrize(
    "text",
    [
        "(1 - 1 / (1 + exp(-z)))**gamma * log(1 + exp(-z))",
        "(1 / (1 + exp(-z)))**0.25",
        "sqrt(1 / (1 + exp(-z)))",
        "(1 + exp(z))**(-gamma)",
        "1 / sqrt(1 + exp(z))",
    ],
)
def test_real_powers(text):
    whole = expression(text)
    for each in (whole, *derivatives(whole)):
        check(each, [Z], units=12.0)


@pytest.mark.parametrize(
    "text",
    [
        "z / (1 + exp(-beta * z))",
        "1 / (1 + exp(-(z - y)))",
        "log(1 + exp(z - y))",
        "log((exp(z - y) + exp(y - z)) / 2)",
        "(1 - y) * z / (1 + exp(-z)) + y * tanh(z)",
        "z * (1 + tanh(z + y)) / 2",
        "(1 - tanh(z)**2) * y",
        "z * sign(z) / (1 + abs(z))",
        "z * y + 1 - tanh(z)**2",
    ],
)
def test_equations_of_users(text):
    whole = expression(text)
    domains = [Z, (0.25, -3.0, 30.0)][: len(slots(whole))]
    for each in (whole, *derivatives(whole)):
        check(each, [domains[k] for k in range(max(slots(each)) + 1)], units=16.0)


@pytest.mark.parametrize(
    "text",
    [
        "1 / (1 + exp(-z)) - 1 / (1 + exp(-y))",
        "log(2 + exp(z)) - log(3 + exp(z))",
        "z * tanh(z) + 1 - tanh(z)**2",
    ],
)
def test_differences_keep_absolute_accuracy(text):
    """Different functions that nearly agree: no relative accuracy, and no warning either."""
    whole = expression(text)
    for each in (whole, *derivatives(whole)):
        check(each, [Z, (0.25, -3.0, 30.0)], units=16.0, absolute=1.0)


@pytest.mark.parametrize("text", ["sin(z) / z", "1 / z", "z * y / z**3"])
def test_a_divisor_is_guarded_where_its_size_chooses(text):
    whole = expression(f"where(abs(z) < 0.125, y, {text})")
    for each in (whole, *derivatives(whole)):
        domains = [(0.0, 0.0625, 0.25, -3.0), (0.25, -3.0, 30.0)]
        check(each, [domains[k] for k in range(max(slots(each)) + 1)], units=16.0, absolute=1.0)


# --- what stays, what is shared, what it costs ---


@pytest.mark.parametrize(
    "text",
    [
        "exp(z)",
        "tanh(z)",
        "z * tanh(y) + 3",
        "exp(z) - y * z",
        "y * z + z**2 - log(y)",
        "maximum(0, z) * y",
        "minimum(6, maximum(0, z + 3)) / 6",
        "z + (y - z)**2 * exp(-z)",
        "exp(-z**2) * (z + y)",
        "erf(z)",
        "b + a * 2",
        "log(z) + log(y)",
        "exp(z) / (exp(z) + exp(y))",
    ],
)
def test_unchanged(text):
    whole = expression(text)
    assert form(whole) == whole


def test_nonpositive_exponents_stay():
    """The exponent of a softmax, less its largest, needs no |u|."""
    whole = expression("log(1 + exp(z - y))", "none")
    shift = expression("z - y", "none")
    kept = form(whole, frozenset({shift}))
    assert kept == apply("log1p", apply("exp", shift))


def test_each_exponential_once():
    """Every form in e has one exponential: P, Q and e share the same subtree."""
    for text in ("z / (1 + exp(-z))", "log(1 + exp(z)) - y * z", "z * tanh(log(1 + exp(z)))"):
        whole = expression(text)
        for each in (whole, *derivatives(whole)):
            exponentials = {
                n for n in walk(form(each)) if isinstance(n, Apply) and n.function == "exp"
            }
            z = Slot(0)
            assert exponentials <= {apply("exp", apply("negative", apply("abs", z)))}


def test_order_of_summands():
    """The polynomial first, then what is exponentially small."""
    z = Slot(0)
    decay = apply("exp", apply("negative", apply("abs", z)))
    assert form(expression("log(1 + exp(z)) - 2 * z")) == apply(
        "add",
        apply("maximum", z, number(0)),
        apply("negative", apply("multiply", number(2), z)),
        apply("log1p", decay),
    )


def test_a_loss_and_its_derivative_share_the_step():
    """max(z, 0) - y*z is z*(H - y), and H - y is a coefficient of the derivative."""
    loss = expression("log(1 + exp(z)) - y * z")
    z, y = Slot(0), Slot(1)
    step = apply("greater", z, number(0))
    height = apply("add", step, apply("negative", y))
    decay = apply("exp", apply("negative", apply("abs", z)))
    log = apply("log1p", decay)
    assert form(loss) == apply("add", apply("multiply", z, height), log)
    far = apply("add", number(1), apply("negative", y), apply("negative", step))
    above = apply("add", height, apply("multiply", far, decay))
    assert form(partial(loss, 0)) == apply("divide", above, apply("add", number(1), decay))


STEPS = (
    "log(1 + exp(z)) - y * z",
    "-log(1 + exp(z)) + z * y",
    "log(1 + exp(-z)) + y * z",
    "3 * log(1 + exp(2 * z)) / 4 - y * z",
    "1 / (1 + exp(z)) * (y - 1) + y / (1 + exp(-z))",
    "1 / (1 + exp(-z)) - y",
)


@pytest.mark.parametrize("text", STEPS)
@pytest.mark.parametrize("labels", [LABELS, (1e-20, 1 - 2.0**-24, 2.0**-20, -3.0, 1e20)])
def test_steps(text, labels):
    """Whatever the label: what is written with a step is as exact as with P and Q."""
    whole = expression(text, "none")
    for each in (whole, partial(whole, 0)):
        check(each, [Z, labels], units=8.0, conditioned=labels is not LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "(1 + w * y) / (1 + exp(-z)) - y",
        "1 / (1 + exp(-z)) - y**2",
        "1 / (1 + exp(-z)) - y + w",
    ],
)
def test_no_step_where_a_coefficient_would_cancel(text):
    """The two coefficients do not differ by a number, or are known better than that."""
    functions = {n.function for n in walk(form(expression(text))) if isinstance(n, Apply)}
    assert "copysign" in functions
    assert "greater" not in functions


def test_a_slope_of_tanh_in_a_sum_keeps_its_digits():
    whole = expression("y * tanh(z) + 1 - tanh(z)**2 + 2 * tanh(y) - 2")
    check(whole, [(1e-30, -1e-30, 1e-3, 30.0), (30.0, -30.0, 0.01, 0.0)], units=16.0)


def test_tanh_survives_where_it_is_alone():
    whole = expression("z - tanh(z)")
    assert form(partial(whole, 0)) == expression("tanh(z)**2")


def test_time():
    wholes = [expression(text) for text, _ in FLAT.values()]
    wholes += [each for whole in wholes for each in derivatives(whole)]
    form.cache_clear()
    started = time.perf_counter()
    for whole in wholes:
        form(whole)
    assert (time.perf_counter() - started) / len(wholes) < 0.05


def test_too_many_parts_stay_as_they_are():
    terms = [
        apply("divide", Slot(k), apply("add", number(1), apply("exp", Slot(0)))) for k in range(40)
    ]
    whole = apply("add", *terms)
    assert slots(form(whole)) == slots(whole)


# --- random rational functions of exponentials ---

COEFFICIENTS = st.lists(st.integers(-4, 4), min_size=1, max_size=4).filter(any)
POSITIVE_COEFFICIENTS = st.lists(st.integers(1, 4), min_size=2, max_size=4)


def polynomial(coefficients, argument):
    terms = [
        apply("multiply", number(c), apply("exp", apply("multiply", number(k), argument)))
        for k, c in enumerate(coefficients)
    ]
    return apply("add", *terms)


@settings(max_examples=60)
@given(COEFFICIENTS, POSITIVE_COEFFICIENTS, st.booleans(), st.integers(-60, 60))
def test_random_quotients(above, below, logarithm_too, tenths):
    z = Slot(0)
    whole = apply("divide", polynomial(above, z), polynomial(below, apply("negative", z)))
    if logarithm_too and all(c >= 0 for c in above):
        whole = apply("log", whole)
    found = form(whole)
    point = (tenths / 10 + 0.03,)
    with mpmath.workdps(80):
        expected, actual = exactly(whole, point), exactly(found, point)
        assert abs(expected - actual) <= mpmath.mpf(10) ** -60 * (abs(expected) + 1)
    bounded = apply("divide", polynomial(below, z), polynomial([*below[:-1], 5], z))
    values = np.array([-1e4, -800.0, -1e-9, 0.0, 3.0, 800.0, 1e4])
    with warnings.catch_warnings(), np.errstate(under="ignore"):
        warnings.simplefilter("error")
        assert np.isfinite(in_numpy(form(bounded), [values], np.float64)).all()


# Powers of exp(z) that are all multiples of 3 stay so within a factor of their own.
@example(["its steep factor", "softplus"], 0)
@settings(max_examples=40)
@given(st.lists(st.sampled_from(sorted(FLAT)), min_size=2, max_size=2), st.integers(-40, 40))
def test_random_sums_and_products(names, tenths):
    first, second = (expression(FLAT[name][0]) for name in names)
    point = (tenths / 10 + 0.05,)
    for whole in (apply("add", first, second), apply("multiply", first, second)):
        with mpmath.workdps(80):
            expected, actual = exactly(whole, point), exactly(form(whole), point)
            assert abs(expected - actual) <= mpmath.mpf(10) ** -60 * (abs(expected) + 1)


def test_a_tanh_that_stays_changes_no_exponents():
    whole = expression("log(2 - exp(-z**2)) + z * exp(3 * z) * (1 - tanh(z)**2)")
    with mpmath.workdps(80):
        expected, actual = exactly(whole, (0.7,)), exactly(form(whole), (0.7,))
        assert abs(expected - actual) <= mpmath.mpf(10) ** -60


# --- faults: each rule, dropped or bent, is seen ---

FAULTS = {
    "no identity at all": (stable, "assembled", lambda *_: None, "sigmoid"),
    "P for Q": (balance, "_lower", balance._upper, "sigmoid"),
    "no erfc": (complements, "_complements", lambda *_: [], "upper tail"),
    "no expm1": (assembly, "is_complement", lambda *_: False, "sinh"),
    "no expm1 in branches": (complements, "_complements", lambda *_: [], "exp - 1 in a sum"),
    "no palindromes": (assembly.Assembly, "_symmetric", lambda *_: None, "its curvature"),
    "no tanh by exponentials": (stable, "tanh_to_expand", lambda *_: False, "slope of tanh"),
    "no even logarithm": (logarithms, "_even_logarithm", lambda *_: None, "log cosh"),
    "no log1p": (logarithms, "log_of", lambda tree: apply("log", tree), "softplus"),
    "no hinge": (logarithms, "_hinges", lambda *_: 0, "softplus"),
    "no guard": (stable, "guarded", lambda arguments, _: apply("where", *arguments), "elu"),
    "no guard of logarithms": (
        stable,
        "guarded",
        lambda arguments, _: apply("where", *arguments),
        "log where positive",
    ),
    "no cancelling": (complements, "_cancels", lambda *_: False, "exponentials that cancel"),
    "no tanh apart": (stable, "_apart", lambda _, q: [q.above], "slope of tanh in a sum"),
    "steps on one side": (assembly, "_is_step", lambda _, c: not used(c), "a limit near 0"),
    "no limit in towers": (stable, "saturated", lambda tree, _: tree, "its density"),
    "a limit that is too low": (towers, "_LIMIT", 2, "Gompertz"),
    "a limit of what grows": (towers, "_MOST", 0, "its steep factor"),
    "no turned divisors": (
        towers,
        "_without_growing_divisors",
        lambda node, _: node,
        "slope of Gumbel",
    ),
    "wrong common exponent": (region, "_common", lambda unit, _: unit, "softplus, doubled"),
}


def forget():
    """Empty the caches of stable forms, which hold what the rules gave before."""
    form.cache_clear()
    stable._stable_form.cache_clear()


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_seen(name, monkeypatch):
    where, attribute, bent, victim = FAULTS[name]
    text, values = FLAT[victim]
    forget()
    monkeypatch.setattr(where, attribute, bent)
    with pytest.raises((AssertionError, FloatingPointError)):
        check(expression(text), [values], units=6.0, conditioned=victim == "upper tail")
    monkeypatch.undo()
    forget()
