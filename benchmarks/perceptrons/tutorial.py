"""A perceptron as tutorials write it: layer by layer, new arrays everywhere.

Its gradients are right (the whole loss is averaged), so that it can be compared with the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from workload import Array

if TYPE_CHECKING:
    from perceptrons import Perceptron as Workload


def sigmoid(z):
    return 1 / (1 + np.exp(-z.clip(-500, 500)))


def dsigmoid(z):
    s = sigmoid(z)
    return s * (1 - s)


def relu(z):
    return np.maximum(0, z)


def drelu(z):
    return (z > 0).astype(z.dtype)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def binary_cross_entropy(y, yhat):
    epsilon = np.finfo(yhat.dtype).eps
    return -np.mean(y * np.log(yhat.clip(epsilon)) + (1 - y) * np.log((1 - yhat).clip(epsilon)))


def d_binary_cross_entropy(y, yhat):
    epsilon = np.finfo(yhat.dtype).eps
    return (-y / yhat.clip(epsilon) + (1 - y) / (1 - yhat).clip(epsilon)) / len(y)


class Perceptron:
    """Four layers; the output layer is a sigmoid or a softmax."""

    def __init__(self, workload: Workload, params: dict[str, Array]) -> None:
        layers = len(workload.sizes)
        self.rate = workload.rate
        self.binary = workload.head == "sigmoid"
        self.W = [None, *(params[f"W{layer}"].copy() for layer in workload.layers)]
        self.b = [None, *(params[f"b{layer}"].copy() for layer in workload.layers)]
        self.z, self.a = [None] * layers, [None] * layers
        self.dz, self.da = [None] * layers, [None] * layers
        self.dW, self.db = [None] * layers, [None] * layers

    def forward(self, x):
        self.a[0] = x
        last = len(self.W) - 1
        for layer in range(1, last + 1):
            self.z[layer] = self.a[layer - 1] @ self.W[layer] + self.b[layer]
            output = sigmoid if self.binary else softmax
            self.a[layer] = (output if layer == last else relu)(self.z[layer])
        return self.a[-1]

    def backward(self, y, yhat):
        last = len(self.W) - 1
        for layer in range(last, 0, -1):
            if layer < last:
                self.dz[layer] = self.da[layer] * drelu(self.z[layer])
            elif self.binary:
                self.dz[layer] = d_binary_cross_entropy(y, yhat) * dsigmoid(self.z[layer])
            else:
                self.dz[layer] = (yhat - y) / len(y)
            self.dW[layer] = self.a[layer - 1].T @ self.dz[layer]
            self.db[layer] = self.dz[layer].sum(axis=0)
            self.da[layer - 1] = self.dz[layer] @ self.W[layer].T

    def loss_and_gradients(self, x, y):
        yhat = self.forward(x)
        if self.binary:
            loss = binary_cross_entropy(y, yhat)
        else:
            y = np.eye(yhat.shape[1], dtype=yhat.dtype)[y]
            loss = -np.mean(np.sum(y * np.log(yhat.clip(np.finfo(yhat.dtype).eps)), axis=1))
        self.backward(y, yhat)
        return float(loss)

    def gradients(self):
        pairs = ((f"W{k}", f"b{k}") for k in range(1, len(self.W)))
        values = zip(self.dW[1:], self.db[1:], strict=True)
        return {
            name: value
            for names, arrays in zip(pairs, values, strict=True)
            for name, value in zip(names, arrays, strict=True)
        }

    def update(self):
        for layer in range(1, len(self.W)):
            self.W[layer] -= self.rate * self.dW[layer]
            self.b[layer] -= self.rate * self.db[layer]
