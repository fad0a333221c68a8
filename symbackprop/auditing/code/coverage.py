"""What of a pair was never run: lines, and arms of branches, masks and comparisons."""

from __future__ import annotations

import ast

from symbackprop.auditing.code.pairs import Pair, definition
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.trials import Trial

MOST_NAMED = 6


def missed(project: Project, pair: Pair, trial: Trial) -> str:
    """Return what was not taken in words; nothing if all was."""
    path = project.module.path
    lines: set[int] = set()
    outcomes: dict[tuple[int, str], set[str]] = {}
    for record in trial.records:
        lines |= {line for file, _, line in record.lines if file == path}
        for (file, line, what), found in record.outcomes.items():
            if file == path:
                outcomes.setdefault((line, what), set()).update(found)
    open_lines: list[int] = []
    spans: list[tuple[int, int]] = []
    for part in (pair.function, pair.derivative):
        node = definition(project.module, part.name) if part is not None else None
        if node is None:
            continue
        spans.append((node.lineno, node.end_lineno or node.lineno))
        for here in ast.walk(node):
            if isinstance(here, ast.stmt) and not isinstance(here, ast.FunctionDef | ast.ClassDef):
                documented = isinstance(here, ast.Expr) and isinstance(here.value, ast.Constant)
                if here.lineno not in lines and not documented and not isinstance(here, ast.Raise):
                    open_lines.append(here.lineno)
    arms = sorted(
        {
            line
            for (line, what), found in outcomes.items()
            if len(found) == 1
            and any(a <= line <= b for a, b in spans)
            and not what.startswith("if")
        }
    )
    said = []
    if open_lines:
        said.append("not run: " + _listed(sorted(set(open_lines))))
    if arms:
        said.append("one arm alone was taken: " + _listed(arms))
    return "; ".join(said)


def _listed(lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:MOST_NAMED]))
    return f"line{'s' if len(lines) > 1 else ''} {shown}" + (
        " …" if len(lines) > MOST_NAMED else ""
    )
