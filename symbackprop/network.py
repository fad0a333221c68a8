"""A network as equations in topological order: what the derivation starts from."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Literal

from symbackprop import scalar
from symbackprop.equations import Equation, Variable, accesses_of, extent_expression
from symbackprop.scalar import Named

BATCH = Named("N")


@dataclass(frozen=True)
class LearnedArray:
    """A parameter of the network: its variable (axes without batch) and how it starts.

    ``initial`` is ``"he"``, ``"glorot"`` or a number; fans count units, for the former two.
    """

    variable: Variable
    initial: Literal["he", "glorot"] | float
    fan_in: int = 0
    fan_out: int = 0


@dataclass(frozen=True)
class Statistic:
    """A running statistic: its variable (axes without batch), its start, and its new value.

    ``updated`` is the variable of the layer's ``updates`` that replaces it after a step of
    training; None leaves it as it is.
    """

    variable: Variable
    initial: float
    updated: Variable | None = None


@dataclass(frozen=True)
class Layer:
    """One layer, instantiated with its sizes.

    Attributes:
        position: counts every layer from 1.
        owner: ``str(position)`` or the layer's name; suffix of its variables.
        kind: what equal layers share, for titles: ``"dense, relu"``.
        texts: its equations as the definition writes them for this use.
        equations: affine part, then ``activation`` ones; both normalised, batch index included.
        output: ``a``; ``preactivation``: ``z``, None where the layer has no activation.
        parameters: its own; not those that it shares with a layer above.
        place: for errors.
        inputs: what it reads, in order.
        share: the owner of the parameters that it shares, or "".
        draws: variables drawn anew in training, uniform in [0, 1).
        state: running statistics.
        updates: equations that only their new values need.
        evaluation: what stands for ``equations`` outside training; None where that is the same.
    """

    position: int
    owner: str
    kind: str
    inputs: tuple[Variable, ...]
    equations: tuple[Equation, ...]
    activation: tuple[Equation, ...]
    preactivation: Variable | None
    output: Variable
    parameters: tuple[LearnedArray, ...]
    place: str
    share: str = ""
    texts: tuple[str, ...] = ()
    draws: tuple[Variable, ...] = ()
    state: tuple[Statistic, ...] = ()
    updates: tuple[Equation, ...] = ()
    evaluation: tuple[Equation, ...] | None = None

    @property
    def form(self) -> Hashable:
        """What layers have in common whose equations differ in names and sizes only."""
        return self.kind, self.texts, tuple(len(variable.axes) for variable in self.inputs)

    @property
    def input(self) -> Variable:
        """The first value that it reads, of most layers the only one."""
        return self.inputs[0]

    @property
    def all_equations(self) -> tuple[Equation, ...]:
        """Every equation, in an order in which each reads only what stands before it."""
        return (*self.equations, *self.updates, *self.activation)

    @property
    def given(self) -> tuple[Variable, ...]:
        """What no equation defines but the input: parameters, statistics, draws."""
        learned = (array.variable for array in self.parameters)
        return (*learned, *(statistic.variable for statistic in self.state), *self.draws)

    def evaluated(self) -> Layer:
        """Return the layer as it is outside training: it draws and updates nothing."""
        equations = self.equations if self.evaluation is None else self.evaluation
        state = tuple(replace(statistic, updated=None) for statistic in self.state)
        return replace(
            self, equations=equations, draws=(), state=state, updates=(), evaluation=None
        )


@dataclass(frozen=True)
class Head:
    """The loss for one form of the target.

    ``equations`` go from the network's output ``a`` (of the last layer) and ``target`` (``y``) to
    the scalar ``cost`` (rank 0), batch reduction included; ``sample`` is what one sample costs,
    or one position of it where the batch's mean is weighted. Samples whose index is ``ignored``
    cost nothing.
    """

    form: Literal["values", "indices"]
    target: Variable
    equations: tuple[Equation, ...]
    sample: Variable
    cost: Variable
    ignored: int | None = None


@dataclass(frozen=True)
class Network:
    """The whole network. ``penalties`` end in rank-0 variables that add to the cost.

    ``layers`` stand in topological order: each reads inputs and outputs of layers before it.
    """

    name: str
    text: str
    inputs: tuple[Variable, ...]
    layers: tuple[Layer, ...]
    loss: str | None
    reduction: Literal["mean", "sum"]
    heads: tuple[Head, ...] = ()
    penalties: tuple[tuple[Equation, ...], ...] = ()

    @property
    def output(self) -> Variable:
        """The output of the last layer."""
        return self.layers[-1].output

    def read_by(self, layer: Layer) -> tuple[str, ...]:
        """Return the names of what a layer reads, none where that is the layer above alone."""
        place = layer.position - 1
        above = self.layers[place - 1].output if place else self.inputs[0]
        if layer.inputs == (above,) and (place or len(self.inputs) == 1):
            return ()
        return tuple(variable.owner or "input" for variable in layer.inputs)

    @property
    def input(self) -> Variable:
        """The first input, of most networks the only one."""
        return self.inputs[0]

    @property
    def boundary(self) -> Variable:
        """What loss and last activation, derived together, are a function of.

        The last pre-activation; the output where the last layer has none, or where a parameter
        of its activation is read elsewhere, too.
        """
        last = self.layers[-1]
        own = {array.variable for array in last.parameters}
        read = {a.variable for e in last.activation for o in e.operands for a in accesses_of(o)}
        learned = {array.variable for array in self.parameters}
        shared = read & learned - own or any(layer.share == last.owner for layer in self.layers)
        return last.output if last.preactivation is None or shared else last.preactivation

    @property
    def real_inputs(self) -> tuple[Variable, ...]:
        """The inputs that hold real numbers: only these have gradients."""
        return tuple(variable for variable in self.inputs if not variable.integer)

    @property
    def varied(self) -> tuple[Variable, ...]:
        """What gradients are taken by: real inputs, then all parameters."""
        return (*self.real_inputs, *(array.variable for array in self.parameters))

    @property
    def parameters(self) -> tuple[LearnedArray, ...]:
        """All parameters, in layer order."""
        return tuple(array for layer in self.layers for array in layer.parameters)

    @property
    def state(self) -> tuple[Statistic, ...]:
        """All running statistics, in layer order."""
        return tuple(statistic for layer in self.layers for statistic in layer.state)

    @property
    def draws(self) -> tuple[Variable, ...]:
        """What is drawn in a step of training, in the order of drawing."""
        return tuple(variable for layer in self.layers for variable in layer.draws)

    @property
    def varies(self) -> bool:
        """Whether training and evaluation differ."""
        return any(layer.evaluation is not None for layer in self.layers)

    def evaluated(self) -> Network:
        """Return the network as it is outside training."""
        return replace(self, layers=tuple(layer.evaluated() for layer in self.layers))

    @property
    def constants(self) -> tuple[Variable, ...]:
        """The arrays of constant numbers that its equations read, by name."""
        equations = [e for layer in self.layers for e in layer.all_equations]
        equations += [e for head in self.heads for e in head.equations]
        read = (a.variable for e in equations for o in e.operands for a in accesses_of(o))
        found = {v.name: v for v in read if v.values is not None}
        return tuple(found[name] for name in sorted(found))

    @property
    def undetermined(self) -> tuple[str, ...]:
        """The functions left open (``f_1``), sorted: such a network is derived, not generated."""
        equations = (e for layer in self.layers for e in layer.all_equations)
        nodes = (node for equation in equations for node in scalar.walk(equation.function))
        applied = {node.function for node in nodes if isinstance(node, scalar.Apply)}
        return tuple(sorted(applied - scalar.ARITY.keys()))

    @property
    def named_sizes(self) -> tuple[str, ...]:
        """The extents known only by name, sorted, the batch left out."""
        learned = [array.variable for array in self.parameters]
        outputs = [layer.output for layer in self.layers]
        extents = [a.extent for v in (*self.inputs, *outputs, *learned) for a in v.axes]
        nodes = [node for e in extents for node in scalar.walk(extent_expression(e))]
        names = {node.name for node in nodes if isinstance(node, Named)}
        return tuple(sorted(names - {BATCH.name}))
