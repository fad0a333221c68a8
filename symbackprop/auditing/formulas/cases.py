"""What is tried for a claim: every reading of it in every layout that its definitions allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from symbackprop.auditing.formulas.assignments import bare, marked
from symbackprop.auditing.formulas.binding import Claim, Paper, Reading
from symbackprop.auditing.formulas.families import families
from symbackprop.auditing.formulas.kinds import Typed, arrays, per_unit
from symbackprop.auditing.formulas.model import Model, Symbol
from symbackprop.auditing.formulas.models import Assumption, as_written, models, variables_freed
from symbackprop.auditing.formulas.tree import Access, Derivative, Node, Product, accesses, within
from symbackprop.auditing.formulas.trial import Said, Trial, attempt, written_out
from symbackprop.auditing.formulas.units import LayoutError

CAPITALS = frozenset(("W", "X", "A", "H", "Z"))
STEPS = 250_000
STEPS_OF_A_TRIAL = 80_000
# What an attempt costs besides the nodes it reads, in steps.
STEPS_OF_SETTING_UP = 60


@dataclass(frozen=True)
class Judged:
    """One reading of a claim in one layout: the definitions as written, and what it showed."""

    reading: Reading
    model: Model
    typed: Typed
    trial: Trial

    @property
    def tops(self) -> list[Access]:
        """The names that the claim differentiates."""
        sides = (self.reading.left, self.reading.right)
        found = (n.of for s in sides for n in within(s) if isinstance(n, Derivative))
        return list(dict.fromkeys(name for name in found if isinstance(name, Access)))

    @property
    def mixes(self) -> bool:
        """Whether it reads a name as a number that has elements elsewhere: ∇_x f of Σ x_i²."""
        if self.typed.layout.kinds:
            return False
        sides = self.reading.left, self.reading.right
        nodes = (*sides, *(part for r in self.model.rules for part in (r.target, r.body)))
        arrays = {a.symbol for node in nodes for a in accesses(node) if a.indices}
        found = (n for side in sides for n in within(side) if isinstance(n, Derivative))
        parts = (part for node in found for part in (node.of, *node.by))
        read = {a.symbol for a in parts if isinstance(a, Access) and a.indices}
        names = {name.symbol for side in sides for name in bare(side)}
        return bool(names & arrays or read & _whole(self.model))

    @property
    def words(self) -> str:
        """The layout and the choice in words."""
        return ", ".join(part for part in (self.typed.layout.name, self.reading.choice) if part)


@dataclass
class Case:
    """All that was tried for a claim, and the steps that are left for it.

    `free` says that what the definitions say of the variables of differentiation does not count;
    `form` is the only form of derivatives of arrays that is tried, if it is not empty.
    """

    claim: Claim
    paper: Paper
    assumption: Assumption = as_written
    steps: int = STEPS
    free: bool = False
    form: str = ""
    judged: list[Judged] = field(default_factory=list)
    mismatched: list[Judged] = field(default_factory=list)
    untyped: bool = False
    given: int = field(init=False)

    def __post_init__(self) -> None:
        self.given = self.steps

    @property
    def spent(self) -> int:
        """How many steps were taken."""
        return self.given - self.steps

    @property
    def tied(self) -> bool:
        """Whether every derivative was led to its variable in every reading."""
        return all(judged.trial.tied for judged in self.judged)


def readings(case: Case) -> Iterator[Judged]:
    """Try readings in the order of preference; those whose sides differ in axes are kept apart."""
    claim = case.claim
    for reading in claim.readings:
        for model in models(claim, case.paper, case.assumption):
            trials: list[tuple[Said, Trial]] = []
            for written in _layouts(case, model, reading):
                typed = _freed(written, claim) if case.free else written
                if typed is None:
                    continue
                judged = Judged(reading, model, typed, Trial())
                if not typed.fits:
                    case.mismatched.append(judged)
                    continue
                said = written_out(typed)
                trial = next((trial for other, trial in trials if other == said), None)
                if trial is None:
                    trial = _tried(case, typed)
                    trials.append((said, trial))
                yield replace(judged, trial=trial)


def _tried(case: Case, typed: Typed) -> Trial:
    claim = case.claim
    steps = max(0, min(case.steps, STEPS_OF_A_TRIAL))
    trial = attempt(typed, claim.ranges, claim.conditions, steps=steps)
    case.steps -= trial.steps + STEPS_OF_SETTING_UP
    return trial


def _layouts(case: Case, model: Model, reading: Reading) -> Iterator[Typed]:
    left, right = reading.left, reading.right
    read = [access for side in (left, right) for access in accesses(side)]
    whole = _whole(model)
    named = (
        any(any(bare(side)) for side in (left, right))
        or any(access.indices and access.symbol in whole for access in read)
        or any(families(model, (left, right), case.paper))
    )
    found = arrays(model, left, right, case.paper, case.form) if named else iter(())
    if _multiplies_capitals(model, (left, right)):
        # They are matrices, where that has a meaning.
        first = next(found, None)
        if first is not None:
            yield from (first, *found)
            return
    if not case.form:
        yield from _of_numbers(case, model, reading)
    yield from found


def _whole(model: Model) -> set[Symbol]:
    """Names that are defined without indices, and not by elements."""
    targets = [rule.target for rule in model.rules if not rule.formals]
    by_elements = {target.symbol for target in targets if target.indices}
    return {target.symbol for target in targets} - by_elements


def _freed(typed: Typed, claim: Claim) -> Typed | None:
    """Return a layout with the variables of differentiation left free, if anything defines them."""
    model = variables_freed(claim, typed.model)
    return replace(typed, model=model) if any(map(model.is_freed, model.rules)) else None


def _of_numbers(case: Case, model: Model, reading: Reading) -> Iterator[Typed]:
    if not _of_arrays(model, (reading.left, reading.right), case.paper):
        try:
            yield per_unit(model, reading.left, reading.right)
        except LayoutError:
            case.untyped = True


def _multiplies_capitals(model: Model, sides: tuple[Node, Node]) -> bool:
    """Whether a matrix of weights stands beside another capital, as in ``XW``."""
    products = (
        here
        for node in (*sides, *(rule.body for rule in model.rules))
        for here in within(node)
        if isinstance(here, Product)
    )
    return any(
        {"W"} < {f.name for f in p.factors if isinstance(f, Access) and not f.indices} <= CAPITALS
        for p in products
    )


def _of_arrays(model: Model, sides: tuple[Node, Node], paper: Paper) -> bool:
    """Whether a claim cannot be one of single numbers, by its signs or by stated extents."""
    arrays_stated = {shape.target.symbol for shape in paper.shapes if shape.extents}
    arrays_stated |= {symbol for symbol, *_ in paper.matrices if symbol[0].isupper()}
    arrays_stated |= paper.transposed
    return any(marked(node) for node in (*sides, *(r.body for r in model.rules))) or any(
        access.symbol in arrays_stated for side in sides for access in bare(side)
    )
