"""The verdict on one gradient, from the readings of its pair: none is given by one run alone."""

from __future__ import annotations

import ast
from collections.abc import Callable

import numpy as np

from symbackprop.auditing.code.arms import one_sided, other_side
from symbackprop.auditing.code.effort import ExhaustedError
from symbackprop.auditing.code.interpreter.machine import Place
from symbackprop.auditing.code.reruns import ELSEWHERE, THIRD, Reruns
from symbackprop.auditing.code.running import main_output
from symbackprop.auditing.code.scaling import TOLERANCE, explained, named
from symbackprop.auditing.code.solve import Search
from symbackprop.auditing.code.surrogates import FLAT, declared, is_flat
from symbackprop.auditing.code.trials import (
    BUDGET,
    Outcome,
    Trial,
    holds,
    is_degenerate,
    is_single,
    squared,
)

MOST_ARMS = 8
# What a claim may be off by beyond a bound that it leaves out.
NEARLY = 1e-3
# What a claim may be off by where its constants are written with six digits or so.
ROUNDED = 1e-6
DIGITS = 5
OTHER_SIZES = "no run at other sizes confirms it"


class Ruling:
    """What the readings of a pair come to, each confirmed by further runs.

    Args:
        trials: The readings that ran.
        search: How they were found.
        reruns: Runs of them elsewhere.
        hasty: Whether readings were left untried: then nothing is refuted.
    """

    def __init__(
        self, trials: list[Trial], search: Search, reruns: Reruns, hasty: bool = False
    ) -> None:
        self.trials = trials
        self.hasty = hasty
        self.search = search
        self.reruns = reruns

    def outcomes(self, name: str) -> list[Outcome]:
        """Return the verdict on one gradient; sizes that only the derivative asks for give none."""
        try:
            found = self.best(name)
        except ExhaustedError:
            found = [Outcome(name, "undecided", reason=BUDGET)]
        trial = found[0].trial
        wider = [*self.search.entered, *(t.setup for t in self.trials[:1])]
        array = squared(trial.setup, wider) if trial is not None else None
        if array is None or found[0].verdict == "undecided":
            return found
        reason = f"the derivative runs only where {array} is square, the function anywhere"
        return [Outcome(name, "undecided", trial, found[0].compared, reason=reason)]

    def best(self, name: str) -> list[Outcome]:
        """Return the verdict on one gradient: the best over all readings."""
        trials = [t for t in self.wide() if name in t.compared]
        trials = [t for t in trials if not is_degenerate(t, name)] or trials[:1]
        many = [t for t in trials if not is_single(t)]
        against: list[Trial] = []
        for readings, rule in (
            (many, self.proved),
            (many, self.limiting),
            (many, self.scaled),
            (many, self.rounded),
            ([t for t in trials if is_single(t)], self.proved),
        ):
            for trial in readings:
                found = rule(name, trial, against)
                if found is not None:
                    return [found, *self.singles(name, found)]
        return [self.refused(name, [*against, *(many or trials)])]

    def wide(self) -> list[Trial]:
        """Return the readings but those that make an array square which need not be."""
        first = self.trials[0]
        if not all(compared.shaped for compared in first.compared.values()):
            return self.trials
        return [t for t in self.trials if squared(t.setup, [first.setup]) is None]

    def proved(self, name: str, trial: Trial, against: list[Trial]) -> Outcome | None:
        """Return the verdict on a claim that is the true gradient in a reading."""
        compared = trial.compared[name]
        if not holds(compared) or compared.zero:
            return None
        exact = bool(compared.exact)

        def again(other: Trial) -> bool:
            nonlocal exact
            exact = exact and bool(other.compared[name].exact)
            return holds(other.compared[name])

        if not self.stands(name, trial, again, against):
            return None
        failed = self.arms(name, trial)
        if failed is not None:
            return failed
        verdict = "convention" if trial.convention else "proved" if exact else "agrees"
        evidence = "exact" if exact else "numeric"
        return self.outcome(name, verdict, trial, evidence, trial.convention)

    def limiting(self, name: str, trial: Trial, against: list[Trial]) -> Outcome | None:
        """Return the verdict on a claim that holds but for constants that keep off 0."""
        if not trial.compared[name].limit:
            return None

        def again(other: Trial) -> bool:
            return holds(other.compared[name]) or other.compared[name].limit

        if not self.stands(name, trial, again, against):
            return None
        size = trial.compared[name].error or 0.0
        words = "holds as the stabilising constants go to 0"
        words += f", differs by {size:.1e} of the largest"
        words = f"{trial.convention}; {words}" if trial.convention else words
        return self.outcome(name, "convention", trial, "numeric", words)

    def scaled(self, name: str, trial: Trial, against: list[Trial]) -> Outcome | None:
        """Return the verdict on a claim that is a conventional multiple of the true gradient."""
        factor = explained(trial, name)
        if factor is None:
            return None

        def again(other: Trial) -> bool:
            nonlocal factor
            factor = factor.among(explained(other, name)) if factor is not None else None
            return factor is not None

        if not self.stands(name, trial, again, against) or factor is None:
            return None
        return self.outcome(name, "convention", trial, "exact", factor.words)

    def rounded(self, name: str, trial: Trial, against: list[Trial]) -> Outcome | None:
        """Return the verdict on a claim that holds but for the digits of its constants."""
        constants = _long_constants(trial)

        def again(other: Trial) -> bool:
            compared = other.compared[name]
            return compared.shaped and compared.error is not None and compared.error <= ROUNDED

        if not constants or not again(trial) or not self.stands(name, trial, again, against):
            return None
        words = f"rounded constants, {', '.join(constants[:3])}"
        words += f": differs by {trial.compared[name].error:.1e} of the largest"
        return self.outcome(name, "convention", trial, "numeric", words)

    def stands(
        self, name: str, trial: Trial, again: Callable[[Trial], bool], against: list[Trial]
    ) -> bool:
        """Return whether what a reading says is so elsewhere; what says otherwise is kept."""
        failed = []
        for which, seed in ELSEWHERE:
            other = self.like(name, trial, which, seed)
            if other is not None:
                trial.records += other.records
                failed += [] if again(other) or other.compared[name].zero else [other]
        against += failed
        return not failed

    def arms(self, name: str, trial: Trial) -> Outcome | None:
        """Take the arms that no run took; return another verdict where the claim fails there."""
        for place in one_sided(trial, self.reruns.path)[:MOST_ARMS]:
            other = self.across(name, trial, place)
            if other is None:
                continue
            compared = other.compared[name]
            if holds(compared) or compared.limit:
                trial.records += other.records
            elif compared.shaped and compared.error is not None:
                if compared.error <= NEARLY:
                    words = f"beyond the bound in line {place[1]} it differs by"
                    words = f"{words} {compared.error:.1e} of the largest"
                    return self.outcome(name, "convention", trial, "numeric", words)
                if self.fails_across(name, trial, place):
                    reason = f"it holds but for the other arm of line {place[1]}"
                    return Outcome(name, "refuted", other, compared, "exact", reason=reason)
        return None

    def across(self, name: str, trial: Trial, place: Place) -> Trial | None:
        """Return a reading run where a comparison has its other outcome, if that can be had."""
        point = other_side(trial, place)
        rerun = self.reruns.at(trial, point) if point else None
        other = rerun.like(trial) if rerun is not None else None
        return other if other is not None and name in other.compared else None

    def fails_across(self, name: str, trial: Trial, place: Place) -> bool:
        """Return whether a claim fails on the other arm at other sizes too."""
        elsewhere = self.like(name, trial, *ELSEWHERE[1])
        other = self.across(name, elsewhere, place) if elsewhere is not None else None
        if other is None:
            return False
        compared = other.compared[name]
        differs = compared.shaped and compared.error is not None and compared.error > NEARLY
        return differs and not compared.limit

    def like(self, name: str, trial: Trial, which: int, seed: int) -> Trial | None:
        """Return a reading run elsewhere, if it runs there and the gradient is given."""
        rerun = self.reruns.elsewhere(trial, which, seed)
        other = rerun.like(trial) if rerun is not None else None
        return other if other is not None and name in other.compared else None

    def outcome(
        self, name: str, verdict: str, trial: Trial, evidence: str, convention: str | None
    ) -> Outcome:
        """Return a verdict that a reading gives, with what it assumes."""
        elsewhere = [self.like(name, trial, which, seed) for which, seed in ELSEWHERE if which]
        if not any(elsewhere) and self.reruns.exhausted:
            return Outcome(name, "undecided", trial, trial.compared[name], reason=BUDGET)
        reason = None if any(elsewhere) else "the other sizes did not run"
        assuming = dict.fromkeys(_single_axes(trial), "1")
        compared = trial.compared[name]
        return Outcome(
            name, verdict, trial, compared, evidence, convention, assuming, reason=reason
        )

    def singles(self, name: str, found: Outcome) -> list[Outcome]:
        """Return the refutation of a claim that holds for one sample and raises for more."""
        axes = _single_axes(found.trial) if found.trial is not None else []
        fault = next((f for stage, f in self.search.faults if stage == "backward"), None)
        return [
            Outcome(
                name,
                "refuted",
                evidence="exact",
                assuming={axis: "> 1"},
                reason="it raises for more than one sample",
                fault=fault,
            )
            for axis in axes
        ]

    def refused(self, name: str, trials: list[Trial]) -> Outcome:
        """Return the verdict on a claim that no reading makes true."""
        comparable = [t for t in trials if t.compared[name].error is not None]
        shaped = [t for t in comparable if t.compared[name].shaped]
        if not shaped:
            return self.misshapen(name, trials)
        trial = shaped[0]
        compared = trial.compared[name]
        undecided = Outcome(name, "undecided", trial, compared)
        surrogate = declared(self.reruns.project, self.reruns.pair, trial, name)
        if surrogate is not None:
            return self.outcome(name, "convention", trial, "exact", surrogate)
        if compared.zero and compared.error == 0:
            undecided.reason = "both are 0 at the points"
        elif is_flat(trial, name):
            undecided.reason = FLAT
        elif trial.target.words == "elements" and not trial.target.elementwise:
            undecided.reason = "the output is no number, and no gradient by it is given"
        elif self.hasty:
            undecided.reason = BUDGET
        elif _guessed(trial):
            undecided.reason = "the loss is not given, and none in common use fits"
        elif _passed_on(trial, name):
            undecided.reason = "the gradient is passed on: right where it is that by the logits"
        elif not self.disagrees(name, trial):
            undecided.reason = f"it differs from what is derived, but {OTHER_SIZES}"
        else:
            words = self.factor(name, trial)
            return Outcome(name, "refuted", trial, compared, "exact", factor=words)
        return undecided

    def factor(self, name: str, trial: Trial) -> str:
        """Return what a claim is of the truth, its sign aside: a number, or a count if it has one.

        At one set of sizes a constant may be a count as well.
        """
        ratio = abs(trial.compared[name].ratio or 0.0)
        others = [self.like(name, trial, *place) for place in (ELSEWHERE[1], THIRD)]
        ratios = [(o, abs(o.compared[name].ratio or 0.0)) for o in others if o is not None]
        if not ratio or all(abs(other - ratio) < TOLERANCE for _, other in ratios):
            return f"{ratio:.6g}"
        counts = (n for n in named(trial, ratio) if all(n in named(o, r) for o, r in ratios))
        return next(counts, f"{ratio:.6g}")

    def disagrees(self, name: str, trial: Trial) -> bool:
        """Return whether a claim differs at another set of sizes as well, and at another point."""
        factor = explained(trial, name)
        for which, seed in (*ELSEWHERE, THIRD):
            other = self.like(name, trial, which, seed)
            if other is None or which == trial.setup.sizes.which:
                continue
            compared = other.compared[name]
            numbers = compared.shaped and compared.error is not None
            if numbers and not holds(compared) and not compared.limit:
                # The same factor of a reading that was left for another reason accuses nobody.
                return factor is None or factor.among(explained(other, name)) is None
        return False

    def misshapen(self, name: str, trials: list[Trial]) -> Outcome:
        """Return the verdict on a claim that nowhere has the shape of its variable."""
        bad = next((t for t in trials if not t.compared[name].shaped), None)
        # An input's shape was only guessed; a shape that the program itself sets is certain.
        own = name.startswith("self.") and bad is not None and bad.target.words != "elements"
        if own and bad is not None:
            others = [self.like(name, bad, which, seed) for which, seed in ELSEWHERE if which]
            if any(other and not other.compared[name].shaped for other in others):
                compared = bad.compared[name]
                return Outcome(name, "refuted", bad, compared, "exact", reason=compared.reason)
        return Outcome(name, "undecided", reason=trials[0].compared[name].reason or OTHER_SIZES)


def _guessed(trial: Trial) -> bool:
    """Whether the loss was guessed, and no gradient of several numbers fits it."""
    several = [c for c in trial.compared.values() if len(c.true_numbers) > 1 or c.exact]
    ratios = [c.ratio if c.ratio is not None else c.limit_ratio for c in several]
    return trial.target.free_scale and not any(r is not None and r > 0 for r in ratios)


def _passed_on(trial: Trial, name: str) -> bool:
    """Whether a softmax gives back its upstream gradient: its loss may already undo it."""
    followed = trial.followed
    upstream = followed.inputs.originals.get(followed.upstream or "")
    claim = trial.compared[name].claim
    main = main_output(followed.output)
    if upstream is None or len(claim.values) != 1 or not isinstance(main, np.ndarray):
        return False
    same = claim.values[0].shape == upstream.shape and all(
        a is b for a, b in zip(claim.values[0].flat, upstream.flat, strict=True)
    )
    values = np.array([getattr(node, "value", 0.0) for node in main.flat]).reshape(main.shape)
    sums = [values.sum(axis=axis) for axis in range(values.ndim) if values.shape[axis] > 1]
    return same and any(bool(np.all(np.abs(total - 1) < 1e-9)) for total in sums)


def _single_axes(trial: Trial) -> list[str]:
    """The axes that had to be of one element, spelled as shapes."""
    found = []
    for reading in trial.setup.reading:
        if reading.startswith("single "):
            variable, _, axis = reading[7:].rpartition(".")
            found.append(f"{variable}.shape[{axis}]")
    return found


def _long_constants(trial: Trial) -> list[str]:
    """The real constants of a derivative that are written with many digits."""
    node = trial.followed.backward.node
    inner = ast.walk(node) if node is not None else ()
    found = (repr(n.value) for n in inner if isinstance(n, ast.Constant) and type(n.value) is float)
    mantissas = {text: text.partition("e")[0].replace(".", "").strip("0") for text in found}
    return [text for text, digits in mantissas.items() if len(digits) >= DIGITS]
