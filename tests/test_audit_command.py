"""The command, the pytest plugin and the function for Python."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import symbackprop
from symbackprop import cli
from symbackprop.errors import SymbackpropError

ROOT = Path(__file__).resolve().parent.parent
LOSS = r"$L = \sum_i (y_i - \hat y_i)^2$"
RIGHT = r"$$\frac{\partial L}{\partial \hat y_i} = -2(y_i - \hat y_i)$$"
WRONG = r"$$\frac{\partial L}{\partial \hat y_i} = 2(y_i - \hat y_i)$$"
UNREAD = r"$$\frac{\partial L}{\partial \hat y_i} = \strange \hat y_i$$"

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]):
    """Audit with arguments; give exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            cli.main(["audit", *arguments])
        captured = capfd.readouterr()
        return end.value.code, captured.out, captured.err

    return call


def write(name: str, *formulas: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(formulas), encoding="utf-8")
    return name


@pytest.mark.parametrize(
    ("formulas", "code", "lenient"),
    [((RIGHT,), 0, 0), ((WRONG, UNREAD), 1, 1), ((UNREAD,), 3, 0), ((), 0, 0)],
)
def test_the_exit_code_is_the_verdict(run, formulas: tuple[str, ...], code: int, lenient) -> None:
    file = write("notes.md", LOSS, *formulas)
    assert run(file)[0] == code
    assert run(file, "--fail-on", "refuted")[0] == lenient


def test_nothing_to_audit_is_said(run) -> None:
    code, out, err = run(write("notes.md", "no formula"))
    assert (code, err) == (0, "no claim found\n")
    assert out == "0 claims in 1 file\n"


def test_a_refuted_claim_is_explained(run) -> None:
    _, out, _ = run(write("notes.md", LOSS, WRONG))
    for part in ("notes.md:3:3: refuted", "I read this as", "counterexample", "right is", "{+-+}"):
        assert part in out
    assert "\x1b" not in out


def test_bad_input_comes_first_and_the_rest_is_reported(run) -> None:
    write("bad.ipynb", "{")
    Path("bytes.md").write_bytes(b"\xff\xfe")
    wrong = write("ok.md", LOSS, WRONG)
    code, out, err = run("bad.ipynb", "bytes.md", "gone.md", "code.xyz", wrong)
    assert code == 2
    assert "refuted" in out
    assert [line.split(":")[0] for line in err.splitlines()] == ["error"] * 4
    assert "not a notebook" in err
    assert "byte 1 is not UTF-8" in err
    assert "cannot read 'gone.md'" in err
    assert "'.xyz' found, allowed: .claims.toml" in err


def test_folders_are_searched(run) -> None:
    for name in ("a/x.md", "a/deep/y.tex", "a/.hidden/z.md", "a/drafts/v.md", "a/program.xyz"):
        write(name, LOSS, RIGHT)
    write("pyproject.toml", "[tool.symbackprop.audit]\nexclude = ['drafts/*']")
    _, out, _ = run("a", "--format", "json")
    findings = json.loads(out)["findings"]
    assert [finding["path"] for finding in findings] == ["a/x.md", "a/deep/y.tex"]


def test_standard_input(run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{LOSS}\n\n{WRONG}\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    code, out, _ = run("-")
    assert code == 1
    assert out.startswith("standard input:3:3: refuted")


def test_definitions_are_given(run) -> None:
    file = write("notes.md", r"$$\frac{\partial L}{\partial p_i} = 3 p_i^2$$")
    assert run(file)[0] == 3
    assert run(file, "--given", r"L = \sum_i p_i^3")[0] == 0


NETWORK = """
spec = 1
[network]
input = [2]
loss = "squared_error"
reduction = "sum"
[[layer]]
type = "dense"
units = 3
activation = "tanh"
"""
WEIGHTS = (
    r"$$\frac{\partial L}{\partial w_{ij}^{(1)}} = \frac{\partial L}{\partial z_i^{(1)}} x_j$$"
)


def test_an_architecture_defines(run) -> None:
    write("net.toml", NETWORK)
    right, wrong = (
        write("a.md", RIGHT, WEIGHTS),
        write("b.md", WRONG, WEIGHTS.replace("x_j", "x_i")),
    )
    assert run(right)[0] == 3
    assert run(right, "--arch", "net.toml")[0] == 0
    code, out, _ = run(wrong, "--arch", "net.toml")
    assert (code, out.count(": refuted\n")) == (1, 2)
    assert run(right, "--arch", "2-3:tnh-1")[0] == 2


def test_a_baseline_accepts(run) -> None:
    file = write("notes.md", LOSS, WRONG, UNREAD)
    assert run(file, "--baseline", "known.json", "--update-baseline")[0] == 0
    assert run(file, "--baseline", "known.json")[0] == 0
    write("notes.md", "A line more.", LOSS, WRONG, UNREAD)
    assert run(file, "--baseline", "known.json")[0] == 0
    write("notes.md", LOSS, WRONG, WRONG)
    assert run(file, "--baseline", "known.json")[0] == 1


def test_a_baseline_needs_a_file(run) -> None:
    code, _, err = run(write("notes.md"), "--update-baseline")
    assert code == 2
    assert "--baseline FILE is missing" in err
    assert run("notes.md", "--baseline", "none.json")[0] == 2


def test_a_remark_silences(run) -> None:
    assert run(write("notes.md", LOSS, f"<!-- symbackprop: ignore -->\n{WRONG}"))[0] == 0


def test_a_claims_file_states_what_it_expects(run) -> None:
    claims = """[[claim]]
formula = '\\frac{\\partial a}{\\partial z} = a(1+a)'
given = 'a = 1/(1+e^{-z})'
expect = 'EXPECTED'
"""
    file = write("known.claims.toml", claims.replace("EXPECTED", "refuted"))
    assert run(file)[0] == 0
    write(file, claims.replace("EXPECTED", "proved"))
    assert run(file)[0] == 1
    write(file, claims.replace("EXPECTED", "right"))
    code, _, err = run(file)
    assert code == 2
    assert "claim 1: expect: 'right': allowed: agrees" in err


@pytest.mark.parametrize("form", ["json", "sarif", "github", "junit"])
def test_each_format_is_written_to_a_file(run, form: str) -> None:
    file = write("notes.md", LOSS, WRONG)
    code, out, _ = run(file, "--format", form, "-o", "report")
    assert (code, out) == (1, "")
    assert re.search("sign", Path("report").read_text(encoding="utf-8"))


def test_what_is_asked_for_wrongly_is_explained(run) -> None:
    assert run()[0] == 2
    assert "'xml' is not one of" in run(write("a.md"), "--format", "xml")[2]
    assert run("a.md", "-o", "no/such/folder")[0] == 2


def test_output_is_the_same_for_any_hash_seed(folder: Path) -> None:
    write("notes.md", LOSS, WRONG, RIGHT, UNREAD, r"$a = \tanh z$", r"$$a'(z) = 1 - z^2$$")
    command = [sys.executable, "-m", "symbackprop", "audit", "notes.md", "--format", "json"]
    outputs = {
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert "findings" in outputs.pop()


def test_python_calls_it_again_and_again() -> None:
    for _ in range(2):
        audited = symbackprop.audit(
            r"\frac{\partial a}{\partial z} = a(1-a)", given="a = 1/(1+e^{-z})"
        )
        assert audited.summary == {"proved": 1}
    wrong = symbackprop.audit(r"\frac{\partial a}{\partial z} = a(1+a)", given="a = 1/(1+e^{-z})")
    assert wrong.findings[0].verdict == "refuted"
    assert "$$" in wrong._repr_markdown_()


def test_python_audits_files() -> None:
    path = Path(write("notes.md", LOSS, WRONG))
    assert symbackprop.audit(path).summary == {"refuted": 1}
    with pytest.raises(SymbackpropError, match="cannot read"):
        symbackprop.audit(Path("gone.md"))


def test_what_claims_nothing_is_undecided() -> None:
    assert symbackprop.audit("a = b").findings[0].reason == "no derivative is claimed"


CLAIMS = r"""
[[claim]]
name = "sigmoid"
formula = '\frac{\partial a}{\partial z} = a(1-a)'
given = 'a = 1/(1+e^{-z})'
[[claim]]
formula = '\frac{\partial a}{\partial z} = a(1+a)'
given = 'a = 1/(1+e^{-z})'
[[claim]]
formula = '\frac{\partial a}{\partial z} = a(1+a)'
given = ['b = e^{-z}', 'a = 1/(1+b)']
expect = "refuted"
[[claim]]
formula = 'a = b'
"""


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is installed, its plugin would be loaded twice."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.mark.usefixtures("alone")
def test_pytest_collects_claims(pytester: pytest.Pytester) -> None:
    path = pytester.makefile(".claims.toml", good=CLAIMS)
    path.write_text(CLAIMS, encoding="utf-8-sig")  # as some editors begin a file
    result = pytester.runpytest("-p", "symbackprop.pytest_plugin", "-v")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*::sigmoid PASSED*", "*claim 2*", "*refuted*", "*right is*"])


@pytest.mark.usefixtures("alone")
def test_pytest_says_what_is_wrong_with_a_file(pytester: pytest.Pytester) -> None:
    pytester.makefile(".claims.toml", bad="[[claim]]\nformla = 'a'")
    result = pytester.runpytest("-p", "symbackprop.pytest_plugin")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*did you mean 'formula'*"])
