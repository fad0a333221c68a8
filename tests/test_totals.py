"""Total derivatives between named variables, for every activation, against differences."""

from dataclasses import replace

import numpy as np
import pytest
from textbooks import ACTIVATIONS, EXACT, errors, layer_equations, point, shape, written

from symbackprop.calculus.totals import aligned, composed, look_through
from symbackprop.equations import Adjoint
from symbackprop.scalar import apply, number


def worst(network, adjoints, variables=None):
    values = point(network)
    cotangent = np.random.default_rng(2).standard_normal(shape(network.output))
    variables = variables or [adjoint.variable for adjoint in adjoints]
    equations = layer_equations(network)
    found = errors(adjoints, equations, values, {network.output.name: cotangent}, variables)
    return max(found.values())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_sum_of_the_shares_is_the_total_derivative(activation: str) -> None:
    network, textbook = written(f"2-3:{activation}-4:{activation}")
    adjoints = [total.adjoint for total in textbook.totals]
    learned = {array.variable for array in network.parameters}
    assert {*learned, network.input} <= {adjoint.variable for adjoint in adjoints}
    assert worst(network, adjoints) < EXACT


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_generated_variable_is_named(activation: str) -> None:
    _, textbook = written(f"2-3:{activation}-4:{activation}")
    for total in textbook.totals:
        assert not total.variable.made
        assert not any(share.equation.target.variable.made for share in total.shares)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "gelu"])
def test_each_share_reads_no_adjoint_but_its_seed(activation: str) -> None:
    _, textbook = written(f"2-3:{activation}-4:{activation}")
    for share in (share for total in textbook.totals for share in total.shares):
        bars = [o for f in share.term.factors for o in f.operands if o.variable.adjoint]
        assert bars == [share.seed]


def test_looking_through_the_activation_gives_the_same_derivative() -> None:
    network, textbook = written("2-3:softmax-4:softmax")
    between = {e.target.variable for layer in network.layers for e in layer.activation}
    between -= {layer.output for layer in network.layers}
    through = look_through(textbook.totals, lambda variable: variable in between)
    assert len(through) < len(textbook.totals)
    assert worst(network, [total.adjoint for total in through]) < EXACT


def test_aligned_shares_add_up_to_the_same() -> None:
    network, textbook = written("2-3:softmax-4:tanh")
    adjoints = [
        Adjoint(total.variable, tuple(aligned(share).term for share in total.shares))
        for total in textbook.totals
    ]
    assert worst(network, adjoints) < EXACT


def test_a_sum_runs_over_every_unit_that_a_value_feeds() -> None:
    network, textbook = written("2-3:tanh-4:tanh")
    (total,) = (t for t in textbook.totals if t.variable == network.layers[0].output)
    (share,) = total.shares
    assert [index.extent for index in share.summed] == [4]


def test_composition_renames_a_sum_that_would_be_captured() -> None:
    """Both sums of ``Σ_i Σ_i`` are over another unit."""
    network, textbook = written("3-3-3")
    first, second = network.layers
    wrt = {total.variable: total for total in textbook.totals}
    (inner,), (outer,) = wrt[network.input].shares, wrt[first.output].shares
    assert inner.equation.target.variable == first.output
    share = composed(inner, outer)
    assert share.equation.target.variable == second.output
    assert len(set(share.partial.space)) == 4
    values = point(network)
    cotangent = np.random.default_rng(3).standard_normal(shape(network.output))
    adjoint = Adjoint(network.input, (share.term,))
    equations = layer_equations(network)
    found = errors([adjoint], equations, values, {network.output.name: cotangent}, [network.input])
    assert max(found.values()) < EXACT


@pytest.mark.parametrize("fault", ["factor", "dropped share"])
def test_a_planted_fault_is_caught(fault: str) -> None:
    network, textbook = written("2-3:softmax-4:softmax")
    total = max(textbook.totals, key=lambda total: len(total.shares))
    assert len(total.shares) == 2
    if fault == "factor":
        wrong = apply("multiply", number(1.0001), total.shares[0].partial.coefficient)
        share = replace(
            total.shares[0], partial=replace(total.shares[0].partial, coefficient=wrong)
        )
        planted = replace(total, shares=(share, *total.shares[1:]))
    else:
        planted = replace(total, shares=total.shares[1:])
    adjoints = [(planted if t is total else t).adjoint for t in textbook.totals]
    assert worst(network, adjoints, [total.variable]) > 1e-6
