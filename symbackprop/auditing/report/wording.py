"""What every report says of a finding, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator

from symbackprop.auditing.finding import Finding
from symbackprop.auditing.outcome import STDIN, Outcome


def printable(text: str) -> str:
    """Return a text on one line, with control and bidirectional characters as escapes."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def dumped(record: object) -> str:
    """Return JSON in readable Unicode; halves of a character, as in odd file names, are escaped."""
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()


def place(finding: Finding) -> str:
    """Return where a finding stands: ``notes.md:41:3``, in a notebook with its cell."""
    file = "standard input" if finding.path == STDIN else printable(finding.path)
    cell = "" if finding.cell is None else f"cell {finding.cell}:"
    return f"{file}:{cell}{finding.line}:{finding.column}"


def headline(finding: Finding) -> str:
    """Return the verdict with the one thing to know about it."""
    about = ""
    if finding.diagnosis is not None:
        about = finding.diagnosis.detail
    elif finding.convention is not None:
        about = finding.convention
    elif finding.reason is not None:
        about = finding.reason
    return f"{finding.verdict}: {printable(about)}" if about else finding.verdict


def subject(finding: Finding) -> str:
    """Return what is audited: a formula, or in code a derivative and its variable."""
    by = f" (with respect to {finding.wrt})" if finding.wrt else ""
    return printable(finding.claim + by)


def details(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield what else there is to say, each with its label; nothing that is not known."""
    if finding.read_as:
        yield "I read this as", printable(finding.read_as) + _bracketed(finding.reading)
    if finding.function:
        yield "function", printable(finding.function)
    for name, value in sorted(finding.assuming.items()):
        yield "assuming", printable(f"{name} = {value}")
    if finding.evidence:
        yield "evidence", evidence(finding)
    if finding.counterexample:
        yield "counterexample", counterexample(finding.counterexample)
    if finding.diagnosis is not None:
        yield "diagnosis", ", ".join(finding.diagnosis.kinds)
    if finding.derived:
        yield "right is", printable(finding.derived)
    if finding.marked:
        yield "change", printable(finding.marked)
    if finding.expect is not None and finding.expect != finding.verdict:
        yield "expected", finding.expect


def evidence(finding: Finding) -> str:
    """Return how a verdict was reached."""
    words = {
        "symbolic": "symbolic, for all sizes",
        "exact": "exact arithmetic",
        "numeric": "numbers of high precision",
    }
    assert finding.evidence is not None
    sizes = ", ".join(f"{name} = {size}" for name, size in finding.sizes.items())
    return words[finding.evidence] + (f" at sizes {printable(sizes)}" if sizes else "")


def counterexample(values: dict[str, object]) -> str:
    """Return a point at which the sides differ, numbers to six digits."""
    return printable(", ".join(f"{name} = {_number(value)}" for name, value in values.items()))


def totals(outcome: Outcome) -> str:
    """Return the counts of an outcome in one line."""
    claims, files = len(outcome.entries), outcome.files
    counts = [f"{count} {verdict}" for verdict, count in outcome.summary.items()]
    accepted = sum(entry.accepted for entry in outcome.entries)
    if accepted:
        counts.append(f"{accepted} of these in the baseline")
    if outcome.failures:
        counts.append(f"{_counted(len(outcome.failures), 'file')} not read")
    listed = f": {', '.join(counts)}" if counts else ""
    return f"{_counted(claims, 'claim')} in {_counted(files, 'file')}{listed}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _bracketed(words: str | None) -> str:
    return f"  ({printable(words)})" if words else ""
