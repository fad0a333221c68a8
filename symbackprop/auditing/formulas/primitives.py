"""Functions that mean the same in every document, in terms of the few that an algebra knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from symbackprop.auditing.formulas import numbers

V = TypeVar("V")


class Algebra(Protocol[V]):
    """What computes with values of one kind, numbers or normal forms, by the usual names."""

    @property
    def ZERO(self) -> V: ...
    @property
    def ONE(self) -> V: ...
    @property
    def TWO(self) -> V: ...
    def add(self, a: V, b: V, /) -> V: ...
    def sub(self, a: V, b: V, /) -> V: ...
    def neg(self, a: V, /) -> V: ...
    def mul(self, a: V, b: V, /) -> V: ...
    def div(self, a: V, b: V, /) -> V: ...
    def reciprocal(self, a: V, /) -> V: ...
    def exp(self, a: V, /) -> V: ...
    def log(self, a: V, /) -> V: ...
    def sqrt(self, a: V, /) -> V: ...
    def sin(self, a: V, /) -> V: ...
    def cos(self, a: V, /) -> V: ...
    def erf(self, a: V, /) -> V: ...
    def polarity(self, a: V, /) -> V: ...
    def copysign(self, a: V, b: V, /) -> V: ...
    def larger(self, a: V, b: V, /) -> V: ...
    def smaller(self, a: V, b: V, /) -> V: ...


def primitives(s: Algebra[V]) -> dict[str, Callable[..., V]]:
    """Return the functions that are known by name, for one kind of values."""

    def sigmoid(u: V) -> V:
        return s.reciprocal(s.add(s.ONE, s.exp(s.neg(u))))

    def tanh(u: V) -> V:
        double = s.exp(s.mul(s.TWO, u))
        return s.div(s.sub(double, s.ONE), s.add(double, s.ONE))

    def sinh(u: V) -> V:
        return s.div(s.sub(s.exp(u), s.exp(s.neg(u))), s.TWO)

    def cosh(u: V) -> V:
        return s.div(s.add(s.exp(u), s.exp(s.neg(u))), s.TWO)

    def folded(function: Callable[[V, V], V], values: tuple[V, ...]) -> V:
        result = values[0]
        for value in values[1:]:
            result = function(result, value)
        return result

    return {
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
        "sinh": sinh,
        "cosh": cosh,
        "sech": lambda u: s.reciprocal(cosh(u)),
        "tanh": tanh,
        "sigmoid": sigmoid,
        "logistic": sigmoid,
        "softplus": lambda u: s.log(s.add(s.ONE, s.exp(u))),
        "relu": lambda u: s.larger(s.ZERO, u),
        "sign": s.polarity,
        "abs": lambda u: s.mul(s.polarity(u), u),
        "copysign": s.copysign,
        "max": lambda *values: folded(s.larger, values),
        "min": lambda *values: folded(s.smaller, values),
    }


PRIMITIVES: dict[str, Callable[..., numbers.Scalar]] = {
    **primitives(numbers),
    "floor": numbers.floor,
    "mod": lambda u, v: numbers.sub(u, numbers.mul(v, numbers.floor(numbers.div(u, v)))),
}
