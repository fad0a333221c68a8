"""Equations in index notation, and what the calculus makes of them.

    Equation:  target[I] = reduction over R of function(operands)
    Term:      for all (I, R):  adjoint of target += coefficient * product of factors

An index expression is one of
    Index                     bare: i
    Affine                    s*i + k + c
    Quotient, Remainder       e // s, e % s
    Access                    a look-up: y[n] in p[n, y[n]]
Every equation has an index scope of its own: the same Index object in two
equations means nothing. Variables are global within a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from typing import Literal

from symbackprop.scalar import Expression, Number

Fill = Literal["zero", "-inf", "inf"]  # what a read outside the extents gives
Extent = int | Expression  # a number, or one by name (Named("N") is the batch)
# argmax and argmin give the flat position, row by row, of the first largest or smallest.
Reduction = Literal["total", "product", "largest", "smallest", "argmax", "argmin"]


class Role(Enum):
    """What an axis stands for; layouts order axes by role."""

    BATCH = "batch"
    TIME = "time"
    PHASE = "phase"
    CHANNEL = "channel"
    FEATURE = "feature"
    KERNEL = "kernel"
    SPACE = "space"


@dataclass(frozen=True, slots=True)
class Index:
    """A bound or free index that runs from 0 to extent - 1."""

    name: str
    extent: Extent
    role: Role = Role.FEATURE

    def __hash__(self) -> int:  # an extent may be a tree, and few indices share a name
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Affine:
    """The index expression sum of coefficient * index, plus offset."""

    terms: tuple[tuple[Extent, Index], ...]
    offset: Extent = 0


@dataclass(frozen=True, slots=True)
class Quotient:
    """The index expression dividend // divisor."""

    dividend: IndexExpression
    divisor: Extent


@dataclass(frozen=True, slots=True)
class Remainder:
    """The index expression dividend % divisor."""

    dividend: IndexExpression
    divisor: Extent


@dataclass(frozen=True, slots=True)
class Variable:
    """A named array of the network.

    Attributes:
        symbol: letters, as in ``W`` of ``W1``.
        owner: the layer's position (``"1"``) or its name; empty for x, y and L.
        axes: one Index per dimension, named as the variable's own axes.
        integer: holds class indices or tokens; has no adjoint.
        adjoint: the adjoint of the variable that has the same other fields.
        values: the exact numbers of a constant array, row by row; None where they are not fixed.
            A name stands for one array, so they take no part in comparisons.
    """

    symbol: str
    owner: str = ""
    axes: tuple[Index, ...] = ()
    integer: bool = False
    adjoint: bool = False
    values: tuple[Fraction, ...] | None = field(default=None, compare=False, repr=False)

    def __hash__(self) -> int:  # axes are left out: few variables differ in those alone
        return hash((self.symbol, self.owner, self.adjoint))

    @property
    def name(self) -> str:
        """The name users see: W1, W_head, dz1 for an adjoint."""
        joint = "_" if self.owner and not self.owner[0].isdigit() else ""
        return f"{'d' if self.adjoint else ''}{self.symbol}{joint}{self.owner.replace('.', '_')}"

    @property
    def made(self) -> bool:
        """Whether normalising or the calculus made it: a name that no user can write."""
        return self.symbol.startswith("_")

    @property
    def letters(self) -> str:
        """The symbol without what tells that it was made."""
        return self.symbol.lstrip("_")

    def beside(self, word: str) -> Variable:
        """Return a variable that the calculus makes beside this one: _others_z for z."""
        return replace(self, symbol=f"_{word}_{self.letters}")

    def bar(self) -> Variable:
        """Return the adjoint variable (field's notation: z_bar)."""
        return replace(self, adjoint=True)


@dataclass(frozen=True, slots=True)
class Access:
    """One read of a variable: an index expression per dimension.

    ``fill`` is what a read outside the extent gives; None where none can happen.
    """

    variable: Variable
    indices: tuple[IndexExpression, ...] = ()
    fill: Fill | None = None


IndexExpression = Index | Affine | Quotient | Remainder | Access
Operand = Access | Index  # an Index as an operand is its own value, a number


@dataclass(frozen=True, slots=True)
class Equation:
    """``target[I] = reduction over reduced of function(operands)``.

    Attributes:
        target: an Access with bare indices only.
        function: a scalar expression whose Slot(k) is operands[k].
        operands: the accesses (or index values) that the function reads.
        reduction: None for a plain definition, else the one reduction it has.
        reduced: the indices reduced over.
        excluding: pairs (reduced index, index expression over the free ones): that
            one summand is left out, as in a total over all classes but the target.
        held: the target is held constant in differentiation.
    """

    target: Access
    function: Expression
    operands: tuple[Operand, ...]
    reduction: Reduction | None = None
    reduced: tuple[Index, ...] = ()
    excluding: tuple[tuple[Index, IndexExpression], ...] = ()
    held: bool = False

    @property
    def free(self) -> tuple[Index, ...]:
        """The indices of the target, in its order."""
        return tuple(index for index in self.target.indices if isinstance(index, Index))


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of a Term: a scalar function of accesses (adjoints included)."""

    function: Expression
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """For all indices of ``space``: ``target += coefficient * product(factors)``.

    ``target`` accesses an adjoint variable. Indices of the space that the target
    does not hold are summed by the accumulation. Where ``excluding`` names a pair
    (index, expression), the term is skipped at that one value of the index. Where
    ``assigned``, it is the only term that reaches its place: others exclude it.
    """

    target: Access
    space: tuple[Index, ...]
    coefficient: Expression
    factors: tuple[Factor, ...]
    excluding: tuple[tuple[Index, IndexExpression], ...] = ()
    assigned: bool = False


@dataclass(frozen=True, slots=True)
class Adjoint:
    """The total derivative of the cost with respect to ``variable``: the sum of its terms.

    ``variable`` is the primal; one Term for each occurrence in each consumer.
    """

    variable: Variable
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One application of a named rule, as documents print it and audits read it.

    ``before`` and ``after`` are records of this module (an Equation, a Factor, a
    Term, an Adjoint) or tuples of them; ``reason`` says why the rule applies.
    """

    rule: str
    before: tuple[object, ...]
    after: tuple[object, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Derivation:
    """Equations in topological order, their adjoints in reverse order, and every step."""

    equations: tuple[Equation, ...]
    adjoints: tuple[Adjoint, ...]
    steps: tuple[Step, ...] = field(default=())


def indices_of(expression: IndexExpression | Operand) -> Iterator[Index]:
    """Yield every Index that an index expression or operand mentions, look-ups included."""
    if isinstance(expression, Index):
        yield expression
    elif isinstance(expression, Affine):
        for _, index in expression.terms:
            yield index
    elif isinstance(expression, Quotient | Remainder):
        yield from indices_of(expression.dividend)
    else:
        for inner in expression.indices:
            yield from indices_of(inner)


def accesses_of(operand: Operand | IndexExpression) -> Iterator[Access]:
    """Yield the access and the look-ups inside it."""
    if isinstance(operand, Access):
        yield operand
        for inner in operand.indices:
            yield from accesses_of(inner)
    elif isinstance(operand, Quotient | Remainder):
        yield from accesses_of(operand.dividend)


def extent_expression(extent: Extent) -> Expression:
    """Return the extent as a scalar expression."""
    return Number(Fraction(extent)) if isinstance(extent, int) else extent


def is_known(extent: Extent) -> bool:
    """Whether the extent is a plain number."""
    return isinstance(extent, int)
