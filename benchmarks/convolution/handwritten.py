"""The best NumPy written by hand for a wide convolution.

Nine tenths are matrix products. One sample's windows fill the second-level cache and are gathered
anew for each product: to keep those of a whole batch costs more. The input's gradient is a
convolution of the padded cotangent with the kernel turned around: nothing is added into windows
that overlap.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from workload import Array, Gradients, Parameters


def build(
    params: Parameters, batch: int
) -> tuple[Callable[[Array], Array], Callable[[Array], Gradients]]:
    """Return forward, and backward from a cotangent for what forward last saw."""
    weight, bias = params["W1"], params["b1"]
    dtype, (channels, inputs) = weight.dtype, weight.shape[:2]
    size = 28
    pixels = size * size
    x_padded = np.zeros((batch, inputs, size + 2, size + 2), dtype)
    dz_padded = np.zeros((batch, channels, size + 2, size + 2), dtype)
    x_inner, dz_inner = x_padded[:, :, 1:-1, 1:-1], dz_padded[:, :, 1:-1, 1:-1]
    columns = np.empty((max(inputs, channels), 3, 3, size, size), dtype)
    matrix = columns.reshape(-1, pixels)
    matrix_t = matrix.T
    x_windows, dz_windows = _windows(x_padded), _windows(dz_padded)
    kernel, bias_column = weight.reshape(channels, -1), bias[:, None]
    turned = np.empty((inputs, channels, 3, 3), dtype)
    turned_matrix, turned_view = turned.reshape(inputs, -1), weight[:, :, ::-1, ::-1]
    output = np.empty((batch, channels, pixels), dtype)
    dweight, part = np.empty((2, channels, inputs * 9), dtype)
    dbias, ones = np.empty(channels, dtype), np.ones(pixels, dtype)
    dx = np.empty((batch, inputs, size, size), dtype)
    dx_matrix = dx.reshape(batch, inputs, pixels)
    grads = {"W1": dweight.reshape(weight.shape), "b1": dbias, "x": dx}

    def forward(x: Array) -> Array:
        x_inner[...] = x
        for windows, result in zip(x_windows, output, strict=True):
            columns[...] = windows
            kernel.dot(matrix, result)
            np.add(result, bias_column, result)
        return output

    def backward(cotangent: Array) -> Gradients:
        dz_inner[...] = cotangent
        turned[...] = turned_view.transpose(1, 0, 2, 3)
        dweight.fill(0)
        dbias.fill(0)
        rows = cotangent.reshape(batch, channels, pixels)
        for k, dz in enumerate(rows):
            columns[...] = x_windows[k]
            dz.dot(matrix_t, part)
            np.add(dweight, part, dweight)
            np.add(dbias, dz.dot(ones), dbias)
            columns[...] = dz_windows[k]
            turned_matrix.dot(matrix, dx_matrix[k])
        return grads

    return forward, backward


def _windows(padded: Array) -> Array:
    """Return a view of the windows of 3 × 3: sample, channel, place in the window, pixel."""
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    return view.transpose(0, 1, 4, 5, 2, 3)
