"""The values that a derivative gives: returned, in dicts and lists, or stored, with their names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.dag import Node
from symbackprop.auditing.code.interpreter.values import Instance, Tensor
from symbackprop.auditing.code.running import Followed, Target


class Value(NamedTuple):
    """What may be a gradient: its spelled name, itself, whether it is returned, its place there."""

    spelled: str
    value: Any
    returned: bool
    place: int | None = None


def gathered(followed: Followed) -> Iterator[Value]:
    """Yield every value that may be a gradient."""
    if isinstance(followed.result, dict):
        for key, value in followed.result.items():
            yield from _flat(str(key), value, True)
    yield from _returned(followed.backward, followed.result)
    for name, value in followed.after.items():
        before = followed.before.get(name)
        if name.startswith("self.") and not same(before, value):
            yield from _flat(name, value, False)


def _returned(target: Target, result: Any) -> Iterator[Value]:
    names = _return_names(target.node)
    if isinstance(result, tuple):
        spelled = (
            names if len(names) == len(result) else [f"result[{i}]" for i in range(len(result))]
        )
        for place, (name, part) in enumerate(zip(spelled, result, strict=True)):
            yield from (v._replace(place=place) for v in _flat(name, part, True))
    else:
        yield from _flat(names[0] if len(names) == 1 else "result", result, True)


def _return_names(node: Any) -> list[str]:
    if not isinstance(node, ast.FunctionDef):
        return []
    for here in reversed(list(ast.walk(node))):
        if isinstance(here, ast.Return) and here.value is not None:
            parts = here.value.elts if isinstance(here.value, ast.Tuple) else [here.value]
            own = {a.arg for a in node.args.args}
            return [_spelled(p, i, own) for i, p in enumerate(parts)]
    return []


def _spelled(node: ast.expr, place: int, parameters: set[str]) -> str:
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return ast.unparse(node)
    # `dw / N` and `dx.T` keep the name of what they are made of.
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id not in parameters]
    marked = [n for n in names if naming.names_gradient(n)]
    return (
        marked[0] if len(set(marked)) == 1 and isinstance(node, ast.BinOp) else f"result[{place}]"
    )


def _flat(name: str, value: Any, returned: bool, depth: int = 0) -> Iterator[Value]:
    if depth > 4:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}[{key!r}]", inner, returned, depth + 1)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _flat(f"{name}[{place}]", inner, returned, depth + 1)
    elif isinstance(value, Instance):
        for key, inner in value.attributes.items():
            yield from _flat(f"{name}.{key}", inner, returned, depth + 1)
    elif isinstance(value, np.ndarray | Tensor | Node | int) and not isinstance(value, bool):
        yield Value(name, value, returned)


def same(before: Any, after: Any) -> bool:
    """Return whether two values of a state are the same, element by element."""
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        return before.shape == after.shape and all(
            a is b or (not isinstance(a, Node) and bool(a == b))
            for a, b in zip(before.flat, after.flat, strict=True)
        )
    return before is after


_LOSSES = frozenset(("loss", "cost", "losses", "costs", "j", "objective"))


def is_loss(value: Value) -> bool:
    """Whether a value is the loss itself, which some derivatives return beside its gradients."""
    marked = naming.names_gradient(value.spelled)
    return not marked and bool(_LOSSES & set(naming.words(naming.last(value.spelled))))
