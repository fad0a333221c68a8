"""The audited file with what it imports from beside it, and the places that call a function."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from symbackprop.auditing.code import hints
from symbackprop.auditing.code.pairs import Pair, definition
from symbackprop.auditing.code.source import MOST_CHARACTERS, Module, read_module
from symbackprop.auditing.code.specs import Spec

# How far above the audited file an import may lead; a package's name leads further by its parts.
MOST_UP = 2
MOST_PARTS = 3
MOST_FILES = 60
MOST_LOOKS = 2_000


class Project:
    """A file and its neighbours, which are read, never imported.

    Args:
        module: The audited file.
        reader: Gives the text of a path relative to the audited file, or None.
    """

    def __init__(self, module: Module, reader: Callable[[str], str | None]) -> None:
        self.module = module
        self.reader = reader
        # Derivatives that were refuted, by name: what calls them is given what is derived.
        self.corrected: dict[str, Pair] = {}
        self.judged: set[str] = set()
        self._known: dict[str, Module | None] = {}

    def with_module(self, module: Module) -> Project:
        """Return the same project with one place of the audited file changed.

        What the file says of its values is what it said.
        """
        made = Project(module, self.reader)
        made.calls, made.sized_globals = self.calls, self.sized_globals
        made.compared_strings, made.choices_by_key = self.compared_strings, self.choices_by_key
        made.corrected, made.judged = dict(self.corrected), set(self.judged)
        return made

    def without_corrections(self, judged: set[str]) -> Project:
        """Return the same project in which derivatives are taken as they stand."""
        made = self.with_module(self.module)
        made.corrected, made.judged = {}, judged
        return made

    def file(self, relative: str) -> Module | None:
        """Return a file by its path relative to the audited one."""
        if relative not in self._known:
            read = sum(module is not None for module in self._known.values())
            if read > MOST_FILES or len(self._known) > MOST_LOOKS:
                return None
            text = self.reader(relative)
            self._known[relative] = None if text is None else read_module(relative, text)
        return self._known[relative]

    def find(self, name: str, level: int, importer: Module) -> Module | None:
        """Return the module that an import names.

        Args:
            name: The dotted name; none for the package itself (``from . import a``).
            level: How many dots stand before it.
            importer: The module that the import stands in, the audited one or a neighbour.
        """
        near = "" if importer.path == self.module.path else posixpath.dirname(importer.path)
        furthest = MOST_UP + min(name.count("."), MOST_PARTS)
        ups = [level - 1] if level else range(furthest + 1)
        for up in ups:
            path = posixpath.join(near, "../" * up, name.replace(".", "/"))
            for end in (".py", "/__init__.py") if name else ("/__init__.py",):
                found = self.file(posixpath.normpath(f"./{path}{end}"))
                if found is not None:
                    return found
        return None

    @cached_property
    def calls(self) -> dict[str, list[tuple[ast.Call, ast.FunctionDef | None]]]:
        """The calls of each name, each with the function that it stands in."""
        found: dict[str, list[tuple[ast.Call, ast.FunctionDef | None]]] = {}
        waiting: list[tuple[ast.AST, ast.FunctionDef | None]] = [
            (statement, None) for statement in self.module.body
        ]
        while waiting:
            node, inside = waiting.pop(0)
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr
                    if isinstance(node.func, ast.Attribute)
                    else (node.func.id if isinstance(node.func, ast.Name) else "")
                )
                found.setdefault(name, []).append((node, inside))
            inner = node if isinstance(node, ast.FunctionDef) else inside
            waiting += [(child, inner) for child in ast.iter_child_nodes(node)]
        return found

    @cached_property
    def compared_strings(self) -> list[str]:
        """The strings that the file compares something with."""
        return hints.compared_strings(self.module)

    @cached_property
    def choices_by_key(self) -> dict[str, list[str]]:
        """The strings that entries of dicts are compared with."""
        return hints.choices_by_key(self.module)

    @cached_property
    def sized_globals(self) -> dict[str, Spec]:
        """The file's own sizes that are too large to run with."""
        return hints.sized_globals(self.module)

    def torch_only(self) -> bool:
        """Return whether the file imports PyTorch and no NumPy before it."""
        imports = [
            ast.unparse(s) for s in self.module.body if isinstance(s, ast.Import | ast.ImportFrom)
        ]
        torch = any("torch" in text for text in imports)
        return torch and not any("numpy" in text for text in imports)

    def defines(self, name: str) -> bool:
        """Return whether the file defines a dotted name."""
        return definition(self.module, name) is not None


def reader_beside(path: Path) -> Callable[[str], str | None]:
    """Return a reader of files beside a path: regular, bounded, never out through a link."""
    folder = path.resolve().parent
    above = list(folder.parents)[: MOST_UP + MOST_PARTS]
    top = above[-1] if above else folder

    def read(relative: str) -> str | None:
        try:
            target = (folder / relative).resolve()
            if not target.is_relative_to(top) or not target.is_file():
                return None
            if target.stat().st_size > MOST_CHARACTERS:
                return None
            return target.read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError):
            return None

    return read
