"""Which equations, or adjoints, go step by step together, and in which order all are lowered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from symbackprop.calculus.graph import reads, recurrences
from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Equation,
    Factor,
    Index,
    Term,
    Variable,
    accesses_of,
    indices_of,
)
from symbackprop.lowering.loops import (
    Loop,
    LoopBuilder,
    carried,
    refused_recurrence,
    shift_of,
    unshifted,
)
from symbackprop.lowering.lower import Lowering
from symbackprop.lowering.values import Value
from symbackprop.scalar import ONE, Slot

Item = Equation | Adjoint


def made(item: Item) -> Variable:
    """Return what the equation or adjoint gives."""
    return item.target.variable if isinstance(item, Equation) else item.variable.bar()


def accesses(item: Item) -> list[Access]:
    """Return every read of the equation or adjoint."""
    if isinstance(item, Equation):
        return reads(item)
    return [access for term in item.terms for access in _of_term(term)]


def _of_term(term: Term) -> list[Access]:
    operands = (operand for factor in term.factors for operand in factor.operands)
    return [access for operand in operands for access in accesses_of(operand)]


def is_recurrence(unit: Sequence[Item]) -> bool:
    """Whether the items read each other, or one of them itself."""
    return len(unit) > 1 or any(access.variable == made(unit[0]) for access in accesses(unit[0]))


def in_units(items: Sequence[Item]) -> list[list[Item]]:
    """Return the items, those of a recurrence as one, each unit after what it reads."""
    edges = [(access.variable, made(item)) for item in items for access in accesses(item)]
    cycles = recurrences(edges)
    if not cycles:
        return [[item] for item in items]
    leaders = _leaders(cycles)
    units: dict[Variable, list[Item]] = {}
    for item in items:
        units.setdefault(leaders.get(made(item), made(item)), []).append(item)
    after = {
        leader: [leaders.get(a.variable, a.variable) for item in unit for a in accesses(item)]
        for leader, unit in units.items()
    }
    return [_by_step(units[leader]) for leader in _in_order(units, after.__getitem__)]


def _leaders(cycles: Iterable[tuple[Variable, Variable]]) -> dict[Variable, Variable]:
    """Return for every variable on a cycle one that stands for all that it is on a cycle with."""
    found: dict[Variable, Variable] = {}
    for source, target in sorted(cycles, key=lambda edge: [variable.name for variable in edge]):
        one, other = found.setdefault(source, source), found.setdefault(target, target)
        for variable, leader in found.items():
            if leader == other:
                found[variable] = one
    return found


def _by_step(unit: list[Item]) -> list[Item]:
    """Return the items of a recurrence so that each comes after what it reads of its own step."""
    own = {made(item): item for item in unit}
    read = {
        variable: [a.variable for a in accesses(item) if a.variable in own and not shift_of(a)]
        for variable, item in own.items()
    }
    order = _in_order(own, read.__getitem__)
    known: set[Variable] = set()
    for variable in order:
        known.add(variable)
        if not known.issuperset(read[variable]):
            raise refused_recurrence(variable, "it is read at the step that it is computed in")
    return [own[variable] for variable in order]


def _in_order(
    found: Collection[Variable], before: Callable[[Variable], Iterable[Variable]]
) -> list[Variable]:
    """Return the variables, each after those before it."""
    done: dict[Variable, None] = {}
    open_: set[Variable] = set()
    stack = list(reversed(list(found)))
    while stack:
        variable = stack.pop()
        if variable in done:
            continue
        waiting = [v for v in before(variable) if v in found and v not in done]
        if variable in open_ or not waiting:
            done[variable] = None
        else:
            open_.add(variable)
            stack += [variable, *reversed([v for v in waiting if v not in open_])]
    return list(done)


def with_products_handed_on(unit: Sequence[Item]) -> list[Item]:
    """Return adjoints that read one product of the next step instead of each factor there.

    ``c_bar[t] += c_bar[t+1] * f[t+1]`` hands on ``q[t] = c_bar[t] * f[t]``, so that no array
    but q is read a step off.
    """
    found: list[Item] = []
    products: list[Item] = []
    for item in unit:
        if isinstance(item, Equation):
            found.append(item)
            continue
        terms = []
        for number, term in enumerate(item.terms):
            symbol = f"_handed{number}_{item.variable.symbol}"
            product = _product_ahead(replace(item.variable, symbol=symbol), term)
            terms.append(product[1] if product else term)
            products += [product[0]] if product else []
        found.append(replace(item, terms=tuple(terms)))
    return [*found, *products]


def _product_ahead(variable: Variable, term: Term) -> tuple[Adjoint, Term] | None:
    """Return the product under this name and the term that reads it; None for other terms."""
    read = set(_of_term(term))
    ahead = {access: shift for access in read if (shift := shift_of(access))}
    places = {access.indices[shift.axis] for access, shift in ahead.items()}
    bare = all(isinstance(place, Index) for place in term.target.indices)
    if len(ahead) < 2 or len(places) > 1 or not bare or term.excluding:
        return None
    place = places.pop()
    assert isinstance(place, Affine)
    ((_, index),) = place.terms
    operands = {operand for factor in term.factors for operand in factor.operands}
    if any(index in indices_of(operand) for operand in operands - ahead.keys()):
        return None
    factors = tuple(
        replace(
            factor,
            operands=tuple(
                unshifted(o, ahead[o].axis) if isinstance(o, Access) and o in ahead else o
                for o in factor.operands
            ),
        )
        for factor in term.factors
    )
    product = replace(term, target=Access(variable.bar(), term.target.indices), factors=factors)
    indices = tuple(place if i == index else i for i in term.target.indices)
    next_step = Factor(Slot(0), (Access(variable.bar(), indices, "zero"),))
    kept = tuple(i for i in term.target.indices if isinstance(i, Index))
    reading = Term(term.target, kept, ONE, (next_step,))
    return Adjoint(variable, (product,)), reading


def lower_recurrence(
    lowering: Lowering, unit: Sequence[Item], lower: Callable[[Item], object]
) -> tuple[Loop, Mapping[int, Value]]:
    """Lower equations, or adjoints, that read each other a step before.

    Args:
        lowering: knows all that they read from outside.
        unit: in an order in which each comes after what it reads of its own step.
        lower: lowers one of them.

    Returns:
        The loop, and by number what has taken the place of each value in it.
    """
    unit = with_products_handed_on(unit)
    own = frozenset(map(made, unit))
    start = len(lowering.graph.nodes)
    lowering.graph.loops += 1
    for item in unit:
        for access in accesses(item):
            shift = shift_of(access) if access.variable in own else None
            if shift is not None and shift not in lowering.carried:
                if access.fill != "zero":
                    raise refused_recurrence(access.variable, "what the first step reads is open")
                lowering.carried[shift] = carried(lowering.graph, shift)
    found = {s: c for s, c in lowering.carried.items() if s.variable in own}
    for item in unit:
        lower(item)
    values = {variable: lowering.values[variable] for variable in own}
    loop, results = LoopBuilder(lowering.graph, start, found, values).build()
    lowering.enter_results(own, results)
    return loop, results
