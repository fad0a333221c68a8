"""A pair: a function, what claims to be its derivative, and what else was said about them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from symbackprop.auditing.code.source import Module
from symbackprop.errors import SymbackpropError


@dataclass(frozen=True)
class Part:
    """One side of a pair: ``f``, ``Class.method``, ``other.py::f``, ``f(derivative=True)``.

    Attributes:
        name: The dotted name, spelled as it was given.
        file: The file that it stands in, where it is another.
        flags: Arguments that it is always called with.
    """

    name: str
    file: str | None = None
    flags: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> list[str]:
        """The parts of the dotted name."""
        return self.name.split(".")


@dataclass(frozen=True)
class Pair:
    """A function with its derivative.

    Attributes:
        function: What is differentiated; None where the derivative holds it itself.
        derivative: What returns, stores or applies gradients.
        wrt: The variables that are judged; all that have a claim where none is named.
        settings: Values of parameters that are fixed.
        given: Definitions of parameters, as ``a = sigmoid(z)``.
        loss: A loss that stands elsewhere.
    """

    function: Part | None
    derivative: Part
    wrt: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    loss: Part | None = None


def read_part(text: str) -> Part:
    """Return one side of a pair as it is spelled on the command line."""
    file, _, rest = text.rpartition("::")
    name, bracket, _ = rest.partition("(")
    flags: dict[str, Any] = {}
    if bracket:
        try:
            tree = ast.parse(rest, mode="eval").body
        except SyntaxError:
            raise SymbackpropError(f"--pair: {text!r} is no name and no call") from None
        for keyword in tree.keywords if isinstance(tree, ast.Call) else []:
            if keyword.arg and isinstance(keyword.value, ast.Constant):
                flags[keyword.arg] = keyword.value.value
    return Part(name.strip(), file or None, flags)


def read_pair(text: str) -> tuple[Part | None, Part, tuple[str, ...]]:
    """Return the sides and variables of ``F:DF@NAME,NAME``.

    Raises:
        SymbackpropError: If it cannot be read so.
    """
    names, _, variables = text.partition("@")
    sides = re.split(r"(?<!:):(?!:)", names)
    if len(sides) > 2 or not all(side.strip() for side in sides):
        raise SymbackpropError(f"--pair: {text!r} is not of the form F:DF or F:DF@NAME")
    wrt = tuple(v.strip() for v in variables.split(",") if v.strip())
    parts = [read_part(side) for side in sides]
    return (parts[0] if len(parts) == 2 else None), parts[-1], wrt


def definition(module: Module, name: str) -> ast.FunctionDef | ast.ClassDef | None:
    """Return the definition of a dotted name, also within functions."""
    body: list[ast.stmt] = list(module.body)
    found: ast.FunctionDef | ast.ClassDef | None = None
    for part in name.split("."):
        found = None
        waiting = list(body)
        while waiting:
            here = waiting.pop(0)
            if isinstance(here, ast.FunctionDef | ast.ClassDef):
                if here.name == part:
                    found = here
            elif isinstance(here, ast.If | ast.Try | ast.With):
                waiting += [s for s in ast.iter_child_nodes(here) if isinstance(s, ast.stmt)]
        if found is None:
            return None
        body = list(found.body)
    return found


def parameters(node: ast.FunctionDef | ast.Lambda) -> list[str]:
    """Return the names of the parameters, without ``*`` and ``**``."""
    spec = node.args
    return [a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
