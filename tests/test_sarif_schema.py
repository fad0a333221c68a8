"""Reports in SARIF hold to the schema of the standard, where an installed package carries it.

`npm install --no-save @microsoft/jest-sarif` beside the tests brings it; SARIF_SCHEMA names another
copy.
"""

from __future__ import annotations

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from test_audit_report import ALL, STRANGE

from symbackprop.auditing.outcome import Failure, gather
from symbackprop.auditing.report import FORMATS

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "node_modules" / "@microsoft" / "jest-sarif" / "lib" / "schemas"
SCHEMA = Path(os.environ.get("SARIF_SCHEMA", PACKAGE / "sarif-2.1.0-rtm.5.json"))
pytestmark = pytest.mark.skipif(
    not SCHEMA.is_file(), reason="the schema is in @microsoft/jest-sarif, which is not installed"
)
FAILURE = Failure("gone.md", "cannot read 'gone.md': No such file")


def errors(record: object) -> list[str]:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(schema)
    checked = kind(schema, format_checker=kind.FORMAT_CHECKER).iter_errors(record)
    return [error.json_path for error in checked]


def log(*findings: Any, failures: tuple[Failure, ...] = ()) -> Any:
    outcome = gather(findings, failures)
    accepted = {entry.fingerprint for entry in outcome.entries[:1]}
    return json.loads(FORMATS["sarif"](gather(findings, failures, accepted=accepted)))


@pytest.mark.parametrize(
    "record",
    [log(), log(*ALL), log(*ALL, STRANGE, failures=(FAILURE,)), log(failures=(FAILURE,))],
    ids=["nothing", "all verdicts", "strange text", "no file"],
)
def test_a_report_holds_to_the_schema(record: Any) -> None:
    assert errors(record) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), "2.0.0"),
        (("runs", 0, "results", 0, "level"), "fatal"),
        (("runs", 0, "results", 0, "kind"), "bad"),
        (("runs", 0, "results", 0, "locations", 0, "physicalLocation", "region", "startLine"), 0),
        (("runs", 0, "results", 0, "unknown"), 1),
    ],
)
def test_a_planted_fault_is_found(path: tuple[str | int, ...], value: object) -> None:
    record = deepcopy(log(*ALL))
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert errors(record)
