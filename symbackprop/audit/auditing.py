"""From the text of a document to findings: the audit's entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.audit.binding import Paper, Unread
from symbackprop.audit.decide import judge
from symbackprop.audit.documents import read_document, read_formula
from symbackprop.audit.finding import Finding
from symbackprop.audit.reading.bind import bind


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
        found += audit_paper(bind(replace(sheet, sources=(*extra, *sheet.sources))))
    return found


def audit_formula(text: str, given: str = "", path: str = "-") -> list[Finding]:
    """Audit one formula, or several rows of them, with the definitions that are given."""
    return audit_paper(bind(read_formula(text, given, path)))


def audit_paper(paper: Paper) -> list[Finding]:
    """Audit the claims of a document that has been read."""
    found = [judge(claim, paper) for claim in paper.claims]
    found += [_unread(unread) for unread in paper.unread if unread.is_claim]
    return sorted(found, key=lambda finding: (finding.cell or 0, finding.line, finding.column))


def _unread(unread: Unread) -> Finding:
    source = unread.source
    return Finding(
        path=source.path,
        line=source.line,
        column=unread.column,
        cell=source.cell,
        claim=source.text,
        read_as="",
        verdict="undecided",
        reason=unread.reason,
    )
