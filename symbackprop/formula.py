"""The notation of definitions, as records: what an author wrote, before any shapes.

    Assignment:  target = value
    Formula   =  Number | Named | Reference(name, subscripts) | Reduce(reduction, indices, body)
               | Call(function, arguments)

``Named`` is ``pi``. A bare name is a ``Reference`` without subscripts, be it a variable, a
constant, a size or an index; which one follows from the definition, when it is instantiated.
"""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.equations import Reduction
from symbackprop.scalar import Named, Number


@dataclass(frozen=True, slots=True)
class Reference:
    """A read of what has this name; ``subscripts`` is empty for a bare name."""

    name: str
    subscripts: tuple[Formula, ...] = ()


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
