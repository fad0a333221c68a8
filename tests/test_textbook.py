"""The loss as written, and how it collapses with the last activation: true, and only where true."""

from dataclasses import replace

import numpy as np
import pytest
from textbooks import (
    ARITHMETIC,
    EXACT,
    LOSSES,
    SIZES,
    errors,
    fitting,
    point,
    run,
    shape,
    written,
)

from symbackprop.api import build, derive
from symbackprop.calculus import derive_layers
from symbackprop.calculus import textbook as module
from symbackprop.calculus.textbook import CANCELLED, DISTRIBUTION, textbook
from symbackprop.reference import accumulate
from symbackprop.render.plain import text
from symbackprop.scalar import Apply, apply, number, walk

CASES = [pytest.param(*case, id="-".join(case)) for case in fitting()]


def loss_values(network, loss, *, distribution=False):
    """Return what a loss reads; targets that add up to 1 where they are asked for."""
    values = point(network, loss.head)
    name = loss.head.target.name
    if distribution:  # sixteenths: they add up to 1 exactly
        units = shape(loss.head.target)[-1]
        drawn = np.random.default_rng(6).multinomial(16, [1 / units] * units, size=SIZES["N"])
        values[name] = drawn / 16
    last = network.layers[-1]
    return run((*last.equations, *last.activation), values)


def seeds(loss):
    return {loss.head.sample.name: np.ones(shape(loss.head.sample))}


def derivative_errors(network, loss):
    values = loss_values(network, loss)
    adjoints = [total.adjoint for total in loss.totals]
    variables = [adjoint.variable for adjoint in adjoints]
    given = {network.output.name, loss.head.target.name, *_constants(network)}
    values = {name: value for name, value in values.items() if name in given}
    return errors(adjoints, loss.equations, values, seeds(loss), variables)


def _constants(network):
    return [variable.name for variable in network.constants]


@pytest.mark.parametrize(("activation", "loss"), CASES)
def test_the_derivative_of_the_loss(activation: str, loss: str) -> None:
    network, derived = written(f"3-4:{activation}", loss)
    assert [entry.head for entry in derived.losses] == list(network.heads)
    for entry in derived.losses:
        assert max(derivative_errors(network, entry).values()) < EXACT


@pytest.mark.parametrize("loss", LOSSES)
def test_a_logarithm_without_its_bound_is_the_same_inside(loss: str) -> None:
    activation = next(a for a, name in fitting() if name == loss)
    network, derived = written(f"3-4:{activation}", loss)
    for entry in derived.losses:
        values = loss_values(network, entry)
        sample = entry.head.sample.name
        bounded = run(entry.head.equations, dict(values))[sample]
        free = run(entry.equations, dict(values))[sample]
        assert all(abs(difference) < EXACT for difference in np.ravel(bounded - free))
        nodes = [node for e in entry.equations for node in walk(e.function)]
        logs = [n for n in nodes if isinstance(n, Apply) and n.function == "log"]
        assert not any(
            isinstance(n.arguments[0], Apply) and n.arguments[0].function == "maximum" for n in logs
        )


def step_errors(network, loss, *, distribution):
    """Return by rule how far each step of a collapse is from differences of loss and activation."""
    values = loss_values(network, loss, distribution=distribution)
    last = network.layers[-1]
    equations = (*last.activation, *loss.equations)
    found = {}
    for step in loss.collapse:
        (adjoint,) = step.after
        value = adjoint.variable
        names = {value.name, loss.head.target.name, *_constants(network)}
        names |= {array.variable.name for array in last.parameters}
        given = {name: array for name, array in values.items() if name in names}
        result = errors([adjoint], equations, given, seeds(loss), [value])
        found[step.rule] = result[value.name]
    return found


@pytest.mark.parametrize(("activation", "loss"), CASES)
def test_every_step_of_a_collapse_is_true(activation: str, loss: str) -> None:
    network, derived = written(f"3-4:{activation}", loss)
    for entry in derived.losses:
        assumes = any(step.rule == "assumption" for step in entry.collapse)
        found = step_errors(network, entry, distribution=assumes)
        assert all(error < EXACT for error in found.values()), found


@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("softmax", "cross_entropy"),
        ("log_softmax", "nll"),
        ("identity", "cross_entropy_with_logits"),
    ],
)
def test_the_assumption_is_named_only_where_it_is_one(activation: str, loss: str) -> None:
    """With targets that do not add up to 1, the steps before it hold and the last does not."""
    network, derived = written(f"3-4:{activation}", loss)
    by_form = {entry.head.form: entry for entry in derived.losses}
    found = step_errors(network, by_form["values"], distribution=False)
    assumed = found.pop("assumption")
    assert assumed > 1e-3
    assert all(error < EXACT for error in found.values())
    assert by_form["values"].collapse[-1].reason == DISTRIBUTION
    others = [e for e in derived.losses if e is not by_form["values"]]
    assert not any(step.rule == "assumption" for e in others for step in e.collapse)


def last_line_at_random(network, loss):
    """Return the last line of a collapse, and output minus target, which are numbers at random."""
    (adjoint,) = loss.collapse[-1].after
    rng = np.random.default_rng(5)
    output, target = rng.standard_normal(shape(network.output)), loss.head.target
    y = rng.integers(0, 4, shape(target)) if target.integer else rng.standard_normal(shape(target))
    values = {network.output.name: output, target.name: y}
    found = accumulate([adjoint], values, {}, SIZES, ARITHMETIC)[adjoint.variable.name]
    one_hot = np.eye(4)[y] if target.integer else y
    return np.asarray(found, dtype=float), output - one_hot


@pytest.mark.parametrize(
    ("activation", "loss", "scale"),
    [("sigmoid", "binary_cross_entropy", 4), ("softmax", "cross_entropy", 1)],
)
def test_output_minus_target_appears(activation: str, loss: str, scale: int) -> None:
    """Binary cross-entropy averages over units: the collapse is (a - y) / 4."""
    network, derived = written(f"3-4:{activation}", loss)
    assert {entry.head.form for entry in derived.losses} >= {"values"}
    for entry in derived.losses:
        assert entry.collapse[1].reason == CANCELLED
        found, expected = last_line_at_random(network, entry)
        assert np.abs(scale * found - expected).max() < 1e-12


def test_which_pairs_come_together() -> None:
    """Quotients cancel, or partial fractions in exponentials are shorter; else nothing is said."""
    cancelling = {
        (activation, loss, entry.head.form)
        for activation, loss in fitting()
        for entry in written(f"3-4:{activation}", loss)[1].losses
        if any(step.rule == "cancellation" for step in entry.collapse)
    }
    by_fractions = {
        (
            "binary_cross_entropy_with_logits",
            "values",
        ): "exponential identity log_sigmoid log_softmax sigmoid softmax square tanh",
        ("cross_entropy_with_logits", "indices"): "log_sigmoid silu",
        ("cross_entropy_with_logits", "values"): "log_sigmoid silu",
        ("focal", "values"): "log_sigmoid log_softmax softmax",
        ("gaussian_nll", "values"): "silu",
        ("log_cosh", "values"): "log_sigmoid",
    }
    assert cancelling == {
        ("sigmoid", "binary_cross_entropy", "values"),
        ("softmax", "binary_cross_entropy", "values"),
        ("softmax", "cross_entropy", "values"),
        ("softmax", "cross_entropy", "indices"),
        *((name, *key) for key, names in by_fractions.items() for name in names.split()),
    }


@pytest.mark.parametrize(
    ("activation", "loss"),
    [("relu", "squared_error"), ("sigmoid", "squared_error"), ("tanh", "nll")],
)
def test_no_collapse_is_claimed_where_nothing_cancels(activation: str, loss: str) -> None:
    _, derived = written(f"3-4:{activation}", loss)
    assert not any(entry.collapse for entry in derived.losses)


@pytest.mark.parametrize("name", ["_cancelled", "_added_up"])
def test_a_planted_fault_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    right = getattr(module, name)

    def wrong(*given):
        term = right(*given)
        return replace(term, coefficient=apply("multiply", number(1.0001), term.coefficient))

    monkeypatch.setattr(module, name, wrong)
    network = build("3-4:softmax", loss="cross_entropy")
    entry = textbook(network, derive_layers(network)).losses[0]
    found = step_errors(network, entry, distribution=True)
    assert max(found.values()) > 1e-6


def test_a_planted_fault_in_the_loss_is_caught() -> None:
    network, derived = written("3-4:sigmoid", "binary_cross_entropy")
    (entry,) = derived.losses
    (total,) = entry.totals
    (share,) = total.shares
    partial = replace(share.partial, coefficient=number(-1))
    planted = replace(entry, totals=(replace(total, shares=(replace(share, partial=partial),)),))
    assert max(derivative_errors(network, planted).values()) > 1e-6


def test_logits_collapse_by_rule() -> None:
    """Partial fractions in the exponential give the sigmoid less the target."""
    derivation = derive("2-3", loss="binary_cross_entropy_with_logits")
    said = text(derivation.document())
    assert "1/3 · (−yᵢ + 1/(1 + e^{−y\u0302ᵢ}))" in said
    classes = text(derive("2-3", loss="cross_entropy_with_logits").document())
    assert "1/s · exp(y\u0302ᵢ − m) − δ_{iy}" in classes


def test_what_follows_a_collapse_takes_it_in() -> None:
    said = text(derive("2-3:sigmoid", loss="binary_cross_entropy").document())
    assert "= 1/3 · (y\u0302ᵢ − yᵢ) xⱼ" in said
    assert "stable form: as the code computes it" in said
