"""Fits the coefficients in templates/special/erf.py; prints them as they stand there.

Rational interpolation at Chebyshev nodes, solved with 80 digits: near the best approximation, and
with positive coefficients only, so that evaluating it by Horner's rule cancels nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from mpmath import cos, erf, erfc, exp, lu_solve, matrix, mp, mpf, pi, sqrt

mp.dps = 80

LARGEST = 28
"""erfc(x) is 0 in float64 from 27.3 on."""

SMALL = 0.5
"""Below this |x| erf has an approximation of its own, which keeps its relative accuracy."""

Rational = tuple[list[mpf], list[mpf]]


def scaled_complement(x: mpf) -> mpf:
    """exp(x²) erfc(x), which falls from 1 like 1 / x."""
    return exp(x * x) * erfc(x)


def odd_part(square: mpf) -> mpf:
    """erf(x) / x as a function of x²."""
    x = sqrt(square)
    return erf(x) / x


def chebyshev_nodes(low: mpf, high: mpf, count: int) -> list[mpf]:
    """Zeros of the Chebyshev polynomial of that degree, moved to [low, high]."""
    angles = [(2 * i + 1) * pi / (2 * count) for i in range(count)]
    return [(low + high) / 2 + (high - low) / 2 * cos(angle) for angle in angles]


def interpolate(function: Callable[[mpf], mpf], nodes: list[mpf], numerator: int) -> Rational:
    """P / Q with P of degree `numerator`, Q(0) = 1, equal to the function at every node."""
    unknowns = len(nodes)
    system, values = matrix(unknowns, unknowns), matrix(unknowns, 1)
    for row, x in enumerate(nodes):
        values[row] = function(x)
        for column in range(unknowns):
            above = column <= numerator
            power = column if above else column - numerator
            system[row, column] = x**power if above else -values[row] * x**power
    solution = list(lu_solve(system, values))
    return solution[: numerator + 1], [mpf(1), *solution[numerator + 1 :]]


def fit_scaled_complement() -> Rational:
    """exp(x²) erfc(x) on [0, 28], relative error 2e-18; nodes are dense near 0 (x = 3 in t = 0)."""
    nodes = chebyshev_nodes(mpf(-1), mpf(LARGEST - 3) / (LARGEST + 3), 22)
    return interpolate(scaled_complement, [3 * (1 + t) / (1 - t) for t in nodes], 10)


def fit_odd_part() -> Rational:
    """erf(x) / x for x² on [0, 1/4], relative error 4e-20."""
    return interpolate(odd_part, chebyshev_nodes(mpf(0), mpf(SMALL) ** 2, 9), 4)


def pairs(rational: Rational) -> list[tuple[float, float]]:
    """(P, Q) coefficients of each power, highest first; a missing one is 0."""
    numerator, denominator = rational
    missing = [mpf(0)] * (len(denominator) - len(numerator))
    both = zip([*numerator, *missing], denominator, strict=True)
    return [(float(above), float(below)) for above, below in both][::-1]


def main() -> None:
    """Prints the two tables."""
    tables = {"_SCALED_COMPLEMENT": fit_scaled_complement(), "_ODD_PART": fit_odd_part()}
    for name, rational in tables.items():
        print(f"{name} = (", *(f"    {pair}," for pair in pairs(rational)), ")", sep="\n")


if __name__ == "__main__":
    main()
