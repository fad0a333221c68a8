"""Products added into windows, sample by sample: those of all samples leave the cache."""

import numpy as np


def add_products(view, weights, arrays, places, count):
    """Add weights times each sample's array, summed over some axes, to the sample's windows.

    Args:
        view: the windows of each sample, the places in a window last.
        weights: with the places first, and the axes that are summed last.
        arrays: the samples' arrays, the axes that are summed first.
        places: how many axes are places in a window.
        count: how many axes are summed.
    """
    inner = np.prod(arrays.shape[1 : count + 1])
    outer = weights.shape[:places]
    matrices = np.ascontiguousarray(weights).reshape(*outer, -1, inner)
    product = np.empty(view.shape[1 : view.ndim - places], weights.dtype)
    rows = product.reshape(matrices.shape[places], -1)
    for own, array in zip(view, arrays, strict=True):
        columns = array.reshape(inner, -1)
        for place in np.ndindex(outer):
            matrices[place].dot(columns, rows)
            part = own[(..., *place)]
            np.add(part, product, out=part)
