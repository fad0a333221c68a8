"""What README.md shows is what a run prints; `--update` rewrites it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
SHOWN = re.compile(
    r"^<!-- (?:run(?: that exits (?P<code>\d))?: (?P<run>[^\n]+)|"
    r"lines of (?P<file>\S+): \"(?P<first>[^\n]+)\" to \"(?P<last>[^\n]+)\"|"
    r"display of (?P<document>\S+): \"(?P<anchor>[a-z0-9-]+)\") -->\n"
    r"```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# Rounding differs from processor to processor, and so do the last digits of an error.
ERROR = re.compile(r" *\d\.\de[-+]\d\d")


def output(match: re.Match[str]) -> str:
    if match["document"] is not None:
        return _display(ROOT / match["document"], match["anchor"])
    if match["run"] is None:
        return _between(ROOT / match["file"], match["first"], match["last"])
    program, *arguments = shlex.split(match["run"])
    module = [] if program == "python" else ["-m", program]
    result = subprocess.run(
        [sys.executable, *module, *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
    )
    assert result.returncode == int(match["code"] or 0), result.stderr
    return result.stdout


def _between(path: Path, first: str, last: str) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if first in line)
    end = next(number for number, line in enumerate(lines) if last in line and number >= start)
    return "".join(f"{line}\n" for line in lines[start : end + 1])


def _display(path: Path, anchor: str) -> str:
    """Return the first display after an anchor of a Markdown document."""
    text = path.read_text(encoding="utf-8").partition(f'<a id="{anchor}"></a>')[2]
    found = re.search(r"^```math\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None, anchor
    return found[1]


def shown() -> list[re.Match[str]]:
    return list(SHOWN.finditer(README.read_text(encoding="utf-8")))


def masked(text: str) -> str:
    return ERROR.sub(" ERROR", text)


@pytest.mark.parametrize("position", range(len(shown())))
def test_what_is_shown_is_true(position: int, update: bool) -> None:
    match = shown()[position]
    now = output(match)
    if update and masked(match["text"]) != masked(now):
        text = match.string
        README.write_text(text[: match.start("text")] + now + text[match.end("text") :], "utf-8")
    assert masked(shown()[position]["text"]) == masked(now)


def test_the_first_screen_shows_all_four() -> None:
    """Architecture, gradient, emitted lines and the check's figures."""
    text = README.read_text(encoding="utf-8")
    ends = [match.end() for match in shown()[:3]]
    assert text[: ends[2]].count("\n") <= 100
    assert "symbackprop generate" in text[: ends[0]]


def test_the_figures_shown_pass() -> None:
    figures = [float(figure) for match in shown() for figure in ERROR.findall(match["text"])]
    assert figures
    assert max(figures) < 1e-6


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text("utf-8")))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).is_file()


def test_the_definition_shown_is_read(tmp_path: Path) -> None:
    from symbackprop import generate

    definition = re.search(r"```toml\n(\[\[define\]\].*?)```", README.read_text("utf-8"), re.DOTALL)
    path = tmp_path / "net.toml"
    path.write_text(
        'spec = 1\n[network]\ninput = [2]\nloss = "mean_squared_error"\n'
        f'[[layer]]\ntype = "dense"\nunits = 3\nactivation = "squareplus"\n{definition[1]}',
        encoding="utf-8",
    )
    assert "squareplus" in generate(path)
