"""Runs in a process of its own: imports one module, checks it, writes what it found.

Usage: python -m symbackprop.checking.driver MODULE.py SEED FOLDER
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from math import prod
from pathlib import Path
from types import ModuleType

import numpy as np

from symbackprop.checking.gradients import examined
from symbackprop.checking.samples import sampled
from symbackprop.checking.subject import Subject
from symbackprop.errors import SymbackpropError

REPORT, SAMPLE, SIZE = "report.json", "sample.npz", "size"


def load(path: Path) -> ModuleType:
    """Import a module by its file, as ``python MODULE.py`` would find its neighbours."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SymbackpropError("is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path[0] = str(path.parent)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        raise SymbackpropError(f"cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _announce(subject: Subject, place: Path) -> None:
    """Say how many parameters there are: the module is imported, and this is what it takes."""
    count = sum(prod(shape) for shape in subject.shapes.values())
    written = place.with_suffix(".part")
    written.write_text(str(count), encoding="ascii")
    written.replace(place)


def main(path: str, seed: str, folder: str) -> None:
    """Write the report, or an error, to FOLDER."""
    place = Path(folder)
    try:
        module = load(Path(path))
        subject = Subject(module)
        _announce(subject, place / SIZE)
        report, large = examined(subject, int(seed))
        result = report.as_json()
        if not large:
            np.savez(place / SAMPLE, **sampled(subject, int(seed)))  # type: ignore[arg-type]
    except SymbackpropError as error:
        result = {"error": str(error)}
    (place / REPORT).write_text(json.dumps(result), encoding="utf-8")
    # A module may have left threads behind.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
