"""Both arms of every comparison: the inputs are moved so that they are taken, or it is said."""

from __future__ import annotations

import textwrap

import pytest

from symbackprop.auditing.code.entry import audit_code
from symbackprop.auditing.finding import Finding


def audited(text: str) -> Finding:
    source = "import numpy as np\n" + textwrap.dedent(text)
    (found,) = audit_code(source, "layers.py")
    return found


def pair(body: str, derivative: str) -> str:
    parts = (textwrap.indent(part, "    ") for part in (body, derivative))
    return "def f(x):\n{}\ndef f_prime(x):\n{}\n".format(*parts)


CAPPED = "return np.minimum(np.maximum(x, 0), 6)"
SUMMED = "if np.sum(x) > 40:\n    return x * 3\nreturn x ** 2"
FAR = "return np.where(x > 7.5, 2 * x, x)"

WRONG = [
    (CAPPED, "return (x > 0) * 1.0"),
    (SUMMED, "return 2 * x"),
    (FAR, "return np.ones_like(x)"),
]
RIGHT = [
    (CAPPED, "return ((x > 0) & (x < 6)) * 1.0"),
    (SUMMED, "if np.sum(x) > 40:\n    return 3 * np.ones_like(x)\nreturn 2 * x"),
    (FAR, "return np.where(x > 7.5, 2, 1)"),
]


@pytest.mark.parametrize(("body", "derivative"), WRONG)
def test_what_fails_on_an_arm_that_no_default_takes_is_refuted(body: str, derivative: str) -> None:
    found = audited(pair(body, derivative))
    assert found.verdict == "refuted"
    assert "other arm" in str(found.reason)
    assert found.counterexample


@pytest.mark.parametrize(("body", "derivative"), RIGHT)
def test_what_holds_on_both_arms_is_proved_without_a_note(body: str, derivative: str) -> None:
    found = audited(pair(body, derivative))
    assert (found.verdict, found.reason) == ("proved", None)


def test_a_guard_against_overflow_is_no_arm_and_is_named() -> None:
    body = "x = np.clip(x, -500, 500)\nreturn 1 / (1 + np.exp(-x))"
    found = audited(pair(body, "s = f(x)\nreturn s * (1 - s)"))
    assert found.verdict == "proved"
    assert found.reason == "one arm alone was taken: line 3"


def test_a_bound_that_is_left_out_is_a_convention_with_its_size() -> None:
    body = "return 1 / (1 + np.exp(-np.clip(x, -10, 10)))"
    found = audited(pair(body, "s = f(x)\nreturn s * (1 - s)"))
    assert found.verdict == "convention"
    assert "1.8e-04" in str(found.convention)


def test_a_bound_on_a_gradient_is_no_arm_of_it() -> None:
    text = """
    class Layer:
        def __init__(self, n, m):
            self.W = np.random.randn(n, m)

        def forward(self, x):
            self.x = x
            return x @ self.W

        def backward(self, dout):
            self.dW = np.clip(self.x.T @ dout, -30, 30)
            return dout @ self.W.T
    """
    found = audit_code("import numpy as np\n" + textwrap.dedent(text), "layers.py")
    assert {f.verdict for f in found} == {"proved"}
    assert "one arm" in str(found[-1].reason)
