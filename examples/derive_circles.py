"""Prints what is derived for the two circles: the loss, and every adjoint, per unit.

    python examples/derive_circles.py

The loss and the last activation are derived together; ``dW1`` is the derivative of L with
respect to W1, n counts the N samples.
"""

from __future__ import annotations

from pathlib import Path

from symbackprop import derive
from symbackprop.emit.derivations import derivation_text

if __name__ == "__main__":
    derived = derive(Path(__file__).resolve().parent / "circles.toml")
    network = derived.network
    print(derivation_text(network, derived.layers, network.heads[0], derived.heads[0]), end="")
