"""The modules of generated/ as a stranger's: the audit of code proves every gradient of theirs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from symbackprop.auditing.code.entry import Naming, audit_code

GENERATED = Path(__file__).parents[1] / "generated"
MODULES = sorted(path.name for path in GENERATED.glob("*.py"))
# Unequal extents for those that a module has, in their order.
SMALL = (3, 4, 2, 5, 6, 7, 8, 9)
LARGEST = 8
# An axis of samples and what follows it, in prose and in code: (N, 784), (None, 784), (784, 128).
SHAPE = re.compile(r"\((?:N|None|\d+),(?: \d+)*,?\)")


def read(name: str) -> str:
    return (GENERATED / name).read_text(encoding="utf-8")


def smaller(text: str) -> str:
    """The text with large extents of its arrays replaced; places of shapes alone are touched."""
    extents = list(dict.fromkeys(re.findall(r"\b\d+\b", " ".join(SHAPE.findall(text)))))
    if all(int(e) <= LARGEST for e in extents):
        return text
    new = dict(zip(extents, map(str, SMALL), strict=False))

    def replaced(match: re.Match[str]) -> str:
        return re.sub(r"\b\d+\b", lambda n: new[n[0]], match[0])

    return SHAPE.sub(replaced, text)


def extents(text: str, what: str) -> tuple[str, ...]:
    """The settings of a sample's shape, as the module's own docstring of forward says it."""
    shape = re.search(rf"{what} \(N((?:, \d+)*)\)", text)
    assert shape is not None
    return tuple(re.findall(r"\d+", shape[1]))


def settings(name: str, shape: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}.shape[{axis}]={n}" for axis, n in enumerate(shape, 1))


def audited(text: str) -> dict[str, str]:
    naming = Naming(
        ("forward:backward",),
        given=("params = initialize()",),
        settings=settings("x", extents(text, "x")),
    )
    return {str(f.wrt): f.verdict for f in audit_code(text, "m.py", naming)}


def test_there_are_modules_and_large_extents_are_replaced() -> None:
    assert "tutorial.py" in MODULES
    assert smaller('W: (784, 128) x (None, 784) "b": ((128,), 0) of 784') == (
        'W: (3, 4) x (None, 3) "b": ((4,), 0) of 784'
    )


@pytest.mark.parametrize("name", MODULES)
def test_every_gradient_of_a_generated_module_is_proved(name: str) -> None:
    text = smaller(read(name))
    parameters = re.findall(r'^    "(\w+)": \(\(', text, re.MULTILINE)
    expected = {"x", *(f"params['{p}']" for p in parameters)}
    assert audited(text) == dict.fromkeys(expected, "proved")


@pytest.mark.parametrize("name", MODULES)
def test_the_gradient_of_its_loss_is_proved(name: str) -> None:
    text = smaller(read(name))
    shape = extents(text, "output")
    given = (*settings("output", shape), *settings("y", shape))
    (found,) = audit_code(text, "m.py", Naming(("loss:loss_gradient@output",), settings=given))
    assert found.verdict == "proved"


@pytest.mark.parametrize(
    ("old", "new", "variable"),
    [
        ("dW3 = a2.T @ d_output", "dW3 = 2 * a2.T @ d_output", "params['W3']"),
    ],
)
def test_a_mistake_in_a_generated_module_is_seen(old: str, new: str, variable: str) -> None:
    text = read("tutorial.py")
    assert old in text
    found = audited(text.replace(old, new))
    assert found[variable] == "refuted"
    assert found["params['b3']"] == "proved"
