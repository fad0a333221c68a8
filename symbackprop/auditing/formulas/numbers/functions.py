"""Functions of numbers with derivatives, and how two values compare."""

from __future__ import annotations

import math
from fractions import Fraction

from symbackprop.auditing.formulas.numbers.duals import (
    Dual,
    Scalar,
    elementary,
    primal,
    product,
    total,
)
from symbackprop.auditing.formulas.numbers.faces import ONE, TOLERANCE, Number, number
from symbackprop.auditing.formulas.numbers.faces import integer as whole_number
from symbackprop.auditing.formulas.numbers.faces import sign as sign_of
from symbackprop.scalar import Apply, Slot
from symbackprop.scalar import Number as Literal

_FIRST, _SECOND = Slot(0), Slot(1)
_NEGATIVE = Apply("negative", (_FIRST,))
_DIVIDE = Apply("divide", (_FIRST, _SECOND))
_POWER = Apply("power", (_FIRST, _SECOND))
_UNARY = {name: Apply(name, (_FIRST,)) for name in ("exp", "log", "sqrt", "sin", "cos", "erf")}
# Powers up to this are products, which every face knows.
LARGEST_POWER = 64


def add(a: Scalar, b: Scalar) -> Scalar:
    """Return a + b."""
    return total(a, b)


def neg(a: Scalar) -> Scalar:
    """Return −a."""
    return elementary(_NEGATIVE, (a,))


def sub(a: Scalar, b: Scalar) -> Scalar:
    """Return a − b."""
    return total(a, neg(b))


def mul(a: Scalar, b: Scalar) -> Scalar:
    """Return a · b."""
    return product(a, b)


def div(a: Scalar, b: Scalar) -> Scalar:
    """Return a / b.

    Raises:
        OutOfDomainError: If b is zero.
    """
    return elementary(_DIVIDE, (a, b))


def reciprocal(a: Scalar) -> Scalar:
    """Return 1 / a."""
    return div(ONE, a)


def power(a: Scalar, exponent: int) -> Scalar:
    """Return a to an integer power."""
    return elementary(Apply("power", (_FIRST, Literal(Fraction(exponent)))), (a,))


def raised(a: Scalar, b: Scalar) -> Scalar:
    """Return a to the power b, over the real numbers."""
    whole = integer(b)
    if whole is not None and abs(whole) <= LARGEST_POWER:
        return power(a, whole)
    halves = integer(add(b, b))
    if halves is not None and abs(halves) <= LARGEST_POWER:
        return power(sqrt(a), halves)
    return elementary(_POWER, (a, b))


def exp(a: Scalar) -> Scalar:
    """Return the exponential of a."""
    return elementary(_UNARY["exp"], (a,))


def log(a: Scalar) -> Scalar:
    """Return the natural logarithm of a."""
    return elementary(_UNARY["log"], (a,))


def sqrt(a: Scalar) -> Scalar:
    """Return the square root of a."""
    return elementary(_UNARY["sqrt"], (a,))


def cos(a: Scalar) -> Scalar:
    """Return the cosine of a."""
    return elementary(_UNARY["cos"], (a,))


def sin(a: Scalar) -> Scalar:
    """Return the sine of a."""
    return elementary(_UNARY["sin"], (a,))


def erf(a: Scalar) -> Scalar:
    """Return the error function of a."""
    return elementary(_UNARY["erf"], (a,))


def floor(u: Scalar) -> Scalar:
    """Return the largest whole number that is no greater, by the shadow; it has no slope."""
    return number(math.floor(primal(u).x + TOLERANCE))


def integer(a: Scalar) -> int | None:
    """Return the small integer that a value is, or None."""
    return None if isinstance(a, Dual) else whole_number(a)


def sign(a: Scalar) -> int:
    """Return −1, 0 or 1 by the shadow.

    Raises:
        OutOfDomainError: If the shadow is too near zero to tell, and not zero exactly.
    """
    return sign_of(primal(a))


def polarity(a: Scalar) -> Scalar:
    """Return the sign of a as a number."""
    return number(sign(a))


def copysign(a: Scalar, b: Scalar) -> Scalar:
    """Return the size of a with the sign of b, where 0 counts as positive."""
    size = mul(polarity(a), a)
    return size if sign(b) >= 0 else neg(size)


def larger(a: Scalar, b: Scalar) -> Scalar:
    """Return the larger of a and b; at a tie, a."""
    return a if sign(sub(a, b)) >= 0 else b


def smaller(a: Scalar, b: Scalar) -> Scalar:
    """Return the smaller of a and b; at a tie, a."""
    return a if sign(sub(a, b)) <= 0 else b


def same(a: Scalar, b: Scalar) -> bool:
    """Whether two values agree in every face that tells."""
    u, v = primal(a), primal(b)
    told = not (u.p is None or v.p is None or u.opaque or v.opaque)
    if not _finite(u, v) or (told and u.p != v.p):
        return False
    return abs(u.x - v.x) <= TOLERANCE * max(1e-3, abs(u.x), abs(v.x))


def differ(a: Scalar, b: Scalar) -> bool:
    """Whether two values differ so clearly in their shadows that no rounding explains it."""
    u, v = primal(a), primal(b)
    return _finite(u, v) and abs(u.x - v.x) > 1e-6 * max(1e-3, abs(u.x), abs(v.x))


def _finite(u: Number, v: Number) -> bool:
    return math.isfinite(u.x) and math.isfinite(v.x)


def exact(a: Scalar, b: Scalar) -> bool:
    """Whether the residues of two values are known and equal, not their shadows alone."""
    return primal(a).p is not None and primal(a).p == primal(b).p
