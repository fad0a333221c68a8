"""The outcome as JUnit XML: a suite for each file, a case for each claim."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

from symbackprop.auditing.outcome import Entry, Failure, Outcome
from symbackprop.auditing.report.wording import details, headline, place, printable, subject

# XML 1.0 has no way to write these.
_IMPOSSIBLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# An accepted finding or an undecided claim is not run, in JUnit's terms.
_ELEMENTS = {"refuted": "failure", "undecided": "skipped"}


def written(outcome: Outcome) -> str:
    """Return the outcome; a file that could not be read is a suite with one error."""
    groups = groupby(outcome.entries, key=lambda entry: entry.location)
    suites = [_suite(location, list(entries)) for location, entries in groups]
    suites += [_failed(failure) for failure in outcome.failures]
    body = "".join(f"{suite}\n" for suite in suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n{body}</testsuites>\n'


def _suite(location: str, entries: list[Entry]) -> str:
    elements = [_element(entry) for entry in entries]
    counts = f'tests="{len(entries)}" failures="{elements.count("failure")}"'
    counts += f' errors="0" skipped="{elements.count("skipped")}"'
    cases = "\n".join(
        _case(entry, element) for entry, element in zip(entries, elements, strict=True)
    )
    return f"<testsuite name={_attribute(location)} {counts}>\n{cases}\n</testsuite>"


def _element(entry: Entry) -> str:
    return "skipped" if entry.accepted else _ELEMENTS.get(entry.verdict, "")


def _case(entry: Entry, element: str) -> str:
    finding = entry.finding
    name = _attribute(f"{place(finding)}: {subject(finding)}")
    opening = f"<testcase classname={_attribute(entry.location)} name={name}"
    if not element:
        return f"{opening}/>"
    message = _attribute(headline(finding))
    lines = "\n".join(f"{label}: {value}" for label, value in details(finding))
    inner = f"<{element} message={message}>{escape(_clean(lines))}</{element}>"
    return f"{opening}>{inner}</testcase>"


def _failed(failure: Failure) -> str:
    name, message = _attribute(failure.path), _attribute(printable(failure.message))
    case = f"<testcase classname={name} name={name}><error message={message}/></testcase>"
    counts = 'tests="1" failures="0" errors="1" skipped="0"'
    return f"<testsuite name={name} {counts}>\n{case}\n</testsuite>"


def _attribute(text: str) -> str:
    return f'"{escape(_clean(text))}"'.replace("\n", "&#10;")


def _clean(text: str) -> str:
    return _IMPOSSIBLE.sub("\N{REPLACEMENT CHARACTER}", text)
