"""The outcome as commands of a GitHub workflow, which show on the lines of a pull request."""

from __future__ import annotations

from symbackprop.auditing.outcome import Entry, Outcome
from symbackprop.auditing.report.wording import details, headline, place, printable, subject, totals

_LEVELS = {"refuted": "error", "undecided": "warning"}


def written(outcome: Outcome) -> str:
    """Return a line for each finding that is refuted or undecided, and one with the counts."""
    lines = [
        _line(entry) for entry in outcome.entries if entry.verdict in _LEVELS and not entry.accepted
    ]
    lines += [
        f"::error file={_property(printable(failure.path))}::{_message(printable(failure.message))}"
        for failure in outcome.failures
    ]
    return "".join(f"{line}\n" for line in lines) + f"::notice::{_message(totals(outcome))}\n"


def _line(entry: Entry) -> str:
    finding = entry.finding
    where = f"file={_property(printable(entry.location))}"
    words = [subject(finding), *(f"{label}: {value}" for label, value in details(finding))]
    if finding.cell is None:
        where += f",line={finding.line},col={finding.column}"
    else:  # lines of a cell are not lines of the file
        words.insert(0, place(finding))
    title = _property(headline(finding))
    return f"::{_LEVELS[entry.verdict]} {where},title={title}::{_message(chr(10).join(words))}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
