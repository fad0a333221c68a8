"""The verdict on a claim: every reading and layout is tried, and the best one counts.

A claim is refuted only where nothing was left unread, every undefined name of it was reached from
what the definitions say, and no other reading holds; else it is undecided. A false refutation is
the worst mistake that an audit can make.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from symbackprop.auditing.finding import Diagnosis, Finding
from symbackprop.auditing.formulas.binding import Claim, Paper, Reading
from symbackprop.auditing.formulas.cases import STEPS, Case, Judged, readings
from symbackprop.auditing.formulas.conventions import CONVENTIONS, Attempted, undefined_functions
from symbackprop.auditing.formulas.customs import CUSTOMS, end_of_path, spelled
from symbackprop.auditing.formulas.diagnose import Explanation
from symbackprop.auditing.formulas.explaining import (
    STEPS_OF_EXPLAINING,
    best_explanation,
    explained,
)
from symbackprop.auditing.formulas.gates import fully_defined, gate, moves, on_diagonal, stranger
from symbackprop.auditing.formulas.model import Model, Symbol
from symbackprop.auditing.formulas.models import ASSUMPTIONS, as_written, others
from symbackprop.auditing.formulas.tree import (
    Access,
    Apply,
    Derivative,
    Node,
    within,
)
from symbackprop.auditing.formulas.trial import OTHER_SIZES, Trial, attempt
from symbackprop.auditing.formulas.verdicts import confirmed, finding, refuted


def judge(claim: Claim, paper: Paper, form: str = "") -> Finding:
    """Return the verdict on one claim of a document.

    Args:
        claim: The claim.
        paper: The document.
        form: The form of derivatives of arrays, one of `FORMS`; empty for any.
    """
    cases: list[Case] = []
    for assumption in ASSUMPTIONS:
        case = Case(claim, paper, assumption, max(STEPS // 2, STEPS - _spent(cases)), form=form)
        proved = _proved(case)
        if proved is not None:
            return proved
        cases.append(case)
        if case.judged and case.tied:
            break
    further: list[Case] = []
    for assumption in (as_written, *others(claim, paper)):
        steps = max(0, STEPS // 2 - _spent(further))
        case = Case(claim, paper, assumption, steps, assumption is as_written, form)
        proved = _proved(case)
        if proved is not None:
            return proved
        further.append(case)
    by_convention = _by_convention((cases[0], *further)) or _by_form((*cases, *further))
    if by_convention is not None:
        return by_convention
    settled = _settled(cases)
    if settled.verdict == "undecided":
        return _off_path(cases[0]) or settled
    if settled.verdict == "refuted" and not _refutes(further[0]):
        reason = "another reading could not be told"
        return finding(claim, cases[0].judged[0], "undecided", reason=reason)
    return settled


def _off_path(case: Case) -> Finding | None:
    """Refute a product of derivatives whose left side is a link of its own path."""
    for judged in case.judged:
        left, right = judged.reading.left, judged.reading.right
        end = end_of_path(left, right)
        if end is None:
            continue
        typed = replace(judged.typed, model=replace(judged.typed.model, rules=()))
        trial = attempt(typed, path=True, stop=True)
        if trial.different and trial.named:
            diagnosis = Diagnosis("wrong_variable", ("wrong_variable",), "the path leads elsewhere")
            return refuted(case.claim, replace(judged, trial=trial), diagnosis, (end, right))
    return None


def _settled(cases: list[Case]) -> Finding:
    """The verdict on a claim that holds nowhere."""
    if cases[-1].judged and cases[-1].tied:
        return _against(cases[-1])
    tried = next((case for case in cases if case.judged), None)
    return _misshapen(cases) if tried is None else _against(tried)


def _refutes(case: Case) -> bool:
    """Whether nothing that was tried leaves a claim a chance."""
    return all(judged.trial.different or judged.trial.vanishes for judged in case.judged)


def _spent(cases: Sequence[Case]) -> int:
    return sum(case.spent for case in cases)


def _proved(case: Case) -> Finding | None:
    for judged in readings(case):
        trial = judged.trial
        if trial.equal and trial.tied:
            trial = _again(judged, case.claim)
            if trial.equal or trial.reason == "budget":
                return confirmed(judged, case.claim)
        case.judged.append(replace(judged, trial=trial))
    # A reading that takes arrays for numbers says nothing against one that does not.
    case.judged = [judged for judged in case.judged if not judged.mixes] or case.judged
    return None


def _again(judged: Judged, claim: Claim) -> Trial:
    """A claim that held is evaluated again at other sizes."""
    return attempt(judged.typed, claim.ranges, claim.conditions, sizes=OTHER_SIZES, seeds=1)


def _by_convention(cases: Sequence[Case]) -> Finding | None:
    for case in cases:
        for judged in case.judged:
            reading = judged.reading
            attempted = Attempted(judged.typed, judged.trial, reading.left, reading.right)
            for convention in CONVENTIONS:
                if convention.holds(attempted):
                    words = convention.words
                    return finding(
                        case.claim, judged, "convention", evidence="exact", convention=words
                    )
    return None


def _by_form(cases: Sequence[Case]) -> Finding | None:
    """A claim that no definition decides may hold by what it is made of."""
    tried = [judged.trial for case in cases for judged in case.judged]
    if any(trial.different and trial.tied for trial in tried):
        return None
    claim = cases[0].claim
    defined = {spelled(definition.name) for definition in cases[0].paper.definitions}
    for reading in claim.readings:
        for custom in CUSTOMS:
            if custom.holds(reading.left, reading.right, defined):
                here = replace(claim, readings=(reading,))
                words = custom.words
                return finding(here, None, "convention", evidence="symbolic", convention=words)
    return None


def _against(case: Case) -> Finding:
    """The verdict on a claim that holds in no reading: refuted, if all gates are passed."""
    refuting = next((j for j in case.judged if j.trial.different), None)
    reason = gate(case, refuting)
    if refuting is None or reason:
        return finding(case.claim, refuting or case.judged[0], "undecided", reason=reason)
    for judged in _by_model(case):
        explanation = best_explanation(case, judged)
        if explanation is not None:
            return _explained(case, judged, explanation)
    return _explained(case, refuting, None)


def _by_model(case: Case) -> Iterator[Judged]:
    """Yield the first refuting layout for each reading and each choice of definitions."""
    seen: list[tuple[Reading, Model]] = []
    for judged in case.judged:
        here = judged.reading, judged.model
        if judged.trial.different and here not in seen:
            seen.append(here)
            yield judged


def _explained(case: Case, refuting: Judged, explanation: Explanation | None) -> Finding:
    if on_diagonal(refuting.trial) and (
        explanation is None or "diagonal_only" in explanation.diagnosis.kinds
    ):
        return _on_diagonal_only(case, refuting, explanation)
    reason = _still_open(case, refuting, explanation)
    if reason:
        return finding(case.claim, refuting, "undecided", reason=reason)
    if explanation is None:
        diagnosis = Diagnosis("other", ("other",), "no single mistake explains it")
        return refuted(case.claim, refuting, diagnosis, None)
    return refuted(case.claim, refuting, explanation.diagnosis, explanation.mended)


def _still_open(case: Case, refuting: Judged, explanation: Explanation | None) -> str:
    """Why a claim that differs is left open for want of a definition or of an explanation."""
    left = refuting.reading.left
    unknown = undefined_functions(refuting.typed, primed=True)
    strange = [f for f in undefined_functions(refuting.typed) if moves(f, refuting)]
    if isinstance(left, Apply) and left.primes and left.function.symbol in _symbols(unknown):
        return f"nothing says which function {left.function.name} is"
    if strange and (explanation is None or _reads(explanation.right, strange)):
        return f"nothing says which function {strange[0].name} is"
    if explanation is not None:
        return ""
    if not fully_defined(refuting):
        return "the sides differ, and no single mistake explains it"
    section = case.claim.source.section
    head = case.claim.head.of if isinstance(case.claim.head, Derivative) else None
    used = refuting.model.named(head.symbol) if isinstance(head, Access) else ()
    if any(rule.source and rule.source.section != section for rule in used):
        return "the sides differ, and the definitions stand in another section"
    return ""


def _on_diagonal_only(case: Case, refuting: Judged, explanation: Explanation | None) -> Finding:
    letters = " and ".join(refuting.trial.sizes)
    detail = f"holds only where {letters} are equal"
    diagnosis = Diagnosis("diagonal_only", ("diagonal_only",), detail)
    return refuted(case.claim, refuting, diagnosis, explanation.mended if explanation else None)


def _reads(node: Node, functions: list[Access]) -> bool:
    """Whether one of the functions is still read without a prime."""
    symbols = _symbols(functions)
    return any(
        isinstance(here, Apply) and not here.primes and here.function.symbol in symbols
        for here in within(node)
    )


def _symbols(functions: list[Access]) -> set[Symbol]:
    return {function.symbol for function in functions}


def _misshapen(cases: list[Case]) -> Finding:
    """No layout gives both sides one shape: refuted where an edit mends it."""
    claim, mismatched = cases[0].claim, cases[0].mismatched
    if not mismatched or any(case.untyped for case in cases):
        return finding(claim, None, "undecided", reason="no layout fits the definitions")
    tried = [(case, judged) for case in cases for judged in case.mismatched[:2]]
    if claim.rounded:
        return finding(claim, mismatched[0], "undecided", reason="numbers may be rounded")
    for case, judged in tried:
        if name := stranger(judged):
            return finding(
                claim, judged, "undecided", reason=f"nothing ties {name} to the other side"
            )
        explanation = explained(case, judged, STEPS_OF_EXPLAINING // len(tried))
        if explanation is not None:
            return refuted(claim, judged, explanation.diagnosis, explanation.mended)
    reason = "the sides differ in shape, and no single mistake explains it"
    return finding(claim, mismatched[0], "undecided", reason=reason)
