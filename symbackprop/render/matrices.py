"""Formulas between matrices, as trees.

    Matrix = Array(variable, shape) | OneHot(variable, shape) | Ones(extent) | Constant(value)
           | Transpose(operand) | MatMul(factors) | Elementwise(function, operands)
           | Extremum(function, operand, index, over) | SquaredNorm(operand)

A shape is (rows, columns); None stands for an axis that is not there: a vector is a column,
(extent, None), its transpose a row, (None, extent), and a scalar has neither. An axis of extent
1 is an axis all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from symbackprop.equations import Extent, Index, Variable
from symbackprop.scalar import Expression

Shape = tuple[Extent | None, Extent | None]
SCALAR: Shape = (None, None)


@dataclass(frozen=True, slots=True)
class Array:
    """A variable of at most two axes; one of two stands as its layout has it."""

    variable: Variable
    shape: Shape


@dataclass(frozen=True, slots=True)
class OneHot:
    """Classes or positions as unit vectors: entry (n, i) is 1 where ``variable[n]`` is i, else 0.

    Its class axis is the second where it stands in rows, the first where it stands in columns;
    without an axis for samples it is one column.
    """

    variable: Variable
    shape: Shape


@dataclass(frozen=True, slots=True)
class Ones:
    """The column vector of so many ones."""

    extent: Extent


@dataclass(frozen=True, slots=True)
class Constant:
    """A number without slots; among arrays it stands for an array of equal entries."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Transpose:
    """The transpose."""

    operand: Matrix


@dataclass(frozen=True, slots=True)
class MatMul:
    """The matrix product, from left to right; of a column and a row, the outer product."""

    factors: tuple[Matrix, ...]


@dataclass(frozen=True, slots=True)
class Elementwise:
    """A function of ``scalar.ARITY``, or one left open, entry by entry.

    Operands have the same shape, or are scalars. ``multiply`` is the Hadamard product, and a
    scaling where a factor is a scalar.
    """

    function: str
    operands: tuple[Matrix, ...]


@dataclass(frozen=True, slots=True)
class Extremum:
    """The largest or smallest entry of every row, as a column; or of a vector, as a scalar.

    Attributes:
        function: ``argmax`` and ``argmin`` give its position.
        operand: what it is taken of.
        index: the index that runs along the axis.
        over: "columns", every row's largest; "rows", every column's; "all", of the whole.
    """

    function: Literal["largest", "smallest", "argmax", "argmin"]
    operand: Matrix
    index: Index
    over: Literal["columns", "rows", "all"]


@dataclass(frozen=True, slots=True)
class SquaredNorm:
    """The sum of the squares of all entries."""

    operand: Matrix


Matrix = (
    Array | OneHot | Ones | Constant | Transpose | MatMul | Elementwise | Extremum | SquaredNorm
)
_Wrapping = Transpose | Extremum | SquaredNorm


def shape(matrix: Matrix) -> Shape:
    """Return (rows, columns) of what the formula computes."""
    match matrix:
        case Array() | OneHot():
            found = matrix.shape
        case Ones():
            found = (matrix.extent, None)
        case Constant() | SquaredNorm():
            found = SCALAR
        case Transpose():
            rows, columns = shape(matrix.operand)
            found = (columns, rows)
        case MatMul():
            found = (shape(matrix.factors[0])[0], shape(matrix.factors[-1])[1])
        case Extremum():
            rows, columns = shape(matrix.operand)
            found = {"columns": (rows, None), "rows": (columns, None), "all": SCALAR}[matrix.over]
        case Elementwise():
            shapes = [shape(operand) for operand in matrix.operands]
            found = next((each for each in shapes if each != SCALAR), SCALAR)
    return found


def walk(matrix: Matrix) -> Iterator[Matrix]:
    """Yield every part, the whole before its parts, left to right."""
    yield matrix
    if isinstance(matrix, MatMul):
        inner = matrix.factors
    elif isinstance(matrix, Elementwise):
        inner = matrix.operands
    else:
        inner = (matrix.operand,) if isinstance(matrix, _Wrapping) else ()
    for part in inner:
        yield from walk(part)


def transposed(matrix: Matrix) -> Matrix:
    """Return the transpose: of a product, the product of the transposes in reverse order."""
    if shape(matrix) == SCALAR:
        return matrix
    if isinstance(matrix, Transpose):
        return matrix.operand
    if isinstance(matrix, MatMul):
        return MatMul(tuple(transposed(factor) for factor in reversed(matrix.factors)))
    if isinstance(matrix, Elementwise) and _turns(matrix):
        return Elementwise(matrix.function, tuple(transposed(o) for o in matrix.operands))
    return Transpose(matrix)


def _turns(matrix: Matrix) -> bool:
    """Whether the transpose is written with no more marks than the matrix."""
    if isinstance(matrix, Elementwise):
        return all(_turns(operand) for operand in matrix.operands)
    return isinstance(matrix, Transpose | MatMul) or shape(matrix) == SCALAR


def product(*factors: Matrix) -> MatMul:
    """Return the matrix product, nested products flattened."""
    flat: list[Matrix] = []
    for factor in factors:
        flat.extend(factor.factors if isinstance(factor, MatMul) else [factor])
    return MatMul(tuple(flat))
