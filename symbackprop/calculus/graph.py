"""Which variables lead where, over (source, target) pairs; nothing here recurses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from symbackprop.equations import Access, Equation, Variable, accesses_of

Edge = tuple[Variable, Variable]


def downstream(edges: Iterable[Edge], start: Collection[Variable]) -> set[Variable]:
    """Return what can be reached from ``start``, itself included."""
    following: dict[Variable, list[Variable]] = defaultdict(list)
    for source, target in edges:
        following[source].append(target)
    reached = set(start)
    waiting = list(start)
    while waiting:
        for variable in following[waiting.pop()]:
            if variable not in reached:
                reached.add(variable)
                waiting.append(variable)
    return reached


def upstream(edges: Iterable[Edge], end: Collection[Variable]) -> set[Variable]:
    """Return what leads to ``end``, itself included."""
    return downstream([(target, source) for source, target in edges], end)


def recurrences(edges: Sequence[Edge]) -> set[Edge]:
    """Return the edges that lie on a cycle."""
    rest = _peeled([(target, source) for source, target in _peeled(edges)])
    forward = [(source, target) for target, source in rest]
    reach = {target: downstream(forward, [target]) for _, target in forward}
    return {(source, target) for source, target in forward if source in reach[target]}


def _peeled(edges: Sequence[Edge]) -> list[Edge]:
    """Take away, again and again, what nothing leads to."""
    following: dict[Variable, list[Variable]] = defaultdict(list)
    incoming: Counter[Variable] = Counter()
    for source, target in edges:
        following[source].append(target)
        incoming[target] += 1
    waiting = [source for source in following if not incoming[source]]
    gone = set(waiting)
    while waiting:
        for target in following[waiting.pop()]:
            incoming[target] -= 1
            if not incoming[target]:
                gone.add(target)
                waiting.append(target)
    return [(source, target) for source, target in edges if source not in gone]


def needed(equations: Sequence[Equation], outputs: Collection[Variable]) -> tuple[Equation, ...]:
    """Return the equations that outputs depend on, in their order; look-ups count as reads."""
    edges = [
        (access.variable, equation.target.variable)
        for equation in equations
        for access in reads(equation)
    ]
    wanted = upstream(edges, outputs)
    return tuple(equation for equation in equations if equation.target.variable in wanted)


def held_on_cycles(equations: Sequence[Equation]) -> list[Variable]:
    """Return what is held constant of values that feed themselves."""
    edges = [(a.variable, e.target.variable) for e in equations for a in reads(e)]
    cyclic = {variable for edge in recurrences(edges) for variable in edge}
    return [e.target.variable for e in equations if e.held and e.target.variable in cyclic]


def reads(equation: Equation) -> list[Access]:
    """Return every access of the equation: operands, look-ups and what its exclusions read."""
    places = [place for _, place in equation.excluding]
    return [access for operand in (*equation.operands, *places) for access in accesses_of(operand)]
