"""Penalties on the weights, added to the cost."""

from __future__ import annotations

from symbackprop.definition import Penalty

ENTRIES = (
    Penalty(
        name="l1",
        equations=("R = rate * abs(w)",),
        doc="Sum of absolute values.",
        source="Tibshirani 1996, Regression shrinkage and selection via the lasso",
        constants={"rate": 0.0},
        also_known_as=("lasso",),
    ),
    Penalty(
        name="l2",
        equations=("R = rate * w**2 / 2",),
        doc="Half the sum of squares.",
        source="Krogh & Hertz 1991, A simple weight decay can improve generalization",
        constants={"rate": 0.0},
        also_known_as=("ridge", "weight_decay"),
    ),
)
