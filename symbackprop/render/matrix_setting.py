"""Formulas between matrices, typeset.

A product ``⊙``, a fraction bar, a power ``∘2`` and every function of arrays act entry by entry;
what stands side by side is a matrix product, or scaled by a number. ``1`` in bold is the column
vector of as many ones as its subscript says; an ordinary number added to an array is added to
every entry. ``Z_·j`` is column j, ``Z_j·`` row j.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from symbackprop.equations import Extent, Index, extent_expression
from symbackprop.render import scalars
from symbackprop.render.document import Inlines
from symbackprop.render.matrices import (
    SCALAR,
    Array,
    Constant,
    Elementwise,
    Extremum,
    MatMul,
    Matrix,
    OneHot,
    Ones,
    SquaredNorm,
    Transpose,
    shape,
    walk,
)
from symbackprop.render.matrix import Jacobian, MatrixForm
from symbackprop.render.setting import Setting
from symbackprop.render.typeset import (
    TIMES,
    Fenced,
    Large,
    Math,
    Numeral,
    Operator,
    Script,
    Symbol,
    row,
)
from symbackprop.scalar import COMPARISONS, ONE, ZERO, Apply, Slot

_HADAMARD, _ENTRYWISE = Operator("⊙"), Operator("∘", "plain")
_PRODUCT, _ALL = Operator(TIMES, "plain"), Operator("·", "plain")
_EXTREMA = {"largest": "max", "smallest": "min", "argmax": "argmax", "argmin": "argmin"}
_LEVELS = {"add": scalars.SUM, "negative": scalars.SIGN, "where": scalars.LOOSE}


class _Written(NamedTuple):
    """A formula and how tightly it binds, in the levels of ``scalars``; ``⊙`` is REDUCED."""

    math: Math
    level: int = scalars.ATOM

    def enclosed(self, least: int) -> Math:
        """Return it in brackets where it binds too loosely: a condition as ``[A > B]``."""
        if self.level >= least:
            return self.math
        square = self.level <= scalars.COMPARISON
        return Fenced("[", self.math, "]") if square else Fenced("(", self.math, ")")


def set_matrix(form: MatrixForm, setting: Setting) -> tuple[Math, Math, Math]:
    """Return left side, right side and shape.

    Args:
        form: what ``matrix_equation`` or ``matrix_adjoint`` found.
        setting: the notation. It prints the batch index where the form's layout has a batch:
            it decides whether a letter stands for a matrix or a vector.

    Returns:
        The shape of the array: rows × columns, the length of a vector, 1 for a number.
    """
    extents = [_extent(extent) for extent in form.target.shape if extent is not None]
    size = row(extents[0], Operator("×"), extents[1]) if len(extents) == 2 else None
    writer = _Writer(setting)
    left, right = writer.written(form.target), writer.written(form.right)
    return left.math, right.math, size or (extents[0] if extents else Numeral("1"))


def set_jacobian(jacobian: Jacobian, setting: Setting) -> Math:
    """Return the right side: a matrix, ``diag`` of a vector, or the identity."""
    matrix = jacobian.matrix
    if jacobian.diagonal and isinstance(matrix, Ones):
        return Script(Symbol("I", "bold"), _extent(matrix.extent))
    math = _Writer(setting).written(matrix).math
    return scalars.applied(Symbol("diag", "upright"), math) if jacobian.diagonal else math


def set_transposed(math: Math, setting: Setting) -> Math:
    """Return a formula transposed."""
    return _Writer(setting).transposed(_Written(math, scalars.level(math)))


def set_product(*maths: Math) -> Math:
    """Return the matrix product of formulas."""
    pieces = [piece for math in maths for piece in (_PRODUCT, math)]
    return row(*pieces[1:])


def legend(forms: Iterable[MatrixForm], setting: Setting) -> Inlines:
    """Return sentences on the signs that the formulas use, in the order of first use."""
    writer = _Writer(setting)
    said: dict[str, Inlines] = {}
    for form in forms:
        for part in walk(form.right):
            for key, sentence in writer.explained(part):
                said.setdefault(key, sentence)
    pieces = [piece for sentence in said.values() for piece in (" ", *sentence)]
    return tuple(pieces[1:])


def _extent(extent: Extent) -> Math:
    return scalars.scalar(extent_expression(extent), ())


class _Writer:
    """Writes matrix formulas in one notation."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        top = setting.notation.transpose == "top"
        self._transpose = Operator("⊤", "plain") if top else Symbol("T", "upright")

    def written(self, matrix: Matrix) -> _Written:
        """Return the formula of a matrix."""
        match matrix:
            case Array():
                found = _Written(self._setting.array(matrix.variable))
            case OneHot():
                found = _Written(self._unit_vectors(matrix))
            case Ones():
                found = _Written(Script(Symbol("1", "bold"), _extent(matrix.extent)))
            case Constant():
                found = _scalar(self._setting.scalar(matrix.value, ()))
            case Transpose():
                found = _Written(self.transposed(self.written(matrix.operand)))
            case MatMul():
                found = self._product(matrix)
            case Extremum():
                found = self._extremum(matrix)
            case SquaredNorm():
                found = self._norm(matrix)
            case Elementwise():
                found = self._elementwise(matrix)
        return found

    def explained(self, part: Matrix) -> Iterable[tuple[str, Inlines]]:
        """Yield what a sign of this part means, each with a key of its own."""
        if isinstance(part, Ones):
            ones = Script(Symbol("1", "bold"), Symbol("n"))
            yield "ones", (ones, " is the column vector of ", Symbol("n"), " ones.")
        if isinstance(part, OneHot):
            text = " holds each sample's class as a unit vector: 1 at the class, 0 elsewhere."
            yield f"classes {part.variable.name}", (self._unit_vectors(part), text)
        if isinstance(part, SquaredNorm):
            norm = Script(Fenced("‖", _ALL, "‖"), _frobenius(part), Numeral("2"))
            key = "norm" if _frobenius(part) is None else "Frobenius norm"
            yield key, (norm, " is the sum of the squares of all entries.")
        if isinstance(part, Extremum) and part.over != "all":
            yield self._explained_extremum(part)
        if isinstance(part, Elementwise) and shape(part) != SCALAR:
            yield from _explained_function(part)

    def _explained_extremum(self, part: Extremum) -> tuple[str, Inlines]:
        letter = self._letter(part.index)
        places = row(_ALL, letter) if part.over == "columns" else row(letter, _ALL)
        kind = "column" if part.over == "columns" else "row"
        sentence = (Script(Symbol("Z", "bold"), places), f" is {kind} ", letter, "; the ")
        return "extremum", (*sentence, _EXTREMA[part.function], " is taken entry by entry.")

    def _unit_vectors(self, matrix: OneHot) -> Math:
        variable = matrix.variable
        classes = Index("i", 1)
        return self._setting.array(replace(variable, axes=(*variable.axes, classes)))

    def _letter(self, index: Index) -> Math:
        return self._setting.names([index])[index]

    def transposed(self, operand: _Written) -> Math:
        """Return a formula with the mark of a transposed matrix."""
        mark, math = self._transpose, operand.math
        if isinstance(math, Script) and operand.level == scalars.ATOM:
            above = mark if math.above is None else row(math.above, mark)
            return Script(math.base, math.below, above)
        simple = operand.level == scalars.ATOM and isinstance(math, Symbol)
        return Script(math if simple else Fenced("(", math, ")"), None, mark)

    def _product(self, matrix: MatMul) -> _Written:
        parts = [self.written(factor).enclosed(scalars.PRODUCT) for factor in matrix.factors]
        pieces = [piece for part in parts for piece in (_PRODUCT, part)]
        return _Written(row(*pieces[1:]), scalars.PRODUCT)

    def _norm(self, matrix: SquaredNorm) -> _Written:
        inside = Fenced("‖", self.written(matrix.operand).math, "‖")
        return _Written(Script(inside, _frobenius(matrix), Numeral("2")), scalars.POWER)

    def _extremum(self, matrix: Extremum) -> _Written:
        sign, operand = _EXTREMA[matrix.function], self.written(matrix.operand)
        if matrix.over == "all":
            return _Written(scalars.applied(Symbol(sign, "upright"), operand.math))
        letter = self._letter(matrix.index)
        math = operand.enclosed(scalars.ATOM)
        places = row(_ALL, letter) if matrix.over == "columns" else row(letter, _ALL)
        if isinstance(math, Script) and math.below is None:
            entry = Script(math.base, places, math.above)
        else:
            entry = Script(math, places)
        if matrix.over == "rows":
            entry = Script(Fenced("(", entry, ")"), None, self._transpose)
        return _Written(row(Large(sign, letter), entry), scalars.PRODUCT)

    def _elementwise(self, matrix: Elementwise) -> _Written:
        matrix = _flattened(matrix)
        function = matrix.function
        parts = [self.written(operand) for operand in matrix.operands]
        if function == "negative":
            return _Written(row(scalars.MINUS, parts[0].enclosed(scalars.REDUCED)), scalars.SIGN)
        if function == "where" and isinstance(matrix.operands[0], OneHot):
            parts[0] = _Written(row(parts[0].math, scalars.EQUALS, Numeral("1")))
        maths = [part.math for part in parts]
        if shape(matrix) == SCALAR or function == "divide":
            return _scalar(self._apply(function, maths))
        if function == "multiply":
            return _multiplied(matrix.operands, parts)
        if function == "power":
            exponent = row(_ENTRYWISE, maths[1])
            return _Written(scalars.power(parts[0].enclosed(scalars.ATOM), exponent), scalars.POWER)
        if function == "exp":
            return _Written(scalars.applied(Symbol("exp", "upright"), *maths))
        return _Written(self._apply(function, maths), _level(function))

    def _apply(self, function: str, maths: Sequence[Math]) -> Math:
        slots = tuple(Slot(position) for position in range(len(maths)))
        return self._setting.scalar(Apply(function, slots), maths)


def _frobenius(norm: SquaredNorm) -> Math | None:
    """Return the mark of the norm of a matrix; that of a vector has none."""
    return None if None in shape(norm.operand) else Symbol("F")


def _flattened(matrix: Elementwise) -> Elementwise:
    """Return a quotient as a product where a derivative would stand in its numerator."""
    if matrix.function != "divide":
        return matrix
    above, below = matrix.operands
    product = isinstance(above, Elementwise) and above.function == "multiply"
    factors = above.operands if isinstance(above, Elementwise) and product else (above,)
    slopes = [factor for factor in factors if _has_slope(factor)]
    others = tuple(factor for factor in factors if factor not in slopes)
    if not slopes or _has_slope(below):
        return matrix
    numerator = others[0] if len(others) == 1 else Elementwise("multiply", others)
    quotient = Elementwise("divide", (numerator if others else Constant(ONE), below))
    in_front = shape(matrix) == SCALAR or not others
    return Elementwise("multiply", (quotient, *slopes) if in_front else (*slopes, quotient))


def _has_slope(matrix: Matrix) -> bool:
    return any(isinstance(part, Array) and part.variable.adjoint for part in walk(matrix))


def _scalar(math: Math) -> _Written:
    return _Written(math, scalars.level(math))


def _level(function: str) -> int:
    """Return how tightly a function of arrays binds, a product and a minus sign aside."""
    if function in COMPARISONS:
        return scalars.COMPARISON
    return _LEVELS.get(function, scalars.LOGIC if function.startswith("logical") else scalars.ATOM)


def _multiplied(operands: Sequence[Matrix], parts: Sequence[_Written]) -> _Written:
    """Return numbers before arrays, ``⊙`` between these."""
    if operands[0] == Constant(ZERO):
        return _Written(Symbol("0", "bold"))
    pairs = list(zip(operands, parts, strict=True))
    numbers = [part.math for operand, part in pairs if shape(operand) == SCALAR]
    arrays = [part for operand, part in pairs if shape(operand) != SCALAR]
    if len(arrays) == 1:
        return _Written(
            scalars.product([*numbers, arrays[0].enclosed(scalars.PRODUCT)]), scalars.PRODUCT
        )
    pieces = [p for array in arrays for p in (_HADAMARD, array.enclosed(scalars.POWER))]
    front = (
        [scalars.enclosed(scalars.product(numbers), scalars.PRODUCT), _PRODUCT] if numbers else []
    )
    return _Written(row(*front, *pieces[1:]), scalars.REDUCED)


def _explained_function(part: Elementwise) -> Iterable[tuple[str, Inlines]]:
    arrays = [operand for operand in part.operands if shape(operand) != SCALAR]
    if part.function == "multiply" and len(arrays) > 1:
        yield "product", (_HADAMARD, " multiplies entry by entry.")
    elif part.function == "divide" and shape(part.operands[1]) != SCALAR:
        yield "quotient", ("A fraction bar between arrays divides entry by entry.",)
    elif part.function == "power":
        power = Script(Symbol("A", "bold"), None, row(_ENTRYWISE, Symbol("p")))
        yield "power", (power, " raises every entry to the power ", Symbol("p"), ".")
    elif part.function not in ("add", "negative", "multiply", "divide"):
        yield "function", ("A function of an array acts on every entry.",)
    if part.function == "add" and len(arrays) < len(part.operands):
        yield "number", ("A number added to an array is added to every entry.",)
