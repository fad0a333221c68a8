"""The modules of generated/ as a stranger's: the audit of code proves every gradient of theirs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from symbackprop.auditing.code.entry import Naming, audit_code

GENERATED = Path(__file__).parents[1] / "generated"
# Each module's inputs and outputs, and smaller extents for those that are too large to follow.
MODULES = {
    "tutorial": (3, 2, {}),
    "circles": (2, 1, {}),
    "mnist": (3, 4, {784: 3, 128: 5, 64: 2, 10: 4}),
}


def smaller(text: str, extents: dict[int, int]) -> str:
    """The text with the extents of its arrays replaced; places of shapes alone are touched."""

    def replaced(match: re.Match[str]) -> str:
        return re.sub(r"\b\d+\b", lambda n: str(extents.get(int(n[0]), n[0])), match[0])

    return re.sub(r"\((?:None|\d+),(?: \d+)?\)", replaced, text)


@pytest.mark.parametrize("name", MODULES)
def test_every_gradient_of_a_generated_module_is_proved(name: str) -> None:
    inputs, _, extents = MODULES[name]
    text = smaller((GENERATED / f"{name}.py").read_text(encoding="utf-8"), extents)
    naming = Naming(
        ("forward:backward",),
        given=("params = initialize()",),
        settings=(f"x.shape[1]={inputs}",),
    )
    found = audit_code(text, f"{name}.py", naming)
    parameters = re.findall(r'^    "(\w+)": \(\(', text, re.MULTILINE)
    assert {f.wrt for f in found} == {"x", *(f"params['{p}']" for p in parameters)}
    assert {f.verdict for f in found} == {"proved"}


@pytest.mark.parametrize("name", ["tutorial", "circles"])
def test_the_gradient_of_its_loss_is_proved(name: str) -> None:
    outputs = MODULES[name][1]
    text = (GENERATED / f"{name}.py").read_text(encoding="utf-8")
    settings = (f"output.shape[1]={outputs}", f"y.shape[1]={outputs}")
    (found,) = audit_code(text, "m.py", Naming(("loss:loss_gradient@output",), settings=settings))
    assert found.verdict == "proved"


@pytest.mark.parametrize(
    ("old", "new", "variable"),
    [
        ("dW3 = a2.T @ d_output", "dW3 = 2 * a2.T @ d_output", "params['W3']"),
    ],
)
def test_a_mistake_in_a_generated_module_is_seen(old: str, new: str, variable: str) -> None:
    text = (GENERATED / "tutorial.py").read_text(encoding="utf-8")
    assert old in text
    naming = Naming(
        ("forward:backward",), given=("params = initialize()",), settings=("x.shape[1]=3",)
    )
    found = {f.wrt: f.verdict for f in audit_code(text.replace(old, new), "m.py", naming)}
    assert found[variable] == "refuted"
    assert found["params['b3']"] == "proved"
