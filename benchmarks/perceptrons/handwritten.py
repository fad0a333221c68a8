"""The best NumPy written by hand for each workload: what the generated module is measured against.

Both builders allocate everything once and return functions over bound buffers. Constants are
rank-0 arrays and products are methods: on rows of 1,000 numbers a Python scalar or the dispatch
of `np.dot` costs as much as the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from workload import Array, descent, flat_copy, flat_views

if TYPE_CHECKING:
    from perceptrons import Perceptron


class Step(NamedTuple):
    """One training step: loss and gradients (views of one buffer), then the update in place."""

    params: dict[str, Array]
    loss_and_gradients: Callable[[Array, Array], tuple[float, dict[str, Array]]]
    update: Callable[[], None]


def build(workload: Perceptron, params: dict[str, Array]) -> Step:
    """The step for a workload, from a copy of the initial parameters."""
    return (_batch_last if workload.head == "sigmoid" else _batch_first)(workload, params)


def _batch_last(workload: Perceptron, initial: dict[str, Array]) -> Step:  # noqa: PLR0915 - one straight line of statements
    """2-4-3-1: features × samples, [W | b] one block, every input with a row of ones."""
    batch, dtype = workload.batch, initial["W1"].dtype
    flat, params = flat_copy(initial)
    gradient = np.empty_like(flat)
    grads = flat_views(gradient, initial)
    scaled = np.empty_like(flat)
    Wb1, Wb2, Wb3 = flat[:12].reshape(3, 4), flat[12:27].reshape(5, 3), flat[27:]
    dWb1, dWb2, dWb3 = gradient[:12].reshape(3, 4), gradient[12:27].reshape(5, 3), gradient[27:]

    rows = np.ones((12, batch), dtype)
    x1, a1_1, a2_1 = rows[:3], rows[3:8], rows[8:]
    xt, a1, a2, hidden = rows[:2], rows[3:7], rows[8:11], rows[3:11]
    active, mask = np.empty((8, batch), np.bool_), np.empty((8, batch), dtype)
    mask1, mask2 = mask[:4], mask[5:]
    z3, e, h, k, t = np.empty((5, batch), dtype)
    positive = np.empty(batch, np.bool_)
    dz1, dz2, dz3 = (np.empty((units, batch), dtype) for units in (4, 3, 1))
    dz3_row = dz3[0]
    zeros4, zeros3, ones = np.zeros((4, batch), dtype), np.zeros((3, batch), dtype), rows[2]
    zero, one = np.zeros((), dtype), np.ones((), dtype)
    share, rate = np.array(1 / batch, dtype), np.array(workload.rate, dtype)

    affine1, affine2, affine3 = Wb1.T.dot, Wb2.T.dot, Wb3.dot
    back3, back2 = params["W3"].dot, params["W2"].dot
    weights3, weights2, weights1 = a2_1.dot, a1_1.dot, x1.dot
    dz2_t, dz1_t = dz2.T, dz1.T
    dot_ones, dot_z = ones.dot, z3.dot
    absolute, add, copyto, divide, exp = np.absolute, np.add, np.copyto, np.divide, np.exp
    greater, log1p, maximum, multiply = np.greater, np.log1p, np.maximum, np.multiply
    negative, subtract = np.negative, np.subtract

    def loss_and_gradients(x: Array, y: Array) -> tuple[float, dict[str, Array]]:
        xt[...] = x.T
        y = y[:, 0]
        affine1(x1, a1)
        maximum(a1, zeros4, out=a1)
        affine2(a1_1, a2)
        maximum(a2, zeros3, out=a2)
        affine3(a2_1, z3)

        # With h = [z > 0] - y: max(z, 0) - z y = z h, and the gradient is (h + (1 - y - [z > 0]) e)
        # / (1 + e), e = exp(-|z|). Neither cancels.
        absolute(z3, e)
        negative(e, e)
        exp(e, e)
        greater(z3, zero, positive)
        copyto(t, positive)
        subtract(t, y, h)
        subtract(one, y, k)
        subtract(k, t, k)
        multiply(k, e, k)
        add(k, h, k)
        log1p(e, t)
        loss = (float(dot_z(h)) + float(dot_ones(t))) / batch
        add(e, one, e)
        divide(k, e, dz3_row)

        greater(hidden, zero, active)
        copyto(mask, active)
        weights3(dz3_row, dWb3)
        back3(dz3, dz2)
        multiply(dz2, mask2, dz2)
        weights2(dz2_t, dWb2)
        back2(dz2, dz1)
        multiply(dz1, mask1, dz1)
        weights1(dz1_t, dWb1)
        multiply(gradient, share, gradient)
        return loss, grads

    def update() -> None:
        multiply(gradient, rate, scaled)
        subtract(flat, scaled, flat)

    return Step(params, loss_and_gradients, update)


def _batch_first(workload: Perceptron, initial: dict[str, Array]) -> Step:  # noqa: PLR0915 - one straight line of statements
    """Wide layers: samples × features, x read where it lies, biases added in place."""
    batch, dtype, classes = workload.batch, initial["W1"].dtype, workload.sizes[-1]
    flat, params = flat_copy(initial)
    gradient = np.empty_like(flat)
    grads = flat_views(gradient, initial)
    W1, b1, W2, b2, W3, b3 = params.values()
    dW1, db1, dW2, db2, dW3, db3 = grads.values()

    a1, a2, z3 = (np.empty((batch, units), dtype) for units in workload.sizes[1:])
    dz1, dz2, dz3 = (np.empty((batch, units), dtype) for units in workload.sizes[1:])
    active1, active2 = np.empty(a1.shape, np.bool_), np.empty(a2.shape, np.bool_)
    largest, u, others, total, log_sum, minus = np.empty((6, batch), dtype)
    start, index = np.arange(batch) * classes, np.empty(batch, np.intp)
    ones, class_ones = np.ones(batch, dtype), np.ones(classes, dtype)
    zeros1, zeros2 = np.zeros(a1.shape[1], dtype), np.zeros(a2.shape[1], dtype)
    zero, one, count = np.zeros((), dtype), np.ones((), dtype), np.array(batch, dtype)

    sum_samples = ones.dot
    largest_column, total_column = largest[:, None], total[:, None]
    W3_t, W2_t, a2_t, a1_t = W3.T, W2.T, a2.T, a1.T
    add, divide, exp, greater, log1p = np.add, np.divide, np.exp, np.greater, np.log1p
    maximum, multiply, negative, subtract = np.maximum, np.multiply, np.negative, np.subtract
    row_maximum, look_up, put = np.maximum.reduce, z3.take, z3.put

    def loss_and_gradients(x: Array, y: Array) -> tuple[float, dict[str, Array]]:
        x.dot(W1, a1)
        add(a1, b1, a1)
        maximum(a1, zeros1, out=a1)
        a1.dot(W2, a2)
        add(a2, b2, a2)
        maximum(a2, zeros2, out=a2)
        a2.dot(W3, z3)
        add(z3, b3, z3)

        # `others` sums the classes that are not the target: it is the target's gradient, and
        # log(sum) = log1p(others + (target - 1)) keeps the digits where the target is largest.
        row_maximum(z3, axis=1, out=largest)
        subtract(z3, largest_column, z3)
        add(y, start, index)
        look_up(index, out=u, mode="wrap")
        exp(z3, z3)
        look_up(index, out=total, mode="wrap")
        put(index, zero)
        z3.dot(class_ones, others)
        subtract(total, one, log_sum)
        add(log_sum, others, log_sum)
        log1p(log_sum, log_sum)
        loss = (float(sum_samples(log_sum)) - float(sum_samples(u))) / batch
        add(total, others, total)
        multiply(total, count, total)
        divide(one, total, total)
        negative(others, minus)
        put(index, minus)
        multiply(z3, total_column, dz3)

        a2_t.dot(dz3, dW3)
        sum_samples(dz3, db3)
        dz3.dot(W3_t, dz2)
        greater(a2, zero, active2)
        multiply(dz2, active2, dz2)
        a1_t.dot(dz2, dW2)
        sum_samples(dz2, db2)
        dz2.dot(W2_t, dz1)
        greater(a1, zero, active1)
        multiply(dz1, active1, dz1)
        x.T.dot(dz1, dW1)
        sum_samples(dz1, db1)
        return loss, grads

    return Step(params, loss_and_gradients, descent(flat, gradient, workload.rate))
