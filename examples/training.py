"""What the examples that train a network share: to generate its module and to load it."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


def generated(architecture: Path, path: Path, **options: str) -> ModuleType:
    """Return the module of an architecture file, written to `path` after its check."""
    from symbackprop import generate

    print(f"generating {path} from {architecture.name} ...", file=sys.stderr)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(generate(architecture, **options), encoding="utf-8", newline="\n")
    return load_module(path)


def load_module(path: Path) -> ModuleType:
    """Return the generated module at `path`."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
