"""Every layer on samples with an axis known by name, against one made for that extent."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from layer_cases import cases, disagreements, fits, module_of, network_of
from oracles import torch_or_skip

from symbackprop.build import build_network
from symbackprop.catalog import CATALOG
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.notation.toml import read_toml

MORE = (0, 3)  # than the least that a name may stand for

# Why an axis may have no name: what depends on it has to be a number.
REASONS = (
    r"\w+ has the shape .*; the size T is left open",
    r"(num_groups|heads|normalized_shape) is ",
    r"channels of the input have to be a number",
    r"shape \(.*\) holds \d+ numbers",
    r"code for every extent is not possible: whether .* depends on the extent",
)


def with_names(case):
    """Yield the case with each of its axes as a name."""
    several = case.count > 1 or case.named  # of which a dense layer makes the first
    for axis in range(len(case.shape) - bool(several)):
        yield axis, replace(case, shape=(*case.shape[:axis], "T", *case.shape[axis + 1 :]))


def wrong(case):
    """Return, by axis and extent, what a module with a name for the axis computes otherwise.

    An axis may be refused, for a reason that is known.
    """
    found, served = {}, 0
    for axis, open_case in with_names(case):
        try:
            text = generate(network_of(open_case)).text
        except SymbackpropError as error:
            if not any(re.search(reason, str(error)) for reason in REASONS):
                found[axis] = str(error)
            continue
        served += 1
        least = module_of(text).EXTENTS["T"]
        for extent in (least + more for more in MORE):
            closed = replace(case, shape=(*case.shape[:axis], extent, *case.shape[axis + 1 :]))
            assert fits(closed)
            found[axis, extent] = disagreements(closed, text)
    return {place: each for place, each in found.items() if each}, served


def several_axes(name):
    """Return the first case of a layer that has more than one axis."""
    return next(case for case in cases(name) if len(case.shape) > 1)


@pytest.mark.parametrize("name", CATALOG.layers)
def test_layer_serves_every_extent(name):
    found, served = wrong(several_axes(name))
    assert not found
    assert served


@pytest.mark.grid
@pytest.mark.parametrize("name", CATALOG.layers)
def test_layer_serves_every_extent_with_all_fields(name):
    found = {str(case): wrong(case)[0] for case in cases(name)}
    assert not {case: each for case, each in found.items() if each}


def alone(layer, fields, shape):
    """Return the module of a layer alone."""
    settings = "".join(f"{name} = {value}\n" for name, value in fields.items())
    extents = ", ".join(f'"{e}"' if isinstance(e, str) else str(e) for e in shape)
    text = f'spec = 1\n[network]\ninput = [{extents}]\n[[layer]]\ntype = "{layer}"\n{settings}'
    return module_of(generate(build_network(read_toml(text, "alone.toml", CATALOG))).text)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [(("T", 6), [3, -1]), ((4, "T"), [2, -1]), ((4, "T", 6), [2, -1, 2]), ((2, "T"), [-1, 1, 2])],
)
@pytest.mark.parametrize("extent", [3, 5])
def test_axes_with_a_name_become_others(shape, wanted, extent):
    module = alone("reshape", {"shape": wanted}, shape)
    x = np.arange(2.0 * extent * np.prod([e for e in shape if e != "T"], dtype=int))
    x = x.reshape(2, *(extent if e == "T" else e for e in shape))
    output, cache = module.forward({}, x)
    assert np.array_equal(output, x.reshape(2, *wanted))
    assert np.array_equal(module.backward({}, cache, output)["x"], x)


@pytest.mark.parametrize("size", [2, 5])
def test_windows_reach_over_the_edge_as_pytorchs_do(size):
    torch = torch_or_skip()
    for stride, padding in itertools.product(range(1, 5), range(size // 2 + 1)):
        fields = {"kernel_size": size, "stride": stride, "padding": padding}
        module = alone("avg_pool1d", {**fields, "ceil_mode": "true"}, (1, "L"))
        for extent in range(module.EXTENTS["L"], 9):
            x = torch.arange(2.0 * extent, dtype=torch.float64).reshape(2, 1, extent)
            expected = torch.nn.functional.avg_pool1d(x, **fields, ceil_mode=True).numpy()
            assert np.allclose(module.forward({}, x.numpy())[0], expected, rtol=1e-14)


def test_messages_show_extents_as_users_write_them():
    text = 'spec = 1\n[network]\ninput = ["T", 4]\n[[layer]]\ntype = "slice"\naxis = 1\nstart = 2\n'
    text += 'name = "rest"\n'
    text += '[[layer]]\ntype = "concatenate"\nfrom = ["rest", "input"]\n'
    with pytest.raises(SymbackpropError, match=r"the shapes \(T - 2, 4\) and \(T, 4\)"):
        build_network(read_toml(text, "joined.toml", CATALOG))
