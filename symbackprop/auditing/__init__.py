"""The audit: gradients that somebody else derived are read, bound to what they say, and judged.

``readers`` says which files are audited, ``files`` runs them, ``formulas`` and ``code`` audit what
is in them, ``report`` prints the outcome.
"""
