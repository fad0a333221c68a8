"""Formulas of whole arrays as formulas of one unit, in a stated layout.

Every node becomes an array of rows and columns, either of which may be missing; an element of it
is a per-unit formula. A product of matrices becomes a sum over a letter of its own, a transpose
swaps the letters, a gradient holds one derivative for each element. What does not fit the layout
raises `LayoutError`: another reading may fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from symbackprop.auditing.formulas.primitives import PRIMITIVES
from symbackprop.auditing.formulas.tree import (
    HADAMARD,
    OUTER,
    STAR,
    Access,
    Add,
    Apply,
    Big,
    Bound,
    Branch,
    Cases,
    Comparison,
    Delta,
    Derivative,
    Element,
    Indicator,
    Negate,
    Node,
    Norm,
    Number,
    Power,
    Product,
    Quotient,
    Transpose,
    accesses,
)
from symbackprop.auditing.formulas.units import AXES, NOWHERE, Layout, LayoutError, Units, one

# The name that a vector of ones is read as.
ONES = "ones"
ONE = Number(Fraction(1), "1")
TWO = Number(Fraction(2), "2")
HALF = Number(Fraction(1, 2), "1/2")


REDUCING = ("tr", "mean", "var", "det", "rank", "dim", "vec", "onehot")


class Elaborator:
    """Turns formulas into arrays of per-unit formulas, in one layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._letters = 0

    def letter(self) -> Access:
        """Return an index letter that no author can write."""
        self._letters += 1
        return Access(f"_{self._letters}")

    def units(self, node: Node) -> Units:
        """Return a formula by its elements.

        Raises:
            LayoutError: If it has no meaning in this layout.
        """
        rule = self._RULES.get(type(node))
        return one(node) if rule is None else rule(self, node)

    def _access(self, node: Access) -> Units:
        if node.name == "I" and node.style == "bold" and len(node.indices) == 1:
            return Units(True, True, Delta)  # the subscript is its size
        kind = self.layout.kinds.get(node.family, "scalar")
        whole = self.layout.kinds.get(node.whole, "scalar")
        places = len(node.indices) + sum(AXES[kind])
        if node.indices and whole != "scalar" and places != sum(AXES[whole]):
            raise LayoutError(f"{node.name} does not have so many indices")
        if node.name == ONES:
            rows, cols = (False, False) if node.indices else AXES[kind]
            return Units(rows, cols, lambda i, j: ONE)
        if kind == "scalar":
            return one(node)
        if node.name == "I" and kind == "matrix":
            return Units(True, True, Delta)
        rows, cols = AXES[kind]

        def at(i: Node, j: Node) -> Node:
            places = ((i,) if rows else ()) + ((j,) if cols else ())
            return replace(node, indices=(*node.indices, *places))

        return Units(rows, cols, at)

    def _elementwise(self, parts: list[Units], build: Callable[[list[Node]], Node]) -> Units:
        rows, cols = (any(p.rows for p in parts), any(p.cols for p in parts))
        if not all(p.scalar or p.axes == (rows, cols) or (rows and cols) for p in parts):
            raise LayoutError("a row and a column meet elementwise")
        return Units(rows, cols, lambda i, j: build([p.at(i, j) for p in parts]))

    def _add(self, node: Add) -> Units:
        terms = [self.units(term) for term in node.terms]
        if not self.layout.mixes and not all(term.scalar for term in terms):
            numbers = [n for n, term in zip(node.terms, terms, strict=True) if term.scalar]
            if any(True for number in numbers for _ in accesses(number)):
                raise LayoutError("a number is added to an array")
        return self._elementwise(terms, lambda parts: Add(tuple(parts)))

    def _negate(self, node: Negate) -> Units:
        return self._elementwise([self.units(node.operand)], lambda parts: Negate(parts[0]))

    def _quotient(self, node: Quotient) -> Units:
        parts = [self.units(node.numerator), self.units(node.denominator)]
        return self._elementwise(parts, lambda parts: Quotient(parts[0], parts[1]))

    def _power(self, node: Power) -> Units:
        if isinstance(node.base, Norm) and node.exponent == TWO and _euclidean(node.base):
            return one(self._total(self.units(node.base.operand), lambda part: Power(part, TWO)))
        base = self.units(node.base)
        if not base.scalar and isinstance(node.exponent, Negate):
            raise LayoutError("an inverse")
        if base.axes == (True, True) and node.exponent != TWO:
            raise LayoutError("a power of a matrix")
        return self._elementwise(
            [base, self.units(node.exponent)], lambda parts: Power(parts[0], parts[1])
        )

    def _transpose(self, node: Transpose) -> Units:
        inner = self.units(node.operand)
        return Units(inner.cols, inner.rows, lambda i, j: inner.at(j, i))

    def _product(self, node: Product) -> Units:
        parts = [self.units(factor) for factor in node.factors]
        if all(part.scalar for part in parts):
            factors = tuple(part.at(NOWHERE, NOWHERE) for part in parts)
            return one(Product(factors, node.joins))
        result = parts[0]
        for part, join in zip(parts[1:], node.joins, strict=True):
            result = self._times(result, part, join)
        return result

    def _times(self, a: Units, b: Units, join: str) -> Units:
        if a.scalar or b.scalar or join == HADAMARD or (join == STAR and a.axes == b.axes):
            return self._elementwise([a, b], _product_of)
        if join == OUTER:
            return self._outer(a, b)
        if a.cols and b.rows:
            letter = self.letter()
            return Units(
                a.rows,
                b.cols,
                lambda i, j: Big(
                    "sum", (Bound(letter),), _product_of([a.at(i, letter), b.at(letter, j)])
                ),
            )
        if not a.cols and not b.rows:
            return self._outer(a, b)
        if a.axes == b.axes and a.axes != (True, True):
            return self._vectors(a, b)
        raise LayoutError("a product of arrays that do not fit")

    def _outer(self, a: Units, b: Units) -> Units:
        if (True, True) in (a.axes, b.axes):
            raise LayoutError("an outer product of matrices")
        return Units(True, True, lambda i, j: _product_of([a.at(i, i), b.at(j, j)]))

    def _vectors(self, a: Units, b: Units) -> Units:
        if not self.layout.dot:
            return self._elementwise([a, b], _product_of)
        letter = self.letter()
        body = _product_of([a.at(letter, letter), b.at(letter, letter)])
        return one(Big("sum", (Bound(letter),), body))

    def _total(self, a: Units, function: Callable[[Node], Node]) -> Node:
        if a.scalar:
            return function(a.at(NOWHERE, NOWHERE))
        rows, cols = self.letter(), self.letter()
        bounds = ((Bound(rows),) if a.rows else ()) + ((Bound(cols),) if a.cols else ())
        return Big("sum", bounds, function(a.at(rows, cols)))

    def _norm(self, node: Norm) -> Units:
        inner = self.units(node.operand)
        if inner.scalar:
            return one(Norm(inner.at(NOWHERE, NOWHERE), node.order, node.bars))
        if _euclidean(node):
            return one(Power(self._total(inner, lambda part: Power(part, TWO)), HALF))
        if isinstance(node.order, Number) and node.order.value == 1:
            return one(self._total(inner, lambda part: Norm(part, None, 1)))
        raise LayoutError("a norm of this order")

    def _apply(self, node: Apply) -> Units:
        name = node.function.name
        if node.arguments and (several := self._several(node)) is not None:
            return several
        parts = [self.units(argument) for argument in node.arguments]
        if all(part.scalar for part in parts):
            arguments = tuple(part.at(NOWHERE, NOWHERE) for part in parts)
            return one(replace(node, arguments=arguments))
        if name == "diag" and len(parts) == 1:
            return self._diagonal(parts[0])
        if name == "tr" and parts[0].axes == (True, True):
            letter = self.letter()
            return one(Big("sum", (Bound(letter),), parts[0].at(letter, letter)))
        if name == "softmax" and parts[0].axes != (True, True):
            return self._softmax(parts[0])
        if name in REDUCING or (name not in PRIMITIVES and len(parts) > 1):
            raise LayoutError(f"{name} of an array")
        return self._elementwise(parts, lambda args: replace(node, arguments=tuple(args)))

    def _several(self, node: Apply) -> Units | None:
        """The results of a function that has several, of whole arrays: φ(x) and φ_j(x)."""
        if node.function.indices and all(isinstance(a, Access) for a in node.arguments):
            return one(node)
        if node.function.whole not in self.layout.kinds:
            return None
        rows, cols = AXES[self.layout.kinds[node.function.whole]]
        if not (rows or cols or all(isinstance(a, Access) for a in node.arguments)):
            return None

        def at(i: Node, j: Node) -> Node:
            places = ((i,) if rows else ()) + ((j,) if cols else ())
            return replace(node, function=replace(node.function, indices=places))

        return Units(rows, cols, at)

    def _diagonal(self, inner: Units) -> Units:
        if inner.axes == (True, True):
            return Units(True, False, lambda i, j: inner.at(i, i))
        return Units(True, True, lambda i, j: _product_of([Delta(i, j), inner.at(i, i)]))

    def _softmax(self, inner: Units) -> Units:
        letter = self.letter()
        exp = Access("exp")
        total = Big("sum", (Bound(letter),), Apply(exp, (inner.at(letter, letter),)))
        return Units(
            inner.rows,
            inner.cols,
            lambda i, j: Quotient(Apply(exp, (inner.at(i, j),)), total),
        )

    def _element(self, node: Element) -> Units:
        inner = self.units(node.base)
        if inner.scalar:
            return one(node)
        if inner.axes == (True, True):
            if len(node.indices) != 2:
                raise LayoutError("one index on a matrix")
            return one(inner.at(*node.indices))
        if len(node.indices) != 1:
            raise LayoutError("several indices on a vector")
        return one(inner.at(node.indices[0], node.indices[0]))

    def _derivative(self, node: Derivative) -> Units:
        of = one(NOWHERE) if node.of is None else self.units(node.of)
        by = [self.units(variable) for variable in node.by]

        def made(y: Node, *x: Node) -> Node:
            return replace(node, of=None if node.of is None else y, by=x)

        if of.scalar and all(x.scalar for x in by):
            return one(made(of.at(NOWHERE, NOWHERE), *(x.at(NOWHERE, NOWHERE) for x in by)))
        if len(by) == 1 and of.scalar:
            return self._gradient(of, by[0], made)
        if len(by) == 1 and by[0].scalar:
            x = by[0].at(NOWHERE, NOWHERE)
            return Units(of.rows, of.cols, lambda i, j: made(of.at(i, j), x))
        if len(by) == 1 and of.axes != (True, True) and by[0].axes != (True, True):
            return self._jacobian(of, by[0], made)
        if len(by) == 2 and of.scalar and all(x.axes in AXES_OF_VECTORS for x in by):
            y = of.at(NOWHERE, NOWHERE)
            return Units(True, True, lambda i, j: made(y, by[0].at(i, i), by[1].at(j, j)))
        raise LayoutError("a derivative with more than two axes")

    def _gradient(self, of: Units, x: Units, made: Callable[..., Node]) -> Units:
        y = of.at(NOWHERE, NOWHERE)
        if self.layout.shaped:
            return Units(x.rows, x.cols, lambda i, j: made(y, x.at(i, j)))
        return Units(x.cols, x.rows, lambda i, j: made(y, x.at(j, i)))

    def _jacobian(self, of: Units, x: Units, made: Callable[..., Node]) -> Units:
        if self.layout.jacobian == "numerator":
            return Units(True, True, lambda i, j: made(of.at(i, i), x.at(j, j)))
        return Units(True, True, lambda i, j: made(of.at(j, j), x.at(i, i)))

    def _big(self, node: Big) -> Units:
        inner = self.units(node.body)
        return Units(inner.rows, inner.cols, lambda i, j: replace(node, body=inner.at(i, j)))

    def _cases(self, node: Cases) -> Units:
        values = [self.units(branch.value) for branch in node.branches]
        tests = [
            one(NOWHERE) if branch.condition is None else self.units(branch.condition)
            for branch in node.branches
        ]
        some = [branch.condition is not None for branch in node.branches]

        def build(parts: list[Node]) -> Node:
            half = len(parts) // 2
            return Cases(
                tuple(
                    Branch(value, test if has else None)
                    for value, test, has in zip(parts[:half], parts[half:], some, strict=True)
                )
            )

        return self._elementwise([*values, *tests], build)

    def _comparison(self, node: Comparison) -> Units:
        parts = [self.units(node.left), self.units(node.right)]
        return self._elementwise(parts, lambda p: Comparison(node.operator, p[0], p[1]))

    def _indicator(self, node: Indicator) -> Units:
        return self._elementwise([self.units(node.condition)], lambda p: Indicator(p[0]))

    _RULES: Mapping[type[Node], Callable[..., Units]] = {
        Access: _access,
        Add: _add,
        Apply: _apply,
        Big: _big,
        Cases: _cases,
        Comparison: _comparison,
        Derivative: _derivative,
        Element: _element,
        Indicator: _indicator,
        Negate: _negate,
        Norm: _norm,
        Power: _power,
        Product: _product,
        Quotient: _quotient,
        Transpose: _transpose,
    }


AXES_OF_VECTORS = ((True, False), (False, True))


def _product_of(parts: list[Node]) -> Node:
    return Product(tuple(parts), (STAR,) * (len(parts) - 1))


def _euclidean(node: Norm) -> bool:
    named = isinstance(node.order, Access) and node.order.name == "F"
    return node.bars == 2 and (node.order in (None, TWO) or named)
