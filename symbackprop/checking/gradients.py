"""Compares a module's gradients with differences of its own forward and loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop.checking.differences import RESOLUTION, Slopes, slopes
from symbackprop.checking.directions import along
from symbackprop.checking.effort import TOGETHER, WORK, Effort, Move
from symbackprop.checking.points import balanced, candidates
from symbackprop.checking.report import TOLERANCE, Finding, GradientReport
from symbackprop.checking.subject import Array, Inputs, Sample, Subject, inputs_by_name
from symbackprop.checking.variants import ROUNDING, variants
from symbackprop.checking.whole import DIRECTIONS, POINTS, SAMPLES, Whole
from symbackprop.errors import SymbackpropError

BATCHES = (3, 5)
# Up to so many points are tried: each for what met a kink, or had no gradient, before.
ATTEMPTS = 6
# A gradient this much smaller than the largest one counts as zero.
FLOOR = 1e-8
HEAD = "loss_gradient"

Arrays = Mapping[str, Array]
Outputs = Callable[[Arrays], Array]
Place = tuple[int, str, str]  # batch size, path with form of target, tensor


@dataclass(frozen=True)
class Compared:
    """Derived and numeric derivatives along the same lines."""

    derived: Array
    numeric: Slopes

    @property
    def rounding(self) -> float:
        """What the numeric derivatives may be off by in float64."""
        return float(self.numeric.rounding.max(initial=0.0))

    def alive(self, largest: float) -> bool:
        """Whether any of them is not 0; NaN is not. Where all tensors' are rounding, none is."""
        some = np.any(self.derived) or np.any(self.numeric.values)
        return bool(some and not largest <= self.rounding)

    def error(self, largest: float) -> float:
        """Return the largest difference, relative to the largest numeric derivative.

        Where that is so small that rounding alone would pass the tolerance, relative to
        what a difference can still tell from 0.

        Args:
            largest: the largest numeric derivative of all tensors.
        """
        if largest <= self.rounding:  # all are 0, but for the rounding of terms that are about 1
            largest = 1.0
        rounding = min(self.rounding, RESOLUTION * largest)
        scale = max(self.numeric.largest, FLOOR * largest, rounding / TOLERANCE)
        worst = float(np.abs(self.derived - self.numeric.values).max(initial=0.0))
        return 0.0 if worst == 0 else float(np.divide(worst, scale))

    def resolved(self, largest: float) -> bool:
        """Whether no line met a kink: each is known ten times better than is tolerated."""
        return self.numeric.within(0.1 * TOLERANCE * max(self.numeric.largest, FLOOR * largest))


@dataclass(frozen=True)
class Outcome:
    """What became of one tensor's gradient: ``alive`` if some number of it was not 0."""

    error: float
    resolved: bool
    alive: bool

    def after(self, earlier: Outcome | None) -> Outcome:
        """Return what both points tell: the worse error of those clear of kinks."""
        if earlier is None or earlier.resolved < self.resolved:
            return replace(self, alive=self.alive or bool(earlier and earlier.alive))
        alive = self.alive or earlier.alive
        if self.resolved < earlier.resolved:
            return replace(earlier, alive=alive)
        error = max(self.error, earlier.error, key=lambda e: (np.isnan(e), e))
        return Outcome(error if self.resolved else self.error, self.resolved, alive)


def compare(
    outputs: Outputs,
    weights: Array,
    arrays: Arrays,
    gradient: Arrays,
    moves: Mapping[str, Sequence[Move]],
    *,
    refined: bool,
) -> dict[str, Outcome]:
    """Compare a gradient with differences of the outputs that it claims to differentiate.

    The arrays move in place, and back: modules are fastest on their own, and none is copied.

    Args:
        outputs: what is differentiated.
        weights: of the outputs.
        arrays: the point.
        gradient: the derived one.
        moves: the lines to compare along, by tensor.
        refined: whether every difference is refined, or only one that is not as expected.
    """
    compared: dict[str, Compared] = {}
    starts = {name: value.copy() for name, value in arrays.items()}
    largest, first = 0.0, 0
    start = np.array(outputs(arrays))
    for name, group in moves.items():
        lines = [partial(_moved, outputs, arrays, starts, move) for move in group]
        derived = np.array([along(move, gradient) for move in group])
        expected = () if refined else derived
        numeric = slopes(lines, weights, expected, start=start, scale=FLOOR * largest, first=first)
        for key in group[0]:
            arrays[key][...] = starts[key]
        compared[name] = Compared(derived, numeric)
        largest, first = max(largest, numeric.largest), numeric.first
    return {
        name: Outcome(each.error(largest), each.resolved(largest), each.alive(largest))
        for name, each in compared.items()
    }


def _moved(outputs: Outputs, arrays: Arrays, starts: Arrays, move: Move, distance: float) -> Array:
    for name, direction in move.items():
        np.multiply(direction, distance, out=arrays[name])
        np.add(arrays[name], starts[name], out=arrays[name])
    return np.array(outputs(arrays))


def examine(module: ModuleType, seed: int = 0) -> GradientReport:
    """Check a module in this process.

    Both paths are compared with central differences at a random point, for two batch sizes,
    with random cotangents and every form of target; points next to a kink are drawn again.

    Args:
        module: an emitted module, imported.
        seed: of all that is random.

    Returns:
        The report; nothing in it depends on time.

    Raises:
        SymbackpropError: a function is missing, raises, or returns something else.
    """
    return examined(Subject(module), seed)[0]


def examined(subject: Subject, seed: int) -> tuple[GradientReport, bool]:
    """Return the report of a module, and whether it is too large to be run often."""
    try:
        with np.errstate(all="ignore"):
            whole = Whole.at(subject, seed)
            large = whole.is_large
            return _examined_whole(whole, seed) if large else _examined(subject, seed), large
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        message = f"returned something unexpected: {type(error).__name__}: {error}"
        raise SymbackpropError(message) from error


def _examined(subject: Subject, seed: int) -> GradientReport:
    found: dict[Place, Outcome] = {}
    tried = 0
    for candidate in candidates(subject, seed)[:ATTEMPTS]:
        waiting = _waiting(found, candidate.dead)
        if tried and not waiting:
            continue
        point = balanced(subject, candidate).point
        params = point.parameters(subject)
        for size in BATCHES:
            sample = subject.sample(params, point.seed, size)
            for path, comparison in _comparisons(subject, params, sample).items():
                if tried and (size, path) not in waiting:
                    continue
                for name, outcome in comparison().items():
                    place = size, path, name
                    found[place] = outcome.after(found.get(place))
        tried += 1
    notes: list[str] = []
    if not all(each.resolved for each in found.values()):
        notes.append(f"none of {tried} points was clear of kinks")
    tensors, checks = _worst(found)
    if TOGETHER in tensors:
        notes.append("too large to check tensor by tensor: random directions over all of them")
    report = GradientReport(tensors, checks, tuple(notes))
    if all(np.isfinite(finding.error) for finding in tensors.values()):
        # Not where weights grew: a network at the edge of chaos magnifies rounding.
        params = replace(point, gain=min(point.gain, 1.0)).parameters(subject)
        samples = [subject.sample(params, point.seed, size) for size in BATCHES]
        return report.extended(variants(subject, params, samples))
    return report.extended({}, "with gradients missing or not finite, nothing else was checked")


def _examined_whole(whole: Whole, seed: int) -> GradientReport:
    """Check a module that is too large to be run often, at another point where kinks are near."""
    for number in range(POINTS):
        point = whole if number == 0 else Whole.at(whole.subject, seed + number)
        gradient = point.gradient()
        error, alive = point.along(gradient)
        if error <= TOLERANCE:
            break
    checks = {}
    if whole.subject.has_loss:
        checks["paths agree"] = Finding(point.paths(gradient), ROUNDING)
    return GradientReport(
        {TOGETHER: Finding(error, tested=alive)},
        checks,
        (
            f"too large to run often: one batch of {SAMPLES} samples in training, all parameters "
            f"and inputs together along {DIRECTIONS} directions",
        ),
    )


def _waiting(found: Mapping[Place, Outcome], dead: Set[str]) -> set[tuple[int, str]]:
    """Return the comparisons that met a kink, or no gradient where another point has one."""
    asleep = {name for _, _, name in found} - _alive(found) - dead
    return {
        (size, path)
        for (size, path, name), each in found.items()
        if not each.resolved or name in asleep
    }


def _alive(found: Mapping[Place, Outcome]) -> set[str]:
    return {name for (_, _, name), each in found.items() if each.alive}


def _worst(
    found: Mapping[Place, Outcome],
) -> tuple[dict[str, Finding], dict[str, Finding]]:
    """Return the worst error by tensor, and by check for what is no tensor's."""
    tensors: dict[str, float] = {}
    checks: dict[str, float] = {}
    for (_, path, name), outcome in found.items():
        group, key = (checks, path) if path.startswith(HEAD) else (tensors, name)
        group[key] = float(np.maximum(group.get(key, 0.0), outcome.error))
    alive = _alive(found)
    return (
        {name: Finding(error, tested=name in alive) for name, error in tensors.items()},
        {HEAD: Finding(float(np.max([*checks.values()])))} if checks else {},
    )


def _comparisons(
    subject: Subject, params: Arrays, sample: Sample
) -> Mapping[str, Callable[[], dict[str, Outcome]]]:
    """Return by path what compares it at this point."""
    count = len(subject.modes) * (1 + len(sample.targets)) + len(sample.targets)
    efforts = (Effort(WORK // (count * len(BATCHES)), seed) for seed in range(count))
    point = subject, {**params, **inputs_by_name(sample.x)}, sample
    found = {}
    for training in subject.modes:
        mode = "" if training else " in evaluation"
        found[f"backward{mode}"] = partial(_compare_plain, *point, next(efforts), training=training)
        for number, y in enumerate(sample.targets):
            found[f"step {number}{mode}"] = partial(
                _compare_step, *point, y, next(efforts), training=training
            )
    for number, y in enumerate(sample.targets):
        found[f"{HEAD} {number}"] = partial(_compare_loss, *point, y, next(efforts))
    return found


def _compare_plain(
    subject: Subject, arrays: Arrays, sample: Sample, effort: Effort, *, training: bool
) -> dict[str, Outcome]:
    params, x = _split(arrays)
    _, cache = subject.forward(params, x, subject.held(training))
    constant = {"held": cache}
    gradient = _flat(subject.call("backward", params, cache, sample.cotangent))

    def outputs(moved: Arrays) -> Array:
        return subject.forward(*_split(moved), subject.held(training) | constant)[0]

    moves = effort.moves(arrays, gradient, sample)
    refined = effort.refines(moves, arrays, sample)
    return compare(outputs, sample.cotangent, arrays, gradient, moves, refined=refined)


def _compare_step(
    subject: Subject, arrays: Arrays, sample: Sample, y: Array, effort: Effort, *, training: bool
) -> dict[str, Outcome]:
    _, trained = subject.train(*_split(arrays), y, training=training, input_gradient=True)
    gradient = {name: np.array(value) for name, value in _flat(trained).items()}
    workspace = subject.workspace(sample.size)
    held = subject.held(training)
    constant = {"held": subject.forward(*_split(arrays), held)[1]} if subject.holds else {}

    def outputs(moved: Arrays) -> Array:
        value = subject.train(*_split(moved), y, training=training, workspace=workspace)[0]
        if constant:
            value += loss(moved, subject.held(training) | constant)
            value -= loss(moved, subject.held(training))
        return np.asarray(value)

    def loss(moved: Arrays, keywords: dict[str, Any]) -> float:
        return float(subject.call("loss", subject.forward(*_split(moved), keywords)[0], y))

    moves = effort.moves(arrays, gradient, sample)
    refined = effort.refines(moves, arrays, sample)
    return compare(outputs, np.ones(()), arrays, gradient, moves, refined=refined)


def _compare_loss(
    subject: Subject, arrays: Arrays, sample: Sample, y: Array, effort: Effort
) -> dict[str, Outcome]:
    output = subject.forward(*_split(arrays))[0].copy()
    gradient = {"output": np.asarray(subject.call("loss_gradient", output, y))}

    def outputs(moved: Arrays) -> Array:
        return np.asarray(subject.call("loss", moved["output"], y), dtype=np.float64)

    moves = effort.moves({"output": output}, gradient, sample)
    refined = effort.refines(moves, {"output": output}, sample)
    found = compare(outputs, np.ones(()), {"output": output}, gradient, moves, refined=refined)
    if all(outcome.resolved for outcome in found.values()):
        return found
    # A small probability is next to the pole of its logarithm: it moves by parts of itself.
    own = np.where(output == 0, 1.0, np.abs(output))
    moves = {
        k: [{name: v * own for name, v in m.items()} for m in group] for k, group in moves.items()
    }
    again = compare(outputs, np.ones(()), {"output": output}, gradient, moves, refined=refined)
    return {name: outcome.after(found[name]) for name, outcome in again.items()}


def _split(arrays: Arrays) -> tuple[dict[str, Array], Inputs]:
    params = {k: v for k, v in arrays.items() if k != "x" and not k.startswith("x.")}
    if "x" in arrays:
        return params, arrays["x"]
    return params, {k[2:]: v for k, v in arrays.items() if k.startswith("x.")}


def _flat(gradient: Mapping[str, Array | dict[str, Array]]) -> dict[str, Array]:
    params = {k: v for k, v in gradient.items() if k != "x" and not isinstance(v, dict)}
    return {**params, **(inputs_by_name(gradient["x"]) if "x" in gradient else {})}
