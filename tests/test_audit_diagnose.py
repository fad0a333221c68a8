"""Right claims over the catalogue pass; each mistake in one is refuted, and mostly named."""

from __future__ import annotations

from collections import Counter

import pytest
from audit_algebra import claim, paper
from audit_corpus import Right, Wrong, covered, right_claims, wrong_claims
from mistakes import MISTAKES

from symbackprop.auditing.finding import DIAGNOSES, Finding
from symbackprop.auditing.formulas.decide import judge
from symbackprop.catalog import CATALOG

RIGHT = right_claims()
WRONG = tuple(wrong_claims())
SAMPLE = 17
# Mistakes that a convention makes right again, by where they are made.
COVERED = {
    ("silu", "written in the output variable"),
    ("cross-entropy of logits", "targets sum to 1"),
}
UNIT = ("z[i] = total(j, n, w[i,j]*x[j])", "a[i] = 1/(1+exp(-z[i]))")
SOFTMAX = "p[i] = exp(z[i])/total(k, K, exp(z[k]))"
LOSS = "the loss is the cross-entropy or the squared error"
SUM = "z is the weighted sum of its inputs and a bias"
CONVENTIONS = {
    "d(a,z) = z*(1-z)": (("a = 1/(1+exp(-z))",), "written in the output variable"),
    "d(a,u) = 1-u**2": (("a = tanh(u)",), "written in the output variable"),
    "d(a,z) = z": (("a = exp(z)",), "written in the output variable"),
    "prime(s,x) = x*(1-x)": (("s(x) = 1/(1+exp(-x))",), "written in the output variable"),
    "d(L,a) = a-y": (("L = -y*log(a)-(1-y)*log(1-a)",), "with respect to the logits"),
    "d(L,z[i]) = p[i]-y[i]": ((SOFTMAX, "L = -total(i, K, y[i]*log(p[i]))"), "targets sum to 1"),
    "d(C,w) = d(C,y)*d(y,w)": ((), "along the named path"),
    "d(C,w) = d(C,a)*d(a,z)*d(z,w)": ((), "along the named path"),
    "prime(sigma,x) = sigma(x)*(1-sigma(x))": ((), "the function is the logistic sigmoid"),
    "prime(f,x) = 1-f(x)**2": ((), "the function is tanh"),
    "d(C,w) = 2*(a-g)*d(a,w)": (
        ("a = tanh(w*x)", "J = (a-y)**2", "g = a-d(J,a)", "C = (a-g)**2"),
        "targets made of derivatives are held constant",
    ),
    "d(C,w) = 2*d(J,a)*d(a,w)": (
        ("a = tanh(w*x)", "J = (a-y)**2", "g = a-d(J,a)", "C = (a-g)**2"),
        "targets made of derivatives are held constant",
    ),
    "d(a,z) = a*(1-a)": ((), "the output is the usual function of its input"),
    "d(a,z) = 1-a**2": ((), "the output is the usual function of its input"),
    "d(a,z) = g(z)*(1-g(z))": (
        ("g(x) = 1/(1+exp(-x))",),
        "the output is the function that is defined",
    ),
    "d(L,yhat) = (1-y)/(1-yhat) - y/yhat": (
        (),
        "the loss is the cross-entropy or the squared error",
    ),
    "d(L,yhat[i]) = yhat[i]-y[i]": ((), LOSS),
    "d(z,w[i]) = x[i]": ((), SUM),
    "d(z[i],w[i,j]) = x[j]": ((), SUM),
    "d(z__l,b__l) = 1": ((), SUM),
    "d(Z__3,A__2) = T(W__3)": ((), SUM),
    "d(C,W) = d(Z,W)@T(d(C,Z))": ((), "along the named path"),
}


# What no convention makes right, though it looks like what one does.
NO_CONVENTION = (
    "d(a,z) = a*(1+a)",
    "d(L,yhat) = y/yhat - (1-y)/(1-yhat)",
    "d(L,yhat[i]) = y[i]-yhat[i]",
    "d(z[i],w[i,j]) = x[i]",
    "d(z[i],w[k,j]) = x[j]",
    "d(z,w) = b",
    "d(z,b) = 2",
    "d(Z__3,A__2) = W__2",
    "d(z__3,w__3) = a__3",
    "d(C,w) = d(C,z)*d(w,z)",
    "d(C,b) = d(C,a)*d(a,z)*d(z,w)",
)


def named(wrong: Wrong, found: Finding) -> bool:
    return found.diagnosis is not None and bool(wrong.kinds & set(found.diagnosis.kinds))


def accept(wrong: Wrong) -> Finding:
    """The finding on a wrong claim: refuted, or made right by a convention that is known to."""
    found = judge(wrong.claim, wrong.right.paper)
    if found.verdict == "convention":
        assert (wrong.right.name, found.convention) in COVERED
    else:
        assert found.verdict == "refuted", (wrong, found.reason)
        assert found.counterexample
    return found


def test_the_corpora_are_large() -> None:
    assert len(RIGHT) >= 150
    assert len(WRONG) >= 150
    assert {wrong.mistake for wrong in WRONG} == set(MISTAKES)
    assert {kind for _, kinds in MISTAKES.values() for kind in kinds} <= set(DIAGNOSES)


# What only moves entries has derivatives of 0 and 1.
MOVED = {"flatten", "pad", "reshape", "slice", "transpose"}


def test_the_corpora_are_of_the_whole_catalogue() -> None:
    entries = {
        *(*CATALOG.activations, *CATALOG.losses, *CATALOG.layers, *CATALOG.penalties),
    }
    assert covered() == entries - MOVED


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: f"{right.name}: {right.text}")
def test_right_claims_pass(right: Right) -> None:
    assert judge(right.claim, right.paper).verdict in ("proved", "agrees")


def test_nine_in_ten_right_claims_are_proved() -> None:
    verdicts = Counter(judge(right.claim, right.paper).verdict for right in RIGHT)
    assert verdicts["proved"] >= 0.9 * len(RIGHT)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_refuted_and_named(mistake: str) -> None:
    made = [wrong for wrong in WRONG if wrong.mistake == mistake][:: 2 * SAMPLE]
    found = [named(wrong, accept(wrong)) for wrong in made]
    assert sum(found) >= 0.8 * len(found) - 1


def test_nine_in_ten_mistakes_are_named() -> None:
    made = WRONG[::SAMPLE]
    found = [(wrong, accept(wrong)) for wrong in made]
    refuted = [(wrong, finding) for wrong, finding in found if finding.verdict == "refuted"]
    assert sum(named(*pair) for pair in refuted) >= 0.9 * len(refuted)


@pytest.mark.grid
@pytest.mark.parametrize("start", range(SAMPLE))
def test_all_mistakes_are_refuted_and_nine_in_ten_named(start: int) -> None:
    found = [(wrong, accept(wrong)) for wrong in WRONG[start::SAMPLE]]
    refuted = [(wrong, finding) for wrong, finding in found if finding.verdict == "refuted"]
    assert sum(named(*pair) for pair in refuted) >= 0.9 * len(refuted)


@pytest.mark.parametrize("text", CONVENTIONS)
def test_conventions_are_named(text: str) -> None:
    definitions, words = CONVENTIONS[text]
    found = judge(claim(text), paper(*definitions))
    assert (found.verdict, found.convention) == ("convention", words)


@pytest.mark.parametrize("text", NO_CONVENTION)
def test_what_only_looks_like_a_convention_is_left_open(text: str) -> None:
    assert judge(claim(text), paper()).verdict == "undecided"


def test_what_is_defined_is_no_matter_of_convention() -> None:
    found = judge(claim("d(z,w) = x"), paper("z = w*w*x"))
    assert found.verdict == "refuted"


def test_a_right_claim_taken_for_a_wrong_one_is_noticed() -> None:
    right = RIGHT[0]
    planted = Wrong(right, "sign", right.claim.right, frozenset({"sign"}))
    with pytest.raises(AssertionError):
        accept(planted)
