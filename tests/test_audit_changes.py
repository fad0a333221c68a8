"""Findings on lines that changed since a revision of git."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from symbackprop.auditing.changes import changed_lines
from symbackprop.auditing.files import audit_files
from symbackprop.auditing.readers import Request
from symbackprop.errors import SymbackpropError

CODE = """import numpy as np


def square(x):
    return x * x


def square_prime(x):
    return 2 * x


def cube(x):
    return x ** 3


def cube_prime(x):
    return 3 * x ** 2
"""
WRONG_CUBE = CODE.replace("return 3 *", "return 4 *")
NOTES = "$L = (y - a)^2$\n\n$$\\frac{\\partial L}{\\partial a} = -2(y - a)$$\n"


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    run = subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True)
    return run.stdout


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, the current folder."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    Path("code.py").write_text(CODE, encoding="utf-8")
    Path("notes.md").write_text(NOTES, encoding="utf-8")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return tmp_path


def found(*paths: str, since: str = "HEAD") -> list[tuple[str, str]]:
    outcome = audit_files(paths or (".",), since=since)
    assert not outcome.failures
    return [(finding.claim, finding.verdict) for finding in outcome.findings]


def test_what_did_not_change_is_not_reported() -> None:
    assert found() == []


def test_a_changed_function_is_reported_alone() -> None:
    Path("code.py").write_text(WRONG_CUBE, encoding="utf-8")
    assert found() == [("cube_prime", "refuted")]
    git("commit", "-qam", "second")
    assert found() == []
    assert found(since="HEAD~1") == [("cube_prime", "refuted")]


def test_lines_that_only_moved_are_no_change() -> None:
    Path("code.py").write_text("# a remark\n\n" + CODE, encoding="utf-8")
    assert found() == []


def test_a_changed_forward_is_a_change_of_its_derivative() -> None:
    Path("code.py").write_text(CODE.replace("return x * x", "return x * x / 2"), encoding="utf-8")
    assert found() == [("square_prime", "refuted")]


def test_a_line_that_is_left_out_is_a_change() -> None:
    longer = CODE.replace("    return 2 * x\n", "    x = x * 1\n    return 2 * x\n")
    Path("code.py").write_text(longer, encoding="utf-8")
    git("commit", "-qam", "second")
    Path("code.py").write_text(CODE, encoding="utf-8")
    assert found() == [("square_prime", "proved")]


@pytest.mark.parametrize("add", [False, True])
def test_a_new_file_is_new_in_every_line(add: bool) -> None:
    Path("new.py").write_text(CODE, encoding="utf-8")
    if add:
        git("add", "new.py")
    assert found() == [("square_prime", "proved"), ("cube_prime", "proved")]


def test_a_renamed_file_is_compared_with_what_it_was() -> None:
    Path("sub folder").mkdir()
    git("mv", "code.py", "sub folder/öther.py")
    assert found() == []
    Path("sub folder/öther.py").write_text(WRONG_CUBE, encoding="utf-8")
    assert found("sub folder") == [("cube_prime", "refuted")]


def test_a_changed_formula_is_reported_alone() -> None:
    added = "\n$$\\frac{\\partial L}{\\partial y} = -2(y - a)$$\n"
    Path("notes.md").write_text(NOTES + added, encoding="utf-8")
    assert [verdict for _, verdict in found("notes.md")] == ["refuted"]


def test_cells_of_a_notebook_are_compared_by_their_lines() -> None:
    def notebook(*cells: str) -> str:
        return json.dumps({"cells": [{"cell_type": "code", "source": [c]} for c in cells]})

    square, cube = CODE.split("\n\n\ndef cube", 1)
    Path("n.ipynb").write_text(notebook(square, "def cube" + cube), encoding="utf-8")
    git("add", ".")
    git("commit", "-qm", "second")
    wrong = "def cube" + cube.replace("3 *", "4 *")
    Path("n.ipynb").write_text(notebook("x = 1", square, wrong), encoding="utf-8")
    assert found("n.ipynb") == [("cube_prime", "refuted")]


@pytest.mark.parametrize(
    "revision", ["nowhere", "", "--help", "HEAD..HEAD", "a\0b", "HEAD:code.py"]
)
def test_an_unknown_revision_is_an_error(revision: str) -> None:
    with pytest.raises(SymbackpropError, match="no commit of the repository"):
        audit_files((".",), since=revision)


def test_no_repository_is_an_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("bare")
    with pytest.raises(SymbackpropError, match="is in no git repository"):
        audit_files((str(folder),), since="HEAD")
    with pytest.raises(SymbackpropError, match="standard input has no history"):
        audit_files(("-",), since="HEAD")


def test_no_git_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SymbackpropError, match="git is not installed"):
        audit_files((".",), since="HEAD")


def test_nothing_that_a_repository_configures_is_run(repository: Path) -> None:
    marker = repository / "ran"
    script = repository / "run.sh"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n", encoding="utf-8")
    script.chmod(0o755)
    for name in ("diff.external", "core.fsmonitor", "diff.own.textconv", "core.pager"):
        git("config", name, str(script))
    Path(".gitattributes").write_text("*.py diff=own\n", encoding="utf-8")
    Path("code.py").write_text(WRONG_CUBE, encoding="utf-8")
    marker.unlink(missing_ok=True)
    assert found("code.py") == [("cube_prime", "refuted")]
    assert not marker.exists()


def test_variables_of_a_hook_do_not_mislead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    Path("code.py").write_text(WRONG_CUBE, encoding="utf-8")
    assert found("code.py") == [("cube_prime", "refuted")]


def test_a_named_pair_that_did_not_change_is_not_reported() -> None:
    Path("code.py").write_text(WRONG_CUBE, encoding="utf-8")
    request = Request(pairs=("square:square_prime",))
    assert audit_files(("code.py",), request, since="HEAD").findings == ()


def test_changed_lines_are_those_of_the_new_text() -> None:
    assert changed_lines("a.md", "a\nb\nc", "a\nx\nc\nd") == {(None, 2), (None, 4)}
    assert changed_lines("a.md", "a\nb\nc", "a\nc") == {(None, 1)}
    assert changed_lines("a.ipynb", "{", '{"cells": [{"source": "a\\nb"}]}') == {(0, 1), (0, 2)}
