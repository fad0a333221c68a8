"""A small module written by hand to the emitted modules' contract: what the checks are tried on."""

PERCEPTRON = '''\
"""2-3-1, relu and sigmoid, mean binary cross-entropy."""

import math
import sys

import numpy as np

PARAMETER_SHAPES = {"W1": (2, 3), "b1": (3,), "W2": (3, 1), "b2": (1,)}


def initialize(seed=42, *, scale=None, dtype=np.float64):
    rng = np.random.default_rng(seed)
    flat = np.zeros(13, dtype)
    params = {
        "W1": flat[0:6].reshape(2, 3),
        "b1": flat[6:9],
        "W2": flat[9:12].reshape(3, 1),
        "b2": flat[12:13],
    }
    params["W1"][...] = rng.standard_normal((2, 3)) * (scale or math.sqrt(2 / 2))
    params["W2"][...] = rng.standard_normal((3, 1)) * (scale or math.sqrt(2 / 4))
    if scale is not None:
        params["b1"][...] = rng.standard_normal(3) * scale
        params["b2"][...] = rng.standard_normal(1) * scale
    return params


def _check(name, value, shape):
    if value.shape != shape:
        raise ValueError(f"{name} has shape {value.shape}; it must be {shape}")


def forward(params, x, *, state=None, training=False, rng=None):
    x = np.asarray(x, params["W1"].dtype)
    _check("x", x, (len(x), 2))
    a1 = np.maximum(0.0, x @ params["W1"] + params["b1"])
    z2 = a1 @ params["W2"] + params["b2"]
    e = np.exp(-np.abs(z2))
    a2 = np.maximum(e, np.copysign(1.0, z2)) / (1.0 + e)
    return a2, {"x": x, "a1": a1, "z2": z2, "a2": a2}


def backward(params, cache, d_output):
    _check("d_output", d_output, cache["a2"].shape)
    e = np.exp(-np.abs(cache["z2"]))
    dz2 = d_output * (e / (1.0 + e) ** 2)
    dz1 = (dz2 @ params["W2"].T) * (cache["a1"] > 0.0)
    return {
        "W1": cache["x"].T @ dz1,
        "b1": dz1.sum(axis=0),
        "W2": cache["a1"].T @ dz2,
        "b2": dz2.sum(axis=0),
        "x": dz1 @ params["W1"].T,
    }


def loss(output, y):
    y = np.asarray(y, output.dtype)
    _check("y", y, output.shape)
    positive = np.maximum(np.log(output), -100.0)
    negative = np.maximum(np.log(1.0 - output), -100.0)
    return -(y * positive + (1.0 - y) * negative).sum() / len(output)


def loss_gradient(output, y):
    y = np.asarray(y, output.dtype)
    _check("y", y, output.shape)
    return ((1.0 - y) / (1.0 - output) - y / output) / len(output)


def loss_and_gradients(
    params, x, y, *, state=None, training=True, rng=None, workspace=None, input_gradient=False
):
    dtype = params["W1"].dtype
    x = np.asarray(x, dtype)
    y = np.asarray(y, dtype)
    _check("x", x, (len(x), 2))
    _check("y", y, (len(x), 1))
    space = workspace or Workspace(len(x), dtype)
    n = len(x)
    a1, z, e, p, dz1 = (b[:n] for b in (space.a1, space.z, space.e, space.p, space.dz1))
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]

    np.matmul(x, W1, out=a1)
    a1 += b1
    np.maximum(a1, 0.0, out=a1)
    np.matmul(a1, W2, out=z)
    z += b2
    np.abs(z, out=e)
    np.negative(e, out=e)
    np.exp(e, out=e)
    np.log1p(e, out=p)
    value = float((np.maximum(z, 0.0) - z * y + p).sum() / n)

    np.copysign(1.0, z, out=p)
    np.maximum(e, p, out=p)
    e += 1.0
    p /= e
    p -= y
    p *= 1.0 / n

    np.matmul(p, W2.T, out=dz1)
    dz1 *= a1 > 0.0
    grads = space.grads
    np.matmul(x.T, dz1, out=grads["W1"])
    np.add.reduce(dz1, axis=0, out=grads["b1"])
    np.matmul(a1.T, p, out=grads["W2"])
    np.add.reduce(p, axis=0, out=grads["b2"])
    result = dict(grads)
    if input_gradient:
        result["x"] = np.matmul(dz1, W1.T, out=space.dx[:n])
    return value, result


def update(params, grads, eta, *, workspace=None):
    for name, value in params.items():
        value -= eta * grads[name]


class Workspace:
    def __init__(self, batch_size, dtype=np.float64):
        self.a1 = np.empty((batch_size, 3), dtype)
        self.dz1 = np.empty((batch_size, 3), dtype)
        self.dx = np.empty((batch_size, 2), dtype)
        self.z = np.empty((batch_size, 1), dtype)
        self.e = np.empty((batch_size, 1), dtype)
        self.p = np.empty((batch_size, 1), dtype)
        self.grads = {name: np.empty(shape, dtype) for name, shape in PARAMETER_SHAPES.items()}


def gradient_check(seed=0):
    rng = np.random.default_rng(seed)
    params = initialize(seed)
    x = rng.standard_normal((3, 2))
    output, cache = forward(params, x)
    cotangent = rng.standard_normal(output.shape)
    grads = backward(params, cache, cotangent)
    errors = {}
    for name, value in params.items():
        numeric = np.empty(value.shape)
        for place in np.ndindex(value.shape):
            kept = value[place]
            value[place] = kept + 1e-6
            above = (forward(params, x)[0] * cotangent).sum()
            value[place] = kept - 1e-6
            below = (forward(params, x)[0] * cotangent).sum()
            value[place] = kept
            numeric[place] = (above - below) / 2e-6
        errors[name] = float(np.abs(grads[name] - numeric).max() / np.abs(numeric).max())
    return errors


if __name__ == "__main__":
    found = gradient_check()
    print(found)
    sys.exit(not all(error <= 1e-6 for error in found.values()))
'''
