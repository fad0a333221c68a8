"""Finding a setup in which a pair runs: faults of a run say what to change for the next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from symbackprop.auditing.code import naming
from symbackprop.auditing.code.effort import Effort, ExhaustedError
from symbackprop.auditing.code.faults import (
    Beyond,
    Fault,
    Mismatch,
    Misused,
    OneStep,
    Raised,
    Stated,
    Tie,
    Undefined,
)
from symbackprop.auditing.code.pairs import Pair
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.resizing import (
    as_column,
    columns,
    divided,
    halved,
    multiplied,
    scaled,
    summed,
)
from symbackprop.auditing.code.running import Followed
from symbackprop.auditing.code.scenario import Scenario
from symbackprop.auditing.code.specs import Setup

MOST_RUNS = 160
# Ranks that are guessed anew on the way to a setup that runs.
MOST_GUESSES = 12
# Units for one run.
MOST_WORK = 1_500_000


@dataclass
class Search:
    """What a search for a setup came to.

    Attributes:
        setup: The setup in which the pair ran.
        followed: The run.
        fault: Why none was found: the fault that came latest in a run.
        stage: How far that run came: ``setup``, ``forward`` or ``backward``.
        entered: Setups in which the function ran, but not its derivative, or to other shapes.
        exhausted: Whether a setup was given up for the work that it takes.
    """

    setup: Setup | None = None
    followed: Followed | None = None
    fault: Fault | None = None
    stage: str = "setup"
    runs: int = 0
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    singles: list[Setup] = field(default_factory=list)
    entered: list[Setup] = field(default_factory=list)
    exhausted: bool = False


# Where a file calls one of these, an extent may be a sum.
JOINS = ("concatenate", "hstack", "vstack", "row_stack", "column_stack", "append", "cat")
SPLITS = ("split", "array_split", "hsplit", "vsplit", "chunk")
_STAGES = ("setup", "forward", "backward")


def search(
    project: Project,
    pair: Pair,
    start: Setup,
    effort: Effort,
    good: Callable[[Followed, Setup], list[Setup]] = lambda followed, setup: [],
    fixed: frozenset[str] | None = None,
    most_guesses: int = MOST_GUESSES,
) -> Search:
    """Run a pair, repairing the setup until it runs through.

    Args:
        project: The file.
        pair: The pair.
        start: The setup to begin with; it is not changed.
        effort: What may be spent.
        good: Gives setups that may fit better than one that ran; the first that none betters wins.
        fixed: Arrays whose ranks the reading is about; None where nothing is known yet.
        most_guesses: How many other ranks may be guessed anew.
    """
    waiting = [(start.copy(), 0)]
    seen: set[object] = set()
    ranked: set[object] = set()
    found = Search()
    while waiting and found.runs < MOST_RUNS and effort.left:
        setup, guesses = waiting.pop(0)
        if setup.key() in seen:
            continue
        seen.add(setup.key())
        found.runs += 1
        few = setup.sizes.are_few()
        try:
            with effort.within(MOST_WORK):
                scenario = Scenario(project, pair, setup, effort)
                followed = scenario.run()
        except ExhaustedError:
            found.exhausted = True
            continue
        except Fault as fault:
            found.faults.append((scenario.stage, fault))
            if found.fault is None or _STAGES.index(scenario.stage) >= _STAGES.index(found.stage):
                found.fault, found.stage = fault, scenario.stage
            if scenario.stage == "backward":
                found.entered.append(setup)
            if _adds(project, fault) and few and not setup.sizes.are_few():
                # Extents were made smaller on the way: sums of them have to be made anew.
                waiting.insert(0, (setup.copy(), guesses))
                continue
            direct, others = _repairs(setup, fault, scenario, fixed)
            found.singles += scenario.singles
            if guesses >= most_guesses:
                others = []
            elif fixed is not None:
                others = [s for s in others if _is_new(s, setup, ranked)]
            near = [(s, guesses) for s in direct]
            waiting = near + waiting + [(s, guesses + 1) for s in others]
            continue
        better = [s for s in good(followed, setup) if s.key() not in seen]
        if found.followed is None or not (better or _is_single(setup)):
            found.setup, found.followed = setup, followed
        if not better:
            return found
        found.entered.append(setup)
        waiting = [(s, guesses) for s in better] + waiting
    found.exhausted |= bool(waiting) or any(isinstance(f, Beyond) for _, f in found.faults)
    return found


def _is_single(setup: Setup) -> bool:
    """Whether an array has one element though it has axes: its claims have any shape."""
    arrays = [n for n, s in setup.specs.items() if s.kind == "array" and s.rank]
    known = [n for n in arrays if f"{n}.0" in setup.sizes.parents]
    return any(set(setup.shape(name)) == {1} for name in known)


def _is_new(setup: Setup, old: Setup, ranked: set[object]) -> bool:
    """Whether ranks were not tried before, and are near those that they were guessed from."""
    far = any(abs(s.rank - old.specs[n].rank) > 1 for n, s in setup.specs.items())
    ranks = tuple(sorted((n, s.kind, s.rank) for n, s in setup.specs.items()))
    key = ranks, frozenset(n for n, value in setup.sizes.pinned.items() if value == 1)
    known = key in ranked
    ranked.add(key)
    return not far and not known


def _repairs(
    setup: Setup, fault: Fault, scenario: Scenario, fixed: frozenset[str] | None
) -> tuple[list[Setup], list[Setup]]:
    """Setups that answer a fault, and others that may avoid it."""
    if isinstance(fault, Tie):
        new = setup.copy()
        new.seed += 1
        return [new], []
    if isinstance(fault, OneStep):
        new = setup.copy()
        new.steps = 1
        return [new], []
    if isinstance(fault, Undefined):
        return _domains(setup, fault), []
    if isinstance(fault, Misused):
        return list(_retaken(setup, fault)), []
    if isinstance(fault, Mismatch) and re.search(r"[( ]0[,)]", fault.message):
        # A window larger than its image leaves nothing: that is no mismatch of these two.
        return list(scaled(setup)), list(ranks(setup, fixed))
    if isinstance(fault, Mismatch):
        new = setup.copy()
        parts = any(name in scenario.project.calls for name in SPLITS)
        wider = multiplied(setup, fault) if parts and scenario.stage == "backward" else []
        if wider:
            return wider, list(ranks(setup, fixed))
        if scenario.stage == "backward" and _settled(setup, fault, scenario.partly_read()):
            scenario.singles += _single(setup, fault)
            return [], list(ranks(setup, fixed))
        upright = list(columns(setup, fault))
        if _adds(scenario.project, fault):
            upright += summed(setup, fault)
        windows = fault.shapes is not None and new.sizes.windows(*fault.shapes)
        if windows or new.sizes.unify(fault.left, fault.right):
            return [*upright, new], list(ranks(setup, fixed))
        return upright, list(ranks(setup, fixed))
    if isinstance(fault, Raised):
        if fault.kind == "NameError":
            return [], []  # no input defines it
        outside = re.match(
            r"index (-?\d+) is out of bounds for axis \d+ with size (\d+)", fault.message
        )
        unequal = re.match(r"(\d+) elements split into (\d+) equal parts", fault.message)
        if unequal is not None:
            found = list(divided(setup, int(unequal[1]), int(unequal[2])))
            return found, list(ranks(setup, fixed))
        if outside is not None:
            found = list(_longer(setup, int(outside[1]), int(outside[2])))
            return found, [*scaled(setup), *ranks(setup, fixed)]
        if re.search(
            "negative dim|larger than|out of bounds|index -?\\d+ of|nothing", fault.message
        ):
            return list(scaled(setup)), list(ranks(setup, fixed))
        if isinstance(fault, Stated) and fault.kind == "NotImplementedError":
            return [], []
        if isinstance(fault, Stated):
            return list(halved(setup)), list(ranks(setup, fixed))
        if "truth value" in fault.message:
            return list(_scalars(setup)), list(ranks(setup, fixed))
        return [], list(ranks(setup, fixed))
    if isinstance(fault, Beyond) and "elements" in fault.message:
        return list(scaled(setup)), []
    return [], []


def _adds(project: Project, fault: Fault) -> bool:
    """Whether extents that do not fit in a product may be sums of others."""
    product = isinstance(fault, Mismatch) and re.search("matrix product|aligned", fault.message)
    return bool(product) and any(name in project.calls for name in JOINS)


def _settled(setup: Setup, fault: Mismatch, partly: set[str]) -> bool:
    """Whether both extents were settled by the function: its derivative cannot change them.

    Where the function reads a part of an array alone, the array is too long.
    """
    sizes = setup.sizes
    own = {
        sizes.root(n)
        for n in list(sizes.order)
        if (n.rpartition(".")[0] in setup.forward or n in setup.forward)
        and n.rpartition(".")[0] not in partly
    }
    names = {sizes.value(n): sizes.root(n) for n in reversed(list(sizes.order))}
    pair = [names.get(v) for v in (fault.left, fault.right)]
    if 1 in (fault.left, fault.right):
        return False
    return all(n is None or n in own for n in pair)


def _longer(setup: Setup, index: int, size: int) -> Iterator[Setup]:
    """The same with an extent that was too short one with a longer one.

    Indices and what they run along come first, other axes of the same array last.
    """
    values = {n: setup.sizes.value(n) for n in setup.sizes.order}
    short = {n.rpartition(".")[0] for n, v in values.items() if v == size}
    longer: dict[int, tuple[bool, bool]] = {}
    for name, value in reversed(values.items()):
        array = name.rpartition(".")[0]
        indices = array in setup.specs and setup.specs[array].kind == "label"
        longer[value] = array in short, not indices
    axes = [n for n, v in values.items() if v == size]
    for value in sorted((v for v in longer if v > max(index, size)), key=lambda v: longer[v]):
        new = setup.copy()
        # An extent that is held at 1 makes the other one short, too; what counts up to the
        # other one ends with it.
        if new.sizes.unify(size, value) and any(new.sizes.value(n) > min(index, 1) for n in axes):
            yield new


def _single(setup: Setup, fault: Mismatch) -> Iterator[Setup]:
    """The same with one sample: what runs then alone is said to run so."""
    names = {setup.sizes.value(n): n for n in reversed(setup.sizes.order)}
    for value in (fault.left, fault.right):
        name = names.get(value)
        if name is not None and name.endswith(".0") and name not in setup.sizes.pinned:
            new = setup.copy()
            new.sizes.pinned[new.sizes.root(name)] = 1
            new.reading = (*setup.reading, f"single {name}")
            yield new


def _domains(setup: Setup, fault: Undefined) -> list[Setup]:
    new = setup.copy()
    changed = False
    for name in sorted(fault.inputs):
        spec = new.specs.get(name)
        if spec is not None and spec.kind in ("array", "real") and spec.low < 0:
            new.specs[name] = spec.become(low=0.05, high=0.95)
            changed = True
    if not changed:
        new.seed += 1
        if new.seed > 4:
            return []
    return [new]


def _retaken(setup: Setup, fault: Misused) -> Iterator[Setup]:
    if fault.needed == "tensor":
        if "torch" not in setup.reading:
            new = setup.copy()
            new.reading = (*setup.reading, "torch")
            yield new
        return
    named = setup.aliases.get(fault.name, fault.name)
    spec = setup.specs.get(named)
    if spec is None:
        return
    for kind, rank in _wanted(fault, spec.kind, spec.rank):
        if f"{kind} {rank}" in spec.tried or (kind, rank) == (spec.kind, spec.rank):
            continue
        new = setup.copy()
        low, high = (0.5, 2.0) if kind == "real" and spec.kind != "array" else (spec.low, spec.high)
        new.specs[named] = spec.become(kind=kind, rank=rank, low=low, high=high)
        yield new


def _wanted(fault: Misused, kind: str, rank: int) -> list[tuple[str, int]]:
    needed = fault.needed
    if needed.startswith("shift "):
        return [(kind, max(rank + int(needed.split()[1]), 1))]
    if needed.startswith("rank "):
        return [(kind if kind != "real" else "array", int(needed.split()[1]))]
    if needed == "rank":
        return [(kind if kind not in ("real", "int") else "array", min(rank + 1, 5))]
    if needed == "function" and naming.names_upstream(fault.name):
        return []
    if needed == "array" and kind == "int":
        return [("shape", 3), ("array", 2), ("array", 1)]
    if needed == "array":
        return [("array", 2), ("array", 1), ("array", 3)]
    if needed == "label":
        return [("label", max(rank - 1, 1)), ("label", rank), ("label", 1)]
    if needed == "dict":
        rest = [("site", 0), ("options", 0)]
        return [("records", 0), *rest] if kind == "array" else rest
    if needed == "int":
        return [("int", 0)] if kind in ("real", "array") and (rank == 0 or kind == "array") else []
    if needed == "function":
        return [("function", 0)]
    if needed == "real":
        return [("real", 0)]
    return []


def ranks(setup: Setup, fixed: frozenset[str] | None = None) -> Iterator[Setup]:
    """Yield the same setup with one array of another rank: of one axis, of one column, of more."""
    for name, spec in setup.specs.items():
        if spec.kind not in ("array", "label", "onehot") or "[" in name:
            continue
        if fixed is not None and (name in fixed or spec.shown):
            continue
        if name.startswith("self") or (spec.rank and f"{name}.0" not in setup.sizes.parents):
            continue
        for rank in (1, 2, 3, 4):
            if f"{spec.kind} {rank}" in spec.tried or rank == spec.rank or rank < 1:
                continue
            new = setup.copy()
            new.specs[name] = spec.become(rank=rank)
            yield new
        if naming.names_scalar(name) or spec.rank == 1:
            new = setup.copy()
            new.specs[name] = spec.become(kind="real", rank=0, low=0.2, high=0.9)
            yield new
        if spec.rank == 1 and "column" not in spec.tried:
            yield as_column(setup, name)
        if spec.rank in (2, 3) and setup.sizes.value(f"{name}.{spec.rank - 1}") != 1:
            new = setup.copy()
            new.sizes.pinned[new.sizes.root(f"{name}.{spec.rank - 1}")] = 1
            yield new


def _scalars(setup: Setup) -> Iterator[Setup]:
    new = setup.copy()
    for name, spec in setup.specs.items():
        if spec.kind == "array":
            new.specs[name] = spec.become(kind="real", rank=0)
    yield new
