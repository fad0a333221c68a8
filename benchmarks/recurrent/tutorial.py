"""A long short-term memory as tutorials write it: lists of steps, a function for each gate."""

from __future__ import annotations

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class LSTM:
    def __init__(self, params):
        self.Wx, self.Wh, self.b = (params[name].copy() for name in ("Wx1", "Wh1", "b1"))

    def forward(self, x):
        N, T, _ = x.shape
        H = len(self.Wh)
        h = c = np.zeros((N, H), x.dtype)
        self.x, self.steps, output = x, [], []
        for t in range(T):
            i, f, g, o = np.split(x[:, t] @ self.Wx + h @ self.Wh + self.b, 4, axis=1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            h_before, c_before = h, c
            c = f * c + i * g
            h = o * np.tanh(c)
            self.steps.append((h_before, c_before, i, f, g, o, c))
            output.append(h)
        return np.stack(output, axis=1)

    def backward(self, dout):
        self.dWx, self.dWh = np.zeros_like(self.Wx), np.zeros_like(self.Wh)
        self.db = np.zeros_like(self.b)
        dh_next = dc_next = 0
        for t in reversed(range(len(self.steps))):
            h_before, c_before, i, f, g, o, c = self.steps[t]
            dh = dout[:, t] + dh_next
            dc = dc_next + dh * o * (1 - np.tanh(c) ** 2)
            di, df, dg, do = dc * g, dc * c_before, dc * i, dh * np.tanh(c)
            dz = np.concatenate(
                [di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)], axis=1
            )
            self.dWx += self.x[:, t].T @ dz
            self.dWh += h_before.T @ dz
            self.db += dz.sum(axis=0)
            dh_next, dc_next = dz @ self.Wh.T, dc * f

    def update(self, rate):
        self.Wx -= rate * self.dWx
        self.Wh -= rate * self.dWh
        self.b -= rate * self.db
