"""A wheel, an sdist and an editable install all generate, from a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def _run(*command: object, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("built")
    _run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


@pytest.fixture(scope="module", params=["wheel", "sdist", "editable"])
def environment(
    request: pytest.FixtureRequest,
    built: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The bin folder of a fresh environment; only the dependencies are shared with this one."""
    home = tmp_path_factory.mktemp(request.param)
    venv.create(home, with_pip=False)
    paths = {"base": str(home), "platbase": str(home)}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    (site / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    scripts = Path(sysconfig.get_path("scripts", "venv", paths))
    source = ["--editable", ROOT] if request.param == "editable" else [built[request.param]]
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")
    _run(scripts / "python", "-m", "pip", "install", *options, *source, cwd=home)
    return scripts


def test_the_command_generates_and_checks(environment: Path, tmp_path: Path) -> None:
    where = "import symbackprop; print(symbackprop.__file__)"
    installed = Path(_run(environment / "python", "-c", where, cwd=tmp_path).strip())
    assert installed.is_relative_to(environment.parent) or installed.is_relative_to(ROOT)
    arguments = ("generate", "2-3:relu-1:sigmoid", "--loss", "binary_cross_entropy")
    _run(environment / "symbackprop", *arguments, "-o", "net.py", cwd=tmp_path)
    _run(environment / "python", "-m", "symbackprop", "check", "net.py", cwd=tmp_path)
    assert "W1" in _run(environment / "python", "net.py", cwd=tmp_path)


def test_the_wheel_holds_the_frames_and_the_type_marker(built: dict[str, Path]) -> None:
    names = zipfile.ZipFile(built["wheel"]).namelist()
    templates = [
        path for path in (ROOT / "templates").rglob("*.*") if "__pycache__" not in str(path)
    ]
    frames = {f"symbackprop/{path.relative_to(ROOT).as_posix()}" for path in templates}
    assert frames == {name for name in names if name.startswith("symbackprop/templates/")}
    assert "symbackprop/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "generated/")) for name in names)


def test_the_wheel_tells_the_licences_of_all_it_holds(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        told = wheel.read(metadata).decode()
        fonts = [name for name in wheel.namelist() if name.endswith(".woff2")]
        texts = {Path(name).name for name in wheel.namelist() if "/licenses/" in name}
    assert fonts
    assert "License-Expression: MIT AND OFL-1.1" in told
    assert texts == {"LICENSE", "OFL.txt"}


def test_the_sdist_holds_what_the_tests_need(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        folders = {name.split("/")[1] for name in archive.getnames()}
    assert {"templates", "tests", "examples", "generated", "README.md", "LICENSE"} <= folders
