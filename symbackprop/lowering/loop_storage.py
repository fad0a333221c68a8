"""Arrays of a loop over steps: what it collects, and what its steps hand on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from symbackprop.equations import Variable
from symbackprop.lowering.homes import STEP, Home, Key, kind_of, shape_of
from symbackprop.lowering.layout import Layout
from symbackprop.lowering.loops import Loop, refused_recurrence, step_of
from symbackprop.lowering.program import LoopStatement, Part, Statement
from symbackprop.lowering.values import Value


class LoopHomes:
    """Plans the arrays of one loop.

    Attributes:
        section: where it stands.
        span: the positions of its first and its last statement.
        homes: the arrays, by key.
        origins: of arrays that are no value's, the number of one that they are for.
    """

    def __init__(
        self,
        layout: Layout,
        section: str,
        loop: Loop,
        span: tuple[int, int],
        last_use: Mapping[Key, int],
    ) -> None:
        self.layout, self.section, self.loop = layout, section, loop
        self.span, self.last_use = span, last_use
        self.homes: dict[Key, Home] = {}
        self.origins: dict[int, int] = {}

    def plan(
        self,
        results: Sequence[Value],
        numbers: Callable[[], int],
        variable_of: Mapping[int, Variable],
    ) -> None:
        """Plan all arrays.

        Args:
            results: what is read after the loop.
            numbers: gives out numbers for arrays that are no value's.
            variable_of: by value number, the variable that the value is.
        """
        kept = {result.number: result for result in results}
        for carry in self.loop.carries:
            after, before = (self.loop.results[v.number] for v in (carry.after, carry.before))
            home = self._chain(after, before)
            number = numbers()
            self.origins[number] = after.number
            self.homes[self.section, number] = home
            views = ("1:", ":-1") if self.loop.backwards else (":-1", "1:")
            for result, part in zip((before, after), views, strict=True):
                kept.pop(result.number, None)
                stem = "before" if result is before else home.stem
                view = replace(home, base=home, part=part, stem=stem)
                self._collects(result, view, variable_of)
        start, end = self.span
        for result in kept.values():
            until = max(end, self.last_use.get((self.section, result.number), end))
            home = Home(shape_of(self.layout, result), kind_of(step_of(result)), start, until)
            self._collects(result, home, variable_of)

    def _chain(self, after: Value, before: Value) -> Home:
        """Return the array of what is handed on: the start and every step after it."""
        start, end = self.span
        if self._axis(after):
            raise refused_recurrence(self.loop.variable, "its steps are not the outermost axis")
        _, *rest = shape_of(self.layout, after)
        ends = (self.last_use.get((self.section, r.number), end) for r in (after, before))
        shape = (self.loop.extent + 1, *rest)
        return Home(shape, "float", start, max(end, *ends), stem="steps")

    def _collects(self, result: Value, home: Home, variable_of: Mapping[int, Variable]) -> None:
        """Enter the array of a result, and a step of it."""
        variable = variable_of.get(result.number)
        home.variables = [variable] if variable else []
        self.homes[self.section, result.number] = home
        step = step_of(result).number
        axis = self._axis(result)
        self.homes[self.section, step] = replace(home, base=home, axis=axis, part=STEP)

    def _axis(self, result: Value) -> int:
        """Return the axis of the steps, as the array lies in memory."""
        whole, _ = self.loop.wholes[step_of(result).number]
        return self.layout.order(result).index(self.loop.axes[whole.number])


def loop_statement(
    loop: Loop, section: str, homes: Mapping[Key, Home], statements: Sequence[Statement]
) -> LoopStatement:
    """Return the loop over these statements; all arrays have their names."""
    starts = []
    for carry in loop.carries:
        before = homes[section, loop.results[carry.before.number].number]
        number = len(before.shape) == 1
        first = Part(before.name, 0, "-1" if loop.backwards else "0", number)
        starts.append((first, carry.start))
    parts = {}
    for step in loop.wholes:
        home = homes.get((section, step))
        if home and home.view and home.part == STEP:
            parts[home.name] = home.view
    return LoopStatement(loop, tuple(starts), tuple(statements), parts, statements[0].owner)
