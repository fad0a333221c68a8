"""A pytest plugin: each ``[[claim]]`` of a ``*.claims.toml`` file is a test.

A claim passes when it has the verdict that it expects; where it expects none, it must be proved,
agree, or hold under a convention.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from symbackprop.errors import SymbackpropError

if TYPE_CHECKING:
    from symbackprop.auditing.formulas.documents import Sheet

SUFFIX = ".claims.toml"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a claims file."""
    if not file_path.name.endswith(SUFFIX):
        return None
    collector: pytest.Collector = ClaimsFile.from_parent(parent, path=file_path)
    return collector


class ClaimsFile(pytest.File):
    """A file of claims."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each claim."""
        # Every run of pytest loads this plugin; only one with claims waits for the audit.
        from symbackprop.auditing.sheets import read_document

        try:
            sheets = read_document(str(self.path), self.path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, SymbackpropError) as error:
            raise self.CollectError(str(error)) from None
        for number, sheet in enumerate(sheets, 1):
            name = sheet.name or f"claim {number}"
            yield ClaimItem.from_parent(self, name=name, sheet=sheet)


class ClaimItem(pytest.Item):
    """One claim."""

    def __init__(self, *, sheet: Sheet, **rest: Any) -> None:
        super().__init__(**rest)
        self.sheet = sheet

    def runtest(self) -> None:
        """Audit the claim."""
        from symbackprop.auditing.formulas.entry import audit_sheet
        from symbackprop.auditing.outcome import gather
        from symbackprop.auditing.report.display import Audit

        outcome = gather(audit_sheet(self.sheet))
        if outcome.exit_code():
            pytest.fail(str(Audit.of(outcome)), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the claim stands, its line counted from 0."""
        return self.path, self.sheet.sources[-1].line - 1, self.name
