"""Layers that show the same numbers in another shape, or some of them; they learn nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import prod

from symbackprop.catalog.convolution import plus, times
from symbackprop.definition import Body, Field, Reading, index_letters, written_layer
from symbackprop.equations import Extent
from symbackprop.errors import SymbackpropError
from symbackprop.sizes import UndecidedError, Whole, named, product
from symbackprop.sizes import shown as text
from symbackprop.sizing import extent_text, size_of

_FLAT = "klmpqrs"  # letters that run over several axes at once
_ROLES = {1: ("feature",), 2: ("time", "feature")}  # what axes stand for, by how many there are


def one_value(reading: Reading) -> tuple[Sequence[Extent], tuple[str, ...], tuple[str, ...]]:
    """Return the shape of the one value that is read, names for its extents, and letters."""
    (shape,) = reading.shapes
    return shape, tuple(f"extent{axis}" for axis in range(len(shape))), index_letters(len(shape))


def axis_of(name: str, value: int, rank: int) -> int:
    """Return the axis of a sample, from 0, that a field says with the batch as 0.

    Args:
        name: of the field.
        value: negative from the end.
        rank: how many axes a sample has.

    Raises:
        SymbackpropError: the batch, or an axis that is not there.
    """
    place = value + rank + 1 if value < 0 else value
    if not 1 <= place <= rank:
        raise SymbackpropError(
            f"{name} is {value}; allowed: 1 to {rank} (the batch is 0), or -{rank} to -1 "
            "from the end"
        )
    return place - 1


def sizes_of(shape: Sequence[Extent], extents: Sequence[str]) -> list[Whole]:
    """Return the extents to compute with: those without a number by what equations call them."""
    pairs = zip(shape, extents, strict=True)
    return [extent if isinstance(extent, int) else named(name) for extent, name in pairs]


def shown(shape: Sequence[Extent]) -> str:
    """Return the shape as messages write it."""
    texts = [extent_text(extent) for extent in shape]
    return f"({', '.join(texts)}{',' if len(shape) == 1 else ''})"


def digits(letter: str, extents: Iterable[str]) -> list[str]:
    """Return the subscripts that read axes of these extents by one index, row by row."""
    found, extents = [], list(extents)
    for axis, extent in enumerate(extents):
        inner = " * ".join(extents[axis + 1 :])
        step = f" // ({inner})" if "*" in inner else f" // {inner}" if inner else ""
        found.append(f"{letter}{step}{f' % {extent}' if axis else ''}")
    return found


def _transposed(reading: Reading) -> Body:
    """Write ``y[i, t] = x[t, i]``."""
    shape, extents, letters = one_value(reading)
    given = reading.fields["axes"]
    axes = given if isinstance(given, tuple) else (given,)
    wanted = list(range(len(shape) + 1))
    if sorted(axes) != wanted or axes[0] != 0:
        found = ", ".join(map(str, axes))
        raise SymbackpropError(
            f"axes is [{found}]; it must hold 0, the batch, and after it each of "
            f"{', '.join(map(str, wanted[1:]))} once"
        )
    order = [letters[axis - 1] for axis in axes[1:]]
    return Body({"x": extents}, (f"y[{', '.join(order)}] = x[{', '.join(letters)}]",))


def _flattened(reading: Reading) -> Body:
    """Write ``y[k] = x[k // (b * c), k // c % b, k % c]``."""
    shape, extents, letters = one_value(reading)
    first, last = (axis_of(n, reading.fields[n], len(shape)) for n in ("start_dim", "end_dim"))
    if first > last:
        raise SymbackpropError(
            f"start_dim is axis {first + 1} and end_dim is axis {last + 1} of a value with "
            f"{len(shape)} axes; the first must not come after the last"
        )
    merged = extents[first : last + 1]
    if len(merged) == 1:
        indices = ", ".join(letters)
        return Body({"x": extents}, (f"y[{indices}] = x[{indices}]",))
    before, after = letters[:first], letters[last + 1 :]
    read = [*before, *digits(_FLAT[0], merged), *after]
    return Body(
        {"x": extents},
        (f"y[{', '.join([*before, _FLAT[0], *after])}] = x[{', '.join(read)}]",),
        output=(*extents[:first], " * ".join(merged), *extents[last + 1 :]),
    )


def _reshaped(reading: Reading) -> Body:
    """Return the body of a reshape; errors call extents what users call them."""
    try:
        return _row_by_row(reading)
    except SymbackpropError as error:
        (shape,) = reading.shapes
        own = [text(size_of(extent, {})) for extent in shape]
        found = re.sub(r"\bextent(\d)\b", lambda match: own[int(match[1])], str(error))
        raise SymbackpropError(found) from None


def _row_by_row(reading: Reading) -> Body:
    """Write axes that become one by its digits, and an axis that becomes several by a sum.

    Where several become several others, all are one axis in between.
    """
    shape, extents, _ = one_value(reading)
    old = sizes_of(shape, extents)
    new = _wanted(reading.fields["shape"], old)
    letters = index_letters(len(new))
    equations, ranges, source, read = [], {}, "x", _matched(old, new)
    if any(len(here) > 1 and len(there) > 1 for here, there in read):
        flat = dict(zip(_FLAT, read, strict=False))
        inner = [item for k, (here, _) in flat.items() for item in digits(k, map(str, here))]
        ranges = {k: str(product(here)) for k, (here, _) in flat.items()}
        equations.append(f"f[{', '.join(flat)}] = x[{', '.join(inner)}]")
        source, read = "f", [((product(here),), there) for here, there in read]
    places: list[str] = []
    used = iter(letters)
    for here, there in read:
        own = [next(used) for _ in there]
        if len(own) == 1:
            places += digits(own[0], map(str, here))
        else:
            steps = (product(there[k + 1 :]) for k in range(len(there)))
            places.append(" + ".join(map(times, steps, own)))
    equations.append(f"y[{', '.join(letters)}] = {source}[{', '.join(places)}]")
    return Body(
        {"x": extents},
        tuple(equations),
        output=tuple(map(str, new)),
        roles=_ROLES.get(len(new), ("channel", *["space"] * (len(new) - 1))),
        ranges=ranges,
    )


def _matched(
    old: Sequence[Whole], new: Sequence[Whole]
) -> list[tuple[tuple[Whole, ...], tuple[Whole, ...]]]:
    """Return the shortest runs of axes, old and new, that hold as many numbers.

    Where names leave open which run is the shorter, the last one is all the rest.
    """
    found: list[tuple[tuple[Whole, ...], tuple[Whole, ...]]] = []
    here, there = [0, 1], [0, 1]  # start and stop of the runs
    while True:
        run, other = old[slice(*here)], new[slice(*there)]
        if product(run) != product(other):
            try:
                shorter = here if product(run) < product(other) else there
            except UndecidedError:
                return [*found, (tuple(old[here[0] :]), tuple(new[there[0] :]))]
            shorter[1] += 1
            continue
        if here[1] == len(old) or there[1] == len(new):
            return [*found, (tuple(old[here[0] :]), tuple(new[there[0] :]))]
        found.append((tuple(run), tuple(other)))
        here, there = [here[1], here[1] + 1], [there[1], there[1] + 1]


def _wanted(given: int | tuple[int, ...], old: Sequence[Whole]) -> tuple[Whole, ...]:
    """Return the shape that is asked for, its -1 replaced by what is left over."""
    new = given if isinstance(given, tuple) else (given,)
    count, known = product(old), prod(extent for extent in new if extent != -1)
    if len(index_letters(len(new))) < len(new):
        raise SymbackpropError(f"shape has {len(new)} axes; at most {len(_FLAT)} are allowed")
    if 0 in new or new.count(-1) > 1:
        raise SymbackpropError(
            f"shape is {shown(new)}; allowed: numbers from 1, and -1 once for what is left over"
        )
    if count != known and (-1 not in new or count // known * known != count):
        raise SymbackpropError(
            f"shape {shown(new)} holds {known} numbers, a sample of shape {shown(old)} has {count}"
        )
    return tuple(count // known if extent == -1 else extent for extent in new)


def _sliced(reading: Reading) -> Body:
    """Write ``y[i] = x[step*i + start]``."""
    shape, extents, letters = one_value(reading)
    fields = reading.fields
    axis = axis_of("axis", fields["axis"], len(shape))
    extent = sizes_of(shape, extents)[axis]
    start, stop = _bounds(fields["start"], fields["stop"], extent)
    count = (stop - start + fields["step"] - 1) // fields["step"]
    if isinstance(count, int) and count < 1:
        raise SymbackpropError(
            f"start {fields['start']} and stop {fields['stop']} leave nothing of the {extent} "
            f"places of axis {axis + 1}"
        )
    place = plus(times(fields["step"], letters[axis]), start)
    if place == letters[axis] and count != extent:
        place = f"0 + {place}"  # a bare index would run over the whole axis
    read = ", ".join([*letters[:axis], place, *letters[axis + 1 :]])
    return Body(
        {"x": extents},
        (f"y[{', '.join(letters)}] = x[{read}]",),
        output=(*extents[:axis], str(count), *extents[axis + 1 :]),
    )


def _bounds(start: int, stop: int | None, extent: Whole) -> tuple[Whole, Whole]:
    """Return where a slice of an axis begins and ends; of one with a name it lies inside."""
    if isinstance(extent, int):
        first, end, _ = slice(start, stop).indices(extent)
        return first, end
    begin = extent + start if start < 0 else start
    if stop is None:
        return begin, extent
    return begin, extent + stop if stop < 0 else stop


ENTRIES = (
    written_layer(
        _transposed,
        Reading(((3, 4),), {"axes": (0, 2, 1)}),
        name="transpose",
        doc="Axes in another order, which counts the batch as 0 and leaves it first.",
        source="NumPy 2.0, numpy.transpose",
        fields={
            "axes": Field(
                required=True,
                least=0,
                several=True,
                examples=((0, 2, 1), (0, 1), (0, 3, 1, 2), (0, 2, 1, 3), (0, 4, 2, 3, 1)),
            )
        },
        also_known_as=("permute",),
        fields_known_as={"dims": "axes"},
    ),
    written_layer(
        _flattened,
        Reading(((2, 3, 4),)),
        name="flatten",
        doc="Several axes as one, the last of them running fastest.",
        source="PyTorch 2.x, torch.nn.Flatten",
        fields={"start_dim": Field(default=1), "end_dim": Field(default=-1)},
    ),
    written_layer(
        _reshaped,
        Reading(((2, 6),), {"shape": (3, 4)}),
        name="reshape",
        doc="The same numbers, row by row, as a sample of another shape; -1 is what is left over.",
        source="NumPy 2.0, numpy.reshape",
        fields={
            "shape": Field(
                required=True,
                least=-1,
                several=True,
                examples=(-1, (3, -1), (2, -1, 2), (-1, 1, 2), (1, 6, 4), (6, 1), (2, 2, -1, 1)),
            )
        },
        also_known_as=("view", "unflatten"),
        fields_known_as={"target_shape": "shape", "unflattened_size": "shape"},
    ),
    written_layer(
        _sliced,
        Reading(((5, 4),)),
        name="slice",
        doc="Some places of one axis, which counts the batch as 0.",
        source="NumPy 2.0, basic slicing",
        fields={
            "axis": Field(default=-1),
            "start": Field(default=0),
            "stop": Field(),
            "step": Field(default=1, least=1),
        },
        also_known_as=("narrow", "crop"),
        fields_known_as={"dim": "axis", "end": "stop"},
    ),
)
