"""From the equations of one definition to normalised equations: one reduction each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from symbackprop import scalar
from symbackprop.equations import (
    Access,
    Affine,
    Equation,
    Fill,
    Index,
    Operand,
    Reduction,
    Role,
    Variable,
)
from symbackprop.errors import SymbackpropError
from symbackprop.formula import (
    Assignment,
    Call,
    Formula,
    Reduce,
    Reference,
    references,
)
from symbackprop.formula_reader import FUNCTIONS, read_equation
from symbackprop.instantiate.constants import inlined
from symbackprop.instantiate.declare import declare, letters_of, reads_batch
from symbackprop.instantiate.extents import Table
from symbackprop.instantiate.fold import CONDITIONS, as_number, fold, is_condition
from symbackprop.instantiate.instance import Instance, apart, check_updated, needed, renewal
from symbackprop.instantiate.reads import Frame, Operands, Subscripts, granted, is_whole, matches
from symbackprop.instantiate.recurrent import handed_on, is_read_again
from symbackprop.instantiate.scope import Names, Scope, constant_numbers
from symbackprop.notation.bounds import MAX_BITS, bits
from symbackprop.scalar import ONE, ZERO, Apply, Expression, Named, Number, slots, walk
from symbackprop.sizing import extent_text

_HALF = Number(Fraction(1, 2))  # between what holds, 1, and what does not, 0
# What counts as nothing under a reduction.
_NOTHING: Mapping[Reduction, Fill] = {"total": "zero", "largest": "-inf", "smallest": "inf"}


def instantiate(texts: Sequence[str], scope: Scope, names: Names) -> tuple[Equation, ...]:
    """Return the equations of one use of a definition, with every nested reduction hoisted.

    Args:
        texts: equations in the notation of ``[[define]]``, intermediates first.
        scope: what their names stand for.
        names: gives out the symbols of what they define.

    Returns:
        Normalised equations in the order written, each hoisted one before the one that reads
        it. What the last one does not need is left out.

    Raises:
        SymbackpropError: names the equation and what is wrong in it.
    """
    return instantiate_with_updates(texts, (), scope, names).equations


def instantiate_with_updates(
    texts: Sequence[str], updates: Sequence[str], scope: Scope, names: Names
) -> Instance:
    """Return the equations of one use of a definition and those of its statistics' new values.

    Args:
        texts: as for ``instantiate``.
        updates: equations whose targets are variables of the scope.
        scope: as for ``instantiate``.
        names: as for ``instantiate``.

    Raises:
        SymbackpropError: as for ``instantiate``, or a new value has another shape than the old.
    """
    assignments = [read_equation(text, scope.functions) for text in texts]
    if scope.result and is_read_again(assignments):
        texts, assignments = [*texts, texts[-1]], [*assignments, handed_on(assignments[-1])]
    renewed = [read_equation(text, scope.functions) for text in updates]
    assignments[-1:-1] = [renewal(assignment) for assignment in renewed]
    texts = (*texts[:-1], *updates, *texts[-1:])
    scope = replace(scope, leading=apart(scope.leading, assignments))
    binder = _Binder(scope, names)
    declare(texts, assignments, binder.table, names)
    for position, (text, assignment) in enumerate(zip(texts, assignments, strict=True)):
        try:
            binder.bind(assignment, position >= len(texts) - 1 - len(updates))
        except SymbackpropError as error:
            raise error.at(f"equation {text!r}") from None
    updated = {a.target.name: binder.table.variables[renewal(a).target.name] for a in renewed}
    check_updated(updated, scope)
    result = binder.equations[-1].target.variable
    every = needed(inlined(binder.equations), [*updated.values(), result])
    equations = needed(every, [result])
    rest = tuple(equation for equation in every if equation not in equations)
    return Instance(equations, rest, updated)


def _check_numbers(function: Expression, operands: tuple[Operand, ...]) -> None:
    """Refuse // and % of values, and numbers so long that to compute with them would not end."""
    if bits(function, {}) > MAX_BITS:
        raise SymbackpropError(f"numbers in it may need more than {MAX_BITS} bits")
    for node in walk(function):
        if isinstance(node, Apply) and node.function in ("floor_divide", "remainder"):
            read = [operands[k] for k in slots(node)]
            values = [o.variable for o in read if isinstance(o, Access) and not o.variable.integer]
            if values:
                raise SymbackpropError(
                    f"// and % act on indices and sizes, found the value {values[0].symbol}"
                )


class _Binder:
    """Binds the equations of one definition in order; holds what has been defined so far."""

    def __init__(self, scope: Scope, names: Names) -> None:
        self.scope = scope
        self.names = names
        self.table = Table(scope)
        self.subscripts = Subscripts(self.table, scope.numbers)
        self.equations: list[Equation] = []
        self.values: dict[str, Expression] = dict(scope.off)
        self.hoisted: dict[object, Access] = {}
        self.truths: set[Variable] = set()  # they hold or not: 1 or 0 where a number is needed
        self.target = ""

    def bind(self, assignment: Assignment, kept: bool) -> None:
        """Append the equation, and before it those that it needs hoisted."""
        name = assignment.target.name
        variable = self.table.variables[name]
        own = self.table.own_axes(name) or ()
        free = dict(zip(letters_of(assignment.target), own, strict=True))
        frame = Frame(free, Operands())
        value = assignment.value
        self.target = name
        if isinstance(value, Call) and self._is_activation(value) and not assignment.held:
            access = self._expand(value, frame, variable)
            if access.variable == variable:
                del self.table.pending[name]
                return
        self._define(name, assignment, frame, kept)

    def _define(self, name: str, assignment: Assignment, frame: Frame, kept: bool) -> None:
        variable, value = self.table.variables[name], assignment.value
        reduction: Reduction | None = None
        reduced: tuple[Index, ...] = ()
        if isinstance(value, Reduce):
            reduction = value.reduction
            frame, reduced = self._inner(value, frame)
            value = value.body
        converted = self.convert(value, frame)
        if is_condition(converted) and reduction is None:
            self.truths.add(variable)
        function, operands = frame.operands.used(as_number(converted))
        target = Access(variable, variable.axes)
        _check_numbers(function, operands)
        equation = Equation(target, function, operands, reduction, reduced, held=assignment.held)
        del self.table.pending[name]
        if kept or not self._is_copy(name, equation):
            self.equations.append(equation)

    def _is_copy(self, name: str, equation: Equation) -> bool:
        """Take the name of a plain copy, or of a number, for what it copies."""
        if equation.reduction or equation.held or name in self.table.read_early:
            return False
        if isinstance(equation.function, Number):
            self.values[name] = equation.function
            return True
        if equation.function != scalar.Slot(0) or len(equation.operands) != 1:
            return False
        source = equation.operands[0]
        if not isinstance(source, Access) or not is_whole(source, equation.target.indices):
            return False
        if source in self.hoisted.values() and source == self.equations[-1].target:
            # A sum without its bias is what the equation is about, not a part of it.
            self.equations[-1] = replace(self.equations[-1], target=equation.target)
            self.hoisted = {k: access for k, access in self.hoisted.items() if access != source}
        else:
            self.table.variables[name] = source.variable
        return True

    def convert(self, formula: Formula, frame: Frame) -> Expression:
        """Return the scalar expression, its reads entered among the frame's operands."""
        if isinstance(formula, Number | Named):
            return formula
        if isinstance(formula, Reference):
            return self._read(formula, frame)
        if isinstance(formula, Reduce):
            return self._hoist(formula, frame)
        if formula.function == "where":
            return self._where(formula, frame)
        if self._is_activation(formula):
            return frame.operands.slot(self._expand(formula, frame))
        arguments = [self.convert(argument, frame) for argument in formula.arguments]
        return self._fold(formula.function, arguments, frame)

    def _fold(self, function: str, arguments: list[Expression], frame: Frame) -> Expression:
        """Apply a function; where it asks whether something holds, a name may have it."""
        for position in range(CONDITIONS.get(function, 0)):
            access = frame.operands.read(arguments[position])
            if isinstance(access, Access) and access.variable in self.truths:
                arguments[position] = scalar.apply("greater", arguments[position], _HALF)
        return fold(function, arguments)

    def _is_activation(self, call: Call) -> bool:
        return call.function in self.scope.functions and call.function not in FUNCTIONS

    def _read(self, reference: Reference, frame: Frame) -> Expression:
        name = reference.name
        if name in frame.letters and not reference.subscripts:
            return frame.operands.slot(frame.letters[name])
        if name in self.values:
            return self.values[name]
        if name in self.scope.vectors:
            return self._element(reference, frame)
        if name in self.scope.numbers:
            return self._number(reference)
        self.table.check_known(name, frame.letters)
        access = self.subscripts.access(reference, frame)
        if name in self.table.pending:
            self._check_recurrence(name, access)
        return frame.operands.slot(access)

    def _number(self, reference: Reference) -> Expression:
        value = self.scope.numbers[reference.name]
        if reference.subscripts:
            raise SymbackpropError(f"{reference.name} is a number and takes no indices")
        if value is None:
            raise SymbackpropError(f"constant {reference.name} is not set")
        return value

    def _check_recurrence(self, name: str, access: Access) -> None:
        letters = set(self.table.pending[self.target])
        own = self.table.pending[name]
        for item, axis in zip(access.indices, access.variable.axes, strict=True):
            if isinstance(item, Affine) and len(item.terms) == 1 and axis.name in own:
                coefficient, index = item.terms[0]
                shifted = isinstance(item.offset, int) and item.offset < 0
                if coefficient == 1 and shifted and index.name in letters:
                    return
        raise SymbackpropError(
            f"{name} is read before it is defined; an equation reads itself or a later one only "
            f"at an earlier place, as in {name}[t - 1]"
        )

    def _element(self, reference: Reference, frame: Frame) -> Expression:
        values = self.scope.vectors[reference.name]
        if values is None:
            return ONE
        if len(reference.subscripts) != 1:
            raise SymbackpropError(f"{reference.name} holds one number per place: one index")
        index = self.subscripts.index(reference.subscripts[0], frame)
        if isinstance(index, Index) and index.extent != len(values):
            raise SymbackpropError(
                f"{reference.name} holds {len(values)} numbers, one for each of "
                f"{extent_text(index.extent)} is needed"
            )
        if not isinstance(index, Index | Access):
            raise SymbackpropError(f"{reference.name} is read by a bare index or a look-up")
        if len(set(values)) == 1:
            return Number(values[0])
        axis = Index("i", len(values), index.role if isinstance(index, Index) else Role.FEATURE)
        constant = Variable(reference.name, self.scope.owner, (axis,), values=values)
        guarded = isinstance(index, Access) and index.variable.symbol in frame.looked_up
        access = Access(constant, (index,), "zero" if guarded else None)
        return frame.operands.slot(access)

    def _where(self, call: Call, frame: Frame) -> Expression:
        condition, first, second = call.arguments
        read = [reference.name for reference in references(condition)]
        if any(name in self.scope.numbers and self.scope.numbers[name] is None for name in read):
            return self.convert(second, frame)
        test = self.convert(condition, frame)
        if isinstance(test, Number):
            return self.convert(first if test.value else second, frame)
        looked_up = frozenset(read) & {
            name for name, variable in self.table.variables.items() if variable.integer
        }
        branches = []
        for formula, truth in ((first, True), (second, False)):
            facts, exact = granted(condition, truth, frame.letters, self.scope.numbers)
            value = self.convert(formula, frame.within(facts, looked_up))
            branches.append((value, facts if exact else []))
        for (value, facts), (other, _) in (branches, branches[::-1]):
            access = frame.operands.read(value)
            if other == ZERO and isinstance(access, Access) and matches(access, facts):
                return value
        return self._fold("where", [test, branches[0][0], branches[1][0]], frame)

    def _inner(self, reduce: Reduce, frame: Frame) -> tuple[Frame, tuple[Index, ...]]:
        """Return the frame of what a reduction runs over, and its indices."""
        for letter in reduce.indices:
            if letter in frame.letters:
                raise SymbackpropError(
                    f"index {letter!r} is free on the left, or bound further out, and bound again "
                    f"by {reduce.reduction}: take another letter"
                )
        reduced = tuple(self._reduced(letter, reduce.body) for letter in reduce.indices)
        letters = {**frame.letters, **{index.name: index for index in reduced}}
        alone = isinstance(reduce.body, Reference) or reduce.reduction == "total"
        fill = _NOTHING.get(reduce.reduction) if alone else None
        return replace(frame, letters=letters, operands=Operands(), fill=fill), reduced

    def _reduced(self, letter: str, body: Formula) -> Index:
        index = self.table.find_index(letter, body)
        if index is not None:
            inside = self.table.in_window(letter, body)
            return replace(index, role=Role.KERNEL) if inside else index
        if any(reference.name == letter for reference in references(body)):
            raise SymbackpropError(
                f"the extent of index {letter!r} does not follow: it stands bare nowhere; the "
                "definition's ranges can declare it, if it is a layer's"
            )
        raise SymbackpropError(f"index {letter!r} indexes nothing")

    def _hoist(self, reduce: Reduce, frame: Frame) -> Expression:
        letters = self._letters_in(reduce, frame)
        key = self._key(reduce, frame)
        if key not in self.hoisted:
            inner, reduced = self._inner(reduce, frame)
            function = as_number(self.convert(reduce.body, inner))
            if function == ZERO and reduce.reduction == "total":
                return ZERO
            used = inner.operands.used(function)
            self.hoisted[key] = self._emit(letters, reduce, used, reduce.reduction, reduced)
        return frame.operands.slot(self.hoisted[key])

    def _key(self, formula: Formula, frame: Frame) -> object:
        """Return what two hoisted formulas have in common where one can serve for both."""
        guards = tuple(tuple(guard.items()) for guard in frame.guards)
        return formula, self._letters_in(formula, frame), guards, frame.looked_up

    def _letters_in(self, formula: Formula, frame: Frame) -> tuple[Index, ...]:
        mentioned = {r.name for r in references(formula) if not r.subscripts}
        return tuple(index for name, index in frame.letters.items() if name in mentioned)

    def _emit(
        self,
        free: tuple[Index, ...],
        formula: Formula,
        used: tuple[Expression, tuple[Operand, ...]],
        reduction: Reduction | None = None,
        reduced: tuple[Index, ...] = (),
    ) -> Access:
        leading = self.scope.leading if reads_batch(formula, self.table) else ()
        axes = self.table.arranged(free, leading)
        variable = Variable(self.names.fresh(), self.scope.owner, axes)
        _check_numbers(*used)
        self.equations.append(Equation(Access(variable, axes), *used, reduction, reduced))
        return Access(variable, axes)

    def _activation(self, name: str, source: Access) -> Scope:
        """Return the scope of an activation that acts on each number of what is read."""
        definition = self.scope.functions[name]
        texts = definition.equations
        values = [read_equation(text, self.scope.functions).value for text in texts]
        along = any(r.subscripts for value in values for r in references(value))
        if along or definition.parameters:
            raise SymbackpropError("acts along an axis or has parameters: write its equations out")
        if name in self.scope.calling:
            raise SymbackpropError("is defined by itself")
        return Scope(
            owner=self.scope.owner,
            variables={"z": source.variable},
            batched=frozenset({"z"}),
            leading=tuple(item for item in source.indices if isinstance(item, Index)),
            numbers=constant_numbers(definition.constants),
            functions=self.scope.functions,
            generated=True,
            calling=(*self.scope.calling, name),
        )

    def _expand(self, call: Call, frame: Frame, wanted: Variable | None = None) -> Access:
        """Append the equations of an activation; its result is ``wanted`` where the axes fit."""
        key = self._key(call, frame)
        if key in self.hoisted:
            return self.hoisted[key]
        argument = call.arguments[0]
        inner = replace(frame, operands=Operands())
        value = as_number(self.convert(argument, inner))
        source = inner.operands.read(value)
        if not isinstance(source, Access) or not is_whole(source, source.indices):
            free = self._letters_in(argument, frame)
            source = self._emit(free, argument, inner.operands.used(value))
        texts = self.scope.functions[call.function].equations
        fits = wanted is not None and wanted.axes == source.indices
        try:
            scope = self._activation(call.function, source)
            scope = replace(scope, result=wanted.symbol if wanted and fits else "")
            equations = instantiate(texts, scope, self.names)
        except SymbackpropError as error:
            raise error.at(f"activation {call.function!r}") from None
        self.equations.extend(equations)
        self.hoisted[key] = Access(equations[-1].target.variable, source.indices)
        return self.hoisted[key]
