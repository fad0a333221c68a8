"""Dropout: units switched off at random in training."""

from __future__ import annotations

from symbackprop.definition import Layer

ENTRIES = (
    Layer(
        name="dropout",
        equations=(
            "mask[i] = where(u[i] >= p, where(p < 1, 1 / (1 - p), 0), 0)",
            "z[i] = mask[i] * x[i]",
        ),
        evaluation=("z[i] = x[i]",),
        draws={"u": ("features",)},
        doc="Sets each number to 0 with probability p and divides the others by 1 - p; the "
        "identity outside training.",
        source="Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, Dropout: a simple "
        "way to prevent neural networks from overfitting, section 4; inverted, as in section 10",
        constants={"p": 0.5},
        unit_interval=("p",),
        fields_known_as={"rate": "p", "probability": "p"},
    ),
)
