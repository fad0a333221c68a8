"""Numbers on which an identity between formulas is tested, without derivatives.

A `Number` has three faces: a float shadow, for order and for counterexamples, and residues modulo
two primes P and Q, where Q divides P − 1. With g of order Q, exp(u) = g^(u mod Q) mod P turns sums
into products as the exponential does, so that equal formulas have equal residues, and unequal ones
differ but by a chance of about 1e-15. Functions without such a rule (a logarithm, a root) are
hashes of what they are read at: residues that are equal still prove, but those that differ need
not refute. A face is None where it cannot be computed.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b

Q = 4503599627370517
P = 184 * Q + 1
GENERATOR = 568830239314320224  # of order Q modulo P
ROOT_P = 65128267679755003  # its square is −1 modulo P
ROOT_Q = 131514146880999  # its square is −1 modulo Q
TOLERANCE = 1e-9
# Shadows nearer to zero than this do not tell on which side a branch lies.
TIE = 1e-7


class OutOfDomainError(ArithmeticError):
    """A function was read where it has no finite value."""


class DividedByZeroError(OutOfDomainError):
    """A denominator is zero exactly, wherever it is read."""


@dataclass(frozen=True, slots=True)
class Number:
    """One value by its three faces; `p` and `q` are None where they are not known.

    `opaque` says that `p` was made with functions of which nothing but the arguments counts.
    """

    x: float
    p: int | None
    q: int | None
    opaque: bool = False


def number(value: Fraction | int) -> Number:
    """Return an exact rational as a number; that it is zero may be a coincidence, as of 1 - 1."""
    return _rational(value) if value else Number(0.0, 0, 0)


@lru_cache(maxsize=4096)
def _rational(value: Fraction | int) -> Number:
    exact = Fraction(value)
    return Number(float(exact), _residue(exact, P), _residue(exact, Q))


def _residue(value: Fraction, modulus: int) -> int | None:
    below = value.denominator % modulus
    return value.numerator * pow(below, -1, modulus) % modulus if below else None


ZERO = number(0)
ONE = number(1)
TWO = number(2)
_MINUS = number(-1)


def fresh(key: str, low: float = 0.05, high: float = 0.95) -> Number:
    """Return the random value of a free access, the same for the same key.

    Args:
        key: What names the access, and the seed.
        low: Least value of the shadow.
        high: Largest value of the shadow.
    """
    return Number(low + (high - low) * unit(key), hashed(key, P), hashed(key + "|q", Q))


@lru_cache(maxsize=65536)
def hashed(key: str, modulus: int) -> int:
    """Return a residue that looks random and is the same for the same key."""
    return int.from_bytes(blake2b(key.encode(), digest_size=16).digest(), "big") % modulus


def unit(key: str) -> float:
    """Return a number between 0 and 1 that looks random and is the same for the same key."""
    return hashed(key + "|x", 2**53) / 2**53


def opaque(name: str, value: float, *at: Number) -> Number:
    """Return a value of a function of which no identity is known: a hash of its arguments."""
    if any(argument.p is None for argument in at):
        return Number(value, None, None)
    key = f"{name}|{[argument.p for argument in at]}"
    return Number(value, hashed(key, P), None, True)


def constant(name: str, value: float) -> Number:
    """Return a constant such as π: a function of nothing."""
    return opaque(name, value)


def plus(a: Number, b: Number) -> Number:
    """Return a + b."""
    return Number(
        a.x + b.x,
        None if a.p is None or b.p is None else (a.p + b.p) % P,
        None if a.q is None or b.q is None else (a.q + b.q) % Q,
        a.opaque or b.opaque,
    )


def times(a: Number, b: Number) -> Number:
    """Return a · b; an exact zero makes the product one, whatever the other is."""
    return Number(
        a.x * b.x,
        0 if a.p == 0 or b.p == 0 else None if a.p is None or b.p is None else a.p * b.p % P,
        0 if a.q == 0 or b.q == 0 else None if a.q is None or b.q is None else a.q * b.q % Q,
        a.opaque or b.opaque,
    )


def minus(a: Number) -> Number:
    """Return −a."""
    return times(_MINUS, a)


def over(a: Number, b: Number) -> Number:
    """Return a / b.

    Raises:
        OutOfDomainError: If b is zero.
        DividedByZeroError: If it is so exactly.
    """
    if b.p == 0 and abs(b.x) < TOLERANCE:
        raise DividedByZeroError("division by zero")
    if abs(b.x) < 1e-300:
        raise OutOfDomainError("division by zero")
    below = Number(
        1 / b.x,
        pow(b.p, -1, P) if b.p else None,
        pow(b.q, -1, Q) if b.q else None,
        b.opaque,
    )
    return below if a is ONE else times(a, below)


def power(a: Number, b: Number) -> Number:
    """Return a to the power b, over the real numbers."""
    whole = integer(b)
    if whole is None or abs(whole) > 64:
        return exp(times(b, log(a)))
    result = ONE
    for digit in bin(abs(whole))[2:]:
        result = times(result, result)
        if digit == "1":
            result = times(result, a)
    return over(ONE, result) if whole < 0 else result


def integer(a: Number) -> int | None:
    """Return the small integer that a value is, or None."""
    nearest = round(a.x) if math.isfinite(a.x) and abs(a.x) < 1e6 else None
    return nearest if nearest is not None and a.p == nearest % P else None


def exp(a: Number) -> Number:
    """Return the exponential of a."""
    if a.x > 600:
        raise OutOfDomainError("an exponential overflows")
    value = math.exp(a.x)
    return opaque("exp", value, a) if a.q is None else Number(value, pow(GENERATOR, a.q, P), None)


def log(a: Number) -> Number:
    """Return the natural logarithm of a."""
    if a.x <= 0:
        raise OutOfDomainError("logarithm of a number that is not positive")
    return ZERO if a == ONE else opaque("log", math.log(a.x), a)


def sqrt(a: Number) -> Number:
    """Return the square root of a."""
    if a.x < 0:
        raise OutOfDomainError("square root of a negative number")
    whole = integer(a)
    if whole is not None and math.isqrt(whole) ** 2 == whole:
        return number(math.isqrt(whole))
    return opaque("sqrt", math.sqrt(a.x), a)


def cos(a: Number) -> Number:
    """Return the cosine of a."""
    return _circle(a)[0]


def sin(a: Number) -> Number:
    """Return the sine of a."""
    return _circle(a)[1]


def _circle(a: Number) -> tuple[Number, Number]:
    shadow = cmath.exp(1j * a.x)
    if a.q is None:
        return opaque("cos", shadow.real, a), opaque("sin", shadow.imag, a)
    right = pow(GENERATOR, ROOT_Q * a.q % Q, P)
    left, half = pow(right, -1, P), pow(2, -1, P)
    cosine = (right + left) * half % P
    sine = (left - right) * ROOT_P * half % P
    return Number(shadow.real, cosine, None), Number(shadow.imag, sine, None)


def erf(a: Number) -> Number:
    """Return the error function of a."""
    return opaque("erf", math.erf(a.x), a)


def sign(a: Number) -> int:
    """Return −1, 0 or 1 by the shadow.

    Raises:
        OutOfDomainError: If the shadow is too near zero to tell, and not zero exactly.
    """
    if a.p == 0 and abs(a.x) < TOLERANCE:
        return 0
    if abs(a.x) < TIE:
        raise OutOfDomainError("a comparison falls on a tie")
    return 1 if a.x > 0 else -1


# How a function of `symbackprop.scalar` is computed.
FACES: dict[str, Callable[..., Number]] = {
    "add": plus,
    "multiply": times,
    "negative": minus,
    "divide": over,
    "power": power,
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "sin": sin,
    "cos": cos,
    "erf": erf,
}
