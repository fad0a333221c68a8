"""Totals over all but one's own place: NumPy has none."""

import numpy as np


def total_of_others(values, axis, out=None):
    """Return, for each place along the axis, the total over all other places.

    Sums from both ends meet at the place that is left out, so nothing is subtracted and a
    large entry does not swallow the small ones.
    """
    result = np.empty_like(values) if out is None else out
    rest, source = np.moveaxis(result, axis, 0), np.moveaxis(values, axis, 0)
    rest[0] = 0
    np.cumsum(source[:-1], axis=0, out=rest[1:])
    rest[:-1] += np.cumsum(source[:0:-1], axis=0)[::-1]
    return result
