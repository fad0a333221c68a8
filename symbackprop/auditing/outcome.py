"""What an audit of several files comes to: findings, files that could not be read, exit code."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from symbackprop.auditing.finding import VERDICTS, Finding

STDIN = "-"
# The verdicts that make the command fail, by what `--fail-on` names; the strictest is the default.
FAILING = {"undecided": ("refuted", "undecided"), "refuted": ("refuted",)}
EXIT_CODES = {"refuted": 1, "undecided": 3}
BAD_INPUT = 2
_MARKS_OF_A_PROJECT = (".git", "pyproject.toml")


@dataclass(frozen=True)
class Entry:
    """A finding of an audit.

    `location` is the file relative to the project, with slashes. `fingerprint` stays the same
    when lines move. `accepted` says that a baseline holds it.
    """

    finding: Finding
    location: str
    fingerprint: str
    accepted: bool = False

    @property
    def verdict(self) -> str:
        """The verdict that counts: what a claims file expects is as good as proved."""
        finding = self.finding
        if finding.expect is None or finding.verdict == "undecided" != finding.expect:
            return finding.verdict
        return "proved" if finding.verdict == finding.expect else "refuted"


@dataclass(frozen=True)
class Failure:
    """A file that could not be audited, and why."""

    path: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """The outcome of an audit: findings in the order of the files, and `files` audited."""

    entries: tuple[Entry, ...]
    failures: tuple[Failure, ...] = ()
    files: int = 1

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings alone."""
        return tuple(entry.finding for entry in self.entries)

    @property
    def summary(self) -> dict[str, int]:
        """How often each verdict was given, the best first; those never given are left out."""
        counts = Counter(entry.finding.verdict for entry in self.entries)
        return {verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]}

    def exit_code(self, fail_on: str = "undecided") -> int:
        """Return 2 for bad input, else 1 for a refuted claim, else 3 for an undecided one, else 0.

        Args:
            fail_on: ``refuted`` lets undecided claims pass.
        """
        if self.failures:
            return BAD_INPUT
        given = {entry.verdict for entry in self.entries if not entry.accepted}
        return next((EXIT_CODES[verdict] for verdict in FAILING[fail_on] if verdict in given), 0)


def gather(
    findings: Iterable[Finding],
    failures: Iterable[Failure] = (),
    *,
    files: int = 1,
    accepted: Set[str] = frozenset(),
) -> Outcome:
    """Return findings as an outcome: located in the project, with fingerprints.

    Args:
        findings: In the order of the files.
        failures: Files that could not be audited.
        files: How many files there were.
        accepted: Fingerprints of a baseline.
    """
    root = _project(Path.cwd())
    seen: Counter[tuple[str, ...]] = Counter()
    entries = []
    for finding in findings:
        location = _location(finding.path, root)
        words = _identity(finding, location)
        seen[words] += 1
        # Equal claims of one file are told apart by their order.
        text = "\0".join((*words, str(seen[words])))
        fingerprint = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        entries.append(Entry(finding, location, fingerprint, fingerprint in accepted))
    return Outcome(tuple(entries), tuple(failures), files)


def _identity(finding: Finding, location: str) -> tuple[str, ...]:
    """What makes a finding the same one later; neither its place in the file nor any number."""
    return (
        location,
        " ".join(finding.claim.split()),
        finding.function or "",
        finding.wrt or "",
        *(f"{name}={value}" for name, value in sorted(finding.assuming.items())),
        finding.verdict,
        finding.diagnosis.kind if finding.diagnosis else "",
    )


def _project(folder: Path) -> Path:
    """Return the folder of the project around a folder; without one, the folder itself."""
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in _MARKS_OF_A_PROJECT):
            return candidate
    return folder


def _location(path: str, root: Path) -> str:
    if path == STDIN:
        return path
    return Path(os.path.relpath(path, root)).as_posix()
