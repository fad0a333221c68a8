"""Where formulas stand in a document."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """One row of a display, or one inline formula, as it stands in the document.

    Attributes:
        path: Of the file; ``-`` for standard input.
        line: Of the row, counted from 1; in a notebook within its cell.
        column: Counted from 1.
        cell: Of a notebook, counted from 0; None elsewhere.
        text: The row's LaTeX as written, without delimiters and alignment's environment.
        kind: ``display``, ``inline``, ``given`` (the user's own definitions) or ``claim``.
        display: A number shared by the rows of one display, increasing through the document.
        words: The words of the paragraph before the formula and those after it.
        expect: The verdict that a claims file states; None elsewhere.
    """

    path: str
    line: int
    column: int
    cell: int | None
    text: str
    kind: str
    display: int = 0
    words: tuple[str, str] = ("", "")
    expect: str | None = None
