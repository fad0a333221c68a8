"""Points at which to check a module: drawn, and moved to where its gradients are alive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from symbackprop.checking.subject import Array, Subject

# So many points are drawn, of large modules fewer: together so many numbers.
CANDIDATES, FEWEST, NUMBERS = 12, 3, 16_000_000
SIZE = 3
# Through a deep network gradients fade or grow: weights are scaled until the smallest tensor's
# is this part of the largest one's, as long as that brings them nearer by so much.
BALANCE, GAIN, PROGRESS, ROUNDS = 1e-3, 2.0, 3.0, 6


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
        balance: the smallest tensor's largest gradient over that of all, of weights and input.
    """

    point: Point
    dead: frozenset[str]
    idle: int
    balance: float


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
    alive = [v for k, v in largest.items() if v and (k == "x" or np.ndim(found[k]) > 1)]
    return Candidate(
        point,
        frozenset(k for k, v in largest.items() if v == 0),
        sum(int(np.sum(v == 0)) for k, v in found.items() if k != "x"),
        min(alive) / max(alive) if alive and np.isfinite(alive).all() else 0.0,
    )


def balanced(subject: Subject, candidate: Candidate) -> Candidate:
    """Scale the weights until gradients of first and last layers are comparable."""
    depth = sum(len(shape) > 1 for shape in subject.shapes.values())
    for _ in range(ROUNDS):
        if candidate.balance >= BALANCE or not depth:
            break
        factor = min(GAIN, max(candidate.balance, 1e-300) ** (-1 / depth))
        gains = [candidate.point.gain * factor, candidate.point.gain / factor]
        tried = [_seen(subject, replace(candidate.point, gain=gain)) for gain in gains]
        best = max(tried, key=lambda each: (-len(each.dead), each.balance))
        if best.dead - candidate.dead or best.balance <= PROGRESS * candidate.balance:
            break
        candidate = best
    return candidate
