"""Functions that nothing defines: every derivative of one is a function of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symbackprop.auditing.formulas.numbers.duals import (
    Scalar,
    dual,
    outermost,
    parts,
    primal,
    product,
    total,
)
from symbackprop.auditing.formulas.numbers.faces import ZERO, Number, P, Q, hashed, unit

WAVES = 3


def undetermined(name: str, orders: tuple[int, ...], arguments: Sequence[Scalar]) -> Scalar:
    """Return a derivative of an undetermined function.

    Args:
        name: What the function is called, and the seed; functions of other names are independent.
        orders: How often it is differentiated by each argument.
        arguments: Where it is read.
    """
    tag = outermost(arguments)
    if tag is None:
        return _value(name, orders, [primal(a) for a in arguments])
    pairs = [parts(a, tag) for a in arguments]
    inner = [value for value, _ in pairs]
    tangent: Scalar = ZERO
    for place, (_, change) in enumerate(pairs):
        if change is not ZERO:
            higher = (*orders[:place], orders[place] + 1, *orders[place + 1 :])
            tangent = total(tangent, product(undetermined(name, higher, inner), change))
    return dual(tag, undetermined(name, orders, inner), tangent)


def _value(name: str, orders: tuple[int, ...], at: list[Number]) -> Number:
    """A hash of the arguments' residues; the shadow is a sum of waves in all of them."""
    shadow = 0.0
    for wave in range(WAVES):
        rates = [0.4 + unit(f"{name}|{wave}|{place}") for place in range(len(at))]
        phase = 6 * unit(f"{name}|{wave}|phase")
        phase += sum(rate * value.x for rate, value in zip(rates, at, strict=True))
        phase += math.pi / 2 * sum(orders)
        scale = (0.3 + unit(f"{name}|{wave}|scale")) / WAVES
        powers = [rate**order for rate, order in zip(rates, orders, strict=True)]
        shadow += scale * math.sin(phase) * math.prod(powers)
    if any(value.p is None for value in at):
        return Number(shadow, None, None)
    key = f"{name}|{orders}|{[value.p for value in at]}"
    return Number(shadow, hashed(key, P), hashed(key + "|q", Q), any(v.opaque for v in at))
