"""Records of the derivation as formulas, in per-unit form."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symbackprop.calculus.indices import rename_scope, substitute_operands
from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Equation,
    Factor,
    Index,
    IndexExpression,
    Operand,
    Reduction,
    Term,
    Variable,
    indices_of,
)
from symbackprop.render import scalars
from symbackprop.render.counting import as_numbers, counts_from_zero
from symbackprop.render.inner import inner_equations, is_bare
from symbackprop.render.symbols import Names, Symbols, subscript
from symbackprop.render.typeset import (
    Cases,
    Fenced,
    Large,
    Math,
    Numeral,
    Operator,
    Script,
    Symbol,
    listed,
    row,
)
from symbackprop.scalar import ONE, Expression

__all__ = ["Names", "Setting", "counts_from_zero", "inner_equations"]

_DELTA, _AND = Symbol("δ"), Operator("∧")
_REDUCTIONS: Mapping[Reduction, str] = {
    "total": "Σ",
    "product": "Π",
    "largest": "max",
    "smallest": "min",
    "argmax": "argmax",
    "argmin": "argmin",
}
_Scattered = list[tuple[Index, IndexExpression]]  # axes of a target, and the places it accesses


@dataclass(frozen=True, kw_only=True)
class Setting(Symbols):
    """Turns records of the derivation into formulas, in one notation.

    Attributes:
        inner: equations to print inside their one reader, as ``inner_equations`` finds them.
    """

    inner: Mapping[Variable, Equation] = field(default_factory=dict)

    def equation(self, equation: Equation, names: Names | None = None) -> tuple[Math, Math]:
        """Return both sides of an equation, those that it alone reads seen through."""
        names = {} if names is None else names
        self._name_places(equation.target, names)
        left = self.access(equation.target, names)
        return left, scalars.enclosed(self._right_side(equation, names, ()))

    def scalar(self, function: Expression, operands: Sequence[Math]) -> Math:
        """Return a scalar function of formulas; brackets follow from how tightly these bind."""
        return scalars.scalar(scalars.lettered(function, self.numbers), operands)

    def factor(self, factor: Factor, names: Names, taken: Collection[Math] = ()) -> Math:
        """Return one factor of a term; fills in the names it makes, none of them taken."""
        return self._applied(factor.function, factor.operands, names, taken)

    def term(self, term: Term, names: Names, kept: Collection[Index] = ()) -> Math:
        """Return coefficient, sum and factors of a term; fills in the names it makes.

        Args:
            term: summed over the indices of its space that its target does not hold.
            names: of the indices met so far.
            kept: further indices that it is not summed over.
        """
        self._name_places(term.target, names)
        self._add_names(term.space, names)
        held = {*kept, *(index for place in term.target.indices for index in indices_of(place))}
        return self._term(term, names, held, self._left_out(term, names, held, ()), ())

    def adjoint(
        self, adjoint: Adjoint, names: Names | None = None
    ) -> tuple[tuple[Math, Math], ...]:
        """Return both sides of the total derivative, a pair for each equation.

        A term that reaches only some places carries a Kronecker delta; where one reaches a place
        alone, the right side is by cases.
        """
        names = {} if names is None else names
        target = Access(adjoint.variable.bar(), adjoint.variable.axes)
        self._name_places(target, names)
        alone = [self._assigned(term, names) for term in adjoint.terms if term.assigned]
        met = {condition for _, condition in alone}
        shared = [self._shared(term, names, met) for term in adjoint.terms if not term.assigned]
        total = scalars.added(shared) if shared else Numeral("0")
        right = Cases((*alone, (total, None))) if alone else total
        return ((self.access(target, names), right),)

    def total(self, indices: Sequence[Index], body: Math, names: Names) -> Math:
        """Return the sum of a body over indices, the first one outermost."""
        self._add_names(indices, names)
        return self._reduced("total", indices, (), body, names)

    def _right_side(self, equation: Equation, names: Names, taken: Collection[Math]) -> Math:
        self._add_names(equation.reduced, names, taken)
        body = self._applied(equation.function, equation.operands, names, taken)
        if equation.reduction is None:
            return body
        return self._reduced(equation.reduction, equation.reduced, equation.excluding, body, names)

    def _reduced(
        self,
        reduction: Reduction,
        reduced: Sequence[Index],
        excluding: Sequence[tuple[Index, IndexExpression]],
        body: Math,
        names: Names,
    ) -> Math:
        """Return the reduction of a body: sums from the outermost index on, others as one.

        Over the one place of an axis it is the body itself.
        """
        shown = self.running(reduced)
        if not shown and reduction in ("argmax", "argmin"):
            return Numeral(self.notation.first)
        only = [index for index in self._shown(reduced) if index not in shown]
        marks = [mark for index in only for mark in self._unequal(index, excluding, names)]
        if marks:
            body = scalars.product([*(Fenced("[", mark, "]") for mark in marks), body])
        if not shown:
            return body
        if reduction == "total" and scalars.level(body) == scalars.SIGN:
            size = self._reduced(reduction, shown, excluding, scalars.opposite(body), names)
            return scalars.negated(size)
        body = scalars.enclosed(body, scalars.REDUCED)
        sign = _REDUCTIONS[reduction]
        if reduction not in ("total", "product"):
            left_out = [mark for index in shown for mark in self._unequal(index, excluding, names)]
            return row(Large(sign, listed(*(names[index] for index in shown), *left_out)), body)
        for index in reversed(shown):
            start = self._start(names[index])
            limits = listed(start, *self._unequal(index, excluding, names))
            body = row(Large(sign, limits, self._last(index.extent)), body)
        return body

    def _unequal(
        self, index: Index, excluding: Sequence[tuple[Index, IndexExpression]], names: Names
    ) -> list[Math]:
        return [
            row(names[index], scalars.UNEQUAL, self._place(place, names))
            for excluded, place in excluding
            if excluded == index
        ]

    def _applied(
        self,
        function: Expression,
        operands: Sequence[Operand],
        names: Names,
        taken: Collection[Math],
    ) -> Math:
        for operand in operands:
            self._add_names(indices_of(operand), names, taken)
        pieces = [self._operand(operand, names, taken) for operand in operands]
        return self.scalar(as_numbers(function, operands, self._first), pieces)

    def _operand(self, operand: Operand, names: Names, taken: Collection[Math]) -> Math:
        if isinstance(operand, Index):
            return names[operand]
        inner = self.inner.get(operand.variable)
        if inner is None or not all(isinstance(i, Index | Affine) for i in operand.indices):
            return self.access(operand, names)
        if not is_bare(operand):
            inner = _at(inner, operand)
        scope = {
            own: names[outer]
            for own, outer in zip(inner.free, indices_of(operand), strict=True)
            if outer in names
        }
        return self._right_side(inner, scope, {*taken, *names.values()})

    def _term(
        self,
        term: Term,
        names: Names,
        kept: Collection[Index],
        marks: Sequence[Math],
        taken: Collection[Math],
    ) -> Math:
        """Return a term, ``marks`` among its factors; indices that are not kept are summed."""
        factors = [*marks, *(self.factor(factor, names, taken) for factor in term.factors)]
        summed = [index for index in self._shown(term.space) if index not in kept]
        total = self._reduced("total", summed, term.excluding, scalars.product(factors), names)
        coefficient = self.scalar(term.coefficient, ())
        if not factors and not summed:
            return coefficient
        return total if term.coefficient == ONE else scalars.product([coefficient, total])

    def _shared(self, term: Term, names: Names, met: Collection[Math]) -> Math:
        """Return what a term adds at the place that ``names`` give the axes of its variable.

        Conditions that other cases have ``met`` are not repeated.
        """
        scope, scattered = self._scope(term, names)
        kept = [index for index in term.space if scope.get(index) in names.values()]
        deltas = [
            Script(_DELTA, subscript([names[axis], self._place(place, scope)]))
            for axis, place in scattered
        ]
        marks = [*deltas, *self._left_out(term, scope, kept, met)]
        return self._term(term, scope, kept, marks, names.values())

    def _left_out(
        self, term: Term, names: Names, kept: Collection[Index], met: Collection[Math]
    ) -> list[Math]:
        """Return an Iverson bracket for each place that a term leaves out."""
        marks: list[Math] = []
        for index, place in term.excluding:
            met_here = row(names[index], scalars.EQUALS, self._place(place, names)) in met
            if index in kept and not met_here:
                (mark,) = self._unequal(index, [(index, place)], names)
                marks.append(Fenced("[", mark, "]"))
        return marks

    def _assigned(self, term: Term, names: Names) -> tuple[Math, Math]:
        """Return a term that reaches its place alone, and the condition of the place."""
        scope, scattered = self._scope(term, names)
        kept = [index for index in term.space if scope.get(index) in names.values()]
        pieces: list[Math] = []
        for axis, place in scattered:
            pieces += [_AND, row(names[axis], scalars.EQUALS, self._place(place, scope))]
        return self._term(term, scope, kept, (), names.values()), row(*pieces[1:])

    def _scope(self, term: Term, names: Names) -> tuple[Names, _Scattered]:
        """Return the names of a term's indices, and the axes that none of them runs along."""
        scope: Names = {}
        scattered: _Scattered = []
        for axis, place in zip(term.target.variable.axes, term.target.indices, strict=True):
            if axis not in names:
                continue
            whole = isinstance(place, Index) and place.extent == axis.extent
            if isinstance(place, Index) and whole and place not in scope:
                scope[place] = names[axis]
            elif axis.extent != 1 or term.target.fill:
                scattered.append((axis, place))
        self._add_names(term.space, scope, names.values())
        return scope, scattered


def _at(equation: Equation, read: Access) -> Equation:
    """Return an equation at the place of a read, as one over the indices of that place."""
    held = tuple(indices_of(read))
    apart = rename_scope(equation, {index.name for index in held})
    values = dict(zip(apart.free, read.indices, strict=True))
    function, operands = substitute_operands(apart.function, apart.operands, values)
    return replace(apart, target=replace(read, indices=held), function=function, operands=operands)
