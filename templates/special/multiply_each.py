"""A matrix times windows of every sample: those of all samples together leave the cache."""

import numpy as np


def multiply_each(weights, arrays, count):
    """Return, for each sample, weights times its array, summed over some axes.

    Args:
        weights: with the axes that are summed last.
        arrays: the samples' arrays, the axes that are summed first; copied one by one.
        count: how many axes are summed.
    """
    kept = weights.shape[: weights.ndim - count], arrays.shape[count + 1 :]
    result = np.empty((len(arrays), *kept[0], *kept[1]), weights.dtype)
    copy = np.empty(arrays.shape[1:], weights.dtype)
    matrix = weights.reshape(-1, np.prod(arrays.shape[1 : count + 1]))
    columns = copy.reshape(matrix.shape[1], -1)
    for array, own in zip(arrays, result, strict=True):
        copy[...] = array
        matrix.dot(columns, own.reshape(len(matrix), -1))
    return result
