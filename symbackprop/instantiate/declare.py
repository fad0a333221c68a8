"""The variables that a definition's equations define, with the extents of their axes.

All are known before the first equation is bound, so that a recurrence can read what comes later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.equations import Index, Role, Variable
from symbackprop.errors import SymbackpropError
from symbackprop.formula import Assignment, Formula, Reference, bound_letters, references
from symbackprop.instantiate import polynomials
from symbackprop.instantiate.extents import Table
from symbackprop.instantiate.scope import Names, shape_text
from symbackprop.sizing import extent_text


def declare(
    texts: Sequence[str], assignments: Sequence[Assignment], table: Table, names: Names
) -> None:
    """Enter the target of every assignment into the table.

    Raises:
        SymbackpropError: a name that means two things, or an extent that does not follow.
    """
    for text, assignment in zip(texts, assignments, strict=True):
        try:
            _check(assignment.target, table)
        except SymbackpropError as error:
            raise error.at(f"equation {text!r}") from None
        table.pending[assignment.target.name] = letters_of(assignment.target)
    for text, assignment in zip(texts, assignments, strict=True):
        try:
            _check_reads(assignment, table)
        except SymbackpropError as error:
            raise error.at(f"equation {text!r}") from None
    _find_batched(assignments, table)
    _find_early(assignments, table)
    symbols = _symbols(assignments, table, names)
    _find_axes(texts, assignments, symbols, table)


def letters_of(target: Reference) -> tuple[str, ...]:
    """Return the indices on an equation's left side."""
    return tuple(item.name for item in target.subscripts if isinstance(item, Reference))


def reads_batch(formula: Formula, table: Table) -> bool:
    """Whether the formula reads anything that differs from sample to sample."""
    return any(reference.name in table.batched for reference in references(formula))


def _check(target: Reference, table: Table) -> None:
    scope = table.scope
    name = target.name
    if name in table.pending:
        raise SymbackpropError(f"{name} is defined twice")
    if name in scope.variables or name in scope.numbers or name in scope.vectors:
        raise SymbackpropError(f"{name} is given, an equation cannot define it")
    for letter in letters_of(target):
        table.check_letter(letter)


def _check_reads(assignment: Assignment, table: Table) -> None:
    """Refuse unknown names and wrong ranks before extents are looked for."""
    bound = tuple(bound_letters(assignment.value))
    for letter in bound:
        table.check_letter(letter)
    letters = {*letters_of(assignment.target), *bound}
    for reference in references(assignment.value):
        if reference.name in letters and reference.subscripts:
            raise SymbackpropError(f"{reference.name!r} is an index and takes no indices")
        table.check_known(reference.name, letters)
        own = table.own_axes(reference.name)
        if own is not None and len(own) != len(reference.subscripts):
            raise SymbackpropError(
                f"{reference.name} has {len(own)} axes, {shape_text(own)}, "
                f"and is read with {len(reference.subscripts)}"
            )


def _find_batched(assignments: Sequence[Assignment], table: Table) -> None:
    table.batched.add(assignments[-1].target.name)
    count = -1
    while count < len(table.batched):
        count = len(table.batched)
        for assignment in assignments:
            if reads_batch(assignment.value, table):
                table.batched.add(assignment.target.name)


def _find_early(assignments: Sequence[Assignment], table: Table) -> None:
    later = set(table.pending)
    for assignment in assignments:
        read = {reference.name for reference in references(assignment.value)}
        table.read_early |= read & later
        later.discard(assignment.target.name)


def _symbols(assignments: Sequence[Assignment], table: Table, names: Names) -> dict[str, str]:
    scope = table.scope
    written = [assignment.target.name for assignment in assignments]
    symbols = {}
    for name in written:
        if name == written[-1] and scope.result:
            symbols[name] = scope.result
        else:
            symbols[name] = names.fresh() if scope.generated else names.claim(name)
    return symbols


def _find_axes(
    texts: Sequence[str], assignments: Sequence[Assignment], symbols: dict[str, str], table: Table
) -> None:
    hints = _hints(assignments[-1].target, table)
    waiting = list(zip(texts, assignments, strict=True))
    while waiting:
        stuck = []
        for text, assignment in waiting:
            try:
                axes = _own_axes(assignment, table, hints)
            except SymbackpropError as error:
                raise error.at(f"equation {text!r}") from None
            if axes is None:
                stuck.append((text, assignment))
            else:
                _enter(assignment.target.name, axes, symbols, table)
        if len(stuck) == len(waiting):
            raise _unknown_extent(*stuck[0], table, hints)
        waiting = stuck


def _hints(target: Reference, table: Table) -> dict[str, Index]:
    """Return the indices of the last target whose extents the definition declares."""
    letters, declared = letters_of(target), table.scope.output
    if declared and len(declared) != len(letters):
        raise SymbackpropError(
            f"output declares {len(declared)} extents, {target.name} has {len(letters)} indices"
        )
    roles = table.scope.roles or (Role.FEATURE,) * len(declared)
    pairs = zip(letters, declared, roles, strict=False)
    return {letter: Index(letter, extent, role) for letter, extent, role in pairs}


def _own_axes(
    assignment: Assignment, table: Table, hints: dict[str, Index]
) -> tuple[Index, ...] | None:
    axes = []
    last = list(table.pending)[-1] == assignment.target.name
    for letter in letters_of(assignment.target):
        found = table.find_index(letter, assignment.value)
        hint = hints.get(letter)
        if last and found and hint and not polynomials.same_extent(found.extent, hint.extent):
            raise SymbackpropError(
                f"output declares {extent_text(hint.extent)} for index {letter!r}, which runs "
                f"over {extent_text(found.extent)}"
            )
        declared = bool(last and table.scope.roles)
        axis = (hint if declared else found) or found or hint
        if axis is None:
            return None
        if axis.role is Role.FEATURE and not declared:
            axis = replace(axis, role=table.role_of(letter, assignment.value))
        axes.append(axis)
    return tuple(axes)


def _enter(name: str, axes: tuple[Index, ...], symbols: dict[str, str], table: Table) -> None:
    leading = table.scope.leading if name in table.batched else ()
    arranged = table.arranged(axes, leading)
    table.variables[name] = Variable(symbols[name], table.scope.owner, arranged)


def _unknown_extent(
    text: str, assignment: Assignment, table: Table, hints: dict[str, Index]
) -> SymbackpropError:
    letter = next(
        letter
        for letter in letters_of(assignment.target)
        if letter not in hints and table.find_index(letter, assignment.value) is None
    )
    if any(reference.name == letter for reference in references(assignment.value)):
        return SymbackpropError(
            f"equation {text!r}: the extent of index {letter!r} does not follow: it stands bare "
            "nowhere; the definition's output can declare it, if it is a layer's"
        )
    return SymbackpropError(f"equation {text!r}: index {letter!r} indexes nothing")
