"""What differs between training and evaluation: draws, running statistics, other equations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from symbackprop.building.reading import array_variable
from symbackprop.definition import Layer
from symbackprop.equations import Access, Equation, Index, Variable
from symbackprop.instantiate import Names, Scope, instantiate, instantiate_with_updates
from symbackprop.network import Statistic
from symbackprop.scalar import Slot


@dataclass(frozen=True)
class Modes:
    """The equations of a layer's own part in training, and what goes with them.

    Attributes:
        equations: in training.
        draws, state, updates, evaluation: as in ``network.Layer``.
    """

    equations: tuple[Equation, ...]
    draws: tuple[Variable, ...] = ()
    state: tuple[Statistic, ...] = ()
    updates: tuple[Equation, ...] = ()
    evaluation: tuple[Equation, ...] | None = None


def with_draws_and_state(definition: Layer, scope: Scope, sources: Sequence[Variable]) -> Scope:
    """Return the scope in which draws and running statistics stand for variables, too."""
    axes: dict[str, Index] = {}
    for declared, source in zip(definition.inputs.values(), sources, strict=True):
        own = source.axes[len(source.axes) - len(declared) :]
        axes |= dict(zip(declared, own, strict=True))
    draws = {
        name: Variable(name, scope.owner, (*scope.leading, *(axes[extent] for extent in extents)))
        for name, extents in definition.draws.items()
    }
    state = {
        name: array_variable(name, entry.extents, scope.owner, scope.numbers)
        for name, entry in definition.state.items()
    }
    return replace(
        scope,
        variables={**scope.variables, **draws, **state},
        batched=scope.batched | draws.keys(),
    )


def instantiate_modes(definition: Layer, scope: Scope, names: Names) -> Modes:
    """Return the equations of a layer's own part.

    Args:
        definition: as this use writes it.
        scope: what its names stand for.
        names: gives out the symbols; those of both modes are taken.

    Raises:
        SymbackpropError: as for ``instantiate``.
    """
    if not (definition.draws or definition.state or definition.evaluation):
        return Modes(instantiate(definition.equations, scope, names))
    apart = names.apart()
    training = instantiate_with_updates(definition.equations, definition.updates, scope, names)
    evaluation = instantiate(_evaluated(definition), scope, apart)
    names.include(apart)
    old = [scope.variables[name] for name in definition.state]
    kept = {e.target.variable for e in training.updates if _keeps(e, old)}
    updates = tuple(e for e in training.updates if e.target.variable not in kept)
    updated = {name: new for name, new in training.updated.items() if new not in kept}
    state = tuple(
        Statistic(scope.variables[name], entry.initial, updated.get(name))
        for name, entry in definition.state.items()
    )
    draws = tuple(scope.variables[name] for name in definition.draws)
    return Modes(training.equations, draws, state, updates, evaluation)


def _keeps(update: Equation, old: Collection[Variable]) -> bool:
    """Whether the new value is an old one, as with a momentum of 0."""
    read = [operand.variable for operand in update.operands if isinstance(operand, Access)]
    return update.function == Slot(0) and not update.reduction and read[0] in old


def _evaluated(definition: Layer) -> tuple[str, ...]:
    """Return the equations outside training: those that are replaced, and all others."""
    others = {_target(text): text for text in definition.evaluation}
    return tuple(others.get(_target(text), text) for text in definition.equations)


def _target(text: str) -> str:
    return text.partition("=")[0].partition("[")[0].strip()
