"""The audit of code counts its work: no verdict hangs on a clock, and haste accuses nobody."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from symbackprop.auditing import code
from symbackprop.auditing.code import effort, entry, verdict
from symbackprop.auditing.code.discovery import discover
from symbackprop.auditing.code.effort import Effort, ExhaustedError, OverdueError
from symbackprop.auditing.code.entry import audit_code
from symbackprop.auditing.code.interpreter import machine
from symbackprop.auditing.code.project import Project
from symbackprop.auditing.code.source import read_module
from symbackprop.auditing.code.verdict import Judge
from symbackprop.auditing.finding import Finding

# Right where x is what the function gave, which is the second reading.
IN_THE_OUTPUT = """
import numpy as np

def f(x):
    return 1 / (1 + np.exp(-x))

def f_prime(x):
    return x * (1 - x)
"""
WRONG = IN_THE_OUTPUT.replace("x * (1 - x)", "x * (1 + x)")


def judged(text: str) -> Finding:
    (found,) = audit_code(text, "m.py")
    return found


def spent(text: str) -> int:
    project = Project(read_module("m.py", text), lambda relative: None)
    (pair,) = discover(project)
    judge = Judge(project, pair)
    judge.outcomes()
    return judge.effort.spent


def clocks(folder: Path) -> list[str]:
    """The files of a folder that look at a clock."""
    return [p.name for p in sorted(folder.rglob("*.py")) if "import time" in p.read_text()]


def test_the_guard_alone_looks_at_a_clock(tmp_path: Path) -> None:
    assert clocks(Path(code.__file__).parent) == ["effort.py"]
    (tmp_path / "planted.py").write_text("import time\n")
    assert clocks(tmp_path) == ["planted.py"]


def test_work_is_the_same_in_each_run_at_any_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    first = spent(WRONG)
    ticks = iter(range(10**9))
    monkeypatch.setattr(time, "process_time", lambda: next(ticks) / 1e3)
    assert spent(WRONG) == first
    assert spent(IN_THE_OUTPUT) != first


def test_with_all_its_work_the_pair_is_decided() -> None:
    assert judged(IN_THE_OUTPUT).verdict == "convention"
    assert judged(WRONG).verdict == "refuted"


@pytest.mark.parametrize("text", [IN_THE_OUTPUT, WRONG])
def test_a_reading_left_out_for_its_work_bars_a_refutation(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "READING", 10)
    found = judged(text)
    assert found.verdict == "undecided"
    assert found.reason is not None
    assert found.reason.startswith("budget")


@pytest.mark.parametrize("text", [IN_THE_OUTPUT, WRONG])
def test_readings_beyond_their_number_bar_it_too(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "MOST_READINGS", 0)
    assert judged(text).verdict == "undecided"


def test_bounds_of_one_run_bar_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = "    for i in range(len(x)):\n        x = x * 1\n"
    text = WRONG.replace("    return 1 /", f"{loop}    return 1 /")
    assert judged(text).verdict == "refuted"
    monkeypatch.setattr(machine, "MOST_STEPS", 20)
    assert judged(text).verdict == "undecided"


def test_a_clock_that_runs_out_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "GUARD", -1.0)
    monkeypatch.setattr(effort, "BETWEEN", 0)
    found = judged(WRONG)
    assert found.verdict == "undecided"
    assert found.reason == "budget: it takes too long"
    with pytest.raises(OverdueError):
        Effort(10).spend(1)


def test_a_diagnosis_that_takes_too_much_leaves_the_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(entry, "DIAGNOSIS", 10)
    found = judged(WRONG)
    assert found.verdict == "refuted"
    assert found.diagnosis is not None
    assert found.diagnosis.kind == "other"


def test_parts_of_an_effort_end_where_they_should() -> None:
    whole = Effort(100)
    with whole.within(10), pytest.raises(ExhaustedError):
        whole.spend(11)
    whole.spend(10)
    with whole.beyond(200):
        whole.spend(150)
    with pytest.raises(ExhaustedError):
        whole.spend(1)
    assert whole.left == 0
