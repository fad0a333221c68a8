"""Layers of a document: equal ones that follow one another are shown once, as layer k."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symbackprop.equations import Variable
from symbackprop.lowering.runs import equal_units
from symbackprop.network import Layer, Network
from symbackprop.render.document import Inlines
from symbackprop.render.scalars import function_name
from symbackprop.render.typeset import Math, Numeral, Operator, Symbol, listed, row
from symbackprop.scalar import ARITY, Apply, walk

_SHORTEST = 3  # two equal layers read better one by one
_K = Symbol("k")


@dataclass(frozen=True)
class Group:
    """Consecutive layers that are shown as one.

    Attributes:
        layers: all of them.
        shown: the one whose equations are printed.
        owners: the labels that layers have in those: ``k``, ``k − 1``.
    """

    layers: tuple[Layer, ...]
    shown: Layer
    owners: Mapping[str, Math]

    @property
    def title(self) -> Inlines:
        """What the group is called in headings."""
        first, last = self.layers[0], self.layers[-1]
        which = f"Layer {first.owner} ("
        if first is not last:
            which = f"Layers {first.position} to {last.position} ("
        return (which, *self.kind, ")")

    @property
    def kind(self) -> Inlines:
        """What kind the layers are of; a function left open is a formula."""
        kind, joint, function = self.shown.kind.rpartition(", ")
        left_open = any(
            isinstance(node, Apply) and node.function == function
            for equation in self.shown.activation
            for node in walk(equation.function)
        )
        if left_open and function not in ARITY:
            return (kind + joint, function_name(function))
        return (self.shown.kind,)

    @property
    def limits(self) -> tuple[Math, Math] | None:
        """What k starts from, and where it ends; None where there is one layer."""
        if len(self.layers) == 1:
            return None
        first, last = (Numeral(str(self.layers[end].position)) for end in (0, -1))
        return row(_K, Operator("=", "relation"), first), last

    @property
    def range(self) -> Math | None:
        """What k runs over; None where there is one layer."""
        if self.limits is None:
            return None
        start, last = self.limits
        return listed(start, Operator("…", "plain"), last)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What the shown layer makes, in the order of its equations."""
        equations = (*self.shown.equations, *self.shown.activation)
        return tuple(e.target.variable for e in equations if not e.target.variable.made)


def layer_groups(network: Network) -> tuple[Group, ...]:
    """Return the layers in order; the last one always stands alone."""
    inner = {
        position: run.numbers
        for run in equal_units(network, _SHORTEST).runs
        if not run.block
        for position in run.numbers
    }
    groups: list[Group] = []
    position = 1
    while position <= len(network.layers):
        run = inner.get(position, range(position, position + 1))
        end = min(run.stop, len(network.layers)) if len(run) > 1 else run.stop
        layers = network.layers[position - 1 : max(end, position + 1) - 1]
        groups.append(_run(layers) if len(layers) > 1 else Group(layers, layers[0], {}))
        position += len(layers)
    return tuple(groups)


def _run(layers: tuple[Layer, ...]) -> Group:
    shown = layers[1]
    before = row(_K, Operator("−"), Numeral("1"))
    return Group(layers, shown, {layers[0].owner: before, shown.owner: _K})


def lowered(title: Inlines) -> Inlines:
    """Return a title as it stands within a sentence."""
    first, *rest = title
    return (first[0].lower() + first[1:] if isinstance(first, str) else first, *rest)
