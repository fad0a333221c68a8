"""Writes a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from symbackprop.errors import SymbackpropError


class Target:
    """A file to be written later; that it can be is found out now.

    Raises:
        SymbackpropError: the place cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._explained():
            self._real = path.resolve()  # a link stays a link
            exists = self._real.exists()
            self._special = exists and not (self._real.is_file() or self._real.is_dir())
            if self._real.is_dir():
                raise IsADirectoryError(0, "is a folder")
            if self._real.exists() and not os.access(self._real, os.W_OK):
                raise PermissionError(0, "is read-only")
            if not self._special:
                os.close(self._create())
                self._part.unlink()

    def write(self, content: str | bytes) -> None:
        """Put ``content`` in the file, which until then keeps its old content."""
        data = content.encode() if isinstance(content, str) else content
        with self._explained():
            if self._special:  # a device or a pipe cannot be replaced
                self._real.write_bytes(data)
                return
            try:
                with os.fdopen(self._create(), "wb") as file:
                    file.write(data)
                if self._real.exists():
                    shutil.copymode(self._real, self._part)
                os.replace(self._part, self._real)
            finally:
                self._part.unlink(missing_ok=True)

    @property
    def _part(self) -> Path:
        return self._real.with_name(f".{os.getpid()}.part")

    def _create(self) -> int:
        return os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise SymbackpropError(f"cannot write {str(self.path)!r}: {reason}") from None
