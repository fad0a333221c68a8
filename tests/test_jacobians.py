"""Local partials as matrices, and the rules of a matrix derivation by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matrix_run import Run

from symbackprop.api import derive
from symbackprop.calculus.derive import contract
from symbackprop.equations import Adjoint, Role
from symbackprop.reference import accumulate, evaluate, forward_equations
from symbackprop.render.document import Display
from symbackprop.render.matrix import matrix_partial
from symbackprop.render.outline import outline
from symbackprop.render.plain import plain
from symbackprop.scalar import number

ONE_SAMPLE = {"N": 1}
SOURCES = ["2-4:tanh-3:sigmoid", "3-2:prelu-4", "2-3:gelu-2:softmax", "2-3:log_softmax"]


class Sample(Run):
    """One sample, whose arrays of one axis are columns in either layout."""

    def placed(self, variable, array):
        batch = tuple(k for k, a in enumerate(variable.axes) if a.role is Role.BATCH)
        array = np.squeeze(np.asarray(array, dtype=float), axis=batch)
        if array.ndim == 2:
            return array if self.layout == "rows" else array.T
        return array.reshape(-1, 1)


def known(network):
    rng = np.random.default_rng(4)
    given = {}
    for variable in (network.input, *(p.variable for p in network.parameters)):
        shape = [a.extent if isinstance(a.extent, int) else 1 for a in variable.axes]
        given[variable.name] = rng.normal(size=shape)
    return given | evaluate(forward_equations(network), given, ONE_SAMPLE)


def by_loops(share, values) -> np.ndarray:
    """The Jacobian of one share: a row for each unit vector as the consumer's adjoint."""
    above, below = share.equation.target.variable, share.access.variable
    adjoint = Adjoint(below, (contract(share.term),))
    rows = []
    for unit in np.eye(np.asarray(values[above.name]).size):
        seed = {above.name: unit.reshape(np.shape(values[above.name]))}
        rows.append(accumulate([adjoint], values, seed, ONE_SAMPLE)[below.name].ravel())
    return np.array(rows, dtype=float)


def worst(derivation, layout, change=lambda jacobian: jacobian) -> tuple[float, int]:
    values = known(derivation.network)
    run, errors = Sample(values, ONE_SAMPLE, layout), []
    closed = derivation.textbook.closed
    for total in derivation.textbook.totals:
        for share in total.shares:
            jacobian = matrix_partial(closed.get(share, share), layout)
            if jacobian is not None:
                found = run.of(change(jacobian).matrix)
                matrix = np.diag(found[:, 0]) if jacobian.diagonal else found
                errors.append(np.abs(matrix - by_loops(share, values)).max())
    return max(errors), len(errors)


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("source", SOURCES)
def test_jacobians_are_what_loops_find(source: str, layout: str) -> None:
    error, count = worst(derive(source), layout)
    assert error < 1e-12
    assert count >= 3


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_a_planted_fault_is_seen(layout: str) -> None:
    wrong = {"rows": "columns", "columns": "rows"}[layout]
    derivation = derive("3-3:tanh-3")
    values = known(derivation.network)
    run = Sample(values, ONE_SAMPLE, wrong)
    share = next(
        s
        for t in derivation.textbook.totals
        for s in t.shares
        if s.equation.target.variable.name == "a2" and s.access.variable.name == "a1"
    )
    jacobian = matrix_partial(share, layout)
    assert jacobian is not None
    assert np.abs(run.of(jacobian.matrix) - by_loops(share, values)).max() > 0.1
    double = replace(share, partial=replace(share.partial, coefficient=number(2)))
    assert matrix_partial(double, layout) != jacobian


def matrix_lines(source: str, loss: str) -> list:
    document = outline(derive(source, loss=loss))
    sections = [s for s in document.sections if s.anchor.startswith("matrix-")]
    return [line for s in sections for b in s.blocks if isinstance(b, Display) for line in b.lines]


def test_every_derivative_has_its_rule() -> None:
    lines = matrix_lines("2-4:relu-3:softmax", "cross_entropy")
    derived = [line for line in lines if line.left is None or "∂" in plain(line.left)]
    assert len(derived) > 20
    assert all(line.rule for line in derived)


def test_the_tutorials_jacobian_is_there() -> None:
    said = [
        f"{plain(line.left)} = {plain(line.right)}" if line.left else plain(line.right)
        for line in matrix_lines("n_0-n_1:f_1-n_2:f_2", "squared_error")
    ]
    assert "∂z⁽²⁾/∂a⁽¹⁾ = W⁽²⁾" in said  # samples as columns
    assert "∂z⁽²⁾/∂a⁽¹⁾ = W⁽²⁾ᵀ" in said  # samples as rows
    assert "∂L/∂A⁽¹⁾ = (∂z⁽²⁾/∂a⁽¹⁾)ᵀ · ∂L/∂Z⁽²⁾" in said
    assert "∂L/∂A⁽¹⁾ = ∂L/∂Z⁽²⁾ · ∂z⁽²⁾/∂a⁽¹⁾" in said
    assert "∂a⁽¹⁾/∂z⁽¹⁾ = diag(f₁′(z⁽¹⁾))" in said
    assert "∂zᵢ⁽²⁾/∂wᵢⱼ⁽²⁾ = aⱼ⁽¹⁾" in said
