"""What the names in a definition's equations stand for, and what the generated ones are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from symbackprop.definition import Activation
from symbackprop.equations import Extent, Index, Role, Variable
from symbackprop.scalar import Expression, number
from symbackprop.sizing import extent_text

# What the symbols of generated variables begin with.
GENERATED = "_t"


@dataclass(frozen=True)
class Scope:
    """One use of a definition.

    Attributes:
        owner: of every variable that the equations define.
        variables: inputs, with their leading axes, and parameters, without.
        batched: the names of ``variables`` that have the leading axes.
        leading: the axes that the notation leaves out, the batch first.
        insert: how many leading axes stand before the written ones; None is all.
        numbers: constants and sizes; None is a constant that is not set.
        vectors: constants with one number per place; None is not set and reads as 1.
        off: parameters that are switched off, with the number that each reads as.
        result: the symbol of the last equation's target; "" keeps it as written.
        output: the extents of the last target's axes, where they are declared.
        roles: what those axes stand for, where it is declared.
        ranges: the extents of further indices, where they stand bare nowhere.
        functions: the activations that the equations may call.
        generated: give every symbol but the result a generated name.
        calling: the activations whose expansion this is, outermost first.
    """

    owner: str
    variables: Mapping[str, Variable]
    batched: frozenset[str] = frozenset()
    leading: tuple[Index, ...] = ()
    insert: int | None = None
    numbers: Mapping[str, Expression | None] = field(default_factory=dict)
    vectors: Mapping[str, tuple[Fraction, ...] | None] = field(default_factory=dict)
    off: Mapping[str, Expression] = field(default_factory=dict)
    result: str = ""
    output: tuple[Extent, ...] = ()
    roles: tuple[Role, ...] = ()
    ranges: Mapping[str, Extent] = field(default_factory=dict)
    functions: Mapping[str, Activation] = field(default_factory=dict)
    generated: bool = False
    calling: tuple[str, ...] = ()


# What a generated module calls samples and steps.
_LETTERS = "nk"


class Names:
    """The symbols given out under one owner.

    Generated symbols begin with an underscore, which no user can write. A digit at the end
    of a symbol is kept apart from the layer's position: ``_t1_`` of layer 2 is ``_t1_2``.
    Without a position, words end in an underscore: the module that is generated ends none of
    its own names so (``loss``, ``share``, ``a1`` of a layer).
    """

    def __init__(self, owner: str, taken: Iterable[str] = ()) -> None:
        self.owner = owner
        self._taken = set(taken)
        self._count = 0
        self._tail = "_" if owner[:1].isdigit() else ""

    def apart(self) -> Names:
        """Return a copy, for equations that never stand beside those named here."""
        copied = Names(self.owner, self._taken)
        copied._count = self._count
        return copied

    def include(self, others: Names) -> None:
        """Take the names that a copy has given out as well."""
        self._taken |= others._taken
        self._count = max(self._count, others._count)

    def fresh(self) -> str:
        """Return the next generated symbol."""
        self._count += 1
        return f"{GENERATED}{self._count}{self._tail}"

    def claim(self, symbol: str) -> str:
        """Return the symbol, or a generated one where it is taken."""
        alone = not self.owner and (len(symbol) > 1 or symbol in _LETTERS)
        wanted = f"{symbol}_" if alone else symbol + self._tail if symbol[-1].isdigit() else symbol
        if wanted in self._taken:
            return self.fresh()
        self._taken.add(wanted)
        return wanted


def constant_numbers(constants: Mapping[str, Any]) -> dict[str, Expression | None]:
    """Return the constants as numbers; a truth value is 1 or 0, text is no number."""
    numbers: dict[str, Expression | None] = {}
    for name, value in constants.items():
        if value is None:
            numbers[name] = None
        elif isinstance(value, bool | int | float):
            numbers[name] = number(int(value) if isinstance(value, bool) else value)
    return numbers


def shape_text(axes: Iterable[Index]) -> str:
    """Return the extents of the axes for a message: ``(N, 3)``."""
    shape = [extent_text(axis.extent) for axis in axes]
    return f"({', '.join(shape)}{',' if len(shape) == 1 else ''})"
