"""Functions that mean the same in every document, in terms of the few that numbers know."""

from __future__ import annotations

from collections.abc import Callable

from symbackprop.auditing.formulas import numbers as s


def _sigmoid(u: s.Scalar) -> s.Scalar:
    return s.reciprocal(s.add(s.ONE, s.exp(s.neg(u))))


def _tanh(u: s.Scalar) -> s.Scalar:
    double = s.exp(s.mul(s.TWO, u))
    return s.div(s.sub(double, s.ONE), s.add(double, s.ONE))


def _sinh(u: s.Scalar) -> s.Scalar:
    return s.div(s.sub(s.exp(u), s.exp(s.neg(u))), s.TWO)


def _cosh(u: s.Scalar) -> s.Scalar:
    return s.div(s.add(s.exp(u), s.exp(s.neg(u))), s.TWO)


def _sign(u: s.Scalar) -> s.Scalar:
    return s.number(s.sign(u))


def _abs(u: s.Scalar) -> s.Scalar:
    return s.mul(_sign(u), u)


def _copysign(u: s.Scalar, v: s.Scalar) -> s.Scalar:
    return _abs(u) if s.sign(v) >= 0 else s.neg(_abs(u))


PRIMITIVES: dict[str, Callable[..., s.Scalar]] = {
    "exp": s.exp,
    "log": s.log,
    "ln": s.log,
    "log1p": lambda u: s.log(s.add(s.ONE, u)),
    "expm1": lambda u: s.sub(s.exp(u), s.ONE),
    "sqrt": s.sqrt,
    "erf": s.erf,
    "erfc": lambda u: s.sub(s.ONE, s.erf(u)),
    "sin": s.sin,
    "cos": s.cos,
    "tan": lambda u: s.div(s.sin(u), s.cos(u)),
    "sinh": _sinh,
    "cosh": _cosh,
    "sech": lambda u: s.reciprocal(_cosh(u)),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "logistic": _sigmoid,
    "softplus": lambda u: s.log(s.add(s.ONE, s.exp(u))),
    "relu": lambda u: s.larger(s.ZERO, u),
    "sign": _sign,
    "abs": _abs,
    "copysign": _copysign,
    "max": lambda *values: _fold(s.larger, values),
    "min": lambda *values: _fold(s.smaller, values),
}


def _fold(
    function: Callable[[s.Scalar, s.Scalar], s.Scalar], values: tuple[s.Scalar, ...]
) -> s.Scalar:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result
