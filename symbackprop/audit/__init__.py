"""The audit: formulas that somebody else derived are read, bound to what they say, and judged."""
