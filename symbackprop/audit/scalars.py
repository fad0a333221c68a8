"""Numbers on which an identity between formulas is tested, and their derivatives.

A `Number` has three faces: a float shadow, for order and for counterexamples, and residues modulo
two primes P and Q, where Q divides P − 1. With g of order Q, exp(u) = g^(u mod Q) mod P turns sums
into products as the exponential does, so that equal formulas have equal residues, and unequal ones
differ but by a chance of about 1e-15. A face is None where it cannot be computed; what is equal is
then decided by the shadow alone.

A `Dual` carries a derivative with respect to one variable, and duals nest.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b

Q = 4503599627370517
P = 184 * Q + 1
GENERATOR = 568830239314320224  # of order Q modulo P
ROOT_P = 65128267679755003  # its square is −1 modulo P
ROOT_Q = 131514146880999  # its square is −1 modulo Q
HALF = Fraction(1, 2)
TOLERANCE = 1e-9


class OutOfDomainError(ArithmeticError):
    """A function was read where it has no finite value."""


@dataclass(frozen=True, slots=True)
class Number:
    """One value by its three faces; `p` and `q` are None where they are not known."""

    x: float
    p: int | None
    q: int | None


@dataclass(frozen=True, slots=True)
class Dual:
    """`value` + `slope` · ε of the perturbation `tag`; of nested ones the largest is outermost."""

    tag: int
    value: Scalar
    slope: Scalar


Scalar = Number | Dual


def number(value: Fraction | int) -> Number:
    """Return an exact rational as a number."""
    exact = Fraction(value)
    return Number(float(exact), _residue(exact, P), _residue(exact, Q))


def _residue(value: Fraction, modulus: int) -> int | None:
    below = value.denominator % modulus
    return value.numerator * pow(below, -1, modulus) % modulus if below else None


ZERO = number(0)
ONE = number(1)
TWO = number(2)


def fresh(key: str, low: float = 0.05, high: float = 0.95) -> Number:
    """Return the random value of a free access, the same for the same key.

    Args:
        key: What names the access, and the seed.
        low: Least value of the shadow.
        high: Largest value of the shadow.
    """
    return Number(low + (high - low) * _unit(key), _hash(key, P), _hash(key + "|q", Q))


@lru_cache(maxsize=65536)
def _hash(key: str, modulus: int) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=16).digest(), "big") % modulus


def _unit(key: str) -> float:
    return _hash(key + "|x", 2**53) / 2**53


def constant(value: float) -> Number:
    """Return a constant such as π, by its shadow alone."""
    return Number(value, None, None)


def primal(value: Scalar) -> Number:
    """Return a value without its derivatives."""
    while isinstance(value, Dual):
        value = value.value
    return value


def slope(value: Scalar, tag: int) -> Scalar:
    """Return the derivative of a value by the variable that was seeded with `tag`."""
    if isinstance(value, Dual):
        if value.tag == tag:
            return value.slope
        if value.tag > tag:
            return _dual(value.tag, slope(value.value, tag), slope(value.slope, tag))
    return ZERO


def without(value: Scalar, tag: int) -> Scalar:
    """Return a value without its derivative by `tag`."""
    if isinstance(value, Dual):
        if value.tag == tag:
            return value.value
        if value.tag > tag:
            return _dual(value.tag, without(value.value, tag), without(value.slope, tag))
    return value


def seed(value: Scalar, tag: int) -> Scalar:
    """Return a value as the variable by which derivatives are taken."""
    return add(value, Dual(tag, ZERO, ONE))


def _dual(tag: int, value: Scalar, tangent: Scalar) -> Scalar:
    return value if tangent is ZERO else Dual(tag, value, tangent)


def add(a: Scalar, b: Scalar) -> Scalar:
    """Return a + b."""
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(
            a.x + b.x,
            None if a.p is None or b.p is None else (a.p + b.p) % P,
            None if a.q is None or b.q is None else (a.q + b.q) % Q,
        )
    tag = _outer(a, b)
    (u, du), (v, dv) = _parts(a, tag), _parts(b, tag)
    return _dual(tag, add(u, v), _add_tangents(du, dv))


def mul(a: Scalar, b: Scalar) -> Scalar:
    """Return a · b."""
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(
            a.x * b.x,
            0 if a.p == 0 or b.p == 0 else None if a.p is None or b.p is None else a.p * b.p % P,
            0 if a.q == 0 or b.q == 0 else None if a.q is None or b.q is None else a.q * b.q % Q,
        )
    tag = _outer(a, b)
    (u, du), (v, dv) = _parts(a, tag), _parts(b, tag)
    return _dual(tag, mul(u, v), _add_tangents(_scaled(du, v), _scaled(dv, u)))


def _outer(a: Scalar, b: Scalar) -> int:
    return max(part.tag for part in (a, b) if isinstance(part, Dual))


def _parts(value: Scalar, tag: int) -> tuple[Scalar, Scalar]:
    if isinstance(value, Dual) and value.tag == tag:
        return value.value, value.slope
    return value, ZERO


def _add_tangents(a: Scalar, b: Scalar) -> Scalar:
    return b if a is ZERO else a if b is ZERO else add(a, b)


def _scaled(tangent: Scalar, by: Scalar) -> Scalar:
    return ZERO if tangent is ZERO else mul(tangent, by)


def neg(a: Scalar) -> Scalar:
    """Return −a."""
    return mul(_MINUS, a)


_MINUS = number(-1)


def sub(a: Scalar, b: Scalar) -> Scalar:
    """Return a − b."""
    return add(a, neg(b))


def reciprocal(a: Scalar) -> Scalar:
    """Return 1 / a.

    Raises:
        OutOfDomainError: If a is zero.
    """
    return _apply(_reciprocal, lambda u: neg(power(reciprocal(u), 2)), a)


def _reciprocal(a: Number) -> Number:
    if abs(a.x) < 1e-300:
        raise OutOfDomainError("division by zero")
    return Number(
        1 / a.x,
        pow(a.p, -1, P) if a.p else None,
        pow(a.q, -1, Q) if a.q else None,
    )


def div(a: Scalar, b: Scalar) -> Scalar:
    """Return a / b."""
    return mul(a, reciprocal(b))


def _apply(
    function: Callable[[Number], Number], rate: Callable[[Scalar], Scalar], a: Scalar
) -> Scalar:
    """A function of one variable on a dual number, given its elementary rule."""
    if isinstance(a, Number):
        return function(a)
    value = _apply(function, rate, a.value)
    return _dual(a.tag, value, mul(rate(a.value), a.slope))


def power(a: Scalar, exponent: int) -> Scalar:
    """Return a to an integer power."""
    if exponent < 0:
        return reciprocal(power(a, -exponent))
    result: Scalar = ONE
    for digit in bin(exponent)[2:]:
        result = mul(result, result)
        if digit == "1":
            result = mul(result, a)
    return result


def integer(a: Scalar) -> int | None:
    """Return the small integer that a value is, or None."""
    plain = primal(a)
    nearest = round(plain.x) if math.isfinite(plain.x) and abs(plain.x) < 1e6 else None
    if isinstance(a, Dual) or nearest is None or plain.p != nearest % P:
        return None
    return nearest


def raised(a: Scalar, b: Scalar) -> Scalar:
    """Return a to the power b, over the real numbers."""
    whole = integer(b)
    if whole is not None and abs(whole) <= 64:
        return power(a, whole)
    if not isinstance(b, Dual) and primal(b).x == 0.5:
        return sqrt(a)
    return exp(mul(b, log(a)))


def exp(a: Scalar) -> Scalar:
    """Return the exponential of a."""
    return _apply(_exp, exp, a)


def _exp(a: Number) -> Number:
    if a.x > 600:
        raise OutOfDomainError("an exponential overflows")
    return Number(math.exp(a.x), None if a.q is None else pow(GENERATOR, a.q, P), None)


def log(a: Scalar) -> Scalar:
    """Return the natural logarithm of a: by the shadow alone."""
    return _apply(_log, reciprocal, a)


def _log(a: Number) -> Number:
    if a.x <= 0:
        raise OutOfDomainError("logarithm of a number that is not positive")
    return ZERO if a == ONE else Number(math.log(a.x), None, None)


def sqrt(a: Scalar) -> Scalar:
    """Return the square root of a: by the shadow alone."""
    return _apply(_sqrt, lambda u: reciprocal(mul(TWO, sqrt(u))), a)


def _sqrt(a: Number) -> Number:
    if a.x < 0:
        raise OutOfDomainError("square root of a negative number")
    for small in (0, 1, 4, 9, 16, 25):
        if a == number(small):
            return number(math.isqrt(small))
    return Number(math.sqrt(a.x), None, None)


def cis(a: Scalar) -> tuple[Scalar, Scalar]:
    """Return the cosine and the sine of a."""
    return _cos(a), _sin(a)


def _cos(a: Scalar) -> Scalar:
    return _apply(lambda u: _circle(u)[0], lambda u: neg(_sin(u)), a)


def _sin(a: Scalar) -> Scalar:
    return _apply(lambda u: _circle(u)[1], _cos, a)


def _circle(a: Number) -> tuple[Number, Number]:
    shadow = cmath.exp(1j * a.x)
    if a.q is None:
        return Number(shadow.real, None, None), Number(shadow.imag, None, None)
    right = pow(GENERATOR, ROOT_Q * a.q % Q, P)
    left, half = pow(right, -1, P), pow(2, -1, P)
    cosine = (right + left) * half % P
    sine = (left - right) * ROOT_P * half % P
    return Number(shadow.real, cosine, None), Number(shadow.imag, sine, None)


def erf(a: Scalar) -> Scalar:
    """Return the error function of a: by the shadow alone."""
    scale = Number(2 / math.sqrt(math.pi), None, None)
    return _apply(
        lambda u: Number(math.erf(u.x), None, None),
        lambda u: mul(scale, exp(neg(mul(u, u)))),
        a,
    )


def sign(a: Scalar) -> int:
    """Return −1, 0 or 1 by the shadow.

    Raises:
        OutOfDomainError: If the shadow is too near zero to tell, and not zero exactly.
    """
    plain = primal(a)
    if plain.p == 0 and abs(plain.x) < TOLERANCE:
        return 0
    if abs(plain.x) < 1e-7:
        raise OutOfDomainError("a comparison falls on a tie")
    return 1 if plain.x > 0 else -1


def larger(a: Scalar, b: Scalar) -> Scalar:
    """Return the larger of a and b; at a tie, a."""
    return a if sign(sub(a, b)) >= 0 else b


def smaller(a: Scalar, b: Scalar) -> Scalar:
    """Return the smaller of a and b; at a tie, a."""
    return a if sign(sub(a, b)) <= 0 else b


def undetermined(name: str, orders: tuple[int, ...], arguments: Sequence[Scalar]) -> Scalar:
    """Return a derivative of an undetermined function.

    Args:
        name: What the function is called, and the seed; functions of other names are independent.
        orders: How often it is differentiated by each argument.
        arguments: Where it is read.
    """
    duals = [a for a in arguments if isinstance(a, Dual)]
    if not duals:
        return _undetermined(name, orders, [primal(a) for a in arguments])
    tag = max(dual.tag for dual in duals)
    parts = [_parts(a, tag) for a in arguments]
    inner = [value for value, _ in parts]
    tangent: Scalar = ZERO
    for place, (_, change) in enumerate(parts):
        if change is not ZERO:
            higher = (*orders[:place], orders[place] + 1, *orders[place + 1 :])
            tangent = _add_tangents(tangent, mul(undetermined(name, higher, inner), change))
    return _dual(tag, undetermined(name, orders, inner), tangent)


def _undetermined(name: str, orders: tuple[int, ...], at: list[Number]) -> Number:
    """A hash of the arguments' residues; the shadow is a sum of waves in all of them."""
    shadow = 0.0
    for wave in range(3):
        rates = [0.4 + _unit(f"{name}|{wave}|{place}") for place in range(len(at))]
        phase = 6 * _unit(f"{name}|{wave}|phase")
        phase += sum(rate * value.x for rate, value in zip(rates, at, strict=True))
        phase += math.pi / 2 * sum(orders)
        scale = (0.3 + _unit(f"{name}|{wave}|scale")) / 3
        shadow += (
            scale
            * math.sin(phase)
            * math.prod(rate**order for rate, order in zip(rates, orders, strict=True))
        )
    if any(value.p is None for value in at):
        return Number(shadow, None, None)
    key = f"{name}|{orders}|{[value.p for value in at]}"
    return Number(shadow, _hash(key, P), _hash(key + "|q", Q))


def same(a: Scalar, b: Scalar) -> bool:
    """Whether two values agree in every face that both have."""
    u, v = primal(a), primal(b)
    if not (math.isfinite(u.x) and math.isfinite(v.x)):
        return False
    if u.p is not None and v.p is not None and u.p != v.p:
        return False
    return abs(u.x - v.x) <= TOLERANCE * max(1e-3, abs(u.x), abs(v.x))


def differ(a: Scalar, b: Scalar) -> bool:
    """Whether two values differ so clearly in their shadows that no rounding explains it."""
    u, v = primal(a).x, primal(b).x
    if not (math.isfinite(u) and math.isfinite(v)):
        return False
    return abs(u - v) > 1e-6 * max(1e-3, abs(u), abs(v))


def exact(a: Scalar) -> bool:
    """Whether a value is known by its residue too, not by the shadow alone."""
    return primal(a).p is not None
