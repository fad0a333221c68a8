"""A transformer block as tutorials write it: layer by layer, new arrays everywhere."""

from __future__ import annotations

import numpy as np
from workload import Gradients, Parameters

EPS = 1e-5
C = np.sqrt(2 / np.pi)


class LayerNorm:
    def __init__(self, gamma, beta):
        self.params = {"gamma": gamma.copy(), "beta": beta.copy()}

    def forward(self, x):
        self.r = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + EPS)
        self.h = (x - x.mean(axis=-1, keepdims=True)) * self.r
        return self.h * self.params["gamma"] + self.params["beta"]

    def backward(self, dy):
        self.grads = {"gamma": (dy * self.h).sum(axis=(0, 1)), "beta": dy.sum(axis=(0, 1))}
        dh = dy * self.params["gamma"]
        inner = (dh * self.h).mean(axis=-1, keepdims=True)
        return self.r * (dh - dh.mean(axis=-1, keepdims=True) - self.h * inner)


class Linear:
    def __init__(self, W, b):
        self.params = {"W": W.copy(), "b": b.copy()}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        rows = self.x.reshape(-1, self.x.shape[-1])
        drows = dy.reshape(-1, dy.shape[-1])
        self.grads = {"W": rows.T @ drows, "b": drows.sum(axis=0)}
        return dy @ self.params["W"].T


class TutorialBlock:
    def __init__(self, params: Parameters, rate: float) -> None:
        self.rate = rate
        names = ("q_heads", "k_heads", "v_heads", "o_heads", "5", "_fed")
        self.linear = {name: Linear(params[f"W{name}"], params[f"b{name}"]) for name in names}
        self.norms = {k: LayerNorm(params[f"gamma{k}"], params[f"beta{k}"]) for k in "14"}

    def forward(self, x):
        h = self.norms["1"].forward(x)
        self.q, self.k, self.v = (self.linear[f"{k}_heads"].forward(h) for k in "qkv")
        s = self.q @ self.k.transpose(0, 2, 1) / np.sqrt(x.shape[-1]).astype(x.dtype)
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        x = x + self.linear["o_heads"].forward(self.p @ self.v)
        self.z = z = self.linear["5"].forward(self.norms["4"].forward(x))
        self.t = np.tanh(C.astype(z.dtype) * (z + 0.044715 * z**3))
        return x + self.linear["_fed"].forward(0.5 * z * (1 + self.t))

    def backward(self, dy):
        da = self.linear["_fed"].backward(dy)
        z, t, c = self.z, self.t, C.astype(dy.dtype)
        slope = 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * c * (1 + 3 * 0.044715 * z**2)
        dx = dy + self.norms["4"].backward(self.linear["5"].backward(da * slope))
        dh = self.linear["o_heads"].backward(dx)
        dp, dv = dh @ self.v.transpose(0, 2, 1), self.p.transpose(0, 2, 1) @ dh
        ds = self.p * (dp - (dp * self.p).sum(axis=-1, keepdims=True))
        ds /= np.sqrt(dy.shape[-1]).astype(dy.dtype)
        dq, dk = ds @ self.k, ds.transpose(0, 2, 1) @ self.q
        pairs = zip("qkv", (dq, dk, dv), strict=True)
        self.norms["1"].backward(sum(self.linear[f"{k}_heads"].backward(d) for k, d in pairs))

    def loss_and_gradients(self, x, y) -> tuple[float, Gradients]:
        error = self.forward(x) - y
        self.backward(2 * error / error.size)
        grads = {}
        for layers in (self.linear, self.norms):
            for name, layer in layers.items():
                grads |= {f"{letter}{name}": value for letter, value in layer.grads.items()}
        return float(np.mean(error**2)), grads

    def update(self):
        for layer in (*self.linear.values(), *self.norms.values()):
            for name in layer.params:
                layer.params[name] -= self.rate * layer.grads[name]
