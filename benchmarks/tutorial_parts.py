"""Windows as tutorials write them: columns gathered and scattered by loops over the kernel."""

from __future__ import annotations

import numpy as np


def im2col(x, size, stride=1, padding=0):
    """Return the windows as rows of a matrix, and how many there are along height and width."""
    samples, channels, height, width = x.shape
    high = (height + 2 * padding - size) // stride + 1
    wide = (width + 2 * padding - size) // stride + 1
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    columns = np.zeros((samples, channels, size, size, high, wide), x.dtype)
    for u in range(size):
        for v in range(size):
            columns[:, :, u, v] = x[
                :, :, u : u + stride * high : stride, v : v + stride * wide : stride
            ]
    return columns.transpose(0, 4, 5, 1, 2, 3).reshape(samples * high * wide, -1), high, wide


def col2im(columns, shape, size, stride=1, padding=0):
    """Add the rows of a matrix into the windows that they come from."""
    samples, channels, height, width = shape
    high = (height + 2 * padding - size) // stride + 1
    wide = (width + 2 * padding - size) // stride + 1
    columns = columns.reshape(samples, high, wide, channels, size, size).transpose(0, 3, 4, 5, 1, 2)
    x = np.zeros((samples, channels, height + 2 * padding, width + 2 * padding), columns.dtype)
    for u in range(size):
        for v in range(size):
            x[:, :, u : u + stride * high : stride, v : v + stride * wide : stride] += columns[
                :, :, u, v
            ]
    return x[:, :, padding : padding + height, padding : padding + width]
