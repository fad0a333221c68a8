"""A total less one of its summands is the total over the others: no digit cancels.

The logarithm of s = total of exp(z - m), m the largest of z, is log1p of all summands but
one: of those but the target's, where a look-up names it, else of those but the first largest,
which is 1. In the adjoint of z, what a target sends directly and what it sends by s combine
likewise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from symbackprop.calculus.graph import reads
from symbackprop.calculus.indices import compress, substitute_access, substitute_index
from symbackprop.calculus.maxima import is_of_row, place_in_row
from symbackprop.calculus.rewrite import Definitions, Scope, replaced
from symbackprop.equations import (
    Access,
    Equation,
    Index,
    IndexExpression,
    Operand,
    Step,
    Variable,
    indices_of,
)
from symbackprop.scalar import Apply, Expression, Slot, apply, slots, walk

_S0, _S1 = Slot(0), Slot(1)
DIFFERENCE = apply("add", _S0, apply("negative", _S1))
EXPONENTIAL = apply("exp", DIFFERENCE)


@dataclass(frozen=True)
class LogTotal:
    """``logarithm[I] = log total[I]``, ``total[I] = total(j, exp(value - largest))``.

    ``others`` is the total over all but one summand; ``target`` is that summand less 1 where
    a look-up names it, and ``place`` the look-up; else the summand left out is the first
    largest, at ``position``.
    """

    total: Equation
    logarithm: Equation
    value: Access
    largest: Access
    others: Equation
    target: Equation | None = None
    position: Equation | None = None
    place: IndexExpression | None = None

    @property
    def index(self) -> Index:
        """The index that the total runs over."""
        return self.total.reduced[0]


def exclude(
    equations: Sequence[Equation], outputs: Collection[Variable]
) -> tuple[tuple[Equation, ...], tuple[LogTotal, ...], tuple[Step, ...]]:
    """Write logarithms of totals of exponentials by all summands but one.

    Returns:
        The equations to differentiate, in which a look-up's rewriting is already done; what
        was found, for ``combine``, which does the rest on the adjoints; and the steps.
    """
    definitions = {equation.target.variable: equation for equation in equations}
    readers = _logarithm_readers(equations)
    candidates = (
        _log_total(equation, readers[equation.target.variable], definitions)
        for equation in equations
        if equation.target.variable in readers
    )
    found = [candidate for candidate in candidates if candidate is not None]
    steps: list[Step] = []
    result = tuple(equations)
    for entry in found:
        before = result
        result = _hoisted(result, entry)
        if entry.target is not None:
            result = _at_target(result, entry)
        steps.append(
            Step(
                "exclude",
                tuple(equation for equation in before if equation not in result),
                tuple(equation for equation in result if equation not in before),
                "a total less one of its summands is the total over the others",
            )
        )
    return _without_unread(result, equations, outputs), tuple(found), tuple(steps)


def _without_unread(
    result: Sequence[Equation], before: Sequence[Equation], outputs: Collection[Variable]
) -> tuple[Equation, ...]:
    """Drop what was read before, is read no more and is no output."""
    was, now = ({a.variable for e in each for a in reads(e)} for each in (before, result))
    gone = was - now - set(outputs)
    return tuple(equation for equation in result if equation.target.variable not in gone)


def _logarithm_readers(equations: Sequence[Equation]) -> dict[Variable, list[Equation]]:
    """Return, for each variable that stands alone in a logarithm, the equations that read it so."""
    readers: dict[Variable, list[Equation]] = {}
    for equation in equations:
        for operand in equation.operands:
            if isinstance(operand, Access) and _log_slots(equation, operand.variable):
                readers.setdefault(operand.variable, []).append(equation)
    return readers


def _log_total(
    equation: Equation, readers: Sequence[Equation], definitions: Definitions
) -> LogTotal | None:
    """Return the pattern, where the equation is such a total and its logarithm is read."""
    if equation.reduction != "total" or len(equation.reduced) != 1 or equation.excluding:
        return None
    read = _exponent(equation, definitions)
    if read is None or not is_of_row(*read, definitions.get(read[1].variable)):
        return None
    value, largest = read
    if not definitions[largest.variable].held:
        return None
    inlined = replace(equation, function=EXPONENTIAL, operands=(value, largest))
    logarithm = _define(equation, "log", apply("log", _S0), (equation.target,))
    entry = LogTotal(inlined, logarithm, value, largest, inlined)
    for reader in readers:
        found = _looked_up(reader, entry)
        if found is not None:
            return _with_target(entry, *found)
    return _with_position(entry)


def _exponent(equation: Equation, definitions: Definitions) -> tuple[Access, Access] | None:
    """Return (z, m) where the summand is exp(z - m), perhaps by a definition."""
    scope = Scope(equation, definitions)
    function: Expression | None = equation.function
    if isinstance(function, Slot):
        function = scope.opened(function)
    if not isinstance(function, Apply) or function.function != "exp":
        return None
    read = slots(function)
    if len(read) != 2:
        return None
    for first, second in (read, read[::-1]):
        z, m = scope.operands[first], scope.operands[second]
        difference = apply("add", Slot(first), apply("negative", Slot(second)))
        written = function.arguments[0] == difference
        if written and isinstance(z, Access) and isinstance(m, Access):
            return z, m
    return None


def _define(
    like: Equation, word: str, function: Expression, operands: tuple[Operand, ...]
) -> Equation:
    """Return a pointwise equation over the free indices of another, beside its target."""
    target = Access(like.target.variable.beside(word), like.target.indices)
    return Equation(target, function, operands)


def _log_slots(equation: Equation, variable: Variable) -> tuple[int, ...]:
    """Return the slots s of ``variable`` that the equation reads as log(s)."""
    found = []
    for node in walk(equation.function):
        if isinstance(node, Apply) and node.function == "log":
            argument = node.arguments[0]
            if isinstance(argument, Slot):
                operand = equation.operands[argument.position]
                if isinstance(operand, Access) and operand.variable == variable:
                    found.append(argument.position)
    return tuple(dict.fromkeys(found))


def _looked_up(reader: Equation, entry: LogTotal) -> tuple[IndexExpression, bool] | None:
    """Return the look-up at which the reader reads z too, over the total's own indices.

    And whether it may leave the extent there, guarded by a ``where``.
    """
    for position in _log_slots(reader, entry.total.target.variable):
        total = reader.operands[position]
        assert isinstance(total, Access)
        if not all(isinstance(place, Index) for place in total.indices):
            continue
        places = dict(zip(entry.total.free, total.indices, strict=True))
        back = {v: k for k, v in places.items() if isinstance(v, Index)}
        for operand in reader.operands:
            if isinstance(operand, Access):
                place = place_in_row(entry.value, entry.index, places, operand)
                if isinstance(place, Access) and back.keys() >= set(indices_of(place)):
                    return substitute_index(place, back), operand.fill is not None
    return None


def _with_target(entry: LogTotal, place: IndexExpression, may_leave: bool) -> LogTotal:
    value = substitute_access(entry.value, {entry.index: place})
    if may_leave:  # outside, no summand is left out: exp(-inf) is 0
        value = replace(value, fill="-inf")
    target = _define(entry.total, "target", apply("expm1", DIFFERENCE), (value, entry.largest))
    return replace(entry, others=_others(entry, place), target=target, place=place)


def _with_position(entry: LogTotal) -> LogTotal:
    symbol = entry.largest.variable.beside("arg").symbol
    variable = replace(entry.total.target.variable, symbol=symbol, integer=True)
    position = Equation(
        Access(variable, entry.total.target.indices), _S0, (entry.value,), "argmax", (entry.index,)
    )
    return replace(entry, others=_others(entry, position.target), position=position)


def _others(entry: LogTotal, place: IndexExpression) -> Equation:
    target = Access(entry.total.target.variable.beside("others"), entry.total.target.indices)
    return replace(entry.total, target=target, excluding=((entry.index, place),))


def _hoisted(equations: tuple[Equation, ...], entry: LogTotal) -> tuple[Equation, ...]:
    """Give the logarithm an equation of its own, and let the total read z itself."""
    result: list[Equation] = []
    for equation in equations:
        if equation.target == entry.total.target:
            result += [entry.total, entry.logarithm]
        else:
            result.append(_reading_logarithm(equation, entry))
    return tuple(result)


def _reading_logarithm(equation: Equation, entry: LogTotal) -> Equation:
    operands = list(equation.operands)
    values: dict[Expression, Expression] = {}
    for position in _log_slots(equation, entry.total.target.variable):
        total = operands[position]
        assert isinstance(total, Access)
        values[apply("log", Slot(position))] = Slot(len(operands))
        operands.append(replace(total, variable=entry.logarithm.target.variable))
    if not values:
        return equation
    function, kept = compress(replaced(equation.function, values), tuple(operands))
    return replace(equation, function=function, operands=kept)


def _at_target(equations: tuple[Equation, ...], entry: LogTotal) -> tuple[Equation, ...]:
    """Replace log s by log1p of the others and the target's summand less 1."""
    assert entry.target is not None
    logarithm = replace(
        entry.logarithm,
        function=apply("log1p", apply("add", _S0, _S1)),
        operands=(entry.others.target, entry.target.target),
    )
    result: list[Equation] = []
    for equation in equations:
        if equation == entry.logarithm:
            result += [entry.others, entry.target, logarithm]
        else:
            result.append(equation)
    return tuple(result)
