"""Pools, with PyTorch's meaning: the equations for any number of axes of space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

from symbackprop.catalog.convolution import (
    OFFSETS,
    PLACES,
    SPACE,
    WHOLE,
    Axis,
    fitting,
    padded,
    per_axis,
    plus,
    spatial,
    times,
)
from symbackprop.definition import Body, Field, Layer, Reading, written_layer
from symbackprop.equations import Extent
from symbackprop.errors import SymbackpropError


def _axes(reading: Reading, layer: str, rank: int) -> list[Axis]:
    """Return how windows move; with ``ceil_mode`` the last may reach over the edge.

    Raises:
        SymbackpropError: padding of more than half a window, which PyTorch refuses, too.
    """
    _, *space = spatial(reading, layer, rank)
    fields = reading.fields
    sizes = per_axis("kernel_size", fields["kernel_size"], rank)
    stride = fields["kernel_size"] if fields["stride"] is None else fields["stride"]
    paddings = per_axis("padding", fields["padding"], rank)
    if any(2 * p > k for p, k in zip(paddings, sizes, strict=True)):
        raise SymbackpropError(
            f"padding is {fields['padding']}; at most half of the kernel_size, "
            f"{fields['kernel_size']}"
        )
    found = []
    strides = per_axis("stride", stride, rank)
    dilations = per_axis("dilation", fields.get("dilation", 1), rank)
    numbers = zip(sizes, strides, paddings, paddings, dilations, strict=True)
    names = zip(SPACE[rank], PLACES[rank], OFFSETS, strict=False)
    for extent, name, number in zip(space, names, numbers, strict=True):
        taken = _reaching if fields["ceil_mode"] else fitting
        found.append(taken(Axis(*name, *number), extent))
        _check_reads(found[-1], extent)
    return found


def _check_reads(axis: Axis, extent: Extent) -> None:
    """Refuse a window whose places, some apart, all lie in the padding: it has no largest one.

    Of an extent that is a name, the small ones are tried.
    """
    margin = axis.after - axis.reach
    least = max(1, -axis.before - margin)
    for length in [extent] if isinstance(extent, int) else range(least, axis.dilation):
        starts = range(-axis.before, min(0, length + margin + 1), axis.stride)
        if any(start % axis.dilation >= length for start in starts):
            raise SymbackpropError(
                f"padding {axis.before} and dilation {axis.dilation} leave a window nothing to "
                f"read where the {axis.name} is {length}; allowed: no padding, or a dilation of "
                f"at most {length}"
            )


def _reaching(axis: Axis, extent: Extent) -> Axis:
    """Return the axis with all windows that start inside, or in the padding before.

    The last of them ends at most a stride beyond the padding.
    """
    most = fitting(replace(axis, after=min(axis.before + axis.stride, axis.reach) - 1), extent)
    if not isinstance(extent, int):
        return most
    unread = (extent + most.before + most.after - most.reach) % most.stride
    return replace(axis, after=max(axis.after, most.after - unread))


def _body(axes: Sequence[Axis], equations: Callable[[str, str, str], Sequence[str]]) -> Body:
    """Return the body whose equations read (place, offset, what a window reads)."""
    place, offset = (", ".join(getattr(a, what) for a in axes) for what in ("place", "offset"))
    leaves = any(axis.before or axis.after for axis in axes)
    read = padded("x", ["c", *(axis.read for axis in axes)], leaves)
    return Body(
        inputs={"x": ("channels", *(axis.name for axis in axes))},
        equations=tuple(equations(place, offset, read)),
        output=("channels", *(axis.extent for axis in axes)),
        roles=("channel", *["space"] * len(axes)),
        ranges={axis.offset: str(axis.size) for axis in axes},
    )


def _max_pool(rank: int) -> Callable[[Reading], Body]:
    def equations(place: str, offset: str, read: str) -> list[str]:
        return [f"z[c, {place}] = largest({offset}, {read})"]

    return lambda reading: _body(_axes(reading, f"max_pool{rank}d", rank), equations)


def _avg_pool(rank: int) -> Callable[[Reading], Body]:
    def written(reading: Reading) -> Body:
        axes = _axes(reading, f"avg_pool{rank}d", rank)
        fields = reading.fields
        count = fields.get("divisor_override") or _count(axes, fields["count_include_pad"])

        def equations(place: str, offset: str, read: str) -> list[str]:
            return [f"z[c, {place}] = total({offset}, {read}) / {count}"]

        return _body(axes, equations)

    return written


def _count(axes: Sequence[Axis], padding: bool) -> str:
    """Return how many places a window averages: what reaches over the edge does not count."""
    whole = [axis.size for axis in axes if not _varies(axis, padding)]
    varying = [_length(axis, padding) for axis in axes if _varies(axis, padding)]
    factors = [*([str(prod(whole))] if prod(whole) > 1 or not varying else []), *varying]
    return f"({' * '.join(factors)})" if len(factors) > 1 else factors[0]


def _varies(axis: Axis, padding: bool) -> bool:
    return axis.after > axis.before if padding else bool(axis.before or axis.after)


def _length(axis: Axis, padding: bool) -> str:
    start = times(axis.stride, axis.place)
    edge = plus(axis.name, axis.before if padding else 0)
    stop = f"minimum({plus(start, axis.size - axis.before)}, {edge})"
    first = plus(start, -axis.before)
    return f"({stop} - {first if padding else f'maximum({first}, 0)'})".replace(
        f"- {first})", f"- ({first}))"
    )


def _adaptive(rank: int) -> Callable[[Reading], Body]:
    def written(reading: Reading) -> Body:
        layer = f"adaptive_avg_pool{rank}d"
        _, *space = spatial(reading, layer, rank)
        extents = [e if isinstance(e, int) else n for e, n in zip(space, SPACE[rank], strict=True)]
        sizes = per_axis("output_size", reading.fields["output_size"], rank)
        indices = list(WHOLE[:rank])
        equations, ranges, source = [], {}, "x"
        for k, (extent, size) in enumerate(zip(extents, sizes, strict=True)):
            before = [*indices[:k], "{}", *indices[k + 1 :]]
            read = f"{source}[c, {', '.join(before)}]"
            indices[k] = PLACES[rank][k]
            source = "z" if k == rank - 1 else f"mean{'abc'[k]}"
            target = f"{source}[c, {', '.join(indices)}]"
            ranges[indices[k]] = str(size)
            equations.append(f"{target} = {_mean(read, extent, size, indices[k], k)}")
            if isinstance(extent, int) and extent % size == 0:
                ranges[OFFSETS[k]] = str(extent // size)
        return Body(
            inputs={"x": ("channels", *SPACE[rank])},
            equations=tuple(equations),
            output=("channels", *map(str, sizes)),
            roles=("channel", *["space"] * rank),
            ranges=ranges,
        )

    return written


def _mean(read: str, extent: int | str, size: int, place: str, axis: int) -> str:
    """Return the mean over the part of an axis that output ``place`` stands for.

    An extent that is known by its name alone may leave a remainder.
    """
    if isinstance(extent, int) and extent % size == 0:
        count, offset = extent // size, OFFSETS[axis]
        return f"total({offset}, {read.format(f'{times(count, place)} + {offset}')}) / {count}"
    whole = WHOLE[axis]
    if isinstance(extent, int):
        first, last = times(extent, place), plus(times(extent, place), extent + size - 1)
    else:
        first, last = f"{extent}*{place}", plus(f"{extent}*{place} + {extent}", size - 1)
    start, stop = f"{first} // {size}", f"({last}) // {size}"
    inside = f"where({start} <= {whole} and {whole} < {stop}, 1, 0)"
    return f"total({whole}, {inside} * {read.format(whole)}) / ({stop} - {start})"


def _global(equation: str) -> Callable[[Reading], Body]:
    def written(reading: Reading) -> Body:
        (shape,) = reading.shapes
        rank = len(shape) - 1
        if rank not in SPACE:
            raise SymbackpropError(
                f"a global pool reads samples of 2 to 4 axes (channels, then space), "
                f"found {len(shape)}"
            )
        letters = ", ".join(WHOLE[:rank])
        text = equation.format(letters=letters, count=" * ".join(SPACE[rank]))
        return Body(inputs={"x": ("channels", *SPACE[rank])}, equations=(text,))

    return written


def _upsample(reading: Reading) -> Body:
    (shape,) = reading.shapes
    rank = len(shape) - 1
    if rank not in SPACE:
        raise SymbackpropError(
            f"upsample reads samples of 2 to 4 axes (channels, then space), found {len(shape)}"
        )
    factors = per_axis("scale_factor", reading.fields["scale_factor"], rank)
    places = PLACES[rank]
    read = [f"{place} // {k}" for place, k in zip(places, factors, strict=True)]
    return Body(
        inputs={"x": ("channels", *SPACE[rank])},
        equations=(f"z[c, {', '.join(places)}] = x[c, {', '.join(read)}]",),
        output=("channels", *map(times, factors, SPACE[rank])),
        roles=("channel", *["space"] * rank),
    )


_FIELDS = {
    "kernel_size": Field(required=True, least=1, several=True),
    "stride": Field(None, least=1, several=True),
    "padding": Field(0, least=0, several=True),
}
_KNOWN_AS = {"pool_size": "kernel_size", "strides": "stride"}
_EXAMPLE = {"kernel_size": 2}


def _pool(rank: int, kind: str, written: Callable[[Reading], Body], doc: str) -> Layer:
    keras = {"max": f"MaxPooling{rank}D", "avg": f"AveragePooling{rank}D"}[kind]
    options = {"ceil_mode": False, **({"count_include_pad": True} if kind == "avg" else {})}
    fields = {**_FIELDS, **({"dilation": Field(1, least=1, several=True)} if kind == "max" else {})}
    if (kind, rank) == ("avg", 2):  # as in PyTorch: of two axes and more
        fields["divisor_override"] = Field(least=1)
    return written_layer(
        written,
        Reading(((3, *(6, 4)[:rank]),), _EXAMPLE),
        name=f"{kind}_pool{rank}d",
        source="Goodfellow, Bengio & Courville 2016, Deep learning, section 9.3",
        doc=doc,
        options=options,
        fields=fields,
        also_known_as=(keras,),
        fields_known_as=_KNOWN_AS,
    )


def _adaptive_layer(rank: int) -> Layer:
    return written_layer(
        _adaptive(rank),
        Reading(((3, *(6, 4)[:rank]),), {"output_size": 2}),
        name=f"adaptive_avg_pool{rank}d",
        source="He, Zhang, Ren & Sun 2014, Spatial pyramid pooling in deep convolutional networks, "
        "section 2.2",
        doc="Mean over each of a given number of parts of every axis of space.",
        fields={"output_size": Field(required=True, least=1, several=True)},
    )


_GLOBAL = Reading(((3, 6, 4),))
ENTRIES = (
    *(
        _pool(rank, "max", _max_pool(rank), "Largest of each window; the first one, at a tie.")
        for rank in (1, 2)
    ),
    *(_pool(rank, "avg", _avg_pool(rank), "Mean of each window.") for rank in (1, 2)),
    *(_adaptive_layer(rank) for rank in (1, 2)),
    written_layer(
        _global("z[c] = total({letters}, x[c, {letters}]) / ({count})"),
        _GLOBAL,
        name="global_avg_pool",
        doc="Mean of each channel.",
        source="Lin, Chen & Yan 2014, Network in network, section 3.2",
        also_known_as=("GlobalAveragePooling2D", "GlobalAveragePooling1D"),
    ),
    written_layer(
        _global("z[c] = largest({letters}, x[c, {letters}])"),
        _GLOBAL,
        name="global_max_pool",
        source="Goodfellow, Bengio & Courville 2016, Deep learning, section 9.3",
        doc="Largest of each channel.",
        also_known_as=("GlobalMaxPooling2D", "GlobalMaxPooling1D"),
    ),
    written_layer(
        _upsample,
        Reading(((3, 3, 2),), {"scale_factor": 2}),
        name="upsample",
        source="Gonzalez & Woods 2018, Digital image processing, section 2.4",
        doc="Every place several times over: nearest neighbours.",
        fields={"scale_factor": Field(required=True, least=1, several=True)},
        also_known_as=("UpSampling2D",),
        fields_known_as={"size": "scale_factor"},
    ),
)
