from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from symbackprop import cli, progress, writing
from symbackprop.errors import SymbackpropError

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE = "2-3:relu-1:sigmoid"
LOSS = ("--loss", "binary_cross_entropy")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run a command in this process; give its exit code, stdout and stderr without progress."""
    monkeypatch.setattr(progress, "SILENCE", threading.TIMEOUT_MAX)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        captured = capfd.readouterr()
        return end.value.code, captured.out, captured.err

    return call


def start(*arguments: str, **options: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "symbackprop", *arguments],
        cwd=ROOT,
        text=True,
        encoding="utf-8",
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def hear_interrupts() -> None:
    """A background job of a shell ignores them, and so does what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated module, as the command writes it."""
    path = tmp_path_factory.mktemp("generated") / "circles.py"
    with start("generate", ARCHITECTURE, *LOSS, "-o", str(path)) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (0, "")
    assert "gradients agree" in err
    return path


class TestGenerate:
    def test_stdout_and_file_hold_the_same(self, run, module: Path) -> None:
        code, out, _ = run("generate", ARCHITECTURE, *LOSS)
        assert code == 0
        assert out == module.read_text(encoding="utf-8")

    def test_the_module_runs_its_own_check(self, module: Path) -> None:
        result = subprocess.run(
            [sys.executable, str(module)], check=False, capture_output=True, text=True
        )
        assert result.returncode == 0
        assert "W1" in result.stdout

    def test_only_the_module_is_left_in_its_folder(self, run, tmp_path: Path) -> None:
        code, _, _ = run("generate", ARCHITECTURE, *LOSS, "-o", str(tmp_path / "net.py"))
        assert code == 0
        assert [path.name for path in tmp_path.iterdir()] == ["net.py"]

    def test_options_replace_what_the_file_says(self, run) -> None:
        file = str(ROOT / "examples" / "circles.toml")
        _, mean, _ = run("generate", file)
        _, total, _ = run("generate", file, "--reduction", "sum")
        _, adam, _ = run("generate", file, "--optimizer", "adam")
        assert len({mean, total, adam}) == 3
        assert "initial_moments" in adam
        assert "initial_moments" not in mean

    def test_a_failed_check_writes_nothing(self, run, tmp_path: Path, monkeypatch) -> None:
        from symbackprop import numeric
        from symbackprop.checking.report import Finding, GradientReport

        failed = GradientReport({"W1": Finding(0.5)}, {})
        monkeypatch.setattr(numeric, "check_module", lambda *_, **__: failed)
        code, out, err = run("generate", ARCHITECTURE, *LOSS, "-o", str(tmp_path / "net.py"))
        assert (code, out) == (1, "")
        assert "W1" in err
        assert "nothing is written" in err
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("edit", "reason"),
        [
            (("import numpy", "import no_numpy"), "cannot be imported: ModuleNotFoundError"),
            (("def forward", "def renamed"), "has no forward"),
            (("return a2, cache", "return missing, cache"), "forward raised NameError"),
        ],
    )
    def test_a_module_that_cannot_run_is_our_mistake(
        self, run, tmp_path: Path, monkeypatch, edit: tuple[str, str], reason: str
    ) -> None:
        from symbackprop import api

        emitted = api._emitted

        def faulty(*arguments):
            text, network = emitted(*arguments)
            assert edit[0] in text
            return text.replace(*edit), network

        monkeypatch.setattr(api, "_emitted", faulty)
        code, out, err = run("generate", ARCHITECTURE, *LOSS, "-o", str(tmp_path / "net.py"))
        assert (code, out) == (1, "")
        (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
        assert f"{ARCHITECTURE}: the generated module cannot be checked: " in line
        assert reason in line
        assert "/" not in line
        assert list(tmp_path.iterdir()) == []

    def test_gradients_that_are_zero_everywhere_are_said(self, run, tmp_path: Path) -> None:
        file, module = tmp_path / "off.toml", tmp_path / "off.py"
        file.write_text(
            'spec = 1\n[network]\nname = "off"\ninput = [2]\nloss = "mean_squared_error"\n'
            '[[layer]]\ntype = "dense"\nunits = 1\nactivation = "off"\n[[define]]\n'
            'kind = "activation"\nname = "off"\nequations = ["a = maximum(0, -1 - z**2)"]\n'
        )
        code, _, err = run("generate", str(file), "-o", str(module))
        assert code == 0
        assert "not tested, zero everywhere: W1, b1, x" in err
        _, out, _ = run("check", str(module))
        assert out.count("not tested (zero everywhere)") == 3


class TestCheck:
    def test_passes(self, run, module: Path) -> None:
        code, out, err = run("check", str(module))
        assert (code, err) == (0, "")
        assert out.endswith("passed\n")

    def test_json(self, run, module: Path) -> None:
        code, out, _ = run("check", str(module), "--json")
        report = json.loads(out)
        assert code == 0
        assert report["passed"] is True
        assert report["tensors"]["W1"]["relative_error"] < 1e-6
        assert set(report["tensors"]) == {"W1", "b1", "W2", "b2", "x"}

    def test_forward_against_the_equations(self, run, module: Path) -> None:
        assert run("check", str(module), "--arch", ARCHITECTURE)[0] == 0

    def test_another_architecture_is_a_mismatch(self, run, module: Path) -> None:
        other = ARCHITECTURE.replace("relu", "tanh")
        assert run("check", str(module), "--arch", other)[0] == 1

    def test_a_planted_sign_error_is_found(self, run, module: Path, tmp_path: Path) -> None:
        text = module.read_text(encoding="utf-8")
        wrong = tmp_path / "wrong.py"
        tail = (
            "\n_right = backward\n\n\ndef backward(params, cache, d_output):\n"
            "    grads = _right(params, cache, d_output)\n"
            "    return {**grads, 'W1': -grads['W1']}\n"
        )
        head, main, rest = text.partition('\nif __name__ == "__main__":')
        wrong.write_text(head + tail + main + rest, encoding="utf-8")
        code, out, _ = run("check", str(wrong))
        assert code == 1
        assert out.endswith("FAILED\n")


class TestShow:
    def test_shapes_counts_and_equations(self, run) -> None:
        code, out, _ = run("show", str(ROOT / "examples" / "circles.toml"))
        assert code == 0
        assert "W1 (2, 4)  b1 (4,)" in out
        assert "z1[n, i] = Σ_j W1[j, i] x[n, j] + b1[i]" in out
        assert [line.split() for line in out.splitlines()].count(["all", "31"]) == 1

    def test_equal_layers_share_a_line(self, run) -> None:
        _, out, _ = run("show", "2-4x500:relu-1:sigmoid")
        assert "2–500" in out
        assert len(out.splitlines()) < 30

    def test_names_as_sizes_and_open_functions(self, run) -> None:
        code, out, _ = run("show", "n_0-n_1:f_1-n_2:f_2")
        assert code == 0
        assert "W1 (n_0, n_1)" in out
        assert "f_1(z1[n, i])" in out


class TestCatalog:
    def test_lists_every_entry_with_its_equations(self, run) -> None:
        from symbackprop.catalog import CATALOG

        code, out, _ = run("catalog")
        lines = {line.strip() for line in out.splitlines()}
        assert code == 0
        for table in (CATALOG.activations, CATALOG.losses, CATALOG.layers, CATALOG.optimizers):
            for entry in table.values():
                assert {entry.name, *entry.equations} <= lines
                assert f"source: {entry.source}" in lines

    def test_one_entry(self, run) -> None:
        code, out, _ = run("catalog", "elu")
        assert code == 0
        assert out.splitlines()[:3] == [
            "activations",
            "",
            "  elu",
        ]
        assert "constants: alpha = 1.0" in out

    def test_a_near_miss_is_helped(self, run) -> None:
        assert_refused(run("catalog", "rellu"), "did you mean 'relu'?")
        assert_refused(run("catalog", "BCELoss"), "is called 'binary_cross_entropy' here")


def assert_refused(result: tuple[int, str, str], *said: str) -> None:
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for part in said:
        assert part in err


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("generate", "2-3:rellu-1"), "did you mean 'relu'?"),
            (("generate", "2-0-1", *LOSS), "0"),
            (("generate", "2--3-1", *LOSS), ""),
            (("generate", "2-1.5-1", *LOSS), "1.5"),
            (("generate", "2-999999999-999999999", *LOSS), ""),
            (("generate", ARCHITECTURE, "--loss", "crossentropy"), "cross_entropy"),
            (("generate", ARCHITECTURE, *LOSS, "--optimizer", "adagrad"), "adam"),
            (("generate", ARCHITECTURE, *LOSS, "--reduction", "max"), "mean"),
            (("generate", "no/such.toml"), "no/such.toml"),
            (("generate", "n_0-n_1:f"), "'n_0-n_1:f': f is left open"),
            (("generate", "2-3:tanh", *LOSS), "'2-3:tanh': loss: binary_cross_entropy reads"),
            (("show", "2-3-1_000"), "1_000"),
            (("show", "/"), "/: not a regular file"),
            (("generate",), "ARCH"),
            (("generate", ARCHITECTURE, "--colour"), "--colour"),
            (("show", ""), ""),
            (("check", "no/such.py"), "no/such.py"),
            (("frobnicate",), "frobnicate"),
        ],
    )
    def test_one_line_and_exit_2_in_time(self, run, arguments, said: str) -> None:
        start_time = time.monotonic()
        result = run(*arguments)
        assert time.monotonic() - start_time < 2
        assert_refused(result, said)

    @pytest.mark.parametrize(
        "content", [b"\xff\xfe", b"spec = 1\n[network", b"", b"\0", b"spec = 9"]
    )
    def test_a_malformed_file(self, run, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "net.toml"
        path.write_bytes(content)
        assert_refused(run("generate", str(path)), "net.toml")

    @pytest.mark.parametrize("content", ["", "x = 1\n", "import nothing_of_the_kind\n", "1 +"])
    def test_check_of_what_is_no_module(self, run, tmp_path: Path, content: str) -> None:
        path = tmp_path / "other.py"
        path.write_text(content, encoding="utf-8")
        assert_refused(run("check", str(path)), "other.py")

    @pytest.mark.parametrize("place", ["no/such/folder/net.py", "."])
    def test_unwritable_output_is_found_before_the_work(
        self, run, tmp_path: Path, monkeypatch, place: str
    ) -> None:
        from symbackprop import api

        monkeypatch.setattr(api, "generate_checked", lambda *_, **__: pytest.fail("worked first"))
        assert_refused(run("generate", ARCHITECTURE, "-o", str(tmp_path / place)), "cannot write")


class TestTarget:
    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real.py").write_text("old", encoding="utf-8")
        (tmp_path / "link.py").symlink_to("real.py")
        writing.Target(tmp_path / "link.py").write("new")
        assert (tmp_path / "link.py").is_symlink()
        assert (tmp_path / "real.py").read_text(encoding="utf-8") == "new"

    def test_a_device_is_written_to(self) -> None:
        writing.Target(Path(os.devnull)).write("text")
        assert not Path(os.devnull).is_file()

    def test_mode_is_kept_and_a_new_file_follows_the_umask(self, tmp_path: Path) -> None:
        old, new, plain = tmp_path / "old.py", tmp_path / "new.py", tmp_path / "plain.py"
        old.touch()
        old.chmod(0o640)
        plain.touch()
        for path in (old, new):
            writing.Target(path).write("text")
        assert old.stat().st_mode & 0o777 == 0o640
        assert new.stat().st_mode == plain.stat().st_mode

    def test_a_failure_keeps_the_old_file(self, tmp_path: Path, monkeypatch) -> None:
        path = tmp_path / "net.py"
        path.write_text("old", encoding="utf-8")
        target = writing.Target(path)
        monkeypatch.setattr(os, "replace", _no_space)
        with pytest.raises(SymbackpropError, match="No space"):
            target.write("new")
        assert path.read_text(encoding="utf-8") == "old"
        assert list(tmp_path.iterdir()) == [path]


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


class TestTerminal:
    def test_a_closed_pipe_is_quiet(self) -> None:
        read, write = os.pipe()
        os.close(read)
        with start("catalog", stdout=write) as process:
            os.close(write)
            _, err = process.communicate()
        assert (process.returncode, err) == (141, "")

    def test_an_interrupt_ends_without_a_traceback(self, tmp_path: Path) -> None:
        target = tmp_path / "net.py"
        heard = {"preexec_fn": hear_interrupts}
        with start("generate", "8-8x3000:tanh", "-o", str(target), **heard) as process:
            time.sleep(1.5)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (130, "")
        assert "Traceback" not in err
        assert list(tmp_path.iterdir()) == []

    def test_formulas_are_utf_8_in_any_locale(self) -> None:
        environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        with start("show", ARCHITECTURE, env=environment) as process:
            out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        assert "Σ_j" in out

    def test_help_is_quick(self) -> None:
        def seconds() -> float:
            """Return the processor time that the command took, whatever else runs."""
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            with start("--help") as process:
                process.communicate()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        assert min(seconds() for _ in range(10)) < 0.15

    def test_long_work_says_what_it_is_at(self, monkeypatch, capsys) -> None:
        from symbackprop import progress

        monkeypatch.setattr(progress, "SILENCE", 0.05)
        with progress.Progress() as report:
            report("deriving")
            time.sleep(0.15)
            report("checking")
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", "deriving …\nchecking …\n")

    def test_short_work_is_silent(self, capsys) -> None:
        from symbackprop import progress

        with progress.Progress() as report:
            report("deriving")
        assert capsys.readouterr().err == ""
