"""The outcome for people, on a terminal of 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

import click

from symbackprop.auditing.outcome import Entry, Outcome
from symbackprop.auditing.report.wording import details, headline, place, subject, totals

WIDTH = 80
LABEL = 16
COLORS = {
    "proved": "green",
    "agrees": "green",
    "convention": "cyan",
    "undecided": "yellow",
    "refuted": "red",
}
_CHANGES = re.compile(r"(?P<gone>\[-.*?-\])|(?P<come>\{\+.*?\+\})")


def written(outcome: Outcome) -> str:
    """Return the outcome as text; its colours are for `click.echo`, which knows the terminal."""
    blocks = [_block(entry) for entry in outcome.entries]
    return "".join(f"{block}\n\n" for block in blocks) + totals(outcome) + "\n"


def _block(entry: Entry) -> str:
    finding = entry.finding
    verdict, _, about = headline(finding).partition(": ")
    accepted = " (in the baseline)" if entry.accepted else ""
    title = click.style(verdict, fg=COLORS[finding.verdict], bold=True)
    lines = [f"{place(finding)}: {title}{accepted}", *_labelled("", about)]
    lines += _labelled("claim", subject(finding))
    for label, value in details(finding):
        lines += _labelled(label, value)
    if finding.patch:
        lines += [f"    {line}" for line in finding.patch.splitlines()]
    return "\n".join(lines)


def _labelled(label: str, value: str) -> Iterator[str]:
    rows = textwrap.wrap(value, WIDTH - LABEL - 2, break_long_words=False, break_on_hyphens=False)
    for row in rows:
        yield f"  {label.ljust(LABEL) if label else ''}{_highlighted(row)}"
        label = " "


def _highlighted(row: str) -> str:
    return _CHANGES.sub(
        lambda match: click.style(match.group(), fg="red" if match["gone"] else "green"), row
    )
