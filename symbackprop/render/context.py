"""What all parts of a document share: notation, groups of layers, anchors, places in the code."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Literal

from symbackprop.calculus import NetworkDerivation
from symbackprop.calculus.textbook import Loss
from symbackprop.calculus.totals import Share, Total, look_through
from symbackprop.calculus.ways import Ways
from symbackprop.emit import Emitted
from symbackprop.equations import Access, Adjoint, Equation, Factor, Index, Role, Term, Variable
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.lowering.runs import EqualUnits, equal_units
from symbackprop.network import Head, Layer
from symbackprop.render import scalars
from symbackprop.render.counting import counts_from_zero
from symbackprop.render.document import CodeLines
from symbackprop.render.groups import Group, layer_groups
from symbackprop.render.inner import inner_equations
from symbackprop.render.notation import Choice, Notation
from symbackprop.render.setting import Setting
from symbackprop.scalar import Slot


class Context:
    """Looks things up for the parts of one document.

    Args:
        derivation: what the document shows.
        choice: how.
        emitted: the module that computes it, where there is one.

    Raises:
        SymbackpropError: ``choice.wrt`` names no parameter.
    """

    def __init__(
        self, derivation: NetworkDerivation, choice: Choice, emitted: Emitted | None
    ) -> None:
        self.derivation = derivation
        self.network = derivation.network
        self.textbook = derivation.textbook
        self.choice = choice
        self.groups = layer_groups(self.network)
        self.equations = [
            e for layer in self.network.layers for e in (*layer.equations, *layer.activation)
        ]
        heads = [e for head in self.network.heads for e in head.equations]
        self._notation = _counted(choice.notation, [*self.equations, *heads])
        self.mixes_samples = any(
            index.role is Role.BATCH for e in self.equations for index in e.reduced
        )
        self.swapped = _swapped(self.equations, self._notation)
        parameters = [array.variable for array in self.network.parameters]
        targets = [equation.target.variable for equation in self.equations]
        self._variables = tuple(dict.fromkeys((*self.network.inputs, *parameters, *targets)))
        self._inner = inner_equations(self.equations)
        functions = [equation.function for equation in (*self.equations, *heads)]
        self.numbers = scalars.letters_for(functions, self.network.named_sizes)
        self._settings: dict[object, Setting] = {}
        if choice.notation.cost in self.network.named_sizes:
            raise SymbackpropError(
                f"the size {choice.notation.cost} is also the letter of the loss: choose another "
                "with --notation cost=E"
            )
        self._lines = _code_lines(emitted, equal_units(self.network))
        self._anchors: dict[tuple[str, str], str] = {}
        layers = self.network.layers
        self._outputs = {layer.preactivation: layer.output for layer in layers}
        self._direct = _through_preactivations(derivation)
        self.has_code = emitted is not None
        self.shown = self._wanted()

    def setting(
        self,
        group: Group | None = None,
        head: Head | None = None,
        *,
        samples: bool = False,
        equations: Iterable[Equation] = (),
    ) -> Setting:
        """Return the setting of formulas.

        Args:
            group: whose labels layers have.
            head: the loss that adjoints are of.
            samples: whether formulas are of a whole batch.
            equations: of the loss, among which those that normalising made are seen through.
        """
        samples = samples or self.mixes_samples
        head = head or next(iter(self.network.heads), None)
        cost = Variable("L") if head is None else head.cost if samples else head.sample
        equations = tuple(equations)
        key = (group and group.shown.owner, cost, samples, equations)
        if key not in self._settings:
            self._settings[key] = self._setting(group, cost, equations, samples=samples)
        return self._settings[key]

    def _setting(
        self, group: Group | None, cost: Variable, equations: Iterable[Equation], *, samples: bool
    ) -> Setting:
        kept = tuple(head.sample for head in self.network.heads)
        return Setting(
            self._notation,
            inner={**self._inner, **inner_equations(equations, shown=kept)},
            cost=cost,
            input=self.network.input if len(self.network.inputs) == 1 else None,
            output=self.network.output,
            owners=group.owners if group else {},
            samples=samples,
            swapped=self.swapped,
            variables=self._variables,
            numbers=self.numbers,
        )

    @property
    def totals(self) -> Iterator[Total]:
        """The total derivatives of the layers that are to be shown."""
        return (total for total in self.textbook.totals if total.variable in self.shown)

    def derived(self, group: Group) -> list[Variable]:
        """Return what is derived of a group: its values, its parameters, what it reads.

        What several layers read is derived of the lowest, when all terms of its sum are known.
        """
        own, shown = group.variables, group.shown
        values = [total.variable for total in self.textbook.totals if total.variable in own]
        learned = [array.variable for array in shown.parameters]
        order = (*(v for v in values if v != shown.output), *learned, *self._read_first(shown))
        known = {total.variable for total in self.totals}
        return [variable for variable in order if variable in known]

    def _read_first(self, layer: Layer) -> list[Variable]:
        """Return what the layer reads and no layer below it does."""
        below = {v for other in self.network.layers[: layer.position - 1] for v in other.inputs}
        return [v for v in dict.fromkeys(layer.inputs) if v not in below]

    def derived_in(self, variable: Variable) -> Group | None:
        """Return the group whose section has the total derivative of a variable, if one has."""
        return next((group for group in self.groups if variable in self.derived(group)), None)

    def total(self, variable: Variable) -> Total | None:
        """Return the total derivative of a variable, if it has one and it is to be shown."""
        if variable not in self.shown:
            return None
        found = (total for total in self.textbook.totals if total.variable == variable)
        return next(found, None)

    def direct(self, share: Share) -> Share | None:
        """Return the share by which the layer's output reads what a share's consumer reads.

        None where the consumer is no preactivation, or feeds more than its own unit's output.
        """
        output = self._outputs.get(share.equation.target.variable)
        total = self._direct.get(share.access.variable)
        if output is None or total is None or len(total.shares) != 1:
            return None
        (found,) = total.shares
        return found if found.equation.target.variable == output else None

    def anchor(self, direction: Literal["forward", "backward", "matrix"], name: str) -> str:
        """Return the anchor of a display, the same one each time."""
        key = (direction, name)
        if key not in self._anchors:
            plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            taken = set(self._anchors.values())
            base = f"{direction}-{plain}"
            candidates = (base if n == 1 else f"{base}-{n}" for n in range(1, len(taken) + 2))
            self._anchors[key] = next(c for c in candidates if c not in taken)
        return self._anchors[key]

    def code(self, variable: Variable) -> tuple[CodeLines, ...]:
        """Return the lines that compute a variable or, of an adjoint, a derivative.

        The cost of one sample is computed with that of the batch.
        """
        samples = {head.sample: head.cost for head in self.network.heads}
        return self._lines.get(samples.get(variable, variable).name, ())

    def absorbing(self, variable: Variable) -> Variable | None:
        """Return the variable whose lines compute this one as well, if none are its own.

        An adjoint is computed within an adjoint that reads it, a value within a value; what
        nothing reads is one with what it reads itself.
        """
        if not self.has_code or self.code(variable):
            return None
        return self._nearest(variable, self._readers) or self._nearest(variable, self._sources)

    def _nearest(
        self, variable: Variable, linked: Mapping[Variable, list[Variable]]
    ) -> Variable | None:
        """Return the nearest variable with lines of its own, along what variables link to."""
        seen, waiting = {variable}, [variable]
        while waiting:
            current = waiting.pop(0)
            if self.code(current):
                return current
            more = [v for v in dict.fromkeys(linked.get(current, ())) if v not in seen]
            seen.update(more)
            waiting += more
        return None

    @cached_property
    def _readers(self) -> Mapping[Variable, list[Variable]]:
        """What reads each variable; of an adjoint, the adjoints that the chain rule makes of it."""
        found: dict[Variable, list[Variable]] = defaultdict(list)
        of_losses = [total for loss in self.textbook.losses for total in loss.totals]
        for total in (*of_losses, *self.textbook.totals):
            for share in total.shares:
                found[share.equation.target.variable.bar()].append(total.variable.bar())
        cost = [equation for loss in self.textbook.losses for equation in loss.equations]
        for equation in (*self.equations, *cost):
            for operand in equation.operands:
                if isinstance(operand, Access):
                    found[operand.variable].append(equation.target.variable)
        return found

    @cached_property
    def _sources(self) -> Mapping[Variable, list[Variable]]:
        """What each variable reads; of an adjoint, the adjoints that the chain rule starts from."""
        found: dict[Variable, list[Variable]] = defaultdict(list)
        for read, readers in self._readers.items():
            for reader in readers:
                found[reader].append(read)
        return found

    def of_cost(self, loss: Loss, adjoint: Adjoint) -> Adjoint:
        """Return an adjoint of one sample's cost as one of what documents derive: of the batch's.

        Where samples are kept apart these are one, and the sample's cost has the adjoint 1.
        """
        return seeded(adjoint, loss.head.sample) if self.mixes_samples else adjoint

    def held(self, total: Total, consumer: Variable) -> list[Access]:
        """Return by what else a variable feeds a consumer of it, as ``Ways.held`` does."""
        return self._ways.held(total.variable, consumer)

    @cached_property
    def _ways(self) -> Ways:
        of_losses = (total for loss in self.textbook.losses for total in loss.totals)
        return Ways((*self.textbook.totals, *of_losses))

    def _wanted(self) -> frozenset[Variable]:
        """Return the variables whose derivatives are shown: those asked for, and all they need."""
        totals = {total.variable: total for total in self.textbook.totals}
        if not self.choice.wrt:
            return frozenset(totals)
        parameters = [array.variable for array in self.network.parameters]
        named = {v.name: v for v in (*parameters, *self.network.real_inputs)}
        for name in self.choice.wrt:
            if name not in named:
                raise SymbackpropError(f"--wrt {name}: {allowed(name, named)}")
        waiting = [named[name] for name in self.choice.wrt]
        found: set[Variable] = set()
        while waiting:
            variable = waiting.pop()
            if variable in totals and variable not in found:
                found.add(variable)
                waiting += [s.equation.target.variable for s in totals[variable].shares]
        return frozenset(found)


def _through_preactivations(derivation: NetworkDerivation) -> dict[Variable, Total]:
    """Return the totals, famous forms put in, without what activations act on."""
    closed = derivation.textbook.closed
    found = (
        replace(total, shares=tuple(closed.get(share, share) for share in total.shares))
        for total in derivation.textbook.totals
    )
    between = {layer.preactivation for layer in derivation.network.layers}
    through = look_through(found, lambda variable: variable in between)
    return {total.variable: total for total in through}


def _counted(notation: Notation, equations: Iterable[Equation]) -> Notation:
    """Return the notation with units counted from 0 where indices serve as numbers."""
    return replace(notation, first="0") if counts_from_zero(equations) else notation


def _swapped(equations: Iterable[Equation], notation: Notation) -> frozenset[Variable]:
    """Return the matrices that a total contracts along their first axis."""
    if notation.weights == "input-first":
        return frozenset()
    return frozenset(
        operand.variable
        for equation in equations
        for operand in equation.operands
        if isinstance(operand, Access) and _is_matrix(operand.variable)
        if operand.indices == (*equation.reduced, *equation.free[-1:])
    )


def _is_matrix(variable: Variable) -> bool:
    axes: tuple[Index, ...] = variable.axes
    return len(axes) == 2 and all(axis.role is not Role.BATCH for axis in axes)


def _code_lines(emitted: Emitted | None, equal: EqualUnits) -> Mapping[str, tuple[CodeLines, ...]]:
    found: dict[str, tuple[CodeLines, ...]] = {}
    for place in emitted.source_map if emitted else ():
        lines = CodeLines(place.function, place.first, place.last)
        for name in _computed(place.variable, equal):
            found[name] = (*found.get(name, ()), lines)
    return found


def _computed(names: str, equal: EqualUnits) -> list[str]:
    """Return the variables that a place computes: one, or "z2 to z9" in a loop over layers."""
    first, joint, last = names.partition(" to ")
    start, end = equal.numbered(first), equal.numbered(last)
    if not joint or start is None or end is None:
        return [names]
    low, high = sorted((start.unit.number, end.unit.number))
    units = (start.unit._replace(number=number) for number in range(low, high + 1))
    return [start._replace(unit=unit).name for unit in units]


def seeded(adjoint: Adjoint, cost: Variable) -> Adjoint:
    """Return the adjoint of one sample's cost times the adjoint of that cost."""
    return replace(adjoint, terms=tuple(_with_seed(term, cost) for term in adjoint.terms))


def _with_seed(term: Term, cost: Variable) -> Term:
    samples = tuple(index for index in term.space if index.role is Role.BATCH)
    seed = Factor(Slot(0), (Access(cost.bar(), samples),))
    return replace(term, factors=(seed, *term.factors))
