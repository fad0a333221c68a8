"""Positions of a sequence's elements, added to them."""

from __future__ import annotations

from symbackprop.definition import Body, Field, Parameter, Reading, written_layer

_EXTENTS = {"x": ("length", "features")}


def _positional(reading: Reading) -> Body:
    if reading.fields["kind"] == "learned":
        positions = {"P": Parameter(("length", "features"))}
        return Body(_EXTENTS, ("z[t, i] = x[t, i] + P[t, i]",), positions)
    sine, cosine = "sin(t / 10000**(i / features))", "cos(t / 10000**((i - 1) / features))"
    equations = (f"z[t, i] = x[t, i] + where(i % 2 == 0, {sine}, {cosine})",)
    return Body(_EXTENTS, equations)


ENTRIES = (
    written_layer(
        _positional,
        Reading(((16, 64),)),
        name="positional",
        doc="Adds to every element of a sequence what its position is: sines, or learned numbers.",
        source="Vaswani et al. 2017, arXiv:1706.03762, section 3.5",
        fields={"kind": Field(default="sinusoidal", words=("sinusoidal", "learned"), chosen=True)},
        also_known_as=("positional_encoding", "position_embedding", "positional_embedding"),
    ),
)
