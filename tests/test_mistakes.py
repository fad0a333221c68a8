"""Mistakes in every layer of the catalogue are found at load time, with place, shape and remedy."""

import pytest
from layer_cases import looks_up

from symbackprop.architecture import Architecture, InputUse, LayerUse
from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.errors import SymbackpropError

VALUES = (0, -1, 7, 10**40, 2.5, True, "x", "same", None, [], [1], [1] * 9, [[1]], {"a": 1})
each_layer = pytest.mark.parametrize("name", CATALOG.layers)


def example(name):
    """Return the shapes and the fields of a use that is allowed."""
    entry = CATALOG.layers[name]
    if entry.example:
        return entry.example.shapes, dict(entry.example.fields)
    return ((4,),) * len(entry.inputs), dict.fromkeys(entry.sizes, 3)


def fault(name, shapes, fields):
    """Return the message of a network of this layer alone; "" where there is none."""
    pairs = enumerate(shapes)
    inputs = tuple(InputUse(f"x{k}", shape, integer=looks_up(name)) for k, shape in pairs)
    use = LayerUse(name, "layer 'own'", "own", fields, sources=tuple(i.name for i in inputs))
    message = ""
    try:
        build_network(Architecture("net", (), (use,), inputs=inputs))
    except SymbackpropError as error:
        message = str(error)
    assert not message or message.startswith("layer 'own': "), message
    return message


def written(shapes):
    return ["(" + ", ".join(map(str, ("N", *shape))) + ")" for shape in shapes]


@each_layer
def test_a_use_that_is_allowed_has_no_fault(name):
    assert not fault(name, *example(name))


@each_layer
@pytest.mark.parametrize("extent", [3, 1, "T"])
def test_a_shape_that_does_not_fit_is_named(name, extent):
    shapes, fields = example(name)
    for rank in range(1, 8):
        given = ((extent,) * rank,) * len(shapes)
        found = fault(name, given, fields)
        assert not found or written(given)[0] in found, found


@each_layer
def test_another_number_of_values_is_named(name):
    shapes, fields = example(name)
    least, most = CATALOG.layers[name].reads
    for k in (1, 2, 3, 4):
        found = fault(name, shapes[:1] * k, fields)
        allowed = least <= k and (most is None or k <= most)
        assert f"from names {k}" in found or not found or allowed
        assert found or allowed


@each_layer
def test_fields_that_are_missing_or_unknown_are_named(name):
    entry, (shapes, fields) = CATALOG.layers[name], example(name)
    required = (*entry.sizes, *(key for key, field in entry.fields.items() if field.required))
    for key in required:
        left = {other: value for other, value in fields.items() if other != key}
        assert f"needs the field {key!r}" in fault(name, shapes, left)
    assert "'nonsense'" in fault(name, shapes, {**fields, "nonsense": 1})
    theirs, ours = next(iter(entry.fields_known_as.items()), ("", ""))
    if theirs and ours not in fields:
        assert f"{theirs!r} is called {ours!r} here" in fault(name, shapes, {**fields, theirs: 1})
    for theirs, instead in entry.instead_of.items():
        found = fault(name, shapes, {**fields, theirs: 1})
        assert f"{theirs!r} is no field here: {instead}" in found


@each_layer
def test_a_value_of_any_kind_is_taken_or_refused_by_name(name):
    entry, (shapes, fields) = CATALOG.layers[name], example(name)
    for key in (*entry.sizes, *entry.defaults):
        for value in VALUES:
            found = fault(name, shapes, {**fields, key: value})
            named = (key, "from names", written(shapes)[0])
            assert not found or any(name in found for name in named), (key, value, found)
