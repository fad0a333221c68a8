"""Layers whose equations a function writes, from the ranks and the fields of a use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symbackprop.architecture import Architecture, LayerUse
from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.definition import Body, Field, Parameter, Reading, written_layer
from symbackprop.equations import Role
from symbackprop.errors import SymbackpropError
from symbackprop.notation.toml import read_toml
from symbackprop.show import catalog_text


def _part(reading: Reading) -> Body:
    """A part of the last axis, of as many numbers as ``count`` says, weighed."""
    if len(reading.shapes[0]) > 3:
        raise SymbackpropError("at most 3 axes")
    rest = [f"e{k}" for k in range(len(reading.shapes[0]) - 1)]
    letters = "".join(f"{letter}, " for letter in "jkl"[: len(rest)])
    count = reading.fields["count"][0]
    return Body(
        inputs={"x": (*rest, "features")},
        equations=(f"y[{letters}i] = g[i] * x[{letters}start + i]",),
        parameters={"g": Parameter((str(count),), 1.0)},
        output=(*rest, str(count)),
    )


PART = written_layer(
    _part,
    Reading(((4,),), {"count": (2,)}),
    name="part",
    doc="Some of the last axis.",
    fields={
        "count": Field(required=True, least=1, several=True),
        "start": Field(default=0, least=0),
        "mode": Field(default="plain", words=("plain",)),
    },
)


def built(shape, **fields):
    use = LayerUse("part", "layer 1 (part)", fields=fields)
    return build_network(Architecture("net", shape, (use,)), CATALOG.with_definitions((PART,)))


def test_the_entry_shows_the_equations_of_its_example():
    assert PART.equations == ("y[i] = g[i] * x[start + i]",)
    assert PART.written is _part


@pytest.mark.parametrize(
    ("shape", "extents"), [((4,), (2,)), ((3, 4), (3, 2)), ((3, "T", 4), (3, "T", 2))]
)
def test_equations_follow_the_rank(shape, extents):
    network = built(shape, count=(2,), start=1)
    found = [axis.extent for axis in network.output.axes[1:]]
    assert [getattr(extent, "name", extent) for extent in found] == list(extents)
    assert len(network.layers[0].equations) == 1


def test_a_part_of_an_axis_stands_for_what_the_axis_does():
    roles = [axis.role for axis in built((2, 3, 4), count=(2,)).output.axes]
    assert roles == [Role.BATCH, Role.CHANNEL, Role.SPACE, Role.SPACE]


def test_roles_can_be_declared():
    def written(reading):
        return replace(_part(reading), roles=("feature", "time", "kernel"))

    own = written_layer(
        written, Reading(((2, 3, 4),), {"count": (2,)}), name="o", fields=PART.fields
    )
    use = LayerUse("o", "layer 1 (o)", fields={"count": (2,)})
    network = build_network(
        Architecture("net", (2, 3, 4), (use,)), CATALOG.with_definitions((own,))
    )
    assert [axis.role for axis in network.output.axes[1:]] == [
        Role.FEATURE,
        Role.TIME,
        Role.KERNEL,
    ]


@pytest.mark.parametrize(
    ("shape", "fields", "found"),
    [
        ((4,), {}, "part needs the field 'count'"),
        ((4,), {"count": (0,)}, "count is (0,); it must be a whole number from 1, or a list of"),
        ((4,), {"count": ()}, "count is (); it must be"),
        ((4,), {"count": (2,), "start": -1}, "start is -1; it must be a whole number from 0"),
        ((4,), {"count": (2,), "start": True}, "start is True; it must be"),
        ((4,), {"count": (2,), "start": (1,)}, "start is (1,); it must be a whole number from 0"),
        (
            (4,),
            {"count": (2,), "mode": "x"},
            "mode is 'x'; it must be a whole number, or \"plain\"",
        ),
        ((4,), {"count": (2,), "starts": 1}, "part has no field 'starts'; did you mean 'start'?"),
        ((4,), {"count": (5,)}, "x is read outside its extent 4"),
        ((4, 4, 4, 4), {"count": (1,)}, "at most 3 axes"),
    ],
)
def test_mistakes(shape, fields, found):
    with pytest.raises(SymbackpropError) as caught:
        built(shape, **fields)
    assert str(caught.value).startswith("layer 1 (part): ")
    assert found in str(caught.value)


def toml(line):
    return f'spec = 1\n[network]\ninput = [4]\n[[layer]]\ntype = "part"\n{line}\n'


def test_a_file_sets_the_fields():
    catalog = CATALOG.with_definitions((PART,))
    use = read_toml(toml("count = [2]\nstart = 1"), "net.toml", catalog).layers[0]
    assert use.fields == {"count": (2,), "start": 1}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("start = 1", "count is missing; part needs it"),
        ("count = [1.5]", "count: found an array; allowed: a whole number from 1, or a list of"),
        ("count = [1]\nstart = []", "start: found an array; allowed: a whole number from 0"),
        ("count = 1\nmode = 'a'", "mode: found 'a'; allowed: a whole number, or \"plain\""),
    ],
)
def test_mistakes_in_a_file(line, found):
    with pytest.raises(SymbackpropError, match=r"layer 1 \(part\)") as caught:
        read_toml(toml(line), "net.toml", CATALOG.with_definitions((PART,)))
    assert found in str(caught.value)


def test_the_list_says_for_what_the_equations_are():
    text = catalog_text(CATALOG.with_definitions((PART,)), "part")
    assert "for (N, 4), count = [2]; others follow their shapes and fields" in text
    assert "fields: count\n" in text
    assert "start = 0, mode = 'plain'" in text


def written_entries():
    return [entry for entry in CATALOG.layers.values() if entry.written]


@pytest.mark.parametrize("entry", written_entries(), ids=lambda entry: entry.name)
def test_examples_are_allowed(entry):
    assert entry.example is not None
    reading = entry.example
    assert entry.at(replace(reading, fields={**entry.defaults, **reading.fields})) is not entry
