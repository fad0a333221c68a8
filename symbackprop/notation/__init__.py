"""Readers of architecture descriptions: files and the compact text."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from symbackprop.architecture import Architecture
from symbackprop.catalog import CATALOG, Catalog
from symbackprop.errors import SymbackpropError
from symbackprop.notation.compact import read_compact
from symbackprop.notation.uses import MOST_BYTES


def load(source: str | Path, catalog: Catalog = CATALOG) -> Architecture:
    """Return the architecture that a file or the compact text describes.

    Args:
        source: a ``Path``, a text that ends in ``.toml``, holds a path's separator or names what
            exists, or else the compact text.
        catalog: the entries that may be used.

    Raises:
        SymbackpropError: the file cannot be read, or what it says is not allowed.
    """
    if isinstance(source, str) and not _is_path(source):
        return read_compact(source, catalog)
    from symbackprop.notation.toml import read_toml  # noqa: PLC0415 (the compact text needs none)

    path = Path(source)
    return read_toml(_read(path), str(path), catalog)


def _is_path(text: str) -> bool:
    return text.lower().endswith(".toml") or os.sep in text or os.path.exists(text)


def _read(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SymbackpropError(f"{path}: not a regular file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SymbackpropError(f"{path}: more than {MOST_BYTES} bytes")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SymbackpropError(f"{path}: byte {error.start} is not UTF-8") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SymbackpropError(f"{path}: cannot be read: {reason}") from None
