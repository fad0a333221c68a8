"""From equations to adjoints: rewriting, six rules of differentiation, stable forms."""

from symbackprop.calculus.passes import derive_head, derive_layers, derive_penalty

__all__ = ["derive_head", "derive_layers", "derive_penalty"]
