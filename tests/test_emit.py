"""Emission: the source map, line breaking, optimizers' statements, what a module refuses."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from symbackprop import api
from symbackprop.architecture import Use
from symbackprop.catalog import CATALOG
from symbackprop.definition import Optimizer
from symbackprop.emit import Emitted, generate
from symbackprop.emit.lines import WIDTH, comment, fit
from symbackprop.emit.optimizer import optimizer_source
from symbackprop.errors import SymbackpropError
from symbackprop.notation import load


@pytest.fixture(scope="module")
def circles() -> Emitted:
    return generate(api.build("2-4:relu-3:relu-1:sigmoid", loss="binary_cross_entropy"))


@pytest.fixture(scope="module")
def ruff() -> str:
    found = shutil.which("ruff", path=str(sys.prefix) + "/bin") or shutil.which("ruff")
    if found is None:
        pytest.skip("ruff is not installed")
    return found


def formatted(ruff: str, text: str) -> str:
    done = subprocess.run(
        [ruff, "format", "--isolated", "-"], input=text, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_source_map_leads_to_the_lines_of_each_variable(circles: Emitted) -> None:
    lines = circles.text.splitlines()
    found = {(m.function, m.variable): lines[m.first - 1 : m.last] for m in circles.source_map}
    assert found["forward", "z1"][-1].strip().startswith("z1 = x @ ")
    assert found["backward", "dW2"][-1].strip() == "dW2 = a1.T @ dz2"
    assert "out=a2" in found["loss_and_gradients", "a2"][-1]
    assert found["_step", "w"][-1].strip().startswith("np.subtract(w")


def test_the_source_map_covers_every_layer_both_ways(circles: Emitted) -> None:
    computed = {location.variable for location in circles.source_map}
    for layer in "123":
        assert {f"z{layer}", f"a{layer}", f"dW{layer}", f"dz{layer}"} <= computed


@pytest.mark.parametrize(
    "statement",
    [
        "x = f(" + ", ".join(f"argument_{k}" for k in range(12)) + ")",
        "cache = {" + ", ".join(f'"z{k}": z{k}' for k in range(12)) + "}",
        "value = function_name(inner_function(" + "a" * 40 + ", " + "b" * 40 + "), c)",
        "values = (" + ", ".join("name" * 5 for _ in range(5)) + ")",
        "short = f(a, b)",
        f"product = ({'a' * 40} @ {'b' * 40}).transpose(0, 1)",
        f"product = {'a' * 40}.reshape(1, 2).T @ {'b' * 40}.reshape(3, 4)",
        f"product = {'a' * 40}.reshape(1, 2) @ {'b' * 20}.transpose(3, 4)",
        f"sums = {'a' * 30}[:, None] + {'b' * 30}[None, :] + {'c' * 30} * d",
        f"several = ({'a' * 50} - {'b' * 50}[:, None]) * c",
        f"links = ({'a' * 40} @ b).transpose(0, 2, 1).reshape(-1, 2)[:, {'c' * 20}]",
        f"call = f({'a' * 40}, {'b' * 40})(c)",
        f"return {'a' * 50} + f({'b' * 40})",
        f'text = f("{"[" * 60}" + {"b" * 40})'.replace("[", "("),
    ],
)
def test_long_lines_break_as_the_formatter_breaks_them(ruff: str, statement: str) -> None:
    text = "\n".join(["def f():", *fit(statement, "    ")]) + "\n"
    assert max(map(len, text.splitlines())) <= WIDTH
    assert formatted(ruff, text) == text


def weighted(classes: int) -> str:
    loss = Use("cross_entropy_with_logits", {"weight": [1 + k / 8 for k in range(classes)]})
    return generate(api.build(replace(load(f"4-{classes}"), loss=loss))).text


@pytest.mark.parametrize("classes", [3, 30])
def test_an_array_of_constants_is_written_once_and_left_alone_by_the_formatter(
    ruff: str, classes: int
) -> None:
    text = weighted(classes)
    numbers = [1 + k / 8 for k in range(classes)]
    found = next(
        node.value.args[0]
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "WEIGHT"
        and isinstance(node.value, ast.Call)
    )
    assert ast.literal_eval(found) == numbers
    array = text[text.index("WEIGHT = ") : text.index("PARAMETERS = ")]
    assert max(map(len, array.splitlines())) <= WIDTH
    assert formatted(ruff, text) == text


def test_a_costly_activation_and_its_derivative_share_the_exponential() -> None:
    text = generate(api.build("3-4:gelu_tanh-1", loss="mean_squared_error")).text
    step = text[text.index("def loss_and_gradients") : text.index("class Workspace")]
    assert len(re.findall(r"\b(exp|tanh)\(", re.sub("#.*", "", step))) == 1


def test_a_thousand_class_weights_are_looked_up_not_compared() -> None:
    start = time.perf_counter()
    text = weighted(1000)
    assert time.perf_counter() - start < 5
    assert "weight.take(y, " in text
    assert len(text.splitlines()) < len(weighted(3).splitlines()) + 120


def test_comments_wrap() -> None:
    lines = comment("word " * 40, "    ")
    assert len(lines) > 1
    assert all(line.startswith("    # ") and len(line) <= WIDTH for line in lines)


def test_an_optimizer_is_its_equations() -> None:
    """One that the catalogue does not have: nothing but equations is needed."""
    nesterov = Optimizer(
        name="nesterov",
        equations=("v = momentum * v + g", "w = w - eta * (g + momentum * v)"),
        constants={"momentum": 0.5},
        moments=("v",),
    )
    source = optimizer_source(nesterov)
    import numpy as np

    def step(w: list[float], g: list[float], v: list[float], eta: float) -> None:
        scratch = np.empty((source.scratch, 1))
        names = {"w": w, "g": g, "v": v, "eta": eta, "np": np}
        names |= {f"t{k + 1}": row for k, row in enumerate(scratch)}
        exec(source.body.text.replace("    ", ""), names)  # our own output

    w, g, v = np.array([1.0]), np.array([0.5]), np.array([0.2])
    step(w, g, v, 0.1)
    assert v == pytest.approx([0.6], rel=1e-15)
    assert w == pytest.approx([1 - 0.1 * (0.5 + 0.5 * 0.6)], rel=1e-15)


@pytest.mark.parametrize("name", sorted(CATALOG.optimizers))
def test_update_rules_name_their_equations(name: str) -> None:
    network = api.build("2-1:sigmoid", loss="binary_cross_entropy")
    text = generate(network, optimizer=name).text
    for equation in CATALOG.optimizers[name].equations:
        assert f"# {equation}" in text


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("2-3:f_1-1:sigmoid", "f_1 is left open"),
        ("n_0-3:relu-1:sigmoid", "the size n_0 is left open"),
    ],
)
def test_what_is_left_open_is_refused(architecture: str, message: str) -> None:
    with pytest.raises(SymbackpropError, match=message):
        generate(api.build(architecture))


@pytest.mark.parametrize(
    "formula",
    [
        "dz3[n, i] = dt1[n] ((y[n, i] {others_s3[n] if i = arg_m3[n], else s3[n] − exp(z3[n, i] − "
        "m3[n])} − (mass_s3[n] − y[n, i]) exp(z3[n, i] − m3[n])) / s3[n])",
        "a1[n, k, h, w] = Σ_(c, u, v) W1[k, c, u, v] x[n, c, 2*h + u - 1, 2*w + v - 1] + b1[k]",
        "name[n, t, i] = (Σ_j W_name[j, i] a_other[n, t, j]) max_(k, l) values[n, k, l, y[n, t]]",
    ],
)
@pytest.mark.parametrize("width", range(40))
def test_formulas_break_before_operators_and_in_no_subscript(formula: str, width: int) -> None:
    lines = comment(formula, " " * width)
    assert " ".join(line.strip().lstrip("# ") for line in lines) == formula
    for line in lines:
        assert line.count("[") == line.count("]")
        assert not re.search(r"([-+−/=]|(Σ|max)_\S*)$", line)
