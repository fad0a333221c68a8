"""The matrix form: run by NumPy, it gives what the per-unit equations give, run by loops."""

import dataclasses

import numpy as np
import pytest
from matrix_run import Run

from symbackprop import api
from symbackprop.build import build_network
from symbackprop.calculus import passes
from symbackprop.calculus.derive import derive
from symbackprop.catalog import CATALOG
from symbackprop.equations import Role
from symbackprop.notation.toml import read_toml
from symbackprop.reference import accumulate, evaluate
from symbackprop.render import matrices
from symbackprop.render.matrices import MatMul, Transpose, shape
from symbackprop.render.matrix import LAYOUTS, made_variables, matrix_adjoint, matrix_equation

SIZES = [(5, 3, 4), (1, 1, 1), (2, 4, 1), (1, 3, 2), (3, 1, 2)]
# Losses of which one equation or adjoint has no matrix form, and why.
WITHOUT = {"gaussian_nll": "means and log-variances are slices of the output"}


def numbers(variables, sizes, seed):
    """Random positive numbers below 1, and classes, for what no equation defines."""
    rng = np.random.default_rng(seed)
    values = {}
    for variable in sorted(variables, key=lambda v: v.name):
        extents = [e if isinstance(e, int) else sizes[e.name] for e in shape_of(variable)]
        values[variable.name] = rng.uniform(0.1, 0.9, extents)
    return values


def shape_of(variable):
    return [axis.extent for axis in variable.axes]


def leaves(equations):
    targets = {e.target.variable for e in equations}
    read = {o.variable for e in equations for o in e.operands if hasattr(o, "variable")}
    return {v for v in read - targets if v.values is None and not v.integer}


def classes(equations, sizes, count):
    """Class indices for integer variables that no equation defines."""
    found = {}
    for equation in equations:
        for operand in equation.operands:
            for inner in getattr(operand, "indices", ()):
                if hasattr(inner, "variable") and inner.variable.values is None:
                    found[inner.variable.name] = np.arange(sizes["N"]) % count
    targets = {e.target.variable.name for e in equations}
    return {name: value for name, value in found.items() if name not in targets}


def assert_forms(derivation, outputs, sizes, layout, count, damage=lambda form: form):
    """Compare every form with the loops; return the variables that have none."""
    values = numbers(leaves(derivation.equations), sizes, 0)
    values |= classes(derivation.equations, sizes, count)
    arrays = evaluate(derivation.equations, values, sizes)
    seeds = {v.name: np.ones(()) for v in outputs if not v.axes}
    seeds |= numbers([v for v in outputs if v.axes], sizes, 1)
    slopes = accumulate(derivation.adjoints, arrays, seeds, sizes)
    given = {f"d{name}": seed for name, seed in seeds.items()}
    arrays |= given | {f"d{name}": array for name, array in slopes.items()}
    run = Run(arrays, sizes, layout)
    made = made_variables(derivation.equations, derivation.adjoints)
    made = {v: e for v, e in made.items() if v.name[1:] not in seeds}
    forms = [(e.target.variable, matrix_equation(e, made, layout)) for e in derivation.equations]
    forms += [(a.variable.bar(), matrix_adjoint(a, made, layout)) for a in derivation.adjoints]
    for variable, form in forms:
        if form is not None:
            form = damage(form)
            assert form.target.variable == variable
            assert shape(form.right) == shape(form.target)
            np.testing.assert_allclose(
                run.of(form.right), run.of(form.target), rtol=1e-9, atol=1e-12
            )
    return [variable.name for variable, form in forms if form is None]


def textbook(equations, output, wrt):
    """Derived without stable forms, as documents show it."""
    return derive(equations, (output,), wrt)


def layer_equations(network):
    return [e for layer in network.layers for e in (*layer.equations, *layer.activation)]


def settings(layout):
    """Sizes of batch, input and output; one sample is what its layout is for."""
    return [(1, *s[1:]) for s in SIZES] if layout == "sample" else SIZES


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stable", [False, True], ids=["textbook", "stable"])
@pytest.mark.parametrize("activation", CATALOG.activations)
def test_every_activation(activation, stable, layout):
    for batch, inputs, units in settings(layout):
        network = api.build(f"{inputs}-{units}:{activation}-3")
        sizes = {"N": batch}
        derivation = passes.derive_layers(network)
        if not stable:
            wrt = [network.input, *(p.variable for p in network.parameters)]
            derivation = textbook(layer_equations(network), network.output, wrt)
        missing = assert_forms(derivation, [network.output], sizes, layout, units)
        assert not missing


def network_of(units, loss, fields=""):
    return build_network(
        read_toml(
            f'spec = 1\n[network]\ninput = [3]\nloss = {{ name = "{loss}"{fields} }}\n'
            f'[[layer]]\ntype = "dense"\nunits = {units}\n',
            "a.toml",
        )
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stable", [False, True], ids=["textbook", "stable"])
@pytest.mark.parametrize("loss", CATALOG.losses)
def test_every_loss(loss, stable, layout):
    for batch, _, units in settings(layout):
        units = 2 * units if loss == "gaussian_nll" else units
        network = network_of(units, loss)
        for head in network.heads:
            derivation = passes.derive_head(network, head, fused=False)
            if not stable:
                derivation = textbook(head.equations, head.cost, [network.output])
            missing = assert_forms(derivation, [head.cost], {"N": batch}, layout, units)
            assert bool(missing) == (loss in WITHOUT), missing
