"""The choices of notation that a reader has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args, get_type_hints

from symbackprop.errors import SymbackpropError, allowed


@dataclass(frozen=True, slots=True)
class Notation:
    """How a document writes things; a field allows what its type lists.

    Attributes:
        cost: the letter of the loss.
        input: the network's input as a letter of its own, or as the activation of layer 0.
        activation: the letter of a layer's output.
        output: the network's output as ŷ, or like any other activation.
        weights: the order of a weight's indices: ``w_ij`` from j to i, or from i to j.
        transpose: the mark of a transposed matrix.
        first: the number that units are counted from.
    """

    cost: Literal["L", "E", "C", "J"] = "L"
    input: Literal["x", "a0"] = "x"
    activation: Literal["a", "h"] = "a"
    output: Literal["yhat", "a"] = "yhat"
    weights: Literal["output-first", "input-first"] = "output-first"
    transpose: Literal["top", "T"] = "top"
    first: Literal["1", "0"] = "1"


@dataclass(frozen=True)
class Choice:
    """What a reader asks for.

    Attributes:
        notation: how formulas are written.
        form: per unit, as matrices, or both.
        layout: of the matrices: samples as rows, as columns, or both.
        wrt: names of the parameters whose gradients are shown; all where it is empty.
    """

    notation: Notation = field(default_factory=Notation)
    form: Literal["units", "matrix", "both"] = "both"
    layout: Literal["rows", "columns", "both"] = "both"
    wrt: tuple[str, ...] = ()


def read_notation(settings: Iterable[str]) -> Notation:
    """Return the notation with ``KEY=VALUE`` settings made, later ones winning.

    Raises:
        SymbackpropError: no such key, or no such value of it.
    """
    pairs: dict[str, str] = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign:
            raise SymbackpropError(f"notation {setting!r}: write KEY=VALUE, as in cost=E")
        pairs[key] = value
    return chosen_notation(pairs)


def chosen_notation(pairs: Mapping[str, str]) -> Notation:
    """Return the notation with choices made by key.

    Raises:
        SymbackpropError: as for ``read_notation``.
    """
    choices = {key: get_args(hint) for key, hint in get_type_hints(Notation).items()}
    made: dict[str, Any] = {}
    for key, written in pairs.items():
        if key not in choices:
            raise SymbackpropError(f"notation {key!r}: {allowed(key, choices)}")
        value = "a0" if written == "a_0" else written
        if value not in choices[key]:
            raise SymbackpropError(f"notation {key}={value}: {allowed(value, choices[key])}")
        made[key] = value
    return replace(Notation(), **made)


def choices_of(notation: Notation) -> dict[str, str]:
    """Return what a reader chose by key: all that is not the default."""
    default = asdict(Notation())
    return {key: value for key, value in asdict(notation).items() if value != default[key]}
