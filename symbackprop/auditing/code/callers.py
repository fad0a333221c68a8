"""What callers pass to a derivative: the variable of its function, or what the function gave."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.pairs import Pair
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.running import Followed, parameter_names


def shared_variable(followed: Followed) -> str | None:
    """Return the one array that function and derivative both have as a parameter."""
    if followed.forward.node is None or followed.backward.node is None:
        return None
    names = set(parameter_names(followed.backward))
    shared = [
        name
        for name in parameter_names(followed.forward)
        if name in names and name in followed.inputs.originals and not naming.names_label(name)
    ]
    return shared[0] if len(shared) == 1 else None


def variables_passed(project: Project, pair: Pair) -> bool:
    """Return whether callers pass the derivative what they pass the function, and no result of it.

    A derivative that is written in the output is then used wrongly; where nothing is known of its
    callers, it may be right.
    """
    if pair.function is None:
        return False
    function, derivative = pair.function.path[-1], pair.derivative.path[-1]
    variables, results = set(), set()
    for call, _ in project.calls.get(function, []):
        variables |= {ast.unparse(argument) for argument in call.args}
    for name, value in _assigned(project):
        if isinstance(value, ast.Call) and _called(value) == function:
            results.add(name)
    passed = {
        ast.unparse(argument)
        for call, _ in project.calls.get(derivative, [])
        for argument in call.args
    }
    return bool(passed & variables - results) and not passed & results


def _assigned(project: Project) -> Iterator[tuple[str, ast.expr]]:
    for statement in project.module.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign):
                yield from ((ast.unparse(target), node.value) for target in node.targets)


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
