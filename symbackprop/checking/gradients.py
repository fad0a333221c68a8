"""Compares a module's gradients with differences of its own forward and loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import numpy as np

from symbackprop.checking.differences import RESOLUTION, Slopes, slopes
from symbackprop.checking.report import TOLERANCE, Finding, GradientReport
from symbackprop.checking.subject import Array, Inputs, Sample, Subject
from symbackprop.checking.variants import variants
from symbackprop.errors import SymbackpropError

BATCHES = (3, 5)
# Of so many points, those where most gradients are not 0 are tried first, up to so many.
CANDIDATES, ATTEMPTS = 12, 6
# A gradient this much smaller than the largest one counts as zero.
FLOOR = 1e-8
# Up to so many numbers in all, every one is moved by itself.
EVERY_ENTRY = 1000
# Of a larger tensor: so many of the largest and as many random entries, and directions.
ENTRIES, DIRECTIONS = 8, 3
# Numbers read in all runs of one comparison beyond which all parameters move together.
WORK, OVERHEAD = 1_000_000_000, 5_000
TOGETHER = "all parameters together"

Arrays = Mapping[str, Array]
Outputs = Callable[[Arrays], Array]
Move = Arrays  # the direction in which each array moves; those not named stay


@dataclass(frozen=True)
class Compared:
    """Derived and numeric derivatives along the same lines."""

    derived: Array
    numeric: Slopes

    def error(self, largest: float) -> float:
        """Return the largest difference, relative to the largest numeric derivative.

        Where that is so small that rounding alone would pass the tolerance, relative to
        what a difference can still tell from 0.

        Args:
            largest: the largest numeric derivative of all tensors.
        """
        rounding = min(float(self.numeric.rounding.max(initial=0.0)), RESOLUTION * largest)
        scale = max(self.numeric.largest, FLOOR * largest, rounding / TOLERANCE)
        worst = float(np.abs(self.derived - self.numeric.values).max(initial=0.0))
        return 0.0 if worst == 0 else float(np.divide(worst, scale))


class Comparison:
    """One gradient against differences of the outputs that it claims to differentiate."""

    def __init__(
        self,
        outputs: Outputs,
        weights: Array,
        arrays: Arrays,
        gradient: Arrays,
        moves: Mapping[str, Sequence[Move]],
    ) -> None:
        self.compared = {
            name: Compared(
                np.array([_along(move, gradient) for move in group]),
                slopes([partial(_moved, outputs, arrays, move) for move in group], weights),
            )
            for name, group in moves.items()
        }

    @property
    def resolved(self) -> bool:
        """Whether every line kept clear of kinks."""
        return all(each.numeric.resolved for each in self.compared.values())

    def errors(self) -> dict[str, float]:
        """Return the relative error by tensor."""
        largest = max((c.numeric.largest for c in self.compared.values()), default=0.0)
        return {name: each.error(largest) for name, each in self.compared.items()}


def _moved(outputs: Outputs, arrays: Arrays, move: Move, distance: float) -> Array:
    return outputs({**arrays, **{k: arrays[k] + distance * v for k, v in move.items()}})


def _along(move: Move, gradient: Arrays) -> float:
    """Return the derived slope; NaN where a gradient is missing or has another shape."""
    if any(k not in gradient or np.shape(gradient[k]) != v.shape for k, v in move.items()):
        return np.nan
    return float(sum((gradient[k] * v).sum() for k, v in move.items()))


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
    try:
        with np.errstate(all="ignore"):
            return _examined(Subject(module), seed)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        message = f"returned something unexpected: {type(error).__name__}: {error}"
        raise SymbackpropError(message) from error


def _examined(subject: Subject, seed: int) -> GradientReport:
    notes: list[str] = []
    candidates = range(seed, seed + CANDIDATES)
    for point in sorted(candidates, key=partial(_idle, subject))[:ATTEMPTS]:
        params = subject.parameters(point)
        samples = [subject.sample(params, point, size) for size in BATCHES]
        found = [c for sample in samples for c in _comparisons(subject, params, sample)]
        if all(comparison.resolved for _, comparison in found):
            break
    else:
        notes.append(f"none of {ATTEMPTS} points was clear of kinks")
    tensors, checks = _worst(found)
    if TOGETHER in tensors:
        notes.append("too large to check tensor by tensor: random directions over all of them")
    report = GradientReport(tensors, checks, tuple(notes))
    if all(np.isfinite(finding.error) for finding in tensors.values()):
        return report.extended(variants(subject, params, samples))
    return report.extended({}, "with gradients missing or not finite, nothing else was checked")


def _idle(subject: Subject, point: int) -> int:
    """Return how many gradients are 0, as behind a dead relu: there, nothing is checked."""
    params = subject.parameters(point)
    sample = subject.sample(params, point, BATCHES[0])
    _, cache = subject.forward(params, sample.x)
    gradient = subject.call("backward", params, cache, sample.cotangent)
    return sum(int(np.sum(gradient[name] == 0)) for name in params if name in gradient)


def _worst(
    found: Sequence[tuple[str, Comparison]],
) -> tuple[dict[str, Finding], dict[str, Finding]]:
    """Return the worst error by tensor, and by check for what is no tensor's."""
    tensors: dict[str, float] = {}
    checks: dict[str, float] = {}
    for path, comparison in found:
        for name, error in comparison.errors().items():
            group, key = (checks, path) if path == "loss_gradient" else (tensors, name)
            group[key] = float(np.maximum(group.get(key, 0.0), error))
    return (
        {name: Finding(error) for name, error in tensors.items()},
        {name: Finding(error) for name, error in checks.items()},
    )


def _comparisons(subject: Subject, params: Arrays, sample: Sample) -> list[tuple[str, Comparison]]:
    arrays = {**{name: value.copy() for name, value in params.items()}, **_named(sample.x)}
    output, cache = subject.forward(params, sample.x)
    gradient = _flat(subject.call("backward", params, cache, sample.cotangent))

    def outputs(moved: Arrays) -> Array:
        return subject.forward(*_split(moved))[0]

    moves = _moves(arrays, gradient, sample.size)
    found = [("backward", Comparison(outputs, sample.cotangent, arrays, gradient, moves))]
    for y in sample.targets:
        found.append(("loss_gradient", _loss_comparison(subject, output, y)))
        _, trained = subject.train(params, sample.x, y, input_gradient=True)
        gradient = {name: np.array(value) for name, value in _flat(trained).items()}
        value = partial(_value, subject, y)
        moves = _moves(arrays, gradient, sample.size)
        found.append(("training", Comparison(value, np.ones(()), arrays, gradient, moves)))
    return found


def _value(subject: Subject, y: Array, moved: Arrays) -> Array:
    return np.asarray(subject.train(*_split(moved), y)[0])


def _loss_comparison(subject: Subject, output: Array, y: Array) -> Comparison:
    gradient = {"output": np.asarray(subject.call("loss_gradient", output, y))}

    def outputs(moved: Arrays) -> Array:
        return np.asarray(subject.call("loss", moved["output"], y), dtype=np.float64)

    arrays = {"output": output}
    moves = _moves(arrays, gradient, len(output))
    return Comparison(outputs, np.ones(()), arrays, gradient, moves)


def _named(x: Inputs) -> dict[str, Array]:
    return {f"x.{k}": v for k, v in x.items()} if isinstance(x, dict) else {"x": x}


def _split(arrays: Arrays) -> tuple[dict[str, Array], Inputs]:
    params = {k: v for k, v in arrays.items() if k != "x" and not k.startswith("x.")}
    if "x" in arrays:
        return params, arrays["x"]
    return params, {k[2:]: v for k, v in arrays.items() if k.startswith("x.")}


def _flat(gradient: Mapping[str, Array | dict[str, Array]]) -> dict[str, Array]:
    params = {k: v for k, v in gradient.items() if k != "x" and not isinstance(v, dict)}
    return {**params, **(_named(gradient["x"]) if "x" in gradient else {})}


def _moves(arrays: Arrays, gradient: Arrays, batch: int) -> dict[str, list[Move]]:
    """Return the moves to compare along, by tensor."""
    rng = np.random.default_rng(0)
    real = {name: value for name, value in arrays.items() if value.dtype.kind == "f"}
    count = sum(value.size for value in real.values())
    if count <= EVERY_ENTRY:
        return {k: [_entry(k, v, place) for place in range(v.size)] for k, v in real.items()}
    lines = len(real) * (2 * ENTRIES + DIRECTIONS)
    if lines * (count * batch + OVERHEAD * len(real)) <= WORK:
        return {k: _sampled(k, v, gradient.get(k, v), rng) for k, v in real.items()}
    inputs = {k: v for k, v in real.items() if k == "x" or k.startswith("x.")}
    params = {k: v for k, v in real.items() if k not in inputs}
    together = {TOGETHER: [_direction(params, rng) for _ in range(DIRECTIONS)]}
    return together | {k: _sampled(k, v, gradient.get(k, v), rng) for k, v in inputs.items()}


def _sampled(name: str, value: Array, gradient: Array, rng: np.random.Generator) -> list[Move]:
    if value.size <= 2 * ENTRIES:
        return [_entry(name, value, place) for place in range(value.size)]
    largest = np.argsort(-np.abs(gradient), axis=None, kind="stable")[:ENTRIES]
    drawn = rng.integers(0, value.size, ENTRIES)
    places = sorted({int(place) for place in (*largest, *drawn) if place < value.size})
    entries = [_entry(name, value, place) for place in places]
    return [*entries, *(_direction({name: value}, rng) for _ in range(DIRECTIONS))]


def _entry(name: str, value: Array, place: int) -> Move:
    direction = np.zeros(value.shape)
    direction.flat[place] = max(1.0, abs(float(value.flat[place])))
    return {name: direction}


def _direction(arrays: Arrays, rng: np.random.Generator) -> Move:
    """Return a random direction of length 1 in which every number moves as far."""
    length = np.sqrt(sum(value.size for value in arrays.values()))
    return {k: rng.choice((-1.0, 1.0), v.shape) / length for k, v in arrays.items()}
