"""Products with windows, summed over samples: those of all samples together leave the cache."""

import numpy as np


def sum_products(first, second, count):
    """Return the products of two arrays, summed over samples and their last axes.

    Args:
        first: an array for each sample.
        second: likewise; copied one by one.
        count: how many of the last axes are summed.
    """
    kept = [array.shape[1 : array.ndim - count] for array in (first, second)]
    rows, columns = map(np.prod, kept)
    result = np.zeros((rows, columns), first.dtype)
    part, copy = np.empty_like(result), np.empty(second.shape[1:], first.dtype)
    turned = copy.reshape(columns, -1).T
    for one, other in zip(first, second, strict=True):
        copy[...] = other
        result += one.reshape(rows, -1).dot(turned, part)
    return result.reshape(*kept[0], *kept[1])
