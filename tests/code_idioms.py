"""Right pairs of function and derivative in the idioms that people write, in words of our own."""

from __future__ import annotations

import textwrap

# Each text has f, and f_prime or f_backward; further functions are what both call.
FUNCTIONS = {
    "sigmoid": """
        def f(z):
            return 1 / (1 + np.exp(-z))

        def f_prime(z):
            s = f(z)
            return s * (1 - s)
    """,
    "tanh by exponentials": """
        def f(z):
            return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))

        def f_prime(z):
            return 1 - f(z) ** 2
    """,
    "relu by mask": """
        def f(z):
            return z * (z > 0)

        def f_backward(dout, z):
            dz = dout.copy()
            dz[z <= 0] = 0
            return dz
    """,
    "elu": """
        def f(z, alpha=1.5):
            return np.where(z > 0, z, alpha * (np.exp(z) - 1))

        def f_prime(z, alpha=1.5):
            return np.where(z > 0, 1, alpha * np.exp(z))
    """,
    "softplus": """
        def f(z, beta=2.0):
            return np.log(1 + np.exp(beta * z)) / beta

        def f_prime(z, beta=2.0):
            return 1 / (1 + np.exp(-beta * z))
    """,
    "swish": """
        def f(z):
            return z / (1 + np.exp(-z))

        def f_prime(z):
            s = 1 / (1 + np.exp(-z))
            return s + z * s * (1 - s)
    """,
    "hard tanh": """
        def f(z):
            return np.clip(z, -1.5, 1.5)

        def f_prime(z):
            return np.where(np.abs(z) < 1.5, 1.0, 0.0)
    """,
    "gaussian": """
        def f(z):
            return np.exp(-z ** 2 / 2)

        def f_prime(z):
            return -z * f(z)
    """,
    "softmax by rows": """
        def f(z):
            e = np.exp(z - z.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        def f_backward(dout, z):
            p = f(z)
            return p * (dout - (dout * p).sum(axis=1, keepdims=True))
    """,
    "squared error": """
        def f(y_pred, y_true):
            return np.sum((y_pred - y_true) ** 2) / (2 * len(y_true))

        def f_prime(y_pred, y_true):
            return (y_pred - y_true) / len(y_true)
    """,
    "cross-entropy of probabilities": """
        def f(p, y):
            return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

        def f_prime(p, y):
            return ((1 - y) / (1 - p) - y / p) / p.size
    """,
    "huber": """
        def f(y_pred, y_true, delta=1.2):
            r = y_pred - y_true
            small = 0.5 * r ** 2
            return np.sum(np.where(np.abs(r) <= delta, small, delta * (np.abs(r) - 0.5 * delta)))

        def f_prime(y_pred, y_true, delta=1.2):
            r = y_pred - y_true
            return np.where(np.abs(r) <= delta, r, delta * np.sign(r))
    """,
    "log-cosh": """
        def f(y_pred, y_true):
            return np.sum(np.log(np.cosh(y_pred - y_true)))

        def f_prime(y_pred, y_true):
            return np.tanh(y_pred - y_true)
    """,
    "linear with a loop": """
        def f(x, w):
            out = np.zeros(x.shape[0])
            for i in range(x.shape[0]):
                for j in range(x.shape[1]):
                    out[i] += x[i, j] * w[j]
            return out

        def f_backward(dout, x, w):
            dw = np.zeros_like(w)
            for i in range(x.shape[0]):
                dw += dout[i] * x[i]
            return dw
    """,
    "affine": """
        def f(x, w, b):
            out = x.dot(w) + b
            cache = (x, w, b)
            return out, cache

        def f_backward(dout, cache):
            x, w, b = cache
            dx = dout.dot(w.T)
            dw = x.T.dot(dout)
            db = np.sum(dout, axis=0)
            return dx, dw, db
    """,
    "affine in columns": """
        def f(A, W, b):
            assert b.shape == (W.shape[0], 1)
            Z = np.dot(W, A) + b
            return Z, (A, W, b)

        def f_backward(dZ, cache):
            A, W, b = cache
            dW = np.dot(dZ, A.T)
            db = np.sum(dZ, axis=1, keepdims=True)
            dA = np.dot(W.T, dZ)
            return dA, dW, db
    """,
    "layer normalisation": """
        def f(x, gamma, beta, eps=1e-5):
            mu = x.mean(axis=1, keepdims=True)
            var = ((x - mu) ** 2).mean(axis=1, keepdims=True)
            xhat = (x - mu) / np.sqrt(var + eps)
            return gamma * xhat + beta, (xhat, gamma, var, eps)

        def f_backward(dout, cache):
            xhat, gamma, var, eps = cache
            n = dout.shape[1]
            dbeta = dout.sum(axis=0)
            dgamma = (dout * xhat).sum(axis=0)
            dxhat = dout * gamma
            total = dxhat.sum(axis=1, keepdims=True)
            along = (dxhat * xhat).sum(axis=1, keepdims=True)
            dx = (n * dxhat - total - xhat * along) / (n * np.sqrt(var + eps))
            return dx, dgamma, dbeta
    """,
    "logistic regression": """
        def f(w, X, y, lam=0.3):
            h = 1 / (1 + np.exp(-X.dot(w)))
            m = X.shape[0]
            loss = -np.sum(y * np.log(h) + (1 - y) * np.log(1 - h)) / m
            return loss + lam / (2 * m) * np.sum(w ** 2)

        def f_prime(w, X, y, lam=0.3):
            h = 1 / (1 + np.exp(-X.dot(w)))
            m = X.shape[0]
            return X.T.dot(h - y) / m + lam / m * w
    """,
    "embedding": """
        def f(W, index):
            return W[index]

        def f_backward(dout, W, index):
            dW = np.zeros_like(W)
            np.add.at(dW, index, dout)
            return dW
    """,
    "max pooling in one dimension": """
        def f(x, size=2):
            out = np.zeros((x.shape[0], x.shape[1] - size + 1))
            for j in range(x.shape[1] - size + 1):
                out[:, j] = x[:, j:j + size].max(axis=1)
            return out

        def f_backward(dout, x, size=2):
            dx = np.zeros_like(x)
            for i in range(x.shape[0]):
                for j in range(dout.shape[1]):
                    k = np.argmax(x[i, j:j + size])
                    dx[i, j + k] += dout[i, j]
            return dx
    """,
    "convolution in one dimension": """
        def f(x, k):
            n = x.shape[0] - k.shape[0] + 1
            out = np.zeros(n)
            for i in range(n):
                out[i] = np.sum(x[i:i + k.shape[0]] * k)
            return out

        def f_backward(dout, x, k):
            dx = np.zeros_like(x)
            dk = np.zeros_like(k)
            for i in range(dout.shape[0]):
                dx[i:i + k.shape[0]] += dout[i] * k
                dk += dout[i] * x[i:i + k.shape[0]]
            return dx, dk
    """,
    "cosine": """
        def f(u, v):
            return np.sum(u * v) / (np.sqrt(np.sum(u ** 2)) * np.sqrt(np.sum(v ** 2)))

        def f_prime(u, v):
            a = np.sqrt(np.sum(u ** 2))
            b = np.sqrt(np.sum(v ** 2))
            return v / (a * b) - f(u, v) * u / a ** 2
    """,
    "l2 norm": """
        def f(x):
            return np.sqrt(np.sum(x ** 2))

        def f_prime(x):
            return x / f(x)
    """,
    "recurrent": """
        def f(x, W, U, b):
            h = np.zeros((x.shape[0], U.shape[0]))
            states = [h]
            for t in range(x.shape[1]):
                h = np.tanh(x[:, t].dot(W) + h.dot(U) + b)
                states.append(h)
            return h, (x, W, U, b, states)

        def f_backward(dout, cache):
            x, W, U, b, states = cache
            dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
            dh = dout
            for t in reversed(range(x.shape[1])):
                dz = dh * (1 - states[t + 1] ** 2)
                dW += x[:, t].T.dot(dz)
                dU += states[t].T.dot(dz)
                db += dz.sum(axis=0)
                dh = dz.dot(U.T)
            return dW, dU, db
    """,
    "two layers": """
        def f(x, W1, W2):
            h = np.tanh(x @ W1)
            return h @ W2, (x, h, W1, W2)

        def f_backward(dout, cache):
            x, h, W1, W2 = cache
            dW2 = h.T @ dout
            dh = dout @ W2.T
            dz = dh * (1 - h ** 2)
            dW1 = x.T @ dz
            dx = dz @ W1.T
            return dx, dW1, dW2
    """,
}


def source(name: str) -> str:
    """The text of a pair, with the import that it needs."""
    return "import numpy as np\n" + textwrap.dedent(FUNCTIONS[name])
