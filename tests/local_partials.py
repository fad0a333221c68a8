"""Partials of one value with respect to another, by differences of the equations to 60 digits.

What a line says is held is held, and so are maxima that are declared to be; all else moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from latex_reader import MP
from round_trip import DIGITS, printed_name

from symbackprop.equations import Access, Equation, Role, Variable
from symbackprop.reference import evaluate

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
        still = {self._all[name] for name in held} | {variable}
        equations = [e for v, e in self._equations.items() if v not in still and not e.held]
        moving = {e.target.variable.name for e in equations}
        given = {n: a for n, a in self._known.items() if n not in moving}
        given[variable.name] = array
        return evaluate(equations, given, self._sizes, DIGITS)[consumer.name]


def _read(equation: Equation) -> list[Variable]:
    return [o.variable for o in equation.operands if isinstance(o, Access)]


def _with_sample(variable: Variable, place: tuple[int, ...]) -> tuple[int, ...]:
    if len(place) == len(variable.axes):
        return place
    left = iter(place)
    return tuple(0 if axis.role is Role.BATCH else next(left) for axis in variable.axes)
