"""Blocks: runs of layers under one name, written once and used several times."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from symbackprop.architecture import InputUse, LayerUse
from symbackprop.errors import SymbackpropError
from symbackprop.notation.tables import convert
from symbackprop.notation.uses import check_integer, check_name, shown

MOST_LAYERS = 10_000
# What flows into a block, as `from` inside it says.
FLOWING = "block"

_HEADER = re.compile(r"""^[ \t]*\[\[[ \t]*["']?(layer|block)["']?[ \t]*\]\]""", re.MULTILINE)

Table = dict[str, Any]
Read = Callable[[Table, int], LayerUse]


class _Block(msgspec.Struct):
    name: Any
    layer: list[dict[str, Any]]
    repeat: Any = 1


def expanded(
    text: str,
    layers: Sequence[Table],
    blocks: Sequence[Table],
    inputs: Sequence[InputUse],
    read: Read,
) -> list[LayerUse]:
    """Return all layers in the order of the file, blocks written out.

    Args:
        text: of the file; tables of two kinds keep their order in it alone.
        layers: the ``[[layer]]`` tables.
        blocks: the ``[[block]]`` tables.
        inputs: with names, empty where there is one without.
        read: reads a layer's table, given its position for errors.

    Raises:
        SymbackpropError: a layer or a block is not of the form.
    """
    found: list[LayerUse] = []
    flowing = "" if len(inputs) > 1 else "input"
    names: set[str] = set()
    waiting = {"layer": iter(layers), "block": iter(blocks)}
    order = _order(text, layers, blocks)
    for position, kind in enumerate(order, start=1):
        table = next(waiting[kind])
        if kind == "layer":
            found.append(read(table, len(found) + 1))
        else:
            found += _block(table, order[:position].count("block"), flowing, names, read)
        if len(found) > MOST_LAYERS:
            raise SymbackpropError(f"more than {MOST_LAYERS} layers, blocks written out")
        flowing = found[-1].name or str(len(found))
    return found


def _order(text: str, layers: Sequence[Table], blocks: Sequence[Table]) -> list[str]:
    """Return which kind of table comes when."""
    if not blocks:
        return ["layer"] * len(layers)
    order = _HEADER.findall(text)
    if (order.count("layer"), order.count("block")) != (len(layers), len(blocks)):
        raise SymbackpropError(
            "block: beside [[block]], every layer is a [[layer]] table with its header on a line "
            "of its own, and no text holds such a line"
        )
    return order


def _block(
    table: Table, position: int, flowing: str, names: set[str], read: Read
) -> list[LayerUse]:
    place = f"block {position}"
    try:
        block = convert(table, _Block, "")
        name = check_name(block.name, "name")
        place = f"block {name!r}"
        if name in names:
            raise SymbackpropError("another block has this name")
        names.add(name)
        repeat = check_integer(block.repeat, "repeat")
        if not 1 <= repeat <= MOST_LAYERS:
            raise SymbackpropError(
                f"repeat: found {shown(repeat)}; allowed: an integer from 1 to {MOST_LAYERS}"
            )
        if not block.layer:
            raise SymbackpropError("layer: found none; a block has at least one [[block.layer]]")
        if repeat * len(block.layer) > MOST_LAYERS:
            raise SymbackpropError(f"more than {MOST_LAYERS} layers, written out")
        uses = [read(inner, place) for place, inner in enumerate(block.layer, start=1)]
        return _written_out(name, repeat, uses, flowing)
    except SymbackpropError as error:
        raise error.at(place) from None


def _written_out(name: str, repeat: int, uses: Sequence[LayerUse], flowing: str) -> list[LayerUse]:
    """Return the layers of all repetitions, their names with the block's before them."""
    found: list[LayerUse] = []
    inner = [use.name or str(place) for place, use in enumerate(uses, start=1)]
    for turn in range(1, repeat + 1):
        full = {own: f"{name}.{turn}.{own}" for own in inner}
        if len(full) < len(inner):
            twice = next(own for own in inner if inner.count(own) > 1)
            raise SymbackpropError(f"two layers have the name {twice!r}")
        for own, use in zip(inner, uses, strict=True):
            if FLOWING in use.sources and not flowing:
                raise SymbackpropError(
                    f"{use.place}: several inputs flow into the block: name them in from"
                )
            sources = tuple(full.get(s, flowing if s == FLOWING else s) for s in use.sources)
            found.append(
                replace(
                    use,
                    name=full[own],
                    place=f"layer {full[own]!r}",
                    sources=sources,
                    share=full.get(use.share, use.share),
                )
            )
        flowing = found[-1].name
    return found
