"""Reader of the compact text of a perceptron: ``2-4:relu-3x2:relu-1:sigmoid``.

    text  = size, { "-", layer }
    layer = size, [ "x", repeat ], [ ":", activation ]

A size is a positive integer or a name (``n_0``), which takes no repeat. An activation is one
of the catalogue, or an undetermined function: f, g or h, alone or with a suffix (``f_1``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from symbackprop.architecture import Architecture, LayerUse, Use
from symbackprop.catalog import CATALOG, Catalog
from symbackprop.errors import SymbackpropError
from symbackprop.notation.uses import (
    MOST_BYTES,
    check_name,
    check_size,
    find_activation,
    shown,
)

MOST_LAYERS = 10_000

_DIGITS = re.compile(r"[0-9]{1,1000}")
_REPEATED = re.compile(r"(?P<size>[0-9]+|[A-Za-z][A-Za-z0-9_]*)x(?P<repeat>[0-9]+)")
_FORM = "a layer is UNITS[xREPEAT][:ACTIVATION], as in 2-4:relu-3x2:relu-1:sigmoid"


def read_compact(text: str, catalog: Catalog = CATALOG) -> Architecture:
    """Return the perceptron that the text describes.

    Raises:
        SymbackpropError: the text is none; the message gives the column.
    """
    if len(text) > MOST_BYTES:
        raise SymbackpropError(f"the text has {len(text)} characters; at most {MOST_BYTES}")
    pieces = _pieces(text)
    place = shown(text)
    with _at(place, 1):
        size = _input(next(pieces)[1])
    layers: list[LayerUse] = []
    for column, piece in pieces:
        head, colon, name = piece.partition(":")
        with _at(place, column):
            units, repeat = _units(head)
            if len(layers) + repeat > MOST_LAYERS:
                raise SymbackpropError(f"more than {MOST_LAYERS} layers")
        with _at(place, column + len(head) + 1):
            activation = find_activation(catalog.activations, name) if colon else None
        layers.extend(_repeated(len(layers), repeat, units, activation))
    if not layers:
        raise SymbackpropError(f"{place}: found no layer after the input; {_FORM}")
    return Architecture("perceptron", (size,), tuple(layers), text=text, place=place)


@contextmanager
def _at(text: str, column: int) -> Iterator[None]:
    try:
        yield
    except SymbackpropError as error:
        raise error.at(f"{text}, column {column}") from None


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield what stands between hyphens, each with its first column."""
    column = 1
    for piece in text.split("-"):
        yield column, piece
        column += len(piece) + 1


def _input(piece: str) -> int | str:
    if _REPEATED.fullmatch(piece) or ":" in piece:
        raise SymbackpropError(f"found {shown(piece)}; the input is a size alone")
    return _size(piece)


def _units(head: str) -> tuple[int | str, int]:
    """Return the size of a layer and how often it stands."""
    match = _REPEATED.fullmatch(head)
    if match is None:
        return _size(head), 1
    if not match["size"].isdigit():
        raise SymbackpropError(f"found {shown(head)}; a size by name takes no repeat")
    return _size(match["size"]), _repeat(match["repeat"])


def _repeat(text: str) -> int:
    if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= MOST_LAYERS:
        raise SymbackpropError(f"found x{text[:16]}; allowed: a repeat from x1 to x{MOST_LAYERS}")
    return int(text)


def _size(text: str) -> int | str:
    if _DIGITS.fullmatch(text):
        return check_size(int(text), "size")
    if text[:1].isalpha():
        return check_name(text, "size")
    found = shown(text) if text else "nothing"
    raise SymbackpropError(f"found {found}; allowed: a positive integer or a name; {_FORM}")


def _repeated(
    before: int, repeat: int, units: int | str, activation: Use | None
) -> Iterator[LayerUse]:
    for position in range(before + 1, before + repeat + 1):
        yield LayerUse(
            "dense", f"layer {position} (dense)", fields={"units": units}, activation=activation
        )
