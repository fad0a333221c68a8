"""Equations and adjoints to values: what is computed, before when and where.

Equation  ->  a Value for its target
Adjoint   ->  the sum of its Terms as one Value, scatters and slices included
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symbackprop.equations import (
    Access,
    Adjoint,
    Equation,
    Index,
    Operand,
    Term,
    Variable,
    extent_expression,
)
from symbackprop.lowering.accesses import (
    Place,
    Window,
    inside_only,
    place,
    read,
)
from symbackprop.lowering.expressions import add_signed, add_terms, evaluate, factors
from symbackprop.lowering.loops import Shift, shift_of, unshifted
from symbackprop.lowering.products import Product, combine
from symbackprop.lowering.spans import refused
from symbackprop.lowering.summands import logarithms, renamed, scaled, scaled_slot
from symbackprop.lowering.tiles import covered, side_by_side, tiled
from symbackprop.lowering.values import Dimension, Label, Labelled, Value, ValueGraph
from symbackprop.lowering.views import VIEWS
from symbackprop.lowering.windows import write_moved
from symbackprop.scalar import ONE, ZERO, Expression, apply, substitute

# What joins two parts of a reduction, and what changes nothing.
_MONOIDS = {"total": ("add", ZERO), "product": ("multiply", ONE)}


@dataclass
class Lowering:
    """Lowers one equation or adjoint after another into a shared value graph.

    Attributes:
        graph: where values are made.
        values: the value of each variable so far, its axes labelled by position.
        definitions: the equation of each variable lowered here.
        unit: constants that stand for 1 while adjoints are lowered (the mean's 1/N, where it
            moves to the gradients).
        handed_on: what layers give, which is never a truth value.
        loose: indices that may lie outside what they look up (an ignored class): such a place
            is neither read nor written.
        whole: what ``full`` returned.
        orders: by value number, the axes of the first variable that the value is.
        apart: variables that have values of their own, even where they equal another.
        held: variables that may be given, and are then not what their equation says.
        carried: what is read for a variable a step off, where a recurrence hands it on.
        before_loops: what the variables of recurrences were before they were made loops.
    """

    graph: ValueGraph = field(default_factory=ValueGraph)
    values: dict[Variable, Labelled] = field(default_factory=dict)
    definitions: dict[Variable, Equation] = field(default_factory=dict)
    unit: dict[Expression, Expression] = field(default_factory=dict)
    handed_on: frozenset[Variable] = frozenset()
    loose: set[Variable] = field(default_factory=set)
    whole: list[tuple[Variable, Labelled]] = field(default_factory=list)
    orders: dict[int, tuple[Label, ...]] = field(default_factory=dict)
    apart: set[Variable] = field(default_factory=set)
    held: frozenset[Variable] = frozenset()
    carried: dict[Shift, Labelled] = field(default_factory=dict)
    before_loops: list[tuple[Variable, Labelled]] = field(default_factory=list)
    _taken: set[int] = field(default_factory=set)

    def input(self, variable: Variable) -> Labelled:
        """Make the variable known as an array that is given."""
        return self._keep(variable, self.graph.input(variable))

    def equation(self, equation: Equation) -> Labelled:
        """Lower one equation and return the value of its target."""
        variable = equation.target.variable
        merged = self._merged(equation) if not equation.free else equation
        value = self._right_side(merged)
        positions: dict[Label, Label] = {index: k for k, index in enumerate(equation.free)}
        self.definitions[variable] = equation
        value = self._apart(variable, value.relabel(positions))
        if variable in self.held:
            value = self.graph.node("alias", [value], attribute=variable)
        return self._keep(variable, value)

    def _keep(self, variable: Variable, value: Labelled) -> Labelled:
        """Enter the variable's value; axes of another variable in another order are a copy."""
        if self.orders.setdefault(value.value.number, value.labels) != value.labels:
            value = self.graph.node("number", [value], attribute=value.labels)
        self.values[variable] = value
        return value

    def read(self, operand: Operand) -> Labelled:
        """Return what the operand reads, labelled by the indices of its equation."""
        shift = shift_of(operand)
        if shift is None or shift not in self.carried or not isinstance(operand, Access):
            return read(self.graph, self.values, operand)
        values = ChainMap({shift.variable: self.carried[shift]}, self.values)
        return read(self.graph, values, unshifted(operand, shift.axis))

    def enter_results(self, variables: Collection[Variable], results: Mapping[int, Value]) -> None:
        """Let what a loop collects stand for what its variables were lowered to."""
        for variable in variables:
            value, labels = self.values[variable]
            self.before_loops.append((variable, self.values[variable]))
            self.values[variable] = Labelled(results.get(value.number, value), labels)
        for shift, (value, labels) in list(self.carried.items()):
            if shift.variable in variables:
                self.before_loops.append((shift.variable, self.carried.pop(shift)))
                if value.number in results:
                    self.carried[shift] = Labelled(results[value.number], labels)

    def _right_side(self, equation: Equation) -> Labelled:
        pieces = side_by_side(self.graph, self.values, equation)
        if pieces is not None:
            return pieces
        operands = [self.read(operand) for operand in equation.operands]
        if equation.reduction is None:
            value = evaluate(self.graph, equation.function, operands)
            handed_on = equation.target.variable in self.handed_on
            return self.graph.real(value) if handed_on else value
        if equation.reduction == "total" and not equation.excluding:
            return self._total(equation, operands)
        value = self.graph.real(evaluate(self.graph, equation.function, operands))
        value = self.broadcast(value, [(r, Dimension(r.extent, r.role)) for r in equation.reduced])
        if equation.excluding:
            return self._but_one(equation, value)
        return self._reduced(equation.reduction, value, equation.reduced)

    def _reduced(self, reduction: str, value: Labelled, over: Sequence[Index]) -> Labelled:
        """Reduce to a number or, for argmax and argmin, to a flat position."""
        if reduction not in ("argmax", "argmin"):
            return self.graph.node(reduction, [value], over)
        if len(over) == 1 and value.value.operation not in VIEWS:
            return self.graph.node(reduction, [value], over)
        kind = "largest" if reduction == "argmax" else "smallest"
        extreme = self.graph.node(kind, [value], over)
        return self.graph.node("first", [value, extreme], over)

    def _total(self, equation: Equation, operands: Sequence[Labelled]) -> Labelled:
        constants, parts = logarithms(equation) or ([], [equation.function])
        sums = [
            (False, self._sum(factors(self.graph, part, operands), equation.reduced))
            for part in parts
        ]
        scale = Product(apply("multiply", *constants)) if constants else Product()
        return combine(self.graph, scale.times(add_signed(self.graph, sums)))

    def _but_one(self, equation: Equation, value: Labelled) -> Labelled:
        """Reduce over all places but one: each place's own in turn, or a looked-up one."""
        assert equation.reduction is not None
        join, identity = _MONOIDS[equation.reduction]
        own: dict[Label, Label] = {
            index: place for index, place in equation.excluding if isinstance(place, Index)
        }
        if not own:
            for index, place in equation.excluding:
                assert isinstance(place, Access)
                left_out = self.read(place)
                neutral = self.graph.leaf("literal", identity)
                value = self._put(value, value.labels.index(index), left_out, neutral)
            return self.graph.node(equation.reduction, [value], equation.reduced)
        found = None  # others in the innermost row, then other rows, and so on
        for index in reversed(equation.reduced):
            attribute = equation.reduction, value.labels.index(index)
            others = self.graph.node("others", [value], attribute=attribute)
            found = others if found is None else self.graph.map(join, found, others)
            value = self.graph.node(equation.reduction, [value], [index])
        assert found is not None
        return found.relabel(own)

    def _put(
        self,
        base: Labelled,
        axis: int,
        index: Labelled,
        value: Labelled,
        operation: str = "put",
    ) -> Labelled:
        """Write (or add) the value at looked-up places, where they lie inside."""
        own = list(zip(index.labels, index.value.axes, strict=True))
        if operation != "add_at":
            base = self.broadcast(base, own)
        if index.value.operation == "input" and index.value.variable in self.loose:
            index, inside = inside_only(self.graph, index, base.value.axes[axis].extent)
            if operation == "put":
                kept = self.graph.node("take", [base, index], [base.labels[axis]], axis)
            else:
                kept = self.graph.leaf("literal", ZERO)
            value = self.graph.map("where", inside, value, kept)
        summed = [label for label in index.labels if label not in base.labels]
        if summed:
            others = list(zip(base.labels, base.value.axes, strict=True))
            value = self.broadcast(value, [*own, *(others[:axis] + others[axis + 1 :])])
        return self.graph.node(operation, [base, index, value], summed, axis)

    def _sum(self, product: Product, summed: Iterable[Index]) -> Labelled:
        """Sum the product; an index that no factor reads counts how often it is added."""
        over = {
            label
            for value in (*product.numerators, *product.denominators)
            for label in value.labels
        }
        for index in summed:
            if index not in over:
                product = product.scaled(extent_expression(index.extent), False)
        return combine(self.graph, product, [index for index in summed if index in over])

    def _merged(self, equation: Equation) -> Equation:
        """See through totals of totals, so that a full sum is one reduction."""
        while (inner := self._summand(equation)) is not None:
            constant, access, definition = inner
            fresh = {i: Index(f"{i.name}'", i.extent, i.role) for i in definition.reduced}
            names = {**fresh, **dict(zip(definition.free, access.indices, strict=True))}
            equation = replace(
                equation,
                function=scaled(constant, definition.function),
                operands=tuple(renamed(operand, names) for operand in definition.operands),
                reduction="total" if definition.reduction or equation.reduction else None,
                reduced=(*equation.reduced, *fresh.values()),
            )
        return equation

    def _summand(self, equation: Equation) -> tuple[list[Expression], Access, Equation] | None:
        """Return (constants, access, definition) where the function is one access, scaled."""
        split = scaled_slot(equation.function)
        if split is None or equation.reduction not in (None, "total") or equation.excluding:
            return None
        access = equation.operands[split[1]]
        definition = self.definitions.get(access.variable) if isinstance(access, Access) else None
        if definition is None or not isinstance(access, Access) or definition.excluding:
            return None
        bare = all(isinstance(index, Index) for index in access.indices)
        follows = definition.reduction == "total" or scaled_slot(definition.function) is not None
        plain = definition.reduction in (None, "total") and follows
        return (split[0], access, definition) if bare and plain else None

    def adjoint(self, adjoint: Adjoint) -> Labelled:
        """Lower one adjoint: the sum of its terms."""
        variable = adjoint.variable.bar()
        parts = [(term, place(term.target)) for term in adjoint.terms]
        windows = [where.window for _, where in parts if where.window]
        if windows and not covered(windows, variable.axes):
            parts = [(term, place(term.target, slices=False)) for term in adjoint.terms]
        dense = [p for p in parts if p[1].dense]
        alone = any(term.assigned for term, _ in parts)  # what others exclude is overwritten
        single = len(parts) == 1
        summands = [self._term(*p, single) for p in dense if alone or not p[0].excluding]
        if not alone:
            summands += self._all_but_one(variable, [p for p in dense if p[0].excluding])
        if any(t.excluding and not w.dense for t, w in parts):
            raise refused(Access(variable), "slices or look-ups of all but one")
        for term, where in parts:
            if where.moved:
                minus, value = self._term(term, where)
                whole = write_moved(self.graph, value, term.target, where.moved)
                summands.append((minus, whole))
        slices: dict[Window, list[tuple[bool, Labelled]]] = {}
        for term, where in parts:
            if where.window:
                slices.setdefault(where.window, []).append(self._term(term, where))
        if slices:
            tiles = {window: add_signed(self.graph, found) for window, found in slices.items()}
            summands.append((False, self._tile(variable, tiles)))
        zero = self.graph.leaf("literal", ZERO)
        value = self.graph.real(add_terms(self.graph, summands)) if summands else zero
        for term, where in parts:
            if where.lookup:
                value = self._scatter(variable, value, term, where)
        return self._keep(variable, self._apart(variable, value))

    def _apart(self, variable: Variable, value: Labelled) -> Labelled:
        if variable not in self.apart:
            return value
        if value.value.number in self._taken or value.value.operation == "input":
            value = self.graph.node("alias", [value], attribute=variable)
        self._taken.add(value.value.number)
        return value

    def _all_but_one(
        self, variable: Variable, parts: Sequence[tuple[Term, Place]]
    ) -> list[tuple[bool, Labelled]]:
        """Lower terms that skip one place: all places, then 0 at that one."""
        found: list[tuple[bool, Labelled]] = []
        for term, where in parts:
            minus, value = self._term(term, where)
            value = self.broadcast(value, self._axes(variable))
            for index, excluded in term.excluding:
                if not isinstance(excluded, Access) or index not in where.names:
                    raise refused(term.target, "a total of all but one over an index of its own")
                axis = value.labels.index(where.names[index])
                zero = self.graph.leaf("literal", ZERO)
                skipped = self.read(excluded).relabel(where.names)
                value = self._put(value, axis, skipped, zero)
            found.append((minus, value))
        return found

    def _term(self, term: Term, where: Place, single: bool = False) -> tuple[bool, Labelled]:
        """Return (subtracted, value by the target's axis positions).

        A ``single`` term is no summand of anything: its sign stays in it.
        """
        product = Product().scaled(self._constant(term.coefficient), False)
        for factor in term.factors:
            operands = [self.read(operand) for operand in factor.operands]
            product = product.joined(factors(self.graph, factor.function, operands))
        product = replace(product, constant=self._constant(product.constant))
        summed = [index for index in term.space if index not in where.kept]
        value = self._sum(product if single else product.absolute(), summed)
        return product.negative and not single, value.relabel(where.names)

    def _constant(self, constant: Expression) -> Expression:
        return substitute(constant, self.unit)

    def _tile(self, variable: Variable, windows: Mapping[Window, Labelled]) -> Labelled:
        """Set slices that cover an axis exactly side by side."""
        axis = next(iter(windows)).axis
        rest = [place for place in self._axes(variable) if place[0] != axis]
        own = variable.axes[axis]
        arrays = {
            where.start: self.broadcast(value, [*rest, (axis, Dimension(where.extent, own.role))])
            for where, value in windows.items()
        }
        return tiled(self.graph, arrays, axis, Dimension(own.extent, own.role))

    def _scatter(self, variable: Variable, base: Labelled, term: Term, where: Place) -> Labelled:
        assert where.lookup is not None
        axis, access = where.lookup
        _, value = self._term(term, where, single=True)
        base = self.broadcast(base, self._axes(variable))
        operation = "put" if term.assigned else "add_at"
        index = self.read(access).relabel(where.names)
        return self._put(base, base.labels.index(axis), index, value, operation)

    def _axes(self, variable: Variable) -> list[tuple[Label, Dimension]]:
        return [(k, Dimension(axis.extent, axis.role)) for k, axis in enumerate(variable.axes)]

    def broadcast(self, value: Labelled, axes: Sequence[tuple[Label, Dimension]]) -> Labelled:
        """Return the value with every axis present."""
        if all(label in value.labels for label, _ in axes):
            return value
        return self.graph.node("broadcast", [value], extra=axes)

    def full(self, variable: Variable) -> Labelled:
        """Return the variable's value with all of the variable's axes present."""
        self.whole.append((variable, self.broadcast(self.values[variable], self._axes(variable))))
        return self.whole[-1][1]

    def named(self) -> list[tuple[Variable, Labelled]]:
        """Return the values that are some variable's, axes labelled by position."""
        return [*self.values.items(), *self.before_loops, *self.whole]
