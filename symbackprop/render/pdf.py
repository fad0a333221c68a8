"""Runs pdflatex on a document that symbackprop wrote."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from symbackprop.errors import SymbackpropError

_INSTALL = (
    "a PDF needs pdflatex, which is not installed. Debian, Ubuntu: apt install texlive-latex-base; "
    "Fedora: dnf install texlive-collection-latex; macOS: brew install --cask basictex; "
    "Windows: MiKTeX. Or write .tex or .html instead"
)
_SECONDS = 120  # a run; a document of a hundred pages takes three
# The document reads and writes nothing outside its folder but TeX's own files, and no date.
_SETTINGS = {
    "openin_any": "p",
    "openout_any": "p",
    "shell_escape": "f",
    "SOURCE_DATE_EPOCH": "0",
    "FORCE_SOURCE_DATE": "1",
    "max_print_line": "1000",
}


def pdf(source: str) -> bytes:
    """Return the PDF of a LaTeX document; the same bytes for the same source and TeX.

    Raises:
        SymbackpropError: pdflatex is missing, fails or takes too long.
    """
    return compiled(source)[0]


def compiled(source: str) -> tuple[bytes, str]:
    """Return the PDF and the log of its last run."""
    program = shutil.which("pdflatex")
    if program is None:
        raise SymbackpropError(_INSTALL)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "document.tex")
        place.write_text(source, encoding="utf-8", newline="\n")
        for _ in range(2):  # the second run reads the contents that the first one wrote
            _run(program, folder)
        log = place.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
        return place.with_suffix(".pdf").read_bytes(), log


def _run(program: str, folder: str) -> None:
    options = ("-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape")
    try:
        result = subprocess.run(
            [program, *options, "document.tex"],
            check=False,
            cwd=folder,
            env={**os.environ, **_SETTINGS, "HOME": folder},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise SymbackpropError(f"pdflatex took more than {_SECONDS} s") from None
    if result.returncode != 0 or not Path(folder, "document.pdf").exists():
        output = result.stdout.decode("utf-8", "replace")
        lines = [line for line in output.splitlines() if line.startswith("!")]
        raise SymbackpropError(f"pdflatex: {(lines or ['failed without a message'])[0]}")
