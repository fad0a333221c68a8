"""Verdicts: right claims are proved, each mechanically spoiled one is refuted, none falsely."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
from audit_algebra import claim, formula, paper

from symbackprop.auditing.formulas import tree as t
from symbackprop.auditing.formulas.binding import Claim, Paper, Reading
from symbackprop.auditing.formulas.decide import judge
from symbackprop.auditing.formulas.entry import audit_formula, audit_text
from symbackprop.auditing.formulas.nodes import walk

SIGMOID = "a = 1/(1+e**(-z))"
SOFTMAX = "p[i] = exp(z[i])/total(k, exp(z[k]))"
UNIT = ("z[i] = total(j, n, w[i,j]*x[j]) + b[i]", "a[i] = f(z[i])")
SQUARES = "L = total(i, m, (y[i]-a[i])**2)"

# Definitions and a true claim of each.
RIGHT = {
    "sigmoid": ((SIGMOID,), "d(a,z) = a*(1-a)"),
    "tanh": (("a = tanh(z)",), "d(a,z) = 1-a**2"),
    "tanh by exp": (("a = (e**z-e**(-z))/(e**z+e**(-z))",), "d(a,z) = 1-a**2"),
    "softplus": (("a = log(1+e**z)",), "d(a,z) = 1/(1+e**(-z))"),
    "silu": (("s = 1/(1+e**(-z))", "a = z*s"), "d(a,z) = s+a*(1-s)"),
    "elu": (("a = when(z > 0, z, c*(e**z-1))",), "d(a,z) = when(z > 0, 1, c*e**z)"),
    "softsign": (("a = z/(1+abs(z))",), "d(a,z) = 1/(1+abs(z))**2"),
    "gaussian": (("a = e**(-z**2)",), "d(a,z) = -2*z*a"),
    "sine": (("a = sin(z)",), "d(a,z) = cos(z)"),
    "square": (("a = z**2",), "d(a,z) = 2*z"),
    "squared error": (("L = total(i, m, (y[i]-a[i])**2)",), "d(L,a[i]) = 2*(a[i]-y[i])"),
    "mean squared error": (
        ("L = 1/m*total(i, m, (y[i]-a[i])**2)",),
        "d(L,a[i]) = 2/m*(a[i]-y[i])",
    ),
    "binary cross-entropy": (
        ("L = -y*log(a)-(1-y)*log(1-a)",),
        "d(L,a) = (a-y)/(a*(1-a))",
    ),
    "binary cross-entropy of a logit": (
        ("L = -y*log(a)-(1-y)*log(1-a)", SIGMOID),
        "d(L,z) = a-y",
    ),
    "log cosh": (("L = log(cosh(a-y))",), "d(L,a) = tanh(a-y)"),
    "poisson": (("L = e**a-y*a",), "d(L,a) = e**a-y"),
    "weighted sum": (UNIT, "d(z[i],w[k,j]) = delta(i,k)*x[j]"),
    "weight": ((*UNIT, SQUARES), "d(L,w[i,j]) = 2*(a[i]-y[i])*prime(f,z[i])*x[j]"),
    "bias": ((*UNIT, SQUARES), "d(L,b[i]) = 2*(a[i]-y[i])*prime(f,z[i])"),
    "input": (
        (*UNIT, SQUARES),
        "d(L,x[j]) = total(i, m, 2*(a[i]-y[i])*prime(f,z[i])*w[i,j])",
    ),
    "softmax": ((SOFTMAX,), "d(p[i],z[j]) = p[i]*(delta(i,j)-p[j])"),
    "cross-entropy of a class": (
        (SOFTMAX, "L = -log(p[y])"),
        "d(L,z[i]) = p[i]-one(i == y)",
    ),
    "ridge": (("L = total(i, n, w[i]**2)",), "d(L,w[i]) = 2*w[i]"),
    "layer norm's mean": (("u = 1/n*total(i, n, x[i])",), "d(u,x[i]) = 1/n"),
}
ARRAYS = ("a__l = f__l(z__l)", "z__l = W__l*a__lm1 + b__l")
RIGHT_ARRAYS = (
    "d(L,z__l) = had(d(L,a__l),prime(f__l,z__l))",
    "d(L,W__l) = d(L,z__l)@T(a__lm1)",
    "d(L,b__l) = d(L,z__l)",
    "d(L,a__lm1) = T(W__l)@d(L,z__l)",
)
WRONG_ARRAYS = {
    "d(L,W__l) = T(d(L,z__l))@a__l": {"layer_index", "transpose"},
    "d(L,W__l) = d(L,z__l)@T(a__l)": {"layer_index"},
    "d(L,W__l) = a__lm1@T(d(L,z__l))": {"transpose"},
    "d(L,a__lm1) = T(T(W__l))@d(L,z__l)": {"transpose"},
    "d(L,z__l) = -had(d(L,a__l),prime(f__l,z__l))": {"sign"},
}


def read(name: str) -> tuple[Claim, Paper]:
    definitions, text = RIGHT[name]
    return claim(text), paper(*definitions)


@pytest.mark.parametrize("name", RIGHT)
def test_right_claims_pass(name: str) -> None:
    made, document = read(name)
    assert judge(made, document).verdict in ("proved", "agrees")


@pytest.mark.parametrize("text", RIGHT_ARRAYS)
def test_right_claims_of_arrays_are_proved(text: str) -> None:
    assert judge(claim(text), paper(*ARRAYS, layers=("l",))).verdict == "proved"


@pytest.mark.parametrize("text", WRONG_ARRAYS)
def test_wrong_claims_of_arrays_are_refuted_and_explained(text: str) -> None:
    found = judge(claim(text), paper(*ARRAYS, layers=("l",)))
    assert found.verdict == "refuted"
    assert found.diagnosis is not None
    assert set(found.diagnosis.kinds) == WRONG_ARRAYS[text]


def spoiled(right: t.Node, left: t.Node) -> Iterator[tuple[str, t.Node]]:
    """Wrong right sides, each made by one mistake of those that people make."""
    two = t.Number(Fraction(2), "2")
    yield "sign", t.Negate(right)
    yield "factor", t.Product((two, right), (t.ADJACENT,))
    yield "half", t.Quotient(right, two)
    yield "square", t.Power(right, two)
    yield "one more", t.Add((right, t.Number(Fraction(1), "1")))
    for path, node in walk(right):
        if isinstance(node, t.Add):
            for k, term in enumerate(node.terms):
                turned = term.operand if isinstance(term, t.Negate) else t.Negate(term)
                terms = (*node.terms[:k], turned, *node.terms[k + 1 :])
                yield f"sign of term {k}", t.replaced(right, path, t.Add(terms))
        if isinstance(node, t.Product):
            for k in range(len(node.factors)):
                rest = (*node.factors[:k], *node.factors[k + 1 :])
                joins = (t.ADJACENT,) * (len(rest) - 1)
                new = t.Product(rest, joins) if len(rest) > 1 else rest[0]
                yield f"without factor {k}", t.replaced(right, path, new)
        if isinstance(node, t.Apply) and node.primes:
            yield "no prime", t.replaced(right, path, t.Apply(node.function, node.arguments))
            argument = t.Access("a", (), (), (t.Access("i"),))
            wrong = t.Apply(node.function, (argument,), 1)
            yield "argument", t.replaced(right, path, wrong)
        if isinstance(node, t.Access) and len(node.indices) == 2:
            turned_access = t.Access(node.name, (), (), node.indices[::-1])
            yield "transposed", t.replaced(right, path, turned_access)
        if isinstance(node, t.Big):
            yield "no sum", t.replaced(right, path, node.body)


def cases() -> Iterator[tuple[str, str]]:
    for name, (_, text) in RIGHT.items():
        left, right = (formula(side) for side in text.split(" = "))
        for k, (how, _) in enumerate(spoiled(right, left)):
            yield name, f"{k} {how}"


@pytest.mark.parametrize(("name", "how"), list(cases()))
def test_spoiled_claims_are_refuted(name: str, how: str) -> None:
    made, document = read(name)
    number = int(how.partition(" ")[0])
    wrong = list(spoiled(made.right, made.left))[number][1]
    reading = Reading(made.left, wrong)
    found = judge(Claim(made.source, made.head, (reading,), 0, False, 1000, 1000), document)
    assert found.verdict == "refuted", found.reason or found.convention
    assert found.counterexample
    assert found.diagnosis


def test_zero_equals_zero_proves_nothing() -> None:
    found = judge(claim("d(y,x) = 0"), paper("L = w*b"))
    assert found.verdict == "undecided"


def test_what_counts_from_0_is_not_refuted() -> None:
    first, last = (
        judge(claim(f"d(y,x[1]) = 8*x[{k}]"), paper("z[i] = 3*x[i]", f"y = z[{k}]*z[1]"))
        for k in (0, 2)
    )
    assert (first.verdict, first.reason) == ("undecided", "z is read at 0")
    assert last.verdict == "refuted"


@pytest.mark.parametrize(("right", "verdict"), [("1", "proved"), ("2", "refuted")])
def test_a_quantity_held_constant_is_held_as_a_whole(right: str, verdict: str) -> None:
    given = r"$c_t = \sum_{u=1}^3 e_{tu}$ and $p_{tu} = \frac{e_{tu}}{c_t}$: "
    held = r"$\Bigl(\frac{\partial p_{tu}}{\partial e_{tu}}\Bigr)_{c} = \frac{%s}{c_t}$"
    assert [f.verdict for f in audit_text(given + held % right)] == [verdict]


def test_what_is_not_defined_is_not_refuted() -> None:
    found = judge(claim("d(L,w) = (a-y)*x"), paper("z = w*x+b"))
    assert found.verdict == "undecided"


def test_a_rounded_number_is_not_refuted() -> None:
    made = claim("d(L,w) = 2*w")
    document = paper("L = w*w*w")
    assert judge(made, document).verdict == "refuted"
    assert judge(replace(made, rounded=True), document).verdict == "undecided"


CONVENTIONS = {
    "d(L,z[i]) = p[i]-y[i]": ((SOFTMAX, "L = -total(i, y[i]*log(p[i]))"), "targets sum to 1"),
    "d(L,w) = d(L,y)*d(y,w)": ((), "along the named path"),
    "prime(s,x) = x*(1-x)": (("s(x) = 1/(1+e**(-x))",), "written in the output variable"),
    "d(L,a) = a-y": (("L = -y*log(a)-(1-y)*log(1-a)",), "with respect to the logits"),
}


@pytest.mark.parametrize("text", CONVENTIONS)
def test_conventions_are_named(text: str) -> None:
    definitions, words = CONVENTIONS[text]
    found = judge(claim(text), paper(*definitions))
    assert (found.verdict, found.convention) == ("convention", words)


def test_one_formula_is_audited_with_what_is_given() -> None:
    right, wrong = (
        audit_formula(rf"\frac{{\partial a}}{{\partial z}} = {side}", "a = 1/(1+e^{-z})")
        for side in ("a(1-a)", "2a(1-a)")
    )
    assert [f.verdict for f in right] == ["proved"]
    assert [f.verdict for f in wrong] == ["refuted"]
    assert wrong[0].diagnosis is not None
    assert (wrong[0].diagnosis.kind, wrong[0].diagnosis.factor) == ("factor", 2)
    assert wrong[0].derived is not None
    assert "a" in wrong[0].derived


def test_what_follows_an_open_link_is_judged_against_the_beginning_of_its_chain() -> None:
    given = r"p_i = \frac{e^{z_i}}{\sum_k e^{z_k}}"
    opened = r"\frac{\partial p_i}{\partial z_j} = q_{ij} = 2 p_i p_j = p_i p_j + p_j p_i"
    found = audit_formula(opened, given)
    assert [f.verdict for f in found] == ["undecided", "refuted", "proved"]
    assert "∂z_j = 2 p_i p_j" in found[1].read_as
    right = opened.replace("2 p_i p_j = p_i p_j + p_j p_i", r"p_i (\delta_{ij} - p_j)")
    assert [f.verdict for f in audit_formula(right, given)] == ["undecided", "proved"]
