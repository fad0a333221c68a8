"""Generates two layers apart and chains them: ∂E/∂X of the second is ∂E/∂Y of the first.

python examples/chain.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from training import generated

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Generate, check, run forward and backward."""
    with tempfile.TemporaryDirectory() as folder:
        convolution, pool = (
            generated(HERE / f"{name}.toml", Path(folder, f"{name}.py"))
            for name in ("convolution", "pool")
        )
    rng = np.random.default_rng(0)
    params = convolution.initialize(seed=0)
    x = rng.standard_normal((32, 1, 8, 8))

    y, first = convolution.forward(params, x)
    z, second = pool.forward({}, y)
    d_z = rng.standard_normal(z.shape)  # ∂E/∂z, from whatever comes after
    d_y = pool.backward({}, second, d_z)["x"]
    grads = convolution.backward(params, first, d_y)

    for name, gradient in grads.items():
        print(f"∂E/∂{name:2} {gradient.shape}")


if __name__ == "__main__":
    main()
