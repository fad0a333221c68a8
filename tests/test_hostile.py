"""Names, files and points that nobody would choose, and what becomes of them."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symbackprop import api
from symbackprop.emit import generate
from symbackprop.errors import SymbackpropError
from symbackprop.render.markdown import markdown

NETWORK = """spec = 1
[network]
input = [{input}]
loss = "squared_error"
"""
DENSE = '[[layer]]\ntype = "dense"\nunits = {units}\n{more}\n'


def imported(path: Path, text: str) -> ModuleType:
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("hostile_module", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "stem", ['x"""+print("out")+"""', "back\\slash", "line\nbreak", "tab\tulator", '"', "\\"]
)
def test_a_file_name_stays_text(tmp_path: Path, stem: str) -> None:
    file = tmp_path / f"{stem}.toml"
    file.write_text(NETWORK.format(input=3) + DENSE.format(units=2, more=""), encoding="utf-8")
    tree = ast.parse(generate(api.build(file)).text)
    calls = [n for s in tree.body if isinstance(s, ast.Expr) for n in ast.walk(s)]
    assert not any(isinstance(node, ast.Call) for node in calls)
    assert stem in (ast.get_docstring(tree, clean=False) or "").replace("\\n", "\n")


@pytest.mark.parametrize("power", ["9**9**9**9 * z", "(9**9)**9 * z", "z**(2**9)", "2**-(3**3)"])
def test_towers_of_powers_are_refused(tmp_path: Path, power: str) -> None:
    file = tmp_path / "tower.toml"
    define = f'[[define]]\nkind = "activation"\nname = "tower"\nequations = ["a = {power}"]\n'
    layer = DENSE.format(units=2, more='activation = "tower"')
    file.write_text(NETWORK.format(input=3) + layer + define, encoding="utf-8")
    with pytest.raises(SymbackpropError, match="power of a power"):
        api.build(file)


@pytest.mark.parametrize(
    "equation",
    [
        "a = z * ((((2 + z - z)**64)**64)**64)**64",
        "a[i] = z[i] + total(j, z[j] * (((2 + z[j] - z[j])**64)**64)**64)",
    ],
)
def test_numbers_that_cancelling_would_make_too_long_are_refused(
    tmp_path: Path, equation: str
) -> None:
    """To the calculus 2 + z - z is 2, and a power of it one long number."""
    file = tmp_path / "long.toml"
    define = f'[[define]]\nkind = "activation"\nname = "long"\nequations = ["{equation}"]\n'
    layer = DENSE.format(units=2, more='activation = "long"')
    file.write_text(NETWORK.format(input=3) + layer + define, encoding="utf-8")
    with pytest.raises(SymbackpropError, match="4096 bits"):
        api.build(file)


def test_layers_named_like_what_is_generated(tmp_path: Path) -> None:
    """b_T and T_and_1 are what views of layer b and T could be called."""
    names = ["b", "b_T", "T", "T_and_1", "a1", "x", "work", "loss"]
    layers = [
        DENSE.format(units=2 + k % 2, more=f'name = "{name}"\nactivation = "tanh"')
        for k, name in enumerate(names)
    ]
    file = tmp_path / "names.toml"
    file.write_text(NETWORK.format(input=3) + "".join(layers), encoding="utf-8")
    _, report = api.generate_checked(file)
    assert report.passed


def test_positions_before_features(tmp_path: Path) -> None:
    file = tmp_path / "rank3.toml"
    layer = DENSE.format(units=2, more='activation = "tanh"')
    file.write_text(NETWORK.format(input="3, 4") + layer, encoding="utf-8")
    _, report = api.generate_checked(file)
    assert report.passed


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Narrow relu layers: at most random points some unit is off for every sample."""
    text = generate(api.build("2-2x3:relu-1", loss="squared_error")).text
    return tmp_path_factory.mktemp("deep") / "deep.py", text


def test_the_check_looks_for_a_point_where_gradients_are_not_zero(deep: tuple[Path, str]) -> None:
    path, text = deep
    faulty = text.replace("dW1 = x.T @ dz1", "dW1 = -x.T @ dz1")
    assert faulty != text
    module, wrong = imported(path, text), imported(path, faulty)
    for seed in range(10):
        assert max(module.gradient_check(seed).values()) <= module.TOLERANCE
        assert wrong.gradient_check(seed)["W1"] > module.TOLERANCE


def test_the_check_settles_for_the_point_with_the_fewest_zeros(tmp_path: Path) -> None:
    """Where no point has a slope everywhere, differences are taken at one of them only."""
    text = generate(api.build("2-1x30:relu-1", loss="squared_error")).text
    module = imported(tmp_path / "deep.py", text)
    compared = []
    check_at = module._check_at

    def counted(*point: object) -> object:
        compared.append(point)
        return check_at(*point)

    module._check_at = counted  # type: ignore[attr-defined]
    assert max(module.gradient_check().values()) <= module.TOLERANCE
    assert len(compared) == 1
    assert not any(map(_all_alive, module._points(0)))
    right = "db31 = d_output.sum(axis=0)"
    assert right in text
    faulty = text.replace(right, f"{right} * 1.0001")
    assert max(imported(tmp_path / "deep.py", faulty).gradient_check().values()) > 1e-5


def _all_alive(
    point: tuple[object, dict[str, object], Iterable[tuple[object, list[dict[str, object]]]]],
) -> bool:
    return all(np.any(array) for _, grads in point[2] for each in grads for array in each.values())


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    text = generate(api.build("3-4:softmax", loss="cross_entropy")).text
    return imported(tmp_path_factory.mktemp("classes") / "classes.py", text)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (3, r"y has shape \(\), must be \(N,\) or \(N, 4\)"),
        (np.ones((2, 4, 1)), r"y has shape \(2, 4, 1\), must be \(N,\) or \(N, 4\)"),
        (np.ones((2, 1)), r"y has shape \(2, 1\), must be \(N, 4\)"),
        ([1.0, 2.0], "y holds float64, class indices must be integers"),
        ([True, False], "y holds bool, class indices must be integers"),
        ([-1, 2], "y holds -1 to 2, must be 0 to 3"),
        (np.array([2**63, 1], np.uint64), "y holds 1 to 9223372036854775808, must be 0 to 3"),
        ([1], "y has 1 samples"),
    ],
)
def test_targets_that_are_refused(classes: ModuleType, y: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classes.loss(np.full((2, 4), 0.25), y)
    with pytest.raises(ValueError, match=message):
        classes.loss_and_gradients(classes.initialize(), np.ones((2, 3)), y)


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint8, np.uint64])
def test_class_indices_of_any_integer_type(classes: ModuleType, kind: type) -> None:
    output = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]])
    found = classes.loss(output, np.array([3, 0], kind))
    assert found == pytest.approx(-(np.log(0.4) + np.log(0.7)) / 2, rel=1e-15)


def test_what_a_step_refuses(deep: tuple[Path, str]) -> None:
    module = imported(*deep)
    params = module.initialize()
    x, y = np.ones((3, 2)), np.ones((3, 1))
    for arguments, message in [
        ((params, x[:0], y[:0]), "x has 0 samples"),
        ((params, 1.0, y), r"x has shape \(\)"),
        (({}, x, y), "params has no W1"),
        (({**params, "b1": [0, 0]}, x, y), "b1 is no array of floating-point numbers"),
        (({**params, "b1": np.zeros(2, np.float32)}, x, y), "b1 is float32"),
    ]:
        with pytest.raises(ValueError, match=message):
            module.loss_and_gradients(*arguments)
    with pytest.raises(ValueError, match="params are float64, the workspace is float32"):
        module.loss_and_gradients(params, x, y, workspace=module.Workspace(3, np.float32))
    with pytest.raises(ValueError, match="batch_size is 0"):
        module.Workspace(0)
    with pytest.raises(ValueError, match="dtype is int64"):
        module.initialize(dtype=np.int64)
    with pytest.raises(ValueError, match=r"∂E/∂W1 has shape \(1, 1\)"):
        module.update(params, {"W1": np.ones((1, 1))}, 0.1)
    _, cache = module.forward(params, x)
    with pytest.raises(ValueError, match="d_output has 2 samples"):
        module.backward(params, cache, np.ones((2, 1)))


@pytest.mark.parametrize("value", ["7 % z", "z // 2"])
def test_whole_division_is_for_indices(tmp_path: Path, value: str) -> None:
    file = tmp_path / "division.toml"
    define = f'[[define]]\nkind = "activation"\nname = "cut"\nequations = ["a = {value}"]\n'
    layer = DENSE.format(units=2, more='activation = "cut"')
    file.write_text(NETWORK.format(input=3) + layer + define, encoding="utf-8")
    with pytest.raises(SymbackpropError, match="act on indices and sizes, found the value z"):
        api.build(file)


@pytest.mark.parametrize("value", ["sign(z)", "z > 0"])
def test_an_activation_without_a_slope_has_gradients_of_zeros(tmp_path: Path, value: str) -> None:
    file = tmp_path / "flat.toml"
    define = f'[[define]]\nkind = "activation"\nname = "flat"\nequations = ["a = {value}"]\n'
    layer = DENSE.format(units=2, more='activation = "flat"')
    file.write_text(NETWORK.format(input=3) + layer + define, encoding="utf-8")
    module = imported(tmp_path / "flat.py", generate(api.build(file)).text)
    params, x = module.initialize(), np.ones((4, 3))
    _, grads = module.loss_and_gradients(params, x, np.ones((4, 2)), input_gradient=True)
    assert {name: float(np.abs(value).max()) for name, value in grads.items()} == {
        "W1": 0.0,
        "b1": 0.0,
        "x": 0.0,
    }
    assert "= 0" in markdown(api.document(file))
