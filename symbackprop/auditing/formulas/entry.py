"""From the text of a document to findings: the audit's entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.auditing.finding import Finding
from symbackprop.auditing.formulas.binding import Unread
from symbackprop.auditing.formulas.displays import judge_all
from symbackprop.auditing.formulas.documents import Sheet, Source, read_formula
from symbackprop.auditing.formulas.reading.bind import bind
from symbackprop.auditing.sheets import read_document


def audit_text(text: str, path: str = "-", given: Sequence[str] = ()) -> list[Finding]:
    r"""Audit the formulas of a document.

    Args:
        text: The document: Markdown, LaTeX, a notebook or a claims file, told by the path.
        path: Where it stands; shown in the findings, and its suffix says how to read the text.
        given: Further definitions in LaTeX (``a = 1/(1+e^{-z})``).

    Returns:
        One finding for each claim, in the order of the document.

    Raises:
        SymbackpropError: If the document cannot be read at all.
    """
    extra = read_formula("", "\n".join(given), path).sources if given else ()
    found = []
    for sheet in read_document(path, text):
        found += audit_sheet(replace(sheet, sources=(*extra, *sheet.sources)))
    return found


def audit_formula(text: str, given: str = "", path: str = "-") -> list[Finding]:
    """Audit one formula, or several rows of them, with the definitions that are given."""
    return audit_sheet(read_formula(text, given, path))


def audit_sheet(sheet: Sheet) -> list[Finding]:
    """Audit the formulas that are read together; what is given as a claim is never passed over."""
    paper = bind(sheet)
    judged = zip(judge_all(paper.claims, paper), paper.claims, strict=True)
    found = [replace(finding, expect=claim.source.expect) for finding, claim in judged]
    found += [_unread(unread) for unread in paper.unread if unread.is_claim]
    asked = next((source for source in sheet.sources if source.kind == "claim"), None)
    if asked is not None and not found:
        found = [_undecided(asked, asked.column, "no derivative is claimed")]
    return sorted(found, key=lambda finding: (finding.cell or 0, finding.line, finding.column))


def _unread(unread: Unread) -> Finding:
    source = unread.source
    column = unread.column if unread.line == source.line else source.column
    return _undecided(source, column, unread.reason)


def _undecided(source: Source, column: int, reason: str) -> Finding:
    return Finding(
        path=source.path,
        line=source.line,
        column=column,
        cell=source.cell,
        claim=source.text,
        read_as="",
        verdict="undecided",
        reason=reason,
        expect=source.expect,
    )
