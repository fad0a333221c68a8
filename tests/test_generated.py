"""generated/ holds, byte for byte, what examples/ gives; `--update` rewrites it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("circles", "tutorial", "mnist")
GENERATED = {name: ROOT / "generated" / f"{name}.py" for name in NAMES}
DOCUMENTS = [
    ROOT / "generated" / f"{name}{suffix}"
    for name in ("circles", "perceptron")
    for suffix in (".html", ".ipynb", ".md", ".tex")
]


def generated(name: str, hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "symbackprop", "generate", f"examples/{name}.toml"],
        check=True,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    ).stdout


@pytest.mark.parametrize("name", NAMES)
def test_generation_repeats_byte_for_byte(name: str, update: bool) -> None:
    texts = {generated(name, seed) for seed in ("0", "4242")}
    assert len(texts) == 1
    if update:
        GENERATED[name].write_text(*texts, encoding="utf-8", newline="\n")
    assert texts == {GENERATED[name].read_bytes().decode("utf-8")}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_repeat_byte_for_byte(path: Path, tmp_path: Path, update: bool) -> None:
    """Of one seed each: test_outline compares several."""
    written = path if update else tmp_path / path.name
    command = ["-m", "symbackprop", "derive", f"examples/{path.stem}.toml", "-o", str(written)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True, cwd=ROOT)
    assert written.read_bytes() == path.read_bytes()


def test_nothing_else_is_kept_there() -> None:
    files = {path for path in (ROOT / "generated").iterdir() if path.is_file()}
    assert files == {*GENERATED.values(), *DOCUMENTS}


def imports(source: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or ".").partition(".")[0])
    return names


@pytest.mark.parametrize("name", NAMES)
def test_only_numpy_and_the_standard_library_are_imported(name: str) -> None:
    source = GENERATED[name].read_text(encoding="utf-8")
    assert imports(source) <= {"numpy", *sys.stdlib_module_names}


def test_a_planted_import_is_seen() -> None:
    assert "scipy" in imports("import numpy\ndef f():\n    from scipy import linalg")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", [("format", "--check"), ("check",)])
def test_ruff_with_its_defaults_has_nothing_to_say(name: str, command: tuple[str, ...]) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    result = subprocess.run(
        [ruff, *command, "--isolated", "--no-cache", GENERATED[name]],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
