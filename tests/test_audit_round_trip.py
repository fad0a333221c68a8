"""What `derive` prints is read back by the audit and proved."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from layer_cases import network_of
from test_outline_layers import smallest

from symbackprop.auditing.formulas.entry import audit_text
from symbackprop.calculus import derive_network
from symbackprop.catalog import CATALOG
from symbackprop.cli import main
from symbackprop.render.formats import FORMATS
from symbackprop.render.notation import Choice
from symbackprop.render.outline import outline

# Softmax and its kin subtract a maximum, which the derivation says is held constant; targets that
# are distributions sum to 1.
SAID = ("the maximum is held constant", "targets sum to 1")
# Documents with cross-entropy go on to targets that are indices, under the name of those that are
# numbers; which of the two a stable form means cannot be told.
TWICE = "y stands both with and without an index"
# Losses that need probabilities stand behind the activation that gives them.
BEHIND = {"binary_cross_entropy": "3-2:sigmoid", "cross_entropy": "3-2:softmax"}
# With the matrix form, in both layouts; a form unit by unit has no more to say of these.
NETWORKS = ("2-3:sigmoid-2", "3-4:tanh-2:sigmoid", "3-4:relu-3-2")
# Layers of whose claims some are undecided, and why.
ONE_PLACE = "of one place alone all that a claim says is 0 = 0 or a number"
WINDOW = "a window's limits are not told from its axis' extent"
BUDGET = "some claims take more steps than they may"
STEPS = "a partial by one step is not told from the derivative through all steps"
OPEN = {
    **dict.fromkeys(
        ("global_max_pool", "instance_norm", "max_pool1d", "multi_head_attention"), ONE_PLACE
    ),
    **dict.fromkeys(("avg_pool2d", "max_pool2d"), WINDOW),
    **dict.fromkeys(("adaptive_avg_pool2d", "conv_transpose2d"), BUDGET),
    **dict.fromkeys(("rnn", "gru", "lstm"), STEPS),
}
# Layers that are always tried.
QUICK = (
    *("add", "avg_pool1d", "batch_norm", "conv1d", "conv3d", "conv_transpose1d", "dropout", "pad"),
    *("rms_norm", "rnn"),
)
ALWAYS = {"relu", "silu", "softmax", "log_cosh", "huber", "cross_entropy", "2-3:sigmoid-2"}


def cases() -> list[object]:
    """Arguments of `derive`: each activation and loss of the catalogue, and small networks."""
    made = {name: (f"3-4:{name}-2", "--form", "units") for name in CATALOG.activations}
    for name in CATALOG.losses:
        made[name] = (BEHIND.get(name, "3-2"), "--form", "units", "--loss", name)
    made |= {name: (name,) for name in NETWORKS}
    return [
        pytest.param(arguments, id=name, marks=() if name in ALWAYS else pytest.mark.grid)
        for name, arguments in made.items()
    ]


def derived(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(["derive", *arguments])
    assert not end.value.code
    return capsys.readouterr().out


def audited(text: str, path: str = "derivation.md") -> list[tuple[int, str, str | None]]:
    """Line, verdict and convention or reason of each claim."""
    found = audit_text(text, path)
    return [(part.line, part.verdict, part.convention or part.reason) for part in found]


@pytest.mark.parametrize("arguments", cases())
def test_a_derivation_is_proved(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    text = derived(arguments, capsys)
    computed = text.count("\n", 0, text.find('<a id="computed"></a>') % len(text))
    found = audited(text)
    assert len(found) > 10
    assert [part for part in found if part[1] == "refuted"] == []
    # What follows shows the identities by which the code computes, not the derivation.
    own = [(line, verdict, said) for line, verdict, said in found if line <= computed]
    said = (*SAID, TWICE) if any("cross_entropy" in word for word in arguments) else SAID
    open_ = [part for part in own if part[1] not in ("proved", "agrees")]
    assert [part for part in open_ if part[2] not in said] == []
    assert sum(part[2] == TWICE for part in open_) <= 1


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.grid) for n in CATALOG.layers],
)
def test_a_derivation_of_a_layer_is_proved(name: str) -> None:
    document = outline(derive_network(network_of(smallest(name))), Choice(form="units"))
    text = FORMATS[".md"](document)
    assert isinstance(text, str)
    found = audited(text)
    assert [part for part in found if part[1] == "refuted"] == []
    open_ = [part for part in found if part[1] not in ("proved", "agrees") and part[2] not in SAID]
    if name in OPEN:
        assert len(open_) < len(found) / 3
    else:
        assert open_ == []


def test_a_notebook_is_proved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "derivation.ipynb"
    derived(("2-3:sigmoid-2", "-o", str(path)), capsys)
    found = audited(path.read_text(encoding="utf-8"), path.name)
    assert len(found) > 50
    assert {verdict for _, verdict, _ in found} == {"proved"}


def test_a_latex_document_is_proved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "derivation.tex"
    derived(("2-3:sigmoid-2", "-o", str(path)), capsys)
    text = path.read_text(encoding="utf-8")
    found = audited(text, path.name)
    assert len(found) > 50
    assert {verdict for _, verdict, _ in found} == {"proved"}
    # A place is where the formula stands, though a command of the document's own sets it.
    assert all("partial" in text.splitlines()[line - 1] for line, _, _ in found[:3])


def test_a_changed_transpose_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    text = derived(("2-3:sigmoid-2", "--form", "matrix"), capsys)
    wrong = text.replace(r"\, \mathbf{W}^{(2)\top} && N", r"\, \mathbf{W}^{(2)} && N")
    assert wrong != text
    assert {verdict for _, verdict, _ in audited(wrong)} == {"proved", "refuted"}


def test_a_changed_sign_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    text = derived(("2-3:sigmoid-1", "--form", "units", "--loss", "squared_error"), capsys)
    wrong = re.sub(r"= 2 \(\\hat\{y\}_\{1\} - y_\{1\}\)", r"= 2 (y_{1} - \\hat{y}_{1})", text)
    assert wrong != text
    assert any(verdict == "refuted" for _, verdict, _ in audited(wrong))
