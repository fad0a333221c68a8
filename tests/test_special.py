"""erf and erfc of generated modules against 50-digit values, and the coefficients' origin."""

from __future__ import annotations

import runpy
import tracemalloc
from pathlib import Path

import mpmath
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "templates" / "special" / "erf.py"
SPECIAL = runpy.run_path(str(SOURCE))
FUNCTIONS = ("erf", "erfc")


def grid(dtype):
    """Dense around every switch of formula, with both signs, subnormal and huge numbers."""
    edges = [0.5, 1 / 16, 1.0, 3.0, 9.19, 10.05, 26.5, 27.2, 27.3, 28.0]
    near = [edge * (1 + k * float(np.finfo(dtype).eps)) for edge in edges for k in range(-3, 4)]
    tiny = [0.0, 5e-324, 1e-310, 1e-300, 1e-40, 1e-30, 1e-20, 1e-10, 1e-5]
    dense = np.concatenate([np.linspace(0, 1, 301), np.linspace(1, 28, 901)])
    wide = [40.0, 1e4, 1e30, float(np.finfo(dtype).max)]
    positive = np.array([*tiny, *near, *dense, *wide], dtype)
    return np.concatenate([positive, -positive])


def exact(name, x):
    """50 digits; mpmath refuses huge x, where both functions have long reached their limits."""
    with mpmath.workdps(50):
        function = getattr(mpmath, name)
        return [function(mpmath.mpf(min(max(float(value), -1e3), 1e3))) for value in x]


def relative_errors(found, expected, dtype):
    """Errors relative to the exact value; one spacing of subnormal numbers is no error."""
    limits = np.finfo(dtype)
    errors = []
    with mpmath.workdps(50):
        for value, true in zip(found, expected, strict=True):
            slack = mpmath.mpf(float(limits.smallest_subnormal))
            gap = max(mpmath.mpf(0), abs(mpmath.mpf(float(value)) - true) - 2 * slack)
            errors.append(float(gap / abs(true)) if true else float(gap))
    return np.array(errors)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_relative_error_against_fifty_digits(name, dtype):
    x = grid(dtype)
    found = SPECIAL[name](x)
    assert found.dtype == dtype
    assert found.shape == x.shape
    errors = relative_errors(found, exact(name, x), dtype)
    worst = int(np.argmax(errors))
    assert errors[worst] <= 8 * np.finfo(dtype).eps, (x[worst], errors[worst])


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("factor", [-1.0, 1 + 1e-13, 0.5])
def test_the_comparison_catches_a_wrong_value(name, factor):
    x = np.array([0.1, 0.7, 3.0])
    errors = relative_errors(factor * SPECIAL[name](x), exact(name, x), np.float64)
    assert (errors > 8 * np.finfo(np.float64).eps).all()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_limits_signs_and_nan(name, dtype):
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], dtype)
    expected = {"erf": [1, -1, np.nan, 0, 0], "erfc": [0, 2, np.nan, 1, 1]}[name]
    found = SPECIAL[name](x)
    np.testing.assert_array_equal(found, np.array(expected, dtype))
    if name == "erf":
        assert list(np.signbit(found[3:])) == [False, True]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shapes_are_kept_and_inputs_unchanged(name, dtype):
    function = SPECIAL[name]
    assert function(np.empty((0, 3), dtype)).shape == (0, 3)
    assert function(np.empty((0, 3), dtype)).dtype == dtype
    x = np.linspace(-3, 3, 24).astype(dtype).reshape(2, 3, 4).transpose(2, 0, 1)
    before = x.copy()
    np.testing.assert_array_equal(function(x).ravel(), function(x.ravel()))
    np.testing.assert_array_equal(x, before)
    for scalar in (np.array(0.75, dtype), dtype(0.75)):
        assert function(scalar).dtype == dtype
        assert function(scalar) == function(np.array([0.75], dtype))[0]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_results_are_written_where_they_should_be_block_by_block(name, dtype):
    x = np.linspace(-6, 6, 100_000).astype(dtype).reshape(100, 1000)
    out = np.empty_like(x)
    tracemalloc.start()
    assert SPECIAL[name](x, out) is not None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * 2**20
    rows = [SPECIAL[name](row) for row in x]
    np.testing.assert_array_equal(out, rows)


def test_the_two_add_up_to_one():
    x = np.linspace(-6, 6, 1001)
    np.testing.assert_allclose(SPECIAL["erf"](x) + SPECIAL["erfc"](x), 1, rtol=0, atol=5e-16)


@pytest.mark.parametrize(
    ("table", "fit"),
    [("_SCALED_COMPLEMENT", "fit_scaled_complement"), ("_ODD_PART", "fit_odd_part")],
)
def test_the_coefficients_are_those_of_the_fit(table, fit):
    with mpmath.workdps(80):
        tool = runpy.run_path(str(ROOT / "tools" / "fit_erf.py"))
        assert SPECIAL[table] == tuple(tool["pairs"](tool[fit]()))


def test_the_source_is_short_and_imports_numpy_only():
    text = SOURCE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 85
    assert [line for line in text.splitlines() if "import" in line] == ["import numpy as np"]
