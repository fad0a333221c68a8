"""Proofs for all sizes: both sides of a claim in a normal form of index calculus.

``forms`` holds the normal form, ``algebra`` computes with it, ``translating`` makes forms of
formulas, ``proof`` compares two of them. Forms that coincide prove; others say nothing.
"""
