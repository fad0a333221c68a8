"""The verdict on a claim: every reading and layout is tried, and the best one counts.

A claim is refuted only where nothing was left unread, every undefined name of it was reached from
what the definitions say, and no other reading holds; else it is undecided. A false refutation is
the worst mistake that an audit can make.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from symbackprop.audit.binding import Claim, Definition, Paper, Reading
from symbackprop.audit.conventions import CONVENTIONS, Attempted, undefined_functions
from symbackprop.audit.diagnose import Context, Explanation, explain
from symbackprop.audit.finding import Diagnosis, Finding
from symbackprop.audit.formula_tree import (
    Access,
    Apply,
    Cases,
    Delta,
    Derivative,
    Indicator,
    Node,
    Number,
    Power,
    walk,
)
from symbackprop.audit.kinds import Typed, arrays, bare, marked, per_unit, reached
from symbackprop.audit.layouts import Elaborator, LayoutError
from symbackprop.audit.model import LAST_LAYER, LAYER, Model, Rule
from symbackprop.audit.reading.printing import latex
from symbackprop.audit.spelling import marked_difference
from symbackprop.audit.trial import OTHER_SIZES, Lefts, Trial, attempt

STEPS = 250_000
STEPS_OF_A_TRIAL = 80_000
STEPS_OF_AN_EDIT = 10_000
STEPS_OF_EXPLAINING = 60_000
# What an edit costs that does not even fit the shapes.
STEPS_OF_AN_IDEA = 15
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
    def words(self) -> str:
        """The layout and the choice in words."""
        return ", ".join(part for part in (self.typed.layout.name, self.reading.choice) if part)


@dataclass
class Case:
    """All that was tried for a claim, and the steps that are left for it."""

    claim: Claim
    paper: Paper
    steps: int = STEPS
    judged: list[Judged] = field(default_factory=list)
    mismatched: list[Judged] = field(default_factory=list)
    untyped: bool = False
    any_loss: bool = False


def judge(claim: Claim, paper: Paper) -> Finding:
    """Return the verdict on one claim of a document."""
    case = Case(claim, paper)
    proved = _proved(case)
    if proved is not None:
        return proved
    if any(not judged.trial.tied for judged in case.judged):
        # No definition leads from the loss to the variable: any loss of what they end in will do.
        free = Case(claim, paper, max(case.steps, STEPS // 2), any_loss=True)
        proved = _proved(free)
        if proved is not None:
            return proved
        if free.judged and all(judged.trial.tied for judged in free.judged):
            return _by_convention(case) or _against(free)
    return _by_convention(case) or _against(case)


def _proved(case: Case) -> Finding | None:
    for judged in _readings(case):
        trial = judged.trial
        if trial.equal and trial.tied:
            trial = _again(judged, case.claim)
            if trial.equal or trial.reason == "budget":
                return _confirmed(judged, case.claim)
        case.judged.append(replace(judged, trial=trial))
    return None


def _readings(case: Case) -> Iterator[Judged]:
    """Try readings in the order of preference; those whose sides differ in axes are kept apart."""
    claim = case.claim
    for reading in claim.readings:
        for model in models(claim, case.paper, case.any_loss):
            for typed in _layouts(case, model, reading):
                judged = Judged(reading, model, typed, Trial())
                if not typed.fits:
                    case.mismatched.append(judged)
                    continue
                trial = attempt(
                    typed,
                    claim.ranges,
                    claim.conditions,
                    steps=max(0, min(case.steps, STEPS_OF_A_TRIAL)),
                )
                case.steps -= trial.steps + STEPS_OF_SETTING_UP
                yield replace(judged, trial=trial)


def _layouts(case: Case, model: Model, reading: Reading) -> Iterator[Typed]:
    left, right = reading.left, reading.right
    if not _of_arrays(model, (left, right), case.paper):
        try:
            yield per_unit(model, left, right)
        except LayoutError:
            case.untyped = True
    if any(True for side in (left, right) for _ in bare(side)):
        yield from arrays(model, left, right, case.paper.shapes)


def _of_arrays(model: Model, sides: tuple[Node, Node], paper: Paper) -> bool:
    """Whether a claim cannot be one of single numbers, by its signs or by stated extents."""
    arrays_stated = {shape.target.symbol for shape in paper.shapes if shape.extents}
    return any(marked(node) for node in (*sides, *(r.body for r in model.rules))) or any(
        access.symbol in arrays_stated for side in sides for access in bare(side)
    )


def models(claim: Claim, paper: Paper, any_loss: bool = False) -> Iterator[Model]:
    """Yield the definitions that a claim may mean, the nearest before it first.

    Args:
        claim: The claim.
        paper: The document.
        any_loss: Whether the number that is differentiated counts as undefined.
    """
    nearest = sorted(
        (d for d in paper.definitions if d.order != claim.order),
        key=lambda d: (d.order >= claim.order, abs(d.order - claim.order)),
    )
    ordered = [*(d for d in paper.gradients if d.order != claim.order), *nearest]
    layers = {letter: LAST_LAYER if letter.isupper() else LAYER for letter in paper.layers}
    sides = [side for r in claim.readings for side in (r.left, r.right)]
    dropped = _loss(claim, ()) if any_loss else None
    seen: list[tuple[Rule, ...]] = []
    for choose in (0, -1):
        rules = tuple(
            rule
            for d in ordered
            for rule in _rules(d, choose)
            if dropped is None or rule.target.symbol != dropped.symbol
        )
        rules = reached(Model(rules, layers), sides)
        if rules not in seen:
            seen.append(rules)
            yield Model(rules, layers, _loss(claim, rules))


def _rules(definition: Definition, choose: int) -> Iterator[Rule]:
    if not isinstance(definition.target, Power) and not definition.conditions:
        body = definition.values[choose]
        yield Rule(definition.name, body, definition.formals, definition.letters)


def _loss(claim: Claim, rules: tuple[Rule, ...]) -> Access | None:
    """The number on top of derivatives that nothing defines."""
    sides = [claim.head, claim.left, claim.right, *(rule.body for rule in rules)]
    for side in sides:
        for _, node in walk(side):
            top = node.of if isinstance(node, Derivative) else None
            defined = any(isinstance(top, Access) and r.target.symbol == top.symbol for r in rules)
            if isinstance(top, Access) and not top.indices and not defined:
                return top
    return None


def _again(judged: Judged, claim: Claim) -> Trial:
    """A claim that held is evaluated again at other sizes."""
    return attempt(judged.typed, claim.ranges, claim.conditions, sizes=OTHER_SIZES, seeds=1)


def _confirmed(judged: Judged, claim: Claim) -> Finding:
    exact = judged.trial.exact and not claim.rounded
    verdict, evidence = ("proved", "exact") if exact else ("agrees", "numeric")
    return _finding(claim, judged, verdict, evidence=evidence)


def _by_convention(case: Case) -> Finding | None:
    for judged in case.judged:
        attempted = Attempted(judged.typed, judged.trial, judged.reading.left, judged.reading.right)
        for convention in CONVENTIONS:
            if convention.holds(attempted):
                return _finding(
                    case.claim, judged, "convention", evidence="exact", convention=convention.words
                )
    return None


def _against(case: Case) -> Finding:
    """The verdict on a claim that holds in no reading: refuted, if all gates are passed."""
    if not case.judged:
        return _misshapen(case)
    refuting = next((j for j in case.judged if j.trial.different), None)
    reason = _gate(case, refuting)
    if refuting is None or reason:
        return _finding(case.claim, refuting or case.judged[0], "undecided", reason=reason)
    explanation = _best_explanation(case, refuting)
    if _on_diagonal(refuting.trial) and (
        explanation is None or "diagonal_only" in explanation.diagnosis.kinds
    ):
        letters = " and ".join(refuting.trial.sizes)
        detail = f"holds only where {letters} are equal"
        diagnosis = Diagnosis("diagonal_only", ("diagonal_only",), detail)
        right = explanation.right if explanation else None
        return _refuted(case.claim, refuting, diagnosis, right)
    strange = undefined_functions(refuting.typed)
    if strange and (explanation is None or _reads(explanation.right, strange)):
        reason = f"nothing says which function {strange[0].name} is"
        return _finding(case.claim, refuting, "undecided", reason=reason)
    if explanation is None and not _fully_defined(refuting):
        reason = "the sides differ, and no single mistake explains it"
        return _finding(case.claim, refuting, "undecided", reason=reason)
    diagnosis = Diagnosis("other", ("other",), "no single mistake explains it")
    if explanation is not None:
        return _refuted(case.claim, refuting, explanation.diagnosis, explanation.right)
    return _refuted(case.claim, refuting, diagnosis, None)


def _reads(node: Node, functions: list[Access]) -> bool:
    """Whether one of the functions is still read without a prime."""
    symbols = {function.symbol for function in functions}
    return any(
        isinstance(here, Apply) and not here.primes and here.function.symbol in symbols
        for _, here in walk(node)
    )


def _on_diagonal(trial: Trial) -> bool:
    """Whether a claim holds exactly where two letters are equal."""
    return (
        bool(trial.passed)
        and all(point.coincident for point in trial.passed)
        and not any(point.coincident for point in trial.failed)
    )


def _gate(case: Case, refuting: Judged | None) -> str:
    """Why a claim must not be refuted; empty if it may be."""
    reasons = [judged.trial.reason for judged in case.judged if judged.trial.reason]
    if reasons:
        return reasons[0]
    if refuting is None:
        return "nothing ties the sides to each other"
    trial = refuting.trial
    strange = sorted(trial.free[1] - trial.free[0])
    mixed = _mixed(refuting)
    coincident = all(point.coincident for point in trial.failed)
    gates = (
        (case.claim.rounded or _worked(refuting), "numbers may be rounded"),
        (
            not all(judged.trial.tied for judged in case.judged),
            "no definition leads to a variable of differentiation",
        ),
        (
            not all(judged.trial.different for judged in case.judged),
            "another reading could not be told",
        ),
        (bool(strange), f"nothing ties {strange[0][0] if strange else ''} to the left side"),
        (bool(mixed), f"{mixed} stands both with and without an index"),
        (
            coincident
            and any(not point.coincident for point in trial.passed)
            and not _tells_cases(refuting.reading.right),
            "fails only where two indices are equal",
        ),
    )
    return next((words for blocks, words in gates if blocks), "")


def _worked(judged: Judged) -> bool:
    """Whether a claim holds decimals, as worked examples do."""
    return any(
        isinstance(here, Number) and here.is_decimal
        for side in (judged.reading.left, judged.reading.right)
        for _, here in walk(side)
    )


def _tells_cases(node: Node) -> bool:
    """Whether a formula itself says what holds where indices are equal."""
    return any(isinstance(here, Delta | Indicator | Cases) for _, here in walk(node))


def _mixed(judged: Judged) -> str:
    """A name that stands with and without an index in a reading of one unit."""
    if judged.typed.layout.kinds:
        return ""
    nodes = [judged.reading.left, judged.reading.right, *(r.body for r in judged.model.rules)]
    indexed = {
        a.symbol for node in nodes for _, a in walk(node) if isinstance(a, Access) and a.indices
    }
    return next((a.name for node in nodes for a in bare(node) if a.symbol in indexed), "")


def _fully_defined(judged: Judged) -> bool:
    abstract = undefined_functions(judged.typed, primed=True)
    return not (judged.typed.layout.kinds or judged.trial.arbitrary or abstract)


def _best_explanation(case: Case, refuting: Judged) -> Explanation | None:
    """Look in the layouts before the refuting one first: there the claim has not even a shape."""
    order = ("vectors are columns", "vectors are rows")
    for words in order:
        if refuting.typed.layout.kinds and not refuting.typed.layout.name.startswith(words):
            for judged in case.mismatched:
                if judged.typed.layout.name.startswith(words):
                    explanation = _explained(case, judged)
                    if explanation is not None:
                        return explanation
                    break
    return _explained(case, refuting)


def _explained(case: Case, judged: Judged) -> Explanation | None:
    case.steps = max(case.steps, STEPS_OF_EXPLAINING)
    elaborator = Elaborator(judged.typed.layout)
    rules = judged.model.rules
    left = judged.reading.left
    lefts = Lefts()

    def holds(right: Node) -> bool:
        if case.steps <= 0:
            return False
        case.steps -= STEPS_OF_AN_IDEA
        try:
            typed = replace(judged.typed, right=elaborator.units(right))
        except LayoutError:
            return False
        if not typed.fits:
            return False
        for seeds in (1, 2):
            trial = attempt(
                typed,
                case.claim.ranges,
                case.claim.conditions,
                seeds=seeds,
                steps=STEPS_OF_AN_EDIT,
                stop=True,
                lefts=lefts,
            )
            case.steps -= trial.steps + STEPS_OF_SETTING_UP
            if not (trial.equal and trial.tied):
                return False
        return True

    bodies = tuple(rule.body for rule in reached(judged.model, (left,)) if rule in rules)
    return explain(judged.reading.right, Context(left, bodies), holds)


def _misshapen(case: Case) -> Finding:
    """No layout gives both sides one shape: refuted where an edit mends it."""
    if not case.mismatched or case.untyped:
        return _finding(case.claim, None, "undecided", reason="no layout fits the definitions")
    for judged in case.mismatched[:2]:
        explanation = _explained(case, judged)
        if explanation is not None:
            return _refuted(case.claim, judged, explanation.diagnosis, explanation.right)
    reason = "the sides differ in shape, and no single mistake explains it"
    return _finding(case.claim, case.mismatched[0], "undecided", reason=reason)


def _refuted(claim: Claim, judged: Judged, diagnosis: Diagnosis, right: Node | None) -> Finding:
    derived = shown = None
    if right is not None:
        left = latex(judged.reading.left)
        derived = f"{left} = {latex(right)}"
        shown = marked_difference(f"{left} = {latex(judged.reading.right)}", derived)
    return replace(
        _finding(claim, judged, "refuted", evidence="exact" if judged.trial.exact else "numeric"),
        diagnosis=diagnosis,
        derived=derived,
        marked=shown,
        counterexample=_counterexample(judged),
    )


def _counterexample(judged: Judged) -> dict[str, object]:
    if not judged.trial.failed:
        return {"shapes": "the sides differ in shape in every layout"}
    point = judged.trial.failed[0]
    letters: dict[str, object] = {k: v for k, v in point.letters if not k.startswith("_")}
    return {**letters, "left": point.left, "right": point.right}


def _finding(
    claim: Claim,
    judged: Judged | None,
    verdict: str,
    *,
    evidence: str | None = None,
    convention: str | None = None,
    reason: str | None = None,
) -> Finding:
    source = claim.source
    reading = judged.reading if judged else claim.readings[0]
    return Finding(
        path=source.path,
        line=source.line,
        column=source.column,
        cell=source.cell,
        claim=source.text,
        read_as=f"{latex(reading.left)} = {latex(reading.right)}",
        verdict=verdict,
        evidence=evidence,
        sizes=dict(judged.trial.sizes) if judged else {},
        convention=convention,
        reading=judged.words if judged else None,
        reason=reason,
    )
