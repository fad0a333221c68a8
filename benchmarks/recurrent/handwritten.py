"""The best NumPy written by hand for a long short-term memory.

Units are rows and samples columns, so that each gate is one stretch of memory. σ(u) is
(1 + tanh(u / 2)) / 2, and the halves are taken into the weights: one tanh for all gates. What
needs no step before, the products with x and those for the weights' gradients, is done for all
steps at once.
"""

from __future__ import annotations

import numpy as np
from workload import Array, Gradients, Parameters

add, multiply, square, subtract, tanh = np.add, np.multiply, np.square, np.subtract, np.tanh


class LongShortTermMemory:
    """One layer and the mean squared error of its output, on batches of one size."""

    def __init__(self, params: Parameters, grads: Gradients, shape: tuple[int, int, int]) -> None:
        batch, steps, inputs = shape
        hidden, gates = params["Wh1"].shape
        dtype = params["Wh1"].dtype

        def array(*sizes: int) -> Array:
            return np.empty(sizes, dtype)

        self.params, self.grads, self.steps = params, grads, steps
        self.halves = np.full((gates, 1), 0.5, dtype)
        self.halves[2 * hidden : 3 * hidden] = 1
        self.weights_x, self.weights_h, self.bias = (
            array(gates, inputs),
            array(gates, hidden),
            array(gates, 1),
        )
        self.x, self.projected = array(steps, batch, inputs), array(steps, gates, batch)
        self.s, self.ds = array(steps, gates, batch), array(steps, gates, batch)
        self.h, self.c = np.zeros((2, steps + 1, hidden, batch), dtype)
        self.tanh_c, self.dh = array(steps, hidden, batch), array(steps, hidden, batch)
        self.dc, self.part, self.back = array(3, hidden, batch)
        self.slopes = array(gates, batch)
        self.ds_rows, self.h_rows = array(steps, batch, gates), array(steps, batch, hidden)
        self.ones = np.ones(steps * batch, dtype)
        self.half, self.one = np.array(0.5, dtype), np.array(1, dtype)
        self.input, self.forget = slice(hidden), slice(hidden, 2 * hidden)
        self.candidate, self.output = slice(2 * hidden, 3 * hidden), slice(3 * hidden, None)
        self.gated = (slice(2 * hidden), self.output)

    def loss_and_gradients(self, x: Array, y: Array) -> tuple[float, Gradients]:
        self._forward(x)
        difference = subtract(self.h[1:], y.transpose(1, 2, 0), self.dh).reshape(-1)
        loss = float(difference.dot(difference)) / difference.size
        difference *= 2 / difference.size
        self._backward()
        return loss, self.grads

    def _forward(self, x: Array) -> None:
        multiply(self.params["Wx1"].T, self.halves, self.weights_x)
        multiply(self.params["Wh1"].T, self.halves, self.weights_h)
        multiply(self.params["b1"][:, None], self.halves, self.bias)
        self.x[...] = x.transpose(1, 0, 2)
        np.matmul(self.weights_x, self.x.transpose(0, 2, 1), self.projected)
        add(self.projected, self.bias, self.projected)
        half, part = self.half, self.part
        for t, s in enumerate(self.s):
            self.weights_h.dot(self.h[t], s)
            add(s, self.projected[t], s)
            tanh(s, s)
            for gates in self.gated:
                gate = s[gates]
                multiply(gate, half, gate)
                add(gate, half, gate)
            c, tanh_c = self.c[t + 1], self.tanh_c[t]
            multiply(s[self.forget], self.c[t], c)
            add(c, multiply(s[self.input], s[self.candidate], part), c)
            tanh(c, tanh_c)
            multiply(s[self.output], tanh_c, self.h[t + 1])

    def _backward(self) -> None:
        weights, one, dc, part, back = self.params["Wh1"], self.one, self.dc, self.part, self.back
        slopes, candidate = self.slopes, self.candidate
        dc.fill(0)
        back.fill(0)
        for t in range(self.steps - 1, -1, -1):
            s, ds, tanh_c = self.s[t], self.ds[t], self.tanh_c[t]
            dh = add(self.dh[t], back, back)
            multiply(dh, tanh_c, ds[self.output])
            subtract(one, square(tanh_c, part), part)
            multiply(multiply(part, s[self.output], part), dh, part)
            add(dc, part, dc)
            multiply(dc, s[candidate], ds[self.input])
            multiply(dc, self.c[t], ds[self.forget])
            multiply(dc, s[self.input], ds[candidate])
            square(s, slopes)
            for gates in self.gated:
                subtract(s[gates], slopes[gates], slopes[gates])
            subtract(one, slopes[candidate], slopes[candidate])
            multiply(ds, slopes, ds)
            multiply(dc, s[self.forget], dc)
            weights.dot(ds, back)
        self.ds_rows[...] = self.ds.transpose(0, 2, 1)
        self.h_rows[...] = self.h[:-1].transpose(0, 2, 1)
        ds_rows = self.ds_rows.reshape(len(self.ones), -1)
        self.x.reshape(len(self.ones), -1).T.dot(ds_rows, self.grads["Wx1"])
        self.h_rows.reshape(len(self.ones), -1).T.dot(ds_rows, self.grads["Wh1"])
        self.ones.dot(ds_rows, self.grads["b1"])
