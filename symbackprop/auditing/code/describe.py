"""A verdict on a pair as a finding: where it stands, under what it holds, what refutes it."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from symbackprop.auditing.code.coverage import missed
from symbackprop.auditing.code.dag import reachable
from symbackprop.auditing.code.diagnose import explain
from symbackprop.auditing.code.faults import Raised
from symbackprop.auditing.code.formulas import formula, input_name, names_of
from symbackprop.auditing.code.judge import Compared
from symbackprop.auditing.code.pairs import Pair, Part, definition
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.trials import Outcome, Trial
from symbackprop.auditing.finding import Finding
from symbackprop.auditing.spelling import CODE, marked_difference

# A counterexample names its inputs where they are at most this many.
MOST_INPUTS = 4


def described(project: Project, pair: Pair, outcome: Outcome) -> Finding:
    """Return the finding of an outcome, diagnosed where it is refuted."""
    line, column, cell = place(project, pair.derivative)
    refuted = outcome.verdict == "refuted"
    explained = explain(project, pair, outcome) if refuted else None
    notes = [outcome.reason or ""]
    if outcome.trial is not None and outcome.trial.followed.machine.replaced:
        called = set(outcome.trial.followed.machine.record.calls)
        replaced = sorted(set(project.corrected) & called - {pair.derivative.name})
        if replaced:
            notes.append(f"with what is derived for {', '.join(replaced)}")
    if outcome.trial is not None and outcome.verdict != "refuted":
        notes.append(missed(project, pair, outcome.trial))
        notes += sorted(outcome.trial.followed.machine.record.notes)
        if outcome.trial.followed.machine.graph.underflowed:
            notes.append("exponentials below the smallest double are taken as 0")
    return Finding(
        path=project.module.path,
        line=line,
        column=column,
        cell=cell,
        claim=spelled(pair.derivative),
        read_as="",
        verdict=outcome.verdict,
        evidence=outcome.evidence if outcome.verdict != "undecided" else None,
        sizes=_sizes(outcome.trial),
        convention=outcome.convention if outcome.verdict == "convention" else None,
        assuming={**_assumed(pair), **outcome.assuming},
        reading=_reading(outcome.trial),
        diagnosis=explained.diagnosis if explained else None,
        patch=explained.patch if explained else None,
        derived=explained.lines[1] if explained and explained.lines else _derived(outcome),
        marked=(
            marked_difference(*explained.lines, CODE) if explained and explained.lines else None
        ),
        counterexample=_counterexample(outcome),
        reason="; ".join(n for n in notes if n) or None,
        function=spelled(pair.function) if pair.function else None,
        wrt=outcome.variable or None,
        spans=_spans(project, pair, outcome.trial),
    )


def spelled(part: Part) -> str:
    """Return a side of a pair as it is named."""
    flags = ", ".join(f"{k}={v!r}" for k, v in part.flags.items())
    return f"{part.name}({flags})" if flags else part.name


def place(project: Project, part: Part) -> tuple[int, int, int | None]:
    """Return line, column and cell of what a side names."""
    node = _defining(project, part.name)
    if node is None:
        return 1, 1, None
    return node.lineno, node.col_offset + 1, project.module.cell_of(node)


def _defining(project: Project, name: str) -> ast.stmt | None:
    """The definition of a dotted name, or the statement that binds it last."""
    statements = project.module.bindings.get(name.partition(".")[0], [])
    return definition(project.module, name) or (statements[-1] if statements else None)


def _spans(
    project: Project, pair: Pair, trial: Trial | None
) -> tuple[tuple[int | None, int, int], ...]:
    """The lines of both sides of a pair and of what they called."""
    parts = [part for part in (pair.function, pair.derivative) if part is not None]
    names = [part.name for part in parts if part.file is None]
    names += trial.followed.machine.record.calls if trial is not None else []
    module = project.module
    nodes = [_defining(project, name) for name in dict.fromkeys(names)]
    if "<module>" in names:
        nodes = list(module.body)
    return tuple(
        (module.cell_of(node), node.lineno, node.end_lineno or node.lineno)
        for node in nodes
        if node is not None
    )


def _assumed(pair: Pair) -> dict[str, str]:
    return {name: str(value) for name, value in pair.settings.items()}


def _sizes(trial: Trial | None) -> dict[str, int]:
    if trial is None:
        return {}
    found: dict[str, int] = {}
    for name, array in trial.followed.inputs.originals.items():
        if "[" not in name and array.ndim:
            for axis, extent in enumerate(array.shape):
                found[f"{name}.shape[{axis}]"] = extent
    return found


def _reading(trial: Trial | None) -> str | None:
    return None if trial is None or trial.target.words == "elements" else trial.target.words


def _counterexample(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.verdict != "refuted":
        return None
    if isinstance(outcome.fault, Raised):
        return {"raises": str(outcome.fault), "line": outcome.fault.line}
    compared = outcome.compared
    if compared is None or not compared.true_numbers:
        return None
    worst = _worst(compared)
    return {
        **_point(compared, worst),
        "element": _element(outcome, worst),
        "claimed": float(compared.claimed_numbers[worst]),
        "derived": float(compared.true_numbers[worst]),
    }


def _worst(compared: Compared) -> int:
    """The element at which claim and truth are furthest apart."""
    pairs = list(zip(compared.claimed_numbers, compared.true_numbers, strict=True))
    return max(range(len(pairs)), key=lambda i: abs(pairs[i][0] - pairs[i][1]))


def _point(compared: Compared, worst: int) -> dict[str, float]:
    """The inputs that decide an element, where they are few."""
    sides = compared.sides or ([], [])
    nodes = [side[worst] for side in sides if side]
    inputs = [n for n in reachable(nodes) if n.function == "input"]
    return {input_name(n): n.value for n in inputs} if len(inputs) <= MOST_INPUTS else {}


def _derived(outcome: Outcome) -> str | None:
    """The derived gradient of the element that is furthest off, in the names of the file."""
    compared, trial = outcome.compared, outcome.trial
    if outcome.verdict != "refuted" or trial is None or compared is None or not compared.sides:
        return None
    worst = _worst(compared)
    text = formula(compared.sides[1][worst], names_of(trial.followed, compared.claim.names))
    return None if text is None else f"{_element(outcome, worst)}: {text}"


def _element(outcome: Outcome, position: int) -> str:
    assert outcome.trial is not None
    assert outcome.compared is not None
    for name in outcome.compared.claim.names:
        shape = outcome.trial.followed.inputs.originals[name].shape
        size = int(np.prod(shape, dtype=int))
        if position < size:
            index = (
                ", ".join(str(int(i)) for i in np.unravel_index(position, shape)) if shape else ""
            )
            return f"{name}[{index}]" if index else name
        position -= size
    return outcome.variable
