"""A derivative written by hand, and wrong: what the audit of code is tried on."""

import numpy as np


def sigmoid(z):
    """Return the logistic function, element by element."""
    return 1 / (1 + np.exp(-z))


def sigmoid_prime(z):
    """Return its derivative, doubled by mistake."""
    s = sigmoid(z)
    return 2 * s * (1 - s)
