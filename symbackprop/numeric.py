"""The check of an emitted module, by an oracle that shares no code with how it was made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from symbackprop.checking.report import Finding, GradientReport, from_json
from symbackprop.errors import SymbackpropError

if TYPE_CHECKING:  # the loops need NumPy, a check without an architecture does not
    from symbackprop.network import Network

__all__ = ["Finding", "GradientReport", "OutOfTimeError", "check_module"]

# Seconds to import a module, to check it, and beyond that for each of its numbers.
IMPORT, TIMEOUT, EACH = 20.0, 120.0, 1e-5
# Products of a few samples are small: threads would do little but wait for each other.
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_KEPT = 16  # blocks of the last output
_BLOCK = 256
_LARGEST_REPORT = 1 << 20
_LARGEST_SIZE = 10**9  # numbers


class OutOfTimeError(SymbackpropError):
    """The check was ended: nothing is known about the module."""


def check_module(
    path: Path,
    *,
    architecture: Network | None = None,
    seed: int = 0,
    timeout: float = TIMEOUT,
) -> GradientReport:
    """Check a module's gradients, in a process of its own.

    Args:
        path: the module.
        architecture: where given, the module's forward and loss are compared with the
            per-unit equations, run by plain loops.
        seed: of points, directions and cotangents.
        timeout: seconds after which the process is ended; a module that is not even imported
            has ``IMPORT`` at most, one with very many parameters more.

    Returns:
        Relative errors by tensor, and what else was compared.

    Raises:
        SymbackpropError: the module cannot be read, imported or run, or lacks a function.
        OutOfTimeError: it takes too long.
    """
    if not path.is_file():
        found = "no such file" if not path.exists() else "not a regular file"
        raise SymbackpropError(f"{path}: {found}")
    with tempfile.TemporaryDirectory(prefix="symbackprop-") as folder:
        place = Path(folder)
        tail = _run(path, seed, place, timeout)
        report = _report(path, place, tail)
        if architecture is None:
            return report
        from symbackprop.checking.forward import compare_forward  # noqa: PLC0415

        checks, notes = compare_forward(architecture, place / "sample.npz", str(path))
        return report.extended(checks, *notes)


def _run(path: Path, seed: int, folder: Path, timeout: float) -> str:
    """Run the driver on the module; return the end of what it printed."""
    root = str(Path(__file__).resolve().parent.parent)
    start = f"import sys; sys.path.insert(0, {root!r}); " + (
        "from symbackprop.checking.driver import main; main(*sys.argv[1:])"
    )
    command = [sys.executable, "-c", start, str(path.resolve()), str(seed), str(folder)]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=_THREADS | os.environ,
    ) as process:
        last: deque[bytes] = deque(maxlen=_KEPT)
        reader = threading.Thread(target=_drain, args=(process.stdout, last), daemon=True)
        reader.start()
        try:
            _wait(process, path, folder / "size", timeout)
        finally:
            _end(process)
            reader.join(1.0)
    return b"".join(last).decode("utf-8", "replace")


def _wait(process: subprocess.Popen[bytes], path: Path, size: Path, timeout: float) -> None:
    """Wait for the process, longer where it says that it checks a large module."""
    first = min(IMPORT, timeout)
    try:
        process.wait(first)
        return
    except subprocess.TimeoutExpired:
        if not size.is_file():
            raise OutOfTimeError(f"{path}: is not imported within {first:g} s") from None
    limit = timeout + EACH * min(int(size.read_text(encoding="ascii")), _LARGEST_SIZE)
    try:
        process.wait(limit - first)
    except subprocess.TimeoutExpired:
        raise OutOfTimeError(f"{path}: no result within {limit:g} s") from None


def _drain(stream: IO[bytes] | None, last: deque[bytes]) -> None:
    while stream is not None and (block := stream.read(_BLOCK)):
        last.append(block)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started, where the system has groups of processes."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
    else:
        process.kill()


def _report(path: Path, folder: Path, tail: str) -> GradientReport:
    place = folder / "report.json"
    if not place.is_file() or place.stat().st_size > _LARGEST_REPORT:
        lines = [line for line in tail.splitlines() if line.strip()] or ["nothing was printed"]
        raise SymbackpropError(f"{path}: ended without a result: {lines[-1][:200]}")
    try:
        data: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        if "error" in data:
            raise SymbackpropError(f"{path}: {' '.join(data['error'].split())[:400]}")
        return from_json(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SymbackpropError(f"{path}: wrote a report that cannot be read: {error}") from error
