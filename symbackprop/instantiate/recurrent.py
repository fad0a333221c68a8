"""Recurrent results: what a layer hands on and what it reads of its own are two variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.formula import Assignment, references

_HANDED_ON = "_result"  # no name that users can write


def is_read_again(assignments: Sequence[Assignment]) -> bool:
    """Whether what the last equation defines is read: a recurrence."""
    name = assignments[-1].target.name
    return any(item.name == name for a in assignments for item in references(a.value))


def handed_on(last: Assignment) -> Assignment:
    """Return an equation that gives the result as a variable of its own.

    Whoever reads the layer and the layer's own next step are then two consumers.
    """
    return Assignment(replace(last.target, name=_HANDED_ON), last.target)
