"""Partials in terms of a function's own value: each is solved for, and true."""

from dataclasses import replace

import numpy as np
import pytest
from textbooks import (
    ACTIVATIONS,
    ARITHMETIC,
    EXACT,
    SIZES,
    errors,
    layer_equations,
    point,
    run,
    shape,
    written,
)

from symbackprop.calculus.closed import in_own_value
from symbackprop.calculus.partials import slot_symbol, to_sympy
from symbackprop.calculus.totals import Share
from symbackprop.equations import Access, Equation, Factor, Index, Term, Variable
from symbackprop.reference import directional_difference, evaluate
from symbackprop.scalar import ONE, Slot, apply, number

POLYNOMIALS = {  # of the value a, as polynomials in SymPy's terms
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a**2,
    "exponential": lambda a: a,
}
Z = Variable("z", "1", (Index("i", 3),))
A = Variable("a", "1", (Index("i", 3),))
UNIT = Index("i", 3)


def share(function, derivative):
    """Return a[i] = f(z[i]) with what is claimed to be its partial."""
    read = Access(Z, (UNIT,))
    equation = Equation(Access(A, (UNIT,)), function, (read,))
    target = Access(Z.bar(), (UNIT,))
    return Share(equation, read, Term(target, (UNIT,), ONE, (Factor(derivative, (read,)),)))


def polynomial(found):
    (factor,) = found.partial.factors
    assert factor.operands == (found.equation.target,)
    return to_sympy(factor.function)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_closed_forms_are_the_derivatives(activation: str) -> None:
    network, textbook = written(f"2-3:{activation}-4:{activation}")
    adjoints = [
        replace(total, shares=tuple(textbook.closed.get(s, s) for s in total.shares)).adjoint
        for total in textbook.totals
    ]
    cotangent = np.random.default_rng(2).standard_normal(shape(network.output))
    variables = [adjoint.variable for adjoint in adjoints]
    found = errors(
        adjoints,
        layer_equations(network),
        point(network),
        {network.output.name: cotangent},
        variables,
    )
    assert max(found.values()) < EXACT


@pytest.mark.parametrize("activation", POLYNOMIALS)
def test_famous_forms_appear(activation: str) -> None:
    network, textbook = written(f"2-3:{activation}")
    z = network.layers[0].preactivation
    (closed,) = (form for share, form in textbook.closed.items() if share.access.variable == z)
    value = slot_symbol(0)
    assert (polynomial(closed) - POLYNOMIALS[activation](value)).expand() == 0


@pytest.mark.parametrize("activation", sorted({*ACTIVATIONS} - {*POLYNOMIALS, "softmax"}))
def test_no_form_is_claimed_where_there_is_none(activation: str) -> None:
    _, textbook = written(f"2-3:{activation}")
    assert textbook.closed == {}


def exp(z):
    return apply("exp", z)


ZED, MINUS = Slot(0), apply("negative", Slot(0))
SIGMOID = apply("divide", ONE, apply("add", ONE, exp(MINUS)))
SIGMOID_SLOPE = apply(
    "divide", exp(MINUS), apply("power", apply("add", ONE, exp(MINUS)), number(2))
)


def test_a_function_of_the_users_own_has_a_form_too() -> None:
    """a = 3 σ(z) gives a' = a − a²/3."""
    found = in_own_value(
        share(apply("multiply", number(3), SIGMOID), apply("multiply", number(3), SIGMOID_SLOPE))
    )
    a = slot_symbol(0)
    assert (polynomial(found) - (a - a**2 / 3)).expand() == 0


@pytest.mark.parametrize(
    "planted",
    [
        apply("multiply", ZED, SIGMOID_SLOPE),
        apply("multiply", SIGMOID_SLOPE, SIGMOID_SLOPE),
        apply("divide", exp(MINUS), apply("add", ONE, exp(MINUS), exp(MINUS))),
        apply("divide", exp(ZED), apply("power", apply("add", number(2), exp(ZED)), number(2))),
    ],
)
def test_what_is_no_polynomial_in_the_value_is_refused(planted) -> None:
    assert in_own_value(share(SIGMOID, planted)) is None


def test_a_planted_factor_shows_in_the_form() -> None:
    """The tutorial's own mistake: twice the derivative of the sigmoid."""
    found = in_own_value(share(SIGMOID, apply("multiply", number(2), SIGMOID_SLOPE)))
    a = slot_symbol(0)
    assert (polynomial(found) - 2 * a * (1 - a)).expand() == 0


@pytest.mark.parametrize("activation", ["softmax", "log_softmax"])
def test_every_entry_of_the_jacobian(activation: str) -> None:
    network, textbook = written(f"2-3:{activation}")
    (layer,) = network.layers
    jacobian = textbook.jacobians[layer.preactivation]
    places = (*jacobian.output.indices, jacobian.place.indices[-1])
    values = run(layer_equations(network), point(network))
    entries = _entries(jacobian, places, values)
    for sample, i, k in np.ndindex(entries.shape):
        direction = np.zeros(shape(layer.preactivation))
        direction[sample, k] = 1
        seed = np.zeros(shape(layer.output))
        seed[sample, i] = 1
        z = layer.preactivation.name
        numeric = directional_difference(
            layer.activation, {z: values[z]}, {z: direction}, {layer.output.name: seed}, SIZES
        )
        assert abs(entries[sample, i, k] - numeric) < EXACT


def test_the_jacobian_of_softmax_is_the_famous_one() -> None:
    network, textbook = written("2-3:softmax")
    entry = textbook.jacobians[network.layers[0].preactivation].entry
    delta, own, other = map(slot_symbol, range(3))
    assert (to_sympy(entry.function) - own * (delta - other)).expand() == 0
    names = [(o.variable.symbol, o.indices[-1].name) for o in entry.operands]
    assert names[1:] == [("a", "i"), ("a", "i_1")]


def _entries(jacobian, places, values):
    """Return ∂a[n, i]/∂z[n, k] everywhere; the delta is an array of zeros and ones."""
    _, i, k = places
    identity = Variable("delta", "", (i, k))
    operands = tuple(
        replace(o, variable=identity) if o.variable.symbol == "delta" else o
        for o in jacobian.entry.operands
    )
    target = Access(Variable("J", "", places), places)
    equation = Equation(target, jacobian.entry.function, operands)
    given = {**values, "delta": np.eye(i.extent)}
    return evaluate([equation], given, SIZES, ARITHMETIC)["J"]
