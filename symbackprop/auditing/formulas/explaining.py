"""The search for the mistake in a refuted claim, in the layouts in which it may be one."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.auditing.formulas.cases import STEPS_OF_A_TRIAL, STEPS_OF_SETTING_UP, Case, Judged
from symbackprop.auditing.formulas.diagnose import Explanation, explain
from symbackprop.auditing.formulas.edits import Context
from symbackprop.auditing.formulas.layouts import Elaborator
from symbackprop.auditing.formulas.meanings import reached
from symbackprop.auditing.formulas.tree import (
    Node,
)
from symbackprop.auditing.formulas.trial import OTHER_SIZES, SIZES, Lefts, attempt
from symbackprop.auditing.formulas.units import LayoutError

STEPS_OF_AN_EDIT = 10_000
STEPS_OF_EXPLAINING = 90_000
# What an edit costs that does not even fit the shapes.
STEPS_OF_AN_IDEA = 15


def best_explanation(case: Case, refuting: Judged) -> Explanation | None:
    """Look in the layouts before the refuting one first: there the claim has not even a shape."""
    order = ("vectors are columns", "vectors are rows")
    for words in order:
        if refuting.typed.layout.kinds and not refuting.typed.layout.name.startswith(words):
            for judged in case.mismatched:
                if judged.typed.layout.name.startswith(words):
                    explanation = explained(case, judged)
                    if explanation is not None:
                        return explanation
                    break
    return explained(case, refuting)


def explained(case: Case, judged: Judged, steps: int = STEPS_OF_EXPLAINING) -> Explanation | None:
    """Return the mistake that explains a claim in one layout, if one does.

    Args:
        case: The claim.
        judged: The layout.
        steps: How many steps the search may take, at least.
    """
    case.steps = max(case.steps, steps)
    elaborator = Elaborator(judged.typed.layout)
    left, right = judged.reading.left, judged.reading.right
    lefts = Lefts()

    def true(left: Node | None, right: Node | None, lefts: Lefts, steps: int) -> bool:
        if case.steps <= 0:
            return False
        case.steps -= STEPS_OF_AN_IDEA
        try:
            typed = replace(
                judged.typed,
                left=elaborator.units(left) if left else judged.typed.left,
                right=elaborator.units(right) if right else judged.typed.right,
            )
        except LayoutError:
            return False
        if not typed.fits:
            return False
        for seeds, sizes in ((1, SIZES), (1, OTHER_SIZES)):
            trial = attempt(
                typed,
                case.claim.ranges,
                case.claim.conditions,
                seeds=seeds,
                sizes=sizes,
                steps=steps,
                stop=True,
                lefts=lefts,
            )
            case.steps -= trial.steps + STEPS_OF_SETTING_UP
            if not (trial.equal and trial.tied):
                return False
        return True

    # Where the left side itself has no meaning no right side can mend it.
    mendable = true(None, left, lefts, STEPS_OF_A_TRIAL)
    definitions = tuple((r.target, r.body) for r in reached(judged.model.rules, (left, right)))
    return explain(
        right,
        Context(left, definitions),
        lambda edited: mendable and true(None, edited, lefts, STEPS_OF_AN_EDIT),
        lambda edited: true(edited, None, Lefts(), STEPS_OF_AN_EDIT),
    )
