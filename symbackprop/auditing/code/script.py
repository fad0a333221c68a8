"""Straight-line scripts: the part that sets variables and then claims gradients."""

from __future__ import annotations

import ast

from symbackprop.auditing.code.faults import Unknown


def assigned(statement: ast.stmt) -> str | None:
    """Return the name that a plain assignment binds."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return None


def segment(body: tuple[ast.stmt, ...], wrt: tuple[str, ...]) -> list[ast.stmt]:
    """Return the part of a script that sets the variables to numbers and then claims gradients."""
    starts = [
        i
        for i, s in enumerate(body)
        if wrt
        and assigned(s) == wrt[0]
        and isinstance(s, ast.Assign)
        and isinstance(s.value, ast.Constant | ast.UnaryOp)
    ]
    for start, end in zip(starts[::-1], [*starts[1:], len(body)][::-1], strict=True):
        part = list(body[start:end])
        names = {assigned(s) for s in part}
        if all(f"d{name}" in names for name in wrt):
            last = max(
                i for i, s in enumerate(part) if target_name(s) in {f"d{name}" for name in wrt}
            )
            return part[: last + 1]
    raise Unknown("no lines that set the variables and then their gradients")


def target_name(statement: ast.stmt) -> str | None:
    """Return the name that an assignment or an update binds."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    return assigned(statement)
