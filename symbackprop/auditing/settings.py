"""The table ``[tool.symbackprop.audit]`` of a project's ``pyproject.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from symbackprop.auditing.outcome import FAILING
from symbackprop.errors import SymbackpropError, allowed

FILE = "pyproject.toml"


@dataclass(frozen=True)
class Settings:
    """Defaults for options of the command; paths are relative to the current folder.

    Attributes:
        fail_on: ``refuted`` or ``undecided``.
        baseline: File of accepted findings.
        arch: Architecture that supplies definitions.
        exclude: Patterns of paths that folders are searched without.
    """

    fail_on: str = "undecided"
    baseline: Path | None = None
    arch: str | None = None
    exclude: tuple[str, ...] = ()


def find_settings(folder: Path) -> Settings:
    """Return the settings of the nearest ``pyproject.toml`` at or above a folder.

    Raises:
        SymbackpropError: The file is malformed, or a field of the table is.
    """
    for candidate in (folder, *folder.parents):
        path = candidate / FILE
        if path.is_file():
            return _read(path)
    return Settings()


def _read(path: Path) -> Settings:
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SymbackpropError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SymbackpropError(f"{path}: {error}") from None
    table: object = record
    for name in ("tool", "symbackprop", "audit"):
        table = table.get(name, {}) if isinstance(table, dict) else {}
    place = f"{path}: [tool.symbackprop.audit]"
    if not isinstance(table, dict):
        raise SymbackpropError(f"{place}: must be a table")
    for name in table:
        if name not in _FIELDS:
            raise SymbackpropError(f"{place}: {name!r}: {allowed(name, _FIELDS)}")
    fail_on = _text(table, "fail-on", place) or Settings.fail_on
    if fail_on not in FAILING:
        raise SymbackpropError(f"{place}: fail-on: {fail_on!r}: {allowed(fail_on, FAILING)}")
    baseline, arch = _text(table, "baseline", place), _text(table, "arch", place)
    exclude = table.get("exclude", [])
    if not isinstance(exclude, list) or not all(isinstance(entry, str) for entry in exclude):
        raise SymbackpropError(f"{place}: exclude must be a list of patterns")
    return Settings(
        fail_on,
        path.parent / baseline if baseline else None,
        str(path.parent / arch) if arch and arch.endswith(".toml") else arch,
        tuple(exclude),
    )


_FIELDS = ("arch", "baseline", "exclude", "fail-on")


def _text(table: dict[str, object], name: str, place: str) -> str | None:
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise SymbackpropError(f"{place}: {name} must be text")
    return value
