"""`symbackprop derive`: files by suffix, the reader's choices, one line for each mistake."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from symbackprop import cli

ROOT = Path(__file__).resolve().parent.parent
CIRCLES = ("2-4:relu-3:relu-1:sigmoid", "--loss", "binary_cross_entropy")
TUTORIAL = ("n_0-n_1:f_1-n_2:f_2-n_3:f_3", "--loss", "squared_error")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]):
    """Run `derive` in this process; give its exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            cli.main(["derive", *arguments])
        captured = capfd.readouterr()
        return end.value.code, captured.out, captured.err

    return call


STARTS = {".md": "# ", ".tex": r"\documentclass", ".html": "<!DOCTYPE html>", ".ipynb": "{"}


@pytest.mark.parametrize("suffix", STARTS)
def test_the_suffix_says_what_is_written(run, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"derivation{suffix}"
    code, out, _ = run(*CIRCLES, "-o", str(path))
    assert (code, out) == (0, "")
    assert path.read_text(encoding="utf-8").startswith(STARTS[suffix])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_without_a_file_markdown_goes_to_stdout(run, tmp_path: Path) -> None:
    path = tmp_path / "derivation.md"
    run(*TUTORIAL, "-o", str(path))
    code, out, err = run(*TUTORIAL)
    assert (code, err) == (0, "")
    assert out == path.read_text(encoding="utf-8")
    assert run(*TUTORIAL, "-o", "-")[1] == out


def test_a_notebook_rebuilds_its_derivation(run, tmp_path: Path) -> None:
    path = tmp_path / "derivation.ipynb"
    run(*TUTORIAL, "-o", str(path))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (code,) = ("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert result.stderr == ""


def test_choices(run) -> None:
    _, out, _ = run(*TUTORIAL, "--wrt", "W1", "--form", "units", "--notation", "cost=E")
    assert r"\partial E}{\partial w_{ij}^{(1)}}" in out
    assert r"\partial E}{\partial b" not in out
    assert r"\partial L" not in out
    assert "Matrix form" not in out


def test_several_of_a_kind(run) -> None:
    _, out, _ = run(*TUTORIAL, "--wrt", "W1", "--wrt", "b3", "--form", "units")
    assert r"w_{ij}^{(1)}" in out
    assert re.search(r"\\partial L}{\\partial b_{?i}?\^\{\(3\)}", out)


def test_sum_over_the_batch(run) -> None:
    _, mean, _ = run(*CIRCLES)
    _, total, _ = run(*CIRCLES, "--reduction", "sum")
    assert r"\frac{1}{N}" in mean
    assert r"\frac{1}{N}" not in total


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "derivation.doc"), [".doc", ".md", ".html", ".tex", ".ipynb", ".pdf"]),
        (("-o", "derivation"), ["suffix", ".md"]),
        (("-o", "no/such/folder/derivation.md"), ["no/such/folder"]),
        (("--wrt", "W9"), ["--wrt W9", "W3"]),
        (("--wrt", "W1", "--wrt", "w2"), ["--wrt w2", "W2"]),
        (("--notation", "cost"), ["KEY=VALUE", "cost=E"]),
        (("--notation", "cots=E"), ["cots", "cost"]),
        (("--notation", "cost=Q"), ["cost=Q", "E"]),
        (("--form", "tensors"), ["tensors", "matrix"]),
        (("--layout", "rows", "--form", "units"), ["--layout rows", "--form units has none"]),
        (("--layout", "rows,columns"), ["rows"]),
        (("--reduction", "median"), ["median", "mean"]),
        (("--loss", "mean_sqared_error"), ["mean_sqared_error", "mean_squared_error"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, words
) -> None:
    monkeypatch.chdir(tmp_path)
    output = () if "-o" in arguments else ("-o", "derivation.md")
    code, out, err = run(*CIRCLES, *arguments, *output)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert all(word in err for word in words), err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ("derive", *CIRCLES, "-o", "derivation.doc"),
        ("derive", *CIRCLES, "-o", "no/such/folder/derivation.md"),
        ("derive", *CIRCLES, "--notation", "cots=E"),
        ("derive", "2-4:relu-", "-o", "derivation.md"),
        ("generate", *CIRCLES, "-o", "no/such/folder/circles.py"),
        ("generate", "2-4:relu", "--loss", "nope"),
        ("total-derivative", "u*v", "--wrt", "u", "-o", "derivation.doc"),
        ("check", "."),
    ],
    ids=" ".join,
)
def test_a_mistake_is_found_before_sympy_is_loaded(tmp_path: Path, arguments) -> None:
    """The import alone may take longer than an error may."""
    code = (
        "import sys\nfrom symbackprop import cli\ntry:\n"
        f"    cli.main({list(arguments)!r})\nexcept SystemExit as end:\n"
        "    print(end.code, 'sympy' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.stdout == "2 False\n", result.stderr


def test_a_file_that_cannot_be_written_stays_as_it_is(run, tmp_path: Path) -> None:
    folder = tmp_path / "derivation.md"
    folder.mkdir()
    code, out, err = run(*TUTORIAL, "-o", str(folder))
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert not list(folder.iterdir())


def test_a_mistake_leaves_an_older_file_alone(run, tmp_path: Path) -> None:
    path = tmp_path / "derivation.md"
    path.write_text("kept", encoding="utf-8")
    code, _, _ = run(*TUTORIAL, "--wrt", "W9", "-o", str(path))
    assert code == 2
    assert path.read_text(encoding="utf-8") == "kept"


def test_a_message_of_several_lines_would_be_seen(capfd: pytest.CaptureFixture[str]) -> None:
    """What the checks above rest on: click's own message for the same mistake is no one line."""
    with pytest.raises(SystemExit):
        cli.command.main(["derive"], prog_name="symbackprop")
    assert len(capfd.readouterr().err.splitlines()) > 1


def test_no_architecture_is_one_line(run) -> None:
    code, _, err = run()
    assert (code, len(err.splitlines())) == (2, 1)
