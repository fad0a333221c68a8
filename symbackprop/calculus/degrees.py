"""Degrees of expressions in exp(m), where every exponential of a row holds one exp(m).

The degree of exp(u[i]) is 1, that of what does not depend on m is 0; degrees add up in products.
What has a degree is that power of exp(m) times an expression of shifted exponentials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from symbackprop.calculus.indices import substitute_index
from symbackprop.calculus.maxima import FLOORED
from symbackprop.calculus.rewrite import Scope
from symbackprop.equations import (
    Access,
    Equation,
    Index,
    IndexExpression,
    Operand,
    Variable,
    indices_of,
)
from symbackprop.scalar import Apply, Expression, Number, Slot, apply

Places = tuple[IndexExpression, ...]


class NoDegreeError(Exception):
    """The expression is no power of exp(m) times something that does not depend on m."""


@dataclass(eq=False)
class Row:
    """Exponentials that totals sum over the same indices, and what is defined beside them.

    Attributes:
        total: the first of the totals, which names what is made.
        exponent: over slots of ``operands``.
        operands: what it reads.
        floored: whether the largest exponent is at least 0.
        used: whether an equation reads what is shifted.
    """

    total: Equation
    exponent: Expression
    operands: tuple[Operand, ...]
    floored: bool = False
    used: bool = False

    @property
    def free(self) -> tuple[Index, ...]:
        """The indices of one row: of the total's, those that its exponents depend on."""
        read = {index for operand in self.operands for index in indices_of(operand)}
        return tuple(index for index in self.total.free if index in read)

    @property
    def places(self) -> tuple[Index, ...]:
        """The indices of a row, and those that it runs over."""
        return (*self.free, *self.total.reduced)

    def made(self, word: str, axes: tuple[Index, ...]) -> Variable:
        """Return a variable beside the total."""
        return replace(self.total.target.variable.beside(word), axes=axes)

    @property
    def exponentials(self) -> Variable:
        """The exponentials, shifted."""
        return self.made("exp", self.places)

    @property
    def scale(self) -> Variable:
        """What is exp(-m)."""
        return self.made("scale", self.free)

    @property
    def largest(self) -> Variable:
        """The largest exponent: m."""
        return self.made("largest", self.free)

    def equations(self) -> list[Equation]:
        """Return the definitions of the largest exponent, the exponentials, and exp(-m)."""
        exponent: Operand = Access(self.made("exponent", self.places), self.places)
        found = []
        if self.exponent == Slot(0):
            exponent = self.operands[0]
        elif isinstance(exponent, Access):
            found.append(Equation(exponent, self.exponent, self.operands))
        row = FLOORED if self.floored else Slot(0)
        largest = Access(self.largest, self.free)
        found.append(Equation(largest, row, (exponent,), "largest", self.total.reduced, held=True))
        shifted = apply("exp", apply("add", Slot(0), apply("negative", Slot(1))))
        target = Access(self.exponentials, self.places)
        found.append(Equation(target, shifted, (exponent, largest)))
        if self.floored:
            scale = apply("exp", apply("negative", Slot(0)))
            found.append(Equation(Access(self.scale, self.free), scale, (largest,)))
        return found


Key = tuple[Row, Places]  # one row of exponentials
Degree = dict[Key, Fraction]


@dataclass(frozen=True)
class Sum:
    """A total over a row of exponentials.

    Attributes:
        row: which exponentials.
        places: which of the rows, by the total's own free indices.
        shifted: the total that is exp(-m) times it.
    """

    row: Row
    places: Places
    shifted: Equation

    def key(self, access: Access) -> Key:
        """Return which row is summed where the total is read."""
        values = dict(zip(self.shifted.free, access.indices, strict=True))
        return self.row, tuple(substitute_index(place, values) for place in self.places)


@dataclass
class Degrees:
    """Degrees of expressions, and what they are times exp(m) to that power.

    Attributes:
        scope: the operands, to which shifted ones are added.
        keys: the rows of exponentials in question.
        sums: the slots that read a total of exponentials.
        floored: the rows whose exp(-m) stays in a sum.
    """

    scope: Scope
    keys: set[Key]
    sums: Mapping[Slot, tuple[Key, Sum]]
    floored: set[Row] = field(default_factory=set)

    def of(self, node: Expression) -> tuple[Degree, Expression]:
        """Return the degree and the rest.

        Raises:
            NoDegreeError: there is none.
        """
        if isinstance(node, Slot) and node in self.sums:
            key, entry = self.sums[node]
            read = self.scope.operands[node.position]
            assert isinstance(read, Access)
            shifted = self._slot(replace(read, variable=entry.shifted.target.variable))
            return {key: Fraction(1)}, shifted
        if not isinstance(node, Apply):
            return {}, node
        if node.function == "exp":
            return self._exponential(node)
        return _RULES.get(node.function, Degrees._constant)(self, node)

    def _slot(self, access: Access) -> Slot:
        if access not in self.scope.operands:
            self.scope.operands.append(access)
        return Slot(self.scope.operands.index(access))

    def _exponential(self, node: Apply) -> tuple[Degree, Expression]:
        for key in self.keys:
            row, places = key
            binding = dict(zip(row.free, places, strict=True))
            if self.matches(row, row.exponent, node.arguments[0], binding):
                read = tuple(binding[index] for index in row.places)
                return {key: Fraction(1)}, self._slot(Access(row.exponentials, read))
        return self._constant(node)

    def matches(
        self,
        row: Row,
        pattern: Expression,
        node: Expression,
        binding: dict[Index, IndexExpression],
    ) -> bool:
        """Whether the node is the row's exponent at one place, which is added to the binding."""
        if isinstance(pattern, Slot) and isinstance(node, Slot):
            return _reads(
                row.operands[pattern.position], self.scope.operands[node.position], binding
            )
        if not isinstance(pattern, Apply) or not isinstance(node, Apply):
            return pattern == node
        if pattern.function != node.function or len(pattern.arguments) != len(node.arguments):
            return False
        pairs = zip(pattern.arguments, node.arguments, strict=True)
        return all(self.matches(row, a, b, binding) for a, b in pairs)

    def _constant(self, node: Apply) -> tuple[Degree, Expression]:
        parts = [self.of(argument) for argument in node.arguments]
        if any(degree for degree, _ in parts):
            raise NoDegreeError
        return {}, apply(node.function, *(rest for _, rest in parts))

    def _add(self, node: Apply) -> tuple[Degree, Expression]:
        parts = [self.of(argument) for argument in node.arguments]
        keys = dict.fromkeys(key for degree, _ in parts for key in degree)
        top = {key: max(degree.get(key, Fraction(0)) for degree, _ in parts) for key in keys}
        terms: list[Expression] = []
        for degree, rest in parts:
            missing = {key: top[key] - degree.get(key, Fraction(0)) for key in keys}
            self.floored |= {row for (row, _), power in missing.items() if power}
            scales = (
                apply("power", self._slot(Access(row.scale, places)), Number(power))
                for (row, places), power in missing.items()
                if power
            )
            terms += _terms(apply("multiply", rest, *scales))
        return _nonzero(top), apply("add", *terms)

    def _multiply(self, node: Apply) -> tuple[Degree, Expression]:
        parts = [self.of(argument) for argument in node.arguments]
        degree: Degree = {}
        for other, _ in parts:
            degree = _plus(degree, other)
        return degree, apply("multiply", *(rest for _, rest in parts))

    def _negative(self, node: Apply) -> tuple[Degree, Expression]:
        degree, rest = self.of(node.arguments[0])
        return degree, apply("negative", rest)

    def _divide(self, node: Apply) -> tuple[Degree, Expression]:
        (above, numerator), (below, denominator) = map(self.of, node.arguments)
        return _plus(above, below, Fraction(-1)), apply("divide", numerator, denominator)

    def _power(self, node: Apply) -> tuple[Degree, Expression]:
        base, exponent = node.arguments
        if not isinstance(exponent, Number):
            return self._constant(node)
        degree, rest = self.of(base)
        return _plus({}, degree, exponent.value), apply("power", rest, exponent)

    def _logarithm(self, node: Apply) -> tuple[Degree, Expression]:
        degree, rest = self.of(node.arguments[0])
        parts = [
            apply("multiply", Number(power), self._slot(Access(row.largest, places)))
            for (row, places), power in degree.items()
        ]
        return {}, apply("add", *parts, apply("log", rest))


_RULES: dict[str, Callable[[Degrees, Apply], tuple[Degree, Expression]]] = {
    "add": Degrees._add,
    "multiply": Degrees._multiply,
    "negative": Degrees._negative,
    "divide": Degrees._divide,
    "power": Degrees._power,
    "log": Degrees._logarithm,
}


def _reads(pattern: Operand, operand: Operand, binding: dict[Index, IndexExpression]) -> bool:
    """Whether an operand is the pattern with each index replaced as in the binding."""
    if not isinstance(pattern, Access) or not isinstance(operand, Access):
        return False
    if pattern.variable != operand.variable or operand.fill is not None:
        return False
    for own, place in zip(pattern.indices, operand.indices, strict=True):
        if isinstance(own, Index):
            binding.setdefault(own, place)
        if substitute_index(own, binding) != place:
            return False
    return True


def _plus(left: Degree, right: Degree, times: Fraction = Fraction(1)) -> Degree:
    keys = dict.fromkeys((*left, *right))
    zero = Fraction(0)
    return _nonzero({k: left.get(k, zero) + times * right.get(k, zero) for k in keys})


def _nonzero(degree: Degree) -> Degree:
    return {key: power for key, power in degree.items() if power}


def _terms(value: Expression) -> list[Expression]:
    """Return the terms of a sum, or of the opposite of one: u - (m + v) is u - m - v."""
    if isinstance(value, Apply) and value.function == "negative":
        return [apply("negative", term) for term in _terms(value.arguments[0])]
    if isinstance(value, Apply) and value.function == "add":
        return list(value.arguments)
    return [value]
