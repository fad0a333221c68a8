"""Cells with gates side by side: extents that are sums or multiples, several upstream gradients."""

from __future__ import annotations

import pytest

from symbackprop.auditing.code.entry import audit_code


def verdicts(text: str) -> dict[str, str]:
    found = audit_code("import numpy as np\n" + text, "cells.py")
    return {f.wrt or "": f.verdict for f in found}


STEP = """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def step_forward(x, prev_h, prev_c, wx, wh, b):
    i, f, o, g = np.split(x.dot(wx) + prev_h.dot(wh) + b, 4, axis=1)
    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
    next_c = f * prev_c + i * g
    next_h = o * np.tanh(next_c)
    cache = (x, prev_h, prev_c, wx, wh, i, f, o, g, next_c)
    return next_h, next_c, cache

def step_backward(dnext_h, dnext_c, cache):
    x, prev_h, prev_c, wx, wh, i, f, o, g, next_c = cache
    t = np.tanh(next_c)
    dc = {later}dnext_h * o * (1 - t ** 2)
    gates = (dc * g * i * (1 - i), dc * prev_c * f * (1 - f), dnext_h * t * o * (1 - o))
    da = np.hstack((*gates, dc * i * (1 - g ** 2)))
    dx, dprev_h, dprev_c = da.dot(wx.T), da.dot(wh.T), dc * f
    dwx, dwh, db = x.T.dot(da), prev_h.T.dot(da), da.sum(axis=0)
    return dx, dprev_h, dprev_c, dwx, dwh, db
"""


@pytest.mark.parametrize(("later", "right"), [("dnext_c + ", True), ("", False)])
def test_each_output_has_its_gradient(later: str, right: bool) -> None:
    found = verdicts(STEP.format(later=later))
    assert set(found) == {"x", "prev_h", "prev_c", "wx", "wh", "b"}
    assert all((verdict == "proved") == right for verdict in found.values())
