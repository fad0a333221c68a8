"""Pooling that is computed by place in its windows: the same numbers, and nothing else changes."""

import types
from dataclasses import replace

import numpy as np
import pytest
from test_lowering import statements

from symbackprop.api import build
from symbackprop.calculus import derive_head, derive_layers, derive_step
from symbackprop.calculus.derive import derive
from symbackprop.calculus.phases import WINDOWS, unroll_windows
from symbackprop.emit import generate
from symbackprop.lowering.checker import LoweringError, check_program
from symbackprop.lowering.storage import plan_storage
from symbackprop.lowering.training import training_values
from symbackprop.notation.toml import read_toml
from symbackprop.reference import accumulate, evaluate

CONVOLUTION = 'type = "conv{rank}d"\nchannels = 3\nkernel_size = {size}\nactivation = "{act}"'
POOL = 'type = "max_pool{rank}d"\nkernel_size = {pool}'


def network(*layers, shape=(2, 8, 9)):
    text = "\n".join(f"[[layer]]\n{layer}" for layer in layers)
    head = f'spec = 1\n[network]\nname = "n"\ninput = {list(shape)}\nloss = "mean_squared_error"\n'
    return build(read_toml(head + text, "n.toml"))


def convolved(rank=2, *, size="3", pool="2", act="relu", more="", shape=(2, 8, 9)):
    first = CONVOLUTION.format(rank=rank, size=size, act=act) + more
    return network(first, POOL.format(rank=rank, pool=pool), shape=shape)


REWRITTEN = {
    "plain": convolved(),
    "uneven": convolved(pool="3"),
    "oblong": convolved(size="[1, 3]", pool="[3, 2]"),
    "one axis": convolved(1, shape=(2, 9)),
    "padded": convolved(more="\npadding = 1"),
    "stride": convolved(size="2", more="\nstride = 2", shape=(2, 9, 12)),
    "dilation": convolved(size="2", more="\ndilation = 2"),
    "groups": convolved(more="\ngroups = 1\nbias = false"),
    "identity": convolved(act="identity"),
    "window of one column": convolved(pool="[2, 1]"),
    "twice": network(
        CONVOLUTION.format(rank=2, size=3, act="relu"),
        POOL.format(rank=2, pool=2),
        CONVOLUTION.format(rank=2, size=2, act="relu"),
        POOL.format(rank=2, pool=2),
        shape=(1, 10, 13),
    ),
}
POOL2 = POOL.format(rank=2, pool=2)
LEFT = {
    "windows that overlap": network(
        CONVOLUTION.format(rank=2, size=3, act="relu"), POOL2 + "\nstride = 1"
    ),
    "windows with gaps": network(
        CONVOLUTION.format(rank=2, size=3, act="relu"), POOL2 + "\nstride = 3"
    ),
    "padded windows": network(
        CONVOLUTION.format(rank=2, size=3, act="relu"), POOL2 + "\npadding = 1"
    ),
    "not growing": network(CONVOLUTION.format(rank=2, size=3, act="gelu"), POOL2),
    "wide windows": network(
        CONVOLUTION.format(rank=2, size=1, act="relu"), POOL.format(rank=2, pool=4)
    ),
    "no sum": network('type = "activation"\nfunction = "relu"', POOL2),
    "read twice": network(
        CONVOLUTION.format(rank=2, size=3, act="relu") + '\nname = "c"',
        POOL2 + '\nname = "p"',
        'type = "global_avg_pool"\nfrom = "c"\nname = "g"',
        'type = "flatten"\nfrom = "p"\nname = "f"',
        'type = "concatenate"\nfrom = ["f", "g"]\naxis = 1',
    ),
}


def rewritten(net):
    return [step for step in derive_step(net).steps if step.rule == WINDOWS]


def point(net, seed=0):
    """Return small whole numbers, of which many are equal."""
    rng = np.random.default_rng(seed)
    values = {p.variable.name: p.variable for p in net.parameters}
    params = {
        name: rng.integers(-1, 2, [axis.extent for axis in v.axes]).astype(float)
        for name, v in values.items()
    }
    x = rng.integers(-1, 2, (2, *(axis.extent for axis in net.input.axes[1:]))).astype(float)
    shape = [2, *(axis.extent for axis in net.output.axes[1:])]
    return params, x, rng.integers(-2, 3, shape).astype(float)


@pytest.mark.parametrize("name", REWRITTEN)
def test_the_rewritten_equations_are_the_equations(name):
    net = REWRITTEN[name]
    assert rewritten(net)
    params, x, cotangent = point(net)
    given, sizes = {**params, "x": x}, {"N": len(x)}
    plain, step = derive_layers(net), derive_step(net)
    found = []
    for derivation in (plain, step):
        values = {**given, **evaluate(derivation.equations, given, sizes)}
        seeds = {net.output.name: cotangent}
        found.append((values, accumulate(derivation.adjoints, values, seeds, sizes)))
    (values, adjoints), (same, sums) = found
    np.testing.assert_array_equal(same[net.output.name], values[net.output.name])
    for variable in net.varied:
        np.testing.assert_array_equal(sums[variable.name], adjoints[variable.name])


@pytest.mark.parametrize("name", REWRITTEN)
def test_the_step_is_the_layers_one_by_one_where_many_numbers_are_equal(name):
    net = REWRITTEN[name]
    module = types.ModuleType("module")
    exec(generate(net).text, module.__dict__)
    params, x, _ = point(net, 1)
    output, cache = module.forward(params, x)
    y = output + np.random.default_rng(2).integers(-2, 3, output.shape)
    grads = module.backward(params, cache, module.loss_gradient(output, y))
    loss, found = module.loss_and_gradients(params, x, y, input_gradient=True)
    assert loss == pytest.approx(module.loss(output, y), rel=1e-14)
    for key, value in grads.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-13, atol=1e-14, err_msg=key)


@pytest.mark.parametrize("name", LEFT)
def test_what_does_not_commute_or_does_not_part_is_left_as_it_is(name):
    net = LEFT[name]
    assert not rewritten(net)
    assert derive_step(net).equations == derive_layers(net).equations


@pytest.mark.parametrize("name", ["plain", "uneven", "one axis"])
def test_parts_of_a_gradient_are_written_where_they_belong(name):
    net = REWRITTEN[name]
    heads = [(head, derive_head(net, head, fused=True)) for head in net.heads]
    training = training_values(net, derive_step(net), heads, [])
    program = plan_storage(net, training)
    check_program(program, training.last)
    (backward,) = [s for s in program.sections if s.name == "backward"]
    operations = [statement.operation for statement in backward.statements]
    assert "tiled" in operations
    assert "tile" not in operations
    for k in range(len(operations)):
        dropped = statements(program, "backward", lambda s, k=k: s[:k] + s[k + 1 :])
        with pytest.raises(LoweringError):
            check_program(dropped, training.last)


def test_variables_that_are_fixed_are_left_as_they_are():
    net = REWRITTEN["plain"]
    assert derive_step(net, [net.layers[0].output]).equations == derive_layers(net).equations


def gradient_of_equals(net, equations):
    """Return the gradient of an input whose windows hold equal numbers."""
    params, x, cotangent = point(net)
    params["b1"][...] = 1
    derivation = derive(equations, (net.output,), net.varied)
    given, sizes = {**params, "x": 0 * x}, {"N": len(x)}
    values = {**given, **evaluate(derivation.equations, given, sizes)}
    return accumulate(derivation.adjoints, values, {net.output.name: cotangent}, sizes)["x"]


def turned(equation):
    """Return max(b, a) for max(a, b) of two places: the last of equal numbers wins."""
    places = len({operand.variable for operand in equation.operands}) < len(equation.operands)
    return replace(equation, operands=equation.operands[::-1]) if places else equation


def test_the_first_of_equal_numbers_wins():
    net = REWRITTEN["plain"]
    (step,) = rewritten(net)
    right = gradient_of_equals(net, step.before)
    np.testing.assert_array_equal(gradient_of_equals(net, step.after), right)
    assert not np.array_equal(gradient_of_equals(net, [turned(e) for e in step.after]), right)


def test_a_variable_that_is_kept_is_not_rewritten():
    net = REWRITTEN["plain"]
    equations = [e for layer in net.layers for e in layer.all_equations]
    assert unroll_windows(equations, ())[1]
    assert not unroll_windows(equations, [net.layers[0].preactivation])[1]
