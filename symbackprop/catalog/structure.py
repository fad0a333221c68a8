"""Layers that join several values; they learn nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symbackprop.catalog.rearranging import axis_of, shown
from symbackprop.definition import Body, Field, Reading, index_letters, written_layer
from symbackprop.equations import Extent
from symbackprop.errors import SymbackpropError
from symbackprop.sizing import extent_text


def _joined(operator: str) -> Callable[[Reading], Body]:
    """Return what writes ``x1 + x2 + ...``: axes of one number are repeated, as in NumPy."""

    def written(reading: Reading) -> Body:
        shapes = reading.shapes
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
        found = " and ".join(map(extent_text, extents))
        raise SymbackpropError(
            f"axis {axis + 1} has the extents {found}; all must be equal, or 1 to be repeated"
        )
    return widths[0] if widths else 1


def _concatenated(reading: Reading) -> Body:
    """Write ``y[i] = padded(x1[i]) + padded(x2[i - n])``, where n is the extent of x1."""
    shapes = reading.shapes
    rank = len(shapes[0])
    axis = axis_of("axis", reading.fields["axis"], rank)
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) > 1:
        raise SymbackpropError(
            f"joins values along axis {axis + 1}, found the shapes "
            f"{' and '.join(map(shown, shapes))}; all other axes must be the same"
        )
    letters = index_letters(rank)
    inputs: dict[str, tuple[str, ...]] = {}
    reads = []
    before: list[str] = []
    for number in range(1, len(shapes) + 1):
        widths, read = [f"extent{place}" for place in range(rank)], [*letters]
        widths[axis] = f"width{number}"
        read[axis] = " - ".join([letters[axis], *before]) if before else f"0 + {letters[axis]}"
        inputs[f"x{number}"] = tuple(widths)
        reads.append(f"padded(x{number}[{', '.join(read)}])")
        before.append(widths[axis])
    output = (*inputs["x1"][:axis], " + ".join(before), *inputs["x1"][axis + 1 :])
    return Body(inputs, (f"y[{', '.join(letters)}] = {' + '.join(reads)}",), output=output)


_PAIR = Reading(((4,), (4,)))

ENTRIES = (
    written_layer(
        _joined("+"),
        _PAIR,
        reads=(2, None),
        name="add",
        doc="Sum of two values or more, as in a residual connection.",
        source="He, Zhang, Ren & Sun 2016, Deep residual learning for image recognition, "
        "equation (1)",
        also_known_as=("sum", "residual"),
    ),
    written_layer(
        _joined("*"),
        _PAIR,
        reads=(2, None),
        name="multiply",
        doc="Product of two values or more, number by number, as in a gate.",
        source="Srivastava, Greff & Schmidhuber 2015, Highway networks, equation (2)",
        also_known_as=("mul", "product"),
    ),
    written_layer(
        _concatenated,
        _PAIR,
        reads=(2, None),
        name="concatenate",
        doc="Values side by side along one axis, the last or the one that counts the batch as 0.",
        source="NumPy 2.0, numpy.concatenate",
        fields={"axis": Field(default=-1)},
        also_known_as=("concat", "cat"),
        fields_known_as={"dim": "axis"},
    ),
)
