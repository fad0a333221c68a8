"""Reads an expression and what its names stand for, as one definition for each value.

"f(u(x), v(x))"                         f = f(u, v), u = u(x), v = v(x), all left open
"u*v" with u = "x**2", v = "sin(x)"     f = u*v, u = x**2, v = sin(x)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import chain, count

from symbackprop.catalog import CATALOG
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.formula import Call, Formula, Reduce, Reference
from symbackprop.formula_reader import (
    FUNCTIONS,
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_NODES,
    NAME,
    read_equation,
    read_expression,
)
from symbackprop.notation.bounds import MAX_BITS, bits, check_range, measure
from symbackprop.scalar import ARITY, Apply, Expression, Named, Number, apply, number, walk

MAX_DEFINITIONS = 100
# A function left open: one letter, perhaps with a number or a letter as its index.
_OPEN = r"[A-Za-z](?:_?[0-9]{1,4}|_[A-Za-z])?"
_EQUATION = re.compile(rf"\s*({NAME.pattern})\s*=(?!=)")
_PI = Named("pi")


@dataclass(frozen=True, slots=True)
class Definition:
    """``name = value`` over names; where ``open``, the value is a function left open."""

    name: str
    value: Expression
    open: bool = False


@dataclass(frozen=True, slots=True)
class Composition:
    """What is to be differentiated.

    Attributes:
        text: the expression as it was written.
        name: of its value.
        definitions: in topological order; the last one is of ``name``.
        free: the names that nothing defines, in order of appearance.
    """

    text: str
    name: str
    definitions: tuple[Definition, ...]
    free: tuple[str, ...]


def names_of(expression: Expression) -> tuple[str, ...]:
    """Return the names that an expression reads, in order of appearance."""
    named = (node.name for node in walk(expression) if isinstance(node, Named) and node != _PI)
    return tuple(dict.fromkeys(named))


def read_name(text: str) -> str:
    """Return a name that may stand for a number.

    Raises:
        SymbackpropError: it is none, or a word of the notation.
    """
    if not NAME.fullmatch(text):
        shown = text if len(text) <= 64 else text[:61] + "..."
        raise SymbackpropError(
            f"{shown!r} is not a name: letters, digits and _ after a first letter"
        )
    return read_equation(f"{text} = 0").target.name


def read_composition(text: str, definitions: Mapping[str, str]) -> Composition:
    """Read an expression, perhaps ``name = expression``, and what its names stand for.

    A call of an unknown function of one letter (``f``, ``u_1``) leaves it open; where its name
    is defined, ``u(x)`` is the same as ``u``.

    Raises:
        SymbackpropError: a text outside the notation, an unknown function, a definition that is
            cyclic, unused or called with other names than it reads, or one that is too long.
    """
    if len(definitions) > MAX_DEFINITIONS:
        raise SymbackpropError(f"{len(definitions)} definitions; at most {MAX_DEFINITIONS}")
    for name in definitions:
        read_name(name)
    functions = re.compile("|".join([_OPEN, *definitions]))
    top = _EQUATION.match(text[:MAX_LENGTH])
    formula = _read(text[top.end() :] if top else text, functions)
    given = {}
    for name, value in definitions.items():
        try:
            given[name] = _read(value, functions)
        except SymbackpropError as error:
            raise error.at(f"definition of {name!r}") from None
    return _Builder(given, formula, read_name(top[1]) if top else "").composition(text.strip())


def _read(text: str, functions: re.Pattern[str]) -> Formula:
    formula = read_expression(text, CATALOG.functions, functions)
    for part in _parts(formula):
        if isinstance(part, Reduce) or (isinstance(part, Reference) and part.subscripts):
            what = part.reduction if isinstance(part, Reduce) else part.name
            raise SymbackpropError(f"{what} takes indices; here every name is one number")
    return formula


def _parts(formula: Formula) -> Iterator[Formula]:
    """Yield the parts of a formula, arguments before what they stand in."""
    if isinstance(formula, Call):
        for argument in formula.arguments:
            yield from _parts(argument)
    yield formula


class _Builder:
    """Turns formulas into definitions; holds those made so far."""

    def __init__(self, given: Mapping[str, Formula], top: Formula, name: str) -> None:
        self._given = given
        self._top = top
        self._name = name
        self._made: dict[str, Definition] = {}
        parts = [part for formula in (*given.values(), top) for part in _parts(formula)]
        references = [part.name for part in parts if isinstance(part, Reference)]
        calls = dict.fromkeys(part for part in parts if isinstance(part, Call))
        self._taken = {*references, *given, *(call.function for call in calls)}
        self._calls = self._named([call for call in calls if self._is_open(call)])
        several = {call.function for call, name in self._calls.items() if name != call.function}
        for reference in references:
            if reference in several:
                raise SymbackpropError(
                    f"{reference!r} is called with different arguments: say which by a definition"
                )

    def _is_open(self, call: Call) -> bool:
        known = (*ARITY, *CATALOG.functions, *self._given)
        return call.function not in known

    def _named(self, calls: Sequence[Call]) -> dict[Call, str]:
        """Name each value of an open function: by its letter where that has one value only."""
        functions = [call.function for call in calls]
        return {
            call: call.function
            if functions.count(call.function) == 1
            else self._fresh(f"{call.function}_{k}" for k in count(1))
            for call in calls
        }

    def _fresh(self, names: Iterator[str]) -> str:
        """Return the first of the names that stands for nothing yet."""
        name = next(name for name in names if name not in self._taken)
        self._taken.add(name)
        return name

    def composition(self, text: str) -> Composition:
        for name, formula in self._given.items():
            self._define(name, self._value(formula))
        name = self._result(self._value(self._top))
        self._check_use(name)
        order = self._ordered()
        read = chain.from_iterable(names_of(definition.value) for definition in order)
        free = dict.fromkeys(read_name for read_name in read if read_name not in self._made)
        return Composition(text, name, order, tuple(free))

    def _result(self, value: Expression) -> str:
        """Return the name of the expression's value, defining it where it has none yet."""
        known = isinstance(value, Named) and value.name in self._made
        if isinstance(value, Named) and known and self._name in ("", value.name):
            return value.name
        if self._name in self._taken:
            raise SymbackpropError(f"{self._name!r} has a definition, or is read, besides its own")
        name = self._name or self._fresh(chain("fyghz", (f"y_{k}" for k in count(1))))
        self._define(name, value)
        return name

    def _define(self, name: str, value: Expression) -> None:
        parts, depth = measure(value)
        if parts > MAX_NODES or depth > MAX_DEPTH:
            raise SymbackpropError(
                f"{name} has {parts} parts nested {depth} deep, its functions written out; at most"
                f" {MAX_NODES} and {MAX_DEPTH}: give its parts names of their own"
            )
        if bits(value, {}) > MAX_BITS:
            raise SymbackpropError(f"{name} has powers or numbers that are too large")
        check_range(value)
        self._made[name] = Definition(name, value)

    def _value(self, formula: Formula) -> Expression:
        if isinstance(formula, Reference):
            return Named(formula.name)
        if not isinstance(formula, Call):
            assert isinstance(formula, Number | Named)
            return formula
        if formula in self._calls:
            return self._opened(formula)
        values = [self._value(argument) for argument in formula.arguments]
        if formula.function in self._given:
            return self._called(formula.function, values)
        if formula.function in CATALOG.functions and formula.function not in FUNCTIONS:
            return _activated(formula.function, values[0])
        return apply(formula.function, *values)

    def _opened(self, call: Call) -> Expression:
        name = self._calls[call]
        if name not in self._made:
            values = [self._value(argument) for argument in call.arguments]
            arguments = tuple(self._argument(value, values.count(value)) for value in values)
            self._made[name] = Definition(name, Apply(call.function, arguments), open=True)
        return Named(name)

    def _argument(self, value: Expression, times: int) -> Expression:
        """Return a name for an argument: a partial is by a name, which must be its own."""
        if not names_of(value) or (isinstance(value, Named) and times == 1):
            return value
        name = self._fresh(f"s_{k}" for k in count(1))
        self._define(name, value)
        return Named(name)

    def _called(self, name: str, arguments: Sequence[Expression]) -> Expression:
        """Return the value of a defined name that is written like a function of what it reads."""
        read = {part.name for part in _parts(self._given[name]) if isinstance(part, Reference)}
        passed = [argument.name for argument in arguments if isinstance(argument, Named)]
        if len(passed) < len(arguments) or not read <= set(passed):
            names = ", ".join(sorted(read))
            raise SymbackpropError(f"{name} has a definition: write {name}, or {name}({names})")
        return Named(name)

    def _ordered(self) -> tuple[Definition, ...]:
        graph: TopologicalSorter[str] = TopologicalSorter()
        for name, definition in self._made.items():
            graph.add(name, *(n for n in names_of(definition.value) if n in self._made))
        try:
            return tuple(self._made[name] for name in graph.static_order())
        except CycleError as error:
            circle = " reads ".join(reversed(error.args[1]))
            raise SymbackpropError(f"definitions go round in a circle: {circle}") from None

    def _check_use(self, name: str) -> None:
        waiting, used = [name], {name}
        while waiting:
            read = names_of(self._made[waiting.pop()].value)
            new = [n for n in read if n in self._made and n not in used]
            used.update(new)
            waiting.extend(new)
        for given in self._given:
            if given not in used:
                names = {n for d in self._made.values() for n in names_of(d.value)} - {given}
                raise SymbackpropError(
                    f"{given!r} has a definition that {name} does not read; "
                    + allowed(given, names)
                )


def _activated(name: str, argument: Expression) -> Expression:
    """Return an activation of the catalogue, at its default constants, of an argument."""
    entry = CATALOG.functions[name]
    values = {n: number(v) for n, v in entry.constants.items() if isinstance(v, int | float)}
    names: dict[str, Expression] = {**values, "z": argument}
    result: Expression = argument
    for text in entry.equations:
        assignment = read_equation(text, CATALOG.functions)
        result = names[assignment.target.name] = _written_out(assignment.value, names)
    if measure(result)[0] > MAX_NODES:
        raise SymbackpropError(f"{name} of something so long: give its argument a name of its own")
    return result


def _written_out(formula: Formula, names: Mapping[str, Expression]) -> Expression:
    if isinstance(formula, Reference):
        return names[formula.name]
    if not isinstance(formula, Call):
        assert isinstance(formula, Number | Named)
        return formula
    values = [_written_out(argument, names) for argument in formula.arguments]
    if formula.function in CATALOG.functions and formula.function not in FUNCTIONS:
        return _activated(formula.function, values[0])
    return apply(formula.function, *values)
