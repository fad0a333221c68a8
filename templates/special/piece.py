"""Parts of flat memory whose extents are known when they are bound."""

import numpy as np


def piece(memory, start, *shape):
    """Return the part of flat memory from a start on that has the shape."""
    return np.ndarray(shape, memory.dtype, memory, start * memory.itemsize)
