"""A module that is too large to be run often: its gradients at one point, along few directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from symbackprop.checking.directions import along, uphill
from symbackprop.checking.points import Point
from symbackprop.checking.report import TOLERANCE
from symbackprop.checking.rounding import flat, rounding
from symbackprop.checking.subject import Array, Inputs, Sample, Subject, inputs_by_name
from symbackprop.checking.variants import LOSS, ROUNDING, difference

SAMPLES, DIRECTIONS, POINTS = 2, 2, 2
# Multiplications of a run of forward on that many samples beyond which a module is large.
LARGE = 200_000_000
# The output changes by such parts of itself: hardly more than its rounding, for kinks are many.
CHANGES = (2.0**-23, 2.0**-25, 2.0**-20, 2.0**-17)
# A difference that agrees so well does so for no other reason than that both are right.
AGREED = 0.1 * TOLERANCE

Run = Callable[[float], Array]


@dataclass(frozen=True)
class Whole:
    """A point of a module, with the output there.

    Attributes:
        subject: the module.
        params: in its own arrays.
        sample: a batch; its cotangent is that of the loss, where there is one.
        output: of the batch.
        cache: what forward kept.
    """

    subject: Subject
    params: Mapping[str, Array]
    sample: Sample
    output: Array
    cache: Any

    @classmethod
    def at(cls, subject: Subject, seed: int) -> Whole:
        """Return the point of a seed; this is one run of forward."""
        rng = np.random.default_rng([seed, 2, SAMPLES])
        return cls._of(subject, Point(seed).parameters(subject), subject.inputs(rng, SAMPLES), rng)

    @classmethod
    def _of(
        cls, subject: Subject, params: Mapping[str, Array], x: Inputs, rng: np.random.Generator
    ) -> Whole:
        output, cache = subject.forward(params, x)
        targets = subject.targets(rng, output)[:1] if subject.has_loss else ()
        cotangent = np.asarray(rng.standard_normal(output.shape))
        for y in targets:
            cotangent = np.array(subject.call("loss_gradient", output, y))
        return cls(subject, params, Sample(x, cotangent, targets), output.copy(), cache)

    @property
    def is_large(self) -> bool:
        """Whether the module is too large to be run often."""
        return self.subject.read(self.cache, SAMPLES) > LARGE

    def gradient(self) -> dict[str, Array]:
        """Return what backward says, inputs by name."""
        found = self.subject.call("backward", self.params, self.cache, self.sample.cotangent)
        return flat(found)

    def along(self, gradient: Mapping[str, Array]) -> tuple[float, bool]:
        """Return the worst error along the directions, and whether any slope is not 0."""
        inputs = inputs_by_name(self.sample.x)
        arrays = {**self.params, **inputs}
        real = {name: value for name, value in arrays.items() if value.dtype.kind == "f"}
        starts = {name: value.copy() for name, value in real.items()}
        rng = np.random.default_rng(0)
        errors, alive = [], False
        for _ in range(DIRECTIONS):
            move = uphill(starts, gradient, rng)
            slope = along(move, gradient)
            run = partial(self._moved, real, starts, move)
            error, numeric = _error(run, self.sample.cotangent, self.output, slope)
            errors.append(error)
            alive = alive or slope != 0 or numeric != 0
        for name, value in real.items():
            value[...] = starts[name]
        return float(np.max(errors)), alive

    def _moved(
        self,
        arrays: Mapping[str, Array],
        starts: Mapping[str, Array],
        move: Mapping[str, Array],
        distance: float,
    ) -> Array:
        """Return the output with arrays, the module's own, moved in place: none is copied."""
        for name, value in arrays.items():
            np.multiply(move[name], distance, out=value)
            np.add(value, starts[name], out=value)
        return self.subject.forward(self.params, self.sample.x)[0].copy()

    def paths(self, gradient: Mapping[str, Array]) -> float:
        """Return how far the training path is from the plain one, but for penalties.

        Those depend on the parameters alone: for one sample they are the same as for all.
        """
        trained, plain = self._trained(), self._plain(gradient)
        if difference(trained, plain) <= ROUNDING:
            return difference(trained, plain)
        near = rounding(lambda p, s: replace(self, params=p, sample=s)._trained(), *self._point)
        if difference(trained, plain, near) <= ROUNDING:
            return difference(trained, plain, near)
        x = self.sample.x
        first = {k: v[:1] for k, v in x.items()} if isinstance(x, dict) else x[:1]
        one = Whole._of(self.subject, self.params, first, np.random.default_rng(0))
        other, alone = one._trained(), one._plain(one.gradient())
        penalty = {k: other[k] - alone[k] if k in self._penalised else 0.0 for k in trained}
        return difference({k: trained[k] - penalty[k] for k in trained}, plain, near)

    @property
    def _point(self) -> tuple[Mapping[str, Array], Sample]:
        return self.params, self.sample

    @property
    def _penalised(self) -> set[str]:
        return {LOSS, *self.params}

    def _trained(self) -> dict[str, Array]:
        y = self.sample.targets[0]
        value, found = self.subject.train(self.params, self.sample.x, y, input_gradient=True)
        return flat({LOSS: value, **found})

    def _plain(self, gradient: Mapping[str, Array]) -> dict[str, Array]:
        value = self.subject.call("loss", self.output, self.sample.targets[0])
        return {LOSS: np.array(value), **gradient}


def _error(run: Run, weights: Array, output: Array, derived: float) -> tuple[float, float]:
    """Return how far the derived slope is from the difference that is nearest, and that one."""
    best = (np.inf if np.isfinite(derived) else np.nan, np.nan)
    whole = float(np.abs(weights * output).sum())
    for change in CHANGES:
        step = change * whole / abs(derived) if whole and derived else change
        numeric = float((weights * (run(step) - run(-step))).sum()) / (2 * step)
        apart = abs(derived - numeric)
        error = 0.0 if apart == 0 else float(np.divide(apart, abs(numeric)))
        best = (error, numeric) if error < best[0] else best
        if best[0] <= AGREED:
            break
    return best
