"""Stable forms against textbook forms evaluated to as many digits as it takes."""

from __future__ import annotations

import time
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scalar_oracle import CONSTANTS, Reading, condition_number, exactly, in_numpy, true_value

from symbackprop.calculus import stable
from symbackprop.calculus.partials import partial
from symbackprop.calculus.stable import assembly, balance, complements, logarithms, region
from symbackprop.calculus.stable import stable_form as form
from symbackprop.catalog import CATALOG
from symbackprop.scalar import Apply, Slot, apply, number, slots, walk

DTYPES = (np.float64, np.float32)
SIZES = (1e-30, 1e-8, 1e-4, 0.03, 0.4, 1.0, 1.7, 5.0, 15.6, 20.5, 36.0, 60.0, 90.0, 300.0, 1e3, 1e4)
LINE = (0.0, *(float(np.float32(s * x)) for x in SIZES for s in (1, -1)))
UNIT = (0.0, 1.0, 0.25, 0.875)
OPEN = (0.5, 0.125, 0.96875, 2.0**-20)
POSITIVE = (1.0, 0.25, 3.5, 1e-4)
GENERATOR = np.random.default_rng(7)
RANDOM = tuple(float(np.float32(x)) for x in GENERATOR.normal(0, 20, 8))


def expression(text, *constants):
    reading = Reading(f"L = {text}", constants or CONSTANTS)
    assert not reading.nested
    return reading.expression


def points(domains):
    """Every value of the first domain, with values of the others in turn."""
    first, *others = domains
    lengths = 1 if not others else 3
    return sorted(
        {
            (x, *(domain[(k * 5 + j * 3 + m) % len(domain)] for m, domain in enumerate(others)))
            for k, x in enumerate(first)
            for j in range(lengths)
        }
    )


def check(textbook, domains, units=8.0, conditioned=True, absolute=0.0):
    """Compare the stable form with the textbook form's true value.

    Allowed are ``units`` roundings, times 1 + the condition number where an argument is
    rounded before it meets an exponential, and what is lost below the smallest normal number.
    """
    found = form(textbook)
    table = points(domains)
    for dtype in DTYPES:
        columns = [np.array(column, dtype) for column in zip(*table, strict=True)]
        with np.errstate(over="raise", divide="raise", invalid="raise", under="ignore"):
            values = np.broadcast_to(in_numpy(found, columns, dtype), (len(table),))
        for point, value in zip(table, values, strict=True):
            check_value(
                textbook, point, value, units=units, conditioned=conditioned, absolute=absolute
            )


def check_value(textbook, point, value, *, units, conditioned, absolute):
    info = np.finfo(value.dtype)
    truth = true_value(textbook, point)
    if abs(truth) > float(info.max) / 4:
        return
    error = float(abs(mpmath.mpf(float(value)) - truth))
    underflow = float(info.tiny) * 8 * (1 + max(map(abs, point)) ** 2)
    rounding = units * float(info.eps)
    allowed = rounding * float(abs(truth)) + underflow + absolute * rounding * abs(point[0])
    if conditioned and not error <= allowed:
        allowed += rounding * float(abs(truth)) * condition_number(textbook, point)
    assert error <= allowed, (value.dtype, point, value, mpmath.nstr(truth), error / allowed)


def derivatives(textbook):
    return [partial(textbook, position) for position in slots(textbook)]


# --- the catalogue: every equation of every entry, and every partial derivative ---

PROBABILITIES = {"binary_cross_entropy", "cross_entropy"}
COUNTS = {"hinge": (-1.0, 1.0), "squared_hinge": (-1.0, 1.0), "poisson_nll": (0.0, 1.0, 7.0)}


def domain(entry, read):
    """Where the argument lives: logits on the whole line, probabilities inside (0, 1)."""
    if entry.name in PROBABILITIES and read.startswith("a"):
        return OPEN
    if entry.name in ("exponential", "poisson_nll"):
        return (
            COUNTS.get(entry.name, ())
            if read.startswith("y")
            else tuple(x for x in (*LINE, *RANDOM) if abs(x) < 80)
        )
    if read.startswith("y"):
        return COUNTS.get(entry.name, UNIT)
    if read.startswith(("z", "a")) or read in ("e", "alpha"):
        return (*LINE, *RANDOM) if entry.name != "gaussian_nll" else RANDOM
    return (1e4,) if read == "m" else POSITIVE


def catalogue():
    for kind in (CATALOG.activations, CATALOG.losses):
        for name in sorted(kind):
            entry = kind[name]
            texts = [*entry.equations, *getattr(entry, "indices", ())]
            for text in dict.fromkeys(texts):
                reading = Reading(text.replace("held(", "("), CONSTANTS)
                domains = [domain(entry, read) for read in reading.reads]
                for whole in (reading.expression, *reading.nested):
                    if isinstance(whole, Apply):
                        yield pytest.param(whole, domains, id=f"{name}: {text}"[:60])


# z - tanh z loses relative accuracy near 0, where it is z**3/3: bounded against z instead.
CANCELS = {"tanh_shrink: a = z - tanh(z)"}


@pytest.mark.parametrize(("textbook", "domains"), list(catalogue()))
def test_catalogue(textbook, domains, request):
    absolute = float(any(name in request.node.name for name in CANCELS))
    for each in (textbook, *derivatives(textbook)):
        reads = slots(each)
        if reads:
            used = [domains[k] if k in reads else (0.0,) for k in range(max(reads) + 1)]
            check(each, used, absolute=absolute if each is textbook else 0.0)


# --- the table of exact forms: a few roundings, whatever the condition number ---

Z = (*LINE, *RANDOM)
FLAT = {
    "sigmoid": ("1 / (1 + exp(-z))", Z),
    "its slope": ("exp(-z) / (1 + exp(-z))**2", Z),
    "its curvature": ("exp(-z) * (exp(-z) - 1) / (1 + exp(-z))**3", Z),
    "slope of tanh": ("1 - tanh(z)**2", Z),
    "curvature of tanh": ("-2 * tanh(z) * (1 - tanh(z)**2)", Z),
    "softplus": ("log(1 + exp(z))", Z),
    "softplus, doubled": ("log(exp(2 * z) + 2 * exp(z) + 1)", Z),
    "log of sigmoid": ("log(1 / (1 + exp(-z)))", Z),
    "log of 1 - sigmoid": ("log(1 - 1 / (1 + exp(-z)))", Z),
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
    "exponentials that cancel": ("exp(z) * exp(-z)", Z),
}


@pytest.mark.parametrize("name", FLAT)
def test_table(name):
    text, values = FLAT[name]
    check(
        expression(text),
        [values],
        units=6.0,
        conditioned=name in ("upper tail", "Gaussian log gap"),
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
    z, y = Slot(0), Slot(1)
    decay = apply("exp", apply("negative", apply("abs", z)))
    assert form(expression("log(1 + exp(z)) - y * z")) == apply(
        "add",
        apply("maximum", z, number(0)),
        apply("negative", apply("multiply", y, z)),
        apply("log1p", decay),
    )


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


@pytest.mark.parametrize(("textbook", "domains"), list(catalogue()))
def test_nan_stays_nan(textbook, domains):
    """Where a NaN in one argument makes the textbook form NaN, it makes the stable one NaN."""
    for each in (textbook, *derivatives(textbook)):
        for bad in slots(each):
            columns = [np.array([np.nan if k == bad else 0.5]) for k in range(len(domains))]
            with np.errstate(all="ignore"):
                if np.isnan(in_numpy(each, columns, np.float64)).all():
                    assert np.isnan(in_numpy(form(each), columns, np.float64)).all()


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


@settings(max_examples=40)
@given(st.lists(st.sampled_from(sorted(FLAT)), min_size=2, max_size=2), st.integers(-40, 40))
def test_random_sums_and_products(names, tenths):
    first, second = (expression(FLAT[name][0]) for name in names)
    point = (tenths / 10 + 0.05,)
    for whole in (apply("add", first, second), apply("multiply", first, second)):
        with mpmath.workdps(80):
            expected, actual = exactly(whole, point), exactly(form(whole), point)
            assert abs(expected - actual) <= mpmath.mpf(10) ** -60 * (abs(expected) + 1)


# --- faults: each rule, dropped or bent, is seen ---

FAULTS = {
    "no identity at all": (stable, "assembled", lambda *_: None, "sigmoid"),
    "P for Q": (balance, "_lower", balance._upper, "sigmoid"),
    "no erfc": (complements, "_complements", lambda *_: [], "upper tail"),
    "no expm1": (assembly, "is_complement", lambda *_: False, "sinh"),
    "no expm1 in branches": (complements, "_complements", lambda *_: [], "exp - 1 in a sum"),
    "no palindromes": (assembly.Assembly, "_symmetric", lambda *_: None, "its curvature"),
    "no tanh by exponentials": (stable, "_tanh_to_expand", lambda *_: False, "slope of tanh"),
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
    "wrong common exponent": (region, "_common", lambda unit, _: unit, "softplus, doubled"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_seen(name, monkeypatch):
    where, attribute, bent, victim = FAULTS[name]
    text, values = FLAT[victim]
    form.cache_clear()
    monkeypatch.setattr(where, attribute, bent)
    with pytest.raises((AssertionError, FloatingPointError)):
        check(expression(text), [values], units=6.0, conditioned=victim == "upper tail")
    monkeypatch.undo()
    form.cache_clear()
