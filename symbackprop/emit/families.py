"""Arrays of a run of equal units, bound as one dict by unit for every symbol."""

from __future__ import annotations

import re
from collections.abc import Iterable

from symbackprop.emit.binding import Binding, Bound
from symbackprop.emit.places import Place, by_layer, places_of_run
from symbackprop.emit.runs import Names, Relative
from symbackprop.lowering.program import unused
from symbackprop.lowering.runs import Run

_BY_NAME = re.compile(r'self\.(parameters|gradients)\["\w+"\]')


class Families:
    """Binds what loops over a run of equal units read.

    Attributes:
        offsets: how far from its own unit each symbol is read.
        found: the name of each symbol's dict, or of the one array that all units use.
    """

    def __init__(
        self, binding: Binding, names: Names, run: Run, wanted: Iterable[Relative]
    ) -> None:
        self.binding, self.names, self.run = binding, names, run
        self.numbers, self.first = run.numbers, run.numbers[0]
        self.wanted = tuple(wanted)
        self.known = binding.of("")
        self.offsets: dict[tuple[str, str], set[int]] = {}
        for name in self.wanted:
            self.offsets.setdefault((name.symbol, name.suffix), set()).add(name.offset)
        self.found: dict[tuple[str, str], str] = {}
        self.by_layer: set[str] = set()

    @property
    def regular(self) -> bool:
        """Whether the places of all arrays, and of those that they show, follow a rule."""
        stack, seen = [(name.symbol, name.suffix) for name in self.wanted], set()
        while stack:
            symbol, suffix = stack.pop()
            if not all(self._name(symbol, suffix, number) in self.known for number in self.numbers):
                return False
            bound = self.known[self._name(symbol, suffix, self.first)]
            if isinstance(bound.by, Place):
                if places_of_run(self._places(symbol, suffix), self.numbers) is None:
                    return False
            elif (symbol, suffix) not in seen:
                shown = self.names.read([bound.source], self.run.units[0])
                stack.extend((name.symbol, name.suffix) for name in shown)
            seen.add((symbol, suffix))
        return True

    def bind(self) -> dict[Relative, str]:
        """Bind the arrays; return the expression of each in a turn of a loop over k."""
        return {name: self._element(name) for name in self.wanted}

    def _name(self, symbol: str, suffix: str, number: int) -> str:
        """Return the name of a unit's array; beside the run, of what stands for one of its."""
        offset = -1 if number < self.first else 0
        return self.names.at(Relative(symbol, offset, suffix, self.run.block), number - offset)

    def _places(self, symbol: str, suffix: str) -> list[Place]:
        found = (self.known[self._name(symbol, suffix, k)].by for k in self.numbers)
        return [place for place in found if isinstance(place, Place)]

    def _element(self, name: Relative) -> str:
        family = self._family(name.symbol, name.suffix)
        shift = f" {'+' if name.offset > 0 else '-'} 1" if name.offset else ""
        return f"{family}[k{shift}]" if family in self.by_layer else family

    def _family(self, symbol: str, suffix: str) -> str:
        """Return the name of the dict, or of the one array that all layers use."""
        key = (symbol, suffix)
        if key not in self.found:
            taken = {*self.binding.arrays[""], *self.binding.views[""]}
            self.found[key] = family = unused(f"{symbol}{suffix}", taken)
            expression = self._by_layer(symbol, suffix)
            shared = _is_shared(expression)
            after = [] if shared else self._neighbours(family, symbol, suffix)
            first = self.known[self._name(symbol, suffix, self.first)]
            if first.after and not shared:
                after += [f"for array in {family}.values():", "    array[-1] = 1"]
            self.binding.arrays[""][family] = Bound(expression, tuple(after))
            if not shared:
                self.by_layer.add(family)
                self._show(family, symbol, suffix)
        return self.found[key]

    def _neighbours(self, family: str, symbol: str, suffix: str) -> list[str]:
        """Return statements that add the layers next to the run, where a loop reads them."""
        if _BY_NAME.match(self._source(symbol, suffix)):
            return []
        found = []
        for offset in sorted(self.offsets.get((symbol, suffix), {0}) - {0}):
            number = self.first - 1 if offset < 0 else self.numbers[-1] + 1
            found.append(f"{family}[{number}] = {self._name(symbol, suffix, number)}")
        return found

    def _show(self, family: str, symbol: str, suffix: str) -> None:
        """Let layers outside the run find the arrays in the dict, but for views of them."""
        for number in self.numbers:
            name = self._name(symbol, suffix, number)
            if name in self.binding.arrays[""] and not _BY_NAME.match(self.known[name].source):
                self.binding.arrays[""][name] = Bound(f"{family}[{number}]")

    def _source(self, symbol: str, suffix: str) -> str:
        return self.known[self._name(symbol, suffix, self.first)].source

    def _by_layer(self, symbol: str, suffix: str) -> str:
        """Return the expression of a dict by layer, or of the one array that all use."""
        first, last = self.first, self.numbers[-1]
        bound = self.known[self._name(symbol, suffix, first)]
        if isinstance(bound.by, Place):
            expression = places_of_run(self._places(symbol, suffix), self.numbers)
            assert expression is not None
            return expression
        match = _BY_NAME.match(bound.source)
        if match:
            offsets = self.offsets.get((symbol, suffix), set()) | {0}  # views show their own layer
            name = self.names.relative(bound.source.split('"')[1], self.run.units[0])
            assert name is not None
            source = f"self.{match[1]}[{name.key}]"
            return by_layer(source, range(first + min(offsets), last + max(offsets) + 1))
        source = self.names.replaced(bound.source, self.run.units[0], self._element)
        return by_layer(source, self.numbers)


def _is_shared(expression: str) -> bool:
    return not expression.startswith(("{", "dict("))
