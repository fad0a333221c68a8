"""From the text of a file to what is read together in it, by the ending of its name."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import PurePath

from symbackprop.auditing.finding import VERDICTS
from symbackprop.auditing.formulas.documents import (
    Sheet,
    read_cells,
    read_formula,
    read_tex,
    read_text,
)
from symbackprop.errors import SymbackpropError, allowed

MAX_CHARACTERS = 4_000_000
CLAIMS = ".claims.toml"
_FIELDS = ("expect", "formula", "given", "name")


def read_document(path: str, text: str) -> tuple[Sheet, ...]:
    """Find the formulas of a document.

    ``.tex``, ``.ipynb`` and ``.claims.toml`` have readers of their own; all else is Markdown.

    Raises:
        SymbackpropError: For a file too large, or a notebook or claims file that is malformed.
    """
    if len(text) > MAX_CHARACTERS:
        raise SymbackpropError(f"{path}: {len(text)} characters, allowed are {MAX_CHARACTERS}")
    name = PurePath(path).name.lower()
    if name.endswith(CLAIMS):
        return _claims(path, text)
    if name.endswith(".ipynb"):
        return (_notebook(path, text),)
    if name.endswith((".tex", ".latex", ".ltx")):
        return (read_tex(path, text),)
    return (read_text(path, text),)


def _notebook(path: str, text: str) -> Sheet:
    try:
        cells = json.loads(text)["cells"]
        written = [
            # JSON can hold halves of a character, which no text can.
            (k, "".join(cell["source"]).encode("utf-8", "replace").decode())
            for k, cell in enumerate(cells)
            if cell.get("cell_type") in ("markdown", "raw")
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SymbackpropError(f"{path}: not a notebook ({type(error).__name__})") from None
    return read_cells(path, written)


def _claims(path: str, text: str) -> tuple[Sheet, ...]:
    try:
        record = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SymbackpropError(f"{path}: {error}") from None
    for name in record:
        if name != "claim":
            raise SymbackpropError(f"{path}: {name!r}: {allowed(name, ['claim'])}")
    entries = record.get("claim", [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise SymbackpropError(f"{path}: claim: expected tables [[claim]]")
    heads = [k for k, row in enumerate(text.split("\n"), 1) if row.strip().startswith("[[claim]]")]
    lines = heads if len(heads) == len(entries) else [1] * len(entries)
    return tuple(
        _claim(path, entry, number, line)
        for number, (entry, line) in enumerate(zip(entries, lines, strict=True), 1)
    )


def _claim(path: str, entry: dict[str, object], number: int, line: int) -> Sheet:
    place = f"{path}: claim {number}"
    for field in entry:
        if field not in _FIELDS:
            raise SymbackpropError(f"{place}: {field!r}: {allowed(field, _FIELDS)}")
    formula, expect = _text(entry, "formula", place), _text(entry, "expect", place)
    if not formula.strip():
        raise SymbackpropError(f"{place}: formula is missing")
    if expect and expect not in VERDICTS:
        raise SymbackpropError(f"{place}: expect: {expect!r}: {allowed(expect, VERDICTS)}")
    sheet = read_formula(formula, _text(entry, "given", place), path)
    sources = tuple(
        replace(s, line=line, column=1, expect=(expect or None) if s.kind == "claim" else None)
        for s in sheet.sources
    )
    return replace(sheet, sources=sources, name=_text(entry, "name", place))


def _text(entry: dict[str, object], field: str, place: str) -> str:
    """Return a field's text; a list of texts is one line each."""
    value = entry.get(field, "")
    lines = value if isinstance(value, list) and field == "given" else [value]
    texts = [line for line in lines if isinstance(line, str)]
    if len(texts) < len(lines):
        raise SymbackpropError(f"{place}: {field} must be text")
    return "\n".join(texts)
