"""Why a claim is refuted: which single mistake explains it, and the patch that undoes it."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from symbackprop.auditing.code.claims import as_nodes, claims
from symbackprop.auditing.code.edits import Edit, edited, edits, patch, sides
from symbackprop.auditing.code.effort import EDIT, Effort, ExhaustedError
from symbackprop.auditing.code.faults import Fault, Raised
from symbackprop.auditing.code.judge import compare, equal
from symbackprop.auditing.code.objectives import Losses, objectives
from symbackprop.auditing.code.pairs import Pair, definition
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.running import main_output
from symbackprop.auditing.code.scenario import Scenario
from symbackprop.auditing.code.specs import SMALLEST, Setup
from symbackprop.auditing.code.sweep import gradients
from symbackprop.auditing.code.trials import Outcome, Trial, holds
from symbackprop.auditing.finding import Diagnosis

# Units of work for one patch to be tried where its claim was refuted.
MENDING = 500_000
MOST_EDITS = 400
MOST_FITS = 3
MOST_OUTPUTS = 60


@dataclass(frozen=True)
class Explained:
    """A diagnosis; where one edit undoes the mistake its diff, and the line before and after."""

    diagnosis: Diagnosis
    patch: str | None = None
    lines: tuple[str, str] | None = None


def explain(project: Project, pair: Pair, outcome: Outcome) -> Explained:
    """Return the diagnosis of a refuted claim: by its ratio to the truth, or by an edit."""
    plain = _plain(outcome)
    if outcome.trial is None or outcome.compared is None or isinstance(outcome.fault, Raised):
        return Explained(plain)
    try:
        return _explained(project, pair, outcome, outcome.trial, plain)
    except ExhaustedError:
        return Explained(plain)


def _explained(
    project: Project, pair: Pair, outcome: Outcome, trial: Trial, plain: Diagnosis
) -> Explained:
    """What explains a claim beyond its numbers.

    Raises:
        ExhaustedError: If that takes too much.
    """
    if plain.kind == "other" and _is_diagonal(outcome, trial):
        detail = "only the diagonal of the Jacobian is taken"
        return Explained(Diagnosis("diagonal_only", ("diagonal_only",), detail))
    smallest = _smallest(project, pair, outcome, trial)
    if smallest is None:
        detail = "right for one step: what flows through earlier steps is missing"
        return Explained(Diagnosis("missing_term", ("missing_term",), detail))
    fits = list(_fits(project, pair, outcome, trial, smallest))
    path = project.module.path
    diff, lines = next(
        (
            (text, sides(project.module, e))
            for e in fits
            if (text := patch(project.module, e, path))
            and _mends(project, pair, outcome.variable, e, trial)
        ),
        (None, None),
    )
    if plain.kind not in ("other", "shape"):
        return Explained(plain, diff, lines)
    if not fits:
        return Explained(plain)
    kinds = tuple(dict.fromkeys(edit.kind for edit in fits))
    return Explained(Diagnosis(kinds[0], kinds[:1], fits[0].words), diff, lines)


def _plain(outcome: Outcome) -> Diagnosis:
    """What the numbers alone say."""
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


def _is_diagonal(outcome: Outcome, trial: Trial) -> bool:
    """Whether a claim is each output's derivative by the input of its own place alone."""
    main = main_output(trial.followed.output)
    outputs = None if main is None else as_nodes(trial.followed, main)
    assert outcome.compared is not None
    claim = outcome.compared.claim
    originals = trial.followed.inputs.originals
    if outputs is None or len(claim.names) != 1:
        return False
    inputs = originals[claim.names[0]]
    claimed = claim.values[0]
    if not 1 < outputs.size <= MOST_OUTPUTS or not inputs.shape == outputs.shape == claimed.shape:
        return False
    if any(output not in trial.target.seeds for output in outputs.flat):
        return False
    own = [
        gradients({output: trial.target.seeds[output]}, [place])[0]
        for output, place in zip(outputs.ravel(), inputs.ravel(), strict=True)
    ]
    return bool(equal(list(claimed.ravel()), own, 3))


def _factor(outcome: Outcome, ratio: float) -> Diagnosis:
    if abs(ratio + 1) < 1e-9:
        return Diagnosis("sign", ("sign",), "the sign is wrong", -1.0)
    sign = "minus " if ratio < 0 else ""
    words = outcome.factor or f"{abs(ratio):.6g}"
    detail = f"the claim is {sign}{words} times the derived gradient"
    kind = "reduction" if "shape" in words else "factor"
    return Diagnosis(kind, (kind,), detail, ratio)


def _smallest(project: Project, pair: Pair, outcome: Outcome, trial: Trial) -> Setup | None:
    """Return the smallest setup in which a claim fails; None if it is right for one step alone.

    Mistakes of several steps mix; one step shows one of them.
    """
    if not any(" at step " in name for name in trial.setup.specs):
        small = trial.setup.copy()
        small.sizes = small.sizes.copy(SMALLEST)
        wrong = is_true(project, pair, outcome.variable, small, _effort(trial)) is False
        return small if wrong else trial.setup
    setup = trial.setup.copy()
    setup.steps = 1
    return None if is_true(project, pair, outcome.variable, setup, _effort(trial)) else setup


def _effort(trial: Trial) -> Effort:
    return trial.followed.machine.effort


def _fits(
    project: Project, pair: Pair, outcome: Outcome, trial: Trial, setup: Setup
) -> Iterator[Edit]:
    """Yield edits that make the claim true, as many as are found for the work allowed."""
    found = 0
    candidates = _candidates(project, pair, trial, outcome.variable)
    places = (setup, _elsewhere(setup))
    for edit in itertools.islice(candidates, MOST_EDITS):
        if found >= MOST_FITS:
            return
        try:
            _effort(trial).spend(EDIT)
            other = project.with_module(edited(project.module, edit))
            if all(is_true(other, pair, outcome.variable, p, _effort(trial)) for p in places):
                found += 1
                yield edit
        except ExhaustedError:
            return


def _mends(project: Project, pair: Pair, variable: str, edit: Edit, trial: Trial) -> bool:
    """Whether an edit makes the claim true where it was refuted, over all steps."""
    other = project.with_module(edited(project.module, edit))
    effort = _effort(trial)
    with effort.beyond(MENDING):
        return bool(is_true(other, pair, variable, _elsewhere(trial.setup), effort))


def _elsewhere(setup: Setup) -> Setup:
    new = setup.copy()
    new.seed += 77
    return new


def _candidates(project: Project, pair: Pair, trial: Trial, variable: str) -> Iterator[Edit]:
    module = project.module
    record = trial.followed.machine.record
    lines = {line for path, _, line in record.lines if path == module.path}
    before = _lines_of(module_functions(project, [pair.function.name] if pair.function else []))
    names = [pair.derivative.name, *dict.fromkeys(record.calls)]
    attributes = sorted(
        {
            node.attr
            for statement in module.body
            for node in ast.walk(statement)
            if isinstance(node, ast.Attribute)
        }
    )
    seen: set[ast.AST] = set()
    queues = []
    for function in module_functions(project, names):
        own = pair.function is not None and function.lineno in before
        if function not in seen and not own:
            seen.add(function)
            queues.append(list(edits(function, attributes, lines)))
    words = {w for w in variable.replace("self.", "").replace("_", " ").split() if w}
    flat = [edit for queue in queues for edit in queue]
    # Lines that name the gradient come first.
    texts = {id(e): module.line_text(e.old) for e in flat}
    flat.sort(key=lambda e: not any(w in texts[id(e)] for w in words))
    yield from flat


def _lines_of(functions: list[ast.FunctionDef]) -> set[int]:
    return {function.lineno for function in functions}


def module_functions(project: Project, names: list[str]) -> list[ast.FunctionDef]:
    """Return the definitions in the audited file of functions by their qualified names."""
    found = [definition(project.module, name) for name in names]
    return [node for node in found if isinstance(node, ast.FunctionDef)]


def is_true(
    project: Project, pair: Pair, variable: str, setup: Setup, effort: Effort
) -> bool | None:
    """Return whether a claim is true in one run of one setup; None if it does not run."""
    try:
        followed = Scenario(project, pair, setup.copy(), effort).run()
        wanted = (variable,) if variable in pair.wrt else ()
        for claim in claims(followed, wanted):
            if claim.variable == variable:
                for target in objectives(followed, Losses(project, pair)):
                    compared = compare(followed, target, claim, 5)
                    if holds(compared) and not compared.zero:
                        return True
    except (Fault, RecursionError):
        return None
    return False
