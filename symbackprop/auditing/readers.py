"""Which files are audited, and by what: one entry for each kind of content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from symbackprop.auditing.finding import Finding
from symbackprop.auditing.formulas.entry import audit_text


@dataclass(frozen=True)
class Request:
    """What a user asks of an audit besides the files.

    Attributes:
        given: Further definitions, as the content of the files writes them.
        pairs: Functions with their derivatives in code, ``F:DF@NAME`` each.
        wrt: The variables of pairs that name none.
        loss: The loss of pairs whose function gives no number.
        settings: Values of parameters of code, ``NAME=VALUE`` each.
    """

    given: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    wrt: tuple[str, ...] = ()
    loss: str | None = None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """Finds claims of one kind in files and judges them.

    Attributes:
        suffixes: Endings of the names of its files. A file may have several readers.
        audit: From a path, the file's text and the request to findings in the file's order. It
            raises a SymbackpropError, which names the path, where the file is malformed.
    """

    suffixes: tuple[str, ...]
    audit: Callable[[str, str, Request], list[Finding]]

    def takes(self, name: str) -> bool:
        """Whether a file of this name is read; one without an ending is read as Markdown."""
        return name.lower().endswith(self.suffixes) or ("." not in name and ".md" in self.suffixes)


def _formulas(path: str, text: str, request: Request) -> list[Finding]:
    return audit_text(text, path, request.given)


def _code(path: str, text: str, request: Request) -> list[Finding]:
    # NumPy and the interpreter are loaded where there is code to follow.
    from symbackprop.auditing.code.entry import Naming, audit_code
    from symbackprop.auditing.code.project import reader_beside

    naming = Naming(request.pairs, request.wrt, request.given, request.loss, request.settings)
    return audit_code(text, path, naming, reader_beside(Path(path)))


READERS = (
    Reader(
        (".md", ".markdown", ".txt", ".tex", ".latex", ".ltx", ".ipynb", ".claims.toml"),
        _formulas,
    ),
    Reader((".py", ".ipynb", ".md", ".markdown"), _code),
)
