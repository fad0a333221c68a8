"""Findings that a project has accepted: a file of fingerprints."""

from __future__ import annotations

import json
from pathlib import Path

from symbackprop.auditing.outcome import Outcome
from symbackprop.auditing.report.wording import dumped
from symbackprop.errors import SymbackpropError

VERSION = 1
_KEPT = frozenset(("refuted", "undecided"))


def read_baseline(path: Path) -> frozenset[str]:
    """Return the accepted fingerprints.

    Raises:
        SymbackpropError: The file cannot be read, or is no baseline.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["version"] != VERSION:
            raise SymbackpropError(
                f"{path}: version: {record['version']!r} found, allowed: {VERSION}"
            )
        return frozenset(str(entry["fingerprint"]) for entry in record["accepted"])
    except OSError as error:
        raise SymbackpropError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SymbackpropError(f"{path}: not a baseline ({type(error).__name__})") from None


def baseline_text(outcome: Outcome) -> str:
    """Return a baseline that accepts what an outcome has against a project.

    Besides the fingerprints, which alone count, it says what they stand for.
    """
    accepted = [
        {
            "fingerprint": entry.fingerprint,
            "path": entry.location,
            "claim": entry.finding.claim,
            "verdict": entry.finding.verdict,
        }
        for entry in outcome.entries
        if entry.verdict in _KEPT
    ]
    record = {"version": VERSION, "accepted": accepted}
    return dumped(record)
