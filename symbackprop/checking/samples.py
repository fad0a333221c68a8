"""What a module computes at points that tell its functions apart, for the equations to confirm.

At one point some unit may be off, or in the piece of its activation that another function
shares: ``relu`` and ``leaky_relu`` differ below 0 only, ``tanh`` and ``relu`` nowhere behind
a unit that is off. So there are many points, and each array of weights is turned and
enlarged by itself, which drives the units after it through all their pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from symbackprop.checking.points import Candidate, balanced, candidates
from symbackprop.checking.subject import Array, Sample, Subject

# The first point must do for a large module: few samples. The others go on until all
# parameters of all samples are so many numbers, and the points so many.
FIRST, ROWS, NUMBERS, POINTS = 2, 8, 250_000, 60
LOUD = (-6.0, 6.0)
DEAD = "dead"
EVALUATED = "output in evaluation"

Place = tuple[Candidate, str, float]  # a point, whose array named is multiplied


def sampled(subject: Subject, seed: int) -> dict[str, Array]:
    """Return parameters, inputs, outputs, targets and losses at points, by number and name.

    ``dead`` are the names of parameters that change nothing there. A module that differs between
    training and evaluation gives its new statistics and its output in evaluation, too.
    """
    with np.errstate(all="ignore"):
        arrays: dict[str, Array] = {}
        count = sum(prod(shape) for shape in subject.shapes.values())
        left = NUMBERS
        for number, (candidate, name, factor) in enumerate(_places(subject, seed)):
            rows = ROWS if number else FIRST
            left -= count * rows
            if number and (left < 0 or number == POINTS):
                break
            point = candidate.point
            params = point.parameters(subject)
            if name:
                params[name] *= factor
            sample = subject.sample(params, point.seed, rows)
            arrays |= {f"{number} {k}": v for k, v in _computed(subject, params, sample).items()}
        return arrays


def _places(subject: Subject, seed: int) -> Iterator[Place]:
    weights = [name for name, shape in subject.shapes.items() if len(shape) > 1]
    for number, candidate in enumerate(candidates(subject, seed)):
        each = balanced(subject, candidate)
        if number == 0:
            yield each, "", 1.0
        yield each, "", 1.0
        yield from ((each, name, factor) for factor in LOUD for name in weights)


def _computed(subject: Subject, params: dict[str, Array], sample: Sample) -> dict[str, Array]:
    held = subject.held()
    output, cache = subject.forward(params, sample.x, held)
    gradient = subject.call("backward", params, cache, sample.cotangent)
    inputs = sample.x if isinstance(sample.x, dict) else {"x": sample.x}
    arrays = {f"param {k}": v.copy() for k, v in params.items()}
    arrays |= {f"input {k}": v for k, v in inputs.items()} | {"output": output.copy()}
    arrays |= {f"state {name}": value for name, value in held.get("state", {}).items()}
    if False in subject.modes:
        arrays[EVALUATED] = subject.forward(params, sample.x, subject.held(False))[0].copy()
    arrays[DEAD] = np.array([k for k in params if not np.any(gradient.get(k, 1.0))], dtype=str)
    for number, y in enumerate(sample.targets):
        arrays[f"target {number}"] = y
        arrays[f"loss {number}"] = np.asarray(subject.call("loss", output, y))
    return arrays
