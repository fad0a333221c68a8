"""From equations to adjoints: rewriting, six rules of differentiation, stable forms."""

from symbackprop.calculus.passes import (
    NetworkDerivation,
    derive_head,
    derive_layers,
    derive_network,
    derive_penalty,
    derive_step,
)
from symbackprop.calculus.phases import WINDOWS

__all__ = [
    "WINDOWS",
    "NetworkDerivation",
    "derive_head",
    "derive_layers",
    "derive_network",
    "derive_penalty",
    "derive_step",
]
