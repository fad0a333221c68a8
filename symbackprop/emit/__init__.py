"""From a network to the text of its NumPy module.

network -> derivations (calculus) -> programs (lowering) -> bodies -> frames -> text
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from symbackprop import __version__, frames
from symbackprop.calculus.graph import held_on_cycles
from symbackprop.catalog import CATALOG
from symbackprop.definition import Optimizer
from symbackprop.emit.body import Body, shape_text
from symbackprop.emit.comments import Comments
from symbackprop.emit.derived import Derived
from symbackprop.emit.extents import NamedExtents
from symbackprop.emit.header import (
    array_lines,
    check_text,
    constant_lines,
    escaped,
    example_targets,
    fans,
    preamble,
    shape,
    state_table,
    tables,
    target_forms,
    value_target,
)
from symbackprop.emit.inputs import input_context
from symbackprop.emit.layers import (
    Shared,
    backward_body,
    begin_with_constants,
    forward_body,
    head_bodies,
    penalty_body,
    reads,
)
from symbackprop.emit.lines import block
from symbackprop.emit.modes import Mode, fewest_samples, training_words
from symbackprop.emit.optimizer import OptimizerSource, optimizer_source
from symbackprop.emit.step import StepSource, StepWriter
from symbackprop.equations import Derivation, Variable, extent_expression
from symbackprop.errors import SymbackpropError
from symbackprop.lowering.checker import check_program
from symbackprop.lowering.masks import join_masks
from symbackprop.lowering.plain import head_program, penalty_program, plain_program
from symbackprop.lowering.runs import SHORTEST_RUN, equal_units
from symbackprop.lowering.storage import plan_storage
from symbackprop.lowering.training import training_values
from symbackprop.network import Head, Layer, Network
from symbackprop.sizes import Whole, times
from symbackprop.sizing import names_in, size_of


@dataclass(frozen=True)
class Location:
    """Where the module computes one variable: lines count from 1, both ends included.

    A loop over equal layers computes one variable of each: ``variable`` is "z2 to z9" there.
    """

    variable: str
    function: str
    first: int
    last: int


@dataclass(frozen=True)
class Emitted:
    """A module's text, and which lines compute which variable."""

    text: str
    source_map: tuple[Location, ...]


def generate(
    network: Network, optimizer: str = "sgd", *, shortest_run: int = SHORTEST_RUN
) -> Emitted:
    """Return the module of a network, with plain steps or another optimizer of the catalogue.

    Args:
        network: what the module is of.
        optimizer: a name of the catalogue's.
        shortest_run: fewer equal layers than this are written one by one, not as a loop.

    Raises:
        SymbackpropError: a function or a size is left open, or something has no array form yet.
    """
    _require_determined(network)
    writer = _Writer(network, CATALOG.optimizers[optimizer], shortest_run)
    text = writer.text()
    return Emitted(text, writer.locations(text))


def _require_determined(network: Network) -> None:
    if network.undetermined:
        raise SymbackpropError(
            f"{network.undetermined[0]} is left open; code needs every function: name an activation"
        )
    for layer in network.layers:
        for array in layer.parameters:
            _require_numbers(layer, array.variable, "parameter")
        for statistic in layer.state:
            _require_numbers(layer, statistic.variable, "running statistic")
    if network.heads and not network.parameters:
        raise SymbackpropError("the network has no parameters: add a layer that learns")


def _require_numbers(layer: Layer, variable: Variable, kind: str) -> None:
    """Refuse what is kept between steps where it would grow with an extent known by name."""
    extents = [extent_expression(axis.extent) for axis in variable.axes]
    names = sorted({name for extent in extents for name in names_in(extent)})
    if names:
        found = shape_text([size_of(extent, {}) for extent in extents])
        raise SymbackpropError(
            f"{layer.place}: {variable.name} has the shape {found}; the size {names[0]} is left "
            f"open, and the shape of a {kind} needs numbers"
        )


class _Writer:
    """Derives, lowers and prints each part once, and fills the frames with them."""

    def __init__(self, network: Network, optimizer: Optimizer, shortest_run: int) -> None:
        derived = Derived(network)
        network = self.network = derived.network
        self.extents = NamedExtents(network, derived.least)
        self.equal = equal_units(network, shortest_run)
        self.shared = Shared({}, set(), set())
        layers, apart = derived.layers(), derived.heads(fused=False)
        modes = [self._mode(network, layers, apart)]
        if network.varies:
            modes.append(self._mode(*derived.evaluated(), apart))
        comments = modes[0].comments
        self.bodies: dict[str, Body] = {
            "forward": forward_body(modes, self.shared, self.equal),
            "backward": backward_body(modes, self.shared, self.equal),
        }
        self.step: StepSource | None = None
        if network.heads:
            programs = [head_program(network, h, d) for h, d in apart]
            loss, gradient = head_bodies(network, programs, comments, self.shared)
            self.bodies |= {"loss": loss, "loss_gradient": gradient}
            penalties = derived.penalties()
            if network.varies:
                programs = [penalty_program(network, p, d) for p, d in penalties]
                self.bodies["_evaluated"] = penalty_body(programs, self.shared)
        for body in self.bodies.values():
            begin_with_constants(body, network.constants)
        if network.heads:
            step = derived.step(partial(_of_runs, shortest_run=shortest_run))
            fused = derived.heads(fused=True)
            comments = Comments(network, step, fused)
            self.step = self._step(step, fused, penalties, comments)
            self.bodies["loss_and_gradients"] = self.step.body
        self.optimizer: OptimizerSource = optimizer_source(optimizer)
        self.bodies["_step"] = self.optimizer.body

    def _mode(
        self,
        network: Network,
        layers: Derivation,
        heads: Sequence[tuple[Head, Derivation]],
    ) -> Mode:
        comments = Comments(network, layers, heads)
        return Mode(
            network, plain_program(network, layers, self.equal, named=self.network.varies), comments
        )

    def _step(
        self,
        layers: Derivation,
        fused: Sequence[tuple[Head, Derivation]],
        penalties: Sequence[tuple[Variable, Derivation]],
        comments: Comments,
    ) -> StepSource:
        training = training_values(self.network, layers, fused, penalties, self.equal)
        program = join_masks(plan_storage(self.network, training, self.equal))
        check_program(program, training.last)
        return StepWriter(
            self.network, program, training, comments, self.shared, equal=self.equal
        ).write()

    def text(self) -> str:
        """Return the module."""
        frames_ = frames.environment()
        context = self._context()
        context["check"] = frames_.get_template("gradient_check.py.jinja").render(context).rstrip()
        context["optimizer"] = frames_.get_template("optimizer.py.jinja").render(context).rstrip()
        context["helpers"] = [frames.special(name) for name in sorted(self.shared.helpers)]
        return frames_.get_template("module.py.jinja").render(context)

    def _context(self) -> dict[str, object]:
        network, bodies = self.network, self.bodies
        context: dict[str, object] = {
            "title": escaped(f"{network.name}: {network.text}"),
            "preamble": preamble(network, __version__, self.equal),
            "constants": constant_lines(self.shared.constants),
            "arrays": array_lines(network.constants),
            "functions": sorted(self.shared.functions),
            "tables": tables(network, self.equal),
            "fans": fans(network, self.equal),
            "learns": bool(network.parameters),
            **input_context(network),
            "varies": network.varies,
            "holds": bool(held_on_cycles([e for layer in network.layers for e in layer.equations])),
            "state": state_table(network, self.equal),
            "draws": bool(network.draws),
            "fewest": fewest_samples(network),
            "training_words": training_words(network),
            "output_shape": shape_text(shape(network.output)),
            "output_name": network.output.name,
            "cotangent_checked": "\n".join(block([_checked_cotangent(network)])),
            "value_target": value_target(network),
            "loss": "",
            "loss_name": network.loss or "",
            "reduction": network.reduction,
            "penalized": bool(network.penalties),
            "penalty_words": ", penalties included," if network.penalties else "",
            "and_loss": " and loss_and_gradients" if network.heads else "",
            "layout_words": "",
            "targets": target_forms(network),
            "example_targets": "\n".join(block([f"return [{example_targets(network)}]"])),
            "has_workspace": self.step is not None,
            "arenas": "",
            "binding": "",
            "standard_modules": ["functools", "math", *(["operator"] if self.step else [])],
            "equations": self.optimizer.equations,
            "moments": self.optimizer.moments,
            "moment_names": quoted(self.optimizer.moments),
            "counts": self.optimizer.counts,
            "arguments": ", ".join(self.optimizer.arguments),
            "scratch": self.optimizer.scratch,
            "scratch_names": [f"t{k + 1}" for k in range(self.optimizer.scratch)],
        }
        for name, body in bodies.items():
            key = {
                "loss_and_gradients": "step",
                "_step": "step_of_update",
                "_evaluated": "evaluated_penalty",
            }.get(name, name)
            context[key] = body.text
            context[f"{key}_needs_n"] = reads(body.text, "n")
            context[f"{key}_needs_dtype"] = reads(body.text, "dtype")
        if self.step:
            context |= self._workspace(self.step)
        return context | self.extents.context({name: body.text for name, body in bodies.items()})

    def _workspace(self, step: StepSource) -> dict[str, object]:
        return {
            "arenas": "\n".join(block(map(_arena, step.sizes, step.sizes.values()), 2)),
            "binding": step.binding.text,
            "step_needs_n": reads(step.body.text, "n"),
            "layout_words": "features by samples" if step.batch_last else "samples by features",
        }

    def locations(self, text: str) -> tuple[Location, ...]:
        """Return where the module computes each variable."""
        found: list[Location] = []
        for function, body in self.bodies.items():
            start = text[: text.index(body.text)].count("\n") + 1
            for line, variable in enumerate(body.computes):
                last = found[-1] if found else None
                if variable and last and (last.variable, last.function) == (variable, function):
                    found[-1] = Location(variable, function, last.first, start + line)
                elif variable:
                    found.append(Location(variable, function, start + line, start + line))
        return tuple(found)


def _checked_cotangent(network: Network) -> str:
    return f'd_output = _checked("d_output", d_output, {check_text(network.output)}, dtype)'


def _arena(name: str, size: Whole) -> str:
    """Return the statement that allocates an arena, by its elements per sample or in all."""
    kinds = {"floats": "self.dtype", "masks": "np.bool_", "places": "np.intp"}
    _, fixed, kind = name.rpartition("fixed_")
    count = f"{size}" if fixed else times(size, "batch_size")
    return f"self.{name} = _aligned({count}, {kinds[kind]})"


def quoted(names: Sequence[str]) -> str:
    """Return a tuple of strings as source."""
    inside = ", ".join(f'"{name}"' for name in names)
    return f"({inside},)" if len(names) == 1 else f"({inside})"


def _of_runs(network: Network, shortest_run: int) -> list[Variable]:
    """Return what equal units hand on: each turn of a loop computes the same."""
    equal = equal_units(network, shortest_run)
    runs = [run.numbers for run in equal.runs if not run.block]
    return [*equal.handed, *(network.layers[k - 1].output for numbers in runs for k in numbers)]
