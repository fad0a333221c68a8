"""The one exception that a user's mistake raises, and help with near misses."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SymbackpropError(Exception):
    """A mistake in what the user gave: shown as one line, never as a traceback.

    The message names the place (file, line or field, and the layer), what was
    found and what is allowed.
    """

    def at(self, place: str) -> SymbackpropError:
        """Return the same error with the place where it was found, if there is a name for it."""
        return type(self)(f"{place}: {self}") if place else self


def allowed(found: str, names: Iterable[str]) -> str:
    """Return the end of a message: the nearest valid name, and all valid ones."""
    names = sorted(names)
    near = difflib.get_close_matches(found, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}allowed: {', '.join(names)}"
