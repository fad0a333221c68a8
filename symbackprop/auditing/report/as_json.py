"""The outcome as one JSON object."""

from __future__ import annotations

from symbackprop.auditing.outcome import Outcome
from symbackprop.auditing.report.wording import dumped

VERSION = 1


def written(outcome: Outcome) -> str:
    """Return the outcome as ``{"version": 1, "findings": […], "summary": {…}}``."""
    record: dict[str, object] = {
        "version": VERSION,
        "findings": [
            entry.finding.as_dict() | {"fingerprint": entry.fingerprint, "accepted": entry.accepted}
            for entry in outcome.entries
        ],
        "summary": outcome.summary,
    }
    if outcome.failures:
        record["errors"] = [
            {"path": failure.path, "message": failure.message} for failure in outcome.failures
        ]
    return dumped(record)
