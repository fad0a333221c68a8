from __future__ import annotations

from pathlib import Path

import pytest

import symbackprop
from symbackprop import api
from symbackprop.errors import SymbackpropError

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE = "2-3:relu-1:sigmoid"


def test_every_public_name_is_there() -> None:
    assert {name for name in symbackprop.__all__ if not hasattr(symbackprop, name)} == set()
    assert set(symbackprop.__all__) <= set(dir(symbackprop))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'gradient'"):
        _ = symbackprop.gradient


def test_text_path_and_record_mean_the_same() -> None:
    path = ROOT / "examples" / "circles.toml"
    record = symbackprop.load(path)
    assert api.build(path) == api.build(str(path)) == api.build(record)
    assert symbackprop.load(ARCHITECTURE).layers[0].fields["units"] == 3


def test_loss_and_reduction_replace_the_architectures_own() -> None:
    path = ROOT / "examples" / "circles.toml"
    assert api.build(path).loss == "binary_cross_entropy"
    changed = api.build(path, loss="mean_squared_error", reduction="sum")
    assert (changed.loss, changed.reduction) == ("mean_squared_error", "sum")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"loss": "mean_square_error"}, "did you mean 'mean_squared_error'"),
        ({"reduction": "average"}, "mean, sum"),
        ({"optimizer": "rmsprop"}, "adam"),
    ],
)
def test_unknown_options_are_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(SymbackpropError, match=said):
        symbackprop.generate(ARCHITECTURE, **options)


def test_a_definition_of_the_file_may_be_its_loss(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(
        'spec = 1\n[network]\ninput = [2]\n[[layer]]\ntype = "dense"\nunits = 3\n'
        '[[define]]\nkind = "loss"\nname = "quartic"\n'
        'equations = ["L = total(i, (a[i] - y[i])**4)"]\n',
        encoding="utf-8",
    )
    assert api.build(path, loss="quartic").loss == "quartic"


def test_derive_gives_an_adjoint_for_every_parameter() -> None:
    derived = symbackprop.derive(ARCHITECTURE, loss="binary_cross_entropy")
    found = {adjoint.variable.name for adjoint in derived.layers.adjoints}
    assert {"W1", "b1", "W2", "b2", "x"} <= found
    (head,) = derived.heads
    assert "z2" in {adjoint.variable.name for adjoint in head.adjoints}
    assert derived.layers.steps


def test_a_failed_check_is_raised_with_its_report(monkeypatch: pytest.MonkeyPatch) -> None:
    from symbackprop import numeric
    from symbackprop.checking.report import Finding, GradientReport

    failed = GradientReport({"W1": Finding(0.5)}, {})
    monkeypatch.setattr(numeric, "check_module", lambda *_, **__: failed)
    with pytest.raises(api.FailedCheckError) as caught:
        symbackprop.generate(ARCHITECTURE, loss="binary_cross_entropy")
    assert caught.value.report is failed
