"""Which extent an index has: that of the axes it stands for, and what names equations define."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from symbackprop import scalar
from symbackprop.equations import Extent, Index, Role, Variable, extent_expression
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.formula import Call, Formula, Reference, references
from symbackprop.formula_reader import read_expression
from symbackprop.instantiate import polynomials
from symbackprop.instantiate.polynomials import Polynomial
from symbackprop.instantiate.scope import Scope
from symbackprop.scalar import Expression, Number
from symbackprop.sizing import extent_text

Numbers = Mapping[str, Expression | None]


def polynomial(
    formula: Formula, letters: Mapping[str, Index], numbers: Numbers
) -> Polynomial | None:
    """Return the formula as a polynomial of indices and sizes; None where it is none."""
    if isinstance(formula, Number):
        return polynomials.constant(formula.value)
    if isinstance(formula, Reference) and not formula.subscripts:
        if formula.name in letters:
            return {(letters[formula.name],): Fraction(1)}
        value = numbers.get(formula.name)
        return None if value is None else polynomials.of_extent(value)
    if not isinstance(formula, Call):
        return None
    parts = [polynomial(argument, letters, numbers) for argument in formula.arguments]
    return _combined(formula.function, [part for part in parts if part is not None], len(parts))


def _combined(function: str, parts: list[Polynomial], count: int) -> Polynomial | None:
    if len(parts) < count:
        return None
    if function == "negative":
        return polynomials.add({}, parts[0], -1)
    if function == "add":
        return polynomials.add(parts[0], parts[1])
    if function == "multiply":
        return polynomials.multiply(parts[0], parts[1])
    if function in ("divide", "floor_divide", "remainder"):
        return _quotient(function, parts[0], parts[1])
    return None


def _quotient(function: str, dividend: Polynomial, divisor: Polynomial) -> Polynomial | None:
    if set(divisor) == {()} and function == "divide":
        return polynomials.multiply(dividend, {(): 1 / divisor[()]})
    atoms = [atom for monomial in [*dividend, *divisor] for atom in monomial]
    if not divisor or any(isinstance(atom, Index) for atom in atoms):
        return None
    sides = [extent_expression(polynomials.to_extent(part)) for part in (dividend, divisor)]
    return polynomials.of_extent(scalar.apply(function, *sides))


def extent_of(text: str, numbers: Numbers) -> Extent:
    """Return the extent that an expression of sizes gives, exactly.

    Raises:
        SymbackpropError: an unknown size, a fraction, or an extent below 1.
    """
    formula = read_expression(text)
    for reference in references(formula):
        if numbers.get(reference.name) is None:
            raise SymbackpropError(
                f"extent {text!r}: unknown size {reference.name!r}; "
                f"{allowed(reference.name, numbers)}"
            )
    value = polynomial(formula, {}, numbers)
    if value is None:
        raise SymbackpropError(f"extent {text!r} is not made of sizes, + - * // and %")
    extent = polynomials.to_extent(value)
    shown = extent_text(extent)
    if not polynomials.is_whole(value):
        raise SymbackpropError(f"extent {text!r} is {shown}, not a whole number")
    if isinstance(extent, int) and extent < 1:
        sizes = {reference.name: numbers[reference.name] for reference in references(formula)}
        known = ", ".join(f"{name} {extent_text(v)}" for name, v in sizes.items() if v is not None)
        raise SymbackpropError(
            f"extent {text!r} is {shown}{f' with {known}' if known else ''}; at least 1 is needed"
        )
    return extent


class Table:
    """The variables known so far, by the names that the equations use."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.variables: dict[str, Variable] = dict(scope.variables)
        self.batched = set(scope.batched)
        self.insert = len(scope.leading) if scope.insert is None else scope.insert
        # Names that equations define but have not yet, with their indices in written order.
        self.pending: dict[str, tuple[str, ...]] = {}
        self.read_early: set[str] = set()

    def own_axes(self, name: str) -> tuple[Index, ...] | None:
        """Return the axes that the notation writes; None where the variable is not known yet."""
        variable = self.variables.get(name)
        if variable is None:
            return None
        if name not in self.batched:
            return variable.axes
        own = len(variable.axes) - len(self.scope.leading)
        return variable.axes[self.insert : self.insert + own]

    def arranged(self, own: tuple[Index, ...], leading: tuple[Index, ...]) -> tuple[Index, ...]:
        """Return all axes of a variable: the written ones among the leading ones."""
        return (*leading[: self.insert], *own, *leading[self.insert :])

    def check_letter(self, letter: str) -> None:
        """Refuse an index that has the name of something else."""
        scope = self.scope
        if letter in {*scope.variables, *scope.numbers, *scope.vectors, *self.pending}:
            raise SymbackpropError(f"{letter!r} is an index here, but also the name of something")

    def check_known(self, name: str, letters: Iterable[str]) -> None:
        """Refuse a name that nothing has."""
        scope = self.scope
        known = {*letters, *scope.variables, *scope.numbers, *scope.vectors}
        known |= {*self.variables, *self.pending}
        if name not in known:
            raise SymbackpropError(f"unknown name {name!r}; {allowed(name, known)}")

    def find_index(self, letter: str, formula: Formula) -> Index | None:
        """Return the index of this letter, with the extent of what it indexes in the formula.

        None where no known variable has an axis at a place where it stands bare.

        Raises:
            SymbackpropError: it stands for axes of different extents.
        """
        found: tuple[Index, str] | None = None
        role = Role.FEATURE
        for axis, name in self._axes_indexed(letter, formula):
            if found is None:
                found = axis, name
            elif not polynomials.same_extent(found[0].extent, axis.extent):
                raise SymbackpropError(
                    f"index {letter!r} runs over {extent_text(found[0].extent)} in {found[1]} and "
                    f"over {extent_text(axis.extent)} in {name} (a part of an axis is read by "
                    f"0 + {letter})"
                )
            role = axis.role if role is Role.FEATURE else role
        if found is not None:
            return Index(letter, found[0].extent, role)
        declared = self.scope.ranges.get(letter)
        return None if declared is None else Index(letter, declared)

    def in_window(self, letter: str, formula: Formula) -> bool:
        """Whether the index is one part of a subscript, as k is in x[i + k]."""
        bare = Reference(letter)
        return any(
            item != bare and bare in references(item)
            for reference in references(formula)
            for item in reference.subscripts
        )

    def role_of(self, letter: str, formula: Formula) -> Role:
        """Return what the axes stand for that an index is part of: x[2*i + k] has i's."""
        for reference in references(formula):
            axes = self.own_axes(reference.name) or ()
            for item, axis in zip(reference.subscripts, axes, strict=False):
                parts = {part.name for part in references(item)}
                if letter in parts and axis.role is not Role.FEATURE:
                    return axis.role
        return Role.FEATURE

    def _axes_indexed(self, letter: str, formula: Formula) -> Iterator[tuple[Index, str]]:
        bare = Reference(letter)
        for reference in references(formula):
            axes = self.own_axes(reference.name)
            if bare in reference.subscripts and axes is not None:
                pairs = zip(reference.subscripts, axes, strict=False)
                yield from ((axis, reference.name) for item, axis in pairs if item == bare)
