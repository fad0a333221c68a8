"""Extents that are names: how a module reads them from arrays, and what it says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from symbackprop.emit.header import check_text, open_check_text
from symbackprop.emit.layers import reads
from symbackprop.emit.lines import block
from symbackprop.emit.modes import divisors
from symbackprop.emit.runs import variable_names
from symbackprop.equations import Variable
from symbackprop.errors import SymbackpropError
from symbackprop.network import Network
from symbackprop.sizes import Size, at, named, shown, solved
from symbackprop.sizing import is_size, size_of, source_of

# The checks that a module carries run with these extents: so much more than the least, by the
# place of the name, until no other size is equal.
FIRST, SECOND = 1, 3
_KEYWORDS = frozenset({"self", "batch_size", "dtype"})


@dataclass(frozen=True)
class NamedExtents:
    """The named extents of a network, and the least that each may be."""

    network: Network
    least: dict[str, int]

    def __post_init__(self) -> None:
        """Refuse names that a module cannot serve."""
        for variable in self.network.inputs:
            own = [axis.extent for axis in variable.axes[1:] if isinstance(axis.extent, Size)]
            for extent in own:
                if own.count(extent) > 1:
                    raise SymbackpropError(
                        f"input {variable.owner or 'x'}: the extent {shown(extent)} stands twice "
                        "in one shape; a module reads each from one axis: take two names"
                    )
        taken = variable_names(self.network)
        for name in self.least:
            if name in _KEYWORDS or iskeyword(name) or source_of(name) in taken:
                raise SymbackpropError(
                    f"input: the extent {name} has a name that a module needs; take another name"
                )

    @property
    def sources(self) -> list[str]:
        """The variables that hold them in a module."""
        return [source_of(name) for name in self.least]

    def _fetched(self, text: str, arrays: Sequence[tuple[str, Variable]]) -> list[str]:
        """Return the statements that set those extents which the text reads."""
        found = self._solutions(arrays)
        wanted = {source for source in self.sources if reads(text, source)}
        for source in sorted(wanted - found.keys()):
            raise SymbackpropError(
                f"the loss needs the extent {shown(named(source))}, which the output's shape does "
                "not tell"
            )
        wanted |= {source for s in wanted for source in found if reads(found[s], source)}
        return [f"{source} = {text}" for source, text in found.items() if source in wanted]

    def _solutions(self, arrays: Sequence[tuple[str, Variable]]) -> dict[str, str]:
        """Return expressions of extents, read from shapes; one may read those before it.

        Where an axis is none itself, the smallest serve with which it has its extent: all that
        is computed from the arrays depends on that alone.
        """
        axes = [
            (axis.extent, f"{array}.shape[{k}]")
            for array, variable in arrays
            for k, axis in enumerate(variable.axes)
            if k and isinstance(axis.extent, Size)
        ]
        found: dict[str, str] = {}
        for extent, text in axes:
            if str(extent) in self.sources:
                found.setdefault(str(extent), text)
        for extent, text in axes:
            open_ = [s for s in self.sources if reads(str(extent), s) and s not in found]
            others = [str(other) for other, _ in axes if other != extent]
            if open_ and not any(reads(other, s) for other in others for s in open_):
                found |= self._solved(extent, text, open_)
        return found

    def _solved(self, extent: Size, text: str, names: Sequence[str]) -> dict[str, str]:
        """Return the smallest extents of these names with which an axis has its extent."""
        if len(names) == 1 and (found := solved(extent, names[0], text)):
            return {names[0]: found}
        for name in names:
            rest = extent - named(name)
            if not reads(str(rest), name):
                least = {source_of(key): str(value) for key, value in self.least.items()}
                own = {other: least[other] for other in names if other != name}
                return {**own, name: f"{text} - ({rest})"}
        return {}

    def _of_target(self) -> list[str]:
        """Return the extents that the target's shape has."""
        axes = [axis.extent for head in self.network.heads for axis in head.target.axes]
        return [
            s for s in self.sources if any(reads(str(e), s) for e in axes if isinstance(e, Size))
        ]

    def context(self, bodies: Mapping[str, str]) -> dict[str, object]:
        """Return what the frames of a module say about named extents.

        Args:
            bodies: of the functions, by name.
        """
        found = self._solutions([(_written(v), v) for v in self.network.inputs])
        given = [found[source] for source in self.sources]
        arguments = [(v.name, v) for v in self.network.inputs]
        cached = [(f'cache["{v.name}"]', v) for v in self.network.inputs]
        output = [("output", self.network.output)]
        wanted = bodies["backward"] + check_text(self.network.output)
        targets = self._of_target()
        rows = [f"{source} = work.extents[{k}]" for k, source in enumerate(self.sources, 1)]
        checked = open_check_text(self.network.output)
        checked = f'output = _checked("output", output, {checked}, dtype)'
        more = [f"{name}={text} + 1" for name, text in zip(self.least, given, strict=True)]
        samples = f"len({_written(self.network.inputs[0])})"
        room = f"Workspace({', '.join([f'{samples} + 1', *more])})"
        return {
            "open_extents": list(zip(self.least, given, strict=True)),
            "names_text": " and ".join(self.least),
            "sources": list(zip(self.sources, self.least, strict=True)),
            "least": _dictionary(self.least),
            "largest": _dictionary({name: name for name in self.least}),
            "forward_extents": self._fetched(bodies["forward"], arguments),
            "backward_extents": self._fetched(wanted, cached),
            "loss_extents": self._fetched(bodies.get("loss", ""), output),
            "loss_gradient_extents": self._fetched(bodies.get("loss_gradient", ""), output),
            "target_lines": self._fetched(" ".join(targets), output),
            "target_extents": "".join(f", {source}" for source in targets),
            "step_extents": [
                row
                for row, source in zip(rows, self.sources, strict=True)
                if reads(bodies.get("loss_and_gradients", ""), source)
            ],
            "extents_given": ", ".join([samples, *given]),
            "shared_names": self._shared(),
            "scarce": self._scarce(given),
            "examples": f"({', '.join(map(_dictionary, self._examples()))})",
            "output_checked": "\n".join(block([checked])),
            "example_workspace": "\n".join(block([f'arguments["workspace"] = {room}'], 2)),
        }

    def _scarce(self, given: Sequence[str]) -> dict[str, str]:
        """Return the check that training divides by no 0, where few samples are also short."""
        counts = [size_of(d, self.least) for d in divisors(self.network) if is_size(d)]
        low = {str(c): None for c in counts if isinstance(c, Size) and at(c, 0) < 1}
        if not low or not self.least:
            return dict.fromkeys(("given", "bound", "arguments", "fewest", "found"), "")
        return {
            "given": "".join(f", {text}" for text in given),
            "bound": ", *work.extents[1:]",
            "arguments": "".join(f", {source}" for source in self.sources),
            "fewest": next(iter(low)) if len(low) == 1 else f"min({', '.join(low)})",
            "found": ", ".join(f"{name} {{{source_of(name)}}}" for name in self.least),
        }

    def _shared(self) -> str:
        """Return where each name stands that several inputs have, as source."""
        places: dict[str, list[str]] = {name: [] for name in self.least}
        for variable in self.network.inputs:
            for k, axis in enumerate(variable.axes):
                if k and isinstance(axis.extent, Size):
                    places[shown(axis.extent)].append(f'("{variable.owner}", {k})')
        several = {n: f"({', '.join(found)})" for n, found in places.items() if len(found) > 1}
        return _dictionary(several) if several else ""

    def _examples(self) -> list[dict[str, int]]:
        """Return two choices of extents, unlike one another and all other sizes."""
        variables = [*self.network.inputs, *(layer.output for layer in self.network.layers)]
        variables += [array.variable for array in self.network.parameters]
        taken = {axis.extent for variable in variables for axis in variable.axes}
        found = []
        for spare in (FIRST, SECOND):
            chosen: dict[str, int] = {}
            for name, least in self.least.items():
                value = least + spare
                while value in taken:
                    value += 1
                taken.add(value)
                chosen[name] = value
            found.append(chosen)
        return found


def _written(variable: Variable) -> str:
    """Return an input as the caller writes it."""
    return f'x["{variable.owner}"]' if variable.owner else "x"


def _dictionary(entries: Mapping[str, object]) -> str:
    pairs = ", ".join(f'"{key}": {value}' for key, value in entries.items())
    return f"{{{pairs}}}"
