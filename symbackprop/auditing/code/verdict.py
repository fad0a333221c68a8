"""The verdict on a pair: readings are tried until one makes each claim true, or all refute it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.callers import shared_variable, variables_passed
from symbackprop.auditing.code.claims import Claim, claimed, claims
from symbackprop.auditing.code.composed import acquitted
from symbackprop.auditing.code.discovery import discover
from symbackprop.auditing.code.effort import Effort, ExhaustedError
from symbackprop.auditing.code.faults import Fault, Misused, Raised, Unknown
from symbackprop.auditing.code.inputs import FIRST
from symbackprop.auditing.code.judge import Compared, Objective, compare_all, fitted
from symbackprop.auditing.code.objectives import Losses, objectives
from symbackprop.auditing.code.pairs import Pair
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.reruns import Reruns
from symbackprop.auditing.code.ruling import Ruling
from symbackprop.auditing.code.running import Followed, main_output
from symbackprop.auditing.code.solve import Search, ranks, search
from symbackprop.auditing.code.specs import Setup
from symbackprop.auditing.code.sweep import load_calculus
from symbackprop.auditing.code.trials import (
    BUDGET,
    Outcome,
    Trial,
    as_many_axes,
    holds,
    is_narrower,
)

# Units of work: for readings, for one of them, for confirming what they come to.
READINGS = 2_500_000
READING = 1_000_000
CONFIRMING = 2_300_000
MOST_READINGS = 40
# Other points, where a gradient is 0 at the first one: units may all be off there.
SEEDS = (101, 202, 303, 404, 505, 606)
# Ranks that another reading may guess anew on the way, besides its own.
FEW_GUESSES = 1
FEW_NODES = 60_000
OUTPUT = "written in the output variable"
SPARSE = "each row of the upstream gradient has one entry that is not 0"
NOTHING = "no gradient by this variable was found among what the derivative gives"


class Judge:
    """The judgement of one pair; its effort is what that may take."""

    def __init__(self, project: Project, pair: Pair, effort: Effort | None = None) -> None:
        self.project = project
        self.pair = pair
        load_calculus()
        self.effort = effort or Effort(READINGS + CONFIRMING)
        self.losses = Losses(project, pair)
        self.trials: list[Trial] = []
        self.search: Search = Search()
        # Whether readings were left out for the work that they take.
        self.hasty = False
        self.torch = ("torch",) if project.torch_only() else ()

    def outcomes(self) -> list[Outcome]:
        """Return a verdict for each gradient that the pair gives, a factor judged in the whole."""
        return acquitted(self.project, self.pair, self.alone(), self.effort, _alone)

    def alone(self) -> list[Outcome]:
        """Return the verdicts on the pair by itself."""
        early: Outcome | None = None
        try:
            with self.effort.within(READINGS):
                early = self.read_all()
        except ExhaustedError:
            self.hasty = True
            early = None if self.trials else self.not_run()
        if early is not None:
            return [early]
        reruns = Reruns(self.project, self.pair, self.losses, self.effort)
        ruling = Ruling(self.trials, self.search, reruns, self.hasty)
        with self.effort.within(CONFIRMING):
            return [outcome for name in self.variables() for outcome in ruling.outcomes(name)]

    def read_all(self) -> Outcome | None:
        """Try the readings until one makes each claim true; return a verdict where none runs."""
        self.search = search(
            self.project,
            self.pair,
            Setup.of(self.pair.settings, self.torch),
            self.effort,
            self.better,
        )
        self.hasty |= self.search.exhausted
        if self.search.followed is None or self.search.setup is None:
            return self.not_run()
        if self.corrected(self.search.followed):
            return self.read_all()
        self.read(self.search.setup, self.search.followed)
        if not self.trials:
            for setup in self.narrowed(self.search.setup, self.search.followed):
                self.try_setup(setup, None)
        if not self.trials or not self.trials[0].compared:
            return Outcome(self.wanted(), "undecided", reason=self.lacking())
        base = self.trials[0]
        for number, (setup, convention) in enumerate(self.readings(base)):
            if self.settled():
                break
            if number >= MOST_READINGS or not self.effort.left:
                self.hasty = True
                break
            self.try_setup(setup, convention)
        return None

    def corrected(self, followed: Followed) -> bool:
        """Judge the derivatives that were called; return whether one was refuted just now."""
        own = {self.pair.derivative.name}
        called = set(followed.machine.record.calls) - own - self.project.judged
        found = False
        for pair in discover(self.project):
            name = pair.derivative.name
            plain = pair.function is not None and "." not in name and not pair.derivative.flags
            if name in called and plain:
                self.project.judged.add(name)
                outcomes = Judge(self.project, pair).outcomes()
                if any(o.verdict == "refuted" and o.fault is None for o in outcomes):
                    self.project.corrected[name] = pair
                    found = True
        return found

    def narrowed(self, setup: Setup, followed: Followed) -> Iterator[Setup]:
        """Yield setups in which an output has one element along an axis: losses may need it."""
        main = main_output(followed.output)
        for extent in getattr(main, "shape", ()):
            new = setup.copy()
            if extent > 1 and new.sizes.unify(extent, 1):
                yield new

    def deeper(self, setup: Setup) -> Iterator[Setup]:
        """Yield setups, extents afresh, in which one array of the function has an axis more.

        A step of a sequence that is taken for a vector may run, by broadcasting, and so may a
        state that each sample has.
        """
        for name, spec in list(setup.specs.items()):
            plain = name in setup.forward and not name.startswith("self")
            plain = plain and not naming.names_weight(name) and "[" not in name
            if not plain or spec.kind != "array" or spec.rank not in (1, 2) or spec.shown:
                continue
            if 1 not in setup.shape(name):
                new = Setup.of(self.pair.settings, self.torch)
                new.specs[name] = spec.become(rank=spec.rank + 1)
                # What is meant so is not much more than what was taken for it.
                made = len(self.trials[0].followed.machine.graph.nodes) if self.trials else 0
                new.most = max(FEW_NODES, 4 * made)
                yield new

    def shallower(self, setup: Setup) -> Iterator[Setup]:
        """Yield setups in which a parameter has no axis of samples that broadcasting gave it."""
        arrays = [n for n, s in setup.specs.items() if s.kind == "array" and n in setup.forward]
        for name in arrays[1:]:
            spec, first = setup.specs[name], setup.specs[arrays[0]]
            if spec.rank < 2 or first.rank < 2 or "[" in name or name.startswith("self"):
                continue
            if setup.sizes.root(f"{name}.0") == setup.sizes.root(f"{arrays[0]}.0"):
                new = Setup.of(self.pair.settings, self.torch)
                new.specs[name] = spec.become(rank=spec.rank - 1)
                yield new

    def lacking(self) -> str:
        """Say why nothing was compared."""
        faults = [fault for stage, fault in self.search.faults if stage == "compare"]
        if faults and not self.hasty:
            return faults[-1].words
        return BUDGET if self.hasty else NOTHING

    def wanted(self) -> str:
        """Return the variables that were asked for, in words."""
        return ", ".join(self.pair.wrt)

    def variables(self) -> list[str]:
        """Return the variables with a claim in any reading."""
        found: dict[str, None] = {}
        for trial in self.trials:
            found.update(dict.fromkeys(trial.compared))
        named = [n for n in found if not self.pair.wrt or n in self.pair.wrt]
        return named

    def settled(self) -> bool:
        """Return whether some reading makes each claim true, and not for being 0 alone."""
        tried = [t.compared for t in self.trials]
        return all(
            any(holds(c[name]) and not c[name].zero for c in tried if name in c)
            for name in self.variables()
        )

    def better(self, followed: Followed, setup: Setup) -> list[Setup]:
        """Return setups under which the claims may have the shapes of their variables."""
        found: list[Setup] = []
        for claim in claims(followed, self.pair.wrt):
            for name, value in zip(claim.names, claim.values, strict=True):
                shape = followed.inputs.originals[name].shape
                if fitted(value, shape) is None:
                    found += self.reshaped(setup, name, shape, value.shape)
        return found

    def reshaped(
        self, setup: Setup, name: str, shape: tuple[int, ...], claimed: tuple[int, ...]
    ) -> Iterator[Setup] | list[Setup]:
        """Return setups that bring a variable and its claim to one shape."""
        if len(shape) == len(claimed):
            new = setup.copy()
            changed = False
            for left, right in zip(shape, claimed, strict=True):
                if left != right and (left == 1 or right == 1 or not changed):
                    changed |= new.sizes.unify(left, right)
            return [new, *ranks(setup)] if changed else list(ranks(setup))
        return [*self.like_claim(setup, name, claimed), *ranks(setup)]

    def like_claim(self, setup: Setup, name: str, claimed: tuple[int, ...]) -> Iterator[Setup]:
        """Yield the setup in which a variable has the shape that its gradient was given."""
        spec = setup.specs.get(name)
        if spec is None or spec.kind != "array" or f"array {len(claimed)}" in spec.tried:
            return
        new = setup.copy()
        new.specs[name] = spec.become(rank=len(claimed))
        if new.sizes.shaped(name, claimed):
            yield new

    def read(self, setup: Setup, followed: Followed, convention: str | None = None) -> None:
        """Compare the claims of a run, under each objective that it may have."""
        found = claimed(followed, self.pair)
        best: Trial | None = None
        try:
            targets = list(objectives(followed, self.losses))
        except Fault as fault:
            self.search.faults.append(("compare", fault))
            return
        for target in targets:
            try:
                trial = Trial(setup, followed, target, self.compared(followed, target, found))
            except Fault as fault:
                self.search.faults.append(("compare", fault))
                continue
            except ExhaustedError:
                self.hasty = True
                break
            trial.convention = convention or target.convention
            trial.records.append(followed.machine.record)
            if best is None or self.rank(trial) > self.rank(best):
                best = trial
            if best.compared and all(holds(c) for c in best.compared.values()):
                break
        if best is not None:
            self.trials.append(best)

    def rank(self, trial: Trial) -> tuple[int, ...]:
        """Order the objectives of one run: those under which more claims hold, up to a factor."""
        values = list(trial.compared.values())
        ratios = {round(c.ratio, 9) for c in values if c.ratio is not None}
        held = sum(holds(c) for c in values)
        scaled = sum(c.ratio is not None and c.ratio > 0 for c in values)
        rough = sum(c.roughly_scaled for c in values)
        return held, scaled, rough, -len(ratios)

    def compared(
        self, followed: Followed, target: Objective, found: list[Claim]
    ) -> dict[str, Compared]:
        """Return each claim beside the truth."""
        return compare_all(followed, target, found, 7)

    def try_setup(self, setup: Setup, convention: str | None) -> None:
        """Run another reading."""
        base = self.trials[0].setup if self.trials else setup
        fixed = {n for n, s in setup.specs.items() if s.rank != base.specs.get(n, s).rank}
        with self.effort.within(READING):
            found = search(
                self.project,
                self.pair,
                setup,
                self.effort,
                fixed=frozenset(fixed),
                most_guesses=FEW_GUESSES,
            )
        self.hasty |= found.exhausted
        if found.followed is not None and found.setup is not None:
            known = [t.setup.key() for t in self.trials]
            base = self.trials[0].setup if self.trials else found.setup
            asked = [n for n, s in setup.specs.items() if s.rank < base.specs.get(n, s).rank]
            narrow = is_narrower(found.setup, base, asked)
            if found.setup.key() not in known and not narrow:
                self.read(found.setup, found.followed, convention)

    def readings(self, base: Trial) -> Iterator[tuple[Setup, str | None]]:
        """Yield other ways to read the pair, likeliest first."""
        setup = base.setup
        if base.target.words == "elements" and not base.target.elementwise:
            for other in self.narrowed(setup, base.followed):
                yield other, None
        shared = shared_variable(base.followed)
        if base.target.elementwise and shared and not variables_passed(self.project, self.pair):
            new = setup.copy()
            new.reading = (*setup.reading, f"output for {shared}")
            yield new, OUTPUT
        if "link variable" in setup.reading:
            new = setup.copy()
            new.reading = tuple("link output" if r == "link variable" else r for r in setup.reading)
            if not variables_passed(self.project, self.pair):
                yield new, OUTPUT
            new = setup.copy()
            new.reading = tuple(
                "link upstream" if r == "link variable" else r for r in setup.reading
            )
            yield new, None
        for name, spec in setup.specs.items():
            if spec.kind == "array" and naming.names_label(naming.last(name)):
                for axis in (None, FIRST):
                    new = setup.copy()
                    new.specs[name] = spec.become(kind="onehot", value=axis)
                    yield new, "targets are one-hot"
        for name, spec in setup.specs.items():
            if spec.kind == "array" and (spec.low, spec.high) == (0.05, 0.95):
                for squash in ("sigmoid", "softmax"):
                    new = setup.copy()
                    new.specs[name] = replace(spec, kind=f"{squash} array", low=-2.0, high=2.0)
                    yield new, "with respect to the logits"
        upstream = base.followed.upstream
        if upstream in setup.specs and _skips_zeros(base.followed):
            new = setup.copy()
            new.specs[upstream] = setup.specs[upstream].become(kind="sparse")
            yield new, SPARSE
        if any(c.zero for c in base.compared.values()):
            for seed in SEEDS:
                new = setup.copy()
                new.seed += seed
                yield new, base.convention
        for other in (*self.shallower(setup), *self.deeper(setup)):
            yield other, None
        for other in self.search.singles[:2]:
            yield other, None
        for other in ranks(setup, frozenset()):
            if as_many_axes(setup, other):
                yield other, None

    def not_run(self) -> Outcome:
        """Return the verdict on a pair that ran in no reading."""
        found = self.search
        fault = found.fault or Unknown("nothing was run")
        if self.hasty:
            reason = f"{BUDGET}; the last run stopped: {fault.words}" if found.fault else BUDGET
            return Outcome(self.wanted(), "undecided", reason=reason)
        hard = isinstance(fault, Raised) and found.stage == "backward"
        soft = isinstance(fault, Misused) and fault.needed not in ("function",)
        backward = [f for s, f in found.faults if s == "backward"]
        always = bool(backward) and all(isinstance(f, Raised) for _, f in found.faults)
        if hard and not soft and always and _plain(fault):
            return Outcome(
                self.wanted(),
                "refuted",
                evidence="exact",
                fault=fault,
                line=fault.line,
                reason=f"the derivative raises {fault}",
            )
        return Outcome(self.wanted(), "undecided", reason=fault.words, line=fault.line, fault=fault)


def _alone(project: Project, pair: Pair, effort: Effort) -> list[Outcome]:
    return Judge(project, pair, effort).alone()


def _skips_zeros(followed: Followed) -> bool:
    """Whether a derivative asks of single entries of the upstream gradient whether they are 0."""
    original = followed.inputs.originals.get(followed.upstream or "")
    entries = set() if original is None else {node.place for node in original.flat}
    return any(
        "=" in place[2].split() and entry.place in entries and zero.constant == 0
        for place, (entry, zero) in followed.machine.compared.items()
    )


def _plain(fault: Fault) -> bool:
    """Whether an exception is one that no choice of inputs takes away."""
    return isinstance(fault, Raised) and (
        "not callable" in fault.message
        or fault.kind in ("NameError", "UnboundLocalError", "AttributeError")
    )
