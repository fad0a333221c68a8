"""Hostile files: nothing runs, each is answered in bounded time and memory, without a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import hostile_corpus
import pytest

ROOT = Path(__file__).resolve().parent.parent
CASES = [name for name, _, _ in hostile_corpus.corpus()]


def answers(*arguments: str) -> dict[str, list[str]]:
    """What is wrong with each case, as a process of its own finds, which limits itself."""
    script = Path(hostile_corpus.__file__)
    result = subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, list[str]] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def answered() -> dict[str, list[str]]:
    return answers()


def test_the_corpus_is_large() -> None:
    assert len(set(CASES)) == len(CASES) >= 300


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_answered(answered: dict[str, list[str]], name: str) -> None:
    assert answered[name] == []


def test_planted_faults_are_noticed() -> None:
    found = answers("--planted")
    for name, sign in (
        ("slow", "TimeoutError"),
        ("large", "MemoryError"),
        ("runs", "did os.system"),
        ("raises", "ZeroDivisionError"),
        ("writes", "did open"),
        ("evaluates", "did exec"),
    ):
        assert any(sign in words for words in found[name]), (name, found[name])
