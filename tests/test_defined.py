"""What users define, emitted and compared with plain loops and their differences."""

import types

import numpy as np
import pytest

from symbackprop.api import build
from symbackprop.emit import generate
from symbackprop.notation.toml import read_toml
from symbackprop.reference import directional_difference, evaluate, forward_equations

TOLERANCE = 1e-12
UNITS = 3


def network_of(equations, kind="activation", reduction="mean"):
    own = "\n".join(f"  {equation!r}," for equation in equations)
    loss, activation = ("own", "") if kind == "loss" else ("squared_error", "activation = 'own'")
    return build(
        read_toml(
            f"spec = 1\n[network]\nname = 'defined'\ninput = [2]\nloss = '{loss}'\n"
            f"reduction = '{reduction}'\n"
            f"[[define]]\nkind = '{kind}'\nname = 'own'\nequations = [\n{own}\n]\n"
            f"[[layer]]\ntype = 'dense'\nunits = {UNITS}\n{activation}\n",
            "own.toml",
        )
    )


def module_of(text):
    module = types.ModuleType("emitted")
    exec(compile(text, "emitted.py", "exec"), module.__dict__)
    return module


def identity(module):
    """Return parameters by which z is a unit for each input, and one more."""
    params = module.initialize()
    params["W1"][...] = np.eye(2, UNITS)
    params["b1"][...] = 0
    params["b1"][2:] = 0.625
    return params


def disagreements(network, text, samples):
    """Return where loss or gradients are not those of the equations: by path and tensor.

    Each entry of a gradient is compared with a difference of the loops' loss on fifty digits.
    """
    module, found = module_of(text), set()
    x = np.array(samples, dtype=np.float64)
    y = np.random.default_rng(0).standard_normal((len(x), UNITS))
    params = identity(module)
    given = {**params, "x": x, "y": y}
    head, sizes = network.heads[0], {"N": len(x)}
    equations = forward_equations(network, head)
    value = float(evaluate(equations, given, sizes)[head.cost.name])
    for path, (loss, gradients) in paths(module, params, x, y).items():
        if any(np.asarray(each).dtype != np.float64 for each in (loss, *gradients.values())):
            found.add((path, "dtype"))
        if not abs(loss - value) <= TOLERANCE * abs(value):
            found.add((path, "loss"))
        for name in (*params, "x"):
            slopes = np.zeros(given[name].size)
            for place in range(slopes.size):
                direction = np.zeros(slopes.size)
                direction[place] = 1
                moves = {name: direction.reshape(given[name].shape)}
                seeds = {head.cost.name: 1}
                slopes[place] = directional_difference(equations, given, moves, seeds, sizes)
            scale = np.abs(slopes).max() or 1
            if not np.abs(gradients[name].reshape(-1) - slopes).max() <= TOLERANCE * scale:
                found.add((path, name))
    return found


def paths(module, params, x, y):
    """Return loss and gradients of both paths, the training path with and without a workspace."""
    output, cache = module.forward(params, x)
    plain = module.backward(params, cache, module.loss_gradient(output, y))
    found = {"plain": (module.loss(output, y), plain)}
    for workspace in (None, module.Workspace(len(x) + 1)):
        name = "training" if workspace is None else "workspace"
        found[name] = module.loss_and_gradients(
            params, x, y, workspace=workspace, input_gradient=True
        )
    return found


GENERAL = [[0.5, -1.25], [1.5, 0.25], [-2.0, 0.75]]
WITH_ZEROS = [[0.0, -1.25], [0.0, 0.0], [-2.0, 0.75]]

ALL_BUT_ONE = [
    ["a[i] = z[i] * product(j, z[j])"],
    ["a[i] = product(j, z[j] - i) + z[i]"],
    ["p[i] = product(j, z[i] * z[j] + i + j)", "a[i] = exp(p[i] / 9)"],
    ["p = product(i, j, z[i] + z[j] / 2)", "a[i] = z[i] * p"],
    ["a[i] = z[i] - product(j, where(j == i, 1, z[j]))"],
]


@pytest.mark.parametrize("samples", [GENERAL, WITH_ZEROS], ids=["general", "zeros"])
@pytest.mark.parametrize("equations", ALL_BUT_ONE, ids=lambda equations: equations[0])
def test_products_of_all_but_one(equations, samples):
    network = network_of(equations)
    assert disagreements(network, generate(network).text, samples) == set()


def test_a_wrong_product_is_seen():
    network = network_of(ALL_BUT_ONE[0])
    text = generate(network).text
    wrong = text.replace("result, room, out=result", "result, result, out=result")
    assert {"plain", "training"} <= {path for path, _ in disagreements(network, wrong, GENERAL)}
    once = text.replace("reduce_others(np.multiply", "reduce_others(np.add")
    assert disagreements(network, once, GENERAL)


GUARDED = [
    ["a[i] = where(i == 0, z[i], z[i-1])"],
    ["a[i] = where(i > 0, z[i-1] * z[i], z[i])"],
    ["a[i] = where(i == 0, 0, z[i-1]) - where(i >= 2, 1, z[i+1]) * z[i]"],
    ["s[i] = where(i == 0, z[i], z[i-1])", "a[i] = exp(s[i]) * total(j, s[j]**2)"],
    ["a[i] = where(z[i] > 0, where(i == 0, z[i], z[i-1]), z[i])"],
]
TRUTHS = [
    ["a = z > 0"],
    ["a = (z > 0) == (z > 1)"],
    ["a = where((z > 0) == (z > 1), z, 2 * z)"],
    ["a[i] = largest(j, z[j] > z[i]) + z[i]"],
    ["a[i] = product(j, z[j] > z[i]) + total(j, z[j] > z[i])"],
    ["a = maximum(z > 0, z > 1)"],
    ["c[i] = z[i] > 0", "a[i] = total(j, c[j] * z[i])"],
    ["c = z > 0", "a = where(c, z, z / 10)"],
    ["c = z > 0", "d = c and z < 1", "a = where(d, z, z / 10) + c"],
    ["c = z > 0", "a = where(not c, z**2, z)"],
    ["c[i] = z[i] >= largest(j, z[j])", "a[i] = total(j, where(c[j], z[i] * z[j], 0))"],
]
LOSSES = [
    ["d[i] = a[i] - y[i]", "L = total(i, where(i < 1, d[i] * d[i+1], 0))"],
    ["L = total(i, where(i > 0, (a[i] - a[i-1])**2, 0))"],
    ["L = a[0]"],
    ["L = (a[0] - y[0])**2 + a[2]"],
    ["L = total(i, maximum(0, a[i]))"],
    ["L = total(i, a[i] > y[i])"],
    ["L = a[0] > y[0]"],
    ["L = total(i, a[i] * y[i])"],
]


@pytest.mark.parametrize("equations", GUARDED + TRUTHS, ids=str)
def test_guarded_shifts_and_truth_values(equations):
    network = network_of(equations)
    assert disagreements(network, generate(network).text, GENERAL) == set()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("equations", LOSSES, ids=str)
def test_losses(equations, reduction):
    network = network_of(equations, "loss", reduction)
    assert disagreements(network, generate(network).text, GENERAL) == set()


def test_a_shift_the_other_way_is_seen():
    network, other = (network_of([f"a[i] = where({at}, z[i], z[{to}])"]) for at, to in SHIFTS)
    assert disagreements(network, generate(other).text, GENERAL)


SHIFTS = (("i == 0", "i-1"), ("i == 2", "i+1"))


def test_one_number_of_a_parameter(tmp_path):
    """What reads b[0] alone sends its gradient there, as a number."""
    path = tmp_path / "own.toml"
    path.write_text(
        "spec = 1\n[network]\ninput = [3]\nloss = 'squared_error'\n[[layer]]\ntype = 'own'\n"
        "[[define]]\nkind = 'layer'\nname = 'own'\nparameters = { b = ['features'] }\n"
        "equations = ['z[i] = b[0] * x[i] + b[1]']\n"
    )
    module = module_of(generate(build(path)).text)
    errors = module.gradient_check()
    assert max(errors.values()) < 1e-8
    _, gradients = module.loss_and_gradients({"b1": np.ones(3)}, np.eye(3), np.eye(3))
    assert gradients["b1"].tolist() == [2, 6, 0]
