"""Why a claim that differs must not be refuted."""

from __future__ import annotations

from symbackprop.auditing.formulas.assignments import bare
from symbackprop.auditing.formulas.cases import Case, Judged
from symbackprop.auditing.formulas.conventions import undefined_functions
from symbackprop.auditing.formulas.layouts import ONES
from symbackprop.auditing.formulas.model import index_letters
from symbackprop.auditing.formulas.tree import (
    Access,
    Apply,
    Big,
    Bound,
    Cases,
    Delta,
    Derivative,
    Indicator,
    Node,
    Number,
    accesses,
    within,
)
from symbackprop.auditing.formulas.trial import Trial


def gate(case: Case, refuting: Judged | None) -> str:
    """Why a claim must not be refuted; empty if it may be."""
    reasons = [judged.trial.reason for judged in case.judged if judged.trial.reason]
    if reasons:
        return reasons[0]
    if refuting is None:
        return "nothing ties the sides to each other"
    trial = refuting.trial
    strange = sorted(trial.free[1] - trial.free[0])
    mixed = [] if refuting.typed.layout.kinds else sorted(trial.mixed)
    unread = _unread(case, refuting)
    listed = _listed(case, refuting)
    coincident = all(point.coincident for point in trial.failed)
    gates = (
        (case.claim.rounded or _worked(refuting), "numbers may be rounded"),
        (
            not all(judged.trial.tied for judged in case.judged),
            "no definition leads to a variable of differentiation",
        ),
        (
            not all(judged.trial.different or judged.trial.vanishes for judged in case.judged),
            "another reading could not be told",
        ),
        (
            trial.arbitrary and refuting.model.recurs,
            "nothing says which steps of a recurrence the loss reads",
        ),
        (refuting.typed.partial, "a definition fits no layout together with the others"),
        (bool(listed), f"{listed} is given by its elements"),
        (bool(unread), f"a formula for {unread} could not be read"),
        (bool(strange), f"nothing ties {strange[0][0] if strange else ''} to the left side"),
        # Where units are counted from 0, the first of them looks like what stands before it.
        (bool(trial.before), f"{min(trial.before, default='')} is read at 0"),
        (bool(mixed), f"{mixed[0] if mixed else ''} stands both with and without an index"),
        (_is_idle(refuting), "a sum runs over an index that nothing in it bears"),
        (
            bool(trial.passed) and _limited(refuting),
            "holds at some places, and sums end at an index",
        ),
        (
            coincident
            and any(not point.coincident for point in trial.passed)
            and not _tells_cases(refuting.reading.right),
            "fails only where two indices are equal",
        ),
    )
    return next((words for blocks, words in gates if blocks), "")


def _listed(case: Case, judged: Judged) -> str:
    """A name that a claim rests on and that is given by its elements, which are not followed."""
    nodes = [judged.reading.left, judged.reading.right, *(r.body for r in judged.model.rules)]
    names = (access for node in nodes for access in accesses(node))
    return next((name.name for name in names if name.symbol in case.paper.listed), "")


def _unread(case: Case, judged: Judged) -> str:
    """What a claim differentiates, if a formula for it stands nearer and could not be read."""
    here = case.claim.source.display
    for top in judged.tops:
        places = [r.source.display for r in judged.model.named(top.symbol) if r.source]
        used = max((place for place in places if place <= here), default=-1)
        for name, display in case.paper.unread_names:
            if name == top.name and used < display <= here:
                return name
    return ""


def stranger(judged: Judged) -> str:
    """A name that one side reads and neither the other side nor a definition knows."""
    sides = (judged.reading.left, judged.reading.right)
    known = {
        a.symbol for r in judged.model.rules for part in (r.target, r.body) for a in accesses(part)
    }
    for side in sides:
        derivatives = (node for node in within(side) if isinstance(node, Derivative))
        known |= {a.symbol for derivative in derivatives for a in accesses(derivative)}
        known |= {n.function.symbol for n in within(side) if isinstance(n, Apply)}
        known |= {access.symbol for access in accesses(side) if access.name == ONES}
    left, right = ({a.symbol for a in accesses(side)} - known for side in sides)
    return next((symbol[0] for symbol in sorted(left ^ right)), "")


def moves(function: Access, judged: Judged) -> bool:
    """Whether what a function is read at may depend on a variable of differentiation."""
    nodes = [judged.reading.left, judged.reading.right, *(r.body for r in judged.model.rules)]
    found = [here for node in nodes for here in within(node)]
    variables = {
        access.symbol
        for here in found
        if isinstance(here, Derivative)
        for by in here.by
        for access in accesses(by)
    }
    read = {
        access.symbol
        for here in found
        if isinstance(here, Apply) and here.function.symbol == function.symbol
        for argument in here.arguments
        for access in accesses(argument)
    }
    reaches = [judged.model.reach(symbol) for symbol in read]
    return not read or any(reach is None or reach & variables for reach in reaches)


def _is_idle(judged: Judged) -> bool:
    """Whether a sum's terms bear no index at all, so that they bear it unsaid: Σ_i (y − ŷ)."""
    nodes = (n for side in (judged.reading.left, judged.reading.right) for n in within(side))
    sums = (node for node in nodes if isinstance(node, Big) and node.bounds)
    return any(any(bare(big.body)) and not any(index_letters(big.body)) for big in sums)


def _limited(judged: Judged) -> bool:
    """Whether a sum begins or ends at an index, as Σ from k = 1 to t."""
    bodies = [judged.reading.left, judged.reading.right, *(r.body for r in judged.model.rules)]
    letters = {name for body in bodies for name in index_letters(body)}
    letters |= {
        i.name for r in judged.model.rules for i in r.target.indices if isinstance(i, Access)
    }
    return any(
        isinstance(limit, Access) and limit.name in letters
        for body in bodies
        for here in within(body)
        if isinstance(here, Bound)
        for limit in (here.lower, here.upper)
    )


def _worked(judged: Judged) -> bool:
    """Whether a claim holds decimals, as worked examples do."""
    return any(
        isinstance(here, Number) and here.is_decimal
        for side in (judged.reading.left, judged.reading.right)
        for here in within(side)
    )


def _tells_cases(node: Node) -> bool:
    """Whether a formula itself says what holds where indices are equal."""
    return any(isinstance(here, Delta | Indicator | Cases) for here in within(node))


def on_diagonal(trial: Trial) -> bool:
    """Whether a claim holds exactly where two letters are equal."""
    return (
        bool(trial.passed)
        and all(point.coincident for point in trial.passed)
        and not any(point.coincident for point in trial.failed)
    )


def fully_defined(judged: Judged) -> bool:
    """Whether a claim is one of single numbers, with nothing undetermined in it."""
    abstract = undefined_functions(judged.typed, primed=True)
    return not (judged.typed.layout.kinds or judged.trial.arbitrary or abstract)
