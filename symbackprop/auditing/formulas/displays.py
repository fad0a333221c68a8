"""The verdicts on all claims of a document: chains hold together, and displays keep one layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.auditing.finding import PASSES, Finding
from symbackprop.auditing.formulas.binding import Claim, Paper, Reading
from symbackprop.auditing.formulas.cases import Case, readings
from symbackprop.auditing.formulas.decide import judge
from symbackprop.auditing.formulas.kinds import FORMS
from symbackprop.auditing.formulas.model import index_letters


def judge_all(claims: Sequence[Claim], paper: Paper) -> list[Finding]:
    """Return the verdicts on the claims of a document.

    A link that holds after one that was left open says nothing of where its chain began: if the
    two clearly differ, it is left open too. Gradients of one display are all shaped like their
    variables, or none is.
    """
    found: list[Finding] = []
    is_open: dict[int, bool] = {}
    for claim in claims:
        here = judge(claim, paper)
        if is_open.get(claim.order) and here.verdict in PASSES and _strays(claim, paper):
            reason = "the link holds, but differs from where its chain begins"
            here = replace(here, verdict="undecided", evidence=None, reason=reason)
        is_open[claim.order] = here.verdict == "undecided" or (claim.gap and bool(claim.link))
        found.append(here)
    displays: dict[int, list[int]] = {}
    for place, claim in enumerate(claims):
        displays.setdefault(claim.group, []).append(place)
    for places in displays.values():
        _in_one_layout(places, found, claims, paper)
    return found


def _in_one_layout(
    places: Sequence[int], found: list[Finding], claims: Sequence[Claim], paper: Paper
) -> None:
    """Judge claims of one display again where they hold, but not in one form of derivatives."""
    forms = {place: _form(found[place]) for place in places if found[place].verdict in PASSES}
    if len({form for form in forms.values() if form}) < 2:
        return
    best: dict[int, Finding] = {}
    for form in FORMS:
        again = {place: judge(claims[place], paper, form) for place, kept in forms.items() if kept}
        if _passing(again) > _passing(best):
            best = again
    for place, finding in best.items():
        found[place] = finding


def _passing(findings: dict[int, Finding]) -> int:
    return sum(finding.verdict in PASSES for finding in findings.values())


def _form(finding: Finding) -> str:
    """Return the form of derivatives in which a claim was found to hold; empty for numbers."""
    return next((form for form in FORMS if form in (finding.reading or "")), "")


def _strays(claim: Claim, paper: Paper) -> bool:
    """Whether the beginning of a chain differs from the right side of a link, both with indices."""
    if not {*index_letters(claim.head), *index_letters(claim.right)}:
        return False
    whole = replace(claim, readings=(Reading(claim.head, claim.right),))
    tried = list(readings(Case(whole, paper)))
    return any(part.trial.different for part in tried)
