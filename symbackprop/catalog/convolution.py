"""Convolutions, with PyTorch's meaning: the equations for any number of axes of space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symbackprop.definition import Body, Field, Layer, Parameter, Reading, written_layer
from symbackprop.equations import Extent
from symbackprop.errors import SymbackpropError
from symbackprop.sizes import Whole, factor_text

PLACES = {1: ("h",), 2: ("h", "w"), 3: ("d", "h", "w")}  # of an output, axis by axis
OFFSETS = ("u", "v", "t")  # in a window
WHOLE = ("p", "q", "r")  # of an input, axis by axis
SPACE = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(frozen=True)
class Axis:
    """How windows move along one axis of space.

    Attributes:
        name: of its extent.
        place: the index of a window; ``offset``: that within one.
        size: of a window; its places are ``dilation`` apart.
        stride: from one window to the next.
        before: how far the first window reaches over the edge, and ``after`` the last.
    """

    name: str
    place: str
    offset: str
    size: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def read(self) -> str:
        """The subscript of what a window reads."""
        scaled = times(self.stride, self.place), times(self.dilation, self.offset)
        return plus(" + ".join(scaled), -self.before)

    @property
    def reach(self) -> int:
        """How many places a window spans."""
        return self.dilation * (self.size - 1) + 1

    @property
    def extent(self) -> str:
        """How many windows there are."""
        inner = plus(self.name, self.before + self.after - self.reach)
        return plus(f"({inner})//{self.stride}" if self.stride > 1 else inner, 1)


def times(factor: Whole, name: str) -> str:
    """Return a multiple, as text."""
    return name if factor == 1 else f"{factor_text(factor)}*{name}"


def plus(text: str, number: Whole) -> str:
    """Return a sum with a number, as text."""
    if number == 0:
        return text
    if not isinstance(number, int):
        return f"{text} + {number}"
    return f"{text} {'+' if number > 0 else '-'} {abs(number)}"


def spatial(reading: Reading, layer: str, rank: int) -> tuple[Extent, ...]:
    """Return the extents of a sample: channels, then space.

    Raises:
        SymbackpropError: another number of axes.
    """
    (shape,) = reading.shapes
    if len(shape) != rank + 1:
        wanted = ", ".join(("channels", *SPACE[rank]))
        raise SymbackpropError(
            f"{layer} reads samples of {rank + 1} axes ({wanted}), its input has {len(shape)}"
        )
    return shape


def fitting(axis: Axis, extent: Extent) -> Axis:
    """Return the axis, along which a window lies within its extent and the padding.

    Raises:
        SymbackpropError: it is larger.
    """
    if not isinstance(extent, int) or axis.reach <= extent + axis.before + axis.after:
        return axis
    room = extent + axis.before + axis.after
    padded, dilated = (
        f", {room} with the padding" if room > extent else "",
        f" with dilation {axis.dilation}" if axis.dilation > 1 else "",
    )
    raise SymbackpropError(
        f"kernel_size is {axis.size}, the {axis.name} is {extent}{padded}; allowed: 1 to "
        f"{(room - 1) // axis.dilation + 1}{dilated}"
    )


def per_axis(name: str, value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """Return a field's number for each axis of space.

    Raises:
        SymbackpropError: a list of another length.
    """
    numbers = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(numbers) != rank:
        raise SymbackpropError(f"{name} has {len(numbers)} numbers; allowed: 1 or {rank}")
    return numbers


def padded(source: str, subscripts: Sequence[str], leaves: bool) -> str:
    """Return a read, which may leave the extents or may not."""
    read = f"{source}[{', '.join(subscripts)}]"
    return f"padded({read})" if leaves else read


def _axes(reading: Reading, space: Sequence[Extent]) -> list[Axis]:
    fields, rank = reading.fields, len(space)
    sizes, strides, dilations = (
        per_axis(name, fields[name], rank) for name in ("kernel_size", "stride", "dilation")
    )
    reaches = [d * (k - 1) for d, k in zip(dilations, sizes, strict=True)]
    padding = fields["padding"]
    if padding == "same":
        if any(stride > 1 for stride in strides):
            raise SymbackpropError(f'padding "same" needs stride 1, found {fields["stride"]}')
        edges = [(reach // 2, reach - reach // 2) for reach in reaches]
    else:
        found = per_axis("padding", 0 if padding == "valid" else padding, rank)
        edges = [(number, number) for number in found]
    names = zip(SPACE[rank], PLACES[rank], OFFSETS, strict=False)
    numbers = zip(sizes, strides, *zip(*edges, strict=True), dilations, strict=True)
    axes = (Axis(*pair, *rest) for pair, rest in zip(names, numbers, strict=True))
    return list(map(fitting, axes, space))


def _channels(reading: Reading, layer: str, channels: Extent) -> tuple[int, int, int]:
    """Return groups, and how many channels each reads and makes.

    Raises:
        SymbackpropError: the groups do not divide them.
    """
    groups, made = reading.fields["groups"], reading.fields["channels"]
    for what, count in (("channels of the input", channels), ("channels", made)):
        if not isinstance(count, int):
            raise SymbackpropError(f"{layer}: {what} have to be a number where groups are set")
        if count % groups:
            raise SymbackpropError(
                f"groups is {groups}; it must divide the {count} {what} of {layer}"
            )
    return groups, _number(channels) // groups, made // groups


def _number(extent: Extent) -> int:
    assert isinstance(extent, int)
    return extent


def _convolution(rank: int) -> Callable[[Reading], Body]:
    def written(reading: Reading) -> Body:
        layer = f"conv{rank}d"
        channels, *space = spatial(reading, layer, rank)
        axes = _axes(reading, space)
        kernel = tuple(str(axis.size) for axis in axes)
        place, offset = (", ".join(getattr(a, what) for a in axes) for what in ("place", "offset"))
        leaves = any(axis.before or axis.after for axis in axes)
        reads = [axis.read for axis in axes]
        ranges: dict[str, str] = {}
        inner = "in_channels"
        if reading.fields["groups"] == 1:
            read = padded("x", ["c", *reads], leaves)
            equations = [f"z[k, {place}] = total(c, {offset}, W[k, c, {offset}] * {read}) + b[k]"]
        else:
            groups, read_by, made = _channels(reading, layer, channels)
            inner = str(read_by)
            if read_by == made == 1:
                read = padded("x", ["k", *reads], leaves)
                body = f"W[k, 0, {offset}] * {read}"
                equations = [f"z[k, {place}] = total({offset}, {body}) + b[k]"]
            else:
                read = padded("part", ["g", "c", *reads], leaves)
                whole = ", ".join(WHOLE[:rank])
                weight = f"W[{times(made, 'g')} + m, c, {offset}]"
                equations = [
                    f"part[g, c, {whole}] = x[{times(read_by, 'g')} + c, {whole}]",
                    f"made[g, m, {place}] = total(c, {offset}, {weight} * {read})",
                    f"z[k, {place}] = made[k // {made}, k % {made}, {place}] + b[k]",
                ]
                ranges = {"g": str(groups), "c": inner, "m": str(made)}
        return Body(
            inputs={"x": ("in_channels", *SPACE[rank])},
            equations=tuple(equations),
            parameters={
                "W": Parameter(("channels", inner, *kernel)),
                "b": Parameter(("channels",), initial=0.0, option="bias"),
            },
            output=("channels", *(axis.extent for axis in axes)),
            roles=("channel", *["space"] * rank),
            ranges=ranges,
        )

    return written


_NUMBERS = {
    "kernel_size": Field(required=True, least=1, several=True),
    "stride": Field(1, least=1, several=True),
    "dilation": Field(1, least=1, several=True),
}
_KNOWN_AS = {
    "out_channels": "channels",
    "filters": "channels",
    "strides": "stride",
    "dilation_rate": "dilation",
    "use_bias": "bias",
}


def _layer(rank: int) -> Layer:
    return written_layer(
        _convolution(rank),
        Reading(((4, *(8, 6, 5)[:rank]),), {"channels": 3, "kernel_size": 3}),
        name=f"conv{rank}d",
        doc=f"Convolution over {rank} {'axis' if rank == 1 else 'axes'} of space.",
        source="LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document "
        "recognition, section II.A; Yu & Koltun 2016 for dilation",
        sizes=("channels",),
        options={"bias": True},
        fields={
            **_NUMBERS,
            "padding": Field(0, least=0, several=True, words=("same", "valid")),
            "groups": Field(1, least=1),
        },
        also_known_as=(f"convolution{rank}d",),
        fields_known_as=_KNOWN_AS,
        instead_of={"padding_mode": 'a layer of type "pad" before it has a mode'},
    )


def _transposed(rank: int) -> Callable[[Reading], Body]:
    """Return what writes a transposed convolution: one over x with zeros between its places."""

    def written(reading: Reading) -> Body:
        layer = f"conv_transpose{rank}d"
        channels, *_ = spatial(reading, layer, rank)
        gaps = _gaps(reading, rank)
        places, whole = ", ".join(PLACES[rank]), ", ".join(WHOLE[:rank])
        offsets = ", ".join(OFFSETS[:rank])
        ranges = {gap.place: gap.spread for gap in gaps}
        equations, source, own, made = [], "x", "c", "channels"
        if reading.fields["groups"] > 1:
            groups, read_by, made_by = _channels(reading, layer, channels)
            equations.append(f"part[g, c, {whole}] = x[{times(read_by, 'g')} + c, {whole}]")
            source, own, made = "part", "g, c", str(made_by)
            ranges |= {"g": str(groups), "c": str(read_by), "m": str(made_by)}
        if any(gap.stride > 1 for gap in gaps):
            condition = " and ".join(f"{g.place} % {g.stride} == 0" for g in gaps if g.stride > 1)
            read = f"{source}[{own}, {', '.join(gap.before for gap in gaps)}]"
            source = "apart"
            equations.append(f"apart[{own}, {whole}] = where({condition}, {read}, 0)")
        read = f"padded({source}[{own}, {', '.join(gap.read for gap in gaps)}])"
        if own == "c":
            body = f"total(c, {offsets}, W[c, k, {offsets}] * {read})"
            equations.append(f"z[k, {places}] = {body} + b[k]")
        else:
            weight = f"W[{times(read_by, 'g')} + c, m, {offsets}]"
            equations += [
                f"made[g, m, {places}] = total(c, {offsets}, {weight} * {read})",
                f"z[k, {places}] = made[k // {made}, k % {made}, {places}] + b[k]",
            ]
        return Body(
            inputs={"x": ("in_channels", *SPACE[rank])},
            equations=tuple(equations),
            parameters={
                "W": Parameter(("in_channels", made, *(str(gap.size) for gap in gaps))),
                "b": Parameter(("channels",), initial=0.0, option="bias"),
            },
            output=("channels", *(gap.extent for gap in gaps)),
            roles=("channel", *["space"] * rank),
            ranges=ranges,
        )

    return written


@dataclass(frozen=True)
class Gap:
    """How places of x stand apart along one axis, and what reads them.

    Attributes:
        spread: the extent with zeros between the places, at index ``place``.
        before: the place of x at that index.
        read: the subscript of what an output reads.
        extent: of the output.
    """

    size: int
    stride: int
    place: str
    spread: str
    before: str
    read: str
    extent: str


def _gaps(reading: Reading, rank: int) -> list[Gap]:
    names = ("kernel_size", "stride", "padding", "output_padding", "dilation")
    numbers = zip(*(per_axis(name, reading.fields[name], rank) for name in names), strict=True)
    found = []
    for k, (size, stride, padding, more, dilation) in enumerate(numbers):
        if more >= max(stride, dilation):
            raise SymbackpropError(
                f"output_padding is {more}; it must be less than the stride or the dilation"
            )
        place, spread = WHOLE[k], times(stride, SPACE[rank][k])
        before = f"{place} // {stride}" if stride > 1 else place
        read = f"{plus(PLACES[rank][k], padding)} - {times(dilation, OFFSETS[k])}"
        reach = dilation * (size - 1) + 1 + more
        extent = plus(spread, reach - 2 * padding - stride)
        found.append(Gap(size, stride, place, spread, before, read, extent))
    return found


def _transposed_layer(rank: int) -> Layer:
    return written_layer(
        _transposed(rank),
        Reading(((4, *(4, 3)[:rank]),), {"channels": 3, "kernel_size": 3, "stride": 2}),
        name=f"conv_transpose{rank}d",
        doc="Transposed convolution: each place of x adds a multiple of the kernel to the output.",
        source="Dumoulin & Visin 2016, A guide to convolution arithmetic for deep learning, "
        "section 4",
        sizes=("channels",),
        options={"bias": True},
        fields={
            **_NUMBERS,
            "padding": Field(0, least=0, several=True),
            "output_padding": Field(0, least=0, several=True),
            "groups": Field(1, least=1),
        },
        also_known_as=(f"ConvTranspose{rank}d", f"Conv{rank}DTranspose"),
        fields_known_as=_KNOWN_AS,
    )


ENTRIES = (_layer(1), _layer(2), _layer(3), _transposed_layer(1), _transposed_layer(2))
