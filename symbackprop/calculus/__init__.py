"""From equations to adjoints: rewriting, six rules of differentiation, stable forms."""

from symbackprop.calculus.passes import (
    NetworkDerivation,
    derive_head,
    derive_layers,
    derive_network,
    derive_penalty,
)

__all__ = [
    "NetworkDerivation",
    "derive_head",
    "derive_layers",
    "derive_network",
    "derive_penalty",
]
