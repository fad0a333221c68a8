"""The notation of definitions, as records: what an author wrote, before any shapes.

    Assignment:  target = value
    Formula   =  Number | Named | Reference(name, subscripts) | Reduce(reduction, indices, body)
               | Call(function, arguments)

``Named`` is ``pi``. A bare name is a ``Reference`` without subscripts, be it a variable, a
constant, a size or an index; which one follows from the definition, when it is instantiated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symbackprop.equations import Reduction
from symbackprop.scalar import Named, Number


@dataclass(frozen=True, slots=True)
class Reference:
    """A read of what has this name; ``subscripts`` is empty for a bare name.

    ``padded`` reads may leave the extents: what lies outside counts as nothing.
    """

    name: str
    subscripts: tuple[Formula, ...] = ()
    padded: bool = False


@dataclass(frozen=True, slots=True)
class Reduce:
    """``total(i, j, body)`` and its kin."""

    reduction: Reduction
    indices: tuple[str, ...]
    body: Formula


@dataclass(frozen=True, slots=True)
class Call:
    """A scalar function (``scalar.ARITY``), or an activation of the catalogue, by name."""

    function: str
    arguments: tuple[Formula, ...]


Formula = Number | Named | Reference | Reduce | Call


@dataclass(frozen=True, slots=True)
class Assignment:
    """One equation; ``held``, as in ``m = held(...)``, makes it a constant to the calculus."""

    target: Reference
    value: Formula
    held: bool = False


def references(formula: Formula) -> Iterator[Reference]:
    """Yield every reference in the formula, those inside subscripts included, in written order."""
    if isinstance(formula, Reference):
        yield formula
        for subscript in formula.subscripts:
            yield from references(subscript)
    elif isinstance(formula, Reduce):
        yield from references(formula.body)
    elif isinstance(formula, Call):
        for argument in formula.arguments:
            yield from references(argument)


def bound_letters(formula: Formula) -> Iterator[str]:
    """Yield the indices that reductions in the formula run over."""
    if isinstance(formula, Reduce):
        yield from formula.indices
        yield from bound_letters(formula.body)
    elif isinstance(formula, Call):
        for argument in formula.arguments:
            yield from bound_letters(argument)
    elif isinstance(formula, Reference):
        for subscript in formula.subscripts:
            yield from bound_letters(subscript)
