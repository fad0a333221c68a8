"""What a reading of a pair came to, and the verdict on one of its gradients."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass, field

from symbackprop.auditing.code.faults import Fault
from symbackprop.auditing.code.interpreter.machine import Record
from symbackprop.auditing.code.judge import Compared, Objective
from symbackprop.auditing.code.running import Followed
from symbackprop.auditing.code.specs import Setup

AGREES = 1e-9
BUDGET = "budget: what is left of the work allowed does not settle it"


@dataclass
class Trial:
    """One reading of a pair, run once and compared."""

    setup: Setup
    followed: Followed
    target: Objective
    compared: dict[str, Compared]
    convention: str | None = None
    records: list[Record] = field(default_factory=list)

    @property
    def score(self) -> tuple[int, int]:
        """How well it fits: claims that hold, claims of the right shape."""
        values = self.compared.values()
        return sum(holds(c) for c in values), sum(c.shaped for c in values)


@dataclass
class Outcome:
    """The verdict on the gradient by one variable.

    `factor` says in words what a refuted claim is of the truth at all sizes, its sign aside.
    """

    variable: str
    verdict: str
    trial: Trial | None = None
    compared: Compared | None = None
    evidence: str | None = None
    convention: str | None = None
    assuming: dict[str, str] = field(default_factory=dict)
    reason: str | None = None
    line: int = 0
    fault: Fault | None = None
    factor: str = ""


def holds(compared: Compared) -> bool:
    """Return whether a claim is the true gradient."""
    return bool(compared.exact) or (compared.error is not None and compared.error <= AGREES)


def is_single(trial: Trial) -> bool:
    """Return whether a reading has one sample because more do not run."""
    return any(reading.startswith("single ") for reading in trial.setup.reading)


def is_degenerate(trial: Trial, name: str) -> bool:
    """Whether the variable has one element though it has axes: too little to tell."""
    originals = trial.followed.inputs.originals
    return any(
        originals[n].ndim > 0 and originals[n].size == 1 for n in trial.compared[name].claim.names
    )


def squared(setup: Setup, entered: list[Setup]) -> str | None:
    """Return the array that had to be square, or one number, though its function takes others."""
    for other in entered:
        for name in sorted(other.forward & setup.specs.keys() & other.specs.keys()):
            specs = setup.specs[name], other.specs[name]
            if specs[0].rank < 2 or any(s.kind != "array" for s in specs):
                continue
            if specs[0].rank != specs[1].rank or f"{name}.0" not in setup.sizes.parents:
                continue
            if _squares(setup, name) - _squares(other, name):
                return name
    return None


def _squares(setup: Setup, name: str) -> set[tuple[int, int]]:
    """The pairs of axes of an array that are one extent, all pairs where it is one number."""
    shape = setup.shape(name)
    roots = [setup.sizes.root(f"{name}.{axis}") for axis in range(len(shape))]
    single = set(shape) == {1}
    pairs = itertools.combinations(range(len(shape)), 2)
    return {(i, j) for i, j in pairs if single or roots[i] == roots[j]}


_SHAPED = ("array", "label", "onehot")


def as_many_axes(setup: Setup, other: Setup) -> bool:
    """Whether another setup has as many axes of more than one element: a column for a vector.

    What holds for one sample alone proves nothing where more run.
    """
    return all(
        sum(e != 1 for e in setup.shape(name)) == sum(e != 1 for e in other.shape(name))
        for name, spec in setup.specs.items()
        if spec.kind in _SHAPED and name in other.specs and spec != other.specs[name]
    ) and setup.sizes.ones() == other.sizes.ones() - len(
        [n for n in other.specs if other.specs[n].rank > setup.specs.get(n, other.specs[n]).rank]
    )


def is_narrower(setup: Setup, base: Setup, asked: Collection[str]) -> bool:
    """Whether an array has fewer axes of more than one element than it had, though not asked to."""
    return any(
        0 < spec.rank < base.specs[name].rank
        and sum(e != 1 for e in setup.shape(name)) < sum(e != 1 for e in base.shape(name))
        for name, spec in setup.specs.items()
        if name not in asked
        and spec.kind == "array"
        and name in base.specs
        and base.specs[name].kind == "array"
    )
