"""Matrix formulas run by NumPy; every operation refuses shapes that would broadcast."""

import math

import numpy as np

from symbackprop.equations import Role, extent_expression
from symbackprop.reference import FLOAT64
from symbackprop.render.matrices import (
    SCALAR,
    Array,
    Constant,
    Elementwise,
    Extremum,
    MatMul,
    OneHot,
    Ones,
    SquaredNorm,
    Transpose,
    shape,
)
from symbackprop.scalar import Apply, Named, Number

FUNCTIONS = {
    "add": lambda *a: sum(a[1:], a[0]),
    "multiply": lambda *a: math.prod(a[1:], start=a[0]),
    "divide": np.divide,
    "negative": np.negative,
    "power": np.power,
    "where": np.where,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_not": np.logical_not,
    "sign": np.sign,
    "abs": np.abs,
    "copysign": np.copysign,
    "erf": np.vectorize(math.erf, otypes=[float]),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
    **{n: getattr(np, n) for n in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh")},
}


class Run:
    """One evaluation: ``arrays`` by name, as the equations have them."""

    def __init__(self, arrays, sizes, layout):
        self.arrays, self.sizes, self.layout = arrays, sizes, layout

    def number(self, node):
        if isinstance(node, Number):
            return float(node.value)
        if isinstance(node, Named):
            return self.sizes[node.name] if node.name in self.sizes else math.pi
        assert isinstance(node, Apply)
        return float(FLOAT64.functions[node.function](*map(self.number, node.arguments)))

    def extent(self, extent):
        return 1 if extent is None else int(self.number(extent_expression(extent)))

    def placed(self, variable, array):
        """The array as a matrix: laid out, its batch left out where the layout has one sample."""
        array = np.asarray(array, dtype=float)
        if self.layout == "sample":
            batch = tuple(k for k, a in enumerate(variable.axes) if a.role is Role.BATCH)
            array = np.squeeze(array, axis=batch)
        if array.ndim == 2:
            return array if self.layout == "rows" else array.T
        return array.reshape(-1, 1)

    def array(self, variable):
        name = variable.name
        if name not in self.arrays and variable.values is not None:
            shape_ = [self.extent(axis.extent) for axis in variable.axes]
            return self.placed(variable, np.reshape([float(v) for v in variable.values], shape_))
        return self.placed(variable, self.arrays[name])

    def one_hot(self, matrix):
        rows, columns = (self.extent(extent) for extent in matrix.shape)
        places = np.asarray(self.arrays[matrix.variable.name], dtype=int).reshape(-1)
        if self.layout == "rows":
            return (places[:, None] == np.arange(columns)).astype(float)
        return (np.arange(rows)[:, None] == places).astype(float)

    def of(self, matrix):
        with np.errstate(all="ignore"):
            result = np.asarray(self.value(matrix), dtype=float)
        assert result.shape == tuple(self.extent(extent) for extent in shape(matrix)), matrix
        return result

    def value(self, matrix):
        match matrix:
            case Array():
                return self.array(matrix.variable)
            case OneHot():
                return self.one_hot(matrix)
            case Ones():
                return np.ones((self.extent(matrix.extent), 1))
            case Constant():
                return np.full((1, 1), self.number(matrix.value))
            case Transpose():
                return self.of(matrix.operand).T
            case MatMul():
                return self.matmul(matrix)
            case Elementwise():
                return self.elementwise(matrix)
            case Extremum():
                return self.extremum(matrix)
            case SquaredNorm():
                return np.sum(self.of(matrix.operand) ** 2).reshape(1, 1)

    def matmul(self, matrix):
        result = self.of(matrix.factors[0])
        inner = shape(matrix.factors[0])[1]
        for factor in matrix.factors[1:]:
            assert shape(factor)[0] == inner, matrix
            inner = shape(factor)[1]
            result = result @ self.of(factor)
        return result

    def elementwise(self, matrix):
        shapes = {shape(o) for o in matrix.operands} - {SCALAR}
        assert len(shapes) <= 1, matrix
        values = [self.of(operand) for operand in matrix.operands]
        return FUNCTIONS[matrix.function](*values)

    def extremum(self, matrix):
        values = self.of(matrix.operand)
        name = {"largest": "max", "smallest": "min"}.get(matrix.function, matrix.function)
        axis = {"columns": 1, "rows": 0, "all": None}[matrix.over]
        return np.reshape(getattr(np, name)(values, axis=axis), (-1, 1))
