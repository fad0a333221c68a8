"""Exit codes, fingerprints, baselines and settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from symbackprop.auditing.baseline import baseline_text, read_baseline
from symbackprop.auditing.finding import Finding
from symbackprop.auditing.outcome import Failure, gather
from symbackprop.auditing.settings import Settings, find_settings
from symbackprop.errors import SymbackpropError

CLAIM = Finding("notes.md", 4, 1, r"f' = 2 x", "", "proved")


def given(*verdicts: str) -> list[Finding]:
    return [replace(CLAIM, verdict=verdict) for verdict in verdicts]


@pytest.mark.parametrize(
    ("verdicts", "code", "lenient"),
    [
        ((), 0, 0),
        (("proved", "agrees", "convention"), 0, 0),
        (("proved", "undecided"), 3, 0),
        (("undecided", "refuted"), 1, 1),
    ],
)
def test_exit_codes(verdicts: tuple[str, ...], code: int, lenient: int) -> None:
    outcome = gather(given(*verdicts))
    assert outcome.exit_code() == code
    assert outcome.exit_code("refuted") == lenient
    assert replace(outcome, failures=(Failure("x", "y"),)).exit_code() == 2


@pytest.mark.parametrize(
    ("verdict", "expect", "code"),
    [
        ("refuted", "refuted", 0),
        ("undecided", "undecided", 0),
        ("proved", "proved", 0),
        ("proved", "refuted", 1),
        ("refuted", "proved", 1),
        ("undecided", "proved", 3),
    ],
)
def test_a_verdict_that_is_expected_passes(verdict: str, expect: str, code: int) -> None:
    assert gather([replace(CLAIM, verdict=verdict, expect=expect)]).exit_code() == code


def prints(*findings: Finding) -> list[str]:
    return [entry.fingerprint for entry in gather(findings).entries]


def test_a_fingerprint_stays_when_lines_move() -> None:
    moved = replace(CLAIM, line=90, column=7, claim=r"f'  =  2 x")
    assert prints(CLAIM) == prints(moved)


@pytest.mark.parametrize(
    "change",
    [
        {"claim": "f' = 3 x"},
        {"path": "other.md"},
        {"verdict": "refuted"},
        {"wrt": "x"},
        {"function": "f"},
        {"assuming": {"mode": "sum"}},
    ],
)
def test_a_fingerprint_changes_with_what_it_stands_for(change: dict[str, object]) -> None:
    assert prints(CLAIM) != prints(replace(CLAIM, **change))


def test_equal_claims_have_fingerprints_of_their_own() -> None:
    assert len(set(prints(CLAIM, CLAIM, CLAIM))) == 3


def test_fingerprints_count_from_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    folder = tmp_path / "docs"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    above = gather([replace(CLAIM, path="docs/notes.md")]).entries[0]
    monkeypatch.chdir(folder)
    inside = gather([CLAIM]).entries[0]
    assert above.location == inside.location == "docs/notes.md"
    assert above.fingerprint == inside.fingerprint


def test_a_baseline_accepts_what_it_was_written_of(tmp_path: Path) -> None:
    findings = given("proved", "undecided", "refuted")
    path = tmp_path / "baseline.json"
    path.write_text(baseline_text(gather(findings)), encoding="utf-8")
    accepted = read_baseline(path)
    assert len(accepted) == 2
    assert gather(findings, accepted=accepted).exit_code() == 0
    assert gather([*findings, *given("refuted")], accepted=accepted).exit_code() == 1


@pytest.mark.parametrize(
    "content",
    ["", "[", "[]", "{}", '{"version": 2, "accepted": []}', '{"version": 1, "accepted": [1]}'],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(content)
    with pytest.raises(SymbackpropError, match=r"baseline\.json"):
        read_baseline(path)
    with pytest.raises(SymbackpropError, match="cannot read"):
        read_baseline(tmp_path / "none.json")


def settings(folder: Path, text: str) -> Settings:
    (folder / "pyproject.toml").write_text(text)
    inner = folder / "a" / "b"
    inner.mkdir(parents=True, exist_ok=True)
    return find_settings(inner)


def test_settings_stand_in_the_project(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        '[tool.symbackprop.audit]\nfail-on = "refuted"\nbaseline = "known.json"\n'
        'arch = "net.toml"\nexclude = ["drafts/*"]\n',
    )
    assert found == Settings(
        "refuted", tmp_path / "known.json", str(tmp_path / "net.toml"), ("drafts/*",)
    )


@pytest.mark.parametrize("text", ["", "[tool.other]\nx = 1", "tool = 3"])
def test_a_project_without_settings_has_the_defaults(tmp_path: Path, text: str) -> None:
    assert settings(tmp_path, text) == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fail_on = 'refuted'", "did you mean 'fail-on'"),
        ("fail-on = 'refutd'", "did you mean 'refuted'"),
        ("fail-on = 3", "must be text"),
        ("exclude = 'a'", "list of patterns"),
        ("= 1", r"pyproject\.toml"),
    ],
)
def test_settings_that_are_wrong_are_explained(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SymbackpropError, match=words):
        settings(tmp_path, f"[tool.symbackprop.audit]\n{text}\n")
