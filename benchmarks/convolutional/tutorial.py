"""A convolutional network as tutorials write it: im2col, layer by layer, new arrays everywhere."""

from __future__ import annotations

import numpy as np
from tutorial_parts import col2im, im2col
from workload import Gradients, Parameters


class Conv:
    def __init__(self, W, b, padding=0):
        self.W, self.b, self.padding = W.copy(), b.copy(), padding

    def forward(self, x):
        self.shape = x.shape
        self.columns, height, width = im2col(x, 3, padding=self.padding)
        z = self.columns @ self.W.reshape(len(self.W), -1).T + self.b
        return z.reshape(len(x), height, width, -1).transpose(0, 3, 1, 2)

    def backward(self, dz):
        dz = dz.transpose(0, 2, 3, 1).reshape(-1, len(self.W))
        self.db = dz.sum(axis=0)
        self.dW = (dz.T @ self.columns).reshape(self.W.shape)
        return col2im(dz @ self.W.reshape(len(self.W), -1), self.shape, 3, padding=self.padding)


class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class Pool:
    def forward(self, x):
        self.shape = x.shape
        columns, height, width = im2col(x, 2, stride=2)
        columns = columns.reshape(-1, 4)
        self.largest = columns.argmax(axis=1)
        y = columns.max(axis=1)
        return y.reshape(len(x), height, width, -1).transpose(0, 3, 1, 2)

    def backward(self, dy):
        dy = dy.transpose(0, 2, 3, 1)
        columns = np.zeros((dy.size, 4), dy.dtype)
        columns[np.arange(dy.size), self.largest] = dy.ravel()
        return col2im(columns.reshape(-1, 4 * dy.shape[3]), self.shape, 2, stride=2)


class TutorialNetwork:
    def __init__(self, params: Parameters, rate: float) -> None:
        self.rate = rate
        self.convs = {"1": Conv(params["W1"], params["b1"]), "3": Conv(params["W3"], params["b3"])}
        self.layers = [self.convs["1"], Relu(), Pool(), self.convs["3"], Relu(), Pool()]
        self.W, self.b = params["W6"].copy(), params["b6"].copy()

    def loss_and_gradients(self, x, y) -> tuple[float, Gradients]:
        for layer in self.layers:
            x = layer.forward(x)
        shape, x = x.shape, x.reshape(len(x), -1)
        z = x @ self.W + self.b
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean()
        dz = (p - np.eye(10, dtype=p.dtype)[y]) / len(y)
        self.dW, self.db = x.T @ dz, dz.sum(axis=0)
        dx = (dz @ self.W.T).reshape(shape)
        for layer in reversed(self.layers):
            dx = layer.backward(dx)
        grads = {"W6": self.dW, "b6": self.db}
        for name, conv in self.convs.items():
            grads |= {f"W{name}": conv.dW, f"b{name}": conv.db}
        return float(loss), grads

    def update(self):
        for conv in self.convs.values():
            conv.W -= self.rate * conv.dW
            conv.b -= self.rate * conv.db
        self.W -= self.rate * self.dW
        self.b -= self.rate * self.db
