"""The composed check: a factor that another function makes up for is no mistake.

Where a derivative is off by a constant factor, whatever composes it with its function and a loss is
judged end to end. If that is right, and wrong once the derivative is changed, so is the derivative.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.diagnose import is_true, module_functions
from symbackprop.auditing.code.discovery import discover
from symbackprop.auditing.code.edits import Edit, edited
from symbackprop.auditing.code.effort import Effort, ExhaustedError
from symbackprop.auditing.code.objectives import LOSS_NAMES
from symbackprop.auditing.code.pairs import Pair, Part, definition
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.trials import Outcome

# Units of work for all that composes one pair.
COMPOSING = 2_000_000
MOST_WHOLES = 3
MOST_CALLERS = 5
# What the derivative is multiplied by, to see that the whole notices.
CHANGE = 7
RIGHT = ("proved", "agrees")

Judged = Callable[[Project, Pair, Effort], list[Outcome]]


def acquitted(
    project: Project, pair: Pair, outcomes: list[Outcome], effort: Effort, judged: Judged
) -> list[Outcome]:
    """Return verdicts in which nothing is refuted that is right as the file composes it.

    Args:
        project: The file.
        pair: A function with its derivative.
        outcomes: The verdicts on it alone.
        effort: What may be spent.
        judged: Judges a pair by itself.
    """
    part = pair.function is not None
    wrong = any(map(_is_factor, outcomes)) if part else not _is_right(outcomes)
    if not wrong or not (part or project.corrected):
        return outcomes
    found = list(outcomes)
    written = project.without_corrections({p.derivative.name for p in discover(project)})
    try:
        with effort.beyond(COMPOSING), effort.within(COMPOSING):
            if part:
                _compose(written, pair, found, effort, judged)
                return found
            # Its callees were replaced by what is derived; as it is written it may be right.
            verdicts = judged(written, pair, effort)
            return verdicts if _is_right(verdicts) else outcomes
    except ExhaustedError:
        return found


def _compose(
    project: Project, pair: Pair, found: list[Outcome], effort: Effort, judged: Judged
) -> None:
    """Judge what composes a pair; a factor that it makes up for is entered as a convention."""
    for name in _wholes(project, pair):
        verdicts = judged(project, Pair(None, Part(name)), effort)
        if not _is_right(verdicts) or not _calls(verdicts, pair):
            continue
        words = _elsewhere(project, pair, name, verdicts, effort, judged)
        for place, outcome in enumerate(found):
            if _is_factor(outcome) and _matters(project, pair, name, outcome, verdicts, effort):
                convention = f"a factor of {outcome.factor} {words}"
                found[place] = replace(outcome, verdict="convention", convention=convention)


def _is_factor(outcome: Outcome) -> bool:
    """Whether a claim is refuted for a positive factor alone."""
    ratio = outcome.compared.ratio if outcome.compared is not None else None
    plain = outcome.verdict == "refuted" and outcome.reason is None and outcome.trial is not None
    return plain and ratio is not None and ratio > 0


def _wholes(project: Project, pair: Pair) -> list[str]:
    """The functions with a loss that lead to both sides of a pair, the nearest first."""
    assert pair.function is not None
    first = _callers(project, pair.function.path[-1])
    second = _callers(project, pair.derivative.path[-1])
    near = [name for name in second if name in first]
    own = {pair.function.name, pair.derivative.name}
    nodes = {name: definition(project.module, name) for name in near if name not in own}
    return [name for name, node in nodes.items() if node and _sets_loss(node)][:MOST_WHOLES]


def _callers(project: Project, name: str) -> list[str]:
    """The functions that call one, themselves or through others, by their qualified names."""
    spelled = {id(node): full for full, node in _functions(project.module.body)}
    reached: dict[str, None] = {}
    names = [name]
    for _ in range(MOST_CALLERS):
        inside = [f for n in names for _, f in project.calls.get(n, []) if f is not None]
        fresh = [spelled[id(f)] for f in inside if id(f) in spelled]
        names = [f.rpartition(".")[2] for f in fresh if f not in reached]
        reached.update(dict.fromkeys(fresh))
    return list(reached)


def _functions(body: tuple[ast.stmt, ...]) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            methods = (inner for inner in node.body if isinstance(inner, ast.FunctionDef))
            yield from ((f"{node.name}.{inner.name}", inner) for inner in methods)


def _sets_loss(node: ast.AST) -> bool:
    return any(
        isinstance(here, ast.Name) and isinstance(here.ctx, ast.Store) and here.id in LOSS_NAMES
        for here in ast.walk(node)
    )


def _is_right(verdicts: list[Outcome]) -> bool:
    """Whether all gradients are right as they are written, without any convention."""
    return bool(verdicts) and all(o.verdict in RIGHT and not o.assuming for o in verdicts)


def _calls(verdicts: list[Outcome], pair: Pair) -> bool:
    runs = [o.trial.followed.machine.record for o in verdicts if o.trial is not None]
    return bool(runs) and all(pair.derivative.name in run.calls for run in runs)


def _matters(
    project: Project,
    pair: Pair,
    whole: str,
    outcome: Outcome,
    verdicts: list[Outcome],
    effort: Effort,
) -> bool:
    """Whether the whole is wrong once this gradient is another."""
    for edit in _changes(project, pair, outcome):
        other = project.with_module(edited(project.module, edit))
        for verdict in verdicts:
            assert verdict.trial is not None
            setup = verdict.trial.setup
            if is_true(other, Pair(None, Part(whole)), verdict.variable, setup, effort) is False:
                return True
    return False


def _changes(project: Project, pair: Pair, outcome: Outcome) -> Iterator[Edit]:
    """Edits that multiply one gradient where the derivative sets or returns it."""
    assert outcome.compared is not None
    wanted = naming.last(outcome.compared.claim.spelled)
    for function in module_functions(project, [pair.derivative.name]):
        for node in ast.walk(function):
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AugAssign) else targets
            if any(naming.last(ast.unparse(target)) == wanted for target in targets):
                assert isinstance(node, ast.Assign | ast.AugAssign)
                yield _multiplied(node.value)
            elif isinstance(node, ast.Return) and node.value is not None:
                yield from _returned(node.value, wanted)


def _returned(value: ast.expr, wanted: str) -> Iterator[Edit]:
    if not isinstance(value, ast.Tuple):
        yield _multiplied(value)
        return
    for place, part in enumerate(value.elts):
        if wanted in (f"result[{place}]", ast.unparse(part)):
            yield _multiplied(part)


def _multiplied(value: ast.expr) -> Edit:
    return Edit("factor", value, ast.BinOp(value, ast.Mult(), ast.Constant(CHANGE)))


def _elsewhere(
    project: Project,
    pair: Pair,
    whole: str,
    verdicts: list[Outcome],
    effort: Effort,
    judged: Judged,
) -> str:
    """Say where the factor is made up for: in a derivative that the whole calls, or in itself."""
    trial = verdicts[0].trial
    assert trial is not None
    called = set(trial.followed.machine.record.calls)
    others = [p for p in discover(project) if p.derivative.name in called and p != pair]
    right = f"{whole} (line {_line(project, whole)})"
    for other in others:
        if _is_off(project, other, effort, judged):
            name = other.derivative.name
            line = _line(project, name)
            return f"is made up for in {name} (line {line}): {right} is right end to end"
    return f"is made up for within {right}, which is right end to end"


def _is_off(project: Project, pair: Pair, effort: Effort, judged: Judged) -> bool:
    """Whether another derivative is off by a factor too."""
    ratios = [o.compared.ratio for o in judged(project, pair, effort) if o.compared is not None]
    return any(ratio is not None and ratio != 1 for ratio in ratios)


def _line(project: Project, name: str) -> int:
    node = definition(project.module, name)
    return node.lineno if node is not None else 1
