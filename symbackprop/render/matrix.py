"""Equations and adjoints between whole arrays, found from their indices alone.

In layout "rows" an array of two axes stands as it is, samples as rows: Z = X W + 1 b^T. In
layout "columns" every one of them is transposed, samples as columns: Z = W A + b 1^T. Layout
"sample" is "columns" for one sample, whose axis is left out: z = W a + b, and sums over the
batch are no sums. Vectors are columns in all of them.

A sum over an index that two factors share is a matrix product, over an index of one factor a
product with ones. What remains is multiplied entry by entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal, get_args

from symbackprop import scalar
from symbackprop.calculus.totals import Share
from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Equation,
    Index,
    IndexExpression,
    Operand,
    Role,
    Term,
    Variable,
    indices_of,
)
from symbackprop.network import BATCH
from symbackprop.render.labelled import (
    NoFormError,
    Product,
    Value,
    added,
    combined,
    elementwise,
    negated,
    oriented,
    shape_of,
    summed,
)
from symbackprop.render.matrices import Array, Constant, Extremum, Matrix, OneHot
from symbackprop.scalar import ONE, Apply, Expression, Slot

Layout = Literal["rows", "columns", "sample"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
Made = Mapping[Variable, Equation | Adjoint]
_Extreme = Literal["largest", "smallest", "argmax", "argmin"]
_Labels = tuple[Index | None, ...]
_Scope = dict[Index, Index | None]


@dataclass(frozen=True, slots=True)
class MatrixForm:
    """``target = right``; an adjoint variable as target stands for the derivative."""

    target: Array
    right: Matrix


def made_variables(equations: Iterable[Equation], adjoints: Iterable[Adjoint] = ()) -> Made:
    """Return what normalising made, by the variable that stands for it.

    Positions are left out: they are seen as unit vectors, not through.
    """
    made: dict[Variable, Equation | Adjoint] = {
        e.target.variable: e for e in equations if _seen_through(e.target.variable)
    }
    made |= {a.variable.bar(): a for a in adjoints if _seen_through(a.variable)}
    return made


def _seen_through(variable: Variable) -> bool:
    return variable.made and not variable.integer


def matrix_equation(equation: Equation, made: Made, layout: Layout) -> MatrixForm | None:
    """Return the equation between arrays.

    Args:
        equation: any.
        made: equations by their target that are to be seen through.
        layout: how arrays stand.

    Returns:
        None where there is no form in at most two axes: more of them, a slice, an affine index.
        A look-up by a class index is a product with the classes as unit vectors.
    """
    reader = _Reader(layout, made)
    try:
        labels = tuple(reader.label(index) for index in equation.free)
        return reader.form(equation.target.variable, labels, reader.equation(equation, labels))
    except NoFormError:
        return None


def matrix_adjoint(adjoint: Adjoint, made: Made, layout: Layout) -> MatrixForm | None:
    """Return the total derivative as an array.

    Args:
        adjoint: any.
        made: equations by their target, and adjoints by theirs (``variable.bar()``), that are
            to be seen through.
        layout: how arrays stand; in "sample" the batch has one sample.

    Returns:
        None where there is no form in at most two axes, as for ``matrix_equation``.
    """
    reader = _Reader(layout, made)
    try:
        labels = tuple(reader.label(axis) for axis in adjoint.variable.axes)
        return reader.form(adjoint.variable.bar(), labels, reader.adjoint(adjoint, labels))
    except NoFormError:
        return None


@dataclass(frozen=True, slots=True)
class Jacobian:
    """The partials of one vector by another, those of one sample.

    Attributes:
        matrix: a row for each place of what is differentiated; of a diagonal matrix, the diagonal.
        diagonal: whether every place depends on its own one alone.
        constant: whether it is the same for every sample.
    """

    matrix: Matrix
    diagonal: bool
    constant: bool


def matrix_partial(share: Share, layout: Layout) -> Jacobian | None:
    """Return the partial of a consumer as a matrix; None where it or what it reads is no vector.

    Args:
        share: by which the consumer reads all places of a value, each once.
        layout: how arrays of two axes stand within it.
    """
    reader = _Reader(layout, {}, single=True)
    above, below = _places(share.equation.target), _places(share.access)
    if len(above) != 1 or len(below) != 1 or share.partial.excluding:
        return None
    (row,), (column,) = above, below
    labels = {index: reader.label(index) for index in dict.fromkeys((row, column))}
    if column.extent != share.access.variable.axes[-1].extent:
        return None
    try:
        found = reader.partial(share.partial, labels)
        diagonal = row == column
        matrix = oriented(found, labels[row], None if diagonal else labels[column])
    except NoFormError:
        return None
    reads = (i for f in share.partial.factors for o in f.operands for i in indices_of(o))
    return Jacobian(matrix, diagonal, all(index.role is not Role.BATCH for index in reads))


def _places(access: Access) -> list[Index]:
    """Return the indices of a sample's array; none where it has other expressions."""
    bare = [place for place in access.indices if isinstance(place, Index)]
    if len(bare) < len(access.indices):
        return []
    return [index for index in bare if index.role is not Role.BATCH]


class _Reader:
    """Reads equations and terms as products of arrays; every index gets a label of its own."""

    def __init__(self, layout: Layout, made: Made, *, single: bool = False) -> None:
        self._layout = layout
        self._single = single or layout == "sample"
        self._made = made
        self._labels = 0

    def form(self, target: Variable, labels: _Labels, factors: Product) -> MatrixForm:
        left = self._array(target, labels)
        right = combined(factors)
        assert isinstance(left.matrix, Array)
        return MatrixForm(left.matrix, oriented(right, left.row, left.column))

    def label(self, index: Index) -> Index | None:
        """Return a new label; None for the batch of a single sample."""
        if self._single and index.role is Role.BATCH:
            return None
        self._labels += 1
        return replace(index, name=f"{index.name} {self._labels}")

    def equation(self, equation: Equation, labels: _Labels) -> Product:
        """Return what the equation computes, its free indices labelled so."""
        scope: _Scope = dict(zip(equation.free, labels, strict=True))
        reduced = {index: self.label(index) for index in equation.reduced}
        scope |= reduced
        over = [label for label in reduced.values() if label is not None]
        if equation.reduction == "total":
            return self._total(equation, scope, over)
        if equation.excluding or equation.reduction == "product":
            raise NoFormError(f"a {equation.reduction} of some or all")
        factors = self._factors(equation.function, equation.operands, scope)
        if equation.reduction is None:
            return factors
        return Product(above=(_extremum(equation.reduction, combined(factors), reduced),))

    def _total(self, equation: Equation, scope: _Scope, over: Sequence[Index]) -> Product:
        left_out = self._left_out(equation.excluding, scope)
        function = equation.function
        try:
            factors = self._factors(function, equation.operands, scope)
            return summed(factors.times(left_out), over)
        except NoFormError:
            if not (isinstance(function, Apply) and function.function == "add"):
                raise
        terms = [self._factors(f, equation.operands, scope) for f in function.arguments]
        return added([summed(factors.times(left_out), over) for factors in terms])

    def adjoint(self, adjoint: Adjoint, labels: _Labels) -> Product:
        """Return the sum of the terms, the axes of the variable labelled so."""
        return added([self._term(term, labels) for term in adjoint.terms])

    def partial(self, term: Term, labels: Mapping[Index, Index | None]) -> Value:
        """Return coefficient and factors of a term; what has no label is summed over."""
        inner = {index: self.label(index) for index in term.space if index not in labels}
        scope = {**labels, **inner}
        factors = Product(self._number(term.coefficient))
        for factor in term.factors:
            factors = factors.times(self._factors(factor.function, factor.operands, scope))
        return combined(summed(factors, [label for label in inner.values() if label is not None]))

    def _term(self, term: Term, labels: _Labels) -> Product:
        scope: _Scope = {}
        classes: list[tuple[Access, Index]] = []
        axes = term.target.variable.axes
        for axis, index, label in zip(axes, term.target.indices, labels, strict=True):
            if isinstance(index, Access) and label is not None:
                classes.append((index, label))
            elif isinstance(index, Index) and index.extent == axis.extent and index not in scope:
                scope[index] = label
            elif not _is_only_place(axis, index):
                raise NoFormError("a slice, or an affine index")
        inner = {index: self.label(index) for index in term.space if index not in scope}
        scope |= inner
        factors = Product(self._number(term.coefficient))
        for factor in term.factors:
            factors = factors.times(self._factors(factor.function, factor.operands, scope))
        for access, label in classes:
            factors = factors.times(Product(above=(self._unit_vectors(access, label, scope),)))
        factors = factors.times(self._left_out(term.excluding, scope))
        return summed(factors, [label for label in inner.values() if label is not None])

    def _left_out(
        self, excluding: Sequence[tuple[Index, IndexExpression]], scope: _Scope
    ) -> Product:
        """Return the factor that is 0 where a summand is left out, else 1."""
        if not excluding:
            return Product()
        (index, place), *more = excluding
        label = scope[index]
        if more or not isinstance(place, Access) or label is None:
            raise NoFormError("a sum without a place that is no class")
        there = combined(negated(Product(above=(self._unit_vectors(place, label, scope),))))
        return Product(above=(elementwise("add", [Value(Constant(ONE)), there]),))

    def _factors(self, function: Expression, operands: Sequence[Operand], scope: _Scope) -> Product:
        """Return the function as a product, what it reads seen through."""
        if not scalar.slots(function):
            return Product(self._number(function))
        if isinstance(function, Slot):
            return self._operand(operands[function.position], scope)
        assert isinstance(function, Apply)
        indicator = self._indicator(function, operands, scope)
        return indicator or self._applied(function, operands, scope)

    def _applied(self, function: Apply, operands: Sequence[Operand], scope: _Scope) -> Product:
        parts = [self._factors(part, operands, scope) for part in function.arguments]
        if function.function == "multiply":
            return reduce(Product.times, parts)
        if function.function == "divide":
            return parts[0].over(parts[1])
        if function.function == "negative":
            return negated(parts[0])
        values = [combined(part) for part in parts]
        return Product(above=(elementwise(function.function, values),))

    def _number(self, number: Expression) -> Expression:
        """Return a number without slots; one sample is a batch of 1."""
        return scalar.substitute(number, {BATCH: ONE}) if self._single else number

    def _indicator(
        self, function: Apply, operands: Sequence[Operand], scope: _Scope
    ) -> Product | None:
        """Return the unit vectors that [i = y[n]] stands for."""
        if function.function != "equal":
            return None
        read = [operands[a.position] for a in function.arguments if isinstance(a, Slot)]
        places = [o for o in read if isinstance(o, Access) and o.variable.integer]
        indices = [o for o in read if isinstance(o, Index)]
        if not places or not indices:
            return None
        label = scope[indices[0]]
        if label is None:
            return None
        return Product(above=(self._unit_vectors(places[0], label, scope),))

    def _operand(self, operand: Operand, scope: _Scope) -> Product:
        if isinstance(operand, Index):
            raise NoFormError("an index as a number")
        labels: list[Index | None] = []
        factors = Product()
        classes: list[Index] = []
        for axis, index in zip(operand.variable.axes, operand.indices, strict=True):
            if isinstance(index, Access):
                label = self.label(axis)
                if label is None:
                    raise NoFormError("a look-up of a sample")
                factors = factors.times(Product(above=(self._unit_vectors(index, label, scope),)))
                classes.append(label)
                labels.append(label)
            else:
                labels.append(_bare(axis, index, scope))
        known = [label for label in labels if label is not None]
        if len(set(known)) < len(known):
            raise NoFormError("a diagonal")
        read = self._read(operand.variable, tuple(labels))
        return summed(factors.times(read), classes)

    def _read(self, variable: Variable, labels: _Labels) -> Product:
        definition = self._made.get(variable)
        if isinstance(definition, Equation):
            return self.equation(definition, labels)
        if isinstance(definition, Adjoint):
            return self.adjoint(definition, labels)
        return Product(above=(self._array(variable, labels),))

    def _array(self, variable: Variable, labels: _Labels) -> Value:
        row, column = self._placed([label for label in labels if label is not None])
        return Value(Array(variable, shape_of(row, column)), row, column)

    def _placed(self, labels: Sequence[Index]) -> tuple[Index | None, Index | None]:
        """Return the row and the column of an array with these axes."""
        if len(labels) > 2:
            raise NoFormError(f"an array of {len(labels)} axes")
        if len(labels) < 2:
            return (labels[0] if labels else None), None
        first, second = labels
        return (first, second) if self._layout == "rows" else (second, first)

    def _unit_vectors(self, place: Access, label: Index, scope: _Scope) -> Value:
        """Return the unit vectors of positions along a label."""
        axes = place.variable.axes
        own = [_bare(axis, i, scope) for axis, i in zip(axes, place.indices, strict=True)]
        row, column = self._placed([*(index for index in own if index is not None), label])
        return Value(OneHot(place.variable, shape_of(row, column)), row, column)


def _is_only_place(axis: Index, index: IndexExpression) -> bool:
    """Whether the index is 0 on an axis of extent 1."""
    constant = isinstance(index, Affine) and not index.terms and index.offset == 0
    return constant and axis.extent == 1


def _bare(axis: Index, index: IndexExpression, scope: _Scope) -> Index | None:
    """Return the label of an index that runs over the whole axis."""
    if isinstance(index, Index) and index.extent == axis.extent:
        return scope[index]
    if _is_only_place(axis, index):
        return None
    raise NoFormError("a slice, or an affine index")


def _extremum(function: _Extreme, value: Value, reduced: _Scope) -> Value:
    """Return the largest or smallest over one index, or over all that the value has."""
    (index, label), *more = reduced.items()
    if more or label not in value.labels:
        raise NoFormError(f"the {function} over several indices, or none")
    kept = next((other for other in value.labels if other != label), None)
    over: Literal["columns", "rows", "all"] = "all"
    if kept is not None:
        over = "columns" if label == value.column else "rows"
    return Value(Extremum(function, value.matrix, index, over), kept)
