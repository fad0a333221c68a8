"""Equations of one sample run as they stand, element by element: for tests of their text."""

import itertools
import math

import numpy as np

from symbackprop.catalog import CATALOG
from symbackprop.formula import Call, Reduce, Reference
from symbackprop.formula_reader import read_equation
from symbackprop.scalar import Named, Number

FUNCTIONS = {
    "add": sum,
    "multiply": math.prod,
    "negative": lambda v: -v[0],
    "divide": lambda v: v[0] / v[1],
    "power": lambda v: v[0] ** v[1],
    "remainder": lambda v: v[0] % v[1],
    "exp": lambda v: math.exp(v[0]),
    "log": lambda v: math.log(v[0]),
    "sqrt": lambda v: math.sqrt(v[0]),
    "sin": lambda v: math.sin(v[0]),
    "tanh": lambda v: math.tanh(v[0]),
    "erf": lambda v: math.erf(v[0]),
    "abs": lambda v: abs(v[0]),
    "maximum": lambda v: math.nan if any(map(math.isnan, v)) else max(v),
    "minimum": lambda v: math.nan if any(map(math.isnan, v)) else min(v),
    "greater": lambda v: v[0] > v[1],
    "less_equal": lambda v: v[0] <= v[1],
    "equal": lambda v: v[0] == v[1],
}
REDUCTIONS = {"total": sum, "product": math.prod, "largest": max, "smallest": min}


class Sample:
    """Variables of one sample, by name; constants and sizes are arrays of rank 0."""

    def __init__(self, **values):
        self.values = {name: np.asarray(value) for name, value in values.items()}

    def run(self, equations):
        for text in equations:
            equation = read_equation(text, CATALOG.functions)
            letters = [subscript.name for subscript in equation.target.subscripts]
            shape = [self.extent(letter, equation.value) for letter in letters]
            result = np.zeros(shape)
            for place in itertools.product(*map(range, shape)):
                result[place] = self.value(equation.value, dict(zip(letters, place, strict=True)))
            self.values[equation.target.name] = result
        return result

    def extent(self, letter, formula):
        """The length of the shortest axis that the letter indexes by itself."""
        found, stack = [], [formula]
        while stack:
            node = stack.pop()
            if isinstance(node, Reference):
                shape = self.values[node.name].shape if node.subscripts else ()
                pairs = zip(node.subscripts, shape, strict=True)
                found += [size for index, size in pairs if index == Reference(letter)]
            stack.extend(children(node))
        return min(found)

    def value(self, node, indices):
        if isinstance(node, Number):
            return float(node.value)
        if isinstance(node, Named):
            return {"pi": math.pi}[node.name]
        if isinstance(node, Reference):
            if node.name in indices:
                return indices[node.name]
            place = tuple(int(self.value(index, indices)) for index in node.subscripts)
            return self.values[node.name][place].item()
        if isinstance(node, Reduce):
            ranges = [range(self.extent(letter, node.body)) for letter in node.indices]
            inner = (
                dict(zip(node.indices, place, strict=True)) for place in itertools.product(*ranges)
            )
            return REDUCTIONS[node.reduction]([self.value(node.body, indices | i) for i in inner])
        return self.call(node, indices)

    def call(self, node, indices):
        if node.function == "where":
            condition, first, second = node.arguments
            return self.value(first if self.value(condition, indices) else second, indices)
        return FUNCTIONS[node.function]([self.value(a, indices) for a in node.arguments])


def children(node):
    if isinstance(node, Reference):
        return node.subscripts
    if isinstance(node, Reduce):
        return (node.body,)
    return node.arguments if isinstance(node, Call) else ()
