"""Runs of a reading at other points and other sizes: what held once has to hold there too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symbackprop.auditing.code.claims import Claim, claimed
from symbackprop.auditing.code.effort import Effort
from symbackprop.auditing.code.faults import Fault
from symbackprop.auditing.code.judge import Objective, compare_all
from symbackprop.auditing.code.objectives import Losses, objectives
from symbackprop.auditing.code.pairs import Pair
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.running import Followed
from symbackprop.auditing.code.solve import search
from symbackprop.auditing.code.specs import Setup
from symbackprop.auditing.code.trials import Trial

# Sets of sizes and seeds at which a verdict has to stand; the reading itself ran at the first set.
ELSEWHERE = ((0, 11), (1, 12), (1, 23))
THIRD = (2, 31)
Point = Mapping[tuple[str, tuple[int, ...]], float]


@dataclass
class Rerun:
    """A reading run again.

    Attributes:
        setup: The setup in which it ran.
        followed: The run.
        objectives: What may be differentiated, likeliest first.
        claims: The gradients that are given.
    """

    setup: Setup
    followed: Followed
    objectives: list[Objective]
    claims: list[Claim]
    _trials: dict[str, Trial | None] = field(default_factory=dict)

    def like(self, base: Trial) -> Trial | None:
        """Return this run as a trial of the reading of another one; None where it gives none."""
        words = base.target.words
        if words not in self._trials:
            self._trials[words] = self._like(base)
        return self._trials[words]

    def _like(self, base: Trial) -> Trial | None:
        target = next((t for t in self.objectives if t.words == base.target.words), None)
        if target is None:
            return None
        try:
            compared = compare_all(self.followed, target, self.claims, 31)
        except Fault:
            return None
        record = self.followed.machine.record
        return Trial(self.setup, self.followed, target, compared, base.convention, [record])


class Reruns:
    """All further runs of a pair, each made once for all of its gradients."""

    def __init__(self, project: Project, pair: Pair, losses: Losses, effort: Effort) -> None:
        self.project = project
        self.pair = pair
        self.losses = losses
        self.effort = effort
        # Whether some were given up for the work that they take.
        self.exhausted = False
        self.path = project.module.path
        self._known: dict[object, Rerun | None] = {}

    def elsewhere(self, trial: Trial, which: int, seed: int) -> Rerun | None:
        """Return a reading run at another set of sizes and another point, if it runs there."""
        start = trial.setup.copy()
        start.sizes = start.sizes.copy(which)
        start.seed += seed
        return self._run(start)

    def at(self, trial: Trial, point: Point) -> Rerun | None:
        """Return a run with some elements of its inputs at chosen values."""
        start = trial.setup.copy()
        start.chosen.update(point)
        return self._run(start)

    def _run(self, start: Setup) -> Rerun | None:
        key = start.key()
        if key not in self._known:
            self._known[key] = self._made(start)
        return self._known[key]

    def _made(self, start: Setup) -> Rerun | None:
        found = search(
            self.project, self.pair, start, self.effort, fixed=frozenset(), most_guesses=1
        )
        self.exhausted |= found.exhausted
        if found.followed is None or found.setup is None:
            return None
        try:
            targets = list(objectives(found.followed, self.losses))
        except Fault:
            return None
        return Rerun(found.setup, found.followed, targets, claimed(found.followed, self.pair))
