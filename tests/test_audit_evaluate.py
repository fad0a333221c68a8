"""Audited formulas in numbers: identities hold in every face, false ones differ."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import mpmath
import pytest
import sympy

from symbackprop.auditing.formulas import numbers as s

X = s.fresh("x")
Y = s.fresh("y")


def sigma(u: s.Scalar) -> s.Scalar:
    return s.reciprocal(s.add(s.ONE, s.exp(s.neg(u))))


def derivative(function: Callable[[s.Scalar], s.Scalar], at: s.Scalar, tag: int = 1) -> s.Scalar:
    return s.slope(function(s.seed(at, tag)), tag)


IDENTITIES = {
    "exp of a sum": (s.exp(s.add(X, Y)), s.mul(s.exp(X), s.exp(Y))),
    "exp of half": (s.power(s.exp(s.div(X, s.TWO)), 2), s.exp(X)),
    "sigmoid": (sigma(s.neg(X)), s.sub(s.ONE, sigma(X))),
    "derivative of the sigmoid": (
        derivative(sigma, X),
        s.mul(sigma(X), s.sub(s.ONE, sigma(X))),
    ),
    "circle": (s.add(s.power(s.cos(X), 2), s.power(s.sin(X), 2)), s.ONE),
    "derivative of the sine": (derivative(s.sin, X), s.cos(X)),
    "log of exp": (s.log(s.exp(X)), X),
    "root": (s.power(s.sqrt(X), 2), X),
    "power rule": (
        derivative(lambda u: s.raised(u, s.number(5)), X),
        s.mul(s.number(5), s.power(X, 4)),
    ),
}
FALSE = {
    "exp of a product": (s.exp(s.mul(X, Y)), s.mul(s.exp(X), s.exp(Y))),
    "twice the derivative": (
        derivative(sigma, X),
        s.mul(s.TWO, s.mul(sigma(X), s.sub(s.ONE, sigma(X)))),
    ),
    "sine for cosine": (s.cos(X), s.sin(X)),
    "log of a sum": (s.log(s.add(X, Y)), s.add(s.log(X), s.log(Y))),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_hold_in_every_face(name: str) -> None:
    left, right = IDENTITIES[name]
    assert s.same(left, right)
    assert not s.differ(left, right)


@pytest.mark.parametrize("name", FALSE)
def test_false_identities_differ(name: str) -> None:
    left, right = FALSE[name]
    assert not s.same(left, right)
    assert s.differ(left, right)


def test_a_difference_below_the_shadows_precision_is_seen_by_the_residues() -> None:
    near = s.add(X, s.number(Fraction(1, 10**14)))
    assert not s.same(X, near)
    assert not s.differ(X, near)


U = sympy.Symbol("u", positive=True)
ELEMENTARY = {
    "reciprocal": (s.reciprocal, 1 / U),
    "exp": (s.exp, sympy.exp(U)),
    "log": (s.log, sympy.log(U)),
    "sqrt": (s.sqrt, sympy.sqrt(U)),
    "cos": (s.cos, sympy.cos(U)),
    "sin": (s.sin, sympy.sin(U)),
    "erf": (s.erf, sympy.erf(U)),
    "nested": (lambda u: s.log(s.add(s.exp(u), s.mul(u, u))), sympy.log(sympy.exp(U) + U**2)),
}


@pytest.mark.parametrize("name", ELEMENTARY)
def test_slopes_are_those_that_sympy_derives(name: str) -> None:
    function, expression = ELEMENTARY[name]
    first = derivative(function, X)
    second = derivative(lambda u: derivative(function, u, tag=2), X)
    for order, found in ((1, first), (2, second)):
        expected = expression.diff(U, order).subs(U, sympy.Float(s.primal(X).x, 40)).evalf(30)
        assert mpmath.almosteq(s.primal(found).x, mpmath.mpf(str(expected)), rel_eps=1e-10)


def test_an_undetermined_function_has_independent_derivatives() -> None:
    first = derivative(lambda u: s.undetermined("f", (0,), [u]), X)
    assert s.same(first, s.undetermined("f", (1,), [X]))
    assert s.differ(first, s.undetermined("f", (0,), [X]))
    square = derivative(lambda u: s.undetermined("f", (0,), [s.mul(u, u)]), X)
    assert s.same(square, s.mul(s.undetermined("f", (1,), [s.mul(X, X)]), s.mul(s.TWO, X)))


def test_the_shadow_of_an_undetermined_function_is_smooth() -> None:
    step = 1e-6
    ends = [s.Number(s.primal(X).x + d, None, None) for d in (-step, step)]
    low, high = (s.primal(s.undetermined("f", (0, 0), [end, Y])).x for end in ends)
    slope = s.primal(s.undetermined("f", (1, 0), [X, Y])).x
    assert abs((high - low) / (2 * step) - slope) < 1e-8


def test_mixed_derivatives_are_kept_apart() -> None:
    def product(u: s.Scalar, v: s.Scalar) -> s.Scalar:
        return s.mul(s.mul(u, u), v)

    def by_v(u: s.Scalar) -> s.Scalar:
        return s.slope(product(u, s.seed(Y, 2)), 2)

    assert s.same(derivative(by_v, X), s.mul(s.TWO, X))


def test_ties_and_poles_are_out_of_the_domain() -> None:
    with pytest.raises(s.OutOfDomainError):
        s.reciprocal(s.ZERO)
    with pytest.raises(s.OutOfDomainError):
        s.log(s.neg(X))
    with pytest.raises(s.OutOfDomainError):
        s.sign(s.Number(1e-9, 5, 5))
    assert s.sign(s.ZERO) == 0
