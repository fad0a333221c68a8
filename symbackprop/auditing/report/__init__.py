"""The outcome of an audit in the formats of the command: a new one is a module and an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from symbackprop.auditing.outcome import Outcome
from symbackprop.auditing.report import as_json, github, junit, sarif, text

FORMATS: Mapping[str, Callable[[Outcome], str]] = {
    "text": text.written,
    "json": as_json.written,
    "sarif": sarif.written,
    "github": github.written,
    "junit": junit.written,
}
