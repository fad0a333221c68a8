"""Findings from what was tried."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.auditing.finding import Diagnosis, Finding
from symbackprop.auditing.formulas.binding import Claim
from symbackprop.auditing.formulas.cases import Judged
from symbackprop.auditing.formulas.reading.printing import latex, read_as
from symbackprop.auditing.formulas.symbolic.proof import holds_for_all_sizes
from symbackprop.auditing.formulas.tree import Node
from symbackprop.auditing.spelling import marked_difference


def confirmed(judged: Judged, claim: Claim) -> Finding:
    """Return that a claim holds: for all sizes if that can be told, else at those tried."""
    if not claim.rounded and holds_for_all_sizes(judged.typed, claim.ranges):
        return replace(finding(claim, judged, "proved", evidence="symbolic"), sizes={})
    exact = judged.trial.exact and not claim.rounded
    verdict, evidence = ("proved", "exact") if exact else ("agrees", "numeric")
    return finding(claim, judged, verdict, evidence=evidence)


def refuted(
    claim: Claim, judged: Judged, diagnosis: Diagnosis, mended: tuple[Node, Node] | None
) -> Finding:
    """Return that a claim is wrong, with the sides that the diagnosis leads to."""
    derived = shown = None
    if mended is not None:
        derived = " = ".join(map(latex, mended))
        written = judged.reading.left, judged.reading.right
        shown = marked_difference(" = ".join(map(latex, written)), derived)
    return replace(
        finding(claim, judged, "refuted", evidence="exact" if judged.trial.exact else "numeric"),
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


def finding(
    claim: Claim,
    judged: Judged | None,
    verdict: str,
    *,
    evidence: str | None = None,
    convention: str | None = None,
    reason: str | None = None,
) -> Finding:
    """Return a verdict on a claim as it was read."""
    source = claim.source
    reading = judged.reading if judged else claim.readings[0]
    return Finding(
        path=source.path,
        line=source.line,
        column=source.column,
        cell=source.cell,
        claim=source.text,
        read_as=f"{read_as(reading.left)} = {read_as(reading.right)}",
        verdict=verdict,
        evidence=evidence,
        sizes=dict(judged.trial.sizes) if judged else {},
        convention=convention,
        reading=judged.words if judged else None,
        reason=reason,
    )
