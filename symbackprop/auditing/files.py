"""From the paths that a user names to the outcome of their audit."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence, Set
from fnmatch import fnmatch
from pathlib import Path

from symbackprop.auditing.changes import History, changed_lines, touches
from symbackprop.auditing.finding import Finding
from symbackprop.auditing.outcome import STDIN, Failure, Outcome, gather
from symbackprop.auditing.readers import READERS, Request
from symbackprop.auditing.sheets import MAX_CHARACTERS
from symbackprop.errors import SymbackpropError

_MAX_BYTES = 4 * MAX_CHARACTERS  # of UTF-8


def audit_files(
    paths: Sequence[str],
    request: Request = Request(),  # noqa: B008 - frozen
    *,
    exclude: Sequence[str] = (),
    accepted: Set[str] = frozenset(),
    since: str | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> Outcome:
    """Audit files and folders.

    Args:
        paths: Files, folders, and ``-`` for standard input.
        request: What else the user asks for.
        exclude: Patterns of paths (``drafts/*``) that folders are searched without.
        accepted: Fingerprints of findings that a baseline accepts.
        since: A revision of the files' git repository: findings on lines changed since alone.
        progress: Called with what is being audited.

    Returns:
        All findings. A file that cannot be read is a failure there; the others are still audited.

    Raises:
        SymbackpropError: A path is in no git repository that has the revision.
    """
    history = History(since) if since is not None else None
    if history is not None:
        for path in paths:
            _check_history(path, history)
    findings: list[Finding] = []
    failures: list[Failure] = []
    files = 0
    for path in dict.fromkeys(paths):
        for file in _files(path, exclude):
            files += 1
            progress(f"auditing {'standard input' if file == STDIN else file}")
            try:
                findings += _audit_file(file, request, history)
            except SymbackpropError as error:
                failures.append(Failure(file, str(error)))
    return gather(findings, failures, files=files, accepted=accepted)


def _check_history(path: str, history: History) -> None:
    """Fail once for a path, not for each of its files, where it has no history."""
    if path == STDIN:
        raise SymbackpropError("--diff: standard input has no history; allowed: files and folders")
    folder = path if os.path.isdir(path) else os.path.dirname(os.path.realpath(path))
    if os.path.isdir(folder):
        history.repository(os.path.realpath(folder))


def _audit_file(path: str, request: Request, history: History | None) -> list[Finding]:
    name = os.path.basename(path) if path != STDIN else ""
    readers = [reader for reader in READERS if reader.takes(name)]
    if not readers:
        allowed = ", ".join(sorted({s for reader in READERS for s in reader.suffixes}))
        raise SymbackpropError(f"{path}: {os.path.splitext(name)[1]!r} found, allowed: {allowed}")
    content = _content(path)
    text = _decoded(path, content)
    before = history.content(path) if history is not None else None
    if before == content:
        return []
    found = [finding for reader in readers for finding in reader.audit(path, text, request)]
    if before is not None:
        lines = changed_lines(path, _decoded(path, before), text)
        found = [finding for finding in found if touches(finding, lines)]
    return sorted(found, key=lambda f: (f.cell or 0, f.line, f.column))


def _files(path: str, exclude: Sequence[str]) -> Iterator[str]:
    """Yield a file itself, and of a folder those that can be audited, hidden ones left out."""
    if path == STDIN or not os.path.isdir(path):
        yield path
        return
    for folder, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(names):
            file = os.path.normpath(os.path.join(folder, name))
            hidden = name.startswith(".") or "." not in name
            if not hidden and _is_read(name) and not _is_excluded(file, exclude):
                yield file


def _is_read(name: str) -> bool:
    return any(reader.takes(name) for reader in READERS)


def _is_excluded(file: str, exclude: Sequence[str]) -> bool:
    path = Path(file).as_posix()
    return any(fnmatch(path, pattern) or fnmatch(path, f"*/{pattern}") for pattern in exclude)


def _content(path: str) -> bytes:
    """Return the content of a file.

    Raises:
        SymbackpropError: It cannot be read or is too large.
    """
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with open(path, "rb") as file:
                content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SymbackpropError(f"cannot read {path!r}: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise SymbackpropError(f"{path}: too large, allowed are {_MAX_BYTES} bytes")
    return content


def _decoded(path: str, content: bytes) -> str:
    """Return the text of a file; raises a SymbackpropError where it is not UTF-8."""
    encoding = _encoding(content) if path.endswith(".py") else "utf-8-sig"
    try:
        return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding.startswith("utf-8") else encoding
        raise SymbackpropError(f"{path}: byte {error.start + 1} is not {name} text") from None


# What the first lines of a Python file may declare besides UTF-8; no other codec is looked up.
_DECLARED = ("iso-8859-1", "iso-8859-15", "latin-1", "cp1252", "windows-1252", "gbk", "euc-kr")


def _encoding(content: bytes) -> str:
    """Return the encoding that a Python file declares; UTF-8 where none is known."""
    for line in content.split(b"\n", 2)[:2]:
        declared = re.match(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", line)
        name = declared[1].decode("ascii", "replace").lower().replace("_", "-") if declared else ""
        if name in _DECLARED:
            return name
    return "utf-8-sig"
