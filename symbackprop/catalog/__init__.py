"""The catalogue: every activation, loss, layer, penalty and optimizer, as data.

An entry stands in the ``ENTRIES`` of some module of this package, and nowhere else.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TypeVar

from symbackprop.consistency import check_definition
from symbackprop.definition import Activation, Definition, Layer, Loss, Optimizer, Penalty
from symbackprop.errors import SymbackpropError, allowed
from symbackprop.formula_reader import FUNCTIONS, REDUCTIONS

Entry = TypeVar("Entry", bound=Definition)

# What equations call by name; an entry of such a name would be ambiguous there.
WORDS = frozenset({*FUNCTIONS, *REDUCTIONS, "held", "padded", "pi"})


@dataclass(frozen=True)
class Catalog:
    """All entries by kind and name, in the order they were written."""

    activations: Mapping[str, Activation]
    losses: Mapping[str, Loss]
    layers: Mapping[str, Layer]
    penalties: Mapping[str, Penalty]
    optimizers: Mapping[str, Optimizer]

    @property
    def functions(self) -> Mapping[str, Activation]:
        """The activations that equations may call: those that act on a number by itself."""
        return {
            name: entry
            for name, entry in self.activations.items()
            if not entry.parameters and "[" not in "".join(entry.equations)
        }

    def with_definitions(self, definitions: Iterable[Definition]) -> Catalog:
        """Return a catalogue that holds these entries as well.

        Raises:
            SymbackpropError: a name is taken, by an entry of the same kind or, for an
                activation, by a function of the notation; or a definition has a name that
                stands for nothing, or a parameter that nothing reads.
        """
        definitions = tuple(definitions)
        for definition in definitions:
            if isinstance(definition, Activation) and definition.name in WORDS:
                raise SymbackpropError(
                    f"activation {definition.name!r} has the name of a function: choose another"
                )
        extended = self._with(definitions)
        for definition in definitions:
            check_definition(definition, extended.functions)
        return extended

    def _with(self, definitions: Iterable[Definition]) -> Catalog:
        tables: dict[str, dict[str, Definition]] = {
            table: dict(getattr(self, table)) for table in _TABLES.values()
        }
        for definition in definitions:
            table = tables[_TABLES[type(definition)]]
            if definition.name in table:
                kind = type(definition).__name__.lower()
                raise SymbackpropError(
                    f"{kind} {definition.name!r} is in the catalogue already: choose another name"
                )
            table[definition.name] = definition
        return Catalog(**{name: MappingProxyType(table) for name, table in tables.items()})  # type: ignore[arg-type]


_TABLES: Mapping[type[Definition], str] = {
    Activation: "activations",
    Loss: "losses",
    Layer: "layers",
    Penalty: "penalties",
    Optimizer: "optimizers",
}


def look_up(
    entries: Mapping[str, Entry], name: str, kind: str, others: Iterable[str] = ()
) -> Entry:
    """Return the entry of that name.

    Args:
        entries: one mapping of a ``Catalog``.
        name: the name that was found.
        kind: what it names, for the message: ``activation``.
        others: names that are allowed there besides the entries'.

    Raises:
        SymbackpropError: there is none; the message gives our name of another library's
            entry, or else the nearest name and all that are allowed.
    """
    if name in entries:
        return entries[name]
    if ours := known_as(entries, name):
        raise SymbackpropError(f"{kind} {name!r} is called {ours!r} here")
    raise SymbackpropError(f"{kind} {name!r} is not known; {allowed(name, [*entries, *others])}")


def known_as(entries: Mapping[str, Entry], name: str) -> str:
    """Return our name of another library's entry; "" where there is none."""
    # An exact name comes first: CrossEntropyLoss takes logits, cross_entropy probabilities.
    exact = [entry.name for entry in entries.values() if name in entry.also_known_as]
    alike = [
        entry.name
        for entry in entries.values()
        if _folded(name) in map(_folded, (entry.name, *entry.also_known_as))
    ]
    return (*exact, *alike, "")[0]


def _folded(name: str) -> str:
    """Return what HuberLoss and huber have in common."""
    folded = name.replace("_", "").replace("-", "").lower()
    return folded.removesuffix("loss")


def _built_in() -> Catalog:
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    entries = [entry for name in modules for entry in import_module(f"{__name__}.{name}").ENTRIES]
    return Catalog({}, {}, {}, {}, {})._with(entries)


CATALOG = _built_in()
activations = CATALOG.activations
losses = CATALOG.losses
layers = CATALOG.layers
penalties = CATALOG.penalties
optimizers = CATALOG.optimizers
