"""The adjoint of windows: NumPy adds nothing up where places are seen several times."""

import numpy as np


def add_to_windows(view, values, count):
    """Add values to the array that a view of windows shows, place by place: windows overlap.

    Args:
        view: with the places in a window as its last axes.
        values: as the view lies.
        count: how many these axes are.
    """
    for place in np.ndindex(view.shape[view.ndim - count :]):
        part = view[(..., *place)]
        np.add(part, values[(..., *place)], out=part)
