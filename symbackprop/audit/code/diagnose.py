"""Why a claim is refuted: which single mistake explains it."""

from __future__ import annotations

from symbackprop.audit.code.faults import Raised
from symbackprop.audit.code.pairs import Pair
from symbackprop.audit.code.project import Project
from symbackprop.audit.code.scaling import named
from symbackprop.audit.code.trials import Outcome
from symbackprop.audit.finding import Diagnosis


def diagnosis_of(project: Project, pair: Pair, outcome: Outcome) -> Diagnosis:
    """Return the diagnosis of a refuted claim."""
    if isinstance(outcome.fault, Raised):
        return Diagnosis("raises", ("raises",), f"the derivative raises {outcome.fault}")
    if outcome.trial is None or outcome.compared is None:
        return Diagnosis("other", ("other",), "the claim differs from the derived gradient")
    if not outcome.compared.shaped:
        return Diagnosis("shape", ("shape",), outcome.compared.reason)
    ratio = outcome.compared.ratio
    if ratio is not None:
        return _factor(outcome, ratio)
    return Diagnosis("other", ("other",), "the claim differs from the derived gradient")


def _factor(outcome: Outcome, ratio: float) -> Diagnosis:
    assert outcome.trial is not None
    if abs(ratio + 1) < 1e-9:
        return Diagnosis("sign", ("sign",), "the sign is wrong", -1.0)
    words = named(outcome.trial, abs(ratio))
    sign = "minus " if ratio < 0 else ""
    if words is not None and "shape" in words:
        detail = f"the claim is {sign}{words} times the derived gradient"
        return Diagnosis("reduction", ("reduction",), detail, ratio)
    detail = f"the claim is {sign}{words or f'{abs(ratio):.6g}'} times the derived gradient"
    return Diagnosis("factor", ("factor",), detail, ratio)
