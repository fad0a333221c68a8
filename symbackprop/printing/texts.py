"""Source text of an expression, and how tightly its outermost operator binds."""

from __future__ import annotations

from dataclasses import dataclass

# Comparisons, sums, products, signs, and what needs no parentheses.
LEVELS = COMPARE, SUM, TERM, UNARY, ATOM = tuple(range(1, 6))


@dataclass(frozen=True)
class Text:
    """Source text, and how tightly its outermost operator binds."""

    source: str
    binds: int = ATOM

    def within(self, level: int) -> str:
        """Return the source, in parentheses where it binds less tightly than ``level``."""
        return self.source if self.binds >= level else f"({self.source})"
