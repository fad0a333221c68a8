"""Write equations in a line each: ``define(z[n, i], W[j, i] * x[n, j], "total", (j,))``."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from symbackprop.equations import Access, Affine, Equation, Index, Variable
from symbackprop.reference import (
    accumulate,
    decimal_arithmetic,
    directional_difference,
    evaluate,
)
from symbackprop.scalar import Named, Number, Slot, apply

N = Named("N")


@dataclass(frozen=True)
class Form:
    """A scalar expression whose leaves are accesses, indices, numbers and names."""

    function: str
    arguments: tuple

    def __add__(self, other):
        return call("add", self, other)

    def __sub__(self, other):
        return call("add", self, call("negative", other))

    def __rsub__(self, other):
        return call("add", other, call("negative", self))

    def __mul__(self, other):
        return call("multiply", self, other)

    def __truediv__(self, other):
        return call("divide", self, other)

    def __pow__(self, other):
        return call("power", self, other)

    def __neg__(self):
        return call("negative", self)

    __radd__, __rmul__ = __add__, __mul__

    def __rtruediv__(self, other):
        return call("divide", other, self)


def call(function, *arguments):
    return Form(function, tuple(arguments))


def leaf(operand):
    return Form("leaf", (operand,))


def __getattr__(name):
    """Give every function of ``scalar.ARITY`` as a constructor: ``exp(z)``."""
    return lambda *arguments: call(name, *arguments)


class Array:
    def __init__(self, symbol, *axes, **fields):
        self.variable = Variable(symbol, axes=axes, **fields)

    def __getitem__(self, places):
        places = places if isinstance(places, tuple) else (places,)
        return leaf(Access(self.variable, tuple(map(position, places))))

    def outside(self, fill, *places):
        return leaf(Access(self.variable, tuple(map(position, places)), fill))

    @property
    def all(self):
        return leaf(Access(self.variable, ()))


def position(place):
    if isinstance(place, Form):
        return place.arguments[0]
    return Affine((), place) if isinstance(place, int) else place


def shifted(*terms, offset=0):
    return Affine(tuple(terms), offset)


def define(target, form, reduction=None, reduced=(), *, held=False, excluding=()):
    operands = {}

    def build(node):
        if isinstance(node, Access | Index):
            return Slot(operands.setdefault(node, len(operands)))
        if isinstance(node, int | float | Fraction):
            return Number(Fraction(repr(node)) if isinstance(node, float) else Fraction(node))
        if not isinstance(node, Form):
            return node
        if node.function == "leaf":
            return build(node.arguments[0])
        return apply(node.function, *map(build, node.arguments))

    function = build(form)
    return Equation(
        target.arguments[0], function, tuple(operands), reduction, reduced, excluding, held
    )


def shape(array, sizes):
    return tuple(
        axis.extent if isinstance(axis.extent, int) else sizes[axis.extent.name]
        for axis in array.variable.axes
    )


def largest_error(derivation, equations, output, arrays, *, sizes=None, fixed=None):
    """Compare every adjoint with central differences on 50 digits along a random direction.

    ``equations`` are the original ones: what the derivation rewrote is checked against them.
    """
    sizes = sizes or {}
    rng = np.random.default_rng(0)
    values = {a.variable.name: rng.standard_normal(shape(a, sizes)) for a in arrays}
    values.update(fixed or {})
    arithmetic = decimal_arithmetic(50)
    cotangent = rng.standard_normal(shape(output, sizes)) if output.variable.axes else 1
    name = output.variable.name
    primal = evaluate(derivation.equations, values, sizes, arithmetic)
    got = accumulate(derivation.adjoints, primal, {name: cotangent}, sizes, arithmetic)
    errors = []
    for array in arrays:
        key = array.variable.name
        direction = rng.standard_normal(shape(array, sizes))
        found = (got[key] * direction).sum()
        expected = directional_difference(
            equations, values, {key: direction}, {name: cotangent}, sizes
        )
        errors.append(float(abs(found - expected) / (abs(expected) + abs(found) + 1e-12)))
    return max(errors)
