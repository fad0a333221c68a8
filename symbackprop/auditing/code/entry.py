"""From the text of a file to findings: the entry to the audit of code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from symbackprop.auditing.code.describe import described
from symbackprop.auditing.code.discovery import discover
from symbackprop.auditing.code.effort import Effort, OverdueError
from symbackprop.auditing.code.pairs import Pair, Part, definition, read_pair, read_part
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.source import Module, read_module
from symbackprop.auditing.code.trials import Outcome
from symbackprop.auditing.code.verdict import Judge
from symbackprop.auditing.finding import Finding
from symbackprop.errors import SymbackpropError


@dataclass(frozen=True)
class Naming:
    """What a user names: pairs, variables, definitions, losses and settings.

    Attributes:
        pairs: ``F:DF@NAME`` each; with none, pairs are found by their names.
        wrt: Variables, where a pair names none.
        given: Definitions of parameters, as ``a = sigmoid(z)``.
        loss: A loss that stands elsewhere.
        settings: ``NAME=VALUE`` each.
    """

    pairs: tuple[str, ...] = ()
    wrt: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    loss: str | None = None
    settings: tuple[str, ...] = field(default=())


def audit_code(
    text: str,
    path: str = "-",
    naming: Naming = Naming(),
    reader: Callable[[str], str | None] = lambda relative: None,
) -> list[Finding]:
    """Audit the gradients that a file computes.

    Args:
        text: Python, a notebook, or Markdown with fenced Python; told by the path.
        path: Where it stands.
        naming: What is named by the user.
        reader: Gives the text of a file beside it, by a relative path, or None.

    Returns:
        One finding for each gradient of each pair.

    Raises:
        SymbackpropError: If a pair is named that the file does not have.
    """
    module = read_module(path, text)
    project = Project(module, reader)
    found: list[Finding] = []
    for pair in _named(module, naming) or ([] if naming.pairs else discover(project)):
        found += _audited(project, pair)
    return found


# Units of work: for a pair, and for the diagnosis of one of its gradients at most and at least.
PAIR = 4_800_000
DIAGNOSIS = 2_500_000
LEAST_DIAGNOSIS = 300_000
_OWN_MISTAKES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(MemoryError, RecursionError, TypeError, ValueError),
)


def audit_pair(project: Project, pair: Pair) -> list[Finding]:
    """Audit one pair: diagnoses share what the verdict left, a little at least for each."""
    effort = Effort(PAIR)
    found = []
    for outcome in Judge(project, pair, effort).outcomes():
        with effort.beyond(LEAST_DIAGNOSIS), effort.within(DIAGNOSIS):
            found.append(described(project, pair, outcome))
    return found


def _audited(project: Project, pair: Pair) -> list[Finding]:
    """Audit one pair; where the audit itself fails, that is no finding against the pair."""
    try:
        return audit_pair(project, pair)
    except OverdueError:
        reason = "budget: it takes too long"
    except _OWN_MISTAKES as error:
        reason = f"the audit failed on it ({type(error).__name__})"
    return [described(project, pair, Outcome("", "undecided", reason=reason))]


def _named(module: Module, naming: Naming) -> list[Pair]:
    found = []
    for text in naming.pairs:
        function, derivative, wrt = read_pair(text)
        for part in (function, derivative):
            if part is not None:
                _check(module, part, text)
        loss = read_part(naming.loss) if naming.loss else None
        found.append(
            Pair(
                function,
                derivative,
                wrt or naming.wrt,
                settings(naming.settings),
                naming.given,
                loss,
            )
        )
    return found


def _check(module: Module, part: Part, text: str) -> None:
    """Whether the file has what a pair names; nested and imported names are looked up later."""
    first = part.path[0]
    known = part.file is not None or first == "<module>" or first in module.bindings
    if not known and definition(module, part.name) is None:
        names = ", ".join(sorted(module.bindings)[:12])
        reason = f" ({module.problem})" if module.problem else ""
        raise SymbackpropError(
            f"{module.path}: --pair {text}: {first!r} is not defined{reason}; defined are {names}"
        )


def settings(given: Sequence[str]) -> dict[str, Any]:
    """Return settings by name: values of Python, and strings where they are none.

    Raises:
        SymbackpropError: If one is not of the form NAME=VALUE.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise SymbackpropError(f"--set {text[:80]!r}: write NAME=VALUE")
        try:
            found[name.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            found[name.strip()] = value.strip()
    return found
