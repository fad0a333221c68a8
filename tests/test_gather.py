"""Terms solved for one place add up to what they add where they stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symbackprop.calculus.gather import gathered
from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Factor,
    Index,
    Quotient,
    Remainder,
    Term,
    Variable,
)
from symbackprop.reference import accumulate
from symbackprop.scalar import ONE, Slot, apply

LENGTH, OUT, KERNEL = 7, 3, 2
I_, U_, V_ = Index("i", OUT), Index("u", KERNEL), Index("v", KERNEL)
X = Variable("x", "", (Index("h", LENGTH),))
Z, W = Variable("z", "", (I_,)), Variable("w", "", (U_,))
ARG = Variable("_arg", "", (I_,), integer=True)
SEED = Factor(Slot(0), (Access(Z.bar(), (I_,)),))
WEIGHT = Factor(Slot(0), (Access(W, (U_,)),))
CHOSEN = Factor(apply("equal", Slot(0), Slot(1)), (Access(ARG, (I_,)), U_))


def term(place: Affine, *factors: Factor) -> Term:
    return Term(Access(X.bar(), (place,), "zero"), (I_, U_), ONE, factors)


def added(one: Term) -> np.ndarray:
    rng = np.random.default_rng(1)
    values = {"w": rng.normal(size=KERNEL), "_arg": rng.integers(0, KERNEL, OUT)}
    seeds = {"z": rng.normal(size=OUT)}
    return accumulate([Adjoint(X, (one,))], values, seeds, {})["x"].astype(float)


def affine(step: int, dilation: int, offset: int) -> Affine:
    return Affine(((step, I_), (dilation, U_)), offset)


@pytest.mark.parametrize("offset", [-2, -1, 0, 1, 5])
@pytest.mark.parametrize(("step", "dilation"), [(1, 1), (1, 2), (2, 1), (3, 1), (2, 2)])
@pytest.mark.parametrize("factors", [(SEED, WEIGHT), (SEED,), (SEED, CHOSEN)], ids=len)
def test_what_is_solved_adds_the_same(step, dilation, offset, factors) -> None:
    written = term(affine(step, dilation, offset), *factors)
    found = gathered(written)
    if found is not None:
        assert all(isinstance(place, Index) for place in found.term.target.indices)
        np.testing.assert_allclose(added(found.term), added(written))


@pytest.mark.parametrize(
    ("step", "dilation", "factors", "solved"),
    [
        (1, 1, (SEED, WEIGHT), True),  # a convolution: over places of its output
        (1, 2, (SEED, WEIGHT), True),
        (3, 1, (SEED, WEIGHT), True),  # strided: over places of its kernel
        (2, 2, (SEED, WEIGHT), False),  # no index steps by one
        (2, 1, (SEED,), True),  # windows that tile: quotient and remainder
        (3, 1, (SEED,), False),  # windows with gaps
        (2, 1, (SEED, CHOSEN), True),  # a number that is a remainder
        (3, 1, (SEED, CHOSEN), False),  # an index that serves as a number
    ],
)
def test_what_can_be_solved(step, dilation, factors, solved) -> None:
    assert (gathered(term(affine(step, dilation, 0), *factors)) is not None) == solved


def test_the_adjoint_of_the_output_moves_first() -> None:
    found = gathered(term(affine(1, 1, -1), SEED, WEIGHT))
    assert found is not None
    assert [access.variable for access in found.outside] == [Z.bar()]
    assert U_ in found.term.space
    assert I_ not in found.term.space


def test_digits_of_an_index_are_solved_together() -> None:
    square = Variable("s", "", (Index("g", OUT), Index("r", KERNEL)))
    flat = Index("f", OUT * KERNEL)
    seed = Factor(Slot(0), (Access(Variable("y", "", (flat,)).bar(), (flat,)),))
    places = (Quotient(flat, KERNEL), Remainder(flat, KERNEL))
    written = Term(Access(square.bar(), places), (flat,), ONE, (seed,))
    found = gathered(written)
    assert found is not None
    assert found.outside == ()
    seeds = {"y": np.arange(6.0)}
    for term_ in (written, found.term):
        total = accumulate([Adjoint(square, (term_,))], {}, seeds, {})["s"].astype(float)
        np.testing.assert_array_equal(total, np.arange(6.0).reshape(OUT, KERNEL))
    assert gathered(replace(written, target=Access(square.bar(), places[:1] * 2))) is None


def test_what_is_in_place_or_stands_twice_is_left() -> None:
    bare = replace(term(affine(1, 1, 0), SEED), target=Access(Z.bar(), (I_,)), space=(I_,))
    assert gathered(bare) is None
    square = Variable("s", "", (Index("h", LENGTH), Index("w", LENGTH)))
    places = (affine(1, 1, 0), affine(1, 1, 0))
    assert gathered(replace(term(places[0], SEED), target=Access(square.bar(), places))) is None
    assert gathered(replace(term(places[0], SEED), assigned=True)) is None


def test_a_planted_fault_is_seen() -> None:
    written = term(affine(1, 1, -1), SEED, WEIGHT)
    found = gathered(written)
    assert found is not None
    (seed, weight) = found.term.factors
    (place,) = seed.operands[0].indices
    shifted = replace(seed.operands[0], indices=(replace(place, offset=place.offset + 1),))
    wrong = replace(found.term, factors=(replace(seed, operands=(shifted,)), weight))
    assert not np.allclose(added(wrong), added(written))
