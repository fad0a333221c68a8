"""The reports of an audit, each in its own format; the outcome is made by hand."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import click
import pytest

from symbackprop.auditing.finding import DIAGNOSES, Diagnosis, Finding
from symbackprop.auditing.outcome import Failure, Outcome, gather
from symbackprop.auditing.report import FORMATS, sarif
from symbackprop.auditing.report.display import Audit

SIGN = Finding(
    path="notes.md",
    line=41,
    column=3,
    claim=r"\frac{\partial L}{\partial \hat{y}} = 2(y - \hat{y})",
    read_as="∂L/∂ŷ = 2 (y − ŷ)",
    verdict="refuted",
    evidence="exact",
    sizes={"i": 3},
    reading="per unit",
    diagnosis=Diagnosis("sign", ("sign",), "the sign is wrong", -1),
    derived=r"\frac{\partial L}{\partial \hat{y}} = -2(y - \hat{y})",
    marked=r"\frac{\partial L}{\partial \hat{y}} = {+-+}2(y - \hat{y})",
    counterexample={"i": 1, "left": 0.25, "right": -0.25},
)
PROVED = Finding("notes.md", 50, 1, r"\sigma' = a(1-a)", "σ′ = a (1 − a)", "proved")
UNDECIDED = Finding("a,b.md", 2, 1, "x = ?", "", "undecided", reason="? is not understood")
IN_CELL = replace(SIGN, path="notes.ipynb", cell=3, line=2)
IN_CODE = Finding(
    path="mlp.py",
    line=12,
    column=5,
    claim="MLP.backward",
    read_as="",
    verdict="refuted",
    function="MLP.forward",
    wrt="self.W1",
    assuming={"mode": "'sum'"},
    diagnosis=Diagnosis("factor", ("factor",), "twice as large", 2.0),
    patch="--- mlp.py\n+++ mlp.py\n",
)
HOSTILE = "a\x1b[31m\u202eb\x00]]>&<x>:,%\r\n::error::c\ud800"
STRANGE = replace(UNDECIDED, claim=HOSTILE, read_as=HOSTILE, reason=HOSTILE)
ALL = (SIGN, PROVED, UNDECIDED, IN_CELL, IN_CODE)


@pytest.fixture
def outcome() -> Outcome:
    return gather(ALL, [Failure("gone.md", "cannot read 'gone.md': No such file")], files=5)


def text(outcome: Outcome) -> str:
    return click.unstyle(FORMATS["text"](outcome))


def test_the_text_says_everything_of_a_refuted_claim(outcome: Outcome) -> None:
    report = text(outcome)
    for part in ("notes.md:41:3: refuted", "the sign is wrong", SIGN.claim, SIGN.derived):
        assert part in report
    assert "I read this as  ∂L/∂ŷ = 2 (y − ŷ)  (per unit)" in report
    assert "i = 1, left = 0.25, right = -0.25" in report
    assert "cell 3:2:3" in report
    assert "5 claims in 5 files: 1 proved, 1 undecided, 3 refuted, 1 file not read" in report
    assert "mode = 'sum'" in report
    assert "+++ mlp.py" in report


def test_the_text_fits_a_terminal(outcome: Outcome) -> None:
    long = replace(SIGN, claim="x + " * 100)
    assert max(len(line) for line in text(gather([*ALL, long])).splitlines()) <= 80


def test_changes_are_coloured() -> None:
    report = FORMATS["text"](gather([SIGN]))
    assert click.style("{+-+}", fg="green") in report


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_lets_strange_text_through(form: str) -> None:
    report = FORMATS[form](gather([replace(STRANGE, path="x.md\n::error::d")]))
    plain = click.unstyle(report)
    if form != "json":  # where the text stands as it is, escaped as JSON has it
        assert not re.search("[\x00\x1b\u202e]", plain)
        assert "\n::error::" not in plain
        assert plain.encode("utf-8")


def test_json_holds_each_finding(outcome: Outcome) -> None:
    record = json.loads(FORMATS["json"](outcome))
    assert record["version"] == 1
    assert record["summary"] == {"proved": 1, "undecided": 1, "refuted": 3}
    assert record["errors"] == [
        {"path": "gone.md", "message": "cannot read 'gone.md': No such file"}
    ]
    first = record["findings"][0]
    assert first["path"] == "notes.md"
    assert (first["line"], first["column"], first["cell"]) == (41, 3, None)
    assert first["diagnosis"]["kind"] == "sign"
    assert record["findings"][4]["wrt"] == "self.W1"


def sarif_errors(record: object) -> list[str]:
    """What is wrong with a log, by the parts of SARIF 2.1.0 that a report uses."""
    errors: list[str] = []

    def need(holds: bool, words: str) -> None:
        if not holds:
            errors.append(words)

    need(isinstance(record, dict) and set(record) <= {"$schema", "version", "runs"}, "log")
    assert isinstance(record, dict)
    need(record.get("version") == "2.1.0", "version")
    for run in record["runs"]:
        driver = run["tool"]["driver"]
        need(isinstance(driver.get("name"), str), "driver.name")
        rules = [rule["id"] for rule in driver["rules"]]
        need(len(set(rules)) == len(rules), "rules")
        need(run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints"), "columnKind")
        for invocation in run["invocations"]:
            need(isinstance(invocation.get("executionSuccessful"), bool), "executionSuccessful")
        for result in run["results"]:
            need(rules[result["ruleIndex"]] == result["ruleId"], "ruleIndex")
            need(result["kind"] in ("pass", "open", "fail", "review", "notApplicable"), "kind")
            need(result["level"] in ("none", "note", "warning", "error"), "level")
            need((result["kind"] == "fail") != (result["level"] == "none"), "level of kind")
            need(isinstance(result["message"]["text"], str), "message")
            prints = result["partialFingerprints"]
            need(all(isinstance(value, str) for value in prints.values()), "fingerprints")
            for location in result["locations"]:
                physical = location["physicalLocation"]
                uri = physical["artifactLocation"]["uri"]
                need(not re.match(r"[a-z]+:|/", uri), "relative URI")
                need(not re.search(r"[^\w./%~-]", uri), "characters of the URI")
                region = physical.get("region", {"startLine": 1})
                need(all(value >= 1 for value in region.values()), "region")
    return errors


def test_sarif_has_the_structure_that_the_standard_wants(outcome: Outcome) -> None:
    record = json.loads(FORMATS["sarif"](outcome))
    assert sarif_errors(record) == []
    results = record["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["sign", "undecided", "sign", "factor"]
    assert [result["kind"] for result in results] == ["fail", "open", "fail", "fail"]
    assert "region" not in results[2]["locations"][0]["physicalLocation"]
    assert not record["runs"][0]["invocations"][0]["executionSuccessful"]
    rules = {rule["id"] for rule in record["runs"][0]["tool"]["driver"]["rules"]}
    assert rules == {*DIAGNOSES, sarif.UNDECIDED, sarif.UNEXPECTED}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), "2.0.0"),
        (("runs", 0, "results", 0, "level"), "none"),
        (("runs", 0, "results", 0, "ruleIndex"), 5),
        (("runs", 0, "results", 0, "kind"), "bad"),
    ],
)
def test_a_planted_fault_of_sarif_is_found(
    outcome: Outcome, path: tuple[str | int, ...], value: object
) -> None:
    record = json.loads(FORMATS["sarif"](outcome))
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert sarif_errors(record)


def test_an_absolute_uri_is_found(outcome: Outcome) -> None:
    written = FORMATS["sarif"](outcome).replace('"uri": "notes.md"', '"uri": "/home/notes.md"')
    assert "relative URI" in sarif_errors(json.loads(written))


def test_github_escapes_what_its_commands_would_read(outcome: Outcome) -> None:
    lines = FORMATS["github"](outcome).splitlines()
    assert lines[0].startswith("::error file=notes.md,line=41,col=3,title=refuted%3A the sign")
    assert "%0AI read this as: " in lines[0]
    assert lines[1].startswith("::warning file=a%2Cb.md,line=2,")
    assert "line=" not in lines[2]
    assert "cell 3:2:3" in lines[2]
    assert lines[-2] == "::error file=gone.md::cannot read 'gone.md': No such file"
    assert len(lines) == 6


def test_junit_has_a_case_for_each_claim(outcome: Outcome) -> None:
    root = ET.fromstring(FORMATS["junit"](outcome))
    assert len(root.findall(".//testcase")) == 6
    assert len(root.findall(".//failure")) == 3
    assert len(root.findall(".//skipped")) == 1
    assert len(root.findall(".//error")) == 1
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))


def test_an_accepted_finding_neither_fails_nor_hides() -> None:
    fingerprint = gather([SIGN]).entries[0].fingerprint
    outcome = gather([SIGN], accepted={fingerprint})
    assert outcome.exit_code() == 0
    assert "(in the baseline)" in text(outcome)
    result = json.loads(FORMATS["sarif"](outcome))["runs"][0]["results"][0]
    assert result["suppressions"] == [{"kind": "external"}]
    assert "::error" not in FORMATS["github"](outcome)
    assert "<failure" not in FORMATS["junit"](outcome)


def test_a_notebook_shows_formulas_set() -> None:
    shown = Audit.of(gather(ALL))._repr_markdown_()
    assert f"$$\n{SIGN.claim}\n$$" in shown
    assert f"$$\n{SIGN.derived}\n$$" in shown
    assert str(Audit.of(gather([SIGN]))) == text(gather([SIGN]))


def test_a_notebook_shows_nothing_as_html() -> None:
    strange = replace(SIGN, claim="$$<script>x</script>$$", reason="<b>", diagnosis=None)
    shown = Audit.of(gather([strange]))._repr_markdown_()
    assert "<script>" not in shown
    assert re.search(r"(?<!\\)<b>", shown) is None
    assert shown.count("$$") == 4
