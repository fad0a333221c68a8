"""The check of a module: passes what is right, and says one clear thing about what is not one."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from handmade import PERCEPTRON
from layer_cases import module_of

from symbackprop.api import build
from symbackprop.architecture import Use
from symbackprop.build import build_network
from symbackprop.checking.effort import DIRECTIONS, TOGETHER, Effort
from symbackprop.checking.gradients import _compare_loss
from symbackprop.checking.report import TOLERANCE, Finding, GradientReport, from_json
from symbackprop.checking.subject import Sample, Subject
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.notation import load
from symbackprop.notation.toml import read_toml
from symbackprop.numeric import check_module


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "module.py"
        path.write_text(text)
        return path

    return write


def test_a_right_module_passes(write):
    path = write(PERCEPTRON)
    report = check_module(path)
    assert report.passed
    assert list(report.tensors) == ["W1", "b1", "W2", "b2", "x"]
    assert all(finding.error < 1e-9 for finding in report.tensors.values())
    assert report.notes == ()
    assert report == check_module(path)


def test_a_wrong_gradient_fails_by_name(write):
    wrong = PERCEPTRON.replace('"W2": cache["a1"].T @ dz2', '"W2": 1.0001 * cache["a1"].T @ dz2')
    report = check_module(write(wrong))
    assert not report.passed
    assert [name for name, finding in report.tensors.items() if not finding.passed] == ["W2"]
    assert report.tensors["W2"].error == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module", "cannot be imported: ModuleNotFoundError"),
        ("def f(:", "cannot be imported: SyntaxError"),
        ("import sys; sys.exit(3)", "cannot be imported: SystemExit"),
        ("x = 1", "has no PARAMETER_SHAPES, initialize, forward, backward"),
        (PERCEPTRON.replace("def update", "def renamed"), "has no update"),
        ("import os; os.write(1, b'no such luck'); os._exit(5)", "without a result: no such luck"),
        (PERCEPTRON.replace("dz1 = (dz2", "dz1 = (missing"), "backward raised NameError"),
        (PERCEPTRON.replace("return a2, {", "return {"), "forward did not return"),
        (PERCEPTRON.replace("return value, result", "return value"), "did not return (value,"),
        (PERCEPTRON.replace('"W1": (2, 3)', '"W1": (3, 2)'), "for W1, not (3, 2)"),
        ("print('x' * 10**6)\n" * 9 + "import os; os._exit(0)", "without a result: xxx"),
    ],
)
def test_what_is_no_module_gets_one_clear_error(write, text, message):
    path = write(text)
    with pytest.raises(SymbackpropError) as caught:
        check_module(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_module_that_hangs_is_ended(write):
    start = time.perf_counter()
    with pytest.raises(SymbackpropError, match=r"is not imported within 1 s"):
        check_module(write("while True: pass"), timeout=1)
    assert time.perf_counter() - start < 5


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(SymbackpropError, match="no such file"):
        check_module(tmp_path / "absent.py")
    with pytest.raises(SymbackpropError, match="not a regular file"):
        check_module(tmp_path)


def test_garbage_on_stdout_does_no_harm(write):
    assert check_module(write(PERCEPTRON + "\nprint('garbage' * 10000)")).passed


def test_a_large_module_is_checked_in_part(write):
    text = PERCEPTRON.replace("(2, 3)", "(784, 128)").replace("(3,)", "(128,)")
    text = text.replace("(3, 1)", "(128, 1)").replace("np.zeros(13", "np.zeros(100609")
    text = text.replace("flat[0:6]", "flat[0:100352]").replace("flat[6:9]", "flat[100352:100480]")
    text = text.replace("flat[9:12]", "flat[100480:100608]").replace("[12:13]", "[100608:100609]")
    text = text.replace("(len(x), 2)", "(len(x), 784)").replace("normal(3)", "normal(128)")
    text = text.replace("batch_size, 3", "batch_size, 128").replace("(3, 2)", "(3, 784)")
    text = text.replace("batch_size, 2", "batch_size, 784").replace("sqrt(2 / 2)", "sqrt(2 / 784)")
    text = text.replace("sqrt(2 / 4)", "sqrt(2 / 129)")
    assert check_module(write(text)).passed
    wrong = text.replace("np.matmul(x.T, dz1, out", "np.matmul(x.T, 1.0001 * dz1, out")
    assert not check_module(write(wrong)).tensors["W1"].passed


@pytest.mark.parametrize("counted", ["kept", "read"])
@pytest.mark.parametrize(
    ("count", "expected"), [(10**5, {"W1", "b1"}), (3 * 10**6, {"W1", "b1"}), (10**9, {TOGETHER})]
)
def test_what_a_run_takes_tells_how_much_is_compared(counted, count, expected):
    arrays = {"W1": np.ones((40, 40)), "b1": np.ones(40)}
    scaled = count if counted == "kept" else 10 * count
    sample = Sample(np.ones((2, 40)), np.ones((2, 40)), (), **{counted: scaled})
    moves = Effort(500_000_000, 0).moves(arrays, arrays, sample)
    assert moves.keys() == expected
    assert (max(map(len, moves.values())) > DIRECTIONS) is (count < 10**6)


READ = {
    "2-3": 2 * (2 * 3 + 3),
    'type = "lstm"\nhidden = 3': 2 * 7 * (2 * 12 + 3 * 12 + 12),
    'type = "conv1d"\nchannels = 4\nkernel_size = 2': 2 * (4 * 7 * 2) + 2 * 4 * 4,
}


@pytest.mark.parametrize("layer", READ)
def test_a_parameter_counts_as_often_as_it_is_read(layer):
    head = 'spec = 1\n[network]\nname = "n"\ninput = [7, 2]\n[[layer]]\n'
    network = build_network(read_toml(head + layer, "n.toml")) if "type" in layer else build(layer)
    module = module_of(generate(network).text)
    subject = Subject(module)
    assert subject.sample(module.initialize(0), 0, 2).read == READ[layer]


def test_forward_and_loss_are_compared_with_the_equations(write):
    network = build("2-3:relu-1:sigmoid", loss="binary_cross_entropy")
    report = check_module(write(PERCEPTRON), architecture=network)
    assert report.passed
    assert report.checks["forward"].error < 1e-14
    assert report.checks["loss"].error < 1e-14


def test_a_fault_that_gradients_follow_is_found_by_the_equations(write):
    network = build("2-3:relu-1:sigmoid", loss="binary_cross_entropy")
    summed = PERCEPTRON.replace(".sum() / len(output)", ".sum()").replace("sum() / n)", "sum())")
    summed = summed.replace(") / len(output)", ")").replace("p *= 1.0 / n", "p *= 1.0")
    report = check_module(write(summed))
    assert report.passed
    report = check_module(write(summed), architecture=network)
    assert [name for name, finding in report.checks.items() if not finding.passed] == ["loss"]


def test_a_module_of_another_network_is_said(write):
    network = build("2-4:relu-1:sigmoid", loss="binary_cross_entropy")
    with pytest.raises(SymbackpropError, match=r"is not this network: W1 has shape \(2, 3\)"):
        check_module(write(PERCEPTRON), architecture=network)


def test_a_network_too_large_for_loops_is_said(write, monkeypatch):
    monkeypatch.setattr("symbackprop.checking.forward.LIMIT", 10)
    network = build("2-3:relu-1:sigmoid", loss="binary_cross_entropy")
    report = check_module(write(PERCEPTRON), architecture=network)
    assert report.passed
    assert "forward" not in report.checks
    assert report.notes == ("forward not compared with the equations: 34 points, at most 10",)


def test_the_report_is_plain_json_and_nan_fails():
    report = GradientReport({"W1": Finding(1e-9), "b1": Finding(math.nan)}, {}, ("a note",))
    assert not report.passed
    assert not Finding(math.inf).passed
    assert Finding(1e-6).passed
    data = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert data["tensors"]["b1"]["relative_error"] is None
    assert not from_json(data).passed
    assert from_json(data).tensors["W1"] == Finding(1e-9)
    untested = GradientReport({"W1": Finding(0.0, tested=False)}, {})
    assert untested.passed
    assert untested.as_json()["tensors"]["W1"]["tested"] is False
    assert from_json(untested.as_json()) == untested
    assert not GradientReport({}, {}).passed


def test_neither_the_check_nor_its_process_imports_sympy(write):
    path = write(PERCEPTRON)
    script = (
        "import sys, pathlib; from symbackprop.numeric import check_module; "
        "import symbackprop.checking.driver; "
        f"check_module(pathlib.Path({str(path)!r})); assert 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_command_that_is_ended_ends_its_process_and_leaves_nothing(write, tmp_path, number, code):
    started = tmp_path / "started"
    path = write(
        f"import os\nopen({str(started)!r}, 'w').write(str(os.getpid()))\nwhile True: pass"
    )
    folder = tmp_path / "temporary"
    folder.mkdir()
    command = [sys.executable, "-m", "symbackprop", "check", str(path)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        assert _within(60, lambda: started.is_file() and started.read_text())
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == code
    assert list(folder.iterdir()) == []
    assert _within(10, lambda: not _runs(int(started.read_text())))


def test_a_module_that_is_imported_may_take_longer(write, monkeypatch):
    monkeypatch.setattr("symbackprop.numeric.IMPORT", 0.01)
    slow = PERCEPTRON.replace("    rng = np.random", "    time.sleep(0.01); rng = np.random")
    assert slow != PERCEPTRON
    with pytest.raises(SymbackpropError, match=r"is not imported within 0.01 s"):
        check_module(write("import time\n" + slow))
    monkeypatch.setattr("symbackprop.numeric.IMPORT", 5.0)
    endless = "import time\n" + slow.replace("sleep(0.01)", "sleep(100)")
    with pytest.raises(SymbackpropError, match=r"no result within 6.00013 s"):
        check_module(write(endless), timeout=6)


def _within(seconds, condition):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def _runs(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


class SmallProbabilities:
    """A module's loss at probabilities next to the floor below which their logarithm is cut."""

    output = np.array([[1e-9, 0.4, 0.6 - 1e-9], [2e-12, 1e-7, 1 - 1e-7]])

    def __init__(self, factor):
        self.factor = factor

    def forward(self, params, x):
        return self.output, {}

    def call(self, name, output, y):
        kept = output > math.exp(-100)
        if name == "loss":
            return -(y * np.log(np.where(kept, output, math.exp(-100)))).sum()
        return -y * kept * self.factor / output


@pytest.mark.parametrize(("factor", "wrong"), [(1, False), (1.0001, True)])
def test_small_probabilities_move_by_parts_of_themselves(factor, wrong):
    y = np.array([[0.2, 0.3, 0.5], [0.1, 0.9, 0.0]])
    sample = Sample(np.zeros((2, 1)), (y,), y)
    found = _compare_loss(SmallProbabilities(factor), {"x": sample.x}, sample, y, Effort(10**9, 0))
    found = found["output"]
    assert found.resolved
    assert (found.error > TOLERANCE) is wrong


@pytest.mark.parametrize("planted", [False, True])
def test_a_single_class_that_counts(write, planted):
    """Most batches count for nothing, whose mean is NaN: another one is drawn."""
    weights = (0.0,) * 9 + (1.0,)
    use = Use("cross_entropy", {"weight": weights})
    text = generate(build(replace(load("3-4:tanh-10:softmax"), loss=use))).text
    assert "dW1 = x.T @ dz1" in text
    if planted:
        text = text.replace("dW1 = x.T @ dz1", "dW1 = 1.0001 * (x.T @ dz1)")
    report = check_module(write(text))
    assert report.passed is not planted
