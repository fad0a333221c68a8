"""Numeric derivatives along a line: exact to rounding for what is smooth, kinks seen."""

import numpy as np
import pytest

from symbackprop.checking.differences import slopes


def slope(function):
    return slopes([lambda t: np.asarray(function(t))], np.ones(()))


def resolved(found):
    return found.within(1e-7 * found.largest)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda t: np.exp(3 * t), 3),
        (lambda t: np.sin(40 * t), 40),
        (lambda t: 1 / (0.02 + t), -2500),
        (lambda t: 5 + t**2, 0),
    ],
)
def test_smooth_lines_are_exact_to_rounding(function, expected):
    found = slope(function)
    assert resolved(found)
    assert abs(found.values[0] - expected) <= 1e-9 * max(abs(expected), 1)


@pytest.mark.parametrize("power", range(8, 56))
def test_a_kink_nearby_is_stepped_over(power):
    place = 1.7 * 2.0 ** (-power / 3)
    found = slope(lambda t: np.exp(t) + 2 * np.maximum(t - place, 0))
    assert resolved(found)
    assert abs(found.values[0] - 1) < 1e-8


@pytest.mark.parametrize("side", [-1, 1])
def test_a_kink_of_the_curvature_never_passes_for_none(side):
    """Traces of such a kink cancel in first differences at one distance, in second at another."""
    for place in np.geomspace(1e-6, 1e-2, 3000):
        found = slope(lambda t, p=place: np.exp(t) + 3 * np.maximum(side * t - p, 0) ** 2)
        assert not resolved(found) or abs(found.values[0] - 1) < 1e-7


@pytest.mark.parametrize("function", [abs, lambda t: np.sqrt(t) if t > 0 else np.nan])
def test_a_kink_at_the_point_is_not_resolved(function):
    assert not resolved(slope(function))


def test_lines_after_one_with_kinks_do_without_coarse_steps():
    asked = []

    def line(t):
        asked.append(abs(t))
        return np.asarray(t + np.maximum(t - 1e-5, 0))

    found = slopes([line] * 5, np.ones(()))
    assert resolved(found)
    assert np.abs(found.values - 1).max() < 1e-9
    assert found.first > 0
    assert max(asked[-2:]) < 1e-5 < max(asked)
    assert len(asked) < 1 + 5 * 2 * (found.first + 3)


def test_what_is_expected_and_found_takes_two_runs_and_a_fault_is_refined():
    asked = []

    def line(t):
        asked.append(t)
        return np.exp(3 * np.asarray(t))

    found = slopes([line], np.ones(()), [3.0])
    assert len(asked) == 3  # with the one at the point
    assert abs(found.values[0] - 3) < 1e-6
    assert found.spreads[0] == 0
    for wrong in (3 + 1e-5, -3.0, 0.0, np.nan, np.inf):
        found = slopes([line], np.ones(()), [wrong])
        assert resolved(found)
        assert abs(found.values[0] - 3) < 1e-8


def test_an_expected_kink_does_not_pass_for_a_slope_beside_a_larger_one():
    lines = [lambda t: np.asarray(1000 * t), lambda t: np.asarray(abs(t))]
    assert resolved(slopes(lines[:1], np.ones(()), [1000.0]))
    assert not resolved(slopes(lines[1:], np.ones(()), [1.0]))
