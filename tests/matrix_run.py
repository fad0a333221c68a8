"""Matrix formulas run by NumPy; every operation refuses shapes that would broadcast."""

import math

import numpy as np

from symbackprop.equations import Role, accesses_of, extent_expression
from symbackprop.reference import FLOAT64, accumulate, evaluate
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
from symbackprop.render.matrix import made_variables, matrix_adjoint, matrix_equation
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
            return self.sizes.get(node.name, math.pi)
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
        rules = {
            Array: lambda: self.array(matrix.variable),
            OneHot: lambda: self.one_hot(matrix),
            Ones: lambda: np.ones((self.extent(matrix.extent), 1)),
            Constant: lambda: np.full((1, 1), self.number(matrix.value)),
            Transpose: lambda: self.of(matrix.operand).T,
            MatMul: lambda: self.matmul(matrix),
            Elementwise: lambda: self.elementwise(matrix),
            Extremum: lambda: self.extremum(matrix),
            SquaredNorm: lambda: np.sum(self.of(matrix.operand) ** 2).reshape(1, 1),
        }
        return rules[type(matrix)]()

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


class MismatchError(Exception):
    """A form is not what the loops give."""


def forms(derivation, layout, outputs=()):
    """Every equation's and adjoint's form, with its variable; what was made seen through."""
    made = made_variables(derivation.equations, derivation.adjoints)
    made = {v: e for v, e in made.items() if v.name[1:] not in outputs}
    for equation in derivation.equations:
        yield equation.target.variable, matrix_equation(equation, made, layout)
    for adjoint in derivation.adjoints:
        yield adjoint.variable.bar(), matrix_adjoint(adjoint, made, layout)


class Case:
    """A derivation at random numbers: its arrays, as plain loops give them, adjoints included."""

    def __init__(self, derivation, outputs, sizes, classes):
        self.derivation, self.sizes = derivation, sizes
        equations = derivation.equations
        targets = {e.target.variable for e in equations}
        places = [o for e in equations for o in e.operands]
        for term in (term for adjoint in derivation.adjoints for term in adjoint.terms):
            places += [*term.target.indices, *(o for f in term.factors for o in f.operands)]
        reads = {access.variable for place in places for access in accesses_of(place)}
        leaves = {v for v in reads - targets if v.values is None}
        values = {v.name: self.numbers(v, classes) for v in leaves if not v.adjoint}
        self.arrays = evaluate(equations, values, sizes)
        self.seeds = {v.name: np.ones(()) if not v.axes else self.numbers(v, 1) for v in outputs}
        slopes = accumulate(derivation.adjoints, self.arrays, self.seeds, sizes)
        self.arrays |= {f"d{name}": seed for name, seed in self.seeds.items()}
        self.arrays |= {f"d{name}": array for name, array in slopes.items()}

    def numbers(self, variable, classes):
        """Numbers between 0 and 1, or classes."""
        extents = [
            a.extent if isinstance(a.extent, int) else self.sizes[a.extent.name]
            for a in variable.axes
        ]
        rng = np.random.default_rng(sum(variable.name.encode()))
        if variable.integer:
            return np.arange(np.prod(extents, dtype=int)).reshape(extents) % classes
        return rng.uniform(0.1, 0.9, extents)

    def forms(self, layout):
        return forms(self.derivation, layout, self.seeds)

    def check(self, form, layout):
        """Raise where the form is not what the loops give."""
        run = Run(self.arrays, self.sizes, layout)
        if shape(form.right) != shape(form.target):
            raise MismatchError(form)
        found, expected = run.of(form.right), run.of(form.target)
        if not np.allclose(found, expected, rtol=1e-9, atol=1e-12, equal_nan=True):
            raise MismatchError(form)

    def missing(self, layout):
        """Check all forms; return the variables that have none."""
        found = list(self.forms(layout))
        for _, form in found:
            if form is not None:
                self.check(form, layout)
        return [variable.name for variable, form in found if form is None]
