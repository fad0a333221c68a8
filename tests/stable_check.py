"""A stable form compared with its textbook form, on a grid, in float64 and float32."""

from __future__ import annotations

import mpmath
import numpy as np
from scalar_oracle import CONSTANTS, Reading, condition_number, in_numpy, true_value

from symbackprop.calculus.partials import partial
from symbackprop.calculus.stable import stable_form
from symbackprop.scalar import slots

DTYPES = (np.float64, np.float32)
SIZES = (1e-30, 1e-8, 1e-4, 0.03, 0.4, 1.0, 1.7, 5.0, 15.6, 20.5, 36.0, 60.0, 90.0, 300.0, 1e3, 1e4)
LINE = (0.0, *(float(np.float32(s * x)) for x in SIZES for s in (1, -1)))
UNIT = (0.0, 1.0, 0.25, 0.875)
OPEN = (0.5, 0.125, 0.96875, 2.0**-20)
POSITIVE = (1.0, 0.25, 3.5, 1e-4)
GENERATOR = np.random.default_rng(7)
RANDOM = tuple(float(np.float32(x)) for x in GENERATOR.normal(0, 20, 8))


def expression(text, *constants):
    reading = Reading(f"L = {text}", constants or CONSTANTS)
    assert not reading.nested
    return reading.expression


def points(domains):
    """Every value of the first domain, with values of the others in turn."""
    first, *others = domains
    lengths = 1 if not others else 3
    return sorted(
        {
            (x, *(domain[(k * 5 + j * 3 + m) % len(domain)] for m, domain in enumerate(others)))
            for k, x in enumerate(first)
            for j in range(lengths)
        }
    )


def check(textbook, domains, units=8.0, conditioned=True, absolute=0.0):
    """Compare the stable form with the textbook form's true value.

    Allowed are ``units`` roundings, times 1 + the condition number where an argument is
    rounded before it meets an exponential, and what is lost below the smallest normal number.
    """
    found = stable_form(textbook)
    table = points(domains)
    for dtype in DTYPES:
        columns = [np.array(column, dtype) for column in zip(*table, strict=True)]
        with np.errstate(over="raise", divide="raise", invalid="raise", under="ignore"):
            values = np.broadcast_to(in_numpy(found, columns, dtype), (len(table),))
        for point, value in zip(table, values, strict=True):
            check_value(
                textbook, point, value, units=units, conditioned=conditioned, absolute=absolute
            )


def check_value(textbook, point, value, *, units, conditioned, absolute):
    info = np.finfo(value.dtype)
    truth = true_value(textbook, point)
    if abs(truth) > float(info.max) / 4:
        return
    error = float(abs(mpmath.mpf(float(value)) - truth))
    underflow = float(info.tiny) * 8 * (1 + max(map(abs, point)) ** 2)
    rounding = units * float(info.eps)
    allowed = rounding * float(abs(truth)) + underflow + absolute * rounding * abs(point[0])
    if conditioned and not error <= allowed:
        allowed += rounding * float(abs(truth)) * condition_number(textbook, point)
    assert error <= allowed, (value.dtype, point, value, mpmath.nstr(truth), error / allowed)


def derivatives(textbook):
    return [partial(textbook, position) for position in slots(textbook)]
