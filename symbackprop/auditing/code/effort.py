"""What the judgement of a pair may spend: work is counted, so no verdict depends on a machine.

A unit is about a microsecond of one core.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

RUN = 1_000  # to set one run up
STEP = 6  # one expression or statement of the program
NODE = 6  # one value made
RESIDUE = 1  # one value in the field
POWER = 30  # one value in the field that is a power, a root or an inverse
DIGITS = 4  # one value in many digits
PARTIAL = 4  # one partial derivative of one value
EDIT = 2_000  # one edit of the program
ELEMENTS = 2  # elements of arrays for one unit

# The clock ends no more than what counts wrongly: seconds of the process, far beyond the work.
GUARD = 60.0
# Units between two looks at it.
BETWEEN = 100_000


class ExhaustedError(Exception):
    """The work that was allotted is spent."""


class OverdueError(Exception):
    """The clock has run out though the work has not."""


class Effort:
    """A count of work and the most that it may come to.

    Args:
        most: How many units may be spent.
    """

    def __init__(self, most: int) -> None:
        self.spent = 0
        self.most = most
        self._look = BETWEEN
        self._end = time.process_time() + GUARD

    def spend(self, units: int) -> None:
        """Count work, before it is done.

        Raises:
            ExhaustedError: If it is more than may be spent.
            OverdueError: If the clock has run out.
        """
        self.spent += units
        if self.spent > self.most:
            raise ExhaustedError
        if self.spent > self._look:
            self._look = self.spent + BETWEEN
            if time.process_time() > self._end:
                raise OverdueError

    @property
    def left(self) -> int:
        """What may still be spent."""
        return max(self.most - self.spent, 0)

    def within(self, units: int) -> AbstractContextManager[None]:
        """Spend no more than a part of what is left."""
        return self._until(min(self.most, self.spent + units))

    def beyond(self, units: int) -> AbstractContextManager[None]:
        """Spend this much at least, whatever is left."""
        return self._until(max(self.most, self.spent + units))

    @contextmanager
    def _until(self, most: int) -> Iterator[None]:
        outer, self.most = self.most, most
        try:
            yield
        finally:
            self.most = outer
