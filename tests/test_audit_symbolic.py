"""Proofs for all sizes: sides with one normal form, and never those of claims that differ."""

from __future__ import annotations

from collections import Counter

import pytest
from audit_algebra import claim, paper
from audit_corpus import Wrong, right_claims, wrong_claims

from symbackprop.auditing.formulas.cases import Case, readings
from symbackprop.auditing.formulas.decide import judge
from symbackprop.auditing.formulas.kinds import Typed
from symbackprop.auditing.formulas.symbolic import proof
from symbackprop.auditing.formulas.symbolic.algebra import Algebra
from symbackprop.auditing.formulas.symbolic.forms import Form, Index, Monomial, Read, UnknownError

RIGHT = right_claims()
WRONG = tuple(wrong_claims())
STRIDE = 29
LAYERS = ("a__l = f__l(z__l)", "z__l = W__l*a__lm1 + b__l")
SOFTMAX = "p[i] = exp(z[i])/total(k, n, exp(z[k]))"
UNIT = ("z[i] = total(j, n, w[i,j]*x[j]) + b[i]", "a[i] = 1/(1+exp(-z[i]))")
SQUARES = "L = total(i, m, (a[i]-y[i])**2)"
PROVED = {
    "d(p[i],z[j]) = p[i]*(delta(i,j)-p[j])": (SOFTMAX,),
    "d(L,z[i]) = p[i]*total(k, n, y[k]) - y[i]": (SOFTMAX, "L = -total(i, n, y[i]*log(p[i]))"),
    "d(L,w[i,j]) = 2*(a[i]-y[i])*a[i]*(1-a[i])*x[j]": (*UNIT, SQUARES),
    "d(L,x[j]) = total(i, m, d(L,z[i])*w[i,j])": (*UNIT, SQUARES),
    "d(u,x[i]) = 1/n": ("u = 1/n*total(i, n, x[i])",),
    "d(a,z) = a*(1-a)": ("a = exp(z)/(1+exp(z))",),
    "d(a,z,z) = -2*a*(1-a**2)": ("a = tanh(z)",),
    "prime(f,z) = f(z)*(1-f(z))": ("f(x) = 1/(1+exp(-x))",),
    "d(L,w[1,j]) = 2*(z[1]-y[1])*x[j]": (UNIT[0], "L = total(i, 2, (z[i]-y[i])**2)"),
    "d(r,x[i]) = x[i]/r": ("r = sqrt(total(i, n, x[i]**2))",),
}
OF_LAYERS = (
    "d(L,z__l) = had(d(L,a__l),prime(f__l,z__l))",
    "d(L,W__l) = d(L,z__l)@T(a__lm1)",
    "d(L,a__lm1) = T(W__l)@d(L,z__l)",
    "d(L,z__l) = had(T(W__lp1)@d(L,z__lp1),prime(f__l,z__l))",
)
# What has no normal form here, though it holds at every size that is tried.
OPEN = {
    "d(L,x[i]) = i*w[i]": ("L = total(i, n, i*w[i]*x[i])",),
    "d(y[i],w[k]) = x[i+k]": ("y[i] = total(k, 3, w[k]*x[i+k])",),
    "d(h[i],x) = 3": ("h[1] = 3*x", "h[i] = 3*x"),
}


def different(wrong: Wrong) -> list[Typed]:
    """The layouts in which a wrong claim differs."""
    tried = readings(Case(wrong.claim, wrong.right.paper))
    return [judged.typed for judged in tried if judged.trial.different]


@pytest.mark.parametrize("text", PROVED)
def test_a_claim_is_proved_for_all_sizes(text: str) -> None:
    found = judge(claim(text), paper(*PROVED[text]))
    assert (found.verdict, found.evidence, found.sizes) == ("proved", "symbolic", {})


@pytest.mark.parametrize("text", OF_LAYERS)
def test_a_claim_of_arrays_is_proved_for_all_sizes(text: str) -> None:
    found = judge(claim(text), paper(*LAYERS, layers=("l",)))
    assert (found.verdict, found.evidence) == ("proved", "symbolic")


@pytest.mark.parametrize("text", OPEN)
def test_what_has_no_normal_form_is_proved_at_sizes(text: str) -> None:
    found = judge(claim(text), paper(*OPEN[text]))
    assert (found.verdict, found.evidence) == ("proved", "exact")
    assert found.sizes


def test_nine_in_ten_right_claims_are_proved_for_all_sizes() -> None:
    found = Counter(judge(right.claim, right.paper).evidence for right in RIGHT)
    assert found["symbolic"] >= 0.9 * len(RIGHT), found


@pytest.mark.parametrize(
    "start",
    [pytest.param(k, marks=pytest.mark.grid if k else ()) for k in range(STRIDE)],
)
def test_no_wrong_claim_is_proved(start: int) -> None:
    made = [typed for wrong in WRONG[start::STRIDE] for typed in different(wrong)]
    assert len(made) >= 10
    assert not any(proof.holds_for_all_sizes(typed) for typed in made)


def test_a_letter_caught_by_a_sum_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With summed letters that are not told apart, a product of sums is a sum of products."""
    square = claim("d(L,c) = 2*total(i, n, x[i]**2)")
    document = paper("L = 2*c*total(i, n, x[i])*total(i, n, x[i])")
    typed = next(readings(Case(square, document))).typed
    assert not proof.holds_for_all_sizes(typed)
    monkeypatch.setattr(Algebra, "opened", lambda self, monomial: _closed(monomial))
    assert proof.holds_for_all_sizes(typed)


def _closed(monomial: Monomial) -> Monomial:
    return Monomial(tuple(dict.fromkeys(monomial.bound)), monomial.factors)


def test_past_its_steps_it_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "STEPS", 5)
    assert judge(claim("d(a,z) = a*(1-a)"), paper("a = 1/(1+exp(-z))")).evidence == "exact"


@pytest.mark.parametrize(
    "text", ["d(L,z[i],z[j]) = 4*d(L,a[i],a[j])", "d(L,z[i],z[j]) = 0*z[i]*z[j]"]
)
def test_second_derivatives_of_an_unknown_loss_say_nothing(text: str) -> None:
    for judged in readings(Case(claim(text), paper("a[i] = 2*z[i]"))):
        assert not proof.holds_for_all_sizes(judged.typed)


ROW, COLUMN = Index(0, 0, "i"), Index(0, 0, "j")


def read(algebra: Algebra, name: str, *indices: Index) -> Form:
    return algebra.atom(Read(name, indices))


def test_sums_have_one_form_whatever_their_letters_are_called() -> None:
    algebra = Algebra(1000)

    def both(first: Index, second: Index) -> Form:
        product = algebra.mul(read(algebra, "x", first), read(algebra, "w", first, second))
        return algebra.summed(algebra.summed(product, first), second)

    assert both(ROW, COLUMN) == both(COLUMN, ROW)
    rows, columns = (
        algebra.summed(read(algebra, "w", ROW, COLUMN), letter) for letter in (ROW, COLUMN)
    )
    assert rows != columns


def test_a_delta_takes_a_sum_and_a_sum_of_ones_counts() -> None:
    algebra = Algebra(1000)
    taken = algebra.summed(algebra.mul(algebra.delta(ROW, COLUMN), read(algebra, "x", ROW)), ROW)
    assert taken == read(algebra, "x", COLUMN)
    assert algebra.summed(algebra.ONE, ROW) == algebra.atom(Read("extent 0"))
    assert algebra.summed(algebra.delta(ROW, COLUMN), ROW) == algebra.ONE
    with pytest.raises(UnknownError):
        algebra.delta(ROW, Index(1, 0, "k"))


def test_fractions_are_compared_by_clearing_their_denominators() -> None:
    algebra = Algebra(1000)
    x = read(algebra, "x")
    one_more = algebra.reciprocal(algebra.add(x, algebra.ONE))
    difference = algebra.sub(algebra.mul(x, one_more), algebra.sub(algebra.ONE, one_more))
    assert difference.terms
    assert not proof.cleared(algebra, difference).terms
