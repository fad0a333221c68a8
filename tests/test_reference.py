"""The loops are themselves checked against NumPy, and against differences on 50 digits."""

import math

import numpy as np
import pytest

from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Equation,
    Factor,
    Index,
    Quotient,
    Remainder,
    Term,
    Variable,
)
from symbackprop.errors import SymbackpropError
from symbackprop.reference import (
    accumulate,
    decimal_arithmetic,
    directional_difference,
    evaluate,
)
from symbackprop.scalar import ARITY, ONE, Apply, Named, Slot, number

N = Named("N")
S0, S1, S2 = Slot(0), Slot(1), Slot(2)
PRODUCT = Apply("multiply", (S0, S1))
n, i, j, t = Index("n", N), Index("i", 3), Index("j", 4), Index("t", 5)


def array(symbol, *axes, **fields):
    return Variable(symbol, axes=axes, **fields)


def at(variable, *indices, fill=None):
    return Access(variable, indices, fill)


def close(result, expected):
    np.testing.assert_allclose(result.astype(float), expected, rtol=1e-13, atol=1e-300)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_dense_and_softmax(rng):
    W, x, z, m, e, s, p = (
        array("W", j, i),
        array("x", n, j),
        array("z", n, i),
        array("m", n),
        array("e", n, i),
        array("s", n),
        array("p", n, i),
    )
    equations = [
        Equation(at(z, n, i), PRODUCT, (at(W, j, i), at(x, n, j)), "total", (j,)),
        Equation(at(m, n), S0, (at(z, n, i),), "largest", (i,), held=True),
        Equation(
            at(e, n, i),
            Apply("exp", (Apply("add", (S0, Apply("negative", (S1,)))),)),
            (at(z, n, i), at(m, n)),
        ),
        Equation(at(s, n), S0, (at(e, n, i),), "total", (i,)),
        Equation(at(p, n, i), Apply("divide", (S0, S1)), (at(e, n, i), at(s, n))),
    ]
    values = {"W": rng.standard_normal((4, 3)), "x": rng.standard_normal((2, 4))}
    logits = values["x"] @ values["W"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    close(evaluate(equations, values, {"N": 2})["p"], expected)
    exact = evaluate(equations, values, {"N": 2}, decimal_arithmetic(50))["p"]
    close(exact, expected)
    assert abs(exact.sum() - 2) < 1e-48


def test_strided_window_reads_its_fill_outside(rng):
    o, k = Index("o", 3), Index("k", 3)
    x, y = array("x", t), array("y", o)
    place = Affine(((2, o), (1, k)), -1)
    given = rng.standard_normal(5)
    for reduction, fill, edge in (("total", "zero", 0), ("largest", "-inf", -np.inf)):
        equation = Equation(at(y, o), S0, (at(x, place, fill=fill),), reduction, (k,))
        padded = np.pad(given, 1, constant_values=edge)
        windows = np.array([padded[2 * r : 2 * r + 3] for r in range(3)])
        expected = windows.sum(axis=1) if reduction == "total" else windows.max(axis=1)
        close(evaluate([equation], {"x": given}, {})["y"], expected)
    bare = Equation(at(y, o), S0, (at(x, place),), "total", (k,))
    with pytest.raises(SymbackpropError, match=r"x\[-1\] is outside"):
        evaluate([bare], {"x": given}, {})


def test_where_never_reads_the_branch_not_taken():
    x, y = array("x", t), array("y", t)
    before = at(x, Affine(((1, t),), -1))
    guarded = Apply("where", (Apply("greater", (S0, number(0))), S1, number(7)))
    result = evaluate([Equation(at(y, t), guarded, (t, before))], {"x": np.arange(5.0)}, {})
    assert result["y"].tolist() == [7, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("argmax", [1, 0]),
        ("argmin", [0, 1]),
        ("smallest", [-1, -2]),
        ("largest", [5, 3]),
        ("product", [-25, -18]),
    ],
)
def test_reductions_and_first_at_ties(reduction, expected):
    x, y = array("x", n, i), array("y", n)
    given = np.array([[-1.0, 5.0, 5.0], [3.0, -2.0, 3.0]])
    equation = Equation(at(y, n), S0, (at(x, n, i),), reduction, (i,))
    assert evaluate([equation], {"x": given}, {"N": 2})["y"].tolist() == expected


def test_argument_of_two_axes_is_a_row_major_position(rng):
    x, y = array("x", i, j), array("y")
    given = rng.standard_normal((3, 4))
    equation = Equation(at(y), S0, (at(x, i, j),), "argmax", (i, j))
    assert evaluate([equation], {"x": given}, {})["y"][()] == given.argmax()


def test_look_up_and_excluded_summand(rng):
    p, y = array("p", n, i), array("y", n, integer=True)
    chosen, rest = array("c", n), array("r", n)
    look_up = at(p, n, at(y, n))
    equations = [
        Equation(at(chosen, n), S0, (look_up,)),
        Equation(at(rest, n), S0, (at(p, n, i),), "total", (i,), ((i, at(y, n)),)),
    ]
    given, classes = rng.standard_normal((4, 3)), np.array([2, 0, 1, 2])
    result = evaluate(equations, {"p": given, "y": classes}, {"N": 4})
    close(result["c"], given[np.arange(4), classes])
    close(result["r"], given.sum(axis=1) - given[np.arange(4), classes])
    with pytest.raises(SymbackpropError, match=r"p\[0, 3\] is outside"):
        evaluate(equations, {"p": given[:1], "y": np.array([3])}, {"N": 1})


def test_quotient_remainder_and_named_extents():
    k = Index("k", Apply("multiply", (Named("rows"), Named("columns"))))
    r, c = Index("r", Named("rows")), Index("c", Named("columns"))
    x, y = array("x", r, c), array("y", k)
    columns = Named("columns")
    equation = Equation(at(y, k), S0, (at(x, Quotient(k, columns), Remainder(k, columns)),))
    result = evaluate([equation], {"x": np.arange(6.0).reshape(2, 3)}, {"rows": 2, "columns": 3})
    assert result["y"].tolist() == list(range(6))


def recurrence():
    """Return h[t] = tanh(w h[t-1] + x[t]) over two equations, the second needing the first."""
    w, x, u, h = array("w"), array("x", t), array("u", t), array("h", t)
    before = at(h, Affine(((1, t),), -1), fill="zero")
    fused = Apply("add", (Apply("multiply", (S0, S1)), S2))
    return (
        w,
        x,
        u,
        h,
        [
            Equation(at(h, t), Apply("tanh", (S0,)), (at(u, t),)),
            Equation(at(u, t), fused, (at(w), before, at(x, t))),
        ],
    )


def test_recurrence_reads_earlier_steps(rng):
    *_, equations = recurrence()
    given, state, expected = rng.standard_normal(5), 0.0, []
    for value in given:
        state = math.tanh(0.7 * state + value)
        expected.append(state)
    close(evaluate(equations, {"w": 0.7, "x": given}, {})["h"], expected)


def test_adjoints_of_a_recurrence_run_backwards(rng):
    w, x, u, h, equations = recurrence()
    before = at(h, Affine(((1, t),), -1), fill="zero")
    after = at(u.bar(), Affine(((1, t),), 1), fill="zero")
    slope = Apply("add", (ONE, Apply("negative", (Apply("multiply", (S0, S0)),))))
    adjoints = [
        Adjoint(h, (Term(at(h.bar(), t), (t,), ONE, (Factor(PRODUCT, (after, at(w))),)),)),
        Adjoint(
            u,
            (
                Term(
                    at(u.bar(), t),
                    (t,),
                    ONE,
                    (Factor(S0, (at(h.bar(), t),)), Factor(slope, (at(h, t),))),
                ),
            ),
        ),
        Adjoint(w, (Term(at(w.bar()), (t,), ONE, (Factor(PRODUCT, (at(u.bar(), t), before)),)),)),
        Adjoint(x, (Term(at(x.bar(), t), (t,), ONE, (Factor(S0, (at(u.bar(), t),)),)),)),
    ]
    values = {"w": 0.7, "x": rng.standard_normal(5)}
    seeds = {"h": rng.standard_normal(5)}
    direction = {"w": 0.3, "x": rng.standard_normal(5)}
    digits = decimal_arithmetic(50)
    primals = evaluate(equations, values, {}, digits)
    bars = accumulate(adjoints, primals, seeds, {}, digits)
    along = sum(np.sum(bars[name] * v) for name, v in direction.items())
    numeric = directional_difference(equations, values, direction, seeds, {})
    assert abs(along - numeric) < 1e-28


def test_scattered_terms_exclusion_and_assignment(rng):
    p, y, L = array("p", n, i), array("y", n, integer=True), array("L")
    chosen, others = at(p.bar(), n, at(y, n)), at(p.bar(), n, i)
    bar = Factor(S0, (at(L.bar()),))
    assigned = Term(chosen, (n,), number(-1), (bar,), assigned=True)
    spread = Term(others, (n, i), number("0.5"), (bar,), ((i, at(y, n)),))
    values = {"y": np.array([2, 0])}
    bars = accumulate([Adjoint(p, (assigned, spread))], values, {"L": 2.0}, {"N": 2})
    assert bars["p"].tolist() == [[1, 1, -2], [-2, 1, 1]]
    overlapping = Term(others, (n, i), ONE, (bar,))
    with pytest.raises(SymbackpropError, match="two terms reach p"):
        accumulate([Adjoint(p, (assigned, overlapping))], values, {"L": 2.0}, {"N": 2})


def test_held_equations_keep_their_value_under_a_difference():
    x, m, y = array("x"), array("m"), array("y")
    equations = [
        Equation(at(m), S0, (at(x),), held=True),
        Equation(at(y), PRODUCT, (at(m), at(x))),
    ]
    along = directional_difference(equations, {"x": 3.0}, {"x": 1.0}, {"y": 1.0}, {})
    assert abs(along - 3) < 1e-30


def test_every_scalar_function_runs_in_both_arithmetics():
    samples = {1: [(0.3,), (-0.7,)], 2: [(0.3, -0.7), (1.5, 0.5)], 3: [(True, 0.3, -0.7)]}
    digits = decimal_arithmetic(50)
    y = array("y")
    for name, arity in sorted(ARITY.items()):
        inputs = [array(symbol) for symbol in "abc"[: arity or 2]]
        operands = tuple(at(v) for v in inputs)
        function = Apply(name, tuple(Slot(k) for k in range(len(inputs))))
        for sample in samples[len(inputs)]:
            values = {v.name: float(number) for v, number in zip(inputs, sample, strict=True)}
            args = ([Equation(at(y), function, operands)], values, {})
            rough, fine = (evaluate(*args)["y"][()], evaluate(*args, digits)["y"][()])
            np.testing.assert_allclose(float(fine), float(rough), rtol=1e-14, err_msg=name)


def test_what_cannot_run_is_said():
    x, y, z = array("x", i), array("y", i), array("z", i)
    loop = [Equation(at(y, i), S0, (at(z, i),)), Equation(at(z, i), S0, (at(y, i),))]
    with pytest.raises(SymbackpropError, match="wait for each other"):
        evaluate(loop, {}, {})
    copy = Equation(at(y, i), S0, (at(x, i),))
    with pytest.raises(SymbackpropError, match="no value was given for x"):
        evaluate([copy], {}, {})
    with pytest.raises(SymbackpropError, match=r"x has shape \(2,\); it must be \(3,\)"):
        evaluate([copy], {"x": np.zeros(2)}, {})
    with pytest.raises(SymbackpropError, match="y is defined twice"):
        evaluate([copy, copy], {"x": np.zeros(3)}, {})
    with pytest.raises(SymbackpropError, match="no value was given for beta"):
        evaluate([Equation(at(y, i), Named("beta"), ())], {}, {})
    half = Index("i", Apply("divide", (N, number(2))))
    with pytest.raises(SymbackpropError, match="whole number"):
        evaluate([Equation(at(array("y", half), half), ONE, ())], {}, {"N": 3})
