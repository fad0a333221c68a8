"""One claim in one reading, in numbers: where its sides agree and where they differ."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from symbackprop.auditing.formulas import numbers as s
from symbackprop.auditing.formulas.evaluating import Env, Evaluator, evaluator, holds
from symbackprop.auditing.formulas.kinds import Typed
from symbackprop.auditing.formulas.model import (
    BudgetError,
    Model,
    NotUnderstoodError,
    index_letters,
    kinked,
)
from symbackprop.auditing.formulas.shapes import Surveyor, letter
from symbackprop.auditing.formulas.tree import (
    Access,
    Bound,
    Node,
    Number,
)

Letters = tuple[tuple[str, int], ...]
ROW, COLUMN = Access("_row"), Access("_column")
SIZES = (3, 2, 4)
OTHER_SIZES = (4, 3, 2)
MOST_POINTS = 24
# Where no branch depends on the values: other random ones can tell little more.
MOST_POINTS_AGAIN = 8
ENOUGH_FAILED = 12
MOST_SEEDS = 10
# Where random values lie: positive ones suit logarithms, kinks need both signs and large values.
POSITIVE = ((0.05, 0.95),)
BOTH_SIGNS = ((0.05, 0.95), (-0.95, -0.05), (-0.95, 0.95), (0.5, 4.0), (-4.0, 4.0), (-4.0, 4.0))


Said = tuple[Model, Node, Node]


def written_out(typed: Typed) -> Said:
    """Return what is evaluated: the definitions and both sides by elements.

    Layouts that say the same of a claim differ in nothing else.
    """
    return typed.model, typed.left.at(ROW, COLUMN), typed.right.at(ROW, COLUMN)


@dataclass(frozen=True)
class Point:
    """The two sides at one choice of the free letters, and the classes that were read."""

    letters: Letters
    left: float
    right: float
    classes: frozenset[int] = frozenset()

    @property
    def coincident(self) -> bool:
        """Whether two letters have the same value, or one that of a class."""
        values = [value for _, value in self.letters]
        return len(set(values)) < len(values) or bool(self.classes & set(values))


class Lefts:
    """What several attempts with one left side share, by random values and all extents."""

    def __init__(self) -> None:
        self.values: dict[Hashable, s.Scalar] = {}
        self.quantities: dict[Hashable, dict[object, s.Scalar]] = {}
        self.places: list[Hashable] | None = None

    def key(self, surveyor: Surveyor, seed: str) -> Hashable:
        """Return what values depend on besides the letters."""
        extents = dict(surveyor.extents())
        if self.places is None:
            self.places = list(extents)
        return seed, tuple(extents.get(place, 0) for place in self.places)


@dataclass
class Trial:
    """What evaluating both sides showed.

    Attributes:
        reason: Why nothing could be said; empty if something could.
        passed, failed: Points where the sides agree, and where they clearly differ.
        unclear: Points that residues tell apart and shadows do not.
        exact: Whether residues confirm every point that passed.
        touched: For each derivative, whether any evaluation led to its variable.
        named: Whether derivatives counted as quotients of differentials.
        arbitrary: Whether an undetermined loss stood in for one that is not defined.
        free: Undefined names that the left and the right side read.
        mixed: Names that were read with an index and without one.
        before: Defined names of which an element before the first was read.
        sizes: Extents of the letters.
        vanishes: Whether both sides were zero wherever they were read, and none is written so.
    """

    reason: str = ""
    passed: list[Point] = field(default_factory=list)
    failed: list[Point] = field(default_factory=list)
    unclear: int = 0
    exact: bool = True
    touched: dict[int, bool] = field(default_factory=dict)
    named: bool = False
    arbitrary: bool = False
    free: tuple[frozenset[tuple[str, ...]], frozenset[tuple[str, ...]]] = (
        frozenset(),
        frozenset(),
    )
    mixed: set[str] = field(default_factory=set)
    before: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    vanishes: bool = False
    steps: int = 0

    @property
    def equal(self) -> bool:
        """Whether the sides agree at every point; that they vanish proves nothing."""
        return bool(self.passed) and not (
            self.failed or self.unclear or self.reason or self.vanishes
        )

    @property
    def tied(self) -> bool:
        """Whether every derivative was led to its variable."""
        return all(self.touched.values())

    @property
    def different(self) -> bool:
        """Whether the sides clearly differ somewhere."""
        return bool(self.failed) and not self.reason


def attempt(
    typed: Typed,
    ranges: Sequence[Bound] = (),
    conditions: Sequence[Node] = (),
    *,
    seeds: int = 2,
    sizes: tuple[int, ...] = SIZES,
    path: bool = False,
    steps: int = 60_000,
    stop: bool = False,
    lefts: Lefts | None = None,
) -> Trial:
    """Evaluate both sides of a claim at random points.

    Args:
        typed: The claim in one layout.
        ranges: Ranges of letters that stand beside it.
        conditions: What must hold of the letters.
        seeds: How many sets of random values are tried.
        sizes: Extents where nothing states them.
        path: Whether derivatives that nothing ties count as quotients of differentials.
        steps: How many nodes may be read.
        stop: Whether to end at the first point that differs.
        lefts: Values of the left side from earlier attempts with other right sides.
    """
    _, left, right = written_out(typed)
    sides = left, right
    surveyor = Surveyor(typed.model, sizes)
    bench = _Bench(
        typed.model, sides, surveyor, tuple(conditions), stop, path, steps, lefts or Lefts()
    )
    trial = bench.trial
    try:
        bench.surveyor.survey(sides, tuple(ranges))
        good = 0
        spreads = BOTH_SIGNS if typed.model.kinked or any(map(kinked, sides)) else POSITIVE
        seeds += len(spreads) - 1
        for number in range(MOST_SEEDS):
            spread = spreads[number % len(spreads)]
            most = MOST_POINTS_AGAIN if number and spreads is POSITIVE else MOST_POINTS
            good += bench.round(f"{number}", spread, most)
            if good >= seeds or len(trial.failed) >= bench.enough:
                break
        written = any(isinstance(side, Number) for side in sides)
        trial.vanishes = not written and not any(p.left or p.right for p in trial.passed)
        if good < min(seeds, 2) and not trial.failed:
            trial.reason = "the formula has no finite value where it was read"
    except (BudgetError, RecursionError):
        trial.reason = "budget"
    except NotUnderstoodError as error:
        trial.reason = str(error) or "not understood"
    return trial


@dataclass
class _Bench:
    """What the rounds of one attempt share."""

    model: Model
    sides: tuple[Node, Node]
    surveyor: Surveyor
    conditions: tuple[Node, ...]
    stop: bool
    path: bool
    steps: int
    lefts: Lefts
    trial: Trial = field(default_factory=Trial)

    @property
    def enough(self) -> int:
        """How many points that differ say all there is to say."""
        return 1 if self.stop else ENOUGH_FAILED

    def round(self, seed: str, spread: tuple[float, float], most: int) -> bool:
        """Evaluate with one set of random values; whether any point was in the domain."""
        steps = self.steps - self.trial.steps
        left, right = (
            evaluator(
                self.model, self.surveyor, seed=seed, steps=steps, path=self.path, spread=spread
            )
            for _ in range(2)
        )
        try:
            return self._round(left, right, seed, most)
        finally:
            self.trial.steps += 2 * steps - left.steps - right.steps

    def _round(self, left: Evaluator, right: Evaluator, seed: str, most: int) -> bool:
        lefts = self.lefts
        letters = free_letters(self.sides, self.model)
        self.trial.sizes = {
            name: self.surveyor.sizes.extent(letter(0, name)) for name in letters if name[0] != "_"
        }
        known = lefts.key(self.surveyor, seed)
        right.share(lefts.quantities.setdefault(known, {}))
        good = False
        for values in _points(letters, self.surveyor, most):
            here = left.at(dict(values))
            right.at(dict(values))
            try:
                if not all(holds(left, condition, here) for condition in self.conditions):
                    continue
                key = known, values
                if key not in lefts.values:
                    lefts.values[key] = left.value(self.sides[0], here)
                sides = lefts.values[key], _finite(right, self.sides[1], here)
                _record(self.trial, values, sides, _classes((left, right), values))
            except s.OutOfDomainError:
                continue
            good = True
            if len(self.trial.failed) >= self.enough:
                break
        _conclude(self.trial, [left, right], letters)
        return good


def _finite(run: Evaluator, node: Node, env: Env) -> s.Scalar:
    """A right side's value; one that divides by zero wherever it is read is infinite."""
    try:
        return run.value(node, env)
    except s.DividedByZeroError:
        return s.constant("infinity", math.inf)


def _classes(runs: tuple[Evaluator, ...], values: Letters) -> frozenset[int]:
    """Return the classes that were read of what the letters count."""
    counted = {value for _, value in values}
    read = [item for run in runs for item in run.trace.classes.items()]
    return frozenset(number for key, number in read if counted.issuperset(key[2]))


def _record(
    trial: Trial, values: Letters, sides: tuple[s.Scalar, s.Scalar], classes: frozenset[int]
) -> None:
    left, right = sides
    point = Point(values, s.primal(left).x, s.primal(right).x, classes)
    if s.same(left, right):
        trial.passed.append(point)
        trial.exact = trial.exact and s.exact(left, right)
    elif s.differ(left, right) or math.isinf(point.right):
        trial.failed.append(point)
    else:
        trial.unclear += 1


def _conclude(trial: Trial, evaluators: list[Evaluator], letters: Sequence[str]) -> None:
    traces = [evaluator.trace for evaluator in evaluators]
    trial.free = (
        trial.free[0] | frozenset(traces[0].free),
        trial.free[1] | frozenset(traces[1].free),
    )
    met = {part for trace in traces for part in trace.met}
    trial.mixed |= {part[0][0] for part in met if (*part[:2], not part[2]) in met}
    # A class y beside the targets y_i is one of them by name alone.
    trial.mixed |= {part[0][0] for part in met if part[2]} & set(letters)
    trial.before |= {name for trace in traces for name in trace.before}
    trial.named = trial.named or any(trace.named for trace in traces)
    trial.arbitrary = trial.arbitrary or any(trace.arbitrary for trace in traces)
    for trace in traces:
        for derivative, reached in trace.touched.items():
            trial.touched[derivative] = trial.touched.get(derivative, False) or reached


def free_letters(sides: tuple[Node, Node], model: Model) -> list[str]:
    """Return the letters in index places of a claim and its definitions that nothing binds."""
    own = (name for side in sides for name in index_letters(side))
    return list(dict.fromkeys([*model.free(own), *model.loose]))


def _points(letters: list[str], surveyor: Surveyor, most: int) -> Iterator[Letters]:
    first = surveyor.model.first
    extents = (surveyor.sizes.extent(letter(0, name)) for name in letters)
    runs = [range(first, first + extent) for extent in extents]
    count = 1
    for run in runs:
        count *= len(run)
    # A stride prime to the sizes visits equal and unequal letters alike.
    stride = max(1, count // most)
    stride += stride > 1 and stride % 2 == 0
    for values in itertools.islice(itertools.product(*runs), 0, None, stride):
        yield tuple(zip(letters, values, strict=True))
