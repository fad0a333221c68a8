"""Optimizers: one step, as assignments to be carried out in order; t counts from 1."""

from __future__ import annotations

from symbackprop.definition import Optimizer

ENTRIES = (
    Optimizer(
        name="sgd",
        equations=("w = w - eta * g",),
        doc="A step against the gradient.",
        source="Robbins & Monro 1951, A stochastic approximation method",
        also_known_as=("gradient_descent",),
    ),
    Optimizer(
        name="momentum",
        equations=("v = momentum * v + g", "w = w - eta * v"),
        doc="A step against a decaying sum of the gradients so far.",
        source="Sutskever, Martens, Dahl & Hinton 2013, On the importance of initialization and "
        "momentum in deep learning; in the form of torch.optim.SGD",
        constants={"momentum": 0.9},
        moments=("v",),
    ),
    Optimizer(
        name="adam",
        equations=(
            "m = beta1 * m + (1 - beta1) * g",
            "v = beta2 * v + (1 - beta2) * g**2",
            "w = w - eta * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)",
        ),
        doc="A step by the running mean of the gradients over their running root mean square.",
        source="Kingma & Ba 2015, arXiv:1412.6980, algorithm 1",
        constants={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        moments=("m", "v"),
    ),
)
