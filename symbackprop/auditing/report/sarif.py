"""The outcome in SARIF 2.1.0, for code scanning: what is refuted or undecided."""

from __future__ import annotations

from urllib.parse import quote

from symbackprop import __version__
from symbackprop.auditing.finding import DIAGNOSES
from symbackprop.auditing.outcome import Entry, Failure, Outcome
from symbackprop.auditing.report.wording import details, dumped, headline, place, printable, subject

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
UNDECIDED = "undecided"
UNEXPECTED = "unexpected"
# An undecided claim is no failure: SARIF's kind for it is "open", which has no level.
_KINDS = {"refuted": ("fail", "error"), UNDECIDED: ("open", "none")}
_RULES = {
    **DIAGNOSES,
    UNEXPECTED: "The verdict is not the one that the claims file expects.",
    UNDECIDED: "The claim could be neither proved nor refuted.",
}

Json = dict[str, object]


def written(outcome: Outcome) -> str:
    """Return the outcome as one run."""
    driver = {
        "name": "symbackprop",
        "semanticVersion": __version__,
        "rules": [{"id": name, "shortDescription": _text(words)} for name, words in _RULES.items()],
    }
    run: Json = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not outcome.failures,
                "toolExecutionNotifications": [_notified(f) for f in outcome.failures],
            }
        ],
        "results": [_result(entry) for entry in outcome.entries if entry.verdict in _KINDS],
    }
    record = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return dumped(record)


def _result(entry: Entry) -> Json:
    finding = entry.finding
    kind, level = _KINDS[entry.verdict]
    rule = _rule(entry)
    lines = [subject(finding), *(f"{label}: {value}" for label, value in details(finding))]
    result: Json = {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(rule),
        "kind": kind,
        "level": level,
        "message": _text("\n".join((headline(finding), *lines))),
        "locations": [_location(entry)],
        "partialFingerprints": {"symbackprop/v1": entry.fingerprint},
    }
    if entry.accepted:
        result["suppressions"] = [{"kind": "external"}]
    return result


def _rule(entry: Entry) -> str:
    if entry.verdict == UNDECIDED:
        return UNDECIDED
    diagnosis = entry.finding.diagnosis
    return diagnosis.kind if diagnosis else UNEXPECTED


def _location(entry: Entry) -> Json:
    finding = entry.finding
    physical: Json = {"artifactLocation": {"uri": quote(entry.location, errors="surrogateescape")}}
    if finding.cell is None:
        physical["region"] = {"startLine": finding.line, "startColumn": finding.column}
        return {"physicalLocation": physical}
    # Lines of a cell are not lines of the file.
    return {
        "physicalLocation": physical,
        "logicalLocations": [{"fullyQualifiedName": place(finding)}],
    }


def _notified(failure: Failure) -> Json:
    return {"level": "error", "message": _text(printable(failure.message))}


def _text(words: str) -> Json:
    return {"text": words}
