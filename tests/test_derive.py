"""One of each kind of layer, derived from its equations alone and checked by differences."""

import time
from dataclasses import replace

import numpy as np
import pytest
from algebra import (
    Array,
    N,
    call,
    define,
    erf,
    exp,
    largest_error,
    leaf,
    maximum,
    negative,
    shifted,
    sqrt,
    tanh,
)

import symbackprop.calculus.derive as module
from symbackprop.calculus.derive import derive
from symbackprop.equations import Access, Affine, Index, Role
from symbackprop.reference import accumulate, decimal_arithmetic, evaluate
from symbackprop.scalar import ZERO, apply, number

n, i, j, k = (Index(name, extent) for name, extent in (("n", 3), ("i", 4), ("j", 5), ("k", 2)))
t = Index("t", 6, Role.TIME)
TOLERANCE = 1e-20


def passes(equations, output, arrays, **more):
    derivation = derive(equations, (output.variable,), [a.variable for a in arrays])
    assert not largest_error(derivation, equations, output, arrays, **more) > TOLERANCE
    return derivation


def dense():
    x, W, b = Array("x", n, j), Array("W", j, i), Array("b", i)
    total, z = Array("_z", n, i), Array("z", n, i)
    return (
        [
            define(total[n, i], W[j, i] * x[n, j], "total", (j,)),
            define(z[n, i], total[n, i] + b[i]),
        ],
        z,
        [x, W, b],
    )


def convolution():
    out, kernel = Index("o", 3, Role.SPACE), Index("r", 3, Role.KERNEL)
    c, d, space = Index("c", 2), Index("d", 4), Index("h", 6, Role.SPACE)
    x, W, z = Array("x", n, c, space), Array("W", d, c, kernel), Array("z", n, d, out)
    place = shifted((2, out), (1, kernel), offset=-1)
    form = W[d, c, kernel] * x.outside("zero", n, c, place)
    return [define(z[n, d, out], form, "total", (c, kernel))], z, [x, W]


def max_pool():
    out, kernel, space = Index("o", 4), Index("r", 3), Index("h", 6)
    x, z = Array("x", n, space), Array("z", n, out)
    place = shifted((1, out), (1, kernel))
    return [define(z[n, out], x[n, place] ** 3, "largest", (kernel,))], z, [x]


def max_pool_2d():
    o, p, r, s = Index("o", 2), Index("p", 3), Index("r", 2), Index("s", 3)
    x, z = Array("x", Index("h", 4), Index("w", 5)), Array("z", o, p)
    form = x[shifted((2, o), (1, r)), shifted((1, p), (1, s))]
    return [define(z[o, p], form, "smallest", (r, s))], z, [x]


def layer_norm():
    x, gamma, beta = Array("x", n, i), Array("gamma", i), Array("beta", i)
    total, mu, c = Array("_m", n), Array("mu", n), Array("c", n, i)
    square, v, z = Array("_v", n), Array("v", n), Array("z", n, i)
    return (
        [
            define(total[n], x[n, i], "total", (i,)),
            define(mu[n], total[n] / 4),
            define(c[n, i], x[n, i] - mu[n]),
            define(square[n], c[n, i] ** 2, "total", (i,)),
            define(v[n], square[n] / 4),
            define(z[n, i], gamma[i] * c[n, i] / sqrt(v[n] + 1e-5) + beta[i]),
        ],
        z,
        [x, gamma, beta],
    )


def batch_norm():
    x, gamma = Array("x", Index("n", N), i), Array("gamma", i)
    b = x.variable.axes[0]
    mu, v, z = Array("mu", i), Array("v", i), Array("z", b, i)
    return (
        [
            define(mu[i], x[b, i] / N, "total", (b,)),
            define(v[i], (x[b, i] - mu[i]) ** 2 / N, "total", (b,)),
            define(z[b, i], gamma[i] * (x[b, i] - mu[i]) / sqrt(v[i] + 1e-5)),
        ],
        z,
        [x, gamma],
    )


def softmax(x, held=True):
    m, e, s, p = Array("m", n), Array("e", n, i), Array("s", n), Array("p", n, i)
    return [
        define(m[n], x[n, i], "largest", (i,), held=held),
        define(e[n, i], exp(x[n, i] - m[n])),
        define(s[n], e[n, i], "total", (i,)),
        define(p[n, i], e[n, i] / s[n]),
    ], p


def softmax_case():
    x = Array("x", n, i)
    equations, p = softmax(x)
    return equations, p, [x]


def attention():
    x, Wq, Wk = Array("x", n, j), Array("Q", j, k), Array("K", j, k)
    q, key, scores = Array("q", n, k), Array("k", n, k), Array("u", n, Index("v", 3))
    v = scores.variable.axes[1]
    e, s, y = Array("e", n, v), Array("s", n), Array("y", n, j)
    return (
        [
            define(q[n, k], x[n, j] * Wq[j, k], "total", (j,)),
            define(key[n, k], x[n, j] * Wk[j, k], "total", (j,)),
            define(scores[n, v], q[n, k] * key[v, k] / sqrt(2), "total", (k,)),
            define(e[n, v], exp(scores[n, v])),
            define(s[n], e[n, v], "total", (v,)),
            define(y[n, j], e[n, v] / s[n] * x[v, j], "total", (v,)),
        ],
        y,
        [x, Wq, Wk],
    )


def sigmoid(u):
    return 1 / (1 + exp(negative(u)))


def lstm():
    hidden, width = Index("i", 2), Index("g", 8)
    j3, before = Index("j", 3), Index("l", 2)
    x, Wx, Wh = Array("x", n, t, j3), Array("Wx", j3, width), Array("Wh", before, width)
    a, r, z = Array("_a", n, t, width), Array("_r", n, t, width), Array("z", n, t, width)
    c, h = Array("c", n, t, hidden), Array("h", n, t, hidden)
    back = shifted((1, t), offset=-1)

    def gate(number):
        return z[n, t, shifted((1, hidden), offset=2 * number)]

    return (
        [
            define(a[n, t, width], x[n, t, j3] * Wx[j3, width], "total", (j3,)),
            define(
                r[n, t, width],
                h.outside("zero", n, back, before) * Wh[before, width],
                "total",
                (before,),
            ),
            define(z[n, t, width], a[n, t, width] + r[n, t, width]),
            define(
                c[n, t, hidden],
                sigmoid(gate(1)) * c.outside("zero", n, back, hidden)
                + sigmoid(gate(0)) * tanh(gate(2)),
            ),
            define(h[n, t, hidden], sigmoid(gate(3)) * tanh(c[n, t, hidden])),
        ],
        h,
        [x, Wx, Wh],
    )


def recurrence_with_start():
    h, x, start = Array("h", n, t), Array("x", n, t), Array("s", n)
    before = h.outside("zero", n, shifted((1, t), offset=-1))
    first = call("equal", leaf(t), 0)
    form = tanh(x[n, t] + call("where", first, start[n], before) * (1 + leaf(t)))
    return [define(h[n, t], form)], h, [x, start]


def gelu():
    x, a = Array("x", n, i), Array("a", n, i)
    return [define(a[n, i], x[n, i] * (1 + erf(x[n, i] / sqrt(2))) / 2)], a, [x]


def shared_twice():
    W, x = Array("W", j, Index("l", 5)), Array("x", n, j)
    inner = W.variable.axes[1]
    h, z = Array("h", n, inner), Array("z", n, inner)
    return (
        [
            define(h[n, inner], W[j, inner] * x[n, j], "total", (j,)),
            define(z[n, inner], W[j, inner] * tanh(h[n, j]), "total", (j,)),
        ],
        z,
        [W, x],
    )


def diamond():
    x, a, b, y = (Array(name, n, i) for name in "xaby")
    return (
        [
            define(a[n, i], tanh(x[n, i])),
            define(b[n, i], x[n, i] ** 2),
            define(y[n, i], a[n, i] * b[n, i] + maximum(0, x[n, i])),
        ],
        y,
        [x],
    )


def product():
    x, y = Array("x", n, i), Array("y", n)
    return [define(y[n], x[n, i] + 2, "product", (i,))], y, [x]


def diagonal():
    square = Index("l", 4)
    x, y = Array("x", i, square), Array("y", i)
    return [define(y[i], x[i, i] * x[i, 2])], y, [x]


CASES = (
    dense,
    convolution,
    max_pool,
    max_pool_2d,
    layer_norm,
    batch_norm,
    softmax_case,
    attention,
    lstm,
    recurrence_with_start,
    gelu,
    shared_twice,
    diamond,
    product,
    diagonal,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_derived_from_equations_alone(case):
    passes(*case(), sizes={"N": 4})


def test_embedding():
    rows, tokens = Index("v", 7), Array("x", n, t, integer=True)
    E, y = Array("E", rows, i), Array("y", n, t, i)
    looked = Access(E.variable, (tokens[n, t].arguments[0], i))
    equations = [define(y[n, t, i], leaf(looked) ** 2)]
    ids = np.random.default_rng(3).integers(0, 7, (3, 6))
    derivation = passes(equations, y, [E], fixed={"x": ids})
    both = derive(equations, (y.variable,), [E.variable, tokens.variable])
    assert both.adjoints == derivation.adjoints
    assert derivation.adjoints[0].terms[0].target.indices[0] == tokens[n, t].arguments[0]


def test_batch_norm_reaches_x_on_three_ways():
    equations, z, (x, gamma) = batch_norm()
    derivation = derive(equations, (z.variable,), [x.variable, gamma.variable])
    (adjoint,) = [a for a in derivation.adjoints if a.variable == x.variable]
    assert len(adjoint.terms) == 3


def test_the_shift_of_softmax_does_not_count():
    x, m = Array("x", n, i), Array("m", n)
    equations, p = softmax(x)
    derivation = derive(equations[1:], (p.variable,), [m.variable])
    rng = np.random.default_rng(0)
    values = {"x": rng.standard_normal((3, 4)), "m": rng.standard_normal(3)}
    arithmetic = decimal_arithmetic(50)
    primal = evaluate(derivation.equations, values, {}, arithmetic)
    seeds = {"p": rng.standard_normal((3, 4))}
    bars = accumulate(derivation.adjoints, primal, seeds, {}, arithmetic)
    assert max(abs(bars["m"])) < 1e-45
    held = derive(equations, (p.variable,), [x.variable])
    assert "m" not in {a.variable.name for a in held.adjoints}
    assert "held constant" in {step.rule for step in held.steps}


def test_the_first_of_equals_wins():
    x, y = Array("x", n, i), Array("y", n)
    for reduction in ("largest", "smallest"):
        equations = [define(y[n], x[n, i], reduction, (i,))]
        derivation = derive(equations, (y.variable,), [x.variable])
        primal = evaluate(derivation.equations, {"x": np.ones((3, 4))}, {})
        bars = accumulate(derivation.adjoints, primal, {"y": np.array([2.0, 3.0, 5.0])}, {})
        expected = np.outer([2, 3, 5], [1, 0, 0, 0])
        assert (bars["x"].astype(float) == expected).all()


def test_a_product_keeps_its_derivative_at_zeros():
    equations, y, (x,) = product()
    derivation = derive(equations, (y.variable,), [x.variable])
    values = {"x": np.array([[-2.0, 1, 2, 3], [-2, -2, 1, 1], [1, 1, 1, 1]])}
    primal = evaluate(derivation.equations, values, {})
    bars = accumulate(derivation.adjoints, primal, {"y": np.ones(3)}, {})
    assert bars["x"].tolist() == [[60, 0, 0, 0], [0, 0, 0, 0], [27, 27, 27, 27]]


def test_a_slice_is_not_the_axis():
    width = Index("g", 8)
    z, h = Array("z", n, width), Array("h", n, i)
    equations = [define(h[n, i], z[n, i] * z[n, shifted((1, i), offset=4)])]
    derivation = passes(equations, h, [z])
    first, _ = derivation.adjoints[0].terms
    assert first.target.indices[1] != width
    assert first.target.indices[1].extent == 4


def test_contraction_renames_without_capture():
    # The consumer calls its own axes by the names of the variable's, crossed over.
    x = Array("x", Index("a", 3), Index("b", 3))
    a, b = Index("b", 3), Index("a", 3)
    y = Array("y", a, b)
    derivation = passes([define(y[a, b], x[a, b] * (1 + leaf(a)) ** leaf(b))], y, [x])
    (term,) = derivation.adjoints[0].terms
    assert term.target.indices == x.variable.axes


def test_recurrence_is_solved_for_the_step_before():
    equations, h, arrays = lstm()
    derivation = derive(equations, (h.variable,), [a.variable for a in arrays])
    (bar,) = [a for a in derivation.adjoints if a.variable == h.variable]
    assert bar.terms[0].target.indices == h.variable.axes
    read = bar.terms[0].factors[0].operands[0]
    assert read.indices[1] == Affine(((1, t),), 1)
    assert read.fill == "zero"


def test_a_scalar_cost_has_adjoint_one():
    x, y, cost = Array("x", n, i), Array("y", n, i), Array("L")
    equations = [define(cost.all, (x[n, i] - y[n, i]) ** 2 / N, "total", (n, i))]
    derivation = passes(equations, cost, [x], sizes={"N": 3}, fixed={"y": np.ones((3, 4))})
    (term,) = derivation.adjoints[0].terms
    assert all(isinstance(o.variable.adjoint, bool) for f in term.factors for o in f.operands)
    assert not any(o.variable.adjoint for f in term.factors for o in f.operands)


def test_only_what_leads_from_wrt_to_the_output_is_derived():
    equations, y, (x,) = diamond()
    aside = Array("q", n, i)
    equations.append(define(aside[n, i], exp(x[n, i])))
    derivation = derive(equations, (y.variable,), [x.variable])
    assert [a.variable.name for a in derivation.adjoints] == ["b", "a", "x"]
    unread = Array("w", i)
    (alone,) = derive(equations, (y.variable,), [unread.variable]).adjoints
    assert alone.variable == unread.variable
    assert alone.terms == ()


def perceptron(layers):
    equations, arrays = [], []
    before = Array("x", Index("n", N), Index("j", 8))
    batch = before.variable.axes[0]
    for layer in range(1, layers + 1):
        one, two = Index("j", 8), Index("i", 8)
        own = {"owner": str(layer)}
        W, b = Array("W", one, two, **own), Array("b", two, **own)
        s, z, a = (Array(name, batch, two, **own) for name in ("_z", "z", "a"))
        equations += [
            define(s[batch, two], W[one, two] * before[batch, one], "total", (one,)),
            define(z[batch, two], s[batch, two] + b[two]),
            define(a[batch, two], tanh(z[batch, two])),
        ]
        arrays += [W, b]
        before = a
    return equations, before, arrays


def test_a_thousand_layers_take_two_seconds():
    equations, output, arrays = perceptron(1000)
    start = time.process_time()
    derivation = derive(equations, (output.variable,), [a.variable for a in arrays])
    assert time.process_time() - start < 2
    assert len(derivation.adjoints) == 3 * 1000 - 1 + len(arrays)


FAULTS = {
    "sign": lambda term: replace(term, coefficient=apply("negative", term.coefficient)),
    "factor": lambda term: replace(
        term, coefficient=apply("multiply", number(1.0001), term.coefficient)
    ),
    "dropped factor": lambda term: replace(term, factors=term.factors[:-1]),
    "dropped term": lambda term: replace(term, coefficient=ZERO),
    "other summands left out": lambda term: replace(
        term, excluding=tuple((index, Affine((), 0)) for index in term.space[-1:])
    ),
}


@pytest.mark.parametrize("case", [dense, lstm, attention, max_pool, gelu])
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(case, fault):
    equations, output, arrays = case()
    derivation = derive(equations, (output.variable,), [a.variable for a in arrays])
    for place, adjoint in enumerate(derivation.adjoints):
        for which, term in enumerate(adjoint.terms):
            terms = list(adjoint.terms)
            terms[which] = FAULTS[fault](term)
            adjoints = list(derivation.adjoints)
            adjoints[place] = replace(adjoint, terms=tuple(terms))
            wrong = replace(derivation, adjoints=tuple(adjoints))
            error = largest_error(wrong, equations, output, arrays, sizes={"N": 4})
            assert error > 1e-9, (adjoint.variable.name, which)


def test_a_wrong_partial_is_caught(monkeypatch):
    right = module.partial
    monkeypatch.setattr(
        module, "partial", lambda f, k: apply("multiply", number(1.0001), right(f, k))
    )
    equations, output, arrays = dense()
    derivation = derive(equations, (output.variable,), [a.variable for a in arrays])
    assert largest_error(derivation, equations, output, arrays) > 1e-9
