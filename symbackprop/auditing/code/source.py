"""Python text to trees: files, the code cells of notebooks, fenced blocks of Markdown.

Text of Python 2 is brought into the grammar of Python 3. Nothing is run.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

MOST_CHARACTERS = 2_000_000
MOST_DEPTH = 80
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*\{?\.?(\w*)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A piece of text with its place: the cell of a notebook, the line that it starts at."""

    text: str
    line: int = 1
    cell: int | None = None


@dataclass(frozen=True)
class Module:
    """The statements of a file.

    Attributes:
        path: Where it stands.
        blocks: The text, piece by piece.
        body: The statements; line numbers are those of the file, or within a notebook's cell.
        cells: The cell of each statement.
        python2: Whether ``/`` of integers is a floor.
        problem: What could not be read, if anything.
    """

    path: str
    blocks: tuple[Block, ...]
    body: tuple[ast.stmt, ...]
    cells: tuple[int | None, ...]
    python2: bool = False
    problem: str | None = None

    @cached_property
    def bindings(self) -> dict[str, list[ast.stmt]]:
        """The top-level statements that bind each name, in their order."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.body:
            for name in _bound(statement):
                found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def _cells_by_node(self) -> dict[int, int | None]:
        return {
            id(node): cell
            for statement, cell in zip(self.body, self.cells, strict=True)
            for node in ast.walk(statement)
        }

    @cached_property
    def _lines(self) -> dict[tuple[int | None, int], str]:
        return {
            (block.cell, block.line + number): line
            for block in reversed(self.blocks)
            for number, line in enumerate(block.text.splitlines())
        }

    def cell_of(self, node: ast.AST) -> int | None:
        """Return the cell that a definition stands in."""
        return self._cells_by_node.get(id(node))

    def line_text(self, node: ast.AST) -> str:
        """Return the text of a node's line."""
        return self._lines.get((self.cell_of(node), getattr(node, "lineno", 0)), "")


def read_module(path: str, text: str) -> Module:
    """Return the statements of a file, told by its suffix how to be read."""
    if len(text) > MOST_CHARACTERS:
        return Module(path, (), (), (), problem="the file is too long")
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    try:
        blocks = tuple(_blocks(path, text))
    except (ValueError, RecursionError):
        return Module(path, (), (), (), problem="the notebook is no JSON of a notebook")
    body: list[ast.stmt] = []
    cells: list[int | None] = []
    old, problem = False, None
    for block in blocks:
        statements, python2, fault = _statements(block)
        body += statements
        cells += [block.cell] * len(statements)
        old, problem = old or python2, problem or fault
    return Module(path, blocks, tuple(body), tuple(cells), old and not _divides(body), problem)


def _divides(body: list[ast.stmt]) -> bool:
    return any(
        isinstance(s, ast.ImportFrom)
        and s.module == "__future__"
        and any(alias.name == "division" for alias in s.names)
        for s in body
    )


def _blocks(path: str, text: str) -> Iterator[Block]:
    if path.endswith(".ipynb"):
        cells = json.loads(text).get("cells", [])
        for number, cell in enumerate(cells):
            if isinstance(cell, dict) and cell.get("cell_type") == "code":
                source = cell.get("source", "")
                joined = "".join(source) if isinstance(source, list) else str(source)
                yield Block(joined, 1, number)
    elif path.endswith((".md", ".markdown")):
        yield from _fenced(text)
    else:
        yield Block(text)


def _fenced(text: str) -> Iterator[Block]:
    start, fence, mine = 0, "", False
    for mark in _FENCE.finditer(text):
        if not fence:
            start = text.find("\n", mark.end()) + 1 or len(text)
            fence, mine = mark[1], mark[2].lower() in ("python", "py", "python3")
        elif mark[1].startswith(fence) and not mark[2]:
            if mine:
                body = text[start : mark.start()].removesuffix("\n")
                yield Block(body, text.count("\n", 0, start) + 1)
            fence = ""


def _statements(block: Block) -> tuple[list[ast.stmt], bool, str | None]:
    text = "\n".join(
        (
            "pass"
            if not line.startswith((" ", "\t"))
            else line[: len(line) - len(line.lstrip())] + "pass"
        )
        if re.match(r"\s*[%!?]", line)
        else line
        for line in block.text.expandtabs(8).split("\n")
    )
    first = ""
    for candidate, old in ((text, False), (_python3(text), True)):
        tree, fault = _parsed(candidate)
        if tree is not None:
            return _placed(tree, block), old, None
        first = first or fault
    found: list[ast.stmt] = []
    # What can be read is read, even where another statement cannot.
    for line, piece in _pieces(text):
        tree, _ = _parsed(_python3(piece))
        if tree is not None:
            found += _placed(tree, Block(piece, block.line + line, block.cell))
    return found, "print " in text, first


def _placed(tree: ast.Module, block: Block) -> list[ast.stmt]:
    ast.increment_lineno(tree, block.line - 1)
    return tree.body


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    lines = text.split("\n")
    starts = [
        number
        for number, line in enumerate(lines)
        if re.match(r"(?:def|class|@|import|from|[A-Za-z_])", line)
        and not re.match(r"(?:else|elif|except|finally)\b", line)
        and not (number and lines[number - 1].startswith("@"))
    ]
    for start, end in zip(starts, [*starts, len(lines)][1:], strict=True):
        yield start, "\n".join(lines[start:end])


def _parsed(text: str) -> tuple[ast.Module | None, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        return None, f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError):
        return None, "the text is no Python"
    return (None, "expressions nested too deep") if _too_deep(tree) else (tree, "")


def _too_deep(tree: ast.AST) -> bool:
    layer: list[ast.AST] = [tree]
    for _ in range(MOST_DEPTH):
        layer = [child for node in layer for child in ast.iter_child_nodes(node)]
        if not layer:
            return False
    return True


_REPAIRS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"^([ \t]*)print[ \t]*>>[ \t]*[\w.]+[ \t]*,?(.*)$", r"\1print(\2)"),
    (r"(?<![\w.])(0[xX][0-9a-fA-F]+|\d+)[lL]\b", r"\1"),
    (r"^([ \t]*except[ \t]+[\w., ()]+?)[ \t]*,[ \t]*(\w+)[ \t]*:", r"\1 as \2:"),
    (r"^([ \t]*raise[ \t]+[\w.]+)[ \t]*,[ \t]*(.+)$", r"\1(\2)"),
    (r"<>", "!="),
    (r"^([ \t]*)exec[ \t]+(.+)$", r"\1pass"),
    (r"\b[uU][rR](?=['\"])", "r"),
    (r"`([^`\n]+)`", r"repr(\1)"),
    (r"(?<![\w.])0(\d+)(?![\w.])", r"0o\1"),
    (r"\blambda[ \t]*\(([\w, ]+)\)[ \t]*:", r"lambda \1:"),
)


def _python3(text: str) -> str:
    """Return text of Python 2 in the grammar of Python 3, line by line."""
    for pattern, new in _REPAIRS:
        text = re.sub(pattern, new, text, flags=re.MULTILINE)
    return _prints(text)


def _prints(text: str) -> str:
    """Turn print statements into calls; their lines may go on within brackets."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        mark = re.match(r"^(.*?(?:^|[;:])[ \t]*)print\b(?![ \t]*[=.])(.*)$", lines[number])
        if mark and not mark[1].strip().startswith("#") and not mark[1].count("'") % 2:
            end = number
            while end + 1 < len(lines) and _open(lines[number : end + 1]):
                end += 1
            if end == number:
                lines[number] = f"{mark[1]}print({_bare(mark[2].rstrip(chr(92)))})"
            else:
                lines[number] = f"{mark[1]}print({mark[2]}"
                lines[end] = lines[end].rstrip().rstrip("\\") + ")"
            number = end
        number += 1
    return "\n".join(lines)


def _bare(rest: str) -> str:
    return re.sub(r",\s*$", "", re.sub(r"\s#[^'\"]*$", "", rest)).strip()


def _open(lines: list[str]) -> bool:
    joined = "\n".join(lines)
    if lines[-1].rstrip().endswith("\\"):
        return True
    plain = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", "", joined)
    return sum(plain.count(c) for c in "([{") > sum(plain.count(c) for c in ")]}")


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds where it stands."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    if isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.split(".")[0]
        return
    if isinstance(statement, ast.If) and "__main__" in ast.dump(statement.test):
        return
    seen = set()
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            seen.add(node.id)
        elif isinstance(node, ast.AugAssign | ast.Subscript) and isinstance(
            node.target if isinstance(node, ast.AugAssign) else node.value, ast.Name
        ):
            target = node.target if isinstance(node, ast.AugAssign) else node.value
            stored = isinstance(node, ast.AugAssign) or isinstance(node.ctx, ast.Store)
            if stored and isinstance(target, ast.Name):
                seen.add(target.id)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            seen.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            seen |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.Lambda | ast.ListComp | ast.GeneratorExp | ast.DictComp):
            continue
        waiting += ast.iter_child_nodes(node)
    yield from sorted(seen)
