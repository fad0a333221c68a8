"""Quotients of numbers that a batch decides: Python raises an exception where one is x / 0."""

import numpy as np


def quotient(a, b):
    """Return a / b, or NaN where b is 0: no sample counts."""
    return a / b if b else b * np.nan
