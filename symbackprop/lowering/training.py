"""The training path: forward, loss and last activation together, backward, as sections.

forward    everything up to the last pre-activation, and what heads and backward share of it
values,    one head for each form of the target: the loss and the cotangent of
indices    the last pre-activation
backward   gradients of all parameters from that cotangent
penalty    what penalties add to them
input      the gradient of the input, where it is asked for
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from symbackprop.equations import (
    Access,
    Adjoint,
    Affine,
    Derivation,
    Equation,
    Role,
    Variable,
    indices_of,
)
from symbackprop.lowering.checker import check_values
from symbackprop.lowering.layout import (
    Layout,
    declare,
    declared_roles,
    outermost,
    with_merged,
)
from symbackprop.lowering.loops import collected
from symbackprop.lowering.lower import Lowering
from symbackprop.lowering.plain import FREE, IN_PLACE, lower_layers
from symbackprop.lowering.runs import NO_RUNS, EqualUnits
from symbackprop.lowering.sources import Sources, between_turns
from symbackprop.lowering.spans import covers, span_of
from symbackprop.lowering.values import Labelled, Value, ValueGraph, reachable
from symbackprop.lowering.views import VIEWS
from symbackprop.network import BATCH, Head, Network
from symbackprop.scalar import ONE, Apply, Slot, walk

# Layers of a few units run faster with the samples innermost, layers of 128 and more do not
# (measured in benchmarks/); where in between it turns is a choice.
NARROW = 32


@dataclass(frozen=True)
class SectionValues:
    """One section before storage: values in order, and what it must leave behind by variable."""

    name: str
    values: tuple[Value, ...]
    outputs: Mapping[Variable, Value]


@dataclass(frozen=True)
class TrainingValues:
    """All sections over one value graph.

    Attributes:
        boundary: the variable whose cotangent the heads hand to backward.
        scaled: the heads leave out the mean's 1/N; the flat gradient takes it.
        variables: by value number, the variable that the value is.
        inputs: names of the values that are given.
        input_cotangents: ∂E/∂x of every input, expressions over what the section "input" leaves.
    """

    sections: tuple[SectionValues, ...]
    boundary: Variable
    layout: Layout
    scaled: bool
    variables: Mapping[int, Variable]
    inputs: Mapping[int, str]
    input_cotangents: Mapping[Variable, Labelled]
    sources: Sources

    @property
    def last(self) -> list[Value]:
        """The values of the inputs' cotangents."""
        return [cotangent.value for cotangent in self.input_cotangents.values()]


def training_values(
    network: Network,
    body: Derivation,
    heads: Sequence[tuple[Head, Derivation]],
    penalties: Sequence[tuple[Variable, Derivation]],
    equal: EqualUnits = NO_RUNS,
) -> TrainingValues:
    """Lower a training step.

    Args:
        network: what the derivations are of.
        body: all layers, given the cotangent of the output.
        heads: for each form of the target, the last activation and the loss, fused.
        penalties: for each penalised parameter, the derivation of what it adds to the cost.
        equal: runs of units, which are to make the same.
    """
    moving = has_windows(network)
    outputs_of_layers = frozenset(layer.output for layer in network.layers)
    lowering = Lowering(ValueGraph(gathers=_gathered(moving)), handed_on=outputs_of_layers)
    sources = Sources()
    learned = [p.variable for p in network.parameters]
    statistics = [s.variable for s in network.state]
    for variable in (*network.inputs, *learned, *network.draws, *statistics):
        lowering.input(variable)
    lower_layers(lowering, Derivation(body.equations, ()), sources)
    boundary = network.boundary
    narrow = moving or is_narrow(network)
    plain = narrow and not penalties and not _mixes_samples(body)
    scaled = plain and all(_mean_only(derivation) for _, derivation in heads)
    updated = {s.updated: lowering.values[s.updated].value for s in network.state if s.updated}
    shared = len(lowering.graph.nodes)
    outputs: list[tuple[str, dict[Variable, Value]]] = []
    cotangents: list[tuple[Variable, Labelled]] = []
    variables: dict[int, Variable] = {}
    names = dict(lowering.values)
    for head, derivation in heads:
        lowering.unit = {BATCH: ONE} if scaled else {}
        found, ends = _head(lowering, head, derivation, [boundary, *learned], sources)
        outputs.append((head.form, found))
        cotangents += ends.items()
        names = {**lowering.values, **names}
        for variable, labelled in lowering.values.items():
            variables.setdefault(labelled.value.number, variable)
    lowering.unit = {}
    lowering.input(boundary.bar())
    lower_layers(lowering, Derivation((), _before(body.adjoints, boundary)), sources)
    outputs.append(("backward", _gradients(lowering, learned)))
    of_inputs = {
        v: _expression(lowering, lowering.full(v.bar()))
        for v in network.inputs
        if v.bar() in lowering.values
    }
    names = {**lowering.values, **names}
    if penalties:
        outputs.append(("penalty", _penalties(lowering, penalties, sources)))
    outputs.append(("input", {}))
    names = {**lowering.values, **names}
    check_values(lowering.graph.nodes)
    declared = [*names.items(), *cotangents, *lowering.before_loops, *lowering.whole]
    results = [updated, *(found for _, found in outputs)]
    written = {value.number for found in results for value in found.values()}
    targets = [head.target for head, _ in heads]
    layout = _layout(network, lowering.graph.nodes, declared, targets, narrow)
    layout = with_merged(layout, lowering.graph.nodes, written)
    for variable, labelled in names.items():
        variables.setdefault(labelled.value.number, variable)
    for _, found in outputs:
        for variable, value in found.items():
            variables.setdefault(value.number, variable)
    named = {number for number, variable in variables.items() if not variable.made}
    sources = between_turns(sources, lowering.graph.nodes, named, network, equal)
    last = [cotangent.value for cotangent in of_inputs.values()]
    sections = _sections(lowering.graph.nodes[:shared], updated, outputs, last, layout)
    inputs = {v.number: v.variable.name for v in lowering.graph.nodes if v.operation == "input"}
    return TrainingValues(sections, boundary, layout, scaled, variables, inputs, of_inputs, sources)


def _gathered(moving: bool) -> tuple[str, ...]:
    """Return the views that products read as copies: products read a matrix as it lies."""
    return ("slice", "window", "split") if moving else ("slice", "window")


def _layout(
    network: Network,
    nodes: Sequence[Value],
    declared: Sequence[tuple[Variable, Labelled]],
    targets: Sequence[Variable],
    narrow: bool,
) -> Layout:
    """Return how all values lie; what users hand in as it is lies as it is declared."""
    handed = {*targets, *network.draws, *(v for v in network.inputs if v.integer)}
    moved = {*network.real_inputs, network.boundary.bar()}
    inputs = [value for value in nodes if value.operation == "input"]
    given = frozenset(value.number for value in inputs if value.variable in handed)
    fixed = {value.number for value in inputs if value.variable not in moved}
    outer = {n: axis for n, axis in outermost(nodes).items() if n not in fixed}
    positions, roles = declare(declared, nodes), declared_roles(declared)
    return Layout(narrow, positions, given, roles, outer=outer)


def _expression(lowering: Lowering, value: Labelled) -> Labelled:
    """Return the value as what is printed last, which is no statement."""
    if value.value.operation in IN_PLACE or value.value.operation == "result":
        return lowering.graph.node("window", [value], attribute=())
    return value


def _head(
    lowering: Lowering,
    head: Head,
    derivation: Derivation,
    wanted: Sequence[Variable],
    sources: Sources,
) -> tuple[dict[Variable, Value], dict[Variable, Labelled]]:
    """Lower one head; take its cotangents out again, since the other head has its own."""
    lowering.input(head.target)
    lower_layers(lowering, derivation, sources)
    bars = [v.bar() for v in wanted if v.bar() in lowering.values]
    ends = {bar: _written(lowering.full(bar), lowering) for bar in bars}
    for bar in bars:
        del lowering.values[bar]
    found = {head.cost: lowering.values[head.cost].value}
    return found | {bar: labelled.value for bar, labelled in ends.items()}, ends


def _gradients(lowering: Lowering, variables: Sequence[Variable]) -> dict[Variable, Value]:
    present = [v.bar() for v in variables if v.bar() in lowering.values]
    return {variable: _written(lowering.full(variable), lowering).value for variable in present}


def _written(value: Labelled, lowering: Lowering) -> Labelled:
    """Return the value as one with memory of its own: a parameter's gradient has its place."""
    if value.value.operation in {*VIEWS, "input"}:
        return lowering.graph.node("number", [value], attribute="own")
    return value


def _penalties(
    lowering: Lowering, penalties: Sequence[tuple[Variable, Derivation]], sources: Sources
) -> dict[Variable, Value]:
    """Add each penalty's gradient to the parameter's, in place, and collect what it costs."""
    found: dict[Variable, Value] = {}
    gradients: dict[Variable, Labelled] = {}
    for parameter, derivation in penalties:
        gradient = gradients.get(parameter) or lowering.input(parameter.bar())
        start = len(lowering.graph.nodes)
        lower_layers(lowering, derivation, sources)
        added = lowering.graph.map("add", gradient, lowering.values[parameter.bar()])
        gradients[parameter] = added
        sources.note(lowering, start, derivation.adjoints[-1], parameter.bar())
        cost = derivation.equations[-1].target.variable
        found[cost] = lowering.values[cost].value
        found[parameter.bar()] = added.value
    return found


def _sections(
    forward: Sequence[Value],
    updated: Mapping[Variable, Value],
    outputs: Sequence[tuple[str, dict[Variable, Value]]],
    last: Sequence[Value],
    layout: Layout,
) -> tuple[SectionValues, ...]:
    """Split what the outputs need: made before the heads, or for one section alone.

    Before the heads stand the running statistics' new values, too. The section "input" has what
    the ``last`` values are computed from; it reads what backward made.
    """
    early = {value.number for value in forward}
    needed = {v.number: v for v in _made(updated.values(), layout)}
    sections: list[SectionValues] = []
    late = collected(reachable(inputs_of(last)))
    for name, found in outputs:
        wanted = inputs_of(last) if name == "input" else list(found.values())
        if name == "backward":  # a loop runs once, whoever reads what it computes
            loops = collected(reachable(wanted))
            wanted += [result for loop in loops for result in late.get(loop, ())]
        values = _made(wanted, layout)
        needed |= {v.number: v for v in values if v.number in early}
        known = set(early)
        if name == "input":
            known.update(v.number for s in sections if s.name == "backward" for v in s.values)
        own = tuple(v for v in values if v.number not in known)
        sections.append(SectionValues(name, own, found))
    first = SectionValues("forward", tuple(needed[number] for number in sorted(needed)), updated)
    return (first, *sections)


def _made(wanted: Iterable[Value], layout: Layout) -> list[Value]:
    """Return what takes a statement to compute, of all that is wanted."""
    values = reachable(wanted)
    return [v for v in values if v.operation not in FREE and v.number not in layout.merged]


def inputs_of(values: Iterable[Value]) -> list[Value]:
    """Return what the values are computed from, each once."""
    return list({o.number: o for value in values for o in value.operands}.values())


def _before(adjoints: Sequence[Adjoint], boundary: Variable) -> tuple[Adjoint, ...]:
    """Return the adjoints that follow from the boundary's: those later in reverse order."""
    order = [adjoint.variable for adjoint in adjoints]
    return tuple(adjoints[order.index(boundary) + 1 :] if boundary in order else adjoints)


def _mixes_samples(body: Derivation) -> bool:
    """Whether a layer reduces over the batch: ∂E/∂x then reads parameter gradients."""
    reduced = (index for equation in body.equations for index in equation.reduced)
    return any(index.role is Role.BATCH for index in reduced)


def _mean_only(derivation: Derivation) -> bool:
    """Whether the batch's size enters nowhere but as the last equation's divisor."""
    *others, cost = derivation.equations
    divided = cost.function
    last = (
        isinstance(divided, Apply)
        and divided.function == "divide"
        and divided.arguments[1] == BATCH
        and isinstance(divided.arguments[0], Slot)
    )
    return last and not any(BATCH in walk(equation.function) for equation in others)


def has_windows(network: Network) -> bool:
    """Whether an equation reduces windows: samples innermost, these are slabs of memory."""
    equations = (e for layer in network.layers for e in layer.equations)
    return any(_reduces_windows(equation) for equation in equations)


def _reduces_windows(equation: Equation) -> bool:
    """Whether a reduced index runs in windows: not in parts of an axis of features, as a head's."""
    within = {index for index in equation.reduced if index.role is Role.KERNEL}
    reads = (o for o in equation.operands if isinstance(o, Access) and within)
    return any(
        isinstance(item, Affine)
        and within.intersection(indices_of(item))
        and (axis.role is Role.SPACE or not covers(read, place, *span_of(read, place, item)))
        for read in reads
        for place, (item, axis) in enumerate(zip(read.indices, read.variable.axes, strict=True))
    )


def is_narrow(network: Network) -> bool:
    """Whether every layer gives so few features that samples innermost is the faster layout."""
    arrays = [*network.inputs, *(layer.output for layer in network.layers)]
    widths = [axis.extent for array in arrays for axis in array.axes[1:]]
    flat = all(len(array.axes) == 2 for array in arrays)
    return flat and all(isinstance(width, int) and width <= NARROW for width in widths)
