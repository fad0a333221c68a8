"""The layer-by-layer path: forward saves what backward reads, batch first, no buffers."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace

from symbackprop.calculus.graph import held_on_cycles
from symbackprop.equations import Adjoint, Derivation, Equation, Variable, accesses_of
from symbackprop.lowering.accesses import guarded_lookups
from symbackprop.lowering.checker import check_values
from symbackprop.lowering.layout import Layout, declare
from symbackprop.lowering.loops import Loop, collected, step_of
from symbackprop.lowering.lower import Lowering
from symbackprop.lowering.program import (
    STEMS,
    Assignment,
    HeadFunction,
    HeadProgram,
    PlainProgram,
    Steps,
    unused,
)
from symbackprop.lowering.recurrences import in_units, is_recurrence, lower_recurrence, made
from symbackprop.lowering.runs import NO_RUNS, EqualUnits
from symbackprop.lowering.sources import Sources, between_turns
from symbackprop.lowering.values import COSTLY, Labelled, Value, reachable
from symbackprop.lowering.views import VIEWS
from symbackprop.network import Head, Network
from symbackprop.sizes import UndecidedError

FREE = frozenset({"input", "literal", "range", "before"}) | VIEWS
IN_PLACE = frozenset({"put", "add_at", "unwindow"})  # statements, not expressions


def lower_layers(lowering: Lowering, derivation: Derivation, sources: Sources) -> None:
    """Lower every equation and adjoint of the derivation in order."""
    for equation in derivation.equations:
        for operand in equation.operands:
            lowering.loose.update(access.variable for access in guarded_lookups(operand))
            for access in accesses_of(operand):
                if access.variable.values is not None:
                    lowering.input(access.variable)

    def lower(item: Equation | Adjoint) -> None:
        start = len(lowering.graph.nodes)
        try:
            lowering.equation(item) if isinstance(item, Equation) else lowering.adjoint(item)
        except UndecidedError as error:
            raise error.at(made(item).name) from None
        sources.note(lowering, start, item, made(item))

    for unit in (*in_units(derivation.equations), *in_units(derivation.adjoints)):
        if is_recurrence(unit):
            sources.note_loop(*lower_recurrence(lowering, unit, lower))
        else:
            lower(unit[0])


def plain_program(
    network: Network,
    derivation: Derivation,
    equal: EqualUnits = NO_RUNS,
    *,
    named: bool = False,
) -> PlainProgram:
    """Lower the derivation of all layers, given the cotangent of the output.

    Args:
        network: whose layers these are.
        derivation: of them.
        equal: runs of units, whose names are to be alike.
        named: whether each z and a, and its adjoint, is a value of its own even where it equals
            another, so that another mode of the network has the same names.
    """
    kept = [v for layer in network.layers for v in (layer.preactivation, layer.output) if v]
    constant = held_on_cycles(derivation.equations)
    lowering = Lowering(handed_on=frozenset(kept), held=frozenset(constant))
    sources = Sources()
    if named:
        lowering.apart.update(kept, (variable.bar() for variable in kept))
    held = (*network.draws, *(s.variable for s in network.state))
    for variable in (*network.inputs, *(p.variable for p in network.parameters), *held):
        lowering.input(variable)
    cotangent = lowering.input(network.output.bar())
    lower_layers(lowering, derivation, sources)
    wanted = [v.bar() for v in network.varied if v.bar() in lowering.values]
    for variable in (*kept, *wanted):
        lowering.values[variable] = _own(lowering, lowering.full(variable))
    check_values(lowering.graph.nodes)
    own = {labelled.value.number for v, labelled in lowering.values.items() if not v.made}
    sources = between_turns(sources, lowering.graph.nodes, own, network, equal)
    made = _Assignments(network, lowering, sources, equal)
    made.given[cotangent.value.number] = "d_output"
    results = [lowering.values[v].value for v in kept]
    gradients = {v: lowering.values[v].value for v in wanted}
    updated = {s.variable: lowering.values[s.updated].value for s in network.state if s.updated}
    forward = reachable([*results, *updated.values()])
    fetched = {lowering.values[variable].value.number for variable in held}
    known = {v.number for v in results}
    saved = saved_values(forward, known, gradients.values(), fetched)
    known = known.union(value.number for value in saved)
    saved += [v for v in (lowering.values[c].value for c in constant) if v.number not in known]
    forward = reachable([*forward, *saved])
    first, forward_names = made.assign(forward, [*results, *saved], made.given)
    available = {v.number for v in (*results, *saved)}
    chain = [lowering.values[v.bar()].value for v in kept if v.bar() in lowering.values]
    after = [v for v in reachable(gradients.values(), stop=available) if v.number not in available]
    kept_names = {n: name for n, name in forward_names.items() if n in available}
    wanted_values = [*gradients.values(), *chain]
    second, backward_names = made.assign(after, wanted_values, {**made.given, **kept_names})
    return PlainProgram(
        Layout(declared=declare(lowering.named(), lowering.graph.nodes)),
        first,
        second,
        tuple(value.number for value in saved),
        {v: lowering.values[v].value.number for v in kept},
        {v: value.number for v, value in gradients.items()},
        frozenset(made.given),
        forward_names,
        backward_names,
        {number: variable.name for number, variable in made.variables.items()},
        updated,
    )


def head_program(network: Network, head: Head, derivation: Derivation) -> HeadProgram:
    """Lower the loss of an output that is given, and its gradient."""
    return _cost_program(network, head.cost, (network.output, head.target), derivation, "output")


def penalty_program(network: Network, parameter: Variable, derivation: Derivation) -> HeadProgram:
    """Lower what a penalty on one parameter adds to the cost, and to the gradient."""
    cost, name = derivation.equations[-1].target.variable, f'params["{parameter.name}"]'
    return _cost_program(network, cost, (parameter, parameter), derivation, name)


def _own(lowering: Lowering, value: Labelled) -> Labelled:
    """Return a result: a copy where it is an array of the caller's."""
    return lowering.graph.node("number", [value]) if value.value.operation == "input" else value


def _cost_program(
    network: Network,
    cost: Variable,
    given: tuple[Variable, Variable],
    derivation: Derivation,
    name: str,
) -> HeadProgram:
    """Lower a cost and its gradient for the first of what is given, which has the name."""
    lowering, sources = Lowering(), Sources()
    for variable in given:
        lowering.input(variable)
    wrt, target = given
    lower_layers(lowering, derivation, sources)
    slope = _own(lowering, lowering.full(wrt.bar()))
    results = (lowering.values[cost].value, slope.value)
    check_values(lowering.graph.nodes)
    made = _Assignments(network, lowering, sources)
    made.given[lowering.values[wrt].value.number] = name
    functions = []
    for result in results:
        assignments, names = made.assign(reachable([result]), [], made.given)
        functions.append(HeadFunction(assignments, result, names))
    layout = Layout(declared=declare(lowering.named(), lowering.graph.nodes))
    variables = {number: variable.name for number, variable in made.variables.items()}
    return HeadProgram(target, layout, functions[0], functions[1], variables)


class _Assignments:
    """Chooses which values get a name of their own, and the names."""

    def __init__(
        self,
        network: Network,
        lowering: Lowering,
        sources: Sources,
        equal: EqualUnits = NO_RUNS,
    ) -> None:
        self.equal = equal
        self.positions = {layer.owner: layer.position for layer in network.layers}
        self.sources = sources
        self.given: dict[int, str] = {}
        self.variables: dict[int, Variable] = {}
        self.steps = {"t"} if collected(lowering.graph.nodes) else set()  # what loops count by
        results = {v for layer in network.layers for v in (layer.preactivation, layer.output)}
        values = sorted(lowering.values.items(), key=lambda entry: entry[0] not in results)
        for variable, labelled in values:
            if not variable.made:
                self.variables.setdefault(labelled.value.number, variable)
            if labelled.value.operation == "input":
                self.given[labelled.value.number] = labelled.value.variable.name

    def assign(
        self, values: Sequence[Value], named: Iterable[Value], known: Mapping[int, str]
    ) -> tuple[tuple[Assignment, ...], dict[int, str]]:
        """Return assignments for the named values, and for those read more than once.

        Args:
            values: in order.
            named: those that get a name in any case.
            known: names by value number that stand already.

        Returns:
            The assignments, and all names by value number.
        """
        names = dict(known)
        taken = {*self.steps, *names.values(), *(v.name for v in self.variables.values())}
        wanted = {value.number for value in named if value.operation != "input"}
        loops = collected(values)
        read = (operand for found in loops.values() for operand in found[0].operands)
        chosen = shared(values) | {_held(operand).number for operand in read}
        first = {found[0].number: loop for loop, found in loops.items()}
        assignments = []
        for value in values:
            if value.number in first:
                loop = first[value.number]
                assignments.append(self._loop(loop, loops[loop], names, taken))
            shown = value.operation not in FREE and value.number in chosen
            shown = shown or value.number in wanted or value.operation in IN_PLACE
            if shown and value.operation != "result":
                assignments.append(self._assignment(value, names, taken))
        return tuple(assignments), names

    def _loop(
        self, loop: Loop, results: Sequence[Value], names: dict[int, str], taken: set[str]
    ) -> Assignment:
        """Return a loop with these results."""
        handed = [loop.results[v.number] for c in loop.carries for v in (c.after, c.before)]
        arrays = {value.number: value for value in (*handed, *results)}
        for carry in loop.carries:
            after, before = (loop.results[v.number] for v in (carry.after, carry.before))
            name = self._assignment(after, names, taken).name
            if before.number not in self.variables:
                names.setdefault(before.number, unused(f"{name}_before", taken))
        own = [self._assignment(value, names, taken) for _, value in sorted(arrays.items())]
        values = loop.needed(step_of(value) for value in arrays.values())
        kept = {step_of(assignment.value).number: assignment for assignment in own}
        chosen = shared(values)
        steps = []
        for value in values:
            if value.operation in FREE:
                continue
            if value.number in kept:
                steps.append(replace(kept[value.number], value=value, name=""))
            elif value.number in chosen:
                result = loop.results[value.number]
                steps.append(self._assignment(value, names, taken, result))
        carries = []
        for carry in loop.carries:
            whole = unused(f"{kept[carry.after.number].name}_steps", taken)
            taken.add(whole)
            carries.append((carry, whole))
        return replace(own[0], steps=Steps(loop, tuple(own), tuple(carries), tuple(steps)))

    def _assignment(
        self, value: Value, names: dict[int, str], taken: set[str], result: Value | None = None
    ) -> Assignment:
        """Name a value; one of a step is called as its ``result`` would be."""
        own = self.variables.get((result or value).number)
        source, variable = self.sources.of.get(value.number, (None, None))
        owner = own or variable
        if value.number not in names:
            names[value.number] = own.name if own else self._temporary(value, variable, taken)
        taken.add(names[value.number])
        position = self.positions.get(owner.owner, 0) if owner else 0
        return Assignment(value, names[value.number], own, source, position)

    def _temporary(self, value: Value, variable: Variable | None, taken: Container[str]) -> str:
        source, _ = self.sources.of.get(value.number, (None, None))
        owner = self.equal.owner(source, variable) if variable else ""
        return unused(Variable(STEMS.get(value.operation, "t"), owner).name, taken)


def _held(value: Value) -> Value:
    """Return what a view shows."""
    while value.operation in VIEWS:
        value = value.operands[0]
    return value


def shared(values: Sequence[Value]) -> set[int]:
    """Return the numbers of values that more than one operand reads."""
    uses: dict[int, int] = {}
    for value in values:
        for operand in value.operands:
            uses[operand.number] = uses.get(operand.number, 0) + 1
    return {number for number, count in uses.items() if count > 1}


def saved_values(
    forward: Sequence[Value],
    results: set[int],
    gradients: Iterable[Value],
    fetched: Collection[int],
) -> list[Value]:
    """Return the forward values, beside the results, that backward would pay to compute again.

    What is made of nothing but draws and statistics, ``fetched`` anew for every call, is among
    them.
    """
    computed = {value.number for value in forward}
    for loop in collected(forward):
        computed |= {result.number for result in loop.results.values()}
    passing = _made_of(forward, fetched)
    found: dict[int, Value] = {}
    seen: set[int] = set()
    stack = list(gradients)
    while stack:
        value = stack.pop()
        if value.number in seen or value.number in results:
            continue
        seen.add(value.number)
        worth = value.operation in COSTLY or value.number in passing
        if value.number in computed and worth:
            found[value.number] = value
        else:
            stack.extend(value.operands)
    return [found[number] for number in sorted(found)]


def _made_of(values: Sequence[Value], fetched: Collection[int]) -> set[int]:
    """Return the numbers of what is fetched, and of what follows from it and constants alone."""
    found = set(fetched)
    for value in values:
        read = [o.number for o in value.operands if o.operation not in ("literal", "size")]
        if read and found.issuperset(read):
            found.add(value.number)
    return found
