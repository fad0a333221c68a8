"""The choices of notation that a reader has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
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


def read_notation(settings: Iterable[str]) -> Notation:
    """Return the notation with ``KEY=VALUE`` settings made, later ones winning.

    Raises:
        SymbackpropError: no such key, or no such value of it.
    """
    choices = {key: get_args(hint) for key, hint in get_type_hints(Notation).items()}
    made: dict[str, Any] = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign:
            raise SymbackpropError(f"notation {setting!r}: write KEY=VALUE, as in cost=E")
        if key not in choices:
            raise SymbackpropError(f"notation {key!r}: {allowed(key, choices)}")
        value = "a0" if value == "a_0" else value
        if value not in choices[key]:
            raise SymbackpropError(f"notation {key}={value}: {allowed(value, choices[key])}")
        made[key] = value
    return replace(Notation(), **made)
