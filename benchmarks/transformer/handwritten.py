"""The best NumPy written by hand for the transformer block.

Samples and places are the rows of one matrix. The scale and shift of a layer norm are part of the
weights that follow, and so is the scale of the scores: three passes over the rows for none. The
activation's slope is computed in the forward pass, while what it shares is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from workload import Array, Gradients, Parameters, descent, flat_copy, flat_views

EPS = 1e-5
add, divide, exp, matmul, multiply = np.add, np.divide, np.exp, np.matmul, np.multiply
subtract, vecdot = np.subtract, np.vecdot


class _Normalized:
    """Rows less their mean, by their standard deviation."""

    def __init__(self, rows: int, width: int, dtype: np.dtype) -> None:
        self.h = np.empty((rows, width), dtype)
        self.r, self.mean, self.inner = np.empty((3, rows), dtype)
        self.r_column, self.mean_column = self.r[:, None], self.mean[:, None]
        self.inner_column = self.inner[:, None]
        self.average = np.full(width, 1 / width, dtype)
        self.share, self.eps = np.array(1 / width, dtype), np.array(EPS, dtype)
        self.part = np.empty((rows, width), dtype)

    def forward(self, x: Array) -> Array:
        h, r = self.h, self.r
        x.dot(self.average, self.mean)
        subtract(x, self.mean_column, h)
        vecdot(h, h, out=r)
        multiply(r, self.share, r)
        add(r, self.eps, r)
        np.sqrt(r, r)
        np.reciprocal(r, r)
        multiply(h, self.r_column, h)
        return h

    def backward(self, dh: Array) -> Array:
        """Return the cotangent of the rows, written over that of the result."""
        dh.dot(self.average, self.mean)
        vecdot(dh, self.h, out=self.inner)
        multiply(self.inner, self.share, self.inner)
        subtract(dh, self.mean_column, dh)
        multiply(self.h, self.inner_column, self.part)
        subtract(dh, self.part, dh)
        return multiply(dh, self.r_column, dh)


class _Folded:
    """Weights W and bias b of what reads gamma * h + beta, as weights of h alone."""

    def __init__(self, gamma: Array, beta: Array, units: int, ones: Array) -> None:
        self.beta, self.gamma = beta, gamma
        self.gamma_column = gamma[:, None]
        self.W, self.b = np.empty((len(gamma), units), gamma.dtype), np.empty(units, gamma.dtype)
        self.W_t = self.W.T
        self.dW, self.db = np.empty_like(self.W), np.empty_like(self.b)
        self.part, self.ones = np.empty_like(self.W), ones

    def fold(self, W: Array, b: Array) -> None:
        multiply(W, self.gamma_column, self.W)
        self.beta.dot(W, self.b)
        add(self.b, b, self.b)

    def gradients(self, h: Array, dz: Array) -> None:
        """Write the gradients of the folded weights."""
        h.T.dot(dz, self.dW)
        self.ones.dot(dz, self.db)

    def unfold(self, W: Array, dW: Array, dgamma: Array, dbeta: Array) -> None:
        """Write the gradients of W, gamma and beta; that of b is db."""
        vecdot(self.dW, W, out=dgamma)
        W.dot(self.db, dbeta)
        multiply(self.dW, self.gamma_column, dW)
        multiply(self.beta[:, None], self.db, self.part)
        add(dW, self.part, dW)


class _Gelu:
    """z σ(2u), u = √(2/π) (z + 0.044715 z³), which is the hyperbolic tangent's form."""

    def __init__(self, shape: tuple[int, int], dtype: np.dtype) -> None:
        self.a, self.slope, self.square, self.sigma = np.empty((4, *shape), dtype)
        c = -2 * np.sqrt(2 / np.pi)
        constants = (c, 0.044715 * c, -c, -3 * 0.044715 * c, 1, np.log(np.finfo(dtype).max))
        self.constants = [np.array(value, dtype) for value in constants]

    def forward(self, z: Array) -> Array:
        c, c3, d, d3, one, most = self.constants
        a, slope, square, sigma = self.a, self.slope, self.square, self.sigma
        multiply(z, z, square)
        multiply(square, c3, sigma)
        add(sigma, c, sigma)
        multiply(sigma, z, sigma)
        np.minimum(sigma, most, out=sigma)
        exp(sigma, sigma)
        add(sigma, one, sigma)
        divide(one, sigma, sigma)
        multiply(z, sigma, a)
        multiply(square, d3, square)
        add(square, d, square)
        subtract(one, sigma, slope)
        multiply(slope, a, slope)
        multiply(slope, square, slope)
        add(slope, sigma, slope)
        return a


def build(  # noqa: PLR0915 - one straight line of statements
    initial: Parameters, batch: int, length: int, rate: float
) -> tuple[Callable[[Array, Array], tuple[float, Gradients]], Callable[[], None]]:
    """Return loss and gradients of a batch, and the update in place."""
    dtype = initial["W5"].dtype
    flat, params = flat_copy(initial)
    gradient = np.empty_like(flat)
    grads = flat_views(gradient, initial)
    width, hidden = params["W5"].shape
    rows, ones = batch * length, np.ones(batch * length, dtype)
    scale = np.array(1 / np.sqrt(width), dtype)
    slope = np.array(2 / (rows * width), dtype)

    projections = np.empty((width, 3 * width), dtype)
    biases = np.empty(3 * width, dtype)
    dprojections = np.empty_like(projections)
    parts = [np.s_[k * width : (k + 1) * width] for k in range(3)]
    Ws, dWs = ([of[f"W{k}_heads"] for k in "qkv"] for of in (params, grads))
    bs, dbs = ([of[f"b{k}_heads"] for k in "qkv"] for of in (params, grads))
    Wo, bo, dWo, dbo = params["Wo_heads"], params["bo_heads"], grads["Wo_heads"], grads["bo_heads"]
    W5, b5, dW5, db5 = params["W5"], params["b5"], grads["W5"], grads["b5"]
    Wf, bf, dWf, dbf = params["W_fed"], params["b_fed"], grads["W_fed"], grads["b_fed"]
    Wo_t, Wf_t = Wo.T, Wf.T

    norm1, norm4 = (_Normalized(rows, width, dtype) for _ in "14")
    folded1 = _Folded(params["gamma1"], params["beta1"], 3 * width, ones)
    folded4 = _Folded(params["gamma4"], params["beta4"], hidden, ones)
    gelu = _Gelu((rows, hidden), dtype)
    qkv, dqkv = np.empty((2, rows, 3 * width), dtype)
    q, k, v = (qkv[:, part].reshape(batch, length, width) for part in parts)
    dq, dk, dv = (dqkv[:, part].reshape(batch, length, width) for part in parts)
    k_t, v_t = k.transpose(0, 2, 1), v.transpose(0, 2, 1)
    s, ds = np.empty((2, batch, length, length), dtype)
    s_t, ds_t = s.transpose(0, 2, 1), ds.transpose(0, 2, 1)
    row, places = np.empty((batch, length), dtype), np.ones(length, dtype)
    row_column = row[:, :, None]
    h, x1, z, dz, dh, dx1 = (
        np.empty((rows, n), dtype) for n in [width] * 2 + [hidden] * 2 + [width] * 2
    )
    h_samples, dh_samples = h.reshape(batch, length, width), dh.reshape(batch, length, width)
    h_t, a_t = h.T, gelu.a.T
    error = np.empty((rows, width), dtype)
    error_flat = error.reshape(-1)

    def loss_and_gradients(x: Array, y: Array) -> tuple[float, Gradients]:  # noqa: PLR0915
        x = x.reshape(rows, width)
        for W, b, part in zip(Ws, bs, parts, strict=True):
            projections[:, part] = W
            biases[part] = b
        multiply(projections[:, parts[0]], scale, projections[:, parts[0]])
        multiply(biases[parts[0]], scale, biases[parts[0]])
        folded1.fold(projections, biases)
        folded4.fold(W5, b5)

        h1 = norm1.forward(x)
        h1.dot(folded1.W, qkv)
        add(qkv, folded1.b, qkv)
        matmul(q, k_t, out=s)
        np.maximum.reduce(s, axis=2, out=row)
        subtract(s, row_column, s)
        exp(s, s)
        s.dot(places, row)
        divide(s, row_column, s)
        matmul(s, v, out=h_samples)
        h.dot(Wo, x1)
        add(x1, bo, x1)
        add(x1, x, x1)
        h4 = norm4.forward(x1)
        h4.dot(folded4.W, z)
        add(z, folded4.b, z)
        a = gelu.forward(z)
        a.dot(Wf, error)
        add(error, bf, error)
        add(error, x1, error)
        subtract(error, y.reshape(rows, width), error)
        loss = float(error_flat.dot(error_flat)) / error.size

        multiply(error, slope, error)
        a_t.dot(error, dWf)
        ones.dot(error, dbf)
        error.dot(Wf_t, dz)
        multiply(dz, gelu.slope, dz)
        folded4.gradients(h4, dz)
        folded4.unfold(W5, dW5, grads["gamma4"], grads["beta4"])
        db5[...] = folded4.db
        dz.dot(folded4.W_t, dx1)
        norm4.backward(dx1)
        add(dx1, error, dx1)
        h_t.dot(dx1, dWo)
        ones.dot(dx1, dbo)
        dx1.dot(Wo_t, dh)
        matmul(dh_samples, v_t, out=ds)
        matmul(s_t, dh_samples, out=dv)
        vecdot(ds, s, out=row)
        subtract(ds, row_column, ds)
        multiply(ds, s, ds)
        matmul(ds, k, out=dq)
        matmul(ds_t, q, out=dk)
        folded1.gradients(h1, dqkv)
        folded1.unfold(projections, dprojections, grads["gamma1"], grads["beta1"])
        multiply(dprojections[:, parts[0]], scale, dprojections[:, parts[0]])
        multiply(folded1.db[parts[0]], scale, folded1.db[parts[0]])
        for dW, db, part in zip(dWs, dbs, parts, strict=True):
            dW[...] = dprojections[:, part]
            db[...] = folded1.db[part]
        return loss, grads

    return loss_and_gradients, descent(flat, gradient, rate)
