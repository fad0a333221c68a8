"""np.argmax and np.argmin over several axes at once, of an extreme that is known."""

import numpy as np


def first_place(values, extreme, count, found=None, equal=None):
    """Return the flat position, along the last ``count`` axes, of the first value that is extreme.

    Args:
        values: any array.
        extreme: the largest, or the smallest, along these axes.
        count: of the axes.
        found: where the positions are written.
        equal: room for one comparison.
    """
    found = np.empty(extreme.shape, np.intp) if found is None else found
    found.fill(0)
    places = list(np.ndindex(values.shape[values.ndim - count :]))
    for number in range(len(places) - 1, -1, -1):
        same = np.equal(values[(..., *places[number])], extreme, out=equal)
        np.copyto(found, number, where=same)
    return found
