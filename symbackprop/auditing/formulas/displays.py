"""The verdicts on all claims of a document: chains hold together, and displays keep one layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from symbackprop.auditing.finding import PASSES, Finding
from symbackprop.auditing.formulas.binding import Claim, Paper, Reading
from symbackprop.auditing.formulas.cases import Case, readings
from symbackprop.auditing.formulas.decide import judge
from symbackprop.auditing.formulas.kinds import FORMS
from symbackprop.auditing.formulas.model import index_letters


def judge_all(claims: Sequence[Claim], paper: Paper) -> list[Finding]:
    """Return the verdicts on the claims of a document.

    Gradients of one display are all shaped like their variables, or none is.
    """
    found: list[Finding] = []
    chains: dict[int, _Chain] = {}
    for claim in claims:
        chain = chains.setdefault(claim.order, _Chain(paper))
        found.append(chain.judged(claim))
    displays: dict[int, list[int]] = {}
    for place, claim in enumerate(claims):
        displays.setdefault(claim.group, []).append(place)
    for places in displays.values():
        _in_one_layout(places, found, claims, paper)
    return found


@dataclass
class _Chain:
    """The links of one chain in turn.

    A link that holds after one that was left open says nothing of where its chain began. So what
    follows an open link is judged as a right side of the chain's beginning, too.
    """

    paper: Paper
    is_open: bool = False
    is_broken: bool = False
    wholes: int = 0

    def judged(self, claim: Claim) -> Finding:
        """Return the verdict on the next link."""
        here = judge(claim, self.paper)
        passes = here.verdict in PASSES
        follows = self.is_open or (claim.gap and bool(claim.link)) or not passes
        if claim.link and follows and not self.is_broken and here.verdict != "refuted":
            here = self._from_beginning(claim, here)
        self.is_open = here.verdict == "undecided"
        self.is_broken = self.is_broken or here.verdict == "refuted"
        return here

    def _from_beginning(self, claim: Claim, here: Finding) -> Finding:
        """The verdict on a link whose left side is not known to equal where its chain begins."""
        passes = here.verdict in PASSES
        if passes and not _strays(claim, self.paper):
            return here
        self.wholes += 1
        if self.wholes <= MOST_WHOLES:
            whole = judge(_whole(claim), self.paper)
            if whole.verdict == "refuted" or (whole.verdict in PASSES and not passes):
                return whole
        if passes:
            reason = "the link holds, but differs from where its chain begins"
            return replace(here, verdict="undecided", evidence=None, reason=reason)
        return here


# How many members of one chain are compared with its beginning.
MOST_WHOLES = 4


def _whole(claim: Claim) -> Claim:
    """Return what a chain says of its beginning by a link's right side."""
    made = (Reading(claim.head, r.right, r.choice) for r in claim.readings)
    return replace(claim, readings=tuple(dict.fromkeys(made)))


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
    tried = list(readings(Case(_whole(claim), paper)))
    return any(part.trial.different for part in tried)
