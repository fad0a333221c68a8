"""How much work is done, counted rather than timed: a busy machine changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable


def calls_of(work: Callable[[], object], *events: str) -> int:
    """Return how many functions are called; by default, those written in Python."""
    counted = events or ("call",)
    called = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal called
        called += event in counted

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return called
