"""Products of arrays whose axes carry indices, and sums over indices, as matrix formulas.

An index that two arrays share is matched: entry by entry where it stays, by a matrix product
where it is summed. An array without an index of the result is repeated along it, by ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from symbackprop import scalar
from symbackprop.equations import Extent, Index, extent_expression
from symbackprop.render.matrices import (
    Constant,
    Elementwise,
    MatMul,
    Matrix,
    Ones,
    Shape,
    SquaredNorm,
    Transpose,
    product,
    transposed,
)
from symbackprop.scalar import ONE, ZERO, Apply, Expression, Number

MINUS_ONE, TWO = Number(Fraction(-1)), Number(Fraction(2))


class NoFormError(Exception):
    """What it says has no form in at most two axes."""


@dataclass(frozen=True, slots=True)
class Value:
    """A matrix whose rows run over index ``row`` and its columns over ``column``.

    None where there is no such axis; with one axis, the matrix is a column.
    """

    matrix: Matrix
    row: Index | None = None
    column: Index | None = None

    @property
    def labels(self) -> tuple[Index, ...]:
        """The indices that it has."""
        return tuple(index for index in (self.row, self.column) if index is not None)


@dataclass(frozen=True, slots=True)
class Product:
    """``coefficient * product(above) / product(below)``, entry by entry."""

    coefficient: Expression = ONE
    above: tuple[Value, ...] = ()
    below: tuple[Value, ...] = ()

    def times(self, other: Product) -> Product:
        """Return the product of both."""
        coefficient = scalar.apply("multiply", self.coefficient, other.coefficient)
        return Product(coefficient, self.above + other.above, self.below + other.below)

    def over(self, other: Product) -> Product:
        """Return the quotient of both."""
        coefficient = scalar.apply("divide", self.coefficient, other.coefficient)
        return Product(coefficient, self.above + other.below, self.below + other.above)


def shape_of(row: Index | None, column: Index | None) -> Shape:
    """Return the shape of a matrix with these axes."""
    return row.extent if row else None, column.extent if column else None


def oriented(value: Value, row: Index | None, column: Index | None) -> Matrix:
    """Return the matrix with these axes, turned or repeated by ones."""
    if (value.row, value.column) == (row, column):
        return value.matrix
    if (value.row, value.column) == (column, row):
        return transposed(value.matrix)
    if isinstance(value.matrix, Elementwise) and value.matrix.function == "negative":
        positive = replace(value, matrix=value.matrix.operands[0])
        return Elementwise("negative", (oriented(positive, row, column),))
    extents = [index.extent for index in (row, column) if index is not None]
    if not value.labels:
        return _filled(value.matrix, extents)
    assert row is not None
    assert column is not None
    if value.row == row:
        return product(value.matrix, Transpose(Ones(column.extent)))
    return product(Ones(row.extent), transposed(value.matrix))


def _filled(number: Matrix, extents: Sequence[Extent]) -> Matrix:
    ones: Matrix = Ones(extents[0])
    if len(extents) == 2:
        ones = MatMul((ones, Transpose(Ones(extents[1]))))
    return ones if number == Constant(ONE) else Elementwise("multiply", (number, ones))


def elementwise(function: str, values: Sequence[Value]) -> Value:
    """Return the function of values, entry by entry.

    Numbers stay as they are, and so do scalars that scale.

    Raises:
        NoFormError: together they have more than two indices.
    """
    labels = list(dict.fromkeys(index for value in values for index in value.labels))
    if len(labels) > 2:
        raise NoFormError(f"{function} of arrays with {len(labels)} indices together")
    row, column = _orientation(values, labels)
    scales = function in ("multiply", "divide")
    operands = [
        v.matrix
        if not v.labels and (scales or isinstance(v.matrix, Constant))
        else oriented(v, row, column)
        for v in values
    ]
    return Value(Elementwise(function, tuple(operands)), row, column)


def _orientation(
    values: Sequence[Value], labels: Sequence[Index]
) -> tuple[Index | None, Index | None]:
    """Return the axes of the first array of as many; a product turns more easily."""
    whole = [value for value in values if len(value.labels) == len(labels)]
    firm = [value for value in whole if not isinstance(value.matrix, MatMul)]
    for value in (*firm, *whole):
        return value.row, value.column
    return labels[0], labels[1]


def combined(factors: Product) -> Value:
    """Return the product as one value: what has the same indices is multiplied first."""
    above, below = _grouped(factors.above, factors.below)
    arrays = [value for value in above if value.labels]
    divisors = [value for value in below if value.labels]
    numbers = [value for value in above if not value.labels]
    inverse = [value for value in below if not value.labels]
    size, negative = magnitude(factors.coefficient)
    if not above and not below:
        return Value(Constant(scalar.apply("negative", size) if negative else size))
    front = [*([] if size == ONE else [Value(Constant(size))]), *numbers]
    if divisors:
        above_them = _outer(arrays) if arrays else _hadamard(front)
        front = front if arrays else []
        arrays = [elementwise("divide", [above_them, _outer(divisors)])]
    result = _hadamard([*front, *([_outer(arrays)] if arrays else [])])
    if inverse:
        result = elementwise("divide", [result, _hadamard(inverse)])
    return elementwise("negative", [result]) if negative else result


def magnitude(coefficient: Expression) -> tuple[Expression, bool]:
    """Return the coefficient without its sign, as one quotient, and whether it has one."""
    above, below = _quotient(coefficient)
    size = prod(part.value for part in above if isinstance(part, Number)) / prod(
        (part.value for part in below if isinstance(part, Number)), start=Fraction(1)
    )
    named = [part for part in above if not isinstance(part, Number)]
    divisors = [part for part in below if not isinstance(part, Number)]
    top, bottom = Number(abs(size)), ONE
    if divisors and top.value.numerator == 1:
        top, bottom = ONE, Number(Fraction(top.value.denominator))
    quotient = scalar.apply(
        "divide",
        scalar.apply("multiply", top, *named),
        scalar.apply("multiply", bottom, *divisors),
    )
    return quotient, size < 0


def _quotient(number: Expression) -> tuple[list[Expression], list[Expression]]:
    """Return the factors above and below one fraction bar."""
    if not isinstance(number, Apply) or number.function not in ("multiply", "divide", "negative"):
        return [number], []
    parts = [_quotient(argument) for argument in number.arguments]
    above, below = list(parts[0][0]), list(parts[0][1])
    if number.function == "negative":
        above.append(MINUS_ONE)
    for over, under in parts[1:]:
        above += over if number.function == "multiply" else under
        below += under if number.function == "multiply" else over
    return above, below


def _grouped(
    above: Sequence[Value], below: Sequence[Value]
) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    """Multiply arrays of the same indices, and divide them where there is something to divide."""
    numerators: list[Value] = []
    denominators: list[Value] = []
    for labels in dict.fromkeys(frozenset(value.labels) for value in (*above, *below)):
        over = [value for value in above if labels == frozenset(value.labels)]
        under = [value for value in below if labels == frozenset(value.labels)]
        if over and under and labels:
            numerators.append(elementwise("divide", [_hadamard(over), _hadamard(under)]))
        elif labels:
            (numerators if over else denominators).append(_hadamard(over or under))
        else:
            numerators.extend(over)
            denominators.extend(under)
    return tuple(numerators), tuple(denominators)


def _hadamard(values: Sequence[Value]) -> Value:
    """Return the product entry by entry, products within it flattened."""
    if not values:
        return Value(Constant(ONE))
    if len(values) == 1:
        return values[0]
    joint = elementwise("multiply", values)
    assert isinstance(joint.matrix, Elementwise)
    flat: list[Matrix] = []
    for operand in joint.matrix.operands:
        nested = isinstance(operand, Elementwise) and operand.function == "multiply"
        flat.extend(operand.operands if isinstance(operand, Elementwise) and nested else [operand])
    return Value(Elementwise("multiply", tuple(flat)), joint.row, joint.column)


def _outer(values: Sequence[Value]) -> Value:
    """Return the product entry by entry, where two vectors of different indices are outer."""
    vectors = [value for value in values if len(value.labels) == 1]
    if len(vectors) != 2:
        return _hadamard(values)
    first, second = vectors
    joint = Value(product(first.matrix, transposed(second.matrix)), first.row, second.row)
    return _hadamard([*(value for value in values if value not in vectors), joint])


def summed(factors: Product, indices: Iterable[Index]) -> Product:
    """Return the sum of the product over the indices, those that leave fewest axes first.

    Raises:
        NoFormError: a partial sum has more than two indices.
    """
    left = list(indices)
    while left:
        first = min(left, key=lambda index: _effort(factors, index))
        factors = _summed_over(factors, first)
        left.remove(first)
    return factors


def _effort(factors: Product, index: Index) -> tuple[int, bool]:
    """Return how many axes the partial sum has, and whether it needs a transpose."""
    columns = [value.column for value in (*factors.above, *factors.below)]
    return len(_neighbours(factors, index)), index not in columns


def _neighbours(factors: Product, index: Index) -> tuple[Index, ...]:
    """Return the indices that the partial sum over this one has."""
    values = [v for v in (*factors.above, *factors.below) if index in v.labels]
    return tuple(dict.fromkeys(i for v in values for i in v.labels if i != index))


def _summed_over(factors: Product, index: Index) -> Product:
    above = [value for value in factors.above if index in value.labels]
    below = [value for value in factors.below if index in value.labels]
    kept = Product(
        factors.coefficient,
        tuple(value for value in factors.above if index not in value.labels),
        tuple(value for value in factors.below if index not in value.labels),
    )
    if not above and not below:
        return kept.times(Product(extent_expression(index.extent)))
    if len(_neighbours(factors, index)) > 2:
        raise NoFormError(f"a sum over {index.name} of arrays with more than two other indices")
    if not _neighbours(factors, index):
        return kept.times(Product(above=(_inner(above, below, index),)))
    numerators, denominators = _grouped(above, below)
    inverse = [elementwise("divide", [Value(Constant(ONE)), value]) for value in denominators]
    return kept.times(Product(above=(_contracted([*numerators, *inverse], index),)))


def _inner(above: Sequence[Value], below: Sequence[Value], index: Index) -> Value:
    """Return the sum of the entries of vectors' product."""
    first = above[0] if len(above) > 1 else Value(Ones(index.extent), index)
    rest = combined(Product(ONE, tuple(above[len(above) > 1 :]), tuple(below)))
    if isinstance(first.matrix, Ones) and (root := _root(rest.matrix)) is not None:
        return Value(SquaredNorm(root))
    matrix = product(transposed(first.matrix), rest.matrix)
    turned = isinstance(matrix.factors[1], Transpose) and isinstance(matrix.factors[-1], Ones)
    return Value(_reversed(matrix) if turned else matrix)


def _reversed(matrix: MatMul) -> MatMul:
    """Return a product that is a scalar as its own transpose."""
    return MatMul(tuple(transposed(factor) for factor in reversed(matrix.factors)))


def _root(matrix: Matrix) -> Matrix | None:
    """Return the array of whose entries' squares the sum of the entries of this vector is."""
    if isinstance(matrix, Transpose):
        return _root(matrix.operand)
    if isinstance(matrix, MatMul) and len(matrix.factors) == 2:
        inner, ones = matrix.factors
        return _root(inner) if isinstance(ones, Ones) else None
    squared = isinstance(matrix, Elementwise) and matrix.function == "power"
    if isinstance(matrix, Elementwise) and squared and matrix.operands[1] == Constant(TWO):
        return matrix.operands[0]
    return None


def _contracted(values: Sequence[Value], index: Index) -> Value:
    """Return the sum over the index of a matrix or two, and at most one vector."""
    first, *rest = [value for value in values if len(value.labels) == 2]
    vectors = [value for value in values if len(value.labels) == 1]
    if rest:
        left, right = _hadamard([first, *vectors]), rest[0]
    else:
        left, right = first, vectors[0] if vectors else Value(Ones(index.extent), index)
    outer = left.column if left.row == index else left.row
    other = next((label for label in right.labels if label != index), None)
    matrix = product(oriented(left, outer, index), oriented(right, index, other))
    return Value(matrix, outer, other)


def added(terms: Sequence[Product]) -> Product:
    """Return the sum, a coefficient that all terms have taken out."""
    if len(terms) < 2:
        return terms[0] if terms else Product(ZERO)
    sizes = [magnitude(term.coefficient) for term in terms]
    common = sizes[0][0] if len({size for size, _ in sizes}) == 1 else ONE
    if common != ONE and all(term.above or term.below for term in terms):
        signs = [MINUS_ONE if negative else ONE for _, negative in sizes]
        terms = [replace(t, coefficient=sign) for t, sign in zip(terms, signs, strict=True)]
    else:
        common = ONE
    return Product(common, (elementwise("add", [combined(term) for term in terms]),))


def negated(factors: Product) -> Product:
    """Return the product with the other sign."""
    return Product(MINUS_ONE).times(factors)
