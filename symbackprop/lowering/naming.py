"""Names of the arrays and numbers of a training step: after the last variable in each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from symbackprop.equations import Variable
from symbackprop.lowering.homes import STEP, Home, Key
from symbackprop.lowering.makers import Makers
from symbackprop.lowering.program import COMMON, unused

_WORD = re.compile(r"_[a-z]{2}")  # names of the calculus that say what they are: _others_s


@dataclass(frozen=True)
class Naming:
    """Names arrays after the last variable that lives in them.

    Attributes:
        homes: the arrays, by section and value number.
        scalars: the keys of numbers.
        heads: sections of which only one runs.
        fixed: names that are given out already.
        outputs: by key, the variables that a section leaves there.
        owners: by key, the layer that it is computed for.
        makers: tells which turn of a block makes a variable.
    """

    homes: Mapping[Key, Home]
    scalars: Sequence[Key]
    heads: Sequence[str]
    fixed: frozenset[str]
    outputs: Mapping[Key, Sequence[Variable]]
    owners: Mapping[Key, str]
    makers: Makers

    def names(self) -> dict[Key, str]:
        """Return the name of everything; the arrays take note of theirs."""
        names: dict[Key, str] = {}
        taken = {name: set[str]() for name in (*COMMON, *self.heads)}
        every = {**self.homes, **dict.fromkeys(self.scalars)}
        for section, own in taken.items():
            used = set(self.fixed).union(*(taken[name] for name in (*COMMON, section)))
            for key, home in every.items():
                if key[0] == section:
                    name = self._array(key, home, used) if home else self._number(key, used)
                    used.add(name)
                    own.add(name)
                    names[key] = name
        return names

    def _number(self, key: Key, taken: set[str]) -> str:
        cost = [variable for variable in self.outputs.get(key, []) if not variable.adjoint]
        made = [v for v in cost if v.made]  # by a penalty
        number = Variable("penalty" if made else "t", self.owners[key])
        return unused((cost[0] if cost and not made else number).name, taken)

    def _array(self, key: Key, home: Home, taken: set[str]) -> str:
        if home.name:
            return home.name
        if home.base and home.part == STEP:
            home.name = unused(f"{home.base.name}_t", taken)
            return home.name
        named = [v for v in home.variables if not v.made]
        derived = [v for v in home.variables if _WORD.match(v.symbol)]
        stem = {"bool": "mask", "index": "at", "float": home.stem}[home.kind]
        variable = [Variable(stem, self.owners[key]), *derived, *named][-1]
        variable = replace(variable, symbol=variable.letters)
        stem = self.makers.stream(home.variables, variable) or variable.name
        home.name = home.gradient.name if home.gradient else unused(stem, taken)
        return home.name
