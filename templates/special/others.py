"""Totals and products over all but one's own place: NumPy has none."""

import numpy as np


def reduce_others(ufunc, values, axis, out=None, room=None):
    """Return, for each place along the axis, the reduction of all other places.

    Reductions from both ends meet at the place that is left out, so nothing is subtracted
    or divided: a large entry does not swallow the small ones, and a 0 does no harm.

    Args:
        ufunc: np.add for totals, np.multiply for products.
        values: any array.
        axis: along which the others lie.
        out: where the result is written.
        room: as large as the result, for the reductions from one end.
    """
    result = np.empty_like(values) if out is None else out
    room = np.empty_like(values) if room is None else room
    arrays = (result, room, values)
    before, after, source = (np.moveaxis(each, axis, 0) for each in arrays)
    before[0] = after[-1] = ufunc.identity
    ufunc.accumulate(source[:-1], axis=0, out=before[1:])
    ufunc.accumulate(source[:0:-1], axis=0, out=after[-2::-1])
    return ufunc(result, room, out=result)
