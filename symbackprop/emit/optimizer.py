"""Update rules as source: an optimizer's equations, carried out in order on whole arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.definition import Optimizer
from symbackprop.emit.body import Body
from symbackprop.equations import Index, Variable
from symbackprop.formula import Call, Formula, Reduce
from symbackprop.formula_reader import read_equation
from symbackprop.lowering.expressions import evaluate
from symbackprop.lowering.layout import Layout
from symbackprop.lowering.values import Labelled, Value, ValueGraph, reachable
from symbackprop.printing.expressions import NumpyPrinter
from symbackprop.printing.texts import Text
from symbackprop.scalar import Expression, Named, Number, Slot, apply, number

_NUMBERS = ("eta", "t")  # rank 0: the learning rate, and the step, counted from 1


@dataclass(frozen=True)
class OptimizerSource:
    """The update of one array.

    Attributes:
        equations: as the catalogue has them.
        arguments: arrays and numbers that the step takes, in order.
        moments: names of the moments; ``counts``: the rule reads the number of the step.
        body: statements that write ``w`` and the moments in place.
        scratch: arrays that the statements need besides.
    """

    equations: tuple[str, ...]
    arguments: tuple[str, ...]
    moments: tuple[str, ...]
    counts: bool
    body: Body
    scratch: int


def optimizer_source(optimizer: Optimizer) -> OptimizerSource:
    """Lower an optimizer's equations to statements on arrays of any one shape."""
    writer = _Writer(optimizer)
    for text in optimizer.equations:
        writer.equation(text)
    counts = any("t" in _names(read_equation(text).value) for text in optimizer.equations)
    numbers = ("eta", "t") if counts else ("eta",)
    arguments = ("w", "g", *optimizer.moments, *numbers)
    return OptimizerSource(
        optimizer.equations, arguments, optimizer.moments, counts, writer.body, writer.used
    )


@dataclass
class _Scalars(NumpyPrinter):
    """Prints rank-0 arithmetic over Python floats."""

    def computed(self, value: Value) -> Text:
        if value.operation == "power":
            base, exponent = (self.value(operand) for operand in value.operands)
            return Text(f"{base.within(5)}**{exponent.within(4)}", 4)
        return super().computed(value)


@dataclass
class _Writer:
    optimizer: Optimizer
    graph: ValueGraph = field(default_factory=ValueGraph)
    values: dict[str, Labelled] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    body: Body = field(default_factory=Body)
    used: int = 0

    def __post_init__(self) -> None:
        axis = Index("p", Named("P"))
        for name in ("w", "g", *self.optimizer.moments):
            self.values[name] = self.graph.input(Variable(name, axes=(axis,)))
        for name in _NUMBERS:
            self.values[name] = self.graph.input(Variable(name))
        self.names = {labelled.value.number: name for name, labelled in self.values.items()}

    def equation(self, text: str) -> None:
        """Write the statements of one assignment; the last of them writes its target."""
        assignment = read_equation(text)
        slots = {name: Slot(k) for k, name in enumerate(self.values)}
        expression = _expression(assignment.value, slots, self.optimizer.constants)
        result = evaluate(self.graph, expression, list(self.values.values()))
        target = assignment.target.name
        values = [
            v for v in reachable([result.value], stop=self.names) if v.number not in self.names
        ]
        arrays = [v for v in values if v.rank]
        self.body.add([], target)
        lines = self._statements(arrays, result.value, target)
        self.body.add(lines, target, text)
        self.values[target] = result
        self.names = {n: name for n, name in self.names.items() if name != target}
        self.names[result.value.number] = target

    def _statements(self, arrays: Sequence[Value], result: Value, target: str) -> list[str]:
        printer = _Scalars(Layout(), dict(self.names))
        free: list[str] = []
        made = 0
        lines = []
        for position, value in enumerate(arrays):
            texts = [printer.operand(value, k).source for k in range(len(value.operands))]
            later = {o.number for v in arrays[position + 1 :] for o in v.operands}
            dead = [o for o in value.operands if o.number not in later and o in arrays[:position]]
            free = [*free, *dict.fromkeys(printer.names[o.number] for o in dead)]
            if value is result:
                out = target
            elif free:
                out = free.pop()
            else:
                out, made = f"t{made + 1}", made + 1
            printer.names[value.number] = out
            lines.append(f"np.{value.operation}({', '.join(texts)}, {out})")
        self.used = max(self.used, made)
        return lines


def _expression(
    formula: Formula, slots: Mapping[str, Slot], constants: Mapping[str, object]
) -> Expression:
    if isinstance(formula, Number):
        return formula
    if isinstance(formula, Call):
        arguments = (_expression(a, slots, constants) for a in formula.arguments)
        return apply(formula.function, *arguments)
    assert not isinstance(formula, Reduce)
    name = formula.name
    if name in slots:
        return slots[name]
    value = constants[name]
    assert isinstance(value, int | float)
    return number(value)


def _names(formula: Formula) -> set[str]:
    if isinstance(formula, Call):
        return set().union(*(_names(argument) for argument in formula.arguments))
    return {formula.name} if hasattr(formula, "name") else set()
