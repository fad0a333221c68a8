"""Definitions made into normalised equations: names bound, extents found, reductions hoisted."""

from symbackprop.instantiate.bind import instantiate
from symbackprop.instantiate.extents import extent_of
from symbackprop.instantiate.scope import Names, Scope

__all__ = ["Names", "Scope", "extent_of", "instantiate"]
