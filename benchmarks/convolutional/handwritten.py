"""The best NumPy written by hand for the convolutional network.

Samples lie innermost, so that windows are copied as slabs of memory and elementwise operations run
over long rows. The columns of a convolution are ordered by phase, a pixel's place in its window of
the pooling: that is then the maximum of contiguous blocks. It commutes with bias and relu, which
come after it, and pixels that no window of the pooling covers are not computed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from workload import Array, Gradients, Parameters, descent, flat_copy, flat_views

add, equal_or_more, greater = np.add, np.greater_equal, np.greater
maximum, multiply, subtract = np.maximum, np.multiply, np.subtract


class _PooledConvolution:
    """A convolution of 3 × 3, relu, and pooling by 2, over bound arrays.

    Attributes:
        pooled: the result, channels × half the height × half the width × samples.
        cotangent: of that; backward overwrites it.
    """

    def __init__(self, image: Array, weight: Array, bias: Array, dweight: Array, dbias: Array):
        channels, inputs = weight.shape[:2]
        _, height, width, batch = image.shape
        half = (height - 2) // 2, (width - 2) // 2
        dtype = image.dtype
        self.windows = _by_phase(image, half)
        self.columns = np.empty(self.windows.shape, dtype)
        self.columns_matrix = self.columns.reshape(inputs * 9, -1)
        self.columns_t = self.columns_matrix.T
        self.weight = weight.reshape(channels, -1)
        self.weight_t = self.weight.T
        self.bias = bias[:, None]
        self.dweight, self.dbias = dweight.reshape(channels, -1), dbias

        count = half[0] * half[1] * batch
        # Phases are (row, column); rows are compared last, as the first maximum in reading
        # order wins.
        self.phases = np.empty((channels, 2, 2, count), dtype)
        self.z = self.phases.reshape(channels, -1)
        self.left, self.right = self.phases[:, :, 0], self.phases[:, :, 1]
        self.rows = np.empty((channels, 2, count), dtype)
        self.upper, self.lower = self.rows[:, 0], self.rows[:, 1]
        self.flat = np.empty((channels, count), dtype)
        self.pooled = self.flat.reshape(channels, *half, batch)
        self.zeros, self.ones = np.zeros(count, dtype), np.ones(count, dtype)
        self.zero = np.zeros((), dtype)

        self.dflat = np.empty((channels, count), dtype)
        self.cotangent = self.dflat.reshape(self.pooled.shape)
        self.active = np.empty((channels, count), np.bool_)
        self.first = np.empty((channels, 2, count), np.bool_)
        self.mask = np.empty((channels, 2, count), dtype)

    def forward(self) -> None:
        self.columns[...] = self.windows
        self.weight.dot(self.columns_matrix, self.z)
        maximum(self.left, self.right, out=self.rows)
        maximum(self.upper, self.lower, out=self.flat)
        add(self.flat, self.bias, self.flat)
        maximum(self.flat, self.zeros, out=self.flat)

    def backward(self) -> None:
        """Write the gradients, and the cotangent of z over z, which is not read again."""
        greater(self.flat, self.zero, self.active)
        multiply(self.dflat, self.active, self.dflat)
        self.dflat.dot(self.ones, self.dbias)
        equal_or_more(self.upper, self.lower, self.active)
        multiply(self.dflat, self.active, self.upper)
        subtract(self.dflat, self.upper, self.lower)
        equal_or_more(self.left, self.right, self.first)
        np.copyto(self.mask, self.first)
        multiply(self.rows, self.mask, self.left)
        subtract(self.rows, self.left, self.right)
        self.z.dot(self.columns_t, self.dweight)


def _by_phase(image: Array, half: tuple[int, int]) -> Array:
    """Return a view of all windows of 3 × 3: channel, place in it, phase, half place, sample."""
    channels, _, _, batch = image.shape
    c, h, w, n = image.strides
    shape = (channels, 3, 3, 2, 2, *half, batch)
    strides = (c, h, w, h, w, 2 * h, 2 * w, n)
    return np.lib.stride_tricks.as_strided(image, shape, strides)


class _CrossEntropy:
    """Softmax and cross-entropy, classes × samples; dz is the gradient of the sum."""

    def __init__(self, classes: int, batch: int, dtype: np.dtype) -> None:
        self.batch = batch
        self.z, self.dz = np.empty((2, classes, batch), dtype)
        self.largest, self.u, self.others, self.total, self.log = np.empty((5, batch), dtype)
        self.sample, self.place = np.arange(batch), np.empty(batch, np.intp)
        self.classes, self.ones = np.ones(classes, dtype), np.ones(batch, dtype)
        self.zero, self.one = np.zeros((), dtype), np.ones((), dtype)

    def loss(self, y: Array) -> float:
        """Return the mean loss and write dz; exact for all finite z, as that of W2."""
        z, place, total, others, log = self.z, self.place, self.total, self.others, self.log
        np.maximum.reduce(z, axis=0, out=self.largest)
        subtract(z, self.largest, z)
        multiply(y, self.batch, place)
        add(place, self.sample, place)
        z.take(place, out=self.u, mode="wrap")
        np.exp(z, z)
        z.take(place, out=total, mode="wrap")
        z.put(place, self.zero)
        self.classes.dot(z, others)
        subtract(total, self.one, log)
        add(log, others, log)
        np.log1p(log, log)
        loss = (float(self.ones.dot(log)) - float(self.ones.dot(self.u))) / self.batch
        add(total, others, total)
        np.divide(self.one, total, total)
        np.negative(others, others)
        z.put(place, others)
        multiply(z, total, self.dz)
        return loss


def build(
    initial: Parameters, batch: int, rate: float
) -> tuple[Callable[[Array, Array], tuple[float, Gradients]], Callable[[], None]]:
    """Return loss and gradients of a batch, and the update in place."""
    dtype = initial["W1"].dtype
    flat, params = flat_copy(initial)
    gradient = np.empty_like(flat)
    grads = flat_views(gradient, initial)
    W1, b1, W3, b3, W6, b6 = params.values()
    dW1, db1, dW3, db3, dW6, db6 = grads.values()

    image = np.empty((1, 28, 28, batch), dtype)
    first = _PooledConvolution(image, W1, b1, dW1, db1)
    second = _PooledConvolution(first.pooled, W3, b3, dW3, db3)
    features, dfeatures = second.flat.reshape(400, batch), second.dflat.reshape(400, batch)
    # The windows of the second convolution overlap: it adds into them place by place.
    parts = np.empty_like(second.columns)
    parts_matrix = parts.reshape(second.columns_matrix.shape)
    into = _by_phase(first.cotangent, second.pooled.shape[1:3])
    places = [np.s_[:, u, v] for u in range(3) for v in range(3)]
    sums = [(into[place], parts[place]) for place in places]
    head = _CrossEntropy(10, batch, dtype)
    z, dz, dz_t, ones = head.z, head.dz, head.dz.T, head.ones
    W6_t, b6_column = W6.T, b6[:, None]
    share = np.array(1 / batch, dtype)

    def loss_and_gradients(x: Array, y: Array) -> tuple[float, Gradients]:
        image[...] = x.transpose(1, 2, 3, 0)
        first.forward()
        second.forward()
        W6_t.dot(features, z)
        add(z, b6_column, z)
        loss = head.loss(y)
        dz.dot(ones, db6)
        features.dot(dz_t, dW6)
        W6.dot(dz, dfeatures)
        second.backward()
        second.weight_t.dot(second.z, parts_matrix)
        first.cotangent.fill(0)
        for target, part in sums:
            add(target, part, target)
        first.backward()
        multiply(gradient, share, gradient)
        return loss, grads

    return loss_and_gradients, descent(flat, gradient, rate)
