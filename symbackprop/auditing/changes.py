"""Which lines of a file differ from a revision of its git repository.

git is asked for names and contents, without a shell and without the programs for showing
differences that a repository may configure.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from difflib import SequenceMatcher

from symbackprop.auditing.finding import Finding
from symbackprop.errors import SymbackpropError

SECONDS = 60.0
# A cell of a notebook, None elsewhere, and a line, from 1.
Line = tuple[int | None, int]


@dataclass(frozen=True)
class _Repository:
    """A repository at one revision.

    Attributes:
        top: Its folder.
        commit: The hash of the revision.
        files: The files that the revision holds, relative to the top.
        old: By the name that a changed file has now the one that it had then, if any.
    """

    top: str
    commit: str
    files: frozenset[str]
    old: dict[str, str | None]


class History:
    """What files held at a revision of their repositories, each of which is asked once.

    Args:
        revision: As git takes it: a branch, a tag, a hash, ``HEAD~2``.
    """

    def __init__(self, revision: str) -> None:
        self.revision = revision
        self._tops: dict[str, str] = {}
        self._known: dict[str, _Repository] = {}

    def content(self, path: str) -> bytes | None:
        """Return what a file held, under the name that it had; None if it is new.

        Raises:
            SymbackpropError: It is in no repository, or that has no such revision.
        """
        real = os.path.realpath(path)
        repository = self.repository(os.path.dirname(real))
        name = os.path.relpath(real, os.path.realpath(repository.top)).replace(os.sep, "/")
        old = repository.old.get(name, name)
        if old is None or old not in repository.files:
            return None
        return _git(repository.top, "cat-file", "blob", f"{repository.commit}:{old}")

    def repository(self, folder: str) -> _Repository:
        """Return the repository around a folder.

        Raises:
            SymbackpropError: There is none, it has no such revision, or there is no git.
        """
        if folder not in self._tops:
            named = _git(folder, "rev-parse", "--show-toplevel")
            if named is None:
                raise SymbackpropError(f"--diff: {folder!r} is in no git repository")
            self._tops[folder] = os.fsdecode(named).rstrip("\n")
        top = self._tops[folder]
        if top not in self._known:
            self._known[top] = _read(top, self.revision)
        return self._known[top]


def _read(top: str, revision: str) -> _Repository:
    named = ("--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    found = None if "\0" in revision else _git(top, "rev-parse", *named)
    if found is None:
        raise SymbackpropError(
            f"--diff {revision[:80]!r}: no commit of the repository {top!r}; "
            "allowed: what names one, as HEAD, a branch, a tag or a hash"
        )
    commit = found.decode("ascii").strip()
    files = _git(top, "ls-tree", "-r", "-z", "--name-only", commit) or b""
    options = ("--no-ext-diff", "--no-textconv", "--name-status", "--find-renames", "-z")
    changed = _git(top, "diff", *options, commit, "--") or b""
    return _Repository(top, commit, frozenset(_names(files)), _renamed(_names(changed)))


def _renamed(fields: list[str]) -> dict[str, str | None]:
    """Old names by new ones, from ``M name``, ``A name`` and ``R100 old new``."""
    found: dict[str, str | None] = {}
    rest = iter(fields)
    for status in rest:
        first = next(rest)
        if status[0] in "RC":
            found[next(rest)] = first
        else:
            found[first] = None if status[0] == "A" else first
    return found


def _names(content: bytes) -> list[str]:
    return [os.fsdecode(name) for name in content.split(b"\0") if name]


def _git(folder: str, *arguments: str) -> bytes | None:
    """Return what git prints, None where it fails."""
    # In a hook, git's variables name another place than the file's own.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        result = subprocess.run(
            ["git", "-C", folder, "-c", "core.fsmonitor=false", *arguments],
            check=False,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
        )
    except FileNotFoundError:
        raise SymbackpropError("--diff: git is not installed") from None
    except subprocess.TimeoutExpired:
        raise SymbackpropError(f"--diff: git took more than {SECONDS:g} s") from None
    return result.stdout if result.returncode == 0 else None


def changed_lines(path: str, old: str, new: str) -> frozenset[Line]:
    """Return the lines of a text that another one lacks; of lines left out, the one before."""
    before, after = _lines(path, old), _lines(path, new)
    matcher = SequenceMatcher(None, [t for _, t in before], [t for _, t in after])
    found: set[Line] = set()
    for tag, _, _, start, end in matcher.get_opcodes():
        if tag == "delete":
            found |= {place for place, _ in after[max(start - 1, 0) : max(start, 1)]}
        elif tag != "equal":
            found |= {place for place, _ in after[start:end]}
    return frozenset(found)


def _lines(path: str, text: str) -> list[tuple[Line, str]]:
    """The lines of a file with their places; of a notebook the lines of its cells."""
    pieces: list[tuple[int | None, str]] = [(None, text)]
    if path.endswith(".ipynb"):
        try:
            cells = json.loads(text)["cells"]
            pieces = [(number, "".join(cell["source"])) for number, cell in enumerate(cells)]
        except (ValueError, KeyError, TypeError, RecursionError):
            pieces = []
    return [
        ((cell, number), line)
        for cell, piece in pieces
        for number, line in enumerate(piece.split("\n"), 1)
    ]


def touches(finding: Finding, lines: frozenset[Line]) -> bool:
    """Return whether any line that a finding rests on is among some lines."""
    last = finding.line + finding.claim.count("\n")
    spans = finding.spans or ((finding.cell, finding.line, last),)
    return any((cell, n) in lines for cell, start, end in spans for n in range(start, end + 1))
