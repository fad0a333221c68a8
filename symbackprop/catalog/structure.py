"""Layers that join, cut and rearrange values; they learn nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symbackprop.definition import Body, Field, Reading, index_letters, written_layer
from symbackprop.equations import Extent
from symbackprop.errors import SymbackpropError


def _joined(operator: str) -> Callable[[Reading], Body]:
    """Return what writes ``x1 + x2 + ...``: axes of one number are repeated, as in NumPy."""

    def written(reading: Reading) -> Body:
        shapes = reading.shapes
        if len(shapes) < 2:
            raise SymbackpropError('joins two values or more: from = ["a", "b"]')
        if len({len(shape) for shape in shapes}) > 1:
            raise SymbackpropError(f"values of {_ranks(shapes)} axes; all must have as many")
        letters = index_letters(len(shapes[0]))
        widths = [_common([shape[axis] for shape in shapes], axis) for axis in range(len(letters))]
        inputs, reads = {}, []
        for number, shape in enumerate(shapes, start=1):
            repeated = [width != extent for width, extent in zip(widths, shape, strict=True)]
            inputs[f"x{number}"] = tuple(
                f"one{axis}" if once else f"extent{axis}" for axis, once in enumerate(repeated)
            )
            places = ("0" if once else k for once, k in zip(repeated, letters, strict=True))
            reads.append(f"x{number}[{', '.join(places)}]")
        return Body(inputs, (f"y[{', '.join(letters)}] = {f' {operator} '.join(reads)}",))

    return written


def _ranks(shapes: Sequence[Sequence[Extent]]) -> str:
    return " and ".join(str(len(shape)) for shape in shapes)


def _common(extents: Sequence[Extent], axis: int) -> Extent:
    """Return the extent that the others are equal to, or repeated along."""
    widths = [extent for extent in extents if extent != 1]
    if any(width != widths[0] for width in widths):
        found = " and ".join(map(str, extents))
        raise SymbackpropError(
            f"axis {axis + 1} has the extents {found}; all must be equal, or 1 to be repeated"
        )
    return widths[0] if widths else 1


def _one(reading: Reading) -> tuple[Sequence[Extent], tuple[str, ...], tuple[str, ...]]:
    """Return the shape of the one value that is read, names for its extents, and letters."""
    if len(reading.shapes) != 1:
        raise SymbackpropError(f"reads one value, from names {len(reading.shapes)}")
    (shape,) = reading.shapes
    return shape, tuple(f"extent{axis}" for axis in range(len(shape))), index_letters(len(shape))


def _transposed(reading: Reading) -> Body:
    """Write ``y[i, t] = x[t, i]``."""
    shape, extents, letters = _one(reading)
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


_PAIR = Reading(((4,), (4,)))

ENTRIES = (
    written_layer(
        _joined("+"),
        _PAIR,
        name="add",
        doc="Sum of two values or more, as in a residual connection.",
        source="He, Zhang, Ren & Sun 2016, Deep residual learning for image recognition, "
        "equation (1)",
        also_known_as=("sum", "residual"),
    ),
    written_layer(
        _joined("*"),
        _PAIR,
        name="multiply",
        doc="Product of two values or more, number by number, as in a gate.",
        source="Srivastava, Greff & Schmidhuber 2015, Highway networks, equation (2)",
        also_known_as=("mul", "product"),
    ),
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
)
