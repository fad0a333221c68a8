"""np.argmax and np.argmin along an axis that is not the last one: they copy all they are given."""

import numpy as np

_PIECE = 1 << 13  # numbers at a time


def by_pieces(function, values, axis, out):
    """Write what the function finds along the axis, a piece of the array after the other.

    Args:
        function: np.argmax or np.argmin.
        values: an array that lies in one piece.
        axis: along which the function looks.
        out: where the positions are written.
    """
    length = values.shape[axis]
    before = int(np.prod(values.shape[:axis]))
    after = int(np.prod(values.shape[axis + 1 :]))
    parts = values.reshape(before, length, after)
    found = out.reshape(before, after)
    step = max(1, _PIECE // length)
    for part, places in zip(parts, found, strict=True):
        for start in range(0, after, step):
            piece = slice(start, start + step)
            function(part[:, piece], axis=0, out=places[piece])
    return out
