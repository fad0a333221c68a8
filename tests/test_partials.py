"""Partial derivatives of scalar functions: against 50-digit differences, and at kinks."""

from fractions import Fraction

import mpmath
import pytest

from symbackprop.calculus.partials import from_sympy, partial, to_sympy
from symbackprop.equations import Access, Equation, Variable
from symbackprop.reference import decimal_arithmetic, evaluate
from symbackprop.scalar import (
    ARITY,
    COMPARISONS,
    ONE,
    ZERO,
    Apply,
    Named,
    Number,
    Slot,
    apply,
    number,
    walk,
)

U, V = Slot(0), Slot(1)
ARITHMETIC = decimal_arithmetic(50)
A, B = Variable("p"), Variable("q")


def value(expression, *point):
    cell = Variable("r")
    equation = Equation(Access(cell), expression, (Access(A), Access(B)))
    values = dict(zip(("p", "q"), point, strict=False))
    return evaluate([equation], values, {"c": 3}, ARITHMETIC)["r"].item()


@mpmath.workdps(50)
def difference(expression, position, *point):
    step = mpmath.mpf("1e-15")
    ends = []
    for sign in (1, -1):
        moved = [mpmath.mpf(p) for p in point]
        moved[position] += sign * step
        ends.append(value(expression, *moved))
    return (ends[0] - ends[1]) / (2 * step)


def negative(u):
    return apply("negative", u)


SMOOTH = {
    name: Apply(name, (U, V)[: arity or 2])
    for name, arity in ARITY.items()
    if name not in COMPARISONS and not name.startswith("logical") and name != "where"
} | {
    "quotient of sums": apply(
        "divide", apply("add", U, V), apply("add", U, negative(V), number(3))
    ),
    "sigmoid": apply("divide", ONE, apply("add", ONE, apply("exp", negative(U)))),
    "gelu": apply("multiply", U, apply("erf", apply("divide", U, apply("sqrt", number(2))))),
    "branches": Apply(
        "where", (Apply("greater", (U, V)), apply("exp", U), apply("multiply", U, V))
    ),
    "nested branches": apply(
        "minimum", apply("maximum", apply("multiply", U, U), V), apply("add", V, ONE)
    ),
    "abs of a logarithm": apply("abs", apply("log", apply("add", U, V))),
    "root of a square": apply("sqrt", apply("power", apply("add", U, V), number(2))),
    "half-integer power": apply("power", U, number(2.5)),
    "named power": apply("power", U, Named("c")),
    "circle": apply("sin", apply("multiply", Named("pi"), U)),
    "signs": apply("copysign", apply("add", U, V), negative(U)),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("point", [("0.7", "0.4"), ("0.3", "1.9")])
@pytest.mark.parametrize("position", [0, 1])
def test_agrees_with_differences(name, point, position):
    point = tuple(map(mpmath.mpf, point))
    derived = value(partial(SMOOTH[name], position), *point)
    assert abs(derived - difference(SMOOTH[name], position, *point)) < 1e-25


@pytest.mark.parametrize("name", SMOOTH)
def test_conversion_keeps_the_value(name):
    point = (mpmath.mpf("0.7"), mpmath.mpf("0.4"))
    there_and_back = from_sympy(to_sympy(SMOOTH[name]))
    assert abs(value(there_and_back, *point) - value(SMOOTH[name], *point)) < 1e-45
    assert from_sympy(to_sympy(there_and_back)) == there_and_back


RELU = apply("maximum", ZERO, U)


@pytest.mark.parametrize(
    ("expression", "at", "expected"),
    [
        (RELU, (0, 0), 0),
        (apply("maximum", U, ZERO), (0, 0), 1),
        (apply("maximum", U, V), (2, 2), 1),
        (apply("maximum", V, U), (2, 2), 0),
        (apply("minimum", U, V), (2, 2), 1),
        (apply("minimum", V, U), (2, 2), 0),
        (apply("abs", U), (0, 0), 0),
        (apply("sign", U), (0, 0), 0),
        (
            Apply("where", (Apply("greater", (U, ZERO)), U, apply("multiply", number(3), U))),
            (0, 0),
            3,
        ),
    ],
)
def test_kinks_follow_the_convention(expression, at, expected):
    assert value(partial(expression, 0), *map(mpmath.mpf, at)) == expected


def test_a_condition_on_an_indicator_is_converted():
    """SymPy writes a comparison with a Piecewise as an if-then-else of conditions."""
    indicator = Apply("where", (Apply("greater", (U, ZERO)), number(1), ZERO))
    larger = partial(apply("maximum", indicator, U), 0)
    found = [value(larger, mpmath.mpf(u), mpmath.mpf(0)) for u in (-2, 0.5, 3)]
    assert found == [0, 0, 1]


def test_forms():
    assert partial(RELU, 0) == apply("less", ZERO, U)
    squared = apply("power", apply("add", U, negative(V)), number(2))
    assert partial(squared, 0) == apply("multiply", number(2), apply("add", U, negative(V)))
    assert partial(apply("divide", V, U), 1) == apply("divide", ONE, U)
    assert partial(apply("sqrt", apply("add", U, number(1e-5))), 0) == apply(
        "divide", number(0.5), apply("sqrt", apply("add", U, number(1e-5)))
    )
    for name in (*COMPARISONS, "logical_and", "logical_or", "floor_divide"):
        assert partial(Apply(name, (U, V)), 0) == ZERO
    constant_branches = Apply("where", (Apply("less", (U, V)), ONE, number(2)))
    assert partial(constant_branches, 0) == ZERO


def test_exponentials_come_last():
    form = from_sympy(to_sympy(apply("add", apply("exp", U), negative(V), ONE, apply("log", U))))
    assert form == apply("add", ONE, negative(V), apply("log", U), apply("exp", U))


def test_a_quotient_of_roots_of_numbers_is_one_root():
    pi, two = Named("pi"), number(2)
    root = apply("sqrt", apply("divide", two, pi))
    assert from_sympy(to_sympy(apply("multiply", root, U))) == apply("multiply", root, U)
    apart = apply("divide", apply("sqrt", apply("multiply", two, U)), apply("sqrt", V))
    assert from_sympy(to_sympy(apart)) == apply(
        "divide", apply("multiply", apply("sqrt", two), apply("sqrt", U)), apply("sqrt", V)
    )
    alone = apply("divide", ONE, apply("sqrt", pi))
    assert from_sympy(to_sympy(alone)) == alone


def test_decimals_stay_exact():
    found = [n.value for n in walk(partial(apply("multiply", number(0.1), U), 0))]
    assert found == [Fraction(1, 10)]


def test_an_undetermined_function_gets_a_prime():
    inner = apply("multiply", U, V)
    once = partial(Apply("f_1", (inner,)), 0)
    assert once == apply("multiply", V, Apply("f_1'", (inner,)))
    twice = partial(once, 0)
    assert Apply("f_1''", (inner,)) in tuple(walk(twice))


def test_no_delta_and_no_heaviside_appears():
    for expression in SMOOTH.values():
        for position in (0, 1):
            nodes = walk(partial(partial(expression, position), position))
            assert all(not isinstance(n, Apply) or n.function in ARITY for n in nodes)


def test_what_has_no_expression_is_refused():
    import sympy

    with pytest.raises(TypeError, match="no expression stands for"):
        from_sympy(sympy.gamma(sympy.Symbol("x")))
    with pytest.raises(TypeError, match="no expression stands for"):
        from_sympy(sympy.I)


def test_a_planted_fault_is_caught():
    wrong = apply("multiply", number(1.0001), partial(SMOOTH["gelu"], 0))
    point = (mpmath.mpf("0.7"), mpmath.mpf("0.4"))
    assert abs(value(wrong, *point) - difference(SMOOTH["gelu"], 0, *point)) > 1e-6
    assert isinstance(wrong.arguments[0], Number)
