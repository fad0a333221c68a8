"""Points at which to check a module: drawn, and moved to where its gradients are alive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from symbackprop.checking.subject import Array, Subject

# So many points are drawn, of large modules fewer: together so many numbers.
CANDIDATES, FEWEST, NUMBERS = 12, 3, 16_000_000
SIZE = 3
# Through a deep network gradients fade or grow: weights are scaled until the smallest tensor's
# is this part of the largest one's, as long as that brings them nearer by so much. Gradients
# beyond ``LARGE`` count as apart from the cotangent, which is about 1: all grow together where
# activations grow, until a loss squares what is left of the range.
BALANCE, GAIN, PROGRESS, ROUNDS, LARGE = 1e-3, 2.0, 3.0, 10, 1e3


@dataclass(frozen=True)
class Point:
    """How to draw parameters: from a seed, without signs if ``lifted``, weights times ``gain``."""

    seed: int
    lifted: bool = False
    gain: float = 1.0

    def parameters(self, subject: Subject) -> dict[str, Array]:
        """Return the parameters, in the module's own arrays."""
        params = subject.parameters(self.seed)
        for value in params.values():
            if self.lifted:
                np.abs(value, out=value)
            if value.ndim > 1:
                np.multiply(value, self.gain, out=value)
        return params


@dataclass(frozen=True)
class Candidate:
    """A point and what its gradients look like.

    Attributes:
        dead: tensors whose gradient is 0 everywhere, as before a relu that is off.
        idle: how many numbers of all gradients are 0.
        balance: the smallest tensor's largest gradient over that of all, of weights and input;
            less where all are large, 0 where one is not finite.
        finite: whether all gradients are.
    """

    point: Point
    dead: frozenset[str]
    idle: int
    balance: float
    finite: bool


def candidates(subject: Subject, seed: int) -> list[Candidate]:
    """Return points, first those where most gradients are alive.

    Where some tensor has no gradient at any of them, as behind a chain of units that are off,
    points with positive parameters only are drawn, too.
    """
    count = sum(prod(shape) for shape in subject.shapes.values())
    number = min(CANDIDATES, max(FEWEST, NUMBERS // max(count, 1)))
    seeds = range(seed, seed + number)
    found = [_seen(subject, Point(each)) for each in seeds]
    if frozenset.intersection(*(each.dead for each in found)):
        found += [_seen(subject, Point(each, lifted=True)) for each in seeds]
    ranked = sorted(found, key=lambda each: (len(each.dead), each.idle))
    return ranked[:number]


def _seen(subject: Subject, point: Point) -> Candidate:
    params = point.parameters(subject)
    sample = subject.sample(params, point.seed, SIZE)
    _, cache = subject.forward(params, sample.x)
    gradient = subject.call("backward", params, cache, sample.cotangent)
    found = {k: v for k, v in gradient.items() if not isinstance(v, dict)}
    largest = {k: float(np.abs(v).max(initial=0.0)) for k, v in found.items()}
    weights = [v for k, v in largest.items() if k == "x" or np.ndim(found[k]) > 1]
    finite = bool(np.isfinite([*largest.values()]).all())
    return Candidate(
        point,
        frozenset(k for k, v in largest.items() if v == 0),
        sum(int(np.sum(v == 0)) for k, v in found.items() if k != "x"),
        _balance([v for v in weights if v]) if finite else 0.0,
        finite,
    )


def _balance(sizes: Sequence[float]) -> float:
    if not sizes:
        return 0.0
    largest = max(sizes)
    return min(sizes) / largest * min(1.0, LARGE / largest)


def balanced(subject: Subject, candidate: Candidate) -> Candidate:
    """Scale the weights until gradients are finite, those of first and last layers comparable."""
    depth = sum(len(shape) > 1 for shape in subject.shapes.values())
    for _ in range(ROUNDS):
        if candidate.balance >= BALANCE or not depth:
            break
        factor = min(GAIN, max(candidate.balance, 1e-300) ** (-1 / depth))
        gains = [candidate.point.gain / factor]
        if candidate.finite:
            gains.append(candidate.point.gain * factor)
        tried = [_seen(subject, replace(candidate.point, gain=gain)) for gain in gains]
        best = max(tried, key=lambda each: (each.finite, -len(each.dead), each.balance))
        if candidate.finite and not _livelier(best, candidate):
            break
        candidate = best
    return candidate


def _livelier(one: Candidate, other: Candidate) -> bool:
    if one.dead - other.dead or not one.finite:
        return False
    return len(one.dead) < len(other.dead) or one.balance > PROGRESS * other.balance
