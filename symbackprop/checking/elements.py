"""Every element of every array has one rule; a rule whose reads are not there yet waits."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from symbackprop.checking.arithmetic import EXACT, Arithmetic, added, maximum, minimum
from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Equation,
    Extent,
    Index,
    IndexExpression,
    Operand,
    Quotient,
    Remainder,
    Term,
    Variable,
    extent_expression,
)
from symbackprop.errors import SymbackpropError
from symbackprop.scalar import Expression, Named, Number, Slot

Point = tuple[int, ...]
Rule = Callable[[Point], Any]  # from the values of the scope's indices to a number
Cell = tuple["np.ndarray[Any, Any]", Point, Callable[[], Any]]


class PostponedError(Exception):
    """An element was read that is not there yet."""


class Elements:
    """The arrays of one run, and the rules that fill them."""

    def __init__(
        self, values: Mapping[str, Any], sizes: Mapping[str, int], arithmetic: Arithmetic
    ) -> None:
        self.arithmetic = arithmetic
        self.sizes = sizes
        self.arrays = {name: objects(v, arithmetic.number) for name, v in values.items()}

    def allocate(self, variable: Variable) -> None:
        """Make room for the variable; an element is None until its rule has run."""
        if variable.name in self.arrays:
            raise SymbackpropError(f"{variable.name} is defined twice")
        self.arrays[variable.name] = np.full(self.shape(variable), None, dtype=object)

    def settle(self, cells: list[Cell]) -> None:
        """Fill all cells, again and again trying those that wait for others."""
        while cells:
            waiting = [cell for cell in cells if not _fill(*cell)]
            if len(waiting) == len(cells):
                raise SymbackpropError(f"{len(cells)} elements wait for each other for ever")
            cells = waiting

    def cells(self, equation: Equation) -> list[Cell]:
        """Return every element of the target with its rule."""
        free, reduced = equation.free, equation.reduced
        scope = _scope((*free, *reduced))
        body = self.scalar(equation.function, [self.operand(o, scope) for o in equation.operands])
        skipped = self.skipped(equation.excluding, scope)
        inner = self.points(reduced)
        combine = self.reduction(equation.reduction)

        def element(place: Point) -> Any:
            if equation.reduction is None:
                return body(place)
            kept = [flat for flat, p in enumerate(inner) if not skipped(place + p)]
            return combine([body(place + inner[flat]) for flat in kept], kept)

        array = self.arrays[equation.target.variable.name]
        return [(array, p, partial(element, p)) for p in self.points(free)]

    def adjoint_cells(self, adjoint: Adjoint, seed: Any) -> list[Cell]:
        """Return every element of the adjoint with the sum of what its terms send there."""
        array = self.arrays[adjoint.variable.bar().name]
        start = objects(np.zeros(array.shape) if seed is None else seed, self.arithmetic.number)
        if start.shape != array.shape:
            raise SymbackpropError(f"the seed of {adjoint.variable.name} has shape {start.shape}")
        reaching: dict[Point, list[Callable[[], Any]]] = {p: [] for p in np.ndindex(array.shape)}
        assigned: set[Point] = set()
        for term in adjoint.terms:
            for place, rule in self.contributions(term, array.shape):
                if place in assigned or (term.assigned and reaching[place]):
                    raise SymbackpropError(f"two terms reach {adjoint.variable.name}{list(place)}")
                reaching[place].append(rule)
                if term.assigned:
                    assigned.add(place)

        def element(place: Point) -> Any:
            return added(start[place], *(rule() for rule in reaching[place]))

        return [(array, p, partial(element, p)) for p in reaching]

    def contributions(self, term: Term, shape: Point) -> Iterable[tuple[Point, Callable[[], Any]]]:
        """Yield the place that each point of the term's space reaches, and what it sends."""
        scope = _scope(term.space)
        place_of = self.place(term.target, scope)
        skipped = self.skipped(term.excluding, scope)
        factors = [
            self.scalar(f.function, [self.operand(o, scope) for o in f.operands])
            for f in term.factors
        ]
        coefficient = self.scalar(term.coefficient, [])(())
        for point in self.points(term.space):
            place = place_of(point)
            if skipped(point):
                continue
            if _inside(place, shape):
                yield place, partial(_product, coefficient, factors, point)
            elif term.target.fill is None:
                raise SymbackpropError(
                    f"{term.target.variable.name}{list(place)} is outside {shape}"
                )

    def scalar(self, expression: Expression, reads: Sequence[Rule]) -> Rule:
        """Return the rule of a scalar expression whose Slot(k) is ``reads[k]``."""
        if isinstance(expression, Slot):
            return reads[expression.position]
        if isinstance(expression, Number):
            value = self.arithmetic.number(expression.value)
            return lambda _: value
        if isinstance(expression, Named):
            named = self.named(expression.name)
            return lambda _: named
        arguments = [self.scalar(a, reads) for a in expression.arguments]
        if expression.function == "where":
            condition, yes, no = arguments
            return lambda point: yes(point) if condition(point) else no(point)
        return _applied(self.arithmetic.functions[expression.function], arguments)

    def named(self, name: str) -> Any:
        """Return a size or a constant by name."""
        if name in self.sizes:
            return self.arithmetic.number(self.sizes[name])
        if name not in self.arithmetic.constants:
            raise SymbackpropError(f"no value was given for {name}")
        return self.arithmetic.constants[name]

    def operand(self, operand: Operand, scope: Mapping[Index, int]) -> Rule:
        """Return the rule that reads an operand: an element, or an index's own value."""
        if isinstance(operand, Index):
            position, number = scope[operand], self.arithmetic.number
            return lambda point: number(point[position])
        return self.read(operand, scope)

    def read(self, access: Access, scope: Mapping[Index, int]) -> Rule:
        """Return the rule that reads an element, or the fill outside the extent."""
        name, shape = access.variable.name, self.shape(access.variable)
        if name not in self.arrays and access.variable.values is not None:
            self.arrays[name] = objects(access.variable.values, self.arithmetic.number)
            self.arrays[name] = self.arrays[name].reshape(shape)
        if name not in self.arrays:
            raise SymbackpropError(f"no value was given for {name}")
        array = self.arrays[name]
        if array.shape != shape:
            raise SymbackpropError(f"{name} has shape {array.shape}; it must be {shape}")
        place_of = self.place(access, scope)
        fill = self.fill(access)

        def value(point: Point) -> Any:
            place = place_of(point)
            if _inside(place, shape):
                element = array[place]
                if element is None:
                    raise PostponedError
                return element
            if fill is None:
                raise SymbackpropError(f"{name}{list(place)} is outside {shape}")
            return fill

        return value

    def fill(self, access: Access) -> Any:
        """Return the number that a read outside the extent gives, or None."""
        if access.fill is None:
            return None
        if access.fill == "zero":
            return self.arithmetic.number(0)
        infinity = self.arithmetic.constants["inf"]
        return -infinity if access.fill == "-inf" else infinity

    def place(self, access: Access, scope: Mapping[Index, int]) -> Callable[[Point], Point]:
        """Return the rule from a point of the scope to the element that is accessed."""
        if all(isinstance(index, Index) for index in access.indices):
            positions = [scope[index] for index in access.indices if isinstance(index, Index)]
            return lambda point: tuple([point[k] for k in positions])
        rules = [self.index(index, scope) for index in access.indices]
        return lambda point: tuple([rule(point) for rule in rules])

    def index(self, expression: IndexExpression, scope: Mapping[Index, int]) -> Rule:
        """Return the rule of an index expression."""
        if isinstance(expression, Index):
            return operator.itemgetter(scope[expression])
        if isinstance(expression, Affine):
            terms = [(self.extent(c), scope[index]) for c, index in expression.terms]
            offset = self.extent(expression.offset)
            return lambda point: offset + sum(c * point[k] for c, k in terms)
        if isinstance(expression, Quotient | Remainder):
            dividend, divisor = (
                self.index(expression.dividend, scope),
                self.extent(expression.divisor),
            )
            if isinstance(expression, Quotient):
                return lambda point: dividend(point) // divisor
            return lambda point: dividend(point) % divisor
        looked_up = self.read(expression, scope)
        return lambda point: int(looked_up(point))

    def skipped(
        self, pairs: Sequence[tuple[Index, IndexExpression]], scope: Mapping[Index, int]
    ) -> Callable[[Point], bool]:
        """Return whether a point is left out: every excluded index has its excluded value."""
        rules = [(scope[index], self.index(value, scope)) for index, value in pairs]
        return lambda point: bool(rules) and all(point[k] == rule(point) for k, rule in rules)

    def reduction(self, name: str | None) -> Callable[[list[Any], list[int]], Any]:
        """Return how the values over the reduced points, and their flat positions, combine."""
        number, infinity = self.arithmetic.number, self.arithmetic.constants["inf"]
        if name == "total":
            return lambda values, _: sum(values, number(0))
        if name == "product":
            return lambda values, _: math.prod(values, start=number(1))
        if name in ("largest", "smallest"):
            better, start = (maximum, -infinity) if name == "largest" else (minimum, infinity)
            return lambda values, _: _fold(better, values, start)
        sign = -1 if name == "argmin" else 1
        return lambda values, flat: flat[max(range(len(values)), key=lambda k: sign * values[k])]

    def points(self, indices: Sequence[Index]) -> list[Point]:
        """Return every value that the indices take together, the last one fastest."""
        return list(itertools.product(*(range(self.extent(index.extent)) for index in indices)))

    def shape(self, variable: Variable) -> Point:
        """Return the variable's extents as numbers."""
        return tuple(self.extent(axis.extent) for axis in variable.axes)

    def extent(self, extent: Extent) -> int:
        """Return an extent, a coefficient or an offset as a number."""
        if isinstance(extent, int):
            return extent
        exact = Elements({}, self.sizes, EXACT).scalar(extent_expression(extent), [])(())
        if exact.denominator != 1:
            raise SymbackpropError(f"an extent is {exact}; it must be a whole number")
        return int(exact)


def _applied(function: Callable[..., Any], arguments: Sequence[Rule]) -> Rule:
    if len(arguments) == 2:
        first, second = arguments
        return lambda point: function(first(point), second(point))
    return lambda point: function(*[argument(point) for argument in arguments])


def _product(coefficient: Any, factors: Sequence[Rule], point: Point) -> Any:
    return math.prod((factor(point) for factor in factors), start=coefficient)


def _fold(better: Callable[[Any, Any], Any], values: Sequence[Any], start: Any) -> Any:
    for value in values:
        start = better(start, value)
    return start


def _fill(array: np.ndarray[Any, Any], place: Point, rule: Callable[[], Any]) -> bool:
    try:
        array[place] = rule()
    except PostponedError:
        return False
    return True


def _scope(indices: Sequence[Index]) -> dict[Index, int]:
    return {index: position for position, index in enumerate(indices)}


def _inside(place: Point, shape: Point) -> bool:
    return all(0 <= k < extent for k, extent in zip(place, shape, strict=True))


def objects(values: Any, number: Callable[[Any], Any]) -> np.ndarray[Any, Any]:
    """Return an object array of numbers of one kind; integers stay integers."""
    given = np.asarray(values)
    result = np.empty(given.shape, dtype=object)
    for place in np.ndindex(given.shape):
        item = given[place]
        result[place] = int(item) if given.dtype.kind in "iu" else number(item)
    return result
