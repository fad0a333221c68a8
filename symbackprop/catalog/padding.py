"""Padding: a number, or places of the sample itself, around it."""

from __future__ import annotations

from collections.abc import Mapping

from symbackprop.catalog.convolution import plus
from symbackprop.catalog.rearranging import one_value
from symbackprop.definition import Body, Field, Reading, written_layer
from symbackprop.errors import SymbackpropError

Margins = Mapping[int, tuple[int, int]]  # by axis, how many places come before and after

# By axis, the indices of what comes before a sample and after it.
_BEFORE, _AFTER = "abjklmo", "pqrsuvz"
# What these indices, k, read along an axis.
_PLACES = {
    "reflect": ("{before} - {k}", "{extent} - 2 - {k}"),
    "replicate": ("0", "{extent} - 1"),
    "circular": ("{extent} - {before} + {k}", "0 + {k}"),
}
# By how much an extent has to exceed a margin; for "replicate", one place is enough.
_EXCESS = {"reflect": 1, "circular": 0}


def _padded(reading: Reading) -> Body:
    """Write ``y[i] = x[i - before]``, and something else where that lies outside."""
    shape, extents, letters = one_value(reading)
    first = min(len(shape) - 1, 1)  # channels are not padded
    found = enumerate(_margins(reading.fields["padding"], len(shape) - first), start=first)
    margins = {axis: pair for axis, pair in found if any(pair)}
    output = tuple(plus(extents[axis], sum(margins.get(axis, ()))) for axis in range(len(shape)))
    mode = reading.fields["mode"]
    if mode != "constant":
        _check(reading, mode, margins)
    if mode == "constant" or not margins:
        equation = _constant(reading, extents, letters, margins)
        return Body({"x": extents}, (equation,), output=output)
    equations, ranges = _of_places(mode, extents, letters, margins)
    ranges |= {letters[axis]: output[axis] for axis in margins}
    return Body({"x": extents}, equations, output=output, ranges=ranges)


def _constant(
    reading: Reading, extents: tuple[str, ...], letters: tuple[str, ...], margins: Margins
) -> str:
    """Return the equation that reads one number wherever a place lies outside."""
    read, inside = list(letters), []
    for axis, (before, after) in margins.items():
        read[axis] = plus(letters[axis] if before else f"0 + {letters[axis]}", -before)
        inside += [f"{letters[axis]} >= {before}"] if before else []
        inside += [f"{letters[axis]} < {plus(extents[axis], before)}"] if after else []
    value = f"x[{', '.join(read)}]"
    if inside and reading.fields["value"] == 0:
        value = f"padded({value})"
    elif inside:
        for condition in reversed(inside):
            value = f"where({condition}, {value}, value)"
    return f"y[{', '.join(letters)}] = {value}"


def _of_places(
    mode: str, extents: tuple[str, ...], letters: tuple[str, ...], margins: Margins
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return equations, and ranges of their indices, that put places of a sample around it.

    An axis is padded with what is there once those before it are.
    """
    equations: list[str] = []
    ranges: dict[str, str] = {}
    source = "x"

    def at(name: str, axis: int, place: str) -> str:
        return f"{name}[{', '.join([*letters[:axis], place, *letters[axis + 1 :]])}]"

    for axis, (before, after) in margins.items():
        own, extent = letters[axis], extents[axis]
        sides = (
            ("before", _BEFORE[axis], before, f"0 + {own}"),
            ("after", _AFTER[axis], after, f"{own} - {extent} - {before}"),
        )
        parts = [f"padded({at(source, axis, plus(own if before else f'0 + {own}', -before))})"]
        for (side, k, count, place), there in zip(sides, _PLACES[mode], strict=True):
            if count:
                read = there.format(before=before, extent=extent, k=k)
                equations.append(f"{at(f'{side}{axis}', axis, k)} = {at(source, axis, read)}")
                ranges[k] = str(count)
                parts.append(f"padded({at(f'{side}{axis}', axis, place)})")
        source = "y" if axis == max(margins) else f"wide{axis}"
        equations.append(f"{at(source, axis, own)} = {' + '.join(parts)}")
    return tuple(equations), ranges


def _check(reading: Reading, mode: str, margins: Margins) -> None:
    """Refuse margins that there are not places for, and a number that nothing reads."""
    more = _EXCESS.get(mode)
    for axis, pair in margins.items():
        extent = reading.shapes[0][axis]
        if more is not None and isinstance(extent, int) and max(pair) + more > extent:
            raise SymbackpropError(
                f"padding is {max(pair)} along axis {axis + 1}, which has {extent} places; mode "
                f'"{mode}" allows at most {extent - more}'
            )
    if reading.fields["value"] != 0:
        raise SymbackpropError(f'value is set, which mode "{mode}" does not read')


def _margins(given: int | tuple[int, ...], axes: int) -> list[tuple[int, int]]:
    if isinstance(given, int):
        return [(given, given)] * axes
    if len(given) != 2 * axes:
        raise SymbackpropError(
            f"padding has {len(given)} numbers; allowed: 1, or {2 * axes}: before and after for "
            f"{'the axis' if axes == 1 else f'each of {axes} axes'}"
        )
    return list(zip(given[::2], given[1::2], strict=True))


ENTRIES = (
    written_layer(
        _padded,
        Reading(((2, 4, 5),), {"padding": (1, 1, 0, 2)}),
        name="pad",
        doc="A number around a sample, or its own places, on every axis but that of its channels.",
        source="PyTorch 2.x, torch.nn.functional.pad",
        fields={
            "padding": Field(
                required=True,
                least=0,
                several=True,
                examples=(1, 0, (1, 2), (0, 2, 1, 0), (0, 1, 1, 0, 2, 0), 3),
            ),
            "mode": Field("constant", words=("constant", *_PLACES), chosen=True),
        },
        constants={"value": 0.0},
        also_known_as=(
            "zero_pad",
            "constant_pad",
            *(
                f"{kind}Pad{k}d"
                for kind in ("Reflection", "Replication", "Circular")
                for k in (1, 2)
            ),
        ),
    ),
)
