"""Definitions made into normalised equations: names bound, extents found, reductions hoisted."""

from symbackprop.instantiate.bind import instantiate, instantiate_with_updates
from symbackprop.instantiate.extents import extent_of
from symbackprop.instantiate.instance import Instance
from symbackprop.instantiate.scope import Names, Scope

__all__ = ["Instance", "Names", "Scope", "extent_of", "instantiate", "instantiate_with_updates"]
