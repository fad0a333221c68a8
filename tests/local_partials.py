"""Partials of one value with respect to another, by differences of the equations to 60 digits.

What a line says is held is held, and so are maxima that are declared to be; all else moves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from latex_reader import MP
from round_trip import DIGITS, printed_name

from symbackprop.equations import Access, Equation, Role, Variable
from symbackprop.reference import evaluate

STEP_BEFORE = re.compile(r"_\{[^{}]*\}")  # the place of a state that is held
STEP = MP.mpf(10) ** -20  # both errors of a central difference are then near 10**-40


class LocalPartials(Mapping):
    """Partials by printed names ``above/below``; each gives the number at two places."""

    def __init__(self, equations, known, setting, sizes, kept) -> None:
        self._equations: dict[Variable, Equation] = dict(equations)
        self._known, self._sizes = known, sizes
        named = [v for v in self._equations if not v.made or v in kept]
        self._named = {printed_name(v, setting): v for v in named}
        values = [v for e in self._equations.values() for v in _read(e)]
        self._all = {printed_name(v, setting): v for v in (*values, *named)}
        self._swapped = setting.swapped
        self._found: dict[object, np.ndarray] = {}

    def __getitem__(self, key: str):
        above, below = key.split("/")
        consumer, variable = self._named[above], self._all[below]
        return lambda where, which, held: self._at(consumer, variable, where, which, held)

    def __iter__(self) -> Iterator[str]:
        return (f"{above}/{below}" for above in self._named for below in self._all)

    def __len__(self) -> int:
        return len(self._named) * len(self._all)

    def _at(self, consumer, variable, where, which, held):
        place = _with_sample(variable, which[::-1] if variable in self._swapped else which)
        size = self._known[variable.name].shape
        if not all(0 <= p < extent for p, extent in zip(place, size, strict=True)):
            return MP.nan  # there is no such place, and nothing to tell
        key = consumer, variable, place, held
        if key not in self._found:
            up, down = (self._moved(consumer, variable, place, s, held) for s in (STEP, -STEP))
            self._found[key] = (up - down) / (2 * STEP)
        return self._found[key][_with_sample(consumer, where)]

    def _moved(self, consumer, variable, place, step, held):
        array = np.array(self._known[variable.name], dtype=object)
        array[place] = MP.convert(array[place]) + step
        still = {self._all[STEP_BEFORE.sub("", name)] for name in held} | {variable}
        found = [e for v, e in self._equations.items() if v not in still - {consumer}]
        equations = [e for e in found if not e.held]
        given = {**self._known, variable.name: array}
        if consumer in still:  # what it reads of itself is held, or moves: of the step before
            before = replace(consumer, symbol=f"{consumer.symbol}_before")
            given[before.name] = given[consumer.name]
            equations = [_reading(e, consumer, before) for e in equations]
        moving = {e.target.variable.name for e in equations}
        given = {n: a for n, a in given.items() if n not in moving}
        return evaluate(equations, given, self._sizes, DIGITS)[consumer.name]


def _reading(equation: Equation, old: Variable, new: Variable) -> Equation:
    """The equation with reads of one variable in place of those of another."""
    operands = (
        replace(o, variable=new) if isinstance(o, Access) and o.variable == old else o
        for o in equation.operands
    )
    return replace(equation, operands=tuple(operands))


def _read(equation: Equation) -> list[Variable]:
    return [o.variable for o in equation.operands if isinstance(o, Access)]


def _with_sample(variable: Variable, place: tuple[int, ...]) -> tuple[int, ...]:
    if len(place) == len(variable.axes):
        return place
    left = iter(place)
    return tuple(0 if axis.role is Role.BATCH else next(left) for axis in variable.axes)
