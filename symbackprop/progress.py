"""Says on stderr what long work is at; short work stays silent."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

SILENCE = 1.0  # seconds


class Progress:
    """Call it with the name of each stage; the first is printed once the work takes long."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._stage = ""
        self._lock = threading.Lock()
        self._timer = threading.Timer(SILENCE, self._print)
        self._timer.daemon = True

    def __call__(self, stage: str) -> None:
        """Enter a stage: ``deriving``."""
        with self._lock:
            self._stage = stage
        if time.monotonic() - self._start >= SILENCE:
            self._print()

    def __enter__(self) -> Progress:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def _print(self) -> None:
        with self._lock:
            if self._stage:
                print(f"{self._stage} …", file=sys.stderr, flush=True)
