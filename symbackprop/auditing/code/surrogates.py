"""Derivatives that are no gradients on purpose: gradient reversal, straight-through."""

from __future__ import annotations

import ast
import re

from symbackprop.auditing.code.pairs import Pair, Part, definition
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.running import main_output
from symbackprop.auditing.code.trials import Trial

_REVERSAL = re.compile(r"revers|grl\b|(?-i:GRL)|adversarial|ganin", re.I)
_FLAT = re.compile(
    r"straight.?through|(?-i:STE)|ste\b|surrogate|estimator|sign|round|quanti|binar|ternar|floor"
    r"|heaviside|spike|step",
    re.I,
)
FLAT = (
    "the function is flat wherever it has a derivative: what is given in its place is no gradient"
)


def declared(project: Project, pair: Pair, trial: Trial, name: str) -> str | None:
    """Return which surrogate a file declares by a name or a docstring, if it is one."""
    words = " ".join(_words(project, part) for part in (pair.function, pair.derivative) if part)
    ratio = trial.compared[name].ratio
    if ratio is not None and ratio < 0 and _is_identity(trial, name) and _REVERSAL.search(words):
        return "declared surrogate: the gradient is reversed"
    if is_flat(trial, name) and _FLAT.search(words):
        return "declared surrogate: the function is flat, the gradient is passed through"
    return None


def is_flat(trial: Trial, name: str) -> bool:
    """Return whether the true gradient is 0 wherever there is one."""
    main = main_output(trial.followed.output)
    shapes = {trial.followed.inputs.originals[n].shape for n in trial.compared[name].claim.names}
    return trial.compared[name].zero and getattr(main, "shape", ()) in shapes


def _is_identity(trial: Trial, name: str) -> bool:
    main = main_output(trial.followed.output)
    nodes = {
        node.place
        for n in trial.compared[name].claim.names
        for node in trial.followed.inputs.originals[n].flat
    }
    return {node.place for node in getattr(main, "flat", ())} == nodes


def _words(project: Project, part: Part) -> str:
    """The name of a part with the docstrings of what it stands in."""
    found = [part.name]
    path = part.name.split(".")
    for length in range(1, len(path) + 1):
        node = definition(project.module, ".".join(path[:length]))
        found.append(ast.get_docstring(node) or "" if node is not None else "")
    return " ".join(found)
