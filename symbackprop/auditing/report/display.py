"""An audit in Python: its outcome, which displays itself in a notebook."""

from __future__ import annotations

from dataclasses import dataclass

import click

from symbackprop.auditing.finding import Finding
from symbackprop.auditing.outcome import Outcome
from symbackprop.auditing.report import text
from symbackprop.auditing.report.wording import details, headline, place, totals

_MARKS = {"proved": "✓", "agrees": "✓", "convention": "✓", "undecided": "?", "refuted": "✗"}


@dataclass(frozen=True)
class Audit(Outcome):
    """The outcome of an audit; ``str()`` is its report, a notebook shows its formulas set."""

    @classmethod
    def of(cls, outcome: Outcome) -> Audit:
        """Return an outcome as one that displays itself."""
        return cls(outcome.entries, outcome.failures, outcome.files)

    def __str__(self) -> str:
        return click.unstyle(text.written(self))

    def _repr_markdown_(self) -> str:
        parts = [_markdown(finding) for finding in self.findings]
        return "\n\n".join((*parts, totals(self)))


def _markdown(finding: Finding) -> str:
    title = f"**{_MARKS[finding.verdict]} {_escaped(headline(finding))}**"
    parts = [f"{title} ({_escaped(place(finding))})", _set(finding.claim)]
    if finding.derived:
        parts += ["The right formula:", _set(finding.derived)]
    parts.append(
        "\n".join(
            f"- {label}: {_code(value)}" for label, value in details(finding) if label not in _SHOWN
        )
    )
    return "\n\n".join(parts)


_SHOWN = ("right is", "change")


def _set(formula: str) -> str:
    """Return a formula as a display, which nothing in it can end."""
    row = " ".join(formula.replace("$", " ").replace("<", r"\lt ").replace("&", " ").split())
    return f"$$\n{row}\n$$"


def _escaped(text: str) -> str:
    return "".join("\\" + c if c in "\\`*_{}[]<>()#+-.!|$&" else c for c in text)


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39))}`"
